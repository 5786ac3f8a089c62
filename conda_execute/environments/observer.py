"""Which of the processes named by notes are still running, as far as this place can know.

A note of this place is judged by its pid and start. The machine itself, which sees all processes, judges those of its
containers too. The process of a note from an earlier boot of this machine is dead (`machine`). Every other note is
foreign, even on a local disk: other hosts may reach that through a file server. In doubt, a process counts as running:
that only costs disk space.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Literal

import psutil

from ..files import is_own
from ..lean.values import dataclass
from ..model import Use
from . import processes
from .machine import Boots
from .processes import Process
from .uses import MACHINE, UNKNOWN, Note, Notes, fields, parse, place

#: The state of a note's process. A foreign one cannot be checked from here, and counts as live.
Verdict = Literal["live", "dead", "foreign"]

#: Seconds that a note of another host or container counts as live, unless the settings say otherwise.
FOREIGN_TTL = 30 * 24 * 3600.0

#: Without /proc: seconds by which a process may have been created later than its note says, since the clocks of file
#: servers differ from ours.
_CLOCK_DOUBT = 24 * 3600.0


@dataclass(frozen=True)
class Sorted:
    """Notes by the state of their processes."""

    live: list[Use]
    foreign: list[Note]
    #: Only paths, since there may be a hundred thousand.
    dead: list[str]


class Observer:
    """Finds out which of many notes have a live process.

    The table of pids is read when the first note is judged, so every note must be listed **before** `judge` is asked
    about it: a process that starts between the two is in the table, never only in the notes. One observer serves one
    pass.
    """

    def __init__(self, now: float, foreign_ttl: float, tmp_envs: str) -> None:
        """`now` is the file system's clock, `foreign_ttl` seconds; both concern foreign notes alone."""
        self.now = now
        self.foreign_ttl = foreign_ttl
        self.here = place()
        _, self.boot, self.first = self.here.rsplit("+", 2)
        self._boots = Boots(tmp_envs, self.boot)
        self._pids: Collection[str] | None = None
        self._everybody: Everybody | None = None

    def sort(self, notes: Notes) -> Sorted:
        """Sort notes, given as names by directory, by the state of their processes."""
        result = Sorted([], [], [])
        table = self._table() if self.boot != UNKNOWN else ()
        end = "@" + self.here
        for directory, names in notes:
            for name in names:
                path = os.path.join(directory, name)
                if table and name.endswith(end) and name.partition("-")[0] not in table:
                    result.dead.append(path)  # nearly all notes, so this comes first and is cheap
                    continue
                note = Note(path, parse(name))
                verdict = self.judge(note)
                if verdict == "live" and note.use is not None:
                    result.live.append(note.use)
                elif verdict == "dead":
                    result.dead.append(path)
                else:
                    result.foreign.append(note)
        return result

    def judge(self, note: Note) -> Verdict:
        """The state of the process of this note."""
        use = note.use
        if use is not None and use.place == self.here:
            if UNKNOWN in (self.boot, use.start):
                return "live" if _may_run(use.pid, note.path) else "dead"
            return "live" if str(use.pid) in self._table() and _runs(use.pid, use.start) else "dead"
        moment = _moment(note.path)
        if moment is None:
            return "dead"  # deleted in the meantime
        if use is not None and self._has_ended(use, moment):
            return "dead"
        return "foreign" if self.now - moment < self.foreign_ttl else "dead"

    def _has_ended(self, use: Use, moment: float) -> bool:
        """Whether a process of another place is known to have ended."""
        _, boot, _ = use.place.rsplit("+", 2)
        if UNKNOWN in (boot, self.boot):
            return False
        if boot != self.boot:
            return self._boots.was_before(boot, moment)
        if self.first != MACHINE or use.start == UNKNOWN:
            return False
        if self._everybody is None:
            self._everybody = Everybody()
        return self._everybody.lacks(use)

    def _table(self) -> Collection[str]:
        if self._pids is None:
            self._pids = frozenset(os.listdir("/proc"))
        return self._pids


