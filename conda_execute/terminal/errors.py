"""The text of an error for a terminal."""

from __future__ import annotations

from ..errors import ExecuteError, Location
from ..text import as_called, printable, wrap
from .table import cells


def render(error: ExecuteError, colour: bool = False, width: int | None = None) -> str:
    """The text of an error, without a final newline. With a width, message and hint are wrapped, and quoted lines are
    cut around the mistake."""
    bold_red, dim, bold, plain = ("\x1b[1;31m", "\x1b[2m", "\x1b[1;36m", "\x1b[0m") if colour else ("", "", "", "")
    step = f" ({error.step})" if error.step else ""
    first, *more = _wrapped(f"error{step}: {error.message}", width)
    lines = [f"{bold_red}error{plain}{first.removeprefix('error')}", *more]
    for where in error.where:
        if where.line is None and f"`{where.path}`" in error.message:
            continue  # said already
        lines.append(f"  {printable(str(where))}")
        if where.text is not None and where.line is not None:
            lines += _excerpt(where, (bold_red, dim, plain), width)
    if error.details:
        lines += [part for line in error.details.strip("\n").split("\n") for part in _detail(line, width)]
    if error.hint:
        first, *more = (part for line in error.hint.split("\n") for part in _wrapped(line, width, len("hint: ")))
        lines += [f"{bold}hint{plain}: {first}", *(f"      {line}" for line in more)]
    return "\n".join(lines)


def _wrapped(text: str, width: int | None, indent: int = 0) -> list[str]:
    """Lines that fit after this many columns; a text that fits is not changed."""
    text = printable(as_called(text))
    return [text] if width is None or indent + cells(text) < width else wrap(text, width - indent - 1)


def _detail(line: str, width: int | None) -> list[str]:
    """A line of an engine's explanation, indented; a long line continues below with more indentation."""
    line = printable(line.expandtabs()).rstrip()
    text = line.lstrip()
    indent = 2 + len(line) - len(text)
    if width is None or indent + cells(text) < width or indent > width // 2:
        return [" " * indent + text]
    first, *more = wrap(text, width - indent - 3)
    return [" " * indent + first, *(" " * (indent + 2) + part for part in more)]


#: A caret under column 4,000 helps nobody; longer lines are shown from a little before the column on.
_WIDEST_EXCERPT = 160


def _excerpt(where: Location, marks: tuple[str, str, str], width: int | None) -> list[str]:
    """The line with a caret below it; of a line that is too long, what is around the caret."""
    assert where.text is not None
    mark, dim, plain = marks
    shown = {"\t": "→"}
    text = "".join(one if one.isprintable() else shown.get(one, " ") for one in where.text)
    column, length = (where.column or 1) - 1, max(where.length, 1)
    gutter = f"{where.line} | "
    widest = _WIDEST_EXCERPT if width is None else max(10, min(_WIDEST_EXCERPT, width - len(gutter) - 3))
    start = max(0, column - widest // 4) if cells(text) > widest else 0
    text, column = text[start : start + widest].rstrip(), column - start
    while cells(text) > widest:
        text = text[:-1]
    lines = [f"  {dim}{gutter}{plain}{text}"]
    if where.column is not None:
        length = max(1, min(length, len(text) - column))
        indent, marked = cells(text[:column].ljust(column)), cells(text[column : column + length].ljust(length))
        lines.append(" " * (2 + len(gutter) + indent) + f"{mark}{'^' * marked}{plain}")
    return lines
