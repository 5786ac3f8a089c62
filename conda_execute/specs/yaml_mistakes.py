"""PyYAML's errors, in words that say what to write."""

from __future__ import annotations

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
