"""The directory next to the package cache into which one installation downloads its packages, before they are moved
into the cache.

py-rattler 0.28 locks the first cache that it may write to, from the first download to the last link script. On the
cache itself, a slow or stopped creator would silently block all others of the user, on all hosts that share a home
directory. So each installation has a directory of its own in front of the cache: rattler locks that, and links what the
cache has from there. The cache is locked only while packages move in.

Packages from shared caches (the setting `package-caches`) are borrowed: the directory gets a link to the package, as if
it had been downloaded. rattler's own layers of caches cannot be used: 0.28 opens files of any layer for writing unless
its directory has no write permission for anybody.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ...files import delete
from . import cached

#: Seconds after which directories of killed processes are deleted.
_LASTS = 24 * 3600.0

#: Seconds to wait for another process that locks the cache. After that, the packages are not kept, and later processes
#: download them again.
_PATIENCE = 2.0


#: The name of rattler's lock on a cache.
LOCK = ".cache.lock"


class Incoming:
    """The directory of one installation, made when it is needed."""

    def __init__(self, cache: str) -> None:
        self._cache = cache
        self._directory: str | None = None
        self._last: str | None = None
        #: The directories of packages that were borrowed, by their names.
        self.borrowed: dict[str, str] = {}

    def borrow(self, name: str, sha256: bytes | None, caches: Sequence[str]) -> None:
        """Borrow this package from the first of these caches that has it undamaged, and unpacked from exactly this
        archive."""
        for cache in caches:
            package = os.path.join(cache, name)
            if not (sha256 and cached.origin(package) == sha256):
                continue
            unpacked = cached.Unpacked(package)
            if unpacked.damage() is None and unpacked.intrusion() is None and (place := self.begin()):
                os.symlink(package, os.path.join(place[0], name))
                self.borrowed[name] = package
                return

    def moved(self) -> list[tuple[str, str]]:
        """Where the engine found packages, and where they are finally."""
        if self._last is None:
            return []
        borrowed = [(os.path.join(self._last, name), package) for name, package in self.borrowed.items()]
        return [*borrowed, (self._last, self._cache)]

    def give_back(self, name: str) -> None:
        """Make the engine take this package from another place."""
        if self.borrowed.pop(name, None) and self._directory is not None:
            os.unlink(os.path.join(self._directory, name))

    def begin(self) -> list[str]:
        """Make the directory; none if nothing can be written, and the cache must have all packages."""
        if self._directory is not None:
            return [self._directory]
        place = os.path.join(os.path.dirname(self._cache), "incoming")
        try:
            os.makedirs(place, mode=0o700, exist_ok=True)
            _clean(place)
            directory = os.path.join(place, os.urandom(8).hex())
            os.mkdir(directory, 0o700)
        except OSError:
            return []
        self._directory = self._last = directory
        return [directory]

    def fetched(self, package: str) -> str | None:
        """Where this package of the cache is, if it was just downloaded."""
        path = os.path.join(self._directory, os.path.basename(package)) if self._directory is not None else ""
        return path if path and _is_directory(path) else None

    def move_in(self) -> None:
        """Move downloaded packages into the cache, if no process keeps it locked."""
        if self._directory is None:
            return
        names = os.listdir(self._directory)
        packages = [
            name for name in names if f"{name}.lock" in names and _is_directory(os.path.join(self._directory, name))
        ]
        if packages:
            with suppress(OSError):
                os.makedirs(self._cache, exist_ok=True)
                with locked(self._cache):
                    for package in packages:
                        self._move(self._directory, package)
        self.drop()

    def _move(self, directory: str, package: str) -> None:
        source, target = os.path.join(directory, package), os.path.join(self._cache, package)
        if os.path.getsize(f"{source}.lock") == 0:
            return  # not downloaded completely
        if os.path.isdir(target):
            # The existing one is damaged, or another archive of that name, or another process was quicker.
            os.rename(target, f"{source}.replaced")
        os.replace(f"{source}.lock", f"{target}.lock")
        os.rename(source, target)

    def drop(self) -> None:
        """Delete the directory."""
        if self._directory is not None:
            _drop(self._directory)
            self._directory = None


def _drop(directory: str) -> None:
    """Delete the directory of an installation; most hold only rattler's lock, and need no `shutil`."""
    with suppress(OSError):
        os.unlink(os.path.join(directory, LOCK))
    try:
        os.rmdir(directory)
    except OSError:
        with suppress(OSError):
            delete(directory)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # a link is borrowed


def _clean(place: str) -> None:
    now = time.time()
    for name in os.listdir(place):
        left = os.path.join(place, name)
        with suppress(OSError):
            if now - os.stat(left).st_mtime > _LASTS:
                with locked(left, patience=0.0):
                    _drop(left)


@contextmanager
def locked(directory: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold rattler's own lock on a cache. Raises BlockingIOError if another process keeps it."""
    if sys.platform == "win32":
        yield  # a package that is being linked cannot be moved there
        return
    import fcntl

    until = time.monotonic() + patience
    with open(os.path.join(directory, LOCK), "ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.02)
        yield
