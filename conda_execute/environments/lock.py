"""Locks that exclude processes from each other, on whatever file system.

Locks are `flock`s on files that are never unlinked, so two processes can never hold locks on two files of one name. The
descriptor may be inherited by installers: an orphan keeps the lock until it ends. Whatever moment a process dies at,
the kernel gives its lock back. Where a file system has no locks, a symbolic link serves as one.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from ..files import make_directory, unlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that a process waits in silence for another one.
QUIET_WAIT = 1.0

#: errno 524 (ENOTSUPP) leaks out of some NFS servers; it has no name in user space.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, 524)

_BUSY = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)

#: The text beside a lock is for people, and a link's target cannot be longer than a path.
_LONGEST_NAME = 1000

#: Seconds between two looks at a lock that somebody else holds: the first, and the longest.
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.2


class Holder:
    """Who holds a lock, as the holder wrote it down."""

    def __init__(self, pid: int, host: str, script: str, use: str = "") -> None:
        self.pid, self.host, self.script, self.use = pid, host, script, use

    def __str__(self) -> str:
        who = f"process {self.pid} on {self.host}" if self.pid else "another process"
        return f"{who} ({self.script})" if self.script else who

    @staticmethod
    def read(text: str) -> Holder:
        from . import uses

        use, _, script = text.partition("\n")
        found = uses.parse(use)
        if found is None:
            return Holder(0, "", "")
        return Holder(found.pid, found.place.rsplit("+", 2)[0], script.rstrip("\n"), use)


class Lock:
    """An exclusive lock that is held until `release`, or until this process and all that inherited `descriptor` end.

    The file says who holds it, for those who wait. Where the file system has no locks, a symbolic link beside the file
    is the lock (`SoftLink`), and `descriptor` is still there to be inherited, without effect.
    """

    #: What the user should know about this lock.
    notice: str | None = None

    def __init__(self, path: str, descriptor: int, soft: SoftLink | None) -> None:
        self.path = path
        self.descriptor = descriptor
        self._soft = soft

    @classmethod
    def take(cls, path: str, script: str, waiting: Waiting) -> Lock | None:
        if sys.platform == "win32":
            return _take_on_windows(path, waiting)
        from . import uses

        holder = f"{uses.this_process()}\n{script[:_LONGEST_NAME]}\n"
        while True:
            lock = cls._take(path, holder, waiting)
            if lock is None or lock.is_current():
                return lock
            lock.release()

    @classmethod
    def _take(cls, path: str, holder: str, waiting: Waiting) -> Lock | None:
        if sys.platform == "win32":
            raise AssertionError("POSIX only")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            notice = None
            soft = SoftLink(path, holder)
            try:
                taken = waiting.until(lambda: _flock(descriptor))
                # Another host may have found no locks where we find them: its link counts as well.
                taken = taken and waiting.until(soft.is_free)
                kept = None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                notice = f"the file system of `{path}` has no locks ({error.strerror}): a symbolic link serves as one"
                # Not open while we wait: who has it open passes for an installer of the holder (see `SoftLink`).
                os.close(descriptor)
                taken, kept = waiting.until(soft.take), soft
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            if not taken:
                os.close(descriptor)
                return None
            lock = cls(path, descriptor, kept)
            lock.notice = notice
            lock._say(holder)
            return lock
        except BaseException:
            _close(descriptor)
            raise

    def is_current(self) -> bool:
        """Whether others would find the file that is locked: a person may have deleted it, and all beside it."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _say(self, text: str) -> None:
        if sys.platform == "win32":
            raise AssertionError("POSIX only")
        try:
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, text.encode("utf-8", "surrogateescape"), 0)
        except OSError:
            pass  # a full disk: those who wait will not know for whom

    def release(self) -> None:
        """Unlock, also for children that inherited the descriptor: what they had to do is done."""
        if self._soft is not None:
            self._soft.release()
            self._soft = None
        elif self.descriptor >= 0 and sys.platform != "win32":
            import fcntl

            self._say("")
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        self.leave()

    def leave(self) -> None:
        """Let go of the lock without unlocking: installers that still run keep it until they end."""
        soft, self._soft = self._soft, None
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        if soft is not None and not soft.has_installers():
            soft.release()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: object, problem: object, traceback: object) -> None:
        if self.descriptor < 0:
            return
        if problem is None:
            self.release()
        else:
            self.leave()


