"""`conda execute`: run a script in the environment that its header asks for.

The way of a run, each step in a module of its own: the script (`source`), what it says (`header`), what is configured
(`settings`), what is therefore to be installed (`request`), an environment that has it (`prepare`), noted as used by
this process, and the script's command (`command`), started in it as if it had been run directly (`start`).
"""

from __future__ import annotations

import os
import sys
from itertools import takewhile

from ..cache import cache_dir, home_directory, script_cache
from ..credentials import hide
from ..environments.ensure import ensure
from ..errors import NotFoundError, UsageError
from ..launch import execute, process
from ..launch.activation import activate
from ..plan import of_one_run, recipe_of, require_trust, store_of, understand, with_lock
from ..script import interpreter
from ..terminal.messages import guard, print_json, unwind_on_signals
from ..text import near
from . import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    from ..environments.store import Store
    from ..launch.activation import Activation
    from ..model import Environment
    from ..plan import Run

#: What changes the header in place. Together they are one thing to ask for; others exclude each other.
_EDITS = ("init", "add", "remove")

#: What makes no environment.
_NO_RUN = ("help", "version", "completion", "check", "dry_run", "lock", *_EDITS)


def program() -> NoReturn:
    """The entry point `conda-execute`."""
    from ..terminal.messages import run

    run(main)


def main(argv: Sequence[str]) -> int:
    """`conda execute` with these words after it. Returns an exit status only where no script was run."""
    restore = unwind_on_signals()
    parsed: list[Namespace] = []

    def work() -> int:
        parsed.append(options.parse(argv))
        return _main(parsed[0], restore)

    def wants_json() -> bool:
        if parsed:
            return bool(parsed[0].json)
        # A mistake among the options themselves.
        return "--json" in takewhile(lambda word: word.startswith("-"), argv)

    return guard(work, wants_json)


def _main(chosen: Namespace, restore: Callable[[], None]) -> int:
    _check_usage(chosen)
    if any(getattr(chosen, name) for name in _NO_RUN):
        return _instead(chosen)
    run = understand(chosen)
    if not (chosen.print_prefix or chosen.export or chosen.pack or chosen.shell):
        run.require_words()
    require_trust(run)
    store = store_of(run)
    run = with_lock(run, store)
    _tell_specification(run)
    environment = ensure(run.request, store, recipe_of(run), force=chosen.force_env)
    run.voice.detail(f"Prefix: {environment.prefix}\n")
    if chosen.print_prefix:
        return _print_prefix(environment, chosen.json)
    if chosen.export or chosen.pack:
        return _pass_on(run, environment)
    _clean_if_due(run, store, environment)
    restore()
    return _start(run, environment)


def _instead(chosen: Namespace) -> int:
    """What was asked for instead of running the script."""
    if chosen.help or chosen.version or chosen.completion:
        return _tell(chosen)
    from . import inspect, upkeep

    if any(getattr(chosen, name) for name in _EDITS):
        return upkeep.edit(chosen)
    run = understand(chosen)
    if chosen.lock:
        return upkeep.write_lock(run)
    return inspect.check(run) if chosen.check else inspect.dry_run(run)


# What is asked ---------------------------------------------------------------------------------------------------


def _tell(chosen: Namespace) -> int:
    if chosen.version:
        from .. import __version__

        print(f"conda-execute {__version__}")
    elif chosen.completion:
        print(_completion(chosen.completion), end="")
    else:
        print(options.HELP, end="")
    return 0


def _completion(shell: str) -> str:
    from . import completion, tmpenv

    if shell not in completion.SHELLS:
        known = ", ".join(f"`{name}`" for name in completion.SHELLS)
        raise UsageError(f"there is no completion for `{shell}`", hint=f"there is one for {known}")
    own = completion.options_of(options.OPTIONS, options.HELP)
    return completion.script(shell, own, completion.commands_of(tmpenv.parsers(), tmpenv.HELP, own))


def _check_usage(chosen: Namespace) -> None:
    edits = [f"--{name}" for name in _EDITS if getattr(chosen, name)]
    asked = edits[:1] + [
        f"--{name.replace('_', '-')}"
        for name in ("check", "lock", "print_prefix", "shell", "export", "pack", "dry_run")
        if getattr(chosen, name) and not (edits and name == "dry_run")
    ]
    one_run = of_one_run(chosen)
    if edits and one_run:
        raise UsageError(
            f"`{one_run[0]}` counts for one run, and `{edits[0]}` for all that follow",
            hint="write what the script needs into its header, or leave it out",
        )
    if len(asked) > 1:
        raise UsageError(f"`{asked[0]}` and `{asked[1]}` ask for different things", hint="give one of them")
    if chosen.json and not asked:
        chosen.dry_run = True
    elif chosen.json and asked[0] not in ("--check", "--dry-run", "--print-prefix"):
        raise UsageError(
            f"`{asked[0]}` has nothing to say as JSON",
            hint="`--json` goes with `--check`, `--dry-run` and `--print-prefix`",
        )
    if not chosen.lock and (chosen.embed or chosen.platform):
        raise UsageError(f"`{'--embed' if chosen.embed else '--platform'}` goes with `--lock`")
    if chosen.export and chosen.export not in options.FORMATS:
        hint = near(chosen.export, options.FORMATS) or "there are " + ", ".join(f"`{name}`" for name in options.FORMATS)
        raise UsageError(f"there is no export format `{chosen.export}`", hint=hint)
    if chosen.embed and chosen.lock_file:
        raise UsageError("`--embed` and `--lock-file` name different places", hint="give one of them")
    if chosen.locked and chosen.no_lock:
        raise UsageError("`--locked` and `--no-lock` contradict each other")


