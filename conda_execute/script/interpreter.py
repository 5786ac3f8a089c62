"""Which command runs a script: only how it is chosen, not how it is started.

`run_with` of the header; else the script's shebang, unless that names conda-execute or another runner of such scripts;
else the suffix; else `python` if the environment has it; else `sh`.
"""

from __future__ import annotations

import builtins
import os
import re
import sys

from ..errors import NotFoundError
from . import languages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def shebang(data: bytes) -> tuple[str, ...] | None:
    """The words of the script's first line after `#!`, or None.

    Words are split as a shell does: to the kernel, everything after the interpreter is one argument, but authors of
    `#!/usr/bin/env python -u` expect two.
    """
    if not data.startswith(b"#!"):
        return None
    line = data[2:].split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if not line:
        return None
    if not any(quote in line for quote in "'\"\\"):
        return tuple(line.split())
    import shlex

    try:
        return tuple(shlex.split(line)) or None
    except ValueError:
        return tuple(line.split())


def without_env(words: tuple[str, ...]) -> tuple[str, ...]:
    """`/usr/bin/env -S NAME ARGS` as `NAME ARGS`: the environment's PATH is searched anyway.

    An `env` with other options or assignments is kept, since it has an effect.
    """
    if os.path.basename(words[0]) != "env" or len(words) < 2:
        return words
    rest = words[1:]
    if rest[0] in ("-S", "--split-string"):
        rest = rest[1:]
    elif rest[0].startswith("-S"):
        rest = (rest[0][2:], *rest[1:])
    if not rest or rest[0].startswith("-") or re.match(r"[A-Za-z_]\w*=", rest[0], re.ASCII):
        return words
    return rest


def said(run_with: tuple[str, ...] | None, data: bytes, path: str) -> tuple[str, ...] | None:
    """The words before the script's path, if the script names them."""
    if run_with is not None:
        return run_with
    words = shebang(data)
    if words is not None:
        from . import runner

        if not runner.is_runner(words):
            # marimo's sandbox would create its own environment, but this one exists already.
            return tuple(word for word in words if word != "--sandbox" or "marimo" not in words)
    language = languages.of(path)
    return language.command or None if language else None


def choose(
    run_with: tuple[str, ...] | None, data: bytes, path: str, provides: Callable[[str], bool]
) -> tuple[str, ...]:
    """The words before the script's path, from the script, or else by its environment.

    `provides(name)` tells whether the environment has a program of that name in its `bin`.
    """
    if words := said(run_with, data, path):
        return words
    return ("python",) if provides("python") and not _begins_with_command(data, provides) else ("sh",)


def _begins_with_command(data: bytes, provides: Callable[[str], bool]) -> bool:
    """Whether the first line that is not a comment is a command of the environment with an option, `python --version`:
    a Python that has defined nothing yet could not run it."""
    lines = (line for line in data.decode("utf-8", "replace").splitlines() if line.strip() and line[:1] != "#")
    name, option = [*next(lines, "").split(), "", ""][:2]
    return option.startswith("-") and name.isidentifier() and name not in dir(builtins) and provides(name)


def effective(words: tuple[str, ...], provides: Callable[[str], bool]) -> tuple[str, ...]:
    """The words that are started: `env NAME` is NAME, and an absolute path is the environment's own program of that
    name, if it has one.

    A script that asks for numpy and begins with `#!/usr/bin/python3` cannot mean the system's Python.
    """
    words = without_env(words)
    name = os.path.basename(words[0])
    if os.path.isabs(words[0]) and provides(name):
        return (name, *words[1:])
    return words


def started(words: Sequence[str]) -> str:
    """The program that these words start in the end: `nice python` is `python`."""
    if len(words) < 2:
        return words[0]
    from . import runner

    return next(iter(runner.command(words)), words[0])


def is_elsewhere(program: str, provides: Callable[[str], bool]) -> bool:
    """Whether a program is searched on PATH because the environment lacks it. A path means exactly that program, and
    every system has `sh`."""
    return sys.platform != "win32" and os.sep not in program and program != "sh" and not provides(program)


def require_own(program: str, prefix: str, provides: Callable[[str], bool]) -> None:
    """Raise NotFoundError for an interpreter that the environment lacks: another one on PATH would run without the
    environment's packages. System commands are allowed."""
    if not is_elsewhere(program, provides) or not languages.is_of_packages(program):
        return
    package = languages.package_of(program)
    others = [name for name in (program.rstrip("0123456789."), f"{program}3") if name != program and provides(name)]
    hint = f"`run_with: {others[0]}` names the one it has" if others else f"add `{package}` to the header"
    raise NotFoundError(f"`{program}` is not in the environment `{prefix}`", hint=hint)


def is_plain(words: Sequence[str]) -> bool:
    """Whether this is an interpreter with options, which reads the script and starts nothing else by itself."""
    options = words[1:]
    is_known = languages.by_program(words[0]) is not None
    return is_known and all(word.startswith("-") and word != "-c" for word in options)
