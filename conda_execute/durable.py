"""What is on the disk, and not only promised to be: what a power cut leaves.

A file system may keep a name and lose what the file held. So whatever says that something is complete is written when
that has reached the disk (`settle`), and is flushed itself (`flush`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of others that may wait to be written too, where one call has the whole file system written.
_FEW = 64 << 20

#: Begin to write what is in memory, and do not wait (`SYNC_FILE_RANGE_WRITE`).
_BEGIN = 2

#: macOS: fsync hands data to the drive, and this has the drive write it (`F_FULLFSYNC`).
_FULL = 51


def flush(descriptor: int) -> None:
    """Return when this file is on the disk, and on macOS all that was handed to the drive before. Raises OSError."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, _FULL)
            return
        except OSError:
            pass  # a file system that cannot, as on a network
    os.fsync(descriptor)


def settle(directory: str, size: int) -> None:
    """Return when everything below a directory, about `size` bytes, is on the disk. Raises OSError.

    `syncfs` is the quickest where little else waits to be written: a quarter of the time of an fsync for each of a
    thousand files. Next to two gigabytes of somebody else's it takes seconds, and an fsync for each as long as ever.
    """
    if sys.platform == "win32":
        return  # a directory cannot be opened there, nor a file be flushed that is only read
    library = ctypes.CDLL(None, use_errno=True)
    if _unwritten() <= size + _FEW and _sync_file_system(library, directory):
        return
    folders = [(folder, names) for folder, _, names in os.walk(directory)]
    paths = (os.path.join(folder, name) for folder, names in folders for name in names)
    files = [path for path in paths if not os.path.islink(path)]  # a link has nothing but its name
    if hasattr(library, "sync_file_range"):
        # All writing begins before any is waited for.
        for path in files:
            with _opened(path) as descriptor:
                library.sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), _BEGIN)
    for path in (*files, *(folder for folder, _ in reversed(folders))):
        with _opened(path) as descriptor:
            os.fsync(descriptor)
    if sys.platform == "darwin":  # where an fsync hands it to the drive, which may keep it in its memory
        with _opened(files[-1] if files else directory) as descriptor:
            flush(descriptor)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """A descriptor of a file or directory, to flush it by."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_file_system(library: ctypes.CDLL, directory: str) -> bool:
    """Have the whole file system of this directory written; False where the system has no such call."""
    if not hasattr(library, "syncfs"):
        return False
    with _opened(directory) as descriptor:
        if library.syncfs(descriptor) == 0:
            return True
    number = ctypes.get_errno()
    if number == errno.ENOSYS:
        return False
    raise OSError(number, os.strerror(number), directory)


def _unwritten() -> int:
    """Bytes that wait in memory to be written, of whomever and to whatever disk; none where nobody tells."""
    try:
        with open("/proc/meminfo", "rb") as file:
            found = re.search(rb"^Dirty:\s*(\d+) kB", file.read(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0
