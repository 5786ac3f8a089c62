"""Text for people: what is safe to print, what was probably meant, how large something is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def printable(text: str) -> str:
    """`text` on one line, with characters that a terminal would act on spelled out: names of files and commands of
    processes come from anybody.

    >>> printable("a\\nb\\x1b[31m")
    'a\\\\nb\\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def near(word: str, known: Sequence[str]) -> str | None:
    """A hint with the known word that is nearest to a mistyped one, if any is near."""
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean `{close[0]}`?" if close else None


def megabytes(size: float) -> str:
    """A number of bytes for people: `12.3 MB`. Decimal units, as conda and pip count downloads.

    >>> megabytes(12_345_678), megabytes(999), megabytes(2_500_000_000)
    ('12.3 MB', '1 kB', '2.5 GB')
    """
    for unit, bytes_in_it in (("GB", 1e9), ("MB", 1e6)):
        if size >= bytes_in_it:
            return f"{size / bytes_in_it:.1f} {unit}"
    return f"{max(1, round(size / 1e3)) if size else 0} kB"
