"""Characters that look like those of a header and are not: what editors, mail programs and web pages put there."""

from __future__ import annotations

from ...errors import HeaderError

#: What is seen, and what was meant.
_MEANT = {
    "\u00a0": "a space",
    "\u2007": "a space",
    "\u202f": "a space",
    "\u2010": "`-`",
    "\u2011": "`-`",
    "\u2012": "`-`",
    "\u2013": "`-`",
    "\u2014": "`-`",
    "\u2212": "`-`",
    "\u201c": '`"`',
    "\u201d": '`"`',
    "\u201e": '`"`',
    "\u2018": "`'`",
    "\u2019": "`'`",
    "\uff1a": "`:`",
    "\uff03": "`#`",
}


def told(error: HeaderError) -> HeaderError:
    """The error, whose hint also names the first such character in the lines that it shows."""
    for where in error.where:
        for character in where.text or "":
            if character in _MEANT:
                what = f"line {where.line} contains U+{ord(character):04X}, which only looks like {_MEANT[character]}"
                error.hint = f"{what}\n{error.hint}" if error.hint else what
                return error
    return error
