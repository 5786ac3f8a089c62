"""What is done with a script's environment instead of running the script: its path, a shell in it, a copy of it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from .. import interrupts
from ..environments.store import Store
from ..environments.uses import note_path, this_process
from ..errors import NotFoundError
from ..model import Environment
from ..options import RunOptions
from ..plan import Plan, understand
from .ground import Ground
from .run import prepare, sweep_if_due
from .several import for_each


def made(options: RunOptions, *, to_run: bool = False) -> tuple[Plan, Store, Environment]:
    """The environment of a script, created if it is missing. `to_run`: in a place where its programs can be
    executed."""
    plan = understand(options)
    plan.require_trust()
    plan.require_sandbox()
    store = plan.store_to_run_in() if to_run else plan.store()
    plan = plan.with_lockfile(store)
    return plan, store, prepare(plan, store, this_process())


def print_prefix(options: RunOptions) -> int:
    def find(one: RunOptions) -> dict[str, Any]:
        _, _, environment = made(one)
        return {"prefix": environment.prefix, "name": environment.name}

    return for_each(options, find, lambda found: print(found["prefix"], flush=True))


def print_python(options: RunOptions) -> int:
    def find(one: RunOptions) -> dict[str, Any]:
        plan, _, environment = made(one, to_run=True)
        python = python_of(environment)
        if python is None:
            raise NotFoundError(
                f"the environment of `{plan.script.title}` has no Python", hint="add `python` to its header"
            )
        return {"python": python, "prefix": environment.prefix, "name": environment.name}

    return for_each(options, find, lambda found: print(found["python"], flush=True))


def python_of(environment: Environment) -> str | None:
    """The path of its Python, if it has one."""
    python = os.path.join(environment.prefix, "python.exe" if sys.platform == "win32" else "bin/python")
    return python if os.access(python, os.X_OK) else None


def export(options: RunOptions) -> int:
    """The environment as a text from which other tools create it."""
    from ..lockfiles import export

    plan, _, environment = made(options.one())
    assert options.export is not None
    # conda's own rules for names, and names that need no quotes in a shell.
    stem = os.path.splitext(os.path.basename(plan.script.title))[0]
    recipe = plan.recipe()
    text = export.export(
        environment.prefix,
        options.export,
        plan.request,
        name=re.sub(r"[^\w.-]+", "-", stem).strip("-") or "script",
        backend=recipe.engine(),
        options=recipe.options,
        hashes=_hashes(plan),
    )
    print(text, end="")
    return 0


def _hashes(plan: Plan) -> dict[str, str]:
    """The hashes of PyPI packages in the lock file; a prefix does not record them."""
    if plan.lock is None:
        return {}
    from ..lockfiles import lockfile

    solution = lockfile.solution(plan.lock, plan.request)
    return {one.name: one.sha256 for one in solution.pypi or () if one.sha256}


def pack(options: RunOptions) -> int:
    """The environment as an archive."""
    from ..lockfiles import export

    assert options.pack is not None
    export.check_archive(options.pack)
    plan, _, environment = made(options.one())
    export.pack(environment.prefix, options.pack)
    plan.voice.notice(f"packed `{environment.prefix}` into `{options.pack}`")
    return 0


def shell(options: RunOptions) -> int:
    """Become a shell in the environment."""
    plan, store, environment = made(options.one(), to_run=True)
    sweep_if_due(plan, store, note_path(environment, this_process()))
    interrupts.release()
    words, needed = _shell(plan.environ)
    if needed or len(words) > 1:
        # A shell may run what it finds in its prompt, so only letters, digits and dots of the name go there.
        title = os.path.basename(plan.script.title)
        needed["_CONDA_EXECUTE_PROMPT"] = re.sub(r"[^\w.+-]", "-", title, flags=re.ASCII)
    ground = Ground(plan, environment)
    try:
        ground.execute(words, plan.activation(environment.prefix, ground.environ, needed.items()))
    except NotFoundError as error:
        error.hint = "the variable SHELL names the shell to open"
        raise


def _shell(environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command of an interactive shell in the environment, and the variables that it needs.

    What a user's startup file puts first on PATH would hide the environment's programs. So the shell reads a file of
    ours, which reads the user's file and then puts the environment first again.
    """
    shell = environ.get("SHELL") or "/bin/sh"
    files = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "launch", "posix")
    kind = os.path.basename(shell)
    if kind == "bash":
        return [shell, "--rcfile", os.path.join(files, "bashrc"), "-i"], {}
    if kind == "zsh":
        theirs = environ.get("ZDOTDIR", "")
        return [shell, "-i"], {"ZDOTDIR": os.path.join(files, "zsh"), "_CONDA_EXECUTE_ZDOTDIR": theirs}
    if kind == "fish":
        from shlex import quote

        return [shell, "--interactive", "--init-command", f"source {quote(os.path.join(files, 'fishrc'))}"], {}
    return [shell], {}
