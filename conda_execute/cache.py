"""The user's cache directory, and where each thing is in it.

If the home directory cannot be used, a private directory replaces it; only the functions for that one read or change a
disk.

::

    <cache>/
        launch/<absolute path>.sh         launch records; launch.2/ to launch.8/ have those for other callers
        code/<digest>/...                 code given by -c or standard input
        commands/<word after -x>          scripts that run a program of a package
        parsed/<digest>                   what PyYAML found in a text
        scripts/<digest>/                 `${CACHE}` of a script
        scripts/<digest>.script           a symbolic link to that script
        trusted                           URLs the user trusted
        trusted-scripts/<sha256>          their content at that time
"""

from __future__ import annotations

import os
import sys

from .errors import PlaceError
from .files import is_own, is_writable, make_directory_or_fail, open_plain, write_whole
from .lean.digest import digest
from .ownership import is_foreign, others, refuse_others

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    Result = TypeVar("Result")


#: The variable that names the cache, instead of the platform's convention.
ASKED = "CONDA_EXECUTE_CACHE_DIR"

#: The variables that say where a user's files are.
HOMES = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


def home_directory(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """The user's home directory by the environment variables, or None: a container may run as an unknown user."""
    found = environ.get("HOME", "") or (environ.get("USERPROFILE", "") if platform == "win32" else "")
    return found if os.path.isabs(found) else None


def for_our_work(environ: Mapping[str, str], trusted: Sequence[str] = ()) -> Mapping[str, str]:
    """The variables for programs that we start: engines, link scripts of packages, git. A home directory that another
    user controls is replaced with a private one: otherwise these programs would follow that user's configuration, and
    root would leave files of its own there. Raises PlaceError if no private directory can be made."""
    foreign = {name for name in HOMES if environ.get(name) and is_foreign(environ[name], trusted)}
    kept = {name: value for name, value in environ.items() if name not in foreign}
    return {**kept, "HOME": private_directory(environ)} if "HOME" in foreign else kept


def cache_dir(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Where the user's cache of conda-execute should be, or None if there is no home directory for it.

    `CONDA_EXECUTE_CACHE_DIR`, otherwise by the platform's convention: the XDG base directory specification on
    Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows. The launcher computes the same path.
    """
    asked = environ.get(ASKED)
    if asked and os.path.isabs(asked):
        return asked
    home = home_directory(environ, platform)
    if platform == "win32":
        base = environ.get("LOCALAPPDATA") or (home and os.path.join(home, "AppData", "Local"))
        return os.path.join(base, "conda-execute", "Cache") if base else None
    xdg = environ.get("XDG_CACHE_HOME")
    if platform != "darwin" and xdg and os.path.isabs(xdg):
        return os.path.join(xdg, "conda-execute")
    folder = ("Library", "Caches") if platform == "darwin" else (".cache",)
    return os.path.join(home, *folder, "conda-execute") if home else None


def fitting_cache(environ: Mapping[str, str]) -> str:
    """The cache to use: the user's; if that cannot be written to or belongs to another user, a private directory among
    temporary files, next to the environments that are put there in this case. PlaceError if that is not private.

    A cache that was asked for is refused if others can write to it, and otherwise used as it is: failures there are
    reported.
    """
    named = cache_dir(environ)
    if named is not None and named == environ.get(ASKED):
        refuse_others(named, hint=f"set `{ASKED}` to a directory of your own")
        return named
    if named is not None and _fits(named):
        return named
    return private_directory(environ)


def in_a_cache(environ: Mapping[str, str], write: Callable[[str], Result]) -> Result:
    """Call `write` with a cache that it can write to, and return its result; if the user's is full, use the private
    directory."""
    named = fitting_cache(environ)
    try:
        return write(named)
    except OSError as error:
        if named == environ.get(ASKED) or named == private_directory(environ):
            raise PlaceError.refused(error, named, ASKED) from None
    try:
        return write(private_directory(environ))
    except OSError as error:
        raise PlaceError.refused(error, private_directory(environ), ASKED) from None


def private_directory(environ: Mapping[str, str]) -> str:
    """Make a directory of this user among temporary files, for users without another one; PlaceError if it is not
    private."""
    temporary = private_path(environ)
    make_directory_or_fail(temporary)
    hint = "set `CONDA_EXECUTE_ENV_DIR` to a directory of your own"
    if os.path.islink(temporary):
        raise PlaceError(f"`{temporary}` is a symbolic link, which another user may have put there", hint=hint)
    refuse_others(temporary, hint=hint)
    return temporary


def private_path(environ: Mapping[str, str]) -> str:
    """Where that directory is. A batch system may name a TMPDIR that is not on this host."""
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    temporary = os.path.abspath(environ.get("TMPDIR") or "/tmp")  # a script may be moved
    return os.path.join(temporary if is_writable(temporary) else "/tmp", f"conda-execute-{user}")


def _fits(cache: str) -> bool:
    """Whether only we can write to this directory, which may not exist yet."""
    if others(cache) is not None:
        return False
    try:
        make_directory_or_fail(cache)
    except PlaceError:
        return False
    return os.access(cache, os.W_OK | os.X_OK)


def launch_folders(cache: str) -> tuple[str, ...]:
    """The folders of launch records, in the order in which the launcher searches them. A script has at most one record
    in each: one for each way in which it is called."""
    return tuple(os.path.join(cache, name) for name in ("launch", *(f"launch.{number}" for number in range(2, 9))))


def launch_records(cache: str, script: str) -> tuple[str, ...]:
    """The paths that launch records of the script at this absolute path may have: its path below each folder, plus
    `.sh`."""
    return tuple(os.path.join(folder, script.lstrip("/") + ".sh") for folder in launch_folders(cache))


def disposable(cache: str) -> tuple[str, ...]:
    """The folders whose loss only costs time."""
    return (*launch_folders(cache), *(os.path.join(cache, name) for name in ("code", "commands", "parsed", "scripts")))


def code_folder(cache: str, digest: str) -> str:
    return os.path.join(cache, "code", digest)


def commands_folder(cache: str) -> str:
    return os.path.join(cache, "commands")


def parsed_text(cache: str, digest: str) -> str:
    return os.path.join(cache, "parsed", digest)


class Parsed:
    """Results of parsing texts, by the digests of the texts: files that only this user can have written."""

    def __init__(self, cache: str) -> None:
        self._cache = cache

    def recall(self, digest: str) -> bytes | None:
        try:
            with open_plain(parsed_text(self._cache, digest)) as file:
                found = os.fstat(file.fileno())
                return file.read() if is_own(found) and not found.st_mode & 0o022 else None
        except OSError:
            return None

    def keep(self, digest: str, data: bytes) -> None:
        try:
            if others(self._cache) is None:
                write_whole(parsed_text(self._cache, digest), data)
        except OSError:
            pass


def script_cache(cache: str, script: str) -> str:
    """The directory `${CACHE}` of the script at this absolute path."""
    return os.path.join(cache, "scripts", digest(os.fsencode(script))[:20])


#: The suffix of the link next to a script's cache directory.
SCRIPT_LINK = ".script"


def trusted_copy(cache: str, digest: str) -> str:
    """The copy of a trusted script, by the SHA-256 of its content."""
    return os.path.join(cache, "trusted-scripts", digest)


def trusted_file(cache: str) -> str:
    return os.path.join(cache, "trusted")


def rattler_cache(environ: Mapping[str, str]) -> str:
    """Where rattler, and tools that use it, keep packages and repodata."""
    return environ.get("RATTLER_CACHE_DIR") or os.path.join(_caches(environ), "rattler", "cache")


def uv_cache(environ: Mapping[str, str]) -> str:
    """Where uv keeps what it downloaded, by default. (On macOS it is elsewhere in the same home directory.)"""
    return os.path.join(_caches(environ), "uv")


def _caches(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    if sys.platform == "win32":
        return environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches")
    xdg = environ.get("XDG_CACHE_HOME", "")
    return xdg if os.path.isabs(xdg) else os.path.join(home, ".cache")
