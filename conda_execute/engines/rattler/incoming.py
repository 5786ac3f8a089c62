"""Where one installation fetches its packages to, next to the package cache, until they move into it.

py-rattler 0.28 locks the first cache that it may write to, from the first download to the last link script. On the
cache itself, a slow or stopped creator would hold up every other one of the user, on all hosts that share a home, and
without a word. So each installation has a directory of its own in front of the cache: rattler locks that, and links
what the cache has from there. The cache is locked only while packages move in.

What others keep for everybody (the setting `package-caches`) is borrowed: a link to the package lies in the directory
as if it had been fetched. rattler's own layers of caches do not serve for that: 0.28 opens files of any layer for
writing unless its directory has no write permission for anybody.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, suppress

from . import cached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Seconds after which what a killed process left here goes.
_LASTS = 24 * 3600.0

#: Seconds to wait for somebody else who locks the cache. Anyone who comes later fetches the packages again.
_PATIENCE = 2.0


class Incoming:
    """The directory of one installation; it is made when it is needed."""

    def __init__(self, cache: str) -> None:
        self._cache = cache
        self._directory: str | None = None
        self._last: str | None = None
        #: The directories of packages that were borrowed, by their names.
        self.borrowed: dict[str, str] = {}

    def borrow(self, name: str, sha256: bytes | None, caches: Sequence[str]) -> None:
        """Take this package from the first of these caches that has it whole, and unpacked from just that archive."""
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
        """Where the engine found packages, and where they are for good."""
        if self._last is None:
            return []
        borrowed = [(os.path.join(self._last, name), package) for name, package in self.borrowed.items()]
        return [*borrowed, (self._last, self._cache)]

    def give_back(self, name: str) -> None:
        """Have the engine take this package from elsewhere."""
        if self.borrowed.pop(name, None) and self._directory is not None:
            os.unlink(os.path.join(self._directory, name))

    def begin(self) -> list[str]:
        """The directory, made; none where nothing can be written, and the cache must have all."""
        if self._directory is not None:
            return [self._directory]
        place = os.path.join(os.path.dirname(self._cache), "incoming")
        try:
            os.makedirs(place, mode=0o700, exist_ok=True)
            _clean(place)
            self._directory = self._last = tempfile.mkdtemp(dir=place)
        except OSError:
            return []
        return [self._directory]

    def fetched(self, package: str) -> str | None:
        """Where this package of the cache lies, if it was fetched just now."""
        path = os.path.join(self._directory, os.path.basename(package)) if self._directory is not None else ""
        return path if path and _is_directory(path) else None

    def move_in(self) -> None:
        """Let the cache have what was fetched, if nobody keeps it locked."""
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
            return  # not fetched wholly
        if os.path.isdir(target):
            # It is damaged, or another archive of that name, or somebody was quicker.
            os.rename(target, f"{source}.replaced")
        os.replace(f"{source}.lock", f"{target}.lock")
        os.rename(source, target)

    def drop(self) -> None:
        """Throw the directory away."""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # a link is borrowed


def _clean(place: str) -> None:
    now = time.time()
    for name in os.listdir(place):
        left = os.path.join(place, name)
        with suppress(OSError):
            if now - os.stat(left).st_mtime > _LASTS:
                with locked(left, patience=0.0):
                    shutil.rmtree(left, ignore_errors=True)


@contextmanager
def locked(directory: str, patience: float = _PATIENCE) -> Iterator[None]:
    """rattler's own lock on a cache. Raises BlockingIOError where somebody else keeps it."""
    if sys.platform == "win32":
        yield  # a package that is being linked cannot be moved there
        return
    import fcntl

    until = time.monotonic() + patience
    with open(os.path.join(directory, ".cache.lock"), "ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.02)
        yield
