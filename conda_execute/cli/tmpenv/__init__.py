"""`conda tmpenv`: show the environments that scripts share, create one, delete unused ones."""

from __future__ import annotations

from ...errors import UsageError
from ...options import COMMANDS, TmpenvOptions
from ...terminal.messages import guard
from ...text import near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

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


def program() -> NoReturn:
    """The entry point `conda-tmpenv`."""
    from ...terminal.messages import run

    run(main)


def main(argv: Sequence[str]) -> int:
    """Run `conda tmpenv` with these arguments; return the exit status."""
    return guard(lambda: act(argv), as_json="--json" in argv)


def act(argv: Sequence[str]) -> int:
    from importlib import import_module

    from ..parsing import parse

    own = parse(TmpenvOptions, _command_first(argv))
    name = own.words[0] if own.words else "help"
    if own.version:
        from ..help import show_version

        return show_version()
    if own.help or name == "help":
        return _help(own.words[1:] if name == "help" else ())
    options = parse(COMMANDS[_known(name)], own.words[1:])
    if options.help:
        return _help([name])
    done: int = getattr(import_module(f".{_MODULES.get(name, name)}", __name__), name)(options)
    return done


def _command_first(argv: Sequence[str]) -> Sequence[str]:
    """The arguments with the command moved before its options, since conda accepts any order: `conda tmpenv --json
    list`."""
    at = next((at for at, word in enumerate(argv) if not word.startswith("-")), 0)
    return [argv[at], *argv[:at], *argv[at + 1 :]] if at and argv[at] in COMMANDS else argv


#: Commands that share a module, which has a function of the command's name.
_MODULES = {"name": "create", "release": "keep", "prune": "clear", "dir": "which"}


def _known(name: str) -> str:
    if name not in COMMANDS:
        known = "there are " + ", ".join(f"`{name}`" for name in COMMANDS)
        hint = _OTHER_WORDS.get(name) or near(name, tuple(COMMANDS)) or known
        raise UsageError(f"there is no command `{name}`", hint=hint)
    return name


def _help(names: Sequence[str]) -> int:
    from ..help import show

    return show(COMMANDS[_known(names[0])] if names else TmpenvOptions)


if __name__ == "__main__":
    program()
