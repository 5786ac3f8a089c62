"""From a script's own comments to a `Header`.

One script has one header, in one of the formats below; each has its module, which knows nothing of the others.
What is wrong is a `HeaderError` with the line and the column in the script and a hint with the fix. Reading takes
milliseconds and little memory, whatever the script contains.

=====================  =======================================================
`# conda execute`      YAML, in the comments of any language (`native`)
`# /// script`         TOML, PEP 723, for Python (`pep723`)
`/// conda-script`     TOML, in the comments of any language (`conda_script`)
=====================  =======================================================
"""

from __future__ import annotations

from ...errors import HeaderError
from ...lean.values import dataclass
from .text import ENOUGH, HEAD, Head, read_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Protocol

    from .keys import Header

    class Format(Protocol):
        """A format: a module that finds its headers in a script, and reads them."""

        FORMAT: str

        def blocks(self, script: Head) -> Iterable[Any]:
            """The position of each header of this format, with `first` and `last` line. Raises HeaderError."""

        def read(self, script: Head, block: Any, platform: str) -> Header:
            """Read the header, for one platform. Raises HeaderError."""


__all__ = ["ENOUGH", "HEAD", "Found", "extent", "find_header", "read_header"]

#: Words that are in the opening line of each format, and the format's module, which is imported only if they occur.
_FORMATS = {"conda execute": "native", "/// script": "pep723", "/// conda-script": "conda_script"}


@dataclass(frozen=True)
class FoundHeader:
    """A header that was found but not read yet; its lines are counted from 1."""

    reader: Format
    script: Head
    block: Any
    format: str
    first: int
    last: int

    def read(self, platform: str) -> Header:
        """The header, for one platform. Raises HeaderError."""
        return self.reader.read(self.script, self.block, platform)


def read_header(data: bytes, path: str, platform: str, cache: str | None = None) -> Header:
    """The header of the script with these contents, for one platform (a conda subdir such as `linux-64`).

    `cache` is the user's. Raises HeaderError if there is no header, more than one, or a faulty one.
    """
    script = read_script(data, path, cache)
    try:
        found = _find(script)
        if found is None:
            from .missing import no_header

            raise no_header(script)
        return found.read(platform)
    except HeaderError as error:
        from .missing import told

        raise told(error) from None


def find_header(data: bytes, path: str) -> FoundHeader | None:
    """Find the header without reading it; None if there is none, or if the file is not text.

    Raises HeaderError if there are two headers, or one that is not closed.
    """
    try:
        script = read_script(data, path)
    except HeaderError:
        return None
    return _find(script)


def extent(data: bytes, header: Header | FoundHeader) -> int:
    """The number of bytes from the start of the file to the end of the header's last line, including its line
    ending."""
    last = header.last if isinstance(header, FoundHeader) else header.lines[1]
    end = 0
    for _ in range(last):
        end = data.find(b"\n", end) + 1
        if end == 0:
            return len(data)
    return end


def _find(script: Head) -> FoundHeader | None:
    found = _all(script)
    if not found:
        return None
    if len(found) > 1:
        raise _more_than_one(script, found)
    only = found[0]
    if not script.whole and only.last == len(script.lines):
        raise script.not_within(only.first)
    return only


def _all(script: Head) -> list[FoundHeader]:
    """Every header of the script, in the order of their lines.

    A block that is not closed is an error only if there is no header of another kind: the words may be part of a text,
    and PEP 723 ignores such blocks.
    """
    found: list[FoundHeader] = []
    broken: list[tuple[str, HeaderError]] = []
    for reader in _formats(script):
        try:
            found += [
                FoundHeader(reader, script, block, reader.FORMAT, block.first, block.last)
                for block in reader.blocks(script)
            ]
        except HeaderError as error:
            broken.append((reader.FORMAT, error))
    for kind, refusal in broken:
        if all(header.format == kind for header in found):
            raise refusal
    return sorted(found, key=lambda header: header.first)


def _formats(script: Head) -> Iterator[Format]:
    for words, module in _FORMATS.items():
        if any(words in line for line in script.lines):
            # `importlib` costs a warm run more than this.
            yield __import__(f"{__name__}.{module}", fromlist=["FORMAT"])


def _more_than_one(script: Head, found: list[FoundHeader]) -> HeaderError:
    first, second = found[0], next((other for other in found if other.format != found[0].format), found[1])
    hint = "keep one of them; where one is part of a text, change how its first line is written there"
    if first.format == second.format:
        message = f"the script has two `{first.format}` headers, in lines {first.first} and {second.first}"
    else:
        message = (
            f"the script has headers of two kinds: `{first.format}` in line {first.first}"
            f" and `{second.format}` in line {second.first}"
        )
    return HeaderError(message, where=(script.line(first.first), script.line(second.first)), hint=hint)
