"""What this kernel has to keep a script in, what a sandbox needs of it (the table of the documentation), and its calls.

`look` asks the kernel, and `system_call` makes the calls that Python has no function for; everything else decides by
values. All of it is one file, and without `ctypes`, since a run in a sandbox waits for each file that is imported.
"""

from __future__ import annotations

import errno
import functools
import os
import sys

from ...lean.values import dataclass

#: The ABI of Landlock that `--sandbox` needs: from this one on, no signal and no abstract socket leads out.
FLOOR = 6

#: The processors whose system calls are known here, as the kernel counts architectures.
PROCESSORS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3, "loongarch64": 0xC0000102}

_RESTRICTIONS = (
    ("/proc/sys/user/max_user_namespaces", "0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
)


@dataclass(frozen=True)
class Kernel:
    """What a sandbox is made of."""

    release: str
    processor: str
    #: The version of Landlock's interface; 0: there is none.
    landlock: int
    #: Why there is no Landlock, in words.
    landlock_lack: str = ""
    #: The setting that forbids namespaces of a user's own; None: none known does.
    forbids_namespaces: str | None = None


#: Numbers of system calls: on x86-64, and on the processors that came later. Those from 424 on are the same.
_CALLS = {
    "ioctl": (16, 29), "socket": (41, 198), "socketpair": (53, 199), "setpriority": (141, 140),
    "prlimit64": (302, 261), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "prctl": (157, 167), "capset": (126, 91),
    "mount": (165, 40), "unshare": (272, 97), "ioprio_set": (251, 30), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setaffinity": (203, 122), "sched_setattr": (314, 274),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "syslog": (103, 116), "open_tree": (428, 428), "move_mount": (429, 429), "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445), "landlock_restrict_self": (446, 446),
}  # fmt: skip


def call_number(name: str, processor: str) -> int:
    return _CALLS[name][0 if processor == "x86_64" else 1]


if os.name == "posix":
    # What `ctypes` is made of costs a sixth of it.
    import _ctypes

    class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "l"

    class _String(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "z"

    class _Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = _Long

    _syscall = _Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "syscall"))  # type: ignore[arg-type,attr-defined,unused-ignore]

    _processor = os.uname().machine  # type: ignore[attr-defined,unused-ignore]

    def system_call(name: str, *arguments: int | bytes | None) -> int:
        """What the kernel returns. Bytes are passed by address: a path, or a structure. Raises OSError."""
        words = [_Long(argument) if isinstance(argument, int) else argument for argument in arguments]
        result: int = _syscall(_Long(call_number(name, _processor)), *words)
        if result == -1:
            code = _ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    def address(data: bytes) -> bytes:
        """Where `data` lies in memory, as a structure holds it. Keep a reference to `data` as long as that is used."""
        return bytes(memoryview(_String(data)))


def structure(*fields: tuple[int, int]) -> bytes:
    """Numbers, each with its size in bytes, one after the other as the kernel reads them."""
    return b"".join([number.to_bytes(size, sys.byteorder) for number, size in fields])


@functools.cache
def look() -> Kernel:
    """This machine's kernel. It is asked once: before an environment is made, and it stays the same."""
    if sys.platform != "linux":
        raise AssertionError("Linux only")
    machine = os.uname()
    abi, lack = 0, ""
    try:
        abi = system_call("landlock_create_ruleset", None, 0, 1)
    except OSError as error:
        whys = {errno.EOPNOTSUPP: "switched off at boot", errno.EPERM: "forbidden, as containers forbid system calls"}
        lack = whys.get(error.errno or 0, "not part of this kernel")
    return Kernel(machine.release, machine.machine, abi, lack, _forbids_namespaces())


def _forbids_namespaces() -> str | None:
    """The setting by which this machine forbids user namespaces, so far as they say so."""
    if sys.platform != "linux":
        raise AssertionError("Linux only")
    for path, forbidding in _RESTRICTIONS:
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            value = os.read(file, 16).decode().strip()
            os.close(file)
        except OSError:
            continue
        if value == forbidding and not (os.geteuid() == 0 and not path.startswith("/proc/sys/user/")):
            return f"{path.removeprefix('/proc/sys/').replace('/', '.')}={value}"
    return None


def lack(kernel: Kernel, *, environments_only: bool = False) -> str | None:
    """What the kernel lacks for a sandbox, in words, or None if it has all that is needed."""
    if kernel.processor not in PROCESSORS:
        return f"its system calls on a `{kernel.processor}` processor are not known to conda-execute"
    if environments_only:
        forbidden = kernel.forbids_namespaces
        return f"user namespaces are forbidden here (`{forbidden}`)" if forbidden else None
    if not kernel.landlock:
        return f"Landlock is {kernel.landlock_lack}"
    if kernel.landlock < FLOOR:
        return (
            f"its Landlock has ABI {kernel.landlock}, and only from ABI {FLOOR} (Linux 6.12) on can a script be kept "
            "from sending signals to other processes"
        )
    return None
