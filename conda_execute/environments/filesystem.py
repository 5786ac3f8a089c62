"""What a file system can do that holds environments."""

from __future__ import annotations

import os

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
    import psutil

    real = os.path.realpath(path)
    best, kind, options = "", "", ""
    try:
        partitions = psutil.disk_partitions(all=True)
    except OSError:
        return "", ""
    for partition in partitions:
        mount = partition.mountpoint
        below = real == mount or real.startswith(mount.rstrip(os.sep) + os.sep)
        if below and len(mount) >= len(best):
            best, kind, options = mount, partition.fstype.lower(), getattr(partition, "opts", "")
    return kind, options
