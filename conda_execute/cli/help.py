"""The help pages: text, and the table of options in the width of the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .. import __version__
from ..options import COMMANDS, CommandLine, Option
from ..terminal.table import width_of
from ..text import called, listed, wrap

#: The column where explanations start, and the width of a page where there is no terminal.
_COLUMN, _WIDTH = 25, 80


def help(options: CommandLine) -> int:  # noqa: A001  the action's name
    """Print the page of a command line."""
    print(page(type(options), width_of(sys.stdout) or _WIDTH), end="")
    return 0


def version(options: CommandLine) -> int:
    print(f"conda-execute {__version__}")
    return 0


def page(kind: type[CommandLine], width: int) -> str:
    """Usage, description, options under their headings, and closing remarks."""
    parts = [_usage(kind, width)]
    for part in _paragraphs(kind.PROSE, width):
        parts.append("\n".join(_commands(width)) if part == "@COMMANDS@" else part)
    column = max(len(_term(option)) for option in kind.TABLE.values()) + 4
    for heading, options in kind.groups().items():
        terms = [(_term(option), option.help) for option in options]
        parts.append("\n".join([f"{heading}:", *definitions(terms, width, column)]))
    if several := [option.name for option in kind.TABLE.values() if option.scripts]:
        parts += _paragraphs(f"{listed(several)} take several scripts.", width)
    return "\n\n".join([*parts, *_paragraphs(kind.EPILOGUE, width)]) + "\n"


def _commands(width: int) -> list[str]:
    """Each command and its words, as in `info NAME or SCRIPT`, with the first sentence of its page."""
    pairs = [
        (kind.USAGE.removeprefix("conda tmpenv ").replace(" [OPTIONS]", ""), kind.summary())
        for kind in COMMANDS.values()
    ]
    return definitions(pairs, width, _COLUMN)


def definitions(pairs: Sequence[tuple[str, str]], width: int, column: int) -> list[str]:
    """Two columns, a term and its meaning; on a narrow terminal, one below the other."""
    lines: list[str] = []
    column = min(column, _COLUMN) if width >= 2 * _COLUMN + 10 else 6
    for term, meaning in pairs:
        wrapped = wrap(called(meaning), width - column - 1)
        first = f"  {term}"
        if len(first) + 2 > column:
            lines.append(first)
        else:
            lines.append(first.ljust(column) + wrapped.pop(0))
        lines += [" " * column + line for line in wrapped]
    return lines


def _usage(kind: type[CommandLine], width: int) -> str:
    """The lines of usage; one that is too long goes on below its first argument."""
    import re

    program = kind.program()
    lines: list[str] = []
    indent = " " * (len(f"usage: {program}") if 2 * len(program) < width - 14 else 10)
    for line in kind.USAGE.splitlines():
        lines.append(f"{'       ' if lines else 'usage: '}{program}")
        # What is optional stays whole.
        for piece in re.findall(r"\[[^]]*\]|\S+", called(line).removeprefix(program)):
            if len(lines[-1]) + len(piece) + 2 > width and lines[-1].strip() != indent.strip():
                lines.append(indent)
            lines[-1] += f" {piece}"
    return "\n".join(lines)


def _paragraphs(text: str, width: int) -> list[str]:
    """Paragraphs wrapped; one that is indented is left as it is."""
    return [
        part if part.startswith(" ") else "\n".join(wrap(called(part), width - 1))
        for part in text.strip("\n").split("\n\n")
        if part.strip()
    ]


def _term(option: Option) -> str:
    value = f"[={option.value}]" if option.bare else f" {option.value}" if option.value else ""
    return ", ".join(option.names) + value
