"""From a script's own comments to a `Header`.

One script has one header, in one of the formats below; each has its module, which knows nothing of the others.
What is wrong is a `HeaderError` with the line and the column in the script and a hint with the fix. Reading costs
milliseconds and no memory to speak of, whatever the script holds.

=====================  =======================================================
`# conda execute`      YAML, in the comments of any language (`native`)
`# /// script`         TOML, PEP 723, for Python (`pep723`)
`/// conda-script`     TOML, in the comments of any language (`conda_script`)
=====================  =======================================================
"""

from __future__ import annotations

from functools import partial

from ...errors import HeaderError
from ...lean.values import dataclass
from .text import ENOUGH, HEAD, Script, read_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...model import Header

__all__ = ["ENOUGH", "HEAD", "Found", "extent", "find_header", "read_header"]


@dataclass(frozen=True)
class Found:
    """A header that is there, not yet read: its format, and its lines counted from 1."""

    format: str
    first: int
    last: int
    read: Callable[[str], Header]


def read_header(data: bytes, path: str, platform: str) -> Header:
    """The header of the script with these contents, for one platform (a conda subdir such as `linux-64`).

    Raises HeaderError where there is none, more than one, or one that is wrong.
    """
    script = read_script(data, path)
    try:
        found = _find(script)
        if found is None:
            from .missing import no_header

            raise no_header(script)
        return found.read(platform)
    except HeaderError as error:
        from .lookalike import told

        raise told(error) from None


def find_header(data: bytes, path: str) -> Found | None:
    """Where the header stands, without reading it; None where there is none, or where the file is not text.

    Raises HeaderError where there are two headers, or one that is not closed.
    """
    try:
        script = read_script(data, path)
    except HeaderError:
        return None
    return _find(script)


def extent(data: bytes, header: Header | Found) -> int:
    """How many bytes of the file reach to the end of the header's last line, its line ending included."""
    last = header.last if isinstance(header, Found) else header.lines[1]
    end = 0
    for _ in range(last):
        end = data.find(b"\n", end) + 1
        if end == 0:
            return len(data)
    return end


def _find(script: Script) -> Found | None:
    found = _all(script)
    if not found:
        return None
    if len(found) > 1:
        raise _more_than_one(script, found)
    only = found[0]
    if not script.whole and only.last == len(script.lines):
        raise script.not_within(only.first)
    return only


def _all(script: Script) -> list[Found]:
    """Every header of the script, in the order of their lines. A format's module is imported where its words occur.

    A block that is not closed is an error only where there is no header of another kind: the words may as well stand
    in a text, and PEP 723 has such blocks ignored.
    """
    found: list[Found] = []
    broken: list[tuple[str, HeaderError]] = []
    if any("conda execute" in line for line in script.lines):
        from . import native

        for block in native.blocks(script):
            found.append(Found(native.FORMAT, block.first, block.last, partial(native.read, script, block)))
    if any("/// script" in line for line in script.lines):
        from . import pep723

        try:
            for each in pep723.blocks(script):
                found.append(Found(pep723.FORMAT, each.first, each.last, partial(pep723.read, script, each)))
        except HeaderError as error:
            broken.append((pep723.FORMAT, error))
    if any("/// conda-script" in line for line in script.lines):
        from . import conda_script

        try:
            for each in conda_script.blocks(script):
                read = partial(conda_script.read, script, each)
                found.append(Found(conda_script.FORMAT, each.first, each.last, read))
        except HeaderError as error:
            broken.append((conda_script.FORMAT, error))
    for kind, refusal in broken:
        if all(header.format == kind for header in found):
            raise refusal
    return sorted(found, key=lambda header: header.first)


def _more_than_one(script: Script, found: list[Found]) -> HeaderError:
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