class Everybody:
    """All processes of this machine, by their process ids in any container; only the machine itself sees them all.

    In a time namespace, which has a clock of its own, their starts look different. Processes of other users than root
    cannot have left notes here.
    """

    def __init__(self) -> None:
        self._starts: dict[int, list[str]] = {}
        #: Whether some processes could not be looked at.
        self._veiled = False
        self._clock = _clock("self") or UNKNOWN
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            self._look_at(pid)

    def lacks(self, use: Use) -> bool:
        """Whether this process has certainly ended, whichever container it ran in."""
        starts = self._starts.get(use.pid, [])
        return not self._veiled and use.start not in starts and UNKNOWN not in starts

    def _look_at(self, pid: str) -> None:
        try:
            found = os.stat(f"/proc/{pid}")
            if not is_own(found) and found.st_uid != 0:
                return
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as stream:
                names = next((line.split()[1:] for line in stream if line.startswith("NSpid:")), [])
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
                state, start = fields(stream.read())
            if _is_zombie(pid, state):
                return
            self._veiled = self._veiled or not names  # a kernel before 4.1
            # The clock of root's processes is hidden from others.
            known = start if len(names) < 2 or _clock(pid) == self._clock else UNKNOWN
            for name in names:
                self._starts.setdefault(int(name), []).append(known)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
        except OSError:
            self._veiled = True


def _clock(pid: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/time")
    except (FileNotFoundError, PermissionError):
        return None  # a kernel without time namespaces, or a process of root


def _moment(path: str) -> float | None:
    """When the note was made or renewed; None if it is gone."""
    try:
        return os.lstat(path).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return float("inf")


def _runs(pid: int, start: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            state, started = fields(stream.read())
        return started == start and not _is_zombie(pid, state)
    except (FileNotFoundError, ProcessLookupError):
        return False  # whatever it was, it is gone now
    except OSError:
        return True  # for example, too many open files: nothing is known


def _is_zombie(pid: int | str, state: str) -> bool:
    # The first thread of a process may end before the others: such a process looks like a zombie and works on.
    return state in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1


def began() -> float | None:
    """When this process began; None if the system does not say."""
    try:
        return psutil.Process().create_time()
    except (psutil.Error, OSError):
        return None


def _may_run(pid: int, path: str) -> bool:
    """Without /proc: whether the process was created no later than the note, within the uncertainty of the clocks."""
    if not psutil.pid_exists(pid):
        return False
    try:
        process = psutil.Process(pid)
        created, status = process.create_time(), process.status()
        return bool(status != psutil.STATUS_ZOMBIE and created <= os.stat(path).st_mtime + _CLOCK_DOUBT)
    except FileNotFoundError:
        return os.path.exists(path)
    except (psutil.Error, OSError):
        return True  # it exists, but does not say when it started


@dataclass(frozen=True)
class Users:
    """Who uses an environment."""

    #: Processes of this host, noted or not.
    processes: tuple[Process, ...]
    #: Notes of other hosts and containers that count as live.
    foreign: tuple[Note, ...]
    #: Paths of the notes of processes that have ended.
    dead: tuple[str, ...]


def users(tmp_envs: str, notes: Mapping[str, Notes], now: float, foreign_ttl: float) -> dict[str, Users]:
    """The users of environments, whose notes were listed, by name.

    Notes are listed before the table of processes is read, and the inhabitants last: a child outlives its parent.
    """
    observer = Observer(now, foreign_ttl, tmp_envs)
    judged = {name: observer.sort(listed) for name, listed in notes.items()}
    inhabitants = processes.inhabitants(tmp_envs) if judged else {}
    return {
        name: Users(processes.together(found.live, inhabitants.get(name, [])), tuple(found.foreign), tuple(found.dead))
        for name, found in judged.items()
    }
