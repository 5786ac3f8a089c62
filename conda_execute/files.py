"""File operations of several modules, safe while other processes do the same."""

from __future__ import annotations

import errno
import os
import stat
import sys

from .errors import NO_ROOM, PlaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

#: What a path fails with that leads to nothing; a link in a circle does so too.
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def make_directory(path: str) -> None:
    """Make a directory and its parents, for this user only, whatever the umask; it may exist already. Raises OSError.
    (`os.makedirs` applies the mode only to the last one.)"""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent not in ("", path):
        make_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def make_directory_or_fail(path: str) -> None:
    """Make a directory as `make_directory` does, but raise PlaceError."""
    try:
        make_directory(path)
    except OSError as error:
        raise PlaceError.refused(error, path) from error


def may_execute_on(path: str) -> bool:
    """Whether the file system of a path allows programs to run; True if that is unknown."""
    try:
        return sys.platform == "win32" or not os.statvfs(path).f_flag & getattr(os, "ST_NOEXEC", 0)
    except (AttributeError, OSError):  # macOS has no such flag
        return True


def unlink(path: str) -> None:
    """Remove a file, if it exists. Raises other kinds of OSError."""
    try:
        os.unlink(path)
    except OSError as error:
        if error.errno not in ABSENT:
            raise


def try_to_unlink(path: str) -> None:
    """Remove a file if possible; otherwise it is left to the next attempt."""
    try:
        os.unlink(path)
    except OSError:
        pass


def listed(directory: str) -> list[str]:
    """The names in a directory; none if it does not exist."""
    try:
        return os.listdir(directory)
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return []


def touch(path: str, moment: float | None = None) -> None:
    """Set the time of a file, by default to now; it is created, empty and for this user only, if there is none. Raises
    OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.utime(path, None if moment is None else (moment, moment))


def changed(path: str) -> float:
    """When a file or link last changed, in seconds by the clock of its file system; 0 if it is gone."""
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0


def is_writable(path: str) -> bool:
    """Whether this directory can be written to; if it does not exist, whether it could be created."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)


def is_full(directory: str) -> bool:
    """Whether a directory has no room for a file of a megabyte: that may be the true cause of any failure there. A
    quota only shows by trying."""
    if sys.platform == "win32" or not os.path.isdir(directory):
        return False
    if sys.platform != "linux":
        return os.statvfs(directory).f_bavail == 0
    path = os.path.join(directory, f".room-{os.getpid()}")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.unlink(path)
            os.posix_fallocate(descriptor, 0, 1 << 20)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.errno in NO_ROOM
    return False


def delete(path: str) -> None:
    """Delete a tree that nobody uses, even if it is write-protected. Other processes may be deleting it at the same
    time."""
    import shutil

    def retry(function: Callable[[str], object], path: str, error: BaseException) -> None:
        if not isinstance(error, PermissionError):
            return  # gone already, or left to the next sweep
        _make_writable(os.path.dirname(path))
        _make_writable(path)
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                function(path)
        except OSError:
            pass  # stays in the trash for the next sweep

    if os.path.islink(path) or not os.path.isdir(path):
        try:
            unlink(path)
            return
        except IsADirectoryError:
            pass  # a failing disk: isdir() said no of a directory
    try:
        if sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=retry)
        else:
            shutil.rmtree(path, onerror=lambda function, path, error: retry(function, path, error[1]))
    except OSError as error:
        # A signal whose exception comes between the closing of a directory and the note of it: rmtree closes it again.
        if error.errno == errno.EBADF and error.__context__ is not None:
            raise error.__context__ from None
        raise


def _make_writable(path: str) -> None:
    """Make the content of a directory removable. Files need this only on Windows; elsewhere they may be hard links into
    the package cache, whose mode must not change."""
    try:
        if not os.path.islink(path) and (os.path.isdir(path) or sys.platform == "win32"):
            os.chmod(path, os.stat(path).st_mode | 0o700)
    except OSError:
        pass


def write_atomically(
    path: str, content: bytes, *, durable: bool = False, before: Callable[[str], object] | None = None
) -> None:
    """Write `content` to `path`, completely or not at all, even if other processes write it at the same time. Raises
    OSError.

    The file is a new one, for this user only: a link at that path is replaced, not followed. `durable`: the file is on
    the disk before it becomes visible. `before` is called with the path of the new file before it replaces the old one.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(6).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            if durable:
                from .durable import flush

                file.flush()
                flush(file.fileno())
        if before is not None:
            before(temporary)
        os.replace(temporary, path)
    except BaseException:
        try_to_unlink(temporary)
        raise


def write_whole(path: str, content: bytes) -> None:
    """Write `content` to `path`, in a directory that is made if needed; if the file has that content already, only its
    time changes. Raises OSError."""
    if holds(path, content):
        os.utime(path)
        return
    make_directory(os.path.dirname(path))
    write_atomically(path, content)


def open_plain(path: str) -> BinaryIO:
    """Open a regular file, but not a link to one, or a pipe that never ends. Raises OSError."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = open(os.open(path, flags), "rb")  # noqa: SIM115 - the caller's
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.ELOOP, "not a regular file", path)
    return file


def content_of(path: str, most: int = -1) -> bytes | None:
    """The content of a file, or its first bytes, if it can be read."""
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError:
        return None


def holds(path: str, content: bytes) -> bool:
    """Whether this is a file of this user, not a link, with this content: another user could still change theirs."""
    try:
        with open_plain(path) as file:
            return is_own(os.fstat(file.fileno())) and file.read(len(content) + 1) == content
    except OSError:
        return False


def digest(path: str, algorithm: str = "sha256") -> bytes:
    """The digest of a file's content. Raises OSError."""
    import hashlib

    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def is_own(found: os.stat_result) -> bool:
    """Whether the file of this status belongs to this user."""
    return sys.platform == "win32" or found.st_uid == os.geteuid()


def rewrite(path: str, data: bytes) -> None:
    """Replace the content of the file atomically; links are followed, and the mode is kept. Raises PlaceError."""
    target = os.path.realpath(path)
    check_folder(path)

    def settle(temporary: str) -> None:
        os.chmod(temporary, old.st_mode & 0o7777 if old else 0o666 & ~umask())
        if old:
            _give_back(temporary, old)

    try:
        old = os.stat(target) if os.path.exists(target) else None
        write_atomically(target, data, durable=True, before=settle)
    except OSError as error:
        full = error.errno in NO_ROOM
        raise PlaceError(
            f"`{path}` cannot be rewritten: {error.strerror}", hint=None if full else "its folder must be writable"
        ) from error


def check_folder(path: str) -> None:
    """Raise PlaceError if the folder of this file does not exist."""
    directory = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(directory):
        return
    import shlex

    given = os.path.dirname(path)
    # A broken link is in a folder, but the folder of its target may be missing.
    folder = given if given and not os.path.lexists(given) else directory
    raise PlaceError(
        f"`{path}` cannot be written: there is no folder `{folder}`", hint=f"create it: mkdir -p {shlex.quote(folder)}"
    )


def umask() -> int:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def _give_back(path: str, old: os.stat_result) -> None:
    """Restore owner and group as far as permitted: only root may change the owner."""
    if sys.platform == "win32" or (old.st_uid, old.st_gid) == (os.geteuid(), os.getegid()):
        return
    try:
        os.chown(path, old.st_uid, old.st_gid)
        os.chmod(path, old.st_mode & 0o7777)  # changing the owner removes the set-user-id bit
    except PermissionError:
        pass
