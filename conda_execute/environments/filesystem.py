"""What a file system can do that holds environments."""

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
    """What the clock of the environments' file system says, in seconds: the only one that ages are measured by."""
    path = os.path.join(tmp_envs, layout.LOCKS, ".clock")
    try:
        files.make_directory(os.path.dirname(path))
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        os.utime(path)
        return os.stat(path).st_mtime
    except OSError:
        return time.time()  # read-only, or full: good enough to show an age, and nothing can be removed anyway


def is_network(path: str) -> bool:
    """Whether this path lies on a file system that other hosts may see, with caches between them and us."""
    kind = _mount(path)[0]
    return kind in _NETWORK or kind.startswith("fuse.") or not kind


def shares_locks(path: str) -> bool:
    """Whether a lock here is known to exclude other hosts too, where they can see this file system at all.

    sshfs and others accept `flock` and keep it to themselves; NFS and Lustre do so where a mount option says it.
    """
    kind, options = _mount(path)
    if not kind or kind.startswith("fuse.") or kind in _NETWORK:
        return kind in _SHARING_LOCKS and not _LOCAL_LOCKS & set(options.split(","))
    return True


def _mount(path: str) -> tuple[str, str]:
    """Kind and options of the file system of this path; empty where nobody says: the worse case."""
    real = os.path.realpath(path)
    best, kind, options = "", "", ""
    for mount, its_kind, its_options in _mounts():
        below = real == mount or real.startswith(mount.rstrip(os.sep) + os.sep)
        if below and len(mount) >= len(best):
            best, kind, options = mount, its_kind.lower(), its_options
    return kind, options


def _mounts() -> list[tuple[str, str, str]]:
    """Path, kind and options of each file system, in the order of mounting; none where nobody says.

    Of Linux by itself: hundreds that wait for one lock ask this, and `psutil` costs each more than all the rest.
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
    r"""A path as the kernel writes it into its table: `/a\040b` is `/a b`."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
