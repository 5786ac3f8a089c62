"""Other runners in a shebang: which words start the script, and which options of uv matter.

`#!/usr/bin/env -S uv run --with rich --script` does not name the interpreter, but asks for `rich`.
"""

from __future__ import annotations

import os
import re

from ..lean.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .header.keys import Header

#: Programs that read a script's header themselves.
_RUNNERS = frozenset((
    "ce", "conda", "conda-exec", "conda-execute", "hatch", "juv", "mamba", "micromamba", "pdm", "pip-run", "pipx",
    "pixi", "rye", "uv", "uvx",
))  # fmt: skip
#: Programs that start another one, and their options that take a value.
_WRAPPERS = {
    "caffeinate": (),
    "env": ("-u", "--unset", "-C", "--chdir"),
    "ionice": ("-c", "-n"),
    "nice": ("-n", "--adjustment"),
    "nohup": (),
    "setsid": (),
    "srun": ("-n", "-N", "-c", "-p", "-t", "-J", "-A"),
    "stdbuf": ("-i", "-o", "-e"),
    "time": ("-f", "-o"),
    "timeout": ("-k", "-s"),
}
#: How many words come before the program.
_POSITIONALS = {"timeout": 1}


def command(words: Sequence[str]) -> list[str]:
    """The program that is finally started: `env -S A=1 nice uv run` is `uv run`."""
    rest = list(words)
    while rest and (valued := _WRAPPERS.get(name := os.path.basename(rest[0]))) is not None:
        del rest[0]
        while rest and (rest[0].startswith("-") or re.match(r"[A-Za-z_]\w*=", rest[0], re.ASCII)):
            word = rest.pop(0)
            if word.startswith("-S") and len(word) > 2:
                rest.insert(0, word[2:])
            elif word in valued and rest:
                del rest[0]
        del rest[: _POSITIONALS.get(name, 0)]
    return rest


def is_runner(words: Sequence[str]) -> bool:
    """Whether these words of a shebang start a runner of scripts, directly or through other programs."""
    found = command(words)
    return bool(found) and os.path.basename(found[0]) in _RUNNERS


#: Options of `uv run` that change nothing here, alone and with a value.
_PLAIN = frozenset(
    [
        *(
            "-q",
            "--quiet",
            "-v",
            "--verbose",
            "-s",
            "--script",
            "--no-project",
            "--isolated",
            "--refresh",
            "--no-cache",
        ),
        *("-n", "--no-progress", "--no-config", "--no-sync", "--frozen", "--exact", "--managed-python"),
    ]
)
_VALUED = frozenset(["--python-preference", "--color", "--cache-dir", "--directory", "--project"])
_ASKING = {"-w": "--with", "-p": "--python"}


def with_options_of_uv(header: Header, words: Sequence[str]) -> Header:
    """The header with the options of uv in a shebang added: `--with`, `--with-editable`, `--python`; and notices about
    those that work differently or not at all."""
    found = command(words)
    if not found or os.path.basename(found[0]) != "uv":
        return header
    specs, pypi, notices = list(header.specs), list(header.pypi), list(header.notices)
    rest = [word for word in found[1:] if word != "run"]
    while rest:
        name, _, value = rest.pop(0).partition("=")
        name = _ASKING.get(name, name)
        if name in ("--with", "--with-editable", "--python") or name in _VALUED:
            value = value or (rest.pop(0) if rest else "")
        if name == "--with":
            pypi += [part.strip() for part in value.split(",") if part.strip()]
        elif name == "--with-editable":
            pypi.append(value if "/" in value or value == "." else f"./{value}")
            notices.append(f"`{name} {value}` in the shebang is for uv: here the package is installed as it is now")
        elif name == "--python" and (version := _version(value)):
            specs.append(f"python {version}")
        elif name.startswith("-") and name not in _PLAIN and name not in _VALUED:
            said = f"{name} {value}".rstrip()
            notices.append(f"`{said}` in the shebang is for uv and is ignored")
    return replace(header, specs=tuple(specs), pypi=tuple(dict.fromkeys(pypi)), notices=tuple(notices))


def _version(asked: str) -> str:
    """The Python versions that uv reads from this, in conda's form; empty for a path or an implementation."""
    found = re.fullmatch(r"(?:c?python@?)?(\d+(?:\.\d+){0,2}|[<>=!~][\d.,<>=!~* ]*)", asked)
    if not found:
        return ""
    version = found[1]
    if version[0].isdigit():
        return f"=={version}" if version.count(".") == 2 else f"{version}.*"
    return "".join(version.split())
