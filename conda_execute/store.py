"""Environments on disk: where they lie, which state they are in, and who may change them.

A prefix is **absent**, **unfinished** (somebody makes it, or died making it), **aside** (a sweeper looks whether it may
go, or died looking) or **ready** (its marker exists). The marker is written last and atomically; it is never the lock.

Only who holds the lock of a name may begin, finish, unmark, mark again or discard its prefix. Locks are `flock`s on
files that are never unlinked, so two processes can never hold locks on two files of one name. The descriptor may be
inherited by installers: an orphan keeps the lock until it ends. Whatever moment a process dies at, the kernel gives its
lock back and the state says what the next one must do:

==============  ===================================================================
absent          make it
unfinished      a creator died: discard it, make it anew
aside           a sweeper died: mark it again, use it
ready           use it
==============  ===================================================================

A prefix goes by being renamed into `.trash/`, whole, and is deleted there. A prefix is never renamed into use.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from . import layout
from .errors import CreationError, PlaceError
from .model import Environment, Marker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Protocol

    class HasEnvDir(Protocol):
        """The part of the settings that says where environments go."""

        @property
        def env_dir(self) -> str | None: ...


#: Version of the marker's form. A marker of a newer form is not ours to judge: such a prefix counts as unfinished, and
#: is never discarded while in use.
MARKER_FORMAT = 1

#: A request has at most so many environments side by side: `<name>`, `<name>.1`, ... Each further one means that all
#: before it are in use and broken, or made for hosts unlike this one.
CANDIDATES = 10

#: No size or time in a marker is that great; infinity is, and what is not a number is not less than it.
_BEYOND_COUNTING = 1 << 53

#: Seconds that a process waits in silence for another one's creation.
QUIET_WAIT = 1.0

#: errno 524 (ENOTSUPP) leaks out of some NFS servers; it has no name in user space.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, 524)
#: Why a prefix cannot go to the trash and is deleted where it is, under the lock: a directory of a lower layer
#: (overlayfs), a mount point, and a disk so full that not even the trash has room.
_DELETED_IN_PLACE = (errno.EXDEV, errno.EBUSY, errno.ENOSPC, errno.EDQUOT)

#: The text beside a lock is for people, and a link's target cannot be longer than a path.
_LONGEST_NAME = 1000

_BUSY = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)

#: Seconds between two looks at a lock that somebody else holds: the first, and the longest.
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.2


def reached(step: str) -> None:
    """A named step of making or removing an environment has been reached. Does nothing: the stress suite puts a
    SIGKILL here, to show that no step is a bad moment to die at."""


# Markers -------------------------------------------------------------------------------------------------------------


def read_marker(path: str) -> Marker | None:
    """The marker in this file; None if there is none, or none that can be trusted. PlaceError if it cannot be read."""
    import json

    try:
        with open(path, "rb") as stream:
            content = json.loads(stream.read())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    except OSError as error:
        if error.errno == errno.ESTALE:
            return None
        raise PlaceError(
            f"`{path}` cannot be read: {error.strerror}",
            hint="delete this environment, or set `CONDA_EXECUTE_ENV_DIR` to another directory",
        ) from error
    if not isinstance(content, dict) or content.pop("format", None) != MARKER_FORMAT:
        return None
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in content.items()
        if key in Marker.__annotations__  # a later version may say more and mean the same
    }
    if not all(_is_of(Marker.__annotations__[key], value) for key, value in values.items()):
        return None
    try:
        return Marker(**values) if values.get("build", "").isalnum() else None
    except TypeError:
        return None


def _is_of(annotation: str, value: object) -> bool:
    """Whether what a marker holds is of the type that a field of Marker is annotated with."""
    if isinstance(value, tuple):
        return annotation == "tuple[str, ...]" and all(isinstance(item, str) for item in value)
    if annotation == "str":
        return isinstance(value, str)
    kinds = {"int": (int,), "float": (int, float)}.get(annotation, ())
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < _BEYOND_COUNTING


def _write_marker(path: str, marker: Marker) -> None:
    import json

    content = {"format": MARKER_FORMAT, **vars(marker)}
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())  # a marker that survives a power cut must be a whole one
    reached("marker written")
    os.replace(temporary, path)


# The store -----------------------------------------------------------------------------------------------------------


class Store:
    """The environments below one `tmp_envs` directory."""

    def __init__(self, tmp_envs: str) -> None:
        self.tmp_envs = tmp_envs

    def prefix(self, name: str) -> str:
        return layout.prefix(self.tmp_envs, name)

    def candidates(self, name: str) -> Iterator[str]:
        """`<name>`, then the names beside it that stand for the same request."""
        yield name
        for number in range(1, CANDIDATES):
            yield f"{name}.{number}"

    def read(self, name: str) -> Environment | None:
        """The environment in the prefix of exactly this name, if it is ready."""
        prefix = self.prefix(name)
        marker = read_marker(layout.marker(prefix))
        return Environment(name, prefix, marker) if marker is not None else None

    def ready(self, name: str) -> Iterator[Environment]:
        """Every ready environment that stands for the request of this name, the first one first."""
        for candidate in self.candidates(name):
            environment = self.read(candidate)
            if environment is not None:
                yield environment
            elif candidate != name and not os.path.isdir(self.prefix(candidate)):
                return

    def find(self, name: str) -> Environment | None:
        """The first ready environment for the request of this name."""
        return next(self.ready(name), None)

    def state(self, name: str) -> str:
        """One of "ready", "aside", "unfinished" and "absent". Certain only for who holds the lock."""
        prefix = self.prefix(name)
        if read_marker(layout.marker(prefix)) is not None:
            return "ready"
        if read_marker(layout.marker_aside(prefix)) is not None:
            return "aside"
        return "unfinished" if os.path.lexists(prefix) else "absent"

    def list(self) -> list[str]:
        """The names of all prefixes, in whatever state, sorted."""
        try:
            return sorted(name for name in os.listdir(self.tmp_envs) if is_name(name))
        except FileNotFoundError:
            return []

    def now(self) -> float:
        """What the file system's clock says, in seconds: the only clock that ages are measured by."""
        path = os.path.join(self.tmp_envs, layout.LOCKS, ".clock")
        try:
            _make_directory(os.path.dirname(path))
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            os.utime(path)
            return os.stat(path).st_mtime
        except OSError:
            return time.time()  # read-only, or full: good enough to show an age, and nothing can be removed anyway

    def lock(
        self,
        name: str,
        *,
        script: str = "",
        wait: bool = True,
        on_wait: Callable[[Holder], None] | None = None,
        unless: Callable[[], bool] | None = None,
    ) -> Lock | None:
        """The lock of this name, or None if it is taken and not to be waited for.

        `on_wait` is called once, after a second, with whom we wait for. `unless` is asked again and again while we
        wait: once it says yes, the lock is not needed any more. A signal ends the wait.
        """
        try:
            _make_directory(os.path.join(self.tmp_envs, layout.LOCKS))
            return Lock.take(layout.lock(self.tmp_envs, name), script, Waiting(wait, on_wait, unless))
        except OSError as error:
            raise _place_error(error, self.tmp_envs) from error

    # What follows is only for who holds the lock of the name.

    def begin(self, name: str) -> str:
        """The prefix to fill; nothing is there yet."""
        reached("begin")
        return self.prefix(name)

    def finish(self, name: str, marker: Marker) -> Environment:
        """Make the directories for notes, then the marker: the environment is ready."""
        prefix = self.prefix(name)
        reached("installed")
        try:
            os.makedirs(layout.uses(prefix, marker.build), mode=0o700, exist_ok=True)
            os.makedirs(layout.hosts(prefix, marker.build), mode=0o700, exist_ok=True)
            reached("uses made")
            _write_marker(layout.marker(prefix), marker)
        except OSError as error:
            raise CreationError(
                f"the environment could not be marked as ready: {error.strerror}: `{prefix}`", step="finish"
            ) from error
        reached("marked")
        return Environment(name, prefix, marker)

    def unmark(self, name: str) -> bool:
        """Put the marker aside, so that nobody starts to use the environment; False if there is none."""
        prefix = self.prefix(name)
        try:
            os.rename(layout.marker(prefix), layout.marker_aside(prefix))
        except (FileNotFoundError, NotADirectoryError):
            return False
        reached("unmarked")
        return True

    def mark_again(self, name: str) -> bool:
        """Put the marker back; False if there is none aside."""
        prefix = self.prefix(name)
        try:
            os.rename(layout.marker_aside(prefix), layout.marker(prefix))
        except (FileNotFoundError, NotADirectoryError):
            return False
        reached("marked again")
        return True

    def discard(self, name: str) -> str | None:
        """Take the prefix away, whatever is in it. What comes back is left in the trash, to be deleted (`delete`) when
        the lock is free again; None if nothing is left.

        OSError: it could not be moved and is as it was (Windows, while a file in it is open).
        """
        prefix = self.prefix(name)
        trash = layout.trash(self.tmp_envs)
        target = os.path.join(trash, f"{name}-{os.urandom(8).hex()}")
        try:
            _make_directory(trash)
            os.rename(prefix, target)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _DELETED_IN_PLACE:
                raise
            # Nobody may believe in what is left if we die halfway, so the markers go first.
            for marker in (layout.marker(prefix), layout.marker_aside(prefix)):
                _unlink(marker)
            reached("marker unlinked")
            delete(prefix)
            return None
        reached("in trash")
        return target


