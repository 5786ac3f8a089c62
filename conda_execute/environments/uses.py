"""Who uses an environment: notes that runs leave, and processes that are found inside it.

A run makes an empty file, its **note**, in the directory of uses of one build of a prefix, and then looks at the marker
and at the note again (`hold`). Nobody removes the note when the script ends: it is true as long as the process that
it names runs, and `execve` keeps both its pid and its start. A note says who (`<pid>-<start>`) and where
(`@<place>`), so that neither a recycled pid, nor another container, host or boot can be taken for it.

A runner makes no directory: the creator makes it before the marker, and it carries the build's id, so a note for an
older build of the same prefix fails by itself. Doubt always means "in use": that costs disk and nothing else.
"""

from __future__ import annotations

import errno
import os
import sys

from ..errors import PlaceError
from ..lean.values import dataclass
from ..model import Use
from . import layout
from . import marker as markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ..model import Environment

#: Host names that many machines share say nothing about which machine it was.
_NAMES_OF_NO_HOST = ("", "localhost", "localhost.localdomain", "(none)")

#: Seconds that a note of another host or container counts as live, unless the settings say otherwise.
FOREIGN_TTL = 30 * 24 * 3600.0

#: Stands for what a system without /proc cannot tell.
UNKNOWN = "0"

#: Stands for process 1 in places that are no container.
MACHINE = "machine"

#: How often the table of processes is read again for those that were born meanwhile: a busy machine has some always.
_PASSES = 20

#: Where there is no /proc, a process may have been created that much later than its note says, in seconds: clocks of
#: file servers differ from ours, and doubt means "in use".
_CLOCK_DOUBT = 24 * 3600.0

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY: tuple[int, ...] = (errno.EROFS, errno.EACCES, errno.EPERM)


#: Of a longer command line the beginning says enough in a sentence.
_LONGEST_SHOWN = 100


@dataclass(frozen=True)
class Process:
    """A process of this host that uses an environment, and how that is known."""

    pid: int
    command: str
    #: "noted", "program inside", "working directory inside" or "activated".
    why: str

    def __str__(self) -> str:
        # Of the program's path, which is long and the same for all, only the name tells anything.
        program, blank, rest = self.command.partition(" ")
        shown = program.rpartition("/")[2] + blank + rest
        shown = shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
        return f"{self.pid} ({shown})" if shown else str(self.pid)


@dataclass(frozen=True)
class Note:
    """A note as it lies on the disk. `path` names it, `use` is None if nobody of ours can have written it."""

    path: str
    use: Use | None


# Who we are ----------------------------------------------------------------------------------------------------------


def place() -> str:
    """What pids and starts are counted in: `<host>+<boot id>+<start of process 1>`.

    The boot id tells boots apart, the start of process 1 tells containers of one host apart. Read anew in each
    process, since containers are copied, suspended and renamed.

    The machine itself, whose process 1 starts once per boot, has `MACHINE` there. It is known by its process 2, which
    is the kernel's `kthreadd` (`rest_init` in init/main.c) and has no such number in any other pid namespace.
    """
    first = MACHINE if _line("/proc/2/comm") == "kthreadd" else _start("1")
    return "+".join((_host(), _line("/proc/sys/kernel/random/boot_id"), first))


def this_process() -> Use:
    """This process's use. The pid is the one that /proc shows, which is what everybody else will look up there: in a
    pid namespace under the /proc of its parent it is not the one of getpid()."""
    text = _content("/proc/self/stat")
    if text == UNKNOWN:
        return Use(os.getpid(), UNKNOWN, place())
    return Use(int(text.split(" ", 1)[0]), _fields(text)[1], place())


def use_of(pid: int) -> Use:
    """The use of another process of this place."""
    return Use(pid, _start(str(pid)), place())


def parse(name: str) -> Use | None:
    """The use that a note of this name stands for; None if it cannot be a note."""
    process, separator, where = name.partition("@")
    pid, _, start = process.partition("-")
    if not separator or not pid.isdecimal() or not start.isdecimal() or where.count("+") < 2:
        return None
    return Use(int(pid), start, where)


def _host() -> str:
    name = _line("/proc/sys/kernel/hostname")
    if name == UNKNOWN:
        import platform

        name = platform.node()
    return name.replace("/", "_")


def _line(path: str) -> str:
    return _content(path).partition("\n")[0].strip()


def _content(path: str) -> str:
    """What a file of /proc says; `UNKNOWN` if there is none. A process's name may hold anything, line ends too."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read() or UNKNOWN
    except OSError:
        return UNKNOWN


def _start(pid: str) -> str:
    text = _content(f"/proc/{pid}/stat")
    return text if text == UNKNOWN else _fields(text)[1]


def _fields(stat: str) -> tuple[str, str]:
    """State and start in the content of /proc/<pid>/stat. The program's name may hold blanks and brackets."""
    after = stat[stat.rindex(")") + 2 :].split(" ")
    return after[0], after[19]


# Noting --------------------------------------------------------------------------------------------------------------


