"""Small scripts, good and bad, and beside each what reading its header gives.

`FOLDER/NAME` is a script and `FOLDER/NAME.expected` the header it has, or the error in full as a terminal shows it,
so that whoever reviews it sees the caret. After a change: `python -m tests.headers.update`, then read the diff.
"""

from __future__ import annotations

from pathlib import Path

from conda_execute.errors import HeaderError
from conda_execute.model import Entrypoint, Substitution, Text, Variable, Word
from conda_execute.script.header import read_header
from conda_execute.script.header.keys import Header
from conda_execute.terminal.errors import render

HERE = Path(__file__).parent
PLATFORMS = ("linux-64", "osx-arm64", "win-64")
EXPECTED = ".expected"


def scripts() -> list[Path]:
    """Every script of the corpus."""
    return sorted(
        path
        for path in HERE.glob("*/*")
        if path.is_file() and path.suffix != EXPECTED and "__pycache__" not in path.parts
    )


def outcome(script: Path) -> str:
    """What reading this script gives, on each platform where that makes a difference."""
    data = script.read_bytes()
    outcomes: dict[str, list[str]] = {}
    for platform in PLATFORMS:
        try:
            text = description(read_header(data, script.name, platform))
        except HeaderError as error:
            text = render(error)
        outcomes.setdefault(text, []).append(platform)
    if len(outcomes) == 1:
        return next(iter(outcomes)) + "\n"
    return "\n\n".join(f"[{', '.join(platforms)}]\n{text}" for text, platforms in outcomes.items()) + "\n"


def description(header: Header) -> str:
    """All that a header says, a line for each thing said."""
    lines = [f"{header.format}, lines {header.lines[0]} to {header.lines[1]}"]
    nothing = Header(format=header.format)
    for name in Header.__match_args__:
        value = getattr(header, name)
        if name in ("format", "lines", "locations") or value == getattr(nothing, name):
            continue
        if name == "entrypoint":
            lines.append(f"entrypoint: {entrypoint(value)}")
        elif isinstance(value, tuple):
            lines.append(f"{name}:")
            lines += [f"  {item}" if isinstance(item, str) else "  " + " = ".join(item) for item in value]
        else:
            lines.append(f"{name}: {value}")
    lines += [f"{text!r} at {str(where).partition(':')[2]}" for text, where in header.locations]
    return "\n".join(lines)


def entrypoint(value: Entrypoint) -> str:
    """The commands of an entrypoint, each word in brackets of its own."""
    return " && ".join(" ".join(word(each) for each in command) for command in value.commands)


def word(value: Word) -> str:
    pieces = []
    for piece in value.pieces:
        match piece:
            case Text(text):
                pieces.append(text)
            case Variable(name):
                pieces.append("${" + name + "}")
            case Substitution(commands, split):
                text = f"$({entrypoint(Entrypoint(commands))})"
                pieces.append(text if split else f'"{text}"')
    return "<" + "".join(pieces) + ">"
