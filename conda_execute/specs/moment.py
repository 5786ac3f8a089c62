"""`exclude-newer`: the moment after which published packages are ignored, in a header, an option or a setting.

Written as a date (`2024-05-01`: that day, in UTC, still counts), as a date and time (RFC 3339; UTC where no offset is
given), or as a duration before now (`7 days`, `1 week 2 days`, `P7D`).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from ..errors import ExecuteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..errors import Location

# Compiled when they are used: a header has one form.
_DATE = r"\d{4}-\d{2}-\d{2}"
_DATE_TIME = (
    rf"(?P<day>{_DATE})[Tt ](?P<time>\d{{2}}:\d{{2}}(?::\d{{2}})?)(?:\.\d+)?\s*(?P<offset>[Zz]|[+-]\d{{2}}:?\d{{2}})?"
)
_LENGTHS = r"(?i)(?:(\d+)\s*([a-z]+)[\s,]*)+(?:ago)?"
_LENGTH = r"(\d+)\s*([A-Za-z]+)"
_ISO_LENGTH = (
    r"(?i)P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
#: No package was published earlier.
_BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)

_UNITS = {
    "seconds": ("s", "sec", "secs", "second", "seconds"),
    "minutes": ("m", "min", "mins", "minute", "minutes"),
    "hours": ("h", "hr", "hrs", "hour", "hours"),
    "days": ("d", "day", "days"),
    "weeks": ("w", "week", "weeks"),
}
_UNIT = {written: unit for unit, all_written in _UNITS.items() for written in all_written}


def cutoff(when: str, now: datetime, where: Location | None = None) -> datetime:
    """The last moment that still counts, in UTC. `now` is an aware time. Raises ExecuteError for an invalid text.

    >>> str(cutoff("2024-05-01", datetime.now(timezone.utc)))
    '2024-05-01 23:59:59.999000+00:00'
    """
    text = when.strip()
    try:
        if re.fullmatch(_DATE, text, re.ASCII):
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
            # Not the next day minus a millisecond: the calendar has a last day.
            return day.replace(hour=23, minute=59, second=59, microsecond=999_000)
        if match := re.fullmatch(_DATE_TIME, text, re.ASCII):
            return _date_time(match)
        length = _length(text)
        if length is not None:
            now = now.astimezone(timezone.utc)
            return now - min(length, now - _BEGINNING)
    except (ValueError, OverflowError):
        raise _no_moment(text, where) from None
    raise ExecuteError(
        f"`exclude-newer` must be a date, a date and time, or a length of time, found `{when}`",
        where=where or (),
        hint="write `2026-03-31`, `2026-03-31T12:00:00Z` or `7 days`",
    )


def _no_moment(text: str, where: Location | None) -> ExecuteError:
    """The error for a text that has the form of a moment but is invalid."""
    if re.fullmatch(_DATE, text):
        problem, hint = "is not a date", "write year-month-day, such as `2026-03-31`"
    elif re.fullmatch(_DATE_TIME, text):
        problem, hint = "is not a date and time", "write it as in `2026-03-31T12:00:00Z`"
    else:
        problem, hint = "is too long a time", "write a shorter one, such as `7 days`, or a date, such as `2026-03-31`"
    return ExecuteError(f"`{text}` {problem} (`exclude-newer`)", where=where or (), hint=hint)


def _date_time(match: re.Match[str]) -> datetime:
    time = match["time"] if len(match["time"]) == len("12:00:00") else match["time"] + ":00"
    offset = (match["offset"] or "Z").upper().replace("Z", "+0000").replace(":", "")
    return datetime.strptime(f"{match['day']}T{time}{offset}", "%Y-%m-%dT%H:%M:%S%z").astimezone(timezone.utc)


def _length(text: str) -> timedelta | None:
    if len(text) > 1 and (match := re.fullmatch(_ISO_LENGTH, text, re.ASCII)):
        parts = {unit: int(number) for unit, number in match.groupdict().items() if number is not None}
        return timedelta(**parts) if parts else None
    if not re.fullmatch(_LENGTHS, text, re.ASCII):
        return None
    total = timedelta()
    for number, written in re.findall(_LENGTH, text[: -len("ago")] if text.lower().endswith("ago") else text):
        unit = _UNIT.get(written.lower())
        if unit is None:
            return None
        total += timedelta(**{unit: int(number)})
    return total
