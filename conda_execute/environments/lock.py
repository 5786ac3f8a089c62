"""Locks that exclude processes from each other, whichever process dies and on any file system.

A lock is held by an open descriptor of a file that is never unlinked, so two processes can never hold locks on two
files of one name. Installers inherit the descriptor: an orphan keeps the lock until it ends. Whenever a process dies,
the kernel releases its lock. If a file system has no locks, a symbolic link is used instead (`soft_lock`); if its locks
may not exclude other hosts, the link is taken as well.

Why `flock` and not `filelock`, except on Windows: importing `filelock` takes 65 ms, because it imports asyncio, and
each of five hundred processes that wait for an environment would pay that. Its `lock_descriptor` makes the same call.
Also, releasing a `FileLock` unlocks it for all processes that inherited its descriptor, but a creator that fails must
leave the lock to an installer that is still writing.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from .. import files
from .filesystem import linked, shares_locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .soft_lock import SoftLock

    Made = TypeVar("Made")

#: Seconds that a process waits for another one before it prints that it waits.
QUIET_WAIT = 1.0

#: errno 524 (ENOTSUPP) leaks out of some NFS servers; it has no name in user space.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, 524)

#: The text next to a lock is for people, and a link's target cannot be longer than a path.
_LONGEST_NAME = 1000

#: Seconds between two checks of a lock that another process holds: the first interval, and the longest.
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.2


class Holder:
    """The holder of a lock, as it wrote itself down."""

    def __init__(self, pid: int, host: str, script: str) -> None:
        self.pid, self.host, self.script = pid, host, script
        #: Whether this comes from a link, which outlives its host.
        self.has_link = False

    def __str__(self) -> str:
        who = f"process {self.pid} on {self.host}" if self.pid else "another process"
        return f"{who} ({self.script})" if self.script else who

    @staticmethod
    def read(text: str) -> Holder:
        from . import uses

        use, _, script = text.partition("\n")
        found = uses.parse(use)
        return Holder(found.pid, found.host, script.rstrip("\n")) if found else Holder(0, "", "")


class Lock:
    """An exclusive lock that is held until `release`, or until this process and all that inherited `descriptor` end.

    The file says who holds it, for those who wait. Where the file system has no locks, a symbolic link next to the file
    is the lock (`SoftLock`), and `descriptor` is still there to be inherited, without effect.
    """

    #: What the user should know about this lock.
    notice: str | None = None

    def __init__(self, path: str, descriptor: int, soft: SoftLock | None = None) -> None:
        self.path = path
        self.descriptor = descriptor
        self.soft = soft
        #: Who holds it, as written into the file.
        self._written = b""

    def is_current(self) -> bool:
        """Whether other processes would find the locked file: a person may have deleted the whole directory."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def is_ours(self) -> bool:
        """Whether no other process has taken the lock since: that can happen if locks do not exclude other hosts, or if
        a person deleted the file. The file is opened by its name, which asks the server."""
        if not self.is_current() or (self.soft is not None and not self.soft.is_ours()):
            return False
        try:
            with open(self.path, "rb") as stream:
                return not self._written or stream.read() == self._written
        except OSError:
            return sys.platform == "win32"  # on systems where a locked file cannot be read

    def say(self, holder: str) -> None:
        """Write down who holds it."""
        content = holder.encode("utf-8", "surrogateescape")
        try:
            os.ftruncate(self.descriptor, 0)
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            os.write(self.descriptor, content)
            self._written = content
        except OSError:
            pass  # a full disk: processes that wait will not know which process they wait for

    def release(self) -> None:
        """Unlock, also for children that inherited the descriptor: their work is done."""
        if self.descriptor >= 0:
            if self._written:  # otherwise it may belong to a holder on another host
                self.say("")
            soft, self.soft = self.soft, None
            if soft is not None:
                soft.release()
            try:
                _unlock(self.descriptor)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
        self.leave()

    def leave(self) -> None:
        """Close our descriptor without unlocking: installers that still run keep the lock until they end."""
        soft, self.soft = self.soft, None
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


def try_to_take(path: str, script: str = "") -> Lock | None:
    """Return the lock, or None if another process holds it. `script` is shown to others as the reason."""
    with _Claim(path, script) as claim:
        taken = claim.attempt()
    return None if isinstance(taken, str) else taken


