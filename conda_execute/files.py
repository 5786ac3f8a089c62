"""What several modules do to files, in the one way that is safe where others do the same at the same time."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def make_directory(path: str) -> None:
    """Make a directory and those above it, for this user alone whatever the umask; nothing if it is there. Raises
    OSError. (`os.makedirs` gives the mode to the last one alone.)"""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent not in ("", path):
        make_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def unlink(path: str) -> None:
    """Remove a file, if it is there. Raises other kinds of OSError."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass


def try_to_unlink(path: str) -> None:
    """Remove a file where that is possible; what stays is for the next time."""
    try:
        os.unlink(path)
    except OSError:
        pass


def is_full(path: str) -> bool:
    """Whether the disk has room for next to nothing: what failed there may have failed for that, whatever it says."""
    import shutil

    try:
        return shutil.disk_usage(path).free < 1 << 16
    except OSError:
        return False


def delete(path: str) -> None:
    """Delete a tree that nobody uses. Others may be deleting it too; what is write-protected goes as well."""
    import shutil

    def retry(function: Callable[[str], object], path: str, error: BaseException) -> None:
        if not isinstance(error, PermissionError):
            return  # gone already, or for the next sweep to try
        _make_writable(os.path.dirname(path))
        _make_writable(path)
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                function(path)
        except OSError:
            pass  # stays in the trash, for the next sweep to try

    if os.path.islink(path) or not os.path.isdir(path):
        unlink(path)
    elif sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=retry)
    else:
        shutil.rmtree(path, onerror=lambda function, path, error: retry(function, path, error[1]))


def _make_writable(path: str) -> None:
    """So that what is in a directory can go. A file needs it on Windows only, and may be a hard link into the package
    cache, whose mode is not ours to change."""
    try:
        if not os.path.islink(path) and (os.path.isdir(path) or sys.platform == "win32"):
            os.chmod(path, os.stat(path).st_mode | 0o700)
    except OSError:
        pass
