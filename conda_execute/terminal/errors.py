"""The text of an error for a terminal."""

from __future__ import annotations

from .. import credentials
from ..text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..errors import ExecuteError, Location


def render(error: ExecuteError, colour: bool = False) -> str:
    """The text of an error for a terminal, without a final newline; user and password in a URL are starred out."""
    return credentials.hide_in_any(_rendered(error, colour))


def _rendered(error: ExecuteError, colour: bool) -> str:
    bold_red, dim, bold, plain = ("\x1b[1;31m", "\x1b[2m", "\x1b[1;36m", "\x1b[0m") if colour else ("", "", "", "")
    step = f" ({error.step})" if error.step else ""
    lines = [f"{bold_red}error{plain}{step}: {printable(error.message)}"]
    for where in error.where:
        lines.append(f"  {printable(str(where))}")
        if where.text is not None and where.line is not None:
            lines += _excerpt(where, bold_red, dim, plain)
    if error.details:
        lines += [f"  {printable(line.expandtabs())}".rstrip() for line in error.details.strip("\n").split("\n")]
    if error.hint:
        first, *more = error.hint.split("\n")
        lines += [f"{bold}hint{plain}: {printable(first)}", *(f"      {printable(line)}" for line in more)]
    return "\n".join(lines)


#: A caret under column 4,000 helps nobody; longer lines are shown from a little before the column on.
_WIDEST_EXCERPT = 160


def _excerpt(where: Location, mark: str, dim: str, plain: str) -> list[str]:
    assert where.text is not None
    text = "".join(character if character.isprintable() else " " for character in where.text)
    column, length = (where.column or 1) - 1, max(where.length, 1)
    start = max(0, column - 40) if len(text) > _WIDEST_EXCERPT else 0
    text, column = text[start : start + _WIDEST_EXCERPT].rstrip(), column - start
    gutter = f"{where.line} | "
    lines = [f"  {dim}{gutter}{plain}{text}"]
    if where.column is not None:
        length = max(1, min(length, len(text) - column))
        indent, marked = _cells(text[:column].ljust(column)), _cells(text[column : column + length].ljust(length))
        lines.append(" " * (2 + len(gutter) + indent) + f"{mark}{'^' * marked}{plain}")
    return lines


def _cells(text: str) -> int:
    """How many cells of a terminal the text takes: letters of East Asia take two, accents of their own none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)
