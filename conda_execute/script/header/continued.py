"""A plain value of several lines: the slip in a colon, a dash or the indentation that made it one."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: A key whose value is a list, at the end of a line.
_LIST = r"[ \t]*(?:-[ \t]+)?(env|channels|dependencies|pip):[ \t]*\Z"


def meant(lines: Sequence[str], index: int, column: int, following: int, first: int) -> tuple[str, str]:
    """The problem and a hint for a value that begins at this index and column and continues in the line of the index
    `following`; `first` is the number of the first line.

    >>> meant(["env:", " python", " numpy"], 1, 1, 2, first=2)
    ('`env` must be a list', 'begin each entry with `- `')
    >>> meant(["env:", " - pip", "   - rich"], 1, 3, 2, first=2)
    ('`pip` needs a colon', 'write `- pip:`')
    >>> meant(["env:", " - python", "   - rich"], 1, 3, 2, first=2)
    ('line 4 is indented more than line 3', 'give all entries of a list the same indentation')
    """
    line = lines[index]
    before, value = line[:column], line[column:].rstrip()
    if value.startswith("-"):
        return "this value is continued in the next line", "put a space after the `-` of each entry"
    above = next((one for one in reversed(lines[:index]) if one.strip()), "")
    if found := re.match(_LIST, before if before.strip() else above):
        return f"`{found[1]}` must be a list", "begin each entry with `- `"
    number = first + following
    if before.strip() == "-" and re.match(r"[ \t]*-[ \t]", lines[following]):
        if value == "pip":
            return "`pip` needs a colon", "write `- pip:`"
        return f"line {number} is indented more than line {first + index}", (
            "give all entries of a list the same indentation"
        )
    hint = f"write it in one line; if line {number} is an entry of its own, begin it with `- `, like those above it"
    return "this value is continued in the next line", hint
