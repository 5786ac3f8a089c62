"""Namespaces: a root directory of its own, with only the allowed files, and a network without connections.

A process that has a user namespace of its own may arrange its mounts, network and queues as it likes. Here it does so,
keeps its own id, and gives every privilege up. What is not in the new root cannot be opened, changed, listed, or
connected to, by whatever path.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from .kernel import structure, system_call
from .policy import is_within

assert sys.platform == "linux"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NEW_MOUNTS, _NEW_QUEUES, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x40000000

_HERE = -100  # AT_FDCWD
_EMPTY, _RECURSIVE, _CLONE = 0x1000, 0x8000, 1
_MOVE_FROM_DESCRIPTOR = 4
_NO_SETUID, _NO_DEVICES, _NO_PROGRAMS, _PRIVATE, _ALL_BELOW = 2, 4, 8, 1 << 18, 16384
_READ_ONLY = 1

_CAPABILITIES = 0x20080522
_DROP, _AMBIENT, _CLEAR_AMBIENT = 24, 47, 4

#: What TMPDIR names inside: memory that is gone with the last process.
TEMPORARY = "/tmp"

#: Any directory that is there: the new root is put on it, out of sight of what was taken from it before.
_STAND = "/proc"


def unshare(*, net: bool, queues: bool = True) -> bool:
    """New namespaces; this process has every privilege in them, and its own ids. False where nobody may have any.

    `net`: the network is the one outside; `queues`: System V's and POSIX's are not. Raises OSError.
    """
    user, group = os.geteuid(), os.getegid()
    wanted = _NEW_USER | _NEW_MOUNTS | (_NEW_QUEUES if queues else 0) | (0 if net else _NEW_NETWORK)
    try:
        system_call("unshare", wanted)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSPC, errno.EUSERS, errno.ENOSYS):
            return False
        raise
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        os.write(file, text.encode())
        os.close(file)
    system_call("mount", None, b"/", None, _ALL_BELOW | _PRIVATE, None)
    if not net:
        _raise_loopback()
    return True


def _raise_loopback() -> None:
    """By number, since the modules for it take as long to be imported as the kernel takes for a network."""
    socket = system_call("socket", 2, 2, 0)  # AF_INET, SOCK_DGRAM
    request = b"lo".ljust(16, b"\0") + structure((1, 2)) + bytes(22)  # struct ifreq: IFF_UP
    system_call("ioctl", socket, 0x8914, request)  # SIOCSIFFLAGS
    os.close(socket)


class Root:
    """A new root directory, built on the side and then entered."""

    def __init__(self) -> None:
        #: Path, whether it is writable, a tree of mounts, and whether that begins with a directory.
        self._trees: list[tuple[str, bool, int, bool]] = []
        #: Symbolic links that lead to them, and the paths that are none.
        self._links: dict[str, str | None] = {}
        self._folders = {""}

    def take(self, path: str, *, writable: bool = False) -> None:
        """What is at `path` is to be there in the new root too, where it is there at all."""
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        real = os.readlink(f"/proc/self/fd/{opened}")
        if real != path:
            if writable:
                raise OSError(errno.ELOOP, f"`{path}` was replaced with a link")
            self._find_links(path)
        if not any(is_within(real, taken) and may_write >= writable for taken, may_write, _, _ in self._trees):
            tree = self._clone(b"", writable, opened)
            if tree is not None:
                self._trees.append((real, writable, tree, stat.S_ISDIR(os.fstat(opened).st_mode)))
        os.close(opened)

    def enter(self, folder: str) -> None:
        """Leave everything else behind. The working directory is `folder`, or the root if that is not there."""
        self._mount("tmpfs", _STAND, "mode=755", _NO_SETUID | _NO_DEVICES)
        self._furnish()
        for path, _, tree, is_folder in sorted(self._trees):
            where = _STAND + path
            self._make_folder(path if is_folder else os.path.dirname(path))
            if not is_folder:
                os.close(os.open(where, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
            self._put(tree, where)
        for path, target in sorted(self._links.items()):
            if target is not None and not os.path.lexists(_STAND + path):
                self._make_folder(os.path.dirname(path))
                os.symlink(target, _STAND + path)
        self._limit(_HERE, os.fsencode(_STAND), 0, _READ_ONLY)
        # To take the old root out of the tree, as `pivot_root` would, takes the kernel longer than all the rest. A
        # process without privileges, without a descriptor out there, and that Landlock holds, cannot get back to it,
        # and in a changed root it cannot have a user namespace in which it would have privileges again.
        os.chroot(_STAND)
        _change_directory(folder)

    def protect(self, paths: Sequence[str], folder: str) -> None:
        """Leave everything where it is, but let nothing write below `paths`."""
        for path in paths:
            tree = self._clone(os.fsencode(path), writable=False)
            if tree is not None:
                self._put(tree, path)
        _change_directory(folder)

    def _clone(self, path: bytes, writable: bool, opened: int = _HERE) -> int | None:
        flags = _CLONE | _RECURSIVE | os.O_CLOEXEC | (0 if path else _EMPTY)
        try:
            tree = system_call("open_tree", opened, path, flags)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            if error.errno == errno.EPERM:  # of the call, not of the path
                raise
            return None
        self._limit(tree, b"", _EMPTY | _RECURSIVE, _NO_SETUID | (0 if writable else _READ_ONLY))
        return tree

    def _put(self, tree: int, where: str) -> None:
        system_call("move_mount", tree, b"", _HERE, os.fsencode(where), _MOVE_FROM_DESCRIPTOR)
        os.close(tree)

    def _furnish(self) -> None:
        """What a program expects, empty and its own."""
        for path, options in ((TEMPORARY, "mode=700"), ("/dev/shm", "mode=1777")):
            self._make_folder(path)
            self._mount("tmpfs", _STAND + path, options, _NO_SETUID | _NO_DEVICES)
        self._make_folder("/dev/pts")
        self._mount("devpts", _STAND + "/dev/pts", "newinstance,ptmxmode=0666,mode=620", _NO_SETUID | _NO_PROGRAMS)
        links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
        for name, target in links.items():
            os.symlink(target, f"{_STAND}/dev/{name}")

    def _find_links(self, path: str) -> None:
        """The symbolic links that lead along `path`, and where each points."""
        waiting = [path]
        while waiting:
            way = ""
            for part in waiting.pop().split("/")[1:]:
                parent, way = way, f"{way}/{part}"
                if way in self._links:
                    continue
                try:
                    self._links[way] = target = os.readlink(way)
                except OSError:
                    self._links[way] = None
                else:
                    waiting.append(os.path.normpath(os.path.join(parent or "/", target)))

    def _make_folder(self, path: str) -> None:
        """In the new root, with what is above it."""
        if path in self._folders:
            return
        self._make_folder(os.path.dirname(path).rstrip("/"))
        try:
            os.mkdir(_STAND + path)
        except FileExistsError:
            pass  # in what was put there
        self._folders.add(path)

    def _mount(self, kind: str, where: str, options: str, flags: int) -> None:
        arguments = (kind.encode(), os.fsencode(where), kind.encode(), flags, options.encode())
        system_call("mount", *arguments)

    def _limit(self, where: int, path: bytes, flags: int, limits: int) -> None:
        wanted = structure((limits, 8)) + bytes(24)
        system_call("mount_setattr", where, path, flags, wanted, len(wanted))


def _change_directory(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError:
        os.chdir("/")


def bar_privileges() -> None:
    """From all programs to come, where `no_new_privs`, which bars them too, is not set. Raises OSError."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        last = int(file.read())
    for capability in range(last + 1):
        try:
            system_call("prctl", _DROP, capability, 0, 0, 0)
        except PermissionError:
            break


def give_up_privileges() -> None:
    """For root as for anybody else. Anyone who has none cannot gain any, once `no_new_privs` is set. Raises OSError."""
    system_call("prctl", _AMBIENT, _CLEAR_AMBIENT, 0, 0, 0)
    system_call("capset", structure((_CAPABILITIES, 4), (0, 4)), bytes(24))
