"""Characters that look like those of a header but are different: editors, mail programs and web pages insert them."""

from __future__ import annotations

from ...errors import HeaderError

#: A character, and the one that it looks like.
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
    """The error with a hint to the first such character in its lines, which is the cause of the rest."""
    for where in error.where:
        for character in where.text or "":
            if character in _MEANT:
                meant = _MEANT[character]
                error.hint = (
                    f"line {where.line} contains U+{ord(character):04X}, which only looks like {meant}: write {meant}"
                )
                return error
    return error
