"""Namespaces: a root directory of its own, in which only what is allowed exists, and a network that leads nowhere.

A process that has a user namespace of its own may arrange its mounts, network and queues as it likes. Here it does so,
keeps its own id, and gives every privilege up. What is not in the new root cannot be opened, changed, listed, or
connected to, by whatever path.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import sys

from ...lean.system_call import system_call
from .policy import is_within

assert sys.platform == "linux"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .kernel import Kernel

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


def unshare(kernel: Kernel, *, net: bool, queues: bool = True) -> bool:
    """New namespaces; this process has every privilege in them, and its own ids. False where nobody may have any.

    `net`: the network is the one outside; `queues`: System V's and POSIX's are not. Raises OSError.
    """
    user, group = os.geteuid(), os.getegid()
    wanted = _NEW_USER | _NEW_MOUNTS | (_NEW_QUEUES if queues else 0) | (0 if net else _NEW_NETWORK)
    try:
        system_call(kernel.calls["unshare"], wanted)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSPC, errno.EUSERS, errno.ENOSYS):
            return False
        raise
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    system_call(kernel.calls["mount"], None, b"/", None, _ALL_BELOW | _PRIVATE, None)
    if not net:
        _raise_loopback()
    return True


def _raise_loopback() -> None:
    import _socket

    socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(socket.fileno(), 0x8914, struct.pack("16sH22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
    socket.close()


class Root:
    """A new root directory, built on the side and then entered."""

    def __init__(self, kernel: Kernel) -> None:
        self._calls = kernel.calls
        #: Path, whether it is writable, a tree of mounts, and whether that begins with a directory.
        self._trees: list[tuple[str, bool, int, bool]] = []
        self._links: dict[str, str] = {}

    def take(self, path: str, *, writable: bool = False) -> None:
        """What is at `path` is to be there in the new root too, where it is there at all."""
        self._links.update(_links_on(path))
        real = os.path.realpath(path)
        if any(is_within(real, taken) and may_write >= writable for taken, may_write, _, _ in self._trees):
            return
        tree = self._clone(real, writable)
        if tree is not None:
            self._trees.append((real, writable, tree, stat.S_ISDIR(os.fstat(tree).st_mode)))

    def enter(self, folder: str) -> None:
        """Leave everything else behind. The working directory is `folder`, or the root if that is not there."""
        self._mount("tmpfs", _STAND, "mode=755", _NO_SETUID | _NO_DEVICES)
        self._furnish()
        for path, _, tree, is_folder in sorted(self._trees):
            where = _STAND + path
            if not os.path.lexists(where):
                os.makedirs(where if is_folder else os.path.dirname(where), exist_ok=True)
                if not is_folder:
                    os.close(os.open(where, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            self._put(tree, where)
        for path, target in sorted(self._links.items()):
            if not os.path.lexists(_STAND + path):
                os.makedirs(os.path.dirname(_STAND + path), exist_ok=True)
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
            tree = self._clone(path, writable=False)
            if tree is not None:
                self._put(tree, path)
        _change_directory(folder)

    def _clone(self, path: str, writable: bool) -> int | None:
        flags = _CLONE | _RECURSIVE | os.O_CLOEXEC
        try:
            tree = system_call(self._calls["open_tree"], _HERE, os.fsencode(path), flags)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        self._limit(tree, b"", _EMPTY | _RECURSIVE, _NO_SETUID | (0 if writable else _READ_ONLY))
        return tree

    def _put(self, tree: int, where: str) -> None:
        system_call(self._calls["move_mount"], tree, b"", _HERE, os.fsencode(where), _MOVE_FROM_DESCRIPTOR)
        os.close(tree)

    def _furnish(self) -> None:
        """What a program expects, empty and its own."""
        for path, options in ((TEMPORARY, "mode=700"), ("/dev/shm", "mode=1777")):
            os.makedirs(_STAND + path)
            self._mount("tmpfs", _STAND + path, options, _NO_SETUID | _NO_DEVICES)
        os.makedirs(_STAND + "/dev/pts")
        self._mount("devpts", _STAND + "/dev/pts", "newinstance,ptmxmode=0666,mode=620", _NO_SETUID | _NO_PROGRAMS)
        links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
        for name, target in links.items():
            os.symlink(target, f"{_STAND}/dev/{name}")

    def _mount(self, kind: str, where: str, options: str, flags: int) -> None:
        arguments = (kind.encode(), os.fsencode(where), kind.encode(), flags, options.encode())
        system_call(self._calls["mount"], *arguments)

    def _limit(self, where: int, path: bytes, flags: int, limits: int) -> None:
        wanted = struct.pack("=4Q", limits, 0, 0, 0)
        system_call(self._calls["mount_setattr"], where, path, flags, wanted, len(wanted))


def _links_on(path: str) -> dict[str, str]:
    """The symbolic links that lead along `path`, and where each points."""
    found: dict[str, str] = {}
    waiting = [path]
    while waiting:
        way = "/"
        for part in waiting.pop().split("/"):
            way = os.path.join(way, part)
            if way not in found and os.path.islink(way):
                found[way] = os.readlink(way)
                waiting.append(os.path.normpath(os.path.join(os.path.dirname(way), found[way])))
    return found


def _change_directory(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError:
        os.chdir("/")


def give_up_privileges(kernel: Kernel) -> None:
    """Here and in all programs to come, for root as for anybody else. Raises OSError.

    Whoever has none cannot gain any either, once `no_new_privs` is set.
    """
    prctl = kernel.calls["prctl"]
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        last = int(file.read())
    for capability in range(last + 1):
        try:
            system_call(prctl, _DROP, capability, 0, 0, 0)
        except PermissionError:
            break
    system_call(prctl, _AMBIENT, _CLEAR_AMBIENT, 0, 0, 0)
    system_call(kernel.calls["capset"], struct.pack("=Ii", _CAPABILITIES, 0), bytes(24))