def is_name(name: str) -> bool:
    """Whether a file of this name in `tmp_envs` is a prefix of ours: 20 hex digits, perhaps a dot and a number."""
    digest, dot, number = name.partition(".")
    return len(digest) == 20 and set(digest) <= set("0123456789abcdef") and (not dot or number.isdecimal())


def is_full(path: str) -> bool:
    """Whether the disk has room for next to nothing: what failed there may have failed for that, whatever it says."""
    import shutil

    try:
        return shutil.disk_usage(path).free < 1 << 16
    except OSError:
        return False


def delete(path: str) -> None:
    """Delete a tree that nobody uses. Others may be deleting it too; what is write-protected goes as well."""
    import shutil

    def retry(function: Callable[[str], object], path: str, error: BaseException) -> None:
        if not isinstance(error, PermissionError):
            return  # gone already, or for the next sweep to try
        _make_writable(os.path.dirname(path))
        _make_writable(path)
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                function(path)
        except OSError:
            pass  # stays in the trash, for the next sweep to try

    if os.path.islink(path) or not os.path.isdir(path):
        _unlink(path)
    elif sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=retry)
    else:
        shutil.rmtree(path, onerror=lambda function, path, error: retry(function, path, error[1]))


def _make_writable(path: str) -> None:
    """So that what is in a directory can go. A file needs it on Windows only, and may be a hard link into the package
    cache, whose mode is not ours to change."""
    try:
        if not os.path.islink(path) and (os.path.isdir(path) or sys.platform == "win32"):
            os.chmod(path, os.stat(path).st_mode | 0o700)
    except OSError:
        pass


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass


# Locks ---------------------------------------------------------------------------------------------------------------


class Holder:
    """Who holds a lock, as the holder wrote it down."""

    def __init__(self, pid: int, host: str, script: str, use: str = "") -> None:
        self.pid, self.host, self.script, self.use = pid, host, script, use

    def __str__(self) -> str:
        who = f"process {self.pid} on {self.host}" if self.pid else "another process"
        return f"{who} ({self.script})" if self.script else who

    @staticmethod
    def read(text: str) -> Holder:
        from . import usage

        use, _, script = text.partition("\n")
        found = usage.parse(use)
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
        from . import usage

        holder = f"{usage.this_process()}\n{script[:_LONGEST_NAME]}\n"
        while True:
            lock = cls._take(path, holder, waiting)
            if lock is None or lock.is_current():
                return lock
            lock.release()

    @classmethod
    def _take(cls, path: str, holder: str, waiting: Waiting) -> Lock | None:
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
        _unlink(self._link)

    def has_installers(self) -> bool:
        """Whether another process of this host has the lock file open."""
        from . import usage

        real, own = os.path.realpath(self._path), str(os.getpid())
        pids = [pid for pid in usage.listed_in("/proc") if pid.isdecimal() and pid != own]
        return any(real in _open_files(pid) for pid in pids)

    def _is_dead(self, holder: str) -> bool:
        from . import usage

        use = holder.partition("\n")[0]
        here = usage.Observer(0.0, float("inf"))
        return use.endswith("@" + here.here) and here.judge(os.path.dirname(self._link), use) == "dead"

    def _break(self, holder: str) -> bool:
        own = self._holder.partition("\n")[0]
        os.makedirs(self._breakers, mode=0o700, exist_ok=True)
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
            _unlink(mine)


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


# Where ---------------------------------------------------------------------------------------------------------------