class Waiting:
    """How to wait for one lock: not at all, or in silence for a second and then with a word about the holder.

    By asking again and again rather than within the system call: on NFS that may sleep for half a minute after the lock
    is free, and five hundred processes that wait for one environment need not take its lock in turn once it is there.
    """

    def __init__(
        self,
        wait: bool = True,
        on_wait: Callable[[Holder], None] | None = None,
        unless: Callable[[], bool] | None = None,
    ) -> None:
        self.wait, self.on_wait, self.unless = wait, on_wait, unless
        self._since = time.monotonic()
        self._told = False

    def until(self, attempt: Callable[[], str | None]) -> bool:
        """Try until `attempt` no longer names a holder; False if there is no point in waiting (any more)."""
        pause = _FIRST_PAUSE
        while True:
            holder = attempt()
            if holder is None:
                return True
            if not self.wait or (self.unless is not None and self.unless()):
                return False
            self._tell(holder)
            time.sleep(pause)
            pause = min(pause * 1.5, _LAST_PAUSE)

    def _tell(self, holder: str) -> None:
        if not self._told and time.monotonic() - self._since >= QUIET_WAIT:
            self._told = True
            if self.on_wait is not None:
                self.on_wait(Holder.read(holder))


def _flock(descriptor: int) -> str | None:
    """Lock; else what the holder wrote down."""
    import fcntl

    if sys.platform == "win32":
        raise AssertionError("POSIX only")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _BUSY:
            raise
        return os.pread(descriptor, 8192, 0).decode("utf-8", "surrogateescape")
    return None


class SoftLink:
    """A lock for file systems without locks: a symbolic link whose target says who holds it.

    Links are made atomically, content and all. It is broken only by a process of the place that made it, which alone
    can know that the holder is dead; whoever breaks it first makes a file of its own in a directory and goes on
    only if no other live process has one there, so two never break at once.

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
        unlink(self._link)

    def has_installers(self) -> bool:
        """Whether another process of this host has the lock file open."""
        from . import uses

        real, own = os.path.realpath(self._path), str(os.getpid())
        pids = [pid for pid in uses.listed_in("/proc") if pid.isdecimal() and pid != own]
        return any(real in _open_files(pid) for pid in pids)

    def _is_dead(self, holder: str) -> bool:
        from . import uses

        use = holder.partition("\n")[0]
        here = uses.Observer(0.0, float("inf"))
        return use.endswith("@" + here.here) and here.judge(os.path.dirname(self._link), use) == "dead"

    def _break(self, holder: str) -> bool:
        own = self._holder.partition("\n")[0]
        make_directory(self._breakers)
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
            unlink(mine)


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


def _take_on_windows(path: str, waiting: Waiting) -> Lock | None:
    import filelock

    lock = filelock.FileLock(path)

    def attempt() -> str | None:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return ""  # who holds it cannot be read while it is locked
        return None

    return _WindowsLock(path, lock) if waiting.until(attempt) else None


class _WindowsLock(Lock):
    def __init__(self, path: str, lock: object) -> None:
        super().__init__(path, -1, None)
        self._lock = lock

    def is_current(self) -> bool:
        return True  # an open file cannot be deleted

    def leave(self) -> None:
        self._lock.release(force=True)  # type: ignore[attr-defined]

    def __exit__(self, kind: object, problem: object, traceback: object) -> None:
        self.leave()


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass
