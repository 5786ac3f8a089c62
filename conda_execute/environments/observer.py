"""Which of the processes that notes name still run, as far as this place can know.

Doubt always means that they do: it costs disk and nothing else.
"""

from __future__ import annotations

import os

from ..lean.values import dataclass
from . import processes
from .uses import UNKNOWN, Note, fields, listed, parse, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Literal

    from ..model import Use
    from .processes import Process

    #: What a note's process does. A foreign one cannot be asked from here, and counts as live.
    Verdict = Literal["live", "dead", "foreign"]

#: Host names that many machines share say nothing about which machine it was.
_NAMES_OF_NO_HOST = ("", "localhost", "localhost.localdomain", "(none)")

#: Seconds that a note of another host or container counts as live, unless the settings say otherwise.
FOREIGN_TTL = 30 * 24 * 3600.0

#: Where there is no /proc, a process may have been created that much later than its note says, in seconds: clocks of
#: file servers differ from ours.
_CLOCK_DOUBT = 24 * 3600.0


@dataclass(frozen=True)
class Sorted:
    """Notes by what their processes do."""

    live: list[Use]
    foreign: list[Note]
    #: Paths alone, since there may be a hundred thousand.
    dead: list[str]


class Observer:
    """Reads whether the uses that notes claim are live, for many notes at once.

    The table of pids is read when the first note is judged, so every note must be listed **before** `judge` is asked
    about it: a process that starts between the two is in the table, never only in the notes. One observer serves one
    pass.
    """

    def __init__(self, now: float, foreign_ttl: float) -> None:
        """`now` is the file system's clock, `foreign_ttl` seconds; both concern foreign notes alone."""
        self.now = now
        self.foreign_ttl = foreign_ttl
        self.here = place()
        self.host, self.boot, self.first = self.here.rsplit("+", 2)
        self._pids: Collection[str] | None = None

    def sort(self, notes: Iterable[tuple[str, list[str]]]) -> Sorted:
        """The notes of these names by directory, by what their processes do."""
        result = Sorted([], [], [])
        table = self._table() if self.boot != UNKNOWN else ()
        end = "@" + self.here
        for directory, names in notes:
            for name in names:
                path = os.path.join(directory, name)
                if table and name.endswith(end) and name.partition("-")[0] not in table:
                    result.dead.append(path)  # nearly all, so this comes first and does little
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
        """What the process of this note does."""
        use = note.use
        if use is not None and use.place == self.here:
            if UNKNOWN in (self.boot, use.start):
                return "live" if _may_run(use.pid, note.path) else "dead"
            return "live" if str(use.pid) in self._table() and _runs(use.pid, use.start) else "dead"
        if use is not None and self._is_former_boot(use.place):
            return "dead"
        return "foreign" if self._is_recent(note.path) else "dead"

    def _is_former_boot(self, where: str) -> bool:
        host, boot, _ = where.rsplit("+", 2)
        known = UNKNOWN not in (boot, self.boot)
        return known and host == self.host and boot != self.boot and host not in _NAMES_OF_NO_HOST

    def _is_recent(self, path: str) -> bool:
        try:
            return self.now - os.stat(path).st_mtime <= self.foreign_ttl
        except FileNotFoundError:
            return False

    def _table(self) -> Collection[str]:
        if self._pids is None:
            self._pids = frozenset(os.listdir("/proc"))
        return self._pids


def _runs(pid: int, start: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            state, started = fields(stream.read())
        # The first thread of a process may end before the others: such a process looks like a zombie and works on.
        return started == start and (state not in "ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1)
    except (FileNotFoundError, ProcessLookupError):
        return False  # whatever it was, it is gone by now
    except OSError:
        return True  # too many open files, say: nothing is known


def _may_run(pid: int, path: str) -> bool:
    """Without /proc: the process was created no later than the note, give or take the doubt of clocks."""
    import psutil

    if not psutil.pid_exists(pid):
        return False
    try:
        process = psutil.Process(pid)
        created, status = process.create_time(), process.status()
        return bool(status != psutil.STATUS_ZOMBIE and created <= os.stat(path).st_mtime + _CLOCK_DOUBT)
    except FileNotFoundError:
        return os.path.exists(path)
    except (psutil.Error, OSError):
        return True  # it is there, and does not say since when


def users(prefix: str, observer: Observer) -> tuple[tuple[Process, ...], list[Note]]:
    """Processes of this host that use the prefix, and foreign notes that count as live.

    Notes are listed before the table of processes is read, and the inhabitants last: a child outlives its parent.
    """
    notes = observer.sort(listed(prefix))
    tmp_envs, name = os.path.split(prefix)
    return processes.together(notes.live, processes.inhabitants(tmp_envs).get(name, [])), notes.foreign
