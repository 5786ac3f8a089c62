"""Where things lie. Path arithmetic only: nothing here reads or changes a disk.

::

    <root>/tmp_envs/                      one per user and platform (or per conda install that the user owns)
        <name>/                           a prefix; a conda prefix is never renamed into use
            conda-meta/conda-execute      the marker: the environment is ready. No `.json` suffix, since every
                                          `conda-meta/*.json` is a package record to conda and py-rattler
            conda-meta/conda-execute.aside            the marker, put aside by a sweeper
            conda-meta/conda-execute.uses-<build>/    one empty file per use: <pid>-<start>@<place>
            conda-meta/conda-execute.hosts-<build>/   one empty file per host found fit for the environment
            conda-meta/conda-execute.keep             never clean this one automatically
        .locks/<name>.lock                held while a prefix is made or removed, never unlinked
        .trash/<name>-<random>/           prefixes being deleted
        .swept, .due                      time of the last sweep, and of the next, as mtimes

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

from . import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MARKER = "conda-execute"
MARKER_ASIDE = "conda-execute.aside"
USES = "conda-execute.uses-"
HOSTS = "conda-execute.hosts-"
KEEP = "conda-execute.keep"

LOCKS = ".locks"
TRASH = ".trash"
SWEPT = ".swept"
DUE = ".due"


def conda_meta(prefix: str) -> str:
    return os.path.join(prefix, "conda-meta")


def marker(prefix: str) -> str:
    return os.path.join(prefix, "conda-meta", MARKER)


def marker_aside(prefix: str) -> str:
    return os.path.join(prefix, "conda-meta", MARKER_ASIDE)


def uses(prefix: str, build: str) -> str:
    return os.path.join(prefix, "conda-meta", USES + build)


def hosts(prefix: str, build: str) -> str:
    return os.path.join(prefix, "conda-meta", HOSTS + build)


def keep(prefix: str) -> str:
    return os.path.join(prefix, "conda-meta", KEEP)


def prefix(tmp_envs: str, name: str) -> str:
    return os.path.join(tmp_envs, name)


def lock(tmp_envs: str, name: str) -> str:
    return os.path.join(tmp_envs, LOCKS, name + ".lock")


def trash(tmp_envs: str) -> str:
    return os.path.join(tmp_envs, TRASH)


def swept(tmp_envs: str) -> str:
    return os.path.join(tmp_envs, SWEPT)


def due(tmp_envs: str) -> str:
    return os.path.join(tmp_envs, DUE)


def home() -> str | None:
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


def code(cache: str, digest: str) -> str:
    return os.path.join(cache, "code", digest)


def script_cache(cache: str, script: str) -> str:
    """The directory that `${CACHE}` means for the script at this absolute path."""
    return os.path.join(cache, "scripts", digest.digest(os.fsencode(script))[:20])


#: Ends the name of the link that stands beside a script's cache directory.
SCRIPT_LINK = ".script"


def trusted(cache: str) -> str:
    return os.path.join(cache, "trusted")
