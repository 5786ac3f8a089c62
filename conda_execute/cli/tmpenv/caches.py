"""The caches that `conda tmpenv clear` deletes when asked to: only what saves time.

What a person agreed to (trusted URLs) is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ...cache import cache_dir, disposable, rattler_cache
from ...errors import ExecuteError
from ...files import delete, listed
from ...options import ClearOptions
from ...terminal.messages import ask, can_ask
from ...text import megabytes


def free(options: ClearOptions, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """Empty the caches. Returns the folders that were emptied, or would be on a dry run, each with its size in
    bytes."""
    cache = cache_dir(environ)
    freed = list(_emptied(disposable(cache), dry_run=options.dry_run)) if options.caches and cache else []
    return freed + (_packages(rattler_cache(environ), dry_run=options.dry_run) if options.packages else [])


def _packages(cache: str, *, dry_run: bool) -> list[dict[str, Any]]:
    """The engine's package cache. Other tools use it too, so a person at a terminal is asked, and rattler's lock is
    taken."""
    from ...engines.rattler.incoming import LOCK, locked

    place = os.path.join(cache, "pkgs")
    content = [os.path.join(place, name) for name in listed(place) if name != LOCK]
    folders = [os.path.join(cache, "repodata"), *content]
    total = sum(map(_size, folders))
    question = f"delete {megabytes(total)} of packages in `{cache}`, which pixi and rattler-build also use? [y/N]"
    if not total or (not dry_run and can_ask() and not ask(question)):
        return []
    try:
        with locked(place, patience=0):
            for path in [] if dry_run else folders:
                delete(path)
    except BlockingIOError:
        raise ExecuteError(
            f"packages of `{cache}` are being installed right now", hint="try again when that is finished"
        ) from None
    return [{"path": cache, "size": total}]


def _emptied(folders: tuple[str, ...], *, dry_run: bool) -> Iterator[dict[str, Any]]:
    for folder in filter(os.path.isdir, folders):
        size = _size(folder)
        if not dry_run:
            delete(folder)
        yield {"path": folder, "size": size}


def _size(path: str) -> int:
    """Size in bytes of the files below a path, or of the file."""
    if not os.path.isdir(path):
        return os.lstat(path).st_size if os.path.lexists(path) else 0
    return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(path) for name in names)
