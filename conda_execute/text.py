"""Text for people: safe to print, with suggestions for typing errors, sizes and ages."""

from __future__ import annotations

from .credentials import hide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def printable(text: str) -> str:
    """`text` on one line, without secrets, and with control characters escaped: file names and commands of processes
    can contain anything.

    >>> printable("a\\nb\\x1b[31m")
    'a\\\\nb\\\\x1b[31m'
    """
    text = hide(text)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


_called_by_conda = False


def call_by_conda() -> None:
    """From now on `called` writes our commands as subcommands of conda."""
    global _called_by_conda  # noqa: PLW0603  said once, by conda's door
    _called_by_conda = True


def called(text: str) -> str:
    """The text with our commands as the person who reads it can type them.

    >>> called("write `conda execute --init s.py`, or see `conda tmpenv --help`")
    'write `conda-execute --init s.py`, or see `conda-tmpenv --help`'
    """
    if _called_by_conda:
        return text
    return text.replace("conda execute", "conda-execute").replace("conda tmpenv", "conda-tmpenv")


def as_called(text: str) -> str:
    """Like `called`, for text that also quotes scripts and headers: only commands after a backtick are changed.

    >>> as_called("the line must be `# conda execute`; `conda execute --init s.py` writes it")
    'the line must be `# conda execute`; `conda-execute --init s.py` writes it'
    """
    if _called_by_conda:
        return text
    return text.replace("`conda execute ", "`conda-execute ").replace("`conda tmpenv", "`conda-tmpenv")


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken at spaces; what is in backticks stays whole where it fits a line.

    >>> wrap("run `conda-execute --init s.py` first", 24)
    ['run `conda-execute', '--init s.py` first']
    """
    import re

    lines = [""]
    for word in re.findall(r"`[^`]*`\S*|\S+", text):
        for piece in [word] if len(word) <= width else word.split():
            if lines[-1] and len(lines[-1]) + 1 + len(piece) > width:
                lines.append(piece)
            else:
                lines[-1] = f"{lines[-1]} {piece}".lstrip()
    return lines


#: How similar two words must be for a suggestion: a wrong guess is worse than none.
_LIKENESS = 0.66


def close(word: str, known: Iterable[str], most: int = 1, likeness: float = _LIKENESS) -> list[str]:
    """The known words that are similar to a mistyped one, the most similar first; case, and `-` for `_`, make no
    difference.

    A beginning counts as the whole word. The dashes of options, which all have, make none alike.

    >>> close("--forse", ["--force-env"]), close("--off", ["--offline"]), close("--no-cache", ["--no-lock"])
    (['--force-env'], ['--offline'], [])
    >>> close("--color", ["--completion"]), close("--cuda", ["--update"]), close("--no-sync", ["--no-lock"])
    ([], [], [])
    """
    from difflib import SequenceMatcher

    wanted = word[:100].lower().lstrip("-").replace("-", "_")

    def alike(other: str) -> float:
        other = other.lower().lstrip("-").replace("-", "_")
        is_beginning = len(wanted) > 4 or (len(wanted) > 2 and other.startswith(wanted))
        beginnings = (other, other[: len(wanted)]) if is_beginning else (other,)
        return max(SequenceMatcher(None, wanted, each).ratio() for each in beginnings)

    scores = {other: alike(other) for other in known}
    found = sorted((other for other, score in scores.items() if score >= likeness), key=lambda one: (-scores[one], one))
    return found[:most]


def near(word: str, known: Iterable[str]) -> str | None:
    """A hint with the known word that is most similar to a mistyped one, if there is one."""
    found = close(word, known)
    return f"did you mean `{found[0]}`?" if found else None


def nearest(name: str, known: Iterable[str], foreign: Mapping[str, str] | None = None) -> str:
    """The hint for an unknown name: the one that was probably meant, otherwise all known ones."""
    names = sorted(known)
    meant = (foreign or {}).get(name.lower().replace("_", "-"))
    hint = f"did you mean `{meant}`?" if meant else near(name, names)
    return hint or "known here: " + ", ".join(f"`{other}`" for other in names)


def listed(names: Iterable[str], word: str = "and") -> str:
    """Names in backticks, the last two joined by a word.

    >>> listed(["a", "b", "c"], "or"), listed(["a"])
    ('`a`, `b` or `c`', '`a`')
    """
    *others, last = [f"`{name}`" for name in names]
    return f"{', '.join(others)} {word} {last}" if others else last


def counted(number: int, noun: str) -> str:
    """A number of things whose plural has an `s`.

    >>> counted(1, "package"), counted(2, "package")
    ('1 package', '2 packages')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def shown(text: str) -> str:
    """Text from a file for a message: on one line, and shortened."""
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= 60 else text[:57] + "..."


def megabytes(size: float) -> str:
    """A number of bytes for people: `12.3 MB`. Decimal units, as conda and pip count downloads.

    >>> megabytes(12_345_678), megabytes(999), megabytes(2_500_000_000)
    ('12.3 MB', '1 kB', '2.5 GB')
    """
    for unit, bytes_in_it in (("GB", 1e9), ("MB", 1e6)):
        if size >= bytes_in_it:
            return f"{size / bytes_in_it:.1f} {unit}"
    return f"{max(1, round(size / 1e3)) if size else 0} kB"


def age(seconds: float) -> str:
    """A time span in minutes or hours, the unit that the settings and `--min-age` have.

    >>> age(30), age(600), age(5400), age(200_000)
    ('now', '10 min', '1.5 h', '56 h')
    """
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"
