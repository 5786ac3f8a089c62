"""A lock for file systems without locks: a symbolic link that says who holds it.

Why not `filelock.StrictSoftFileLock`: its claims need hard links, which SMB, FAT and some FUSE file systems lack, are
never taken over from a killed owner, and name a host and a pid, but neither boot nor container. A link is made
atomically with its content, and the holder's note in it is judged as all notes are (`observer`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from .. import files
from . import layout, machine, uses
from .filesystem import clock, linked
from .observer import Observer, Verdict


class SoftLock:
    """A lock for file systems without locks: a symbolic link whose target says who holds it.

    Links are made atomically, including their content. Only a process of the machine that made the link, in this boot
    or a later one, may break it: no other can know that the holder is dead. A process that breaks it first makes a file
    of its own in a directory and goes on only if no other live process has one there, so two never break at once.

    Installers inherit the descriptor of the lock file here too. It locks nothing, but /proc shows that they have it
    open, while those who wait for the link do not: so an orphan keeps the link until it ends.
    """

    def __init__(self, path: str, holder: str) -> None:
        self._path = path
        self._link = layout.link(path)
        self._breakers = self._link + ".breakers"
        self._holder = holder

    def take(self, *, is_second: bool = False) -> str | None:
        """Take the lock, or return its holder. `is_second`: the file is locked as well, so no orphan of this host can
        hold the link.

        If there are no symbolic links either, the lock of the file must do.
        """
        while True:
            try:
                os.symlink(self._holder, self._link)
                return None
            except FileExistsError:
                holder = self.is_free(spare_installers=not is_second)
            except OSError:
                # sshfs says "not permitted" for a link that another host has made and that its cache hides.
                if self._can_link():
                    return linked(self._path) or ""
                if not is_second:
                    raise
                return None
            if holder is not None:
                return holder

    def _can_link(self) -> bool:
        probe = f"{self._link}.{os.getpid()}"
        try:
            os.symlink(self._holder, probe)
        except OSError:
            return False
        files.unlink(probe)
        return True

    def is_free(self, spare_installers: bool = False) -> str | None:
        """None if nobody holds the lock (any more); otherwise its holder."""
        holder = linked(self._path)
        if holder is None:
            return None
        if self._judge(holder) != "dead" or (spare_installers and self.has_installers()):
            return holder
        return None if self._break(holder) else holder

    def is_ours(self) -> bool:
        """Whether the link is still the one that was taken."""
        return linked(self._path) == self._holder

    def release(self) -> None:
        if self.is_ours():
            files.unlink(self._link)

    def free(self) -> None:
        """Remove the link of any holder but a live process of this host: a person asked for it."""
        holder = linked(self._path)
        if holder is not None and self._judge(holder) != "live":
            files.unlink(self._link)

    def has_installers(self) -> bool:
        """Whether another process of this host has the lock file open."""
        real, own = os.path.realpath(self._path), str(os.getpid())
        pids = [pid for pid in files.listed("/proc") if pid.isdecimal() and pid != own]
        return any(real in _open_files(pid) for pid in pids)

    def _judge(self, holder: str) -> Verdict:
        use = uses.parse(holder.partition("\n")[0])
        tmp_envs = os.path.dirname(os.path.dirname(self._path))
        try:
            # Otherwise this boot knows none of its earlier ones until its first run has ended, and that run may wait
            # here forever.
            machine.register(tmp_envs, clock(tmp_envs))
        except OSError:
            pass  # a read-only place
        here = Observer(0.0, float("inf"), tmp_envs)
        return here.judge(uses.Note(self._link, use)) if use is not None else "foreign"

    def _break(self, holder: str) -> bool:
        own = self._holder.partition("\n")[0]
        files.make_directory(self._breakers)
        mine = os.path.join(self._breakers, own)
        files.touch(mine)
        try:
            if any(other != own and self._judge(other) != "dead" for other in os.listdir(self._breakers)):
                return False
            found = linked(self._path)
            if found == holder:
                files.unlink(self._link)
            return found in (holder, None)
        finally:
            files.unlink(mine)


def _open_files(pid: str) -> Iterator[str]:
    """Paths of the files that a process has open; none if it has ended or belongs to another user."""
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
