"""Who uses an environment: the notes that runs leave.

A run makes an empty file, its **note**, in the directory of uses of one build of a prefix, and then looks at the marker
and at the note again (`hold`). The note is not removed when the script ends: it is true as long as the process that it
names runs, and `execve` keeps both its pid and its start. A note says who (`<pid>-<start>`) and where (`@<place>`), so
that neither a recycled pid, nor another container, host or boot can be taken for it.

A runner makes no directory: the creator makes it before the marker, and it carries the build's id, so a note for an
older build of the same prefix fails by itself. In doubt, an environment counts as in use: that only costs disk space.
"""

from __future__ import annotations

import errno
import os
import sys

from .. import files
from ..errors import NO_ROOM, PlaceError
from ..lean.values import dataclass
from ..model import Use
from . import layout
from . import marker as markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..model import Environment, Marker

#: The names of notes, by directory.
Notes = list[tuple[str, list[str]]]

#: Replaces values that a system without /proc does not provide.
UNKNOWN = "0"

#: Used instead of the start of process 1 outside of containers.
MACHINE = "machine"

#: On Windows, rename and delete fail with "access denied" while another process has a file open.
_READ_ONLY = (errno.EROFS,) if sys.platform == "win32" else (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Note:
    """A note on the disk, at `path`. `use` is None if conda-execute cannot have written it."""

    path: str
    use: Use | None


# Who we are ----------------------------------------------------------------------------------------------------------


def place() -> str:
    """Identifies the pid namespace in which pids and starts are valid: `<host>+<boot id>+<start of process 1>`.

    The boot id identifies the boot, the start of process 1 the container on a host. Each process reads them
    again, since containers are copied, suspended and renamed.

    The machine itself, whose process 1 starts once per boot, has `MACHINE` there. It is known by its process 2, which
    is the kernel's `kthreadd` (`rest_init` in init/main.c) and has no such number in any other pid namespace.
    """
    first = MACHINE if line("/proc/2/comm") == "kthreadd" else start_of("1")
    return "+".join((_host(), boot(), first))


def boot() -> str:
    """The boot that this process runs in, which is the same for all containers of a machine."""
    return line("/proc/sys/kernel/random/boot_id")


def this_process() -> Use:
    """The use of this process. The pid is the one that /proc shows, where other processes will look it up: in a pid
    namespace that sees the /proc of its parent, it differs from getpid()."""
    text = _content("/proc/self/stat")
    if text == UNKNOWN:
        return Use(os.getpid(), UNKNOWN, place())
    return Use(int(text.split(" ", 1)[0]), fields(text)[1], place())


def use_of(pid: int) -> Use:
    """The use of another process of this place."""
    return Use(pid, start_of(str(pid)), place())


def parse(name: str) -> Use | None:
    """The use that the name of a note describes; None if it cannot be a note."""
    process, separator, where = name.partition("@")
    pid, _, start = process.partition("-")
    if not separator or not pid.isdecimal() or not start.isdecimal() or where.count("+") < 2:
        return None
    return Use(int(pid), start, where)


def _host() -> str:
    name = line("/proc/sys/kernel/hostname")
    if name == UNKNOWN:
        import platform

        name = platform.node()
    return name.replace("/", "_")


def line(path: str) -> str:
    """The first line of a file of the kernel or the system; `UNKNOWN` if there is none."""
    return _content(path).partition("\n")[0].strip()


def _content(path: str) -> str:
    """The content of a file of /proc; `UNKNOWN` if there is none. The name of a process may contain anything, even line
    ends."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read() or UNKNOWN
    except OSError:
        return UNKNOWN


def start_of(pid: str) -> str:
    text = _content(f"/proc/{pid}/stat")
    return text if text == UNKNOWN else fields(text)[1]


def fields(stat: str) -> tuple[str, str]:
    """State and start in the content of /proc/<pid>/stat. The program's name may contain spaces and brackets."""
    after = stat[stat.rindex(")") + 2 :].split(" ")
    return after[0], after[19]


# Noting --------------------------------------------------------------------------------------------------------------


def hold(environment: Environment, use: Use) -> bool:
    """Write the note, check the marker, check the note again. True: from now on no sweeper can remove the environment
    while this process runs.

    False: a sweeper was quicker, so the environment is being removed, is gone, or is another build. If the place is
    read-only, it cannot be cleaned either (not through this mount), so the marker alone is enough.
    """
    path = note_path(environment, use)
    try:
        noted = write_note(path)
    except FileNotFoundError:
        return False
    if not _is_marked(environment):
        return False
    return not noted or _is_there(path)


def write_note(path: str) -> bool:
    """Write the note; False if the file system is read-only for us. FileNotFoundError: the build is gone."""
    try:
        # Its content stays (`launch.loops`); its modification time becomes that of the last use, as with the launcher's
        # redirection.
        files.touch(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
            raise FileNotFoundError(error.errno, os.strerror(error.errno or 0), path) from error
        if error.errno in _READ_ONLY:
            return False
        if error.errno in NO_ROOM:
            raise PlaceError(
                f"no room for the note that keeps the environment while the script runs: {error.strerror}: `{path}`",
                hint="free some space or inodes there, or set `CONDA_EXECUTE_ENV_DIR` to a directory with room",
            ) from error
        raise
    return True


def note_path(environment: Environment, use: Use) -> str:
    return os.path.join(layout.uses(environment.prefix, environment.marker.build), str(use))


def _is_marked(environment: Environment) -> bool:
    # Opened and not only looked up: on NFS, open asks the server again, while stat may answer from a cache.
    marker = markers.read(layout.marker(environment.prefix))
    return marker is not None and marker.build == environment.marker.build


def _is_there(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


# Reading -------------------------------------------------------------------------------------------------------------


def listed(prefix: str, build: str | None = None) -> Notes:
    """The names of all notes by directory, of one build or of all builds that were ever in the prefix.

    Names only, since there may be a hundred thousand.
    """
    if build is not None:
        directories = [layout.uses(prefix, build)]
    else:
        meta = layout.conda_meta(prefix)
        directories = [os.path.join(meta, entry) for entry in files.listed(meta) if entry.startswith(layout.USES)]
    return [(directory, files.listed(directory)) for directory in directories]


def last_used(prefix: str, marker: Marker | None, notes: Notes) -> float:
    """When a use was last noted among these notes, in seconds by the file system's clock; for a prefix without a
    marker, when it last changed."""
    return max(
        map(files.changed, (*(directory for directory, _ in notes), *(() if marker else (prefix,)))), default=0.0
    )
