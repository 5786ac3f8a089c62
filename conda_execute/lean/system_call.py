"""System calls by number, for runs that cannot import `ctypes`: it costs more than a sandbox does.

`_ctypes`, which it is made of, costs a sixth of it.
"""

from __future__ import annotations

import _ctypes
import os
import sys


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _String(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "z"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


_syscall = _Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "syscall"))  # type: ignore[arg-type,attr-defined,unused-ignore]


def system_call(number: int, *arguments: int | bytes | None) -> int:
    """What the kernel returns. Bytes are passed by address: a path, or a structure. Raises OSError."""
    words = [_Long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result: int = _syscall(_Long(number), *words)
    if result == -1:
        code = _ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def structure(*fields: tuple[int, int]) -> bytes:
    """Numbers, each with its size in bytes, one after the other as the kernel reads them. (`struct` takes as long to be
    imported as all of this module.)"""
    return b"".join([number.to_bytes(size, sys.byteorder) for number, size in fields])


def address(data: bytes) -> bytes:
    """Where `data` lies in memory, as a structure holds it. Keep a reference to `data` as long as that is used."""
    return bytes(memoryview(_String(data)))
