"""The user's cache directory, and where each thing is in it. Path arithmetic only.

::

    <cache>/
        launch/<absolute path>.sh         launch records, one per script
        code/<digest>/...                 code given by -c or standard input
        scripts/<digest>/                 `${CACHE}` of a script
        scripts/<digest>.script           a symbolic link to that script
        trusted                           URLs the user trusted
"""

from __future__ import annotations

import os
import sys

from .lean.digest import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def home_directory() -> str | None:
    """The user's home, or None: a container may run as a user that nobody knows."""
    found = os.path.expanduser("~") if os.environ.get("HOME") != "" else ""
    return found if os.path.isabs(found) else None


def cache_dir(environ: Mapping[str, str], home: str | None) -> str | None:
    """The user's cache directory for conda-execute, or None where there is no home to put it in.

    `CONDA_EXECUTE_CACHE_DIR`, else what the platform's convention says: the XDG base directory specification on
    Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows. The launcher works out the same path.
    """
    asked = environ.get("CONDA_EXECUTE_CACHE_DIR")
    if asked and os.path.isabs(asked):
        return asked
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA") or (home and os.path.join(home, "AppData", "Local"))
        return os.path.join(base, "conda-execute", "Cache") if base else None
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "conda-execute") if home else None
    xdg = environ.get("XDG_CACHE_HOME")
    if xdg and os.path.isabs(xdg):
        return os.path.join(xdg, "conda-execute")
    return os.path.join(home, ".cache", "conda-execute") if home else None


def launch_record(cache: str, script: str) -> str:
    """The launch record of the script at this absolute path: the path itself, below `launch/`, plus `.sh`."""
    return os.path.join(cache, "launch", script.lstrip("/") + ".sh")


def code_folder(cache: str, digest: str) -> str:
    return os.path.join(cache, "code", digest)


def script_cache(cache: str, script: str) -> str:
    """The directory that `${CACHE}` means for the script at this absolute path."""
    return os.path.join(cache, "scripts", digest(os.fsencode(script))[:20])


#: Ends the name of the link that stands beside a script's cache directory.
SCRIPT_LINK = ".script"


def trusted_file(cache: str) -> str:
    return os.path.join(cache, "trusted")
