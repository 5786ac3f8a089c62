"""`conda tmpenv clear` and `prune`: delete what no process is using; `keep` and `release`: exempt an environment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ...environments import sweep
from ...environments.sweep import Report
from ...errors import UsageError
from ...launch import process
from ...options import ClearOptions, KeepOptions, PruneOptions, ReleaseOptions
from ...plan import open_store
from ...terminal.messages import print_json, say
from ...text import as_called, counted, printable
from .caches import free
from .list import size, specs
from .which import names_of, one


def clear(options: ClearOptions) -> int:
    if options.words and (options.caches or options.packages):
        raise UsageError(
            "`--caches` and `--packages` delete what all environments share, so they take no names",
            hint="leave out the names",
        )
    settings, store = open_store(say)
    done = sweep.clear(
        store,
        names_of(options.words, store) if options.words else None,
        min_age=_hours(options.min_age),
        foreign_use_ttl=settings.foreign_use_ttl,
        foreign=options.foreign,
        dry_run=options.dry_run,
        notice=say,
    )
    _show(done, free(options, process.inherited_environ()), options)
    # Named, but not deleted: the exit status must show that.
    return 1 if options.words and done.kept else 0


def prune(options: PruneOptions) -> int:
    settings, store = open_store(say)
    min_age, foreign_use_ttl = settings.remove_if_unused_for, settings.foreign_use_ttl
    done = sweep.clear(store, min_age=min_age, foreign_use_ttl=foreign_use_ttl, dry_run=options.dry_run, notice=say)
    _show(done, [], options)
    return 0


def keep(options: KeepOptions) -> int:
    _, store = open_store(say)
    sweep.keep(one(options.words[0], store))
    return 0


def release(options: ReleaseOptions) -> int:
    _, store = open_store(say)
    sweep.release(one(options.words[0], store))
    return 0


def _show(done: Report, caches: list[dict[str, Any]], options: ClearOptions | PruneOptions) -> None:
    if options.json:
        print_json(_as_json(done, options.dry_run) | ({"caches": caches} if caches else {}))
        return
    verb = "would remove" if options.dry_run else "removed"
    _print(done, verb)
    for cache in caches:
        print(f"{verb} {cache['path']} ({size(cache['size'])})")


def _as_json(done: Report, dry_run: bool) -> dict[str, Any]:
    freed = [{"name": found.name, "prefix": found.prefix, "size": found.size} for found in done.freed]
    left = [{"name": found.name, "prefix": found.prefix, "why": why} for found, why in done.kept]
    return {"removed": freed, "not_removed": left, "freed": done.size, "dry_run": dry_run}


def _print(done: Report, verb: str) -> None:
    for found in done.freed:
        print(f"{verb} {found.name} ({size(found.size)}): {specs(found.marker) if found.marker else 'unfinished'}")
    for found, why in done.kept:
        print(f"kept {found.name}: {as_called(printable(why))}")
    print(f"{verb} {counted(len(done.freed), 'environment')}, {size(done.size)}; kept {len(done.kept)}")


def _hours(text: str | None) -> timedelta:
    """The time given with `--min-age`, in hours; zero if it was not given.

    >>> _hours("1.5")
    datetime.timedelta(seconds=5400)
    """
    try:
        hours = float(text or 0)
        if hours < 0:
            raise ValueError(text)
        return timedelta(hours=hours)
    except (ValueError, OverflowError):
        raise UsageError(f"`--min-age`: `{text}` is not a number of hours", hint="such as `--min-age 48`") from None
