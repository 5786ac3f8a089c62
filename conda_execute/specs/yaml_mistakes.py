"""Mistakes in YAML, in words that say what to write: PyYAML's errors, and a plain value of several lines."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

QUOTES = "put it in quotes"
_COMMAS = "separate the entries with commas, and close the bracket"
_SAME = "give keys the same indentation, and entries of a list at least that of their key"

#: Part of PyYAML's message; the problem, with `{}` for the character that PyYAML names; the hint; and the place:
#: "there", where the construct was "begun", or "from" there on.
_MISTAKES = (
    ("'\\t'", "there is a tab, and YAML is indented with spaces", "indent with spaces", "there"),
    # `>` and `|` open a text of several lines.
    (
        "expected chomping",
        "a value cannot begin with a comparison",
        "a spec is the name of a package and then its versions: `python >=3`",
        "begun",
    ),
    ("expected alphabetic or numeric character", "a value cannot begin with `*` or `&`", QUOTES, "begun"),
    ("<stream end>", "a bracket is not closed", "close it", "begun"),
    ("end of stream", "a quotation mark is not closed", "close it", "begun"),
    ("expected ',' or ']'", "a comma or the closing bracket is missing", _COMMAS, "there"),
    ("expected ',' or '}'", "a comma or the closing bracket is missing", _COMMAS, "there"),
    (
        "expected the node content, but found ','",
        "there is nothing before the comma",
        "remove the comma, or write an entry before it",
        "there",
    ),
    ("cannot start any token", "a value cannot begin with `{}`", "put it in quotes", "there"),
    (
        "mapping values are not allowed",
        "a colon is not expected here",
        "put a value that contains `: ` in quotes, and give keys of one mapping the same indentation",
        "there",
    ),
    (
        "sequence entries are not allowed",
        "an entry of a list is not expected here",
        "begin each entry in a line of its own",
        "there",
    ),
    (
        "could not find expected ':'",
        "this is neither an entry of a list nor a key",
        "an entry begins with `- `, and a key ends in a colon\n{ends}",
        "from",
    ),
    (
        "expected '<document start>'",
        "this line is indented less than the lines above",
        _SAME + "\n{ends}",
        "there",
    ),
    (
        "expected <block end>",
        "the indentation does not fit the lines above",
        "give entries of one list, and keys of one mapping, the same indentation",
        "there",
    ),
    ("out of range", "a number or an escape is out of range", "correct it here or in the next lines", "there"),
)


def meant(said: str, *, ends: str = "") -> tuple[str, str, str]:
    """The problem, a hint, and the place: "there", where the construct was "begun", or "from" there on.

    `ends` is a hint about a text that may go on too far.

    >>> meant("expected ',' or ']', but got '<stream end>'")
    ('a bracket is not closed', 'close it', 'begun')
    """
    found = (mistake for mistake in _MISTAKES if mistake[0] in said)
    _, problem, hint, place = next(found, ("", said, "{ends}", "there"))
    return problem.replace("{}", said.partition("'")[2][:1]), hint.replace("{ends}", ends).strip(), place


#: A key whose value is a list, at the end of a line.
_LIST = r"[ \t]*(?:-[ \t]+)?(env|channels|dependencies|pip):[ \t]*\Z"


def continued(lines: Sequence[str], index: int, column: int, following: int, first: int) -> tuple[str, str]:
    """The problem and a hint for a plain value that begins at this index and column and continues in the line of index
    `following`; `first` is the number of the first line.

    >>> continued(["env:", " python", " numpy"], 1, 1, 2, first=2)
    ('`env` must be a list', 'begin each entry with `- `')
    >>> continued(["env:", " - pip", "   - rich"], 1, 3, 2, first=2)
    ('`pip` needs a colon', 'write `- pip:`')
    >>> continued(["env:", " - python", "   - rich"], 1, 3, 2, first=2)
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
