"""The lines of a header during an edit: every byte around them, and every line that is not touched, stays as it is."""

from __future__ import annotations

_BOM = "\ufeff"


class Lines:
    """The lines of a script up to the end of its header, without their endings, and the bytes after it.

    Lines are counted from 1, columns from 0, as they were when the text was read: make edits from the last to the
    first.
    """

    def __init__(self, data: bytes, last: int) -> None:
        self.lines: list[str] = []
        self.endings: list[str] = []
        start = 0
        for _ in range(last):
            end = data.find(b"\n", start) + 1 or len(data)
            line = data[start:end].decode("utf-8", "surrogateescape")  # of another encoding: stays as it is
            text = line.rstrip("\n")
            text = text.removesuffix("\r") if line.endswith("\r\n") else text
            self.lines.append(text)
            self.endings.append(line[len(text) :])
            start = end
        self.rest = data[start:]
        self.mark = ""
        if self.lines and self.lines[0].startswith(_BOM):
            self.mark = _BOM
            self.lines[0] = self.lines[0][1:]

    def content(self) -> bytes:
        text = "".join(line + ending for line, ending in zip(self.lines, self.endings, strict=True))
        return (self.mark + text).encode("utf-8", "surrogateescape") + self.rest

    @property
    def newline(self) -> str:
        """The line ending of the header."""
        return next((ending for ending in self.endings if ending), "\n")

    def replace(self, line: int, start: int, end: int, text: str) -> None:
        """Replace these columns with text."""
        old = self.lines[line - 1]
        self.lines[line - 1] = old[:start] + text + old[end:]

    def insert(self, after: int, texts: list[str]) -> None:
        """Add lines after a line; after 0 means at the very beginning."""
        endings = [self.newline] * len(texts)
        if after and not self.endings[after - 1]:
            self.endings[after - 1] = self.newline
            endings[-1] = ""
        self.lines[after:after] = texts
        self.endings[after:after] = endings

    def delete(self, first: int, last: int) -> None:
        """Remove these lines."""
        del self.lines[first - 1 : last]
        del self.endings[first - 1 : last]
