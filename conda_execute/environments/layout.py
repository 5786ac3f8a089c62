"""Where things are. Path arithmetic only: nothing here reads or changes a disk.

::

    <root>/tmp_envs/                      one per user and platform (or per conda install that the user owns)
        <name>/                           a prefix; a conda prefix is never renamed into use
            conda-meta/conda-execute      the marker: the environment is ready. No `.json` suffix, since every
                                          `conda-meta/*.json` is a package record to conda and py-rattler
            conda-meta/conda-execute.aside            the marker, put aside by a sweeper
            conda-meta/conda-execute.uses-<build>/    one empty file per use: <pid>-<start>@<place>
            conda-meta/conda-execute.hosts-<build>/   one empty file per host found fit for the environment
            conda-meta/conda-execute.keep             never clean this one automatically
            conda-meta/conda-execute.renew-<seconds>  its mtime: when an environment that is to get so old is too old
        .locks/<name>.lock                held while a prefix is made or removed, never unlinked
        .trash/<name>-<random>/           prefixes being deleted
        .boots/<boot id>                  which machine it was that had this boot (`machine`)
        .boots/<boot id>.swept, .due      times of its last sweep, and of the next, as mtimes
        .boots/<boot id>.lock             held while it sweeps
"""

from __future__ import annotations

import os

MARKER = "conda-execute"
MARKER_ASIDE = "conda-execute.aside"
USES = "conda-execute.uses-"
HOSTS = "conda-execute.hosts-"
KEEP = "conda-execute.keep"

LOCKS = ".locks"
#: What a cleaner writes into the lock of an environment that it deletes; a creator writes the name of its script.
CLEANER = "conda tmpenv clear"
TRASH = ".trash"
BOOTS = ".boots"


def conda_meta(prefix: str) -> str:
    return os.path.join(prefix, "conda-meta")


#: The name of the directory that holds environments, wherever it is.
TMP_ENVS = "tmp_envs"


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


def renew(prefix: str, seconds: float) -> str:
    return os.path.join(prefix, "conda-meta", f"conda-execute.renew-{seconds:g}")


def state(prefix: str) -> str:
    """The file that `conda env config vars` writes."""
    return os.path.join(prefix, "conda-meta", "state")


def prefix(tmp_envs: str, name: str) -> str:
    return os.path.join(tmp_envs, name)


def lock(tmp_envs: str, name: str) -> str:
    return os.path.join(tmp_envs, LOCKS, name + ".lock")


def link(lock: str) -> str:
    """The symbolic link that is a lock where a file cannot be locked."""
    return lock.removesuffix(".lock") + ".softlock"


def trash(tmp_envs: str) -> str:
    return os.path.join(tmp_envs, TRASH)


def boots(tmp_envs: str) -> str:
    return os.path.join(tmp_envs, BOOTS)


def machine(tmp_envs: str, boot: str) -> str:
    return os.path.join(tmp_envs, BOOTS, boot)


def swept(tmp_envs: str, boot: str) -> str:
    return os.path.join(tmp_envs, BOOTS, boot + ".swept")


def due(tmp_envs: str, boot: str) -> str:
    return os.path.join(tmp_envs, BOOTS, boot + ".due")


def sweep_lock(tmp_envs: str, boot: str) -> str:
    return os.path.join(tmp_envs, BOOTS, boot + ".lock")
