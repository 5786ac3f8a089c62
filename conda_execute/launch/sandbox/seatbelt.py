"""The sandbox of macOS, by a profile in its own language. Untried: nobody has run this on a Mac yet.

`sandbox_init` is what `sandbox-exec` calls; both are marked as deprecated and both are what browsers use. The profile
denies everything and allows what the policy does; it survives `execve`, and so keeps the process id. It goes by real
paths (`/tmp` is `/private/tmp`). Loopback is the machine's, with its servers, so that without a network there is none.
"""

from __future__ import annotations

import json
import os

from ...errors import SandboxError
from .policy import DEVICES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .policy import SandboxPolicy

#: What macOS has besides what other systems have.
_SYSTEM = ("/System", "/Library", "/private/etc", "/private/var/db/timezone", "/private/var/db/dyld", "/opt/homebrew")

_START = """\
(version 1)
(deny default)
(allow process-fork process-exec)
(allow process-info* (target same-sandbox))
(allow signal (target same-sandbox))
(allow sysctl-read)
(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))
(allow ipc-posix-sem)
(allow pseudo-tty)
(allow file-read-metadata (literal "/") (subpath "/private") (literal "/tmp") (literal "/var") (literal "/etc"))
(allow file-ioctl (literal "/dev/tty") (regex #"^/dev/ttys[0-9]+$"))
"""


def profile(policy: SandboxPolicy, tmp: str) -> str:
    """The text for `sandbox_init`."""
    if policy.protected:
        lines = ["(version 1)", "(allow default)", *(f"(deny file-write* {_below(path)})" for path in policy.protected)]
        return "\n".join(lines) + "\n"
    lines = [f"(allow file-read* {_below(path)})" for path in (*_SYSTEM, *policy.read)]
    lines += [f"(allow file-read-metadata {_itself(path)})" for path in _above((*policy.read, *policy.write, tmp))]
    lines += [f"(allow file-read* file-write-data {_below(path)})" for path in DEVICES]
    lines += [f"(allow file-read* file-write* {_below(path)})" for path in (*policy.write, tmp)]
    if policy.net:
        lines += ["(allow network*)", "(allow system-socket)"]
    return _START + "\n".join(lines) + "\n"


def _below(path: str) -> str:
    return f"(subpath {json.dumps(os.path.realpath(path), ensure_ascii=False)})"


def _itself(path: str) -> str:
    return f"(literal {json.dumps(path, ensure_ascii=False)})"


def _above(paths: Iterable[str]) -> list[str]:
    """The folders on the way, which programs look at one by one: that they are there, not what they hold."""
    found: set[str] = set()
    for path in paths:
        above = os.path.dirname(os.path.realpath(path))
        while above not in found:
            found.add(above)
            above = os.path.dirname(above)
    return sorted(found)


def enter(policy: SandboxPolicy, tmp: str) -> str:
    """Enter, and return the temporary directory. Raises SandboxError."""
    import ctypes

    said = ctypes.c_char_p()
    library = ctypes.CDLL("/usr/lib/libSystem.B.dylib")
    if library.sandbox_init(profile(policy, tmp).encode(), ctypes.c_uint64(0), ctypes.byref(said)) != 0:
        reason = (said.value or b"no reason given").decode("utf-8", "replace")
        raise SandboxError(f"macOS refuses the sandbox: {reason}")
    return "" if policy.protected else tmp