def _print_prefix(environment: Environment, as_json: bool) -> int:
    if as_json:
        print_json({"prefix": environment.prefix, "name": environment.name})
    else:
        print(environment.prefix)
    return 0


def _pass_on(run: Run, environment: Environment) -> int:
    """The environment for other tools: as a text that makes it again, or as an archive."""
    import re

    from ..lockfiles import export

    if run.chosen.pack:
        export.pack(environment.prefix, run.chosen.pack)
        run.voice.notice(f"packed `{environment.prefix}` into `{run.chosen.pack}`")
        return 0
    recipe = recipe_of(run)
    # conda's own rules for names, and a shell's comfort.
    name = re.sub(r"[^\w.-]+", "-", os.path.splitext(os.path.basename(run.script.title))[0]).strip("-") or "script"
    text = export.export(
        environment.prefix,
        run.chosen.export,
        run.request,
        name=name,
        backend=recipe.engine(),
        options=recipe.options(),
    )
    print(text, end="")
    return 0


# The run ---------------------------------------------------------------------------------------------------------


def _tell_specification(run: Run) -> None:
    """What the seed's transcript shows under `-v`."""
    header = run.header
    lines = ["Using specification: ", f"env: [{', '.join(header.specs)}]"]
    if run.request.pypi:
        lines.append(f"pip: [{', '.join(run.request.pypi)}]")
    if header.channels is not None:
        lines.append(f"channels: [{', '.join(map(hide, header.channels))}]")
    if header.entrypoint is not None:
        lines.append(f"entrypoint: {header.entrypoint}")
    else:
        lines.append(f"run_with: [{', '.join(run.words())}]")
    run.voice.detail("\n".join(lines) + "\n")


def _clean_if_due(run: Run, store: Store, environment: Environment) -> None:
    """Start the hourly sweep, in the background, if it is time."""
    if not run.settings.auto_clean:
        return
    from .. import housekeeping
    from ..environments import uses

    note = uses.note_path(environment, uses.this_process())
    unused_for, foreign_use_ttl = run.settings.remove_if_unused_for, run.settings.foreign_use_ttl
    housekeeping.start_if_due(store, note, unused_for, foreign_use_ttl, _cache(run))


def _start(run: Run, environment: Environment) -> NoReturn:
    """Become the script."""
    notebook = run.script.notebook
    variables = run.header.variables + (notebook.variables if notebook else ())
    if run.chosen.shell:
        shell, needed = _shell(run.environ)
        try:
            execute.execute(shell, activate(environment.prefix, run.environ, (*variables, *needed.items())))
        except NotFoundError as error:
            error.hint = "the variable SHELL names the shell to open"
            raise
    activation = activate(environment.prefix, run.environ, variables)
    arguments = run.chosen.words[1:]
    if run.header.entrypoint is not None:
        cache = script_cache(_cache(run) or environment.prefix, run.script.path)
        constant = execute.constant_command(run.header.entrypoint, run.script.path)
        if constant is not None:
            _record(run, environment, activation, constant, passes_script=False)
        execute.execute_entrypoint(run.header.entrypoint, arguments, activation, script=run.script.path, cache=cache)

    def provides(name: str) -> bool:
        return os.access(os.path.join(environment.prefix, "bin", name), os.X_OK)

    words = interpreter.effective(run.words(provides), provides)
    if notebook and run.header.run_with is None:
        from ..script.notebook import command as jupyter

        words = jupyter(notebook, run.script.title, environment.prefix)
    _record(run, environment, activation, words)
    execute.execute([*words, run.script.given, *arguments], activation)


def _shell(environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command of an interactive shell in the environment, and the variables that it needs.

    What a person's startup file puts first on PATH would hide the environment's programs, so the shell reads a file of
    ours, which reads theirs and then puts the environment first again.
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


def _record(
    run: Run, environment: Environment, activation: Activation, words: Sequence[str], passes_script: bool = True
) -> None:
    """Let the launcher do it by itself next time, if it can: what is told about each run, Python must tell."""
    if not run.script.is_file or run.script.notebook or run.voice.verbose or process.LAUNCHED not in os.environ:
        return
    from ..launch import record
    from ..lockfiles import choice

    watched = choice.watched(run.script.path, run.lock, run.chosen.lock_file)
    if watched is None or run.has_stale_lock:
        return
    wanted = record.Run(
        script=run.script.given,
        data=run.script.head,
        last_line=run.header.lines[1],
        sources=run.settings.sources,
        environment=environment,
        activation=activation,
        command=words,
        passes_script=passes_script,
        sweeps=run.settings.auto_clean,
        neighbours=tuple(watched[0]),
        beginnings=tuple(watched[1]),
    )
    record.write(wanted, _cache(run), os.environ)


def _cache(run: Run) -> str | None:
    return cache_dir(run.environ, home_directory())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