def hold(environment: Environment, use: Use) -> bool:
    """Note, marker, note again: True once no sweeper can take the environment from under this process any more.

    False means that somebody was quicker: the environment is going, gone, or another build. Where the place is
    read-only nobody can clean it either (not from this mount), so the marker alone is enough.
    """
    path = os.path.join(layout.uses(environment.prefix, environment.marker.build), str(use))
    try:
        noted = write_note(path)
    except FileNotFoundError:
        return False
    if not _is_marked(environment):
        return False
    return not noted or _is_there(path)


def write_note(path: str) -> bool:
    """Make the note; False where the file system is read-only to us. FileNotFoundError: the build is gone."""
    try:
        # Truncating moves the mtime of a note that is there already, like the launcher's redirection.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
            raise FileNotFoundError(error.errno, os.strerror(error.errno or 0), path) from error
        if error.errno in _READ_ONLY:
            return False
        if error.errno in _NO_ROOM:
            raise PlaceError(
                f"no room for the note that keeps the environment while the script runs: {error.strerror}: `{path}`",
                hint="free some space or inodes there, or set `CONDA_EXECUTE_ENV_DIR` to a directory with room",
            ) from error
        raise
    return True


def note_path(environment: Environment, use: Use) -> str:
    return os.path.join(layout.uses(environment.prefix, environment.marker.build), str(use))


def _is_marked(environment: Environment) -> bool:
    # Opened, never only looked up: on NFS an open asks the server again, a stat may answer from a cache.
    marker = markers.read(layout.marker(environment.prefix))
    return marker is not None and marker.build == environment.marker.build


