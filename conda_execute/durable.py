"""Make sure that data is on the disk, so that it survives a power cut.

After a power cut, a file system may have the name of a file but not its content. So a mark that something is complete
is written only when that is on the disk (`settle`), and is flushed itself (`flush`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterator

#: How many unwritten bytes of other programs are acceptable when one call writes the whole file system.
_FEW = 64 << 20

#: Begin to write what is in memory, without waiting (`SYNC_FILE_RANGE_WRITE`).
_BEGIN = 2

#: macOS: fsync hands data to the drive; this makes the drive write it (`F_FULLFSYNC`).
_FULL = 51


def flush(descriptor: int) -> None:
    """Return when this file is on the disk; on macOS, with everything that was handed to the drive before. Raises
    OSError."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, _FULL)
            return
        except OSError:
            pass  # a file system that does not support this, such as a network one
    os.fsync(descriptor)


def settle(directory: str, size: int) -> None:
    """Return when everything below a directory, about `size` bytes, is on the disk. Raises OSError.

    `syncfs` is fastest if little else waits to be written: it takes a quarter of the time of a thousand calls of fsync.
    If two gigabytes of other programs are waiting, it takes seconds, while the calls of fsync take as long as before.
    """
    if sys.platform == "win32":
        return  # Windows cannot open directories, or flush files that are open for reading
    library = ctypes.CDLL(None, use_errno=True)
    if _unwritten() <= size + _FEW and _sync_file_system(library, directory):
        return
    folders = [(folder, names) for folder, _, names in os.walk(directory)]
    paths = (os.path.join(folder, name) for folder, names in folders for name in names)
    files = [path for path in paths if not os.path.islink(path)]  # a link has no content but its name
    if hasattr(library, "sync_file_range"):
        # Start to write all files before waiting for the first.
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
    """Write the whole file system of this directory to disk; False if the system has no such call."""
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
    """Bytes that wait in memory to be written, of all programs and to any disk; 0 if unknown."""
    try:
        with open("/proc/meminfo", "rb") as file:
            found = re.search(rb"^Dirty:\s*(\d+) kB", file.read(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0
