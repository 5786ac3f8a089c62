"""`conda tmpenv`: show the environments that scripts share, create one, delete unused ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from ...errors import UsageError
from ...options import COMMANDS, TmpenvOptions
from ...terminal.messages import guard
from ...text import near
from ..help import help, version  # noqa: A004  the names of the actions
from ..parsing import parse

#: What users of other tools type.
_OTHER_WORDS = {
    **dict.fromkeys(("rm", "remove", "delete", "clean", "uninstall"), "did you mean `clear`?"),
    **dict.fromkeys(("ls", "envs", "env", "size", "du"), "did you mean `list`?"),
    "show": "did you mean `info`?",
    "gc": "did you mean `prune`?",
    **dict.fromkeys(("path", "find", "prefix"), "did you mean `name`?"),
    **dict.fromkeys(("search", "query"), "`conda search SPEC` looks for packages"),
    "rename": "environments are named by their contents; `conda tmpenv list` shows them",
    "run": "`conda execute SCRIPT` runs a script",
    "activate": "`conda execute --shell SCRIPT` opens a shell in a script's environment",
    **dict.fromkeys(("install", "add"), "`conda execute --add SPEC SCRIPT` adds it to a script's header"),
    **dict.fromkeys(("update", "upgrade"), "`conda execute --update SCRIPT` runs it with the newest packages that fit"),
    "lock": "`conda execute --lock SCRIPT` writes a script's lock file",
    "export": "`conda execute --export FORMAT SCRIPT` prints what is in a script's environment",
}


#: The modules of commands that are not alone in a module of their name. The function is called like the command.
_MODULES = {"name": "create", "prune": "clear", "keep": "clear", "release": "clear", "dir": "which"}


def program() -> NoReturn:
    """The entry point `conda-tmpenv`."""
    from ...terminal.messages import run

    run(main)


def main(argv: Sequence[str]) -> int:
    """Run `conda tmpenv` with these arguments; return the exit status."""
    return guard(lambda: act(argv), as_json="--json" in argv)


def act(argv: Sequence[str]) -> int:
    own = parse(TmpenvOptions, _command_first(argv))
    if own.version:
        return version(own)
    name, *rest = own.words or ("help",)
    if name == "help" and rest:
        name, *rest = rest[0], "--help"
    if own.help or name == "help":
        return help(own)
    if name not in COMMANDS:
        known = "there are " + ", ".join(f"`{name}`" for name in COMMANDS)
        hint = _OTHER_WORDS.get(name) or near(name, tuple(COMMANDS)) or known
        raise UsageError(f"there is no command `{name}`", hint=hint)
    options = parse(COMMANDS[name], rest)
    if options.help:
        return help(options)
    from importlib import import_module

    done: int = getattr(import_module(f".{_MODULES.get(name, name)}", __name__), name)(options)
    return done


def _command_first(argv: Sequence[str]) -> Sequence[str]:
    """The arguments with the command moved before its options, since conda accepts any order: `conda tmpenv --json
    list`."""
    at = next((at for at, word in enumerate(argv) if not word.startswith("-")), 0)
    return [argv[at], *argv[:at], *argv[at + 1 :]] if at and argv[at] in COMMANDS else argv
