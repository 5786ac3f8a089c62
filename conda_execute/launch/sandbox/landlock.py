"""Landlock: what this process and all that it starts may do with files, other processes and abstract sockets.

Rules only ever take away, and survive `execve`. Nothing here needs a privilege.
"""

from __future__ import annotations

import os
import stat
import sys

from ...lean.system_call import structure, system_call
from .policy import DEVICES

assert sys.platform == "linux"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .kernel import Kernel
    from .policy import SandboxPolicy

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_READ = EXECUTE | READ_FILE | READ_DIR

#: What can be said of a file that is no directory.
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

    `root`: the root directory has only what may be read, so that one rule says it for all. `net`: TCP is free. Raises
    OSError.
    """
    calls, known = kernel.calls, rights(kernel.landlock)
    attributes = ruleset(kernel.landlock, net=net)
    rules = system_call(calls["landlock_create_ruleset"], attributes, len(attributes), 0)

    def allow(path: str, what: int) -> None:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            what &= _OF_FILES
        beneath = structure((what & known, 8), (opened, 4))
        system_call(calls["landlock_add_rule"], rules, _PATH_BENEATH, beneath, 0)
        os.close(opened)

    for path in ("/",) if root else policy.read:
        allow(path, _READ)
    for path in DEVICES:
        allow(path, READ_FILE | WRITE_FILE | IOCTL_DEV)
    for path in (*policy.write, *places):
        allow(path, known)
    system_call(calls["prctl"], _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    system_call(calls["landlock_restrict_self"], rules, 0)
    os.close(rules)