def choose_tmp_envs(
    settings: HasEnvDir,
    environ: Mapping[str, str],
    platform: str,
    *,
    name: str | None = None,
    notice: Callable[[str], None] | None = None,
) -> str:
    """The first place that fits; it exists afterwards. PlaceError if none does, or if one was asked for that does not.

    A place fits if only we can write to it. One that cannot be written to at all fits if it holds the environment
    `name` already, or if no name is given. `notice` is told when no ordinary place was there.
    """
    if settings.env_dir:
        asked = os.path.abspath(settings.env_dir)
        place = asked if os.path.basename(asked) == "tmp_envs" else os.path.join(asked, "tmp_envs")
        _fit(place, name)
        return place
    root = _root_prefix()
    cache = layout.cache_dir(environ, environ.get("HOME") or environ.get("USERPROFILE"))
    defaults = ([os.path.join(root, "tmp_envs")] if root else []) + (
        [os.path.join(cache, platform, "tmp_envs")] if cache else []
    )
    why = "there is no HOME"
    for place in defaults:
        try:
            _fit(place, name)
        except PlaceError as error:
            why = error.message
            continue
        return place
    place = os.path.join(private_directory(environ), platform, "tmp_envs")
    _fit(place, name)
    if notice is not None:
        notice(f"environments go to `{place}`, which may not last: {why}")
    return place


def private_directory(environ: Mapping[str, str]) -> str:
    """A directory of this user's among temporary files, for whom there is no other; PlaceError if it is not private."""
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    temporary = os.path.join(environ.get("TMPDIR") or "/tmp", f"conda-execute-{user}")
    _make_directory_or_fail(temporary)
    if os.path.islink(temporary):
        raise PlaceError(
            f"`{temporary}` is a symbolic link, which another user may have put there",
            hint="set `CONDA_EXECUTE_ENV_DIR` to a directory of your own",
        )
    _refuse_shared(temporary)
    return temporary


def is_writable(path: str) -> bool:
    """Whether this directory, or one of this name where there is none, can be written to."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)


def _root_prefix() -> str | None:
    """conda's root prefix, if this copy is installed in it and the caller owns it."""
    if not os.path.isdir(os.path.join(sys.prefix, "condabin")):
        return None
    if not os.path.isdir(os.path.join(sys.prefix, "conda-meta")):
        return None
    if hasattr(os, "geteuid") and os.stat(sys.prefix).st_uid != os.geteuid():
        return None
    return sys.prefix


def _fit(tmp_envs: str, name: str | None) -> None:
    """Make the place if need be; PlaceError says why it does not fit."""
    _make_directory_or_fail(tmp_envs)
    _refuse_shared(tmp_envs)
    if os.access(tmp_envs, os.W_OK | os.X_OK):
        return
    if name is None or next(Store(tmp_envs).ready(name), None) is not None:
        return
    raise PlaceError(
        f"no environment can be made in `{tmp_envs}`: it is read-only",
        hint="set `CONDA_EXECUTE_ENV_DIR` to a directory that you can write to",
    )


def _refuse_shared(directory: str) -> None:
    if not hasattr(os, "geteuid"):
        return
    found = os.stat(directory)
    if found.st_uid not in (os.geteuid(), 0):
        raise PlaceError(
            f"`{directory}` belongs to another user (uid {found.st_uid}), who could change what your scripts run",
            hint="set `CONDA_EXECUTE_ENV_DIR` to a directory of your own",
        )
    if found.st_mode & 0o022:
        import shlex

        raise PlaceError(
            f"other users can write to `{directory}`, and so change what your scripts run",
            hint=f"chmod go-w {shlex.quote(directory)}",
        )


def _make_directory_or_fail(path: str) -> None:
    try:
        _make_directory(path)
    except OSError as error:
        raise _place_error(error, path) from error
    if not os.path.isdir(path):
        raise PlaceError(f"`{path}` is not a directory")


def _make_directory(path: str) -> None:
    """Make a directory and those above it, for this user alone."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        _make_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _place_error(error: OSError, path: str) -> PlaceError:
    hint = "set `CONDA_EXECUTE_ENV_DIR` to a directory that you can write to"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space there, or set `CONDA_EXECUTE_ENV_DIR` to a directory with room"
    return PlaceError(f"`{path}` cannot be used: {error.strerror or error}", hint=hint)
