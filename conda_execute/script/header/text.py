"""The text of a script as a header reader sees it: numbered lines, and places in them.

Only the first 64 KiB count. They must be UTF-8 without NUL bytes; a byte order mark is skipped, and lines end with
LF or CRLF. Whatever else is found is a `HeaderError` that names the line.
"""

from __future__ import annotations

from ...errors import HeaderError, Location
from ...lean.values import dataclass, field

#: The number of bytes at the start of a file in which a header is searched.
HEAD = 64 * 1024

#: The number of bytes that are read: one byte more shows whether the file continues, and what is at the cut.
ENOUGH = HEAD + 1

_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True)
class Head:
    """The first lines of a script, without line endings; `whole` if that is the complete script."""

    path: str
    lines: tuple[str, ...] = field(repr=False)
    whole: bool = True
    #: The user's cache, for results that take long to compute; None: there is none.
    cache: str | None = field(default=None, compare=False, repr=False)

    def at(self, line: int, column: int | None = None, length: int = 1) -> Location:
        """The place at this line and column, both counted from 1."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else None
        return Location(self.path, line, column, length, text)

    def not_within(self, first: int) -> HeaderError:
        """The error for a header that begins in this line and continues after the part that is read."""
        return HeaderError(
            f"the header does not end within the first {HEAD // 1024} KiB of the script",
            where=self.line(first),
            hint="put the header at the beginning of the script",
        )

    def line(self, line: int) -> Location:
        """The place of a line without the spaces around it."""
        text = self.lines[line - 1]
        stripped = text.strip()
        return self.at(line, text.find(stripped) + 1, max(1, len(stripped)))


def read_script(data: bytes, path: str, cache: str | None = None) -> Head:
    """The script's head as text. Raises HeaderError if it is not UTF-8."""
    head = data[:HEAD]
    whole = len(data) <= HEAD
    if not whole:
        # A line cut in two would be misread, and so would a character.
        head = head[: head.rfind(b"\n") + 1]
    if b"\0" in head or head[:2] in _OTHER_BOMS:
        raise _not_text(head, path)
    head = head.removeprefix(_BOM)
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        other = _decoded_as_declared(head)
        if other is None:
            raise _not_utf_8(head, path, error.start) from None
        text = other
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if lines[-1] == "":
        del lines[-1]
    return Head(path, tuple(lines), whole, cache)


def _decoded_as_declared(head: bytes) -> str | None:
    """The text in the encoding that one of the first two lines declares (PEP 263), if it is one that contains ASCII."""
    import re

    declared = re.match(rb"(?:[^\n]*\n)??[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)", head)
    if declared is None:
        return None
    try:
        encoding = declared[1].decode("ascii")
        text = head.decode(encoding)
        return text if text.encode(encoding) == head and "# conda".encode(encoding) == b"# conda" else None
    except (LookupError, UnicodeError):
        return None


def _not_text(head: bytes, path: str) -> HeaderError:
    encoding = _OTHER_BOMS.get(head[:2])
    if encoding:
        return HeaderError(f"the file is {encoding}, not UTF-8", where=Location(path), hint="save the script as UTF-8")
    line = head.count(b"\n", 0, head.index(b"\0")) + 1
    return HeaderError(
        "found a NUL byte: this is a binary file, not a script",
        where=Location(path, line),
        hint="run it directly, without conda-execute, which takes the source text of a script",
    )


def _not_utf_8(head: bytes, path: str, position: int) -> HeaderError:
    start = head.rfind(b"\n", 0, position) + 1
    end = head.find(b"\n", position)
    text = head[start : end if end >= 0 else len(head)].rstrip(b"\r").decode("utf-8", "replace")
    line = head.count(b"\n", 0, start) + 1
    column = len(head[start:position].decode("utf-8")) + 1
    return HeaderError(
        f"the script is not UTF-8: line {line} contains the byte 0x{head[position]:02x}",
        where=Location(path, line, column, 1, text),
        hint="save the script as UTF-8, or name its encoding in one of the first two lines: `# coding: latin-1`",
    )
