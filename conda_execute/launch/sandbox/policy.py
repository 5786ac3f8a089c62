"""What a script may touch: a frozen value, worked out before anything is entered.

A header can only narrow what the person who runs the script allows.
"""

from __future__ import annotations

import os

from ...errors import HeaderError, UsageError
from ...lean.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...model import Narrowing

#: What belongs to the system: can be read, and nothing else. Those that are not there do not matter.
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store", "/gnu/store",
    "/proc", "/sys",
)  # fmt: skip

#: Directories of many users or of the whole system: never opened because somebody happens to work there.
SHARED = (*SYSTEM, "/tmp", "/var", "/var/tmp", "/run", "/dev", "/dev/shm", "/home", "/mnt", "/media", "/srv")

#: Devices that hold nothing.
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")

#: Variables that a script sees without being allowed to by name; with a `*`, all that begin so.
VARIABLES = (
    "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "USER",
    "LOGNAME", "SHELL", "OMP_NUM_THREADS",
)  # fmt: skip


@dataclass(frozen=True)
class SandboxPolicy:
    """Paths are absolute, and those of `write` real: what is a link when the sandbox is entered was exchanged."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    net: bool = False
    #: The working directory to be in.
    folder: str = "/"
    #: If there are any, these are protected from being written to, and everything else is as outside.
    protected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outside:
    """What there is: a script to run in an environment, from a working directory. Paths are absolute."""

    environment: str
    #: A file; its folder can be read too, if it has one that is about it.
    script: str
    has_folder: bool
    folder: str
    home: str | None
    #: What all scripts share: environments and caches.
    shared: tuple[str, ...]


def decide(
    outside: Outside, narrowing: Narrowing | None, *, write: Sequence[str] = (), net: bool = False
) -> tuple[SandboxPolicy, bool]:
    """The policy, and whether the working directory is left out of it, because it holds more than a script should see.

    `write` are the folders that may be written to instead of the working directory. Raises UsageError for one that
    would let the script change what all scripts share, and HeaderError for a header that asks for more.
    """
    folder, own = outside.folder, os.path.dirname(outside.script)
    shared = [os.path.realpath(path) for path in outside.shared]
    private = [*shared, os.path.realpath(outside.home)] if outside.home else shared
    opens = {path: not _holds_too_much(os.path.realpath(path), private, shared) for path in {folder, own}}
    open_folder = opens[folder]
    named = [os.path.normpath(os.path.join(folder, path)) for path in write]
    writable = tuple(_asked(path, outside) for path in write) or ((folder,) if open_folder else ())
    if narrowing is not None:
        net = net and narrowing.net
        if narrowing.write is not None:
            writable = tuple(_narrowed(path, folder, writable, narrowing) for path in narrowing.write)
    shows_own = outside.has_folder and opens[own]
    read = [*SYSTEM, outside.environment, own if shows_own else outside.script, *_ourselves()]
    read += [path for path in named if path not in writable and os.path.realpath(path) in writable]
    if open_folder:
        read.append(folder)
    if net:
        read.append(os.path.realpath("/etc/resolv.conf"))
    policy = SandboxPolicy(tuple(read), writable, net, folder)
    return policy, not open_folder and not write


def protect(outside: Outside) -> SandboxPolicy:
    """Environments and caches cannot be written to; everything else is as outside."""
    return SandboxPolicy(folder=outside.folder, protected=tuple(path for path in outside.shared if os.path.isdir(path)))


def installing(folders: Sequence[str], needed: Sequence[str], beside: str, home: str | None) -> SandboxPolicy:
    """For what installs into an environment and may start its interpreter: writes to these folders alone.

    `beside` is the script's folder, where wheels may lie. It is as closed as it is for the script: what packages run
    here has a network.
    """
    private = [os.path.realpath(path) for path in (home, *folders) if path]
    if not _holds_too_much(os.path.realpath(beside), private, ()):
        needed = (*needed, beside)
    names = os.path.realpath("/etc/resolv.conf")
    read = (*SYSTEM, *needed, *map(os.path.realpath, needed), *_ourselves(), names, *folders)
    return SandboxPolicy(read, tuple(map(os.path.realpath, folders)), net=True, folder=folders[0])


def _ourselves() -> tuple[str, ...]:
    """What this interpreter needs to go on: its library, and this package."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    return os.path.dirname(os.__file__), os.path.join(package, "conda_execute")


def _holds_too_much(folder: str, private: Sequence[str], shared: Sequence[str]) -> bool:
    """Whether a folder is the home or above it, a directory of the system's, or has to do with what is shared."""
    above = any(is_within(path, folder) for path in private)
    in_shared = any(is_within(folder, path) for path in shared)
    return above or in_shared or folder == "/" or folder in SHARED or is_within(folder, "/proc")


def _asked(path: str, outside: Outside) -> str:
    absolute = os.path.normpath(os.path.join(outside.folder, path))
    if not os.path.isdir(absolute):
        raise UsageError(f"`--allow-write`: there is no directory `{path}`")
    real = os.path.realpath(absolute)
    for shared in outside.shared:
        if is_within(os.path.realpath(shared), real) or is_within(real, os.path.realpath(shared)):
            raise UsageError(
                f"`--allow-write {path}` would let the script change `{shared}`, which other scripts use",
                hint="name an unrelated directory",
            )
    return real


def _narrowed(path: str, folder: str, allowed: Sequence[str], narrowing: Narrowing) -> str:
    """A folder that the header wants to write to."""
    wanted = os.path.realpath(os.path.join(folder, path))
    if not any(is_within(wanted, os.path.realpath(one)) for one in allowed):
        raise HeaderError(
            f"`sandbox` asks to write to `{path}`, which is not in a folder that the script may write to",
            where=narrowing.where or (),
            hint="a header can only narrow the sandbox; `--allow-write DIR` opens a folder",
        )
    return wanted


def visible(environ: Mapping[str, str], allowed: Sequence[str]) -> dict[str, str]:
    """The variables that a script sees, of those outside: PATH as far as it can be read, and no environment."""
    names = (*VARIABLES, *allowed)
    exact = {name for name in names if not name.endswith("*")}
    beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
    seen = {name: value for name, value in environ.items() if name in exact or name.startswith(beginnings)}
    path = environ.get("PATH", os.defpath).split(os.pathsep)
    seen["PATH"] = os.pathsep.join(one for one in path if any(is_within(one, top) for top in SYSTEM[:-2]))
    return seen


def is_within(path: str, folder: str) -> bool:
    """Both absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
