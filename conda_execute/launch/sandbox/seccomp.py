"""System calls that a script may not make, because neither Landlock nor a namespace stops what they do.

A filter in the kernel's own little language (BPF): it sees numbers, never what an address points to, and survives
`execve`. Needs no privilege once `no_new_privs` is set.
"""

from __future__ import annotations

import errno

from ...lean.system_call import address, structure, system_call
from .kernel import PROCESSORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .kernel import Kernel

_SET_SECCOMP, _FILTER = 22, 2

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _PROCESSOR, _FIRST, _SECOND = 0, 4, 16, 24
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000

#: The system calls of x32, a third kind of programs on x86-64.
_X32 = 0x40000000

#: What types characters into the terminal, as if a person did.
_TYPING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

UNIX, INTERNET, NETLINK = 1, (2, 10), 16

#: Asked for, these are not there: io_uring makes sockets and opens files out of a filter's sight, and keys of the
#: session are the user's own.
_ABSENT = ("io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl")

#: What processes share outside of any file; a namespace has its own.
_SHARED = (
    "shmget", "shmat", "shmctl", "semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl",
    "mq_open", "mq_unlink",
)  # fmt: skip


def program(kernel: Kernel, families: Sequence[int], *, shares: bool) -> list[tuple[int, int, int, int]]:
    """The filter. `families`: the kinds of socket that may be made; `shares`: System V's and POSIX's queues may be
    used, since they are not those outside."""
    calls = kernel.calls
    processor, is_x86 = PROCESSORS[kernel.processor]
    lines = [(_LOAD, 0, 0, _PROCESSOR), (_EQUAL, 1, 0, processor), _no(errno.ENOSYS), (_LOAD, 0, 0, _NUMBER)]
    if is_x86:
        lines += [(_AT_LEAST, 0, 1, _X32), _no(errno.ENOSYS)]
    for name in _ABSENT:
        lines += _when(calls[name], [_no(errno.ENOSYS)])
    for name in () if shares else _SHARED:
        lines += _when(calls[name], [_no(errno.EPERM)])
    lines += _when(calls["ioctl"], [(_LOAD, 0, 0, _SECOND), *_none_of(_TYPING, errno.EPERM)])
    lines += _when(calls["socket"], [(_LOAD, 0, 0, _FIRST), *_one_of(families, errno.EAFNOSUPPORT)])
    lines += _when(calls["socketpair"], [(_LOAD, 0, 0, _FIRST), *_one_of((UNIX,), errno.EAFNOSUPPORT)])
    # Limits and priorities of other processes; 0 means one's own.
    lines += _when(calls["prlimit64"], [(_LOAD, 0, 0, _FIRST), *_one_of((0,), errno.EPERM)])
    own = [(_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, 0), _no(errno.EPERM), (_LOAD, 0, 0, _SECOND)]
    lines += _when(calls["setpriority"], [*own, *_one_of((0,), errno.EPERM)])
    return [*lines, (_RETURN, 0, 0, _ALLOW)]


def _no(code: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ERROR | code)


def _when(number: int, lines: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """`lines`, which end by returning, for one system call."""
    return [(_EQUAL, 0, len(lines), number), *lines]


def _one_of(values: Sequence[int], code: int) -> list[tuple[int, int, int, int]]:
    tests = [(_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [*tests, _no(code), (_RETURN, 0, 0, _ALLOW)]


def _none_of(values: Sequence[int], code: int) -> list[tuple[int, int, int, int]]:
    tests = [(_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [*tests, (_RETURN, 0, 0, _ALLOW), _no(code)]


def install(kernel: Kernel, families: Sequence[int], *, shares: bool) -> None:
    """From now on, for this process and all that it starts. Raises OSError."""
    lines = program(kernel, families, shares=shares)
    # Operation, two jumps and an operand: struct sock_filter.
    code = b"".join(structure((line[0], 2)) + bytes(line[1:3]) + structure((line[3], 4)) for line in lines)
    filtered = structure((len(lines), 2)) + bytes(6) + address(code)
    system_call(kernel.calls["prctl"], _SET_SECCOMP, _FILTER, filtered, 0, 0)
