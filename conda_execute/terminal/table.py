"""Tables that fit: columns of text, as wide as the terminal allows and no wider.

Only columns that may shrink do; a cut text ends in `…`. Without a terminal nothing is cut, since a program reads it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TextIO

from ..lean.values import dataclass
from ..text import printable

#: Spaces between columns.
_GAP = 2

#: A column below this width would be useless: it is left out.
_NARROWEST = 8


@dataclass(frozen=True)
class Column:
    """One column: its title, and its rank for shrinking (the highest number first; 0 never)."""

    title: str
    gives_way: int = 0
    right: bool = False
    #: Whether it is cut before it is left out.
    shrinks: bool = False


def described(said: Mapping[str, Sequence[str]]) -> str:
    """Names and their values, which are below each other."""
    width = max(map(len, said)) + 2
    below = "\n" + " " * width
    return "\n".join(
        f"{name.replace('_', ' ') + ':':{width}}{below.join(map(printable, lines))}" for name, lines in said.items()
    )


def width_of(stream: TextIO | None) -> int | None:
    """The width of the terminal of `stream`; None if it is not a terminal, or closed."""
    if stream is None or not stream.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def cells(text: str) -> int:
    """The width of a text on a terminal: a wide character takes two columns, a combining one none.

    >>> cells("plot.py"), cells("日本.py"), cells("u\u0308.py")
    (7, 7, 4)
    """
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(character) else 1 + (east_asian_width(character) in "WF") for character in text)


def cut(text: str, width: int | None) -> str:
    """The text, cut and ended with `…` if it is wider than this; None: any width is fine.

    >>> cut("plot.py", 7), cut("plot.py", 6), cut("日本.py", 4)
    ('plot.py', 'plot.…', '日…')
    """
    if width is None or cells(text) <= width:
        return text
    text = text[: 2 * width]
    while cells(text) >= width:
        text = text[:-1]
    return text + "…"


def layout(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """The lines of a table, its titles first. No line is longer than `width`, unless the columns that never shrink
    are."""
    shown = list(range(len(columns)))
    widths = [max([cells(columns[i].title), *(cells(row[i]) for row in rows)]) for i in shown]
    if width is not None:
        _fit(columns, shown, widths, width)
    titles = [column.title for column in columns]
    return [
        (" " * _GAP).join(_cell(row[i], widths[i], columns[i].right) for i in shown).rstrip() for row in (titles, *rows)
    ]


def _fit(columns: Sequence[Column], shown: list[int], widths: list[int], width: int) -> None:
    """Shrink and leave out columns in place until they fit."""

    def excess() -> int:
        return sum(widths[i] for i in shown) + _GAP * (len(shown) - 1) - width

    in_turn = sorted((i for i in shown if columns[i].gives_way), key=lambda i: -columns[i].gives_way)
    for i in in_turn:
        if columns[i].shrinks and excess() > 0:
            least = max(_NARROWEST, len(columns[i].title))
            widths[i] = max(least, widths[i] - excess())
    for i in in_turn:
        if excess() <= 0:
            return
        shown.remove(i)
        _grow(columns, shown, widths, -excess())


def _grow(columns: Sequence[Column], shown: Sequence[int], widths: list[int], room: int) -> None:
    """Give the space of a removed column to the cut columns, the most important one first."""
    for i in sorted(shown, key=lambda i: columns[i].gives_way):
        if room > 0 and columns[i].shrinks:
            widths[i] += room
            return


def _cell(text: str, width: int, right: bool) -> str:
    text = cut(text, width)
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks
