"""What Landlock and a filter of system calls forbid this process and all that it starts. Nothing gives it back.

Landlock says what may be done with files, other processes and abstract sockets. The filter, in the kernel's own little
language (BPF), is for what neither Landlock nor a namespace stops; it sees numbers, never what an address points to.
Both only ever take away, survive `execve`, and need no privilege.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from .kernel import PROCESSORS, address, call_number, structure, system_call
from .policy import DEVICES

assert sys.platform == "linux"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .kernel import Kernel
    from .policy import SandboxPolicy

# Landlock --------------------------------------------------------------------------------------------------------

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_READ = EXECUTE | READ_FILE | READ_DIR

#: The rights that apply to files, as opposed to directories.
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

#: TCP: to bind, and to connect.
_TCP = 1 << 0 | 1 << 1
#: Abstract sockets, and signals.
_SCOPES = 1 << 0 | 1 << 1

_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38


def rights(abi: int) -> int:
    """Every right over files that this version of Landlock knows."""
    known = (1 << 13) - 1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        known |= right if abi >= since else 0
    return known


def ruleset(abi: int, *, net: bool) -> bytes:
    """The structure that says what is forbidden where no rule allows it."""
    fields = [rights(abi)]
    if abi >= 4:
        fields.append(0 if net else _TCP)
    if abi >= 6:
        fields.append(_SCOPES)
    return structure(*((field, 8) for field in fields))


def restrict(kernel: Kernel, policy: SandboxPolicy, places: Sequence[str], *, root: bool = False, net: bool) -> None:
    """Allow what the policy allows, and to write in `places`, and nothing else.

    `root`: the root directory has only what may be read, and `/dev` only what may be used, so that one rule says it for
    all. `net`: TCP is free. Raises OSError.
    """
    known = rights(kernel.landlock)
    attributes = ruleset(kernel.landlock, net=net)
    rules = system_call("landlock_create_ruleset", attributes, len(attributes), 0)

    def allow(path: str, what: int) -> None:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            what &= _OF_FILES
        if path in policy.write and os.readlink(f"/proc/self/fd/{opened}") != path:
            raise OSError(errno.ELOOP, f"`{path}` was replaced with a link")
        beneath = structure((what & known, 8), (opened, 4))
        system_call("landlock_add_rule", rules, _PATH_BENEATH, beneath, 0)
        os.close(opened)

    for path in ("/",) if root else policy.read:
        allow(path, _READ)
    for path in ("/dev",) if root else DEVICES:
        allow(path, READ_FILE | WRITE_FILE | IOCTL_DEV)
    for path in (*policy.write, *places):
        allow(path, known)
    system_call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    system_call("landlock_restrict_self", rules, 0)
    os.close(rules)


# The filter ------------------------------------------------------------------------------------------------------

_SET_SECCOMP, _FILTER = 22, 2

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _PROCESSOR, _FIRST, _SECOND = 0, 4, 16, 24
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000

#: The system calls of x32, a third kind of programs on x86-64.
_X32 = 0x40000000

#: What types characters into the terminal, as if a person did.
_TYPING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

UNIX, INTERNET, NETLINK = 1, (2, 10), 16

#: Asked for, these are not there: io_uring makes sockets and opens files out of a filter's sight, keys of the session
#: are the user's own, and the kernel's log is about everybody. The rest has opened many a kernel, and few scripts.
_ABSENT = (
    "io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl", "syslog", "bpf",
    "perf_event_open", "userfaultfd",
)  # fmt: skip

#: What processes share outside of any file; a namespace has its own.
_SHARED = (
    "shmget", "shmat", "shmctl", "semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl",
    "mq_open", "mq_unlink",
)  # fmt: skip

#: What is done to a process, named first, and to one that is named after a number that says "a process". 0 is the one
#: that calls. Of other numbers, no filter knows whether they are outside. Libraries give their own threads the usual
#: scheduler by number, and end the program where that fails (ZeroMQ does): it is answered as if it had been done.
_OF_A_PROCESS = (
    ("prlimit64", errno.EPERM), ("sched_setaffinity", 0), ("sched_setattr", 0), ("sched_setparam", 0),
    ("sched_setscheduler", 0),
)  # fmt: skip
_OF_A_KIND_OF_PROCESS = (("setpriority", 0), ("ioprio_set", 1))


def filtering(processor: str, families: Sequence[int], *, shares: bool) -> list[int]:
    """The filter. `families`: the kinds of socket that may be made; `shares`: System V's and POSIX's queues may be
    used, since they are not those outside."""

    def call(name: str) -> int:
        return call_number(name, processor)

    lines = [_line(_LOAD, _PROCESSOR), _line(_EQUAL, PROCESSORS[processor], 1), _no(errno.ENOSYS)]
    lines.append(_line(_LOAD, _NUMBER))
    if processor == "x86_64":
        lines += [_line(_AT_LEAST, _X32, 0, 1), _no(errno.ENOSYS)]
    for name in _ABSENT:
        lines += _when(call(name), [_no(errno.ENOSYS)])
    for name in () if shares else _SHARED:
        lines += _when(call(name), [_no(errno.EPERM)])
    lines += _when(call("ioctl"), [_line(_LOAD, _SECOND), *_none_of(_TYPING, errno.EPERM)])
    lines += _when(call("socket"), [_line(_LOAD, _FIRST), *_one_of(families, errno.EAFNOSUPPORT)])
    lines += _when(call("socketpair"), [_line(_LOAD, _FIRST), *_one_of((UNIX,), errno.EAFNOSUPPORT)])
    for name, error in _OF_A_PROCESS:
        lines += _when(call(name), [_line(_LOAD, _FIRST), *_one_of((0,), error)])
    for name, itself in _OF_A_KIND_OF_PROCESS:
        own = [_line(_LOAD, _FIRST), _line(_EQUAL, itself, 1), _no(errno.EPERM), _line(_LOAD, _SECOND)]
        lines += _when(call(name), [*own, *_one_of((0,), errno.EPERM)])
    return [*lines, _line(_RETURN, _ALLOW)]


def _line(what: int, operand: int, yes: int = 0, no: int = 0) -> int:
    """A struct sock_filter: an operation, how far it jumps, and an operand. Every processor here is little-endian."""
    return what | yes << 16 | no << 24 | operand << 32


def _no(code: int) -> int:
    return _line(_RETURN, _ERROR | code)


def _when(number: int, lines: list[int]) -> list[int]:
    """`lines`, which end by returning, for one system call."""
    return [_line(_EQUAL, number, 0, len(lines)), *lines]


def _one_of(values: Sequence[int], code: int) -> list[int]:
    return [*_tests(values), _no(code), _line(_RETURN, _ALLOW)]


def _none_of(values: Sequence[int], code: int) -> list[int]:
    return [*_tests(values), _line(_RETURN, _ALLOW), _no(code)]


def _tests(values: Sequence[int]) -> list[int]:
    """Jumps over what comes next, for these."""
    return [_line(_EQUAL, value, len(values) - index) for index, value in enumerate(values)]


def install(lines: Sequence[int]) -> None:
    """A filter, from now on, for this process and all that it starts. Raises OSError."""
    code = b"".join([line.to_bytes(8, "little") for line in lines])
    filtered = structure((len(lines), 2)) + bytes(6) + address(code)
    system_call("prctl", _SET_SECCOMP, _FILTER, filtered, 0, 0)
