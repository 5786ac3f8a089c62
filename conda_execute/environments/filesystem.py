"""What the file system that holds environments can do."""

from __future__ import annotations

import os
import time

from .. import files
from . import layout

#: Seconds; longer than hosts keep what they read of a network file system (60 by default, on NFS for directories).
NETWORK_PAUSE = 120.0

# fmt: off
_NETWORK = frozenset((
    "9p", "acfs", "afs", "beegfs", "ceph", "cephfs", "cifs", "coda", "dvs", "fhgfs", "gfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb", "smb2", "smb3",
    "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav", "wekafs",
))
_SHARING_LOCKS = frozenset((
    "ceph", "fuse.ceph-fuse", "fuse.glusterfs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs3", "nfs4", "ocfs2",
))
_LOCAL_LOCKS = frozenset(("localflock", "nolock", "local_lock=all", "local_lock=flock", "localflocks"))
# fmt: on


def clock(tmp_envs: str) -> float:
    """The time in seconds by the clock of the environments' file system, the only clock that ages are measured by."""
    path = os.path.join(tmp_envs, layout.LOCKS, ".clock")
    try:
        files.make_directory(os.path.dirname(path))
        files.touch(path)
        return os.stat(path).st_mtime
    except OSError:
        return time.time()  # read-only, or full: good enough to show an age, and nothing can be removed anyway


def is_network(path: str) -> bool:
    """Whether this path is on a file system that other hosts may see, through caches of their own."""
    kind = _mount(path)[0]
    return kind in _NETWORK or kind.startswith("fuse.") or not kind


def shares_locks(path: str) -> bool:
    """Whether a lock here is known to exclude other hosts too, if they can see this file system at all.

    sshfs and others accept `flock` but do not tell the server; neither do NFS and Lustre with certain mount options.
    """
    kind, options = _mount(path)
    if not kind or kind.startswith("fuse.") or kind in _NETWORK:
        return kind in _SHARING_LOCKS and not _LOCAL_LOCKS & set(options.split(","))
    return True


def linked(path: str) -> str | None:
    """The holder of the link next to the file of a lock (`SoftLock`); None if there is no link."""
    try:
        return os.readlink(layout.link(path))
    except FileNotFoundError:
        return None


def _mount(path: str) -> tuple[str, str]:
    """Type and mount options of the file system of this path; empty if unknown, which counts as the worse case."""
    real = os.path.realpath(path)
    best, kind, options = "", "", ""
    for mount, its_kind, its_options in _mounts():
        below = real == mount or real.startswith(mount.rstrip(os.sep) + os.sep)
        if below and len(mount) >= len(best):
            best, kind, options = mount, its_kind.lower(), its_options
    return kind, options


def _mounts() -> list[tuple[str, str, str]]:
    """Path, type and options of each file system, in the order of mounting; none if unknown.

    On Linux without `psutil`: hundreds of processes that wait for one lock ask this, and importing it would cost each
    more than everything else.
    """
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
            fields = [line.split(" ") for line in file]
        return [(_unescaped(path), kind, options) for _, path, kind, options, *_ in fields]
    except OSError:
        import psutil
    try:
        return [(one.mountpoint, one.fstype, one.opts) for one in psutil.disk_partitions(all=True)]
    except OSError:
        return []


def _unescaped(path: str) -> str:
    r"""The path that the kernel wrote into its table: `/a\040b` is `/a b`."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