def _is_there(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
    except OSError:
        return False
    return True


# Reading -------------------------------------------------------------------------------------------------------------


def notes(prefix: str) -> list[Note]:
    """All notes of all builds of the prefix, in no order."""
    return [Note(os.path.join(directory, name), parse(name)) for directory, names in listed(prefix) for name in names]


def listed(prefix: str, build: str | None = None) -> list[tuple[str, list[str]]]:
    """The names of all notes by the directory they are in, of one build or of all that ever were in the prefix.

    No value per note, since there may be a hundred thousand.
    """
    if build is not None:
        directories = [layout.uses(prefix, build)]
    else:
        meta = layout.conda_meta(prefix)
        directories = [os.path.join(meta, entry) for entry in listed_in(meta) if entry.startswith(layout.USES)]
    return [(directory, listed_in(directory)) for directory in directories]


def listed_in(directory: str) -> list[str]:
    """The names in a directory; none if it is not there."""
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


class Observer:
    """Reads whether the uses that notes claim are live, for many notes at once.

    The table of pids is read when the first note is judged, so every note must be listed **before** `judge` is asked
    about it: a process that starts between the two is in the table, never only in the notes. One observer serves one
    pass; a new pass needs a new one (`anew`).
    """

    def __init__(self, now: float, foreign_ttl: float) -> None:
        """`now` is the file system's clock, `foreign_ttl` seconds; both concern foreign notes alone."""
        self.now = now
        self.foreign_ttl = foreign_ttl
        self.here = place()
        self.host, self.boot, self.first = self.here.rsplit("+", 2)
        self._pids: Collection[str] | None = None

    def sort(
        self, notes: Iterable[tuple[str, list[str]]]
    ) -> tuple[list[Use], list[tuple[str, str]], list[tuple[str, str]]]:
        """Live uses of this place, and directory and name of foreign notes and of dead ones."""
        live: list[Use] = []
        foreign: list[tuple[str, str]] = []
        dead: list[tuple[str, str]] = []
        table = self._table() if self.boot != UNKNOWN else ()
        end = "@" + self.here
        for directory, names in notes:
            for name in names:
                if table and name.endswith(end) and name.partition("-")[0] not in table:
                    dead.append((directory, name))  # nearly all, so this comes first and does little
                    continue
                verdict = self.judge(directory, name)
                use = parse(name)
                if verdict == "dead":
                    dead.append((directory, name))
                elif verdict == "live" and use is not None:
                    live.append(use)
                else:
                    foreign.append((directory, name))
        return live, foreign, dead

    def judge(self, directory: str, name: str) -> str:
        """One of "live", "dead" and "foreign" (which counts as live)."""
        process, _, where = name.partition("@")
        if where == self.here:
            pid, _, start = process.partition("-")
            if UNKNOWN not in (self.boot, start):
                return "live" if pid in self._table() and _runs(pid, start) else "dead"
            if parse(name) is not None:
                return "live" if _may_run(pid, os.path.join(directory, name)) else "dead"
        if parse(name) is None:
            return "foreign" if self._is_recent(directory, name) else "dead"
        host, _, rest = where.rpartition("+")[0].rpartition("+")
        if self._is_former_boot(host, rest):
            return "dead"
        return "foreign" if self._is_recent(directory, name) else "dead"

    def _is_former_boot(self, host: str, boot: str) -> bool:
        known = UNKNOWN not in (boot, self.boot)
        return known and host == self.host and boot != self.boot and host not in _NAMES_OF_NO_HOST

    def _is_recent(self, directory: str, name: str) -> bool:
        try:
            return self.now - os.stat(os.path.join(directory, name)).st_mtime <= self.foreign_ttl
        except FileNotFoundError:
            return False

    def _table(self) -> Collection[str]:
        if self._pids is None:
            self._pids = frozenset(os.listdir("/proc"))
        return self._pids


def _runs(pid: str, start: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            state, started = _fields(stream.read())
        # The first thread of a process may end before the others: such a process looks like a zombie and works on.
        return started == start and (state not in "ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1)
    except (FileNotFoundError, ProcessLookupError):
        return False  # whatever it was, it is gone by now
    except OSError:
        return True  # too many open files, say: nothing is known


def _may_run(pid: str, path: str) -> bool:
    """Without /proc: the process was created no later than the note, give or take the doubt of clocks."""
    import psutil

    if not psutil.pid_exists(int(pid)):
        return False
    try:
        process = psutil.Process(int(pid))
        created, status = process.create_time(), process.status()
        return bool(status != psutil.STATUS_ZOMBIE and created <= os.stat(path).st_mtime + _CLOCK_DOUBT)
    except FileNotFoundError:
        return os.path.exists(path)
    except (psutil.Error, OSError):
        return True  # it is there, and does not say since when


def sees_processes() -> bool:
    """Whether the processes of this host can be looked at: not in a sandbox without /proc."""
    return sys.platform != "linux" or os.path.exists("/proc/self/stat")


def command(pid: int) -> str:
    """The command line of a process, for people; empty if it is gone or hides."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return os.fsdecode(stream.read(4096)).rstrip("\0").replace("\0", " ")
    except OSError:
        if os.path.isdir("/proc/self"):
            return ""
    import psutil

    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def inhabitants(tmp_envs: str) -> dict[str, list[Process]]:
    """Processes of this host by the name of the environment below `tmp_envs` that they live in.

    A daemonised child, a language server or a shell that somebody activated leaves no note: it is known by its
    program, its working directory or its `CONDA_PREFIX` (`CONDA_PREFIX_1` and so on, in a shell that activated another
    environment on top). A process whose secrets are kept from us belongs to somebody else, who cannot read `tmp_envs`.
    """
    import psutil

    if not sees_processes():
        return {}
    roots = tuple({os.path.join(tmp_envs, ""), os.path.join(os.path.realpath(tmp_envs), "")})
    found: dict[str, list[Process]] = {}
    seen: set[int] = set()
    veiled: list[int] = []
    for _ in range(_PASSES):
        # A daemon forks and ends while we look: whoever was born since the last pass is looked at in the next.
        new = [pid for pid in psutil.pids() if pid not in seen]
        if not new:
            break
        seen.update(new)
        veiled += [pid for pid in new if not _look_at(pid, roots, found)]
    for pid in veiled:
        _look_at(pid, roots, found)
    return found


def _look_at(pid: int, roots: Iterable[str], found: dict[str, list[Process]]) -> bool:
    """Note down where the process lives; False if it shows no environment, as one that is just becoming a program."""
    for why, path in _signs(pid):
        if why == "":
            return False
        name = _name_below(roots, path)
        if name is not None:
            found.setdefault(name, []).append(Process(pid, command(pid), why))
            break
    return True


def _signs(pid: int) -> Iterator[tuple[str, str]]:
    """Paths that show where a process lives, each with what it shows; those that cannot be read are left out."""
    import psutil

    try:
        process = psutil.Process(pid)
    except (psutil.Error, OSError):
        return
    for why, read in (("program inside", process.exe), ("working directory inside", process.cwd)):
        try:
            yield why, read() or ""
        except (psutil.Error, OSError):
            continue
    try:
        variables = process.environ()
    except (psutil.Error, OSError):
        return
    if not variables:
        yield "", ""
    for variable, value in variables.items():
        if variable.startswith("CONDA_PREFIX"):
            yield "activated", value
            yield "activated", os.path.realpath(value)


def _name_below(roots: Iterable[str], path: str) -> str | None:
    for root in roots:
        if path.startswith(root):
            return path[len(root) :].split(os.sep, 1)[0]
    return None


def live(prefix: str, observer: Observer) -> tuple[list[Process], list[Note]]:
    """Processes of this host that use the prefix, and foreign notes that count as live.

    Notes are listed before the table of processes is read, and the inhabitants last: a child outlives its parent.
    """
    uses, foreign, _ = observer.sort(listed(prefix))
    processes = [Process(use.pid, command(use.pid), "noted") for use in uses]
    noted = {use.pid for use in uses}
    tmp_envs, name = os.path.split(prefix)
    processes += [process for process in inhabitants(tmp_envs).get(name, []) if process.pid not in noted]
    return processes, [Note(os.path.join(*note), parse(note[1])) for note in foreign]


if sys.platform == "win32":  # rename and delete fail there with "access denied" while somebody has a file open
    _READ_ONLY = (errno.EROFS,)
