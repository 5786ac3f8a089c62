"""The names that conda gives to platforms (subdirs), and what each of them is.

Source: conda's documentation of `subdir`, and CEP 26. Only names: conda-execute need not know which other platforms a
machine can run.
"""

from __future__ import annotations

import os
import sys

_MACHINES = {
    "x86_64": "64",
    "amd64": "64",
    "i386": "32",
    "i686": "32",
    "x86": "32",
    "arm64": "arm64" if sys.platform in ("darwin", "win32") else "aarch64",
    "aarch64": "aarch64",
    "armv6l": "armv6l",
    "armv7l": "armv7l",
    "ppc64le": "ppc64le",
    "ppc64": "ppc64",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loongarch64",
}

KNOWN = (
    *("linux-64", "linux-32", "linux-aarch64", "linux-armv6l", "linux-armv7l", "linux-ppc64le", "linux-ppc64"),
    *("linux-s390x", "linux-riscv64", "linux-riscv32", "linux-loongarch64", "osx-64", "osx-arm64"),
    *("win-64", "win-32", "win-arm64", "freebsd-64", "emscripten-wasm32", "wasi-wasm32", "zos-z"),
)
FAMILIES = ("linux", "osx", "win", "unix")


def host() -> str:
    """The subdir of this machine, by its kernel: `linux-64`, `osx-arm64`, ...

    A 32-bit Python on a 64-bit kernel still means the kernel's platform, since the environment brings its own.
    """
    if sys.platform == "win32":
        # The variable of a 32-bit process on a 64-bit Windows says what the machine is.
        machine = os.environ.get("PROCESSOR_ARCHITEW6432") or os.environ.get("PROCESSOR_ARCHITECTURE", "AMD64")
        family = "win"
    else:
        uname = os.uname()
        machine, family = uname.machine, {"darwin": "osx"}.get(sys.platform, sys.platform.rstrip("0123456789"))
    return f"{family}-{_MACHINES.get(machine.lower(), machine.lower())}"


def family(platform: str) -> str:
    """`linux`, `osx`, `win`, ...: the part before the dash.

    >>> family("linux-aarch64")
    'linux'
    """
    return platform.partition("-")[0]


def families(platform: str) -> tuple[str, ...]:
    """The families that a platform belongs to, the narrowest first: `linux-64` is `linux`, and that is `unix`."""
    name = family(platform)
    return (name,) if name in ("win", "noarch") else (name, "unix")