def take(
    path: str,
    script: str = "",
    on_wait: Callable[[Holder], object] = lambda holder: None,
    made: Callable[[], Made | None] = lambda: None,
) -> Lock | Made:
    """Wait for the lock and return it, or what `made` finds while another process holds it: then the lock is not needed
    any more. After a second, and whenever the holder changes, `on_wait` is called with the holder. A signal ends the
    wait.

    We poll rather than wait in the system call: on NFS that may sleep for half a minute after the lock is free, and
    five hundred processes that wait for one environment need not take its lock in turn once it exists.
    """
    pause, since, holder, told = _FIRST_PAUSE, time.monotonic(), "", ""
    with _Claim(path, script) as claim:
        while isinstance(taken := claim.attempt(), str):
            found = made()
            if found is not None:
                return found
            if taken != holder:
                since, holder = time.monotonic(), taken
            if told != (holder or "?") and time.monotonic() - since >= QUIET_WAIT:
                told = holder or "?"
                who = Holder.read(holder)
                who.has_link = linked(path) is not None
                on_wait(who)
            time.sleep(pause)
            pause = min(pause * 1.5, _LAST_PAUSE)
    return taken


def has_locks(path: str) -> bool:
    """Whether the file at this path, which is created if needed, can be locked, as far as we can try."""
    try:
        files.make_directory(os.path.dirname(path))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return True  # the caller that needs the lock reports the problem
    try:
        if _try_to_lock(descriptor):
            _unlock(descriptor)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    finally:
        os.close(descriptor)
    return True


def _try_to_lock(descriptor: int) -> bool:
    """Try to lock the file; False if another process holds the lock. Raises OSError if the file system has no locks."""
    if sys.platform == "win32":
        import filelock

        return filelock.lock_descriptor(descriptor, blocking=False)
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(descriptor: int) -> None:
    if sys.platform == "win32":
        import filelock

        filelock.unlock_descriptor(descriptor)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


class _Claim:
    """Repeated attempts of this process at one lock; the file stays open between them, unless it cannot be locked."""

    def __init__(self, path: str, script: str) -> None:
        from . import uses

        self._path = path
        self._text = f"{uses.this_process()}\n{script[:_LONGEST_NAME]}\n"
        self._descriptor = -1

    def attempt(self) -> Lock | str:
        """Return the lock, or what its holder wrote down."""
        try:
            while _try_to_lock(self._open()):
                lock = self._taken()
                if lock.is_current():
                    return self._with_link(lock)
                lock.release()
            return _content(self._open())
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            problem = error.strerror
        # Not open while we wait: a process that has it open counts as an installer of the holder (see `SoftLock`).
        self.__exit__()
        soft = self._soft_lock()
        holder = soft.take()
        if holder is not None:
            return holder
        lock = self._taken(soft)
        lock.notice = f"the file system of `{self._path}` has no locks ({problem}): a symbolic link is used as one"
        lock.say(self._text)
        return lock

    def _with_link(self, lock: Lock) -> Lock | str:
        """Return the same lock, together with the link if the lock may not exclude other hosts; otherwise the holder of
        the link."""
        holder = soft = None
        try:
            if not shares_locks(self._path):
                soft = self._soft_lock()
                holder = soft.take(is_second=True)
            elif linked(self._path) is not None:
                # Another host may find no locks on a file system where we find them: its link counts in any case.
                holder = self._soft_lock().is_free()
        except BaseException:
            lock.leave()
            raise
        if holder is not None:
            lock.release()
            return holder
        lock.soft = soft
        lock.say(self._text)
        return lock

    def _soft_lock(self) -> SoftLock:
        from .soft_lock import SoftLock  # hundreds of processes may wait for one lock, and few need this

        return SoftLock(self._path, self._text)

    def _taken(self, soft: SoftLock | None = None) -> Lock:
        descriptor = self._open()
        self._descriptor = -1
        return Lock(self._path, descriptor, soft)

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        return self._descriptor

    def __enter__(self) -> _Claim:
        return self

    def __exit__(self, *problem: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _content(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, 8192).decode("utf-8", "surrogateescape")
    except OSError:
        return ""  # on Windows, a file that is locked cannot be read
