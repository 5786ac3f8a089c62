"""A lock for file systems without locks: a symbolic link that says who holds it.

Why not `filelock.StrictSoftFileLock`: its claims need hard links, which SMB, FAT and some FUSE file systems lack, are
never taken over from a killed owner, and name a host and a pid, but neither boot nor container. A link is made
atomically with its content, and the holder's note in it is judged as all notes are (`observer`).
"""

from __future__ import annotations

import os

from .. import files
from . import uses
from .observer import Observer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class SoftLock:
    """A lock for file systems without locks: a symbolic link whose target says who holds it.

    Links are made atomically, content and all. It is broken only by a process of the machine that made it, in this boot
    or a later one, which alone can know that the holder is dead; whoever breaks it first makes a file of its own in a
    directory and goes on only if no other live process has one there, so two never break at once.

    Installers inherit the descriptor of the lock file here too. It locks nothing, but /proc shows that they have it
    open, while those who wait for the link do not: so an orphan keeps the link until it ends.
    """

    def __init__(self, path: str, holder: str) -> None:
        self._path = path
        self._link = path.removesuffix(".lock") + ".softlock"
        self._breakers = self._link + ".breakers"
        self._holder = holder

    def take(self) -> str | None:
        """Take it; else who holds it."""
        while True:
            try:
                os.symlink(self._holder, self._link)
                return None
            except FileExistsError:
                holder = self.is_free(spare_installers=True)
            if holder is not None:
                return holder

    def is_free(self, spare_installers: bool = False) -> str | None:
        """None if nobody holds it (any more); else who does."""
        try:
            holder = os.readlink(self._link)
        except FileNotFoundError:
            return None
        if not self._is_dead(holder) or (spare_installers and self.has_installers()):
            return holder
        return None if self._break(holder) else holder

    def release(self) -> None:
        files.unlink(self._link)

    def has_installers(self) -> bool:
        """Whether another process of this host has the lock file open."""
        real, own = os.path.realpath(self._path), str(os.getpid())
        pids = [pid for pid in files.listed("/proc") if pid.isdecimal() and pid != own]
        return any(real in _open_files(pid) for pid in pids)

    def _is_dead(self, holder: str) -> bool:
        use = uses.parse(holder.partition("\n")[0])
        here = Observer(0.0, float("inf"), os.path.dirname(os.path.dirname(self._path)))
        return use is not None and here.judge(uses.Note(self._link, use)) == "dead"

    def _break(self, holder: str) -> bool:
        own = self._holder.partition("\n")[0]
        files.make_directory(self._breakers)
        mine = os.path.join(self._breakers, own)
        os.close(os.open(mine, os.O_WRONLY | os.O_CREAT, 0o600))
        try:
            if any(other != own and not self._is_dead(other) for other in os.listdir(self._breakers)):
                return False
            if os.readlink(self._link) != holder:
                return False
            os.unlink(self._link)
            return True
        except FileNotFoundError:
            return True
        finally:
            files.unlink(mine)


def _open_files(pid: str) -> Iterator[str]:
    """Paths of the files that a process has open; none if it ended, or is somebody else's."""
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(os.path.join(directory, name))
        except OSError:
            continue
