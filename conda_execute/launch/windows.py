"""Windows, which has no exec: we wait for the program, in a job object that ends with us, and end with its status."""

from __future__ import annotations

import sys

from ..lean.values import replace
from .children import leave, wait
from .sourcing import sourced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from .activation import Activation

assert sys.platform == "win32"


def spawn_and_leave(argv: Sequence[str], activation: Activation) -> NoReturn:
    """Run `argv` in the activated environment, and end as it ends."""
    environ = sourced(activation)
    activation = replace(activation, environ=environ, scripts=(), outer_scripts=())
    release = _enter_job()
    returncode = wait(argv, activation).returncode
    # What the script left running on purpose outlives us, as it does where exec exists.
    release()
    leave(returncode)


def _enter_job() -> Callable[[], None]:
    """Join a job object whose processes end when we are killed; returns what lifts that again."""
    import ctypes
    from ctypes import wintypes

    kill_on_close, extended_limits = 0x2000, 9
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION: LimitFlags is after two 64 bit times.
    size = 144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
    job = kernel.CreateJobObjectW(None, None)

    def limit(flags: int) -> None:
        limits = ctypes.create_string_buffer(size)
        ctypes.c_uint32.from_buffer(limits, 16).value = flags
        kernel.SetInformationJobObject(job, extended_limits, limits, size)

    if job:
        limit(kill_on_close)
        kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())
    return (lambda: limit(0)) if job else (lambda: None)
