"""`--completion`: the templates in `shells/`, filled from the tables of options.

The text that a shell evaluates completes `conda-execute` and `conda-tmpenv`, and the words after
`conda execute` and `conda tmpenv`; other commands of `conda` are completed as before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable

from ..options import COMMANDS, CommandLine, Option, RunOptions, TmpenvOptions

#: What the help pages call a word that may be the name of an environment.
_ENVIRONMENT = "NAME or SCRIPT"


def completion(options: RunOptions) -> int:
    """Print the text for a shell."""
    assert options.completion is not None
    print(script(options.completion), end="")
    return 0


def script(shell: str) -> str:
    """The text that the shell (`bash`, `zsh` or `fish`) evaluates."""
    parts: dict[str, Callable[[], dict[str, str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shells", shell)
    with open(path, encoding="utf-8") as file:
        template = file.read()
    for name, text in parts[shell]().items():
        template = template.replace(f"@{name}@", text)
    return template


def _options(kind: type[CommandLine]) -> list[Option]:
    return list(kind.TABLE.values())


def _of_commands() -> list[Option]:
    return [option for kind in COMMANDS.values() for option in _options(kind)]


def _names(options: Iterable[Option]) -> str:
    return " ".join(dict.fromkeys(name for option in options for name in option.names))


def _valued(options: Iterable[Option]) -> str:
    return _names(option for option in options if option.takes_word)


def _rest() -> str:
    return _names(option for option in _options(RunOptions) if option.takes_rest)


def _first_clause(text: str) -> str:
    """What is shown next to an option: up to the first semicolon or colon."""
    return re.split(r"[;:] ", text, maxsplit=1)[0].rstrip(".")


def _takes_environments(kind: type[CommandLine]) -> bool:
    return _ENVIRONMENT in kind.USAGE


# bash ----------------------------------------------------------------------------------------------------------------


def _bash() -> dict[str, str]:
    every = [*_options(RunOptions), *_of_commands()]
    words = {name: option.words for option in every for name in option.names if option.words}
    files = sorted({name for option in every if option.is_file for name in option.names})
    values = [f"    {name}) _conda_execute_offer -W '{' '.join(known)}' ;;" for name, known in words.items()]
    values += [f"    {' | '.join(files)}) COMPREPLY=() ;;"]
    return {
        "VALUES": "\n".join(values),
        "VALUED": _valued(_options(RunOptions)),
        "REST": _rest(),
        "OPTIONS": _names(_options(RunOptions)),
        "TMPENV": _names(_options(TmpenvOptions)),
        "TMPENV_VALUED": _valued(_of_commands()),
        "COMMANDS": " ".join(COMMANDS),
        "TMPENV_OPTIONS": "\n".join(
            f"    {name}) options='{_names(_options(kind))}' ;;" for name, kind in COMMANDS.items()
        ),
        "ENVIRONMENTS": " | ".join(name for name, kind in COMMANDS.items() if _takes_environments(kind)),
    }


# zsh -----------------------------------------------------------------------------------------------------------------


def _zsh() -> dict[str, str]:
    return {
        "OPTIONS": "\n".join(f"    {_zsh_option(option)} \\" for option in _options(RunOptions)),
        "TMPENV": " ".join(_zsh_option(option) for option in _options(TmpenvOptions)),
        "COMMANDS": "\n".join(f"    '{name}:{_zsh_text(kind.summary())}'" for name, kind in COMMANDS.items()),
        "TMPENV_OPTIONS": "\n".join(_zsh_command(name, kind) for name, kind in COMMANDS.items()),
    }


def _zsh_command(name: str, kind: type[CommandLine]) -> str:
    lines = [f"        {name})", "          _arguments -s -S \\"]
    lines += [f"            {_zsh_option(option)} \\" for option in _options(kind)]
    rest = "'*:environment or script:_conda_tmpenv_names'" if _takes_environments(kind) else "'*:spec: '"
    return "\n".join([*lines, f"            {rest}", "          ;;"])


def _zsh_option(option: Option) -> str:
    """One option as `_arguments` takes it: `'(-q --quiet)'{-q,--quiet}'[show errors only]'`."""
    value = ""
    if option.takes_rest:
        value = f":*:{option.value}: "
    elif option.takes_word:
        action = f"({' '.join(option.words)})" if option.words else "_files" if option.is_file else " "
        value = f":{option.value}:{action}"
    excluded = "*" if option.repeatable else "" if option.takes_rest else f"({' '.join(option.names)})"
    names = [name + ("=" if option.takes_word and name.startswith("--") else "") for name in option.names]
    # Braces, outside of the quotes, are expanded by the shell: one word for each name.
    written = names[0] if len(names) == 1 else f"'{{{','.join(names)}}}'"
    return f"'{excluded}{written}[{_zsh_text(_first_clause(option.help))}]{value}'"


def _zsh_text(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


# fish ----------------------------------------------------------------------------------------------------------------


def _fish() -> dict[str, str]:
    start = "    complete -c $program -n"
    of_commands = []
    for name, kind in COMMANDS.items():
        condition = f"'__conda_tmpenv_is {name}'"
        environments = " -a '(__conda_tmpenv_names)'" if _takes_environments(kind) else " -f"
        of_commands.append(f"{start} {condition}{environments}")
        of_commands += [f"{start} {condition} {_fish_option(option)}" for option in _options(kind)]
    return {
        "VALUED": _valued(_options(RunOptions)),
        "REST": _rest(),
        "OPTIONS": "\n".join(
            f"{start} __conda_execute_before_script {_fish_option(option)}" for option in _options(RunOptions)
        ),
        "COMMANDS": "\n".join(
            f"{start} \"__conda_tmpenv_is ''\" -f -a {name} -d {_fish_text(kind.summary())}"
            for name, kind in COMMANDS.items()
        ),
        "TMPENV_OPTIONS": "\n".join(of_commands),
    }


def _fish_option(option: Option) -> str:
    words = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if option.takes_word:
        words.append("-rF" if option.is_file else "-x")
    if option.words:
        words.append(f"-a '{' '.join(option.words)}'")
    return " ".join([*words, f"-d {_fish_text(_first_clause(option.help))}"])


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
