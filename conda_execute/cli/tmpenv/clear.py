"""`conda tmpenv clear`: delete what no process is using."""

from __future__ import annotations

from datetime import timedelta

from ...environments import sweep
from ...errors import UsageError
from ...terminal.messages import print_json, say
from ...text import printable
from .list import size, specs
from .which import names_of, opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...options import ClearOptions


def clear(options: ClearOptions) -> int:
    min_age = _hours(options.min_age)
    settings, store = opened()
    names = names_of(options.words, store) if options.words else None
    done = sweep.clear(
        store,
        names,
        min_age=min_age,
        foreign_use_ttl=settings.foreign_use_ttl,
        dry_run=options.dry_run,
        notice=say,
    )
    if options.json:
        freed = [{"name": found.name, "prefix": found.prefix, "size": found.size} for found in done.freed]
        kept = [{"name": found.name, "prefix": found.prefix, "why": why} for found, why in done.kept]
        print_json({"removed": freed, "kept": kept, "freed": done.size, "dry_run": options.dry_run})
    else:
        verb = "would remove" if options.dry_run else "removed"
        for found in done.freed:
            print(f"{verb} {found.name} ({size(found.size)}): {specs(found.marker) if found.marker else 'unfinished'}")
        for found, why in done.kept:
            print(f"kept {found.name}: {printable(why)}")
        count = len(done.freed)
        print(f"{verb} {count} environment{'s' * (count != 1)}, {size(done.size)}; kept {len(done.kept)}")
    # Asked for by name and still there: the caller should know without reading.
    return 1 if names and done.kept else 0


def _hours(text: str | None) -> timedelta:
    """The time after `--min-age`, in hours; none is no time.

    >>> _hours("1.5")
    datetime.timedelta(seconds=5400)
    """
    try:
        hours = float(text or 0)
        if hours < 0:
            raise ValueError(text)
        return timedelta(hours=hours)
    except (ValueError, OverflowError):
        raise UsageError(f"`--min-age`: `{text}` is not a number of hours", hint="as in `--min-age 48`") from None
