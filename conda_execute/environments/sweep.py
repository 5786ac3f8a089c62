"""Cleaning: environments that nobody has used for a while go, and never one that is in use.

`survey` reads, `choose` decides on values alone, `sweep` and `clear` act. Acting on environments takes these steps, a
few of them at a time:

1. take its lock, without waiting: who is busy with it has a reason to keep it;
2. put its marker aside: from here on no run can begin to use it;
3. list its notes, then look at the processes: whoever noted before step 2 is seen now;
4. in use: put the marker back. Else rename the prefix into the trash, unlock, and delete it there.

A sweeper that dies between 2 and 4 leaves a marker aside, which the next run or sweep puts back. One that dies later
leaves trash, which the next sweep deletes.

On a network file system the caches of two hosts may hide a fresh note from the sweeper and an absent marker from the
runner, for up to a minute. There the locks are let go between 2 and 3 for longer than that, and the sweeper goes on
only if the marker is still aside as it left it.

Ages are measured by the file system's clock: the directory of uses changes with each new note, and each sweep moves
its time on while somebody uses the environment.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta

from .. import files
from ..errors import PlaceError
from ..lean.values import dataclass
from . import layout
from . import marker as markers
from . import store as stores
from . import uses as usage
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..model import Environment, Marker, Use
    from .lock import Lock
    from .uses import Note, Process

#: Longer than hosts keep what they read of a network file system (60 seconds by default, on NFS for directories).
NETWORK_PAUSE = timedelta(minutes=2)

#: So many environments are put aside at once: their would-be users wait while the processes are looked at, and each
#: lock that is held is an open file.
_BATCH = 32

# fmt: off
_NETWORK = frozenset((
    "9p", "acfs", "afs", "beegfs", "ceph", "cephfs", "cifs", "coda", "dvs", "fhgfs", "gfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb", "smb2", "smb3",
    "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav", "wekafs",
))
# fmt: on


@dataclass(frozen=True)
class Policy:
    """What may go."""

    unused_for: timedelta = timedelta(hours=25)
    #: Notes of other hosts and containers count as live until they are older.
    foreign_use_ttl: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Found:
    """An environment as a survey finds it, in whatever state. Times are seconds by the file system's clock."""

    name: str
    prefix: str
    #: "ready", "aside", "unfinished" or "unreadable".
    state: str
    #: None if unfinished or unreadable.
    marker: Marker | None
    last_used: float
    #: A person asked never to clean it automatically.
    kept: bool = False
    #: Live processes of this host.
    processes: tuple[Process, ...] = ()
    #: Notes of other hosts and containers that count as live.
    foreign: tuple[Note, ...] = ()
    #: Directory and name of notes of the dead.
    dead: tuple[tuple[str, str], ...] = ()
    #: Somebody makes it, or cleans it, at this moment.
    busy: bool = False

    @property
    def size(self) -> int | None:
        """Bytes, as counted when it was made; None if it was never finished."""
        return self.marker.size if self.marker else None

    @property
    def in_use(self) -> bool:
        return bool(self.processes or self.foreign)


@dataclass(frozen=True)
class Report:
    """What a sweep did: what went, and what stayed for which reason."""

    freed: tuple[Found, ...] = ()
    kept: tuple[tuple[Found, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes freed, as far as they were counted when the environments were made."""
        return sum(found.size or 0 for found in self.freed)


# Reading -------------------------------------------------------------------------------------------------------------


def survey(store: Store, policy: Policy = Policy(), names: Iterable[str] | None = None) -> list[Found]:
    """All environments, or those named, in the order of their names. Changes nothing but the file system's clock."""
    now = store.now()
    chosen = store.list() if names is None else list(names)
    listed = [(name, *_read(store, name)) for name in chosen]
    observer = usage.Observer(now, policy.foreign_use_ttl.total_seconds())
    sorted_notes = [observer.sort(notes) for _, _, _, notes in listed]
    inhabitants = usage.inhabitants(store.tmp_envs) if listed else {}
    found = []
    for (name, state, marker, notes), (live, foreign, dead) in zip(listed, sorted_notes, strict=True):
        if state == "absent":
            continue
        prefix = store.prefix(name)
        found.append(
            Found(
                name=name,
                prefix=prefix,
                state=state,
                marker=marker,
                last_used=_last_used(prefix, marker, [directory for directory, _ in notes]),
                kept=os.path.exists(layout.keep(prefix)),
                processes=_together(live, inhabitants.get(name, [])),
                foreign=tuple(usage.Note(os.path.join(*note), usage.parse(note[1])) for note in foreign),
                dead=tuple(dead),
                busy=state == "unfinished" and _is_locked(store, name),
            )
        )
    return found


def _read(store: Store, name: str) -> tuple[str, Marker | None, list[tuple[str, list[str]]]]:
    """State, marker, and the names of notes by directory. Looks without lock: whoever acts looks again."""
    prefix = store.prefix(name)
    try:
        for state, path in (("ready", layout.marker(prefix)), ("aside", layout.marker_aside(prefix))):
            marker = markers.read(path)
            if marker is not None:
                return state, marker, usage.listed(prefix, marker.build)
        return ("unfinished" if os.path.isdir(prefix) else "absent"), None, usage.listed(prefix)
    except (PlaceError, PermissionError):
        return "unreadable", None, []


def _last_used(prefix: str, marker: Marker | None, directories: Iterable[str]) -> float:
    times = [0.0]
    for path in (*directories, *(() if marker else (prefix,))):
        try:
            times.append(os.stat(path).st_mtime)
        except OSError:
            continue
    return max(times)


def _together(noted: Iterable[Use], inhabitants: Iterable[Process]) -> tuple[Process, ...]:
    processes = {process.pid: process for process in inhabitants}
    processes.update({use.pid: usage.Process(use.pid, usage.command(use.pid), "noted") for use in noted})
    return tuple(processes[pid] for pid in sorted(processes))


def _is_locked(store: Store, name: str) -> bool:
    if not os.path.exists(layout.lock(store.tmp_envs, name)):
        return False
    try:
        lock = store.lock(name, wait=False)
    except PlaceError:
        return False
    if lock is not None:
        lock.release()
    return lock is None


# Deciding ------------------------------------------------------------------------------------------------------------


def choose(environments: Iterable[Found], now: float, policy: Policy) -> list[Found]:
    """Those that may go: not kept, not in use, and unused for long enough; of the unfinished all that nobody makes."""
    return [found for found in environments if why_kept(found, now, policy) is None]


def why_kept(found: Found, now: float, policy: Policy) -> str | None:
    """Why this environment stays, for people; None if it may go."""
    # A clock that jumped back makes ages negative: that is "just used".
    age = max(0.0, now - found.last_used)
    why = None
    if found.busy:
        why = "is being made"
    elif found.state == "unreadable":
        why = "cannot be read: it may belong to another user"
    elif found.processes:
        why = "in use by " + _listing([f"process {process}" for process in found.processes])
    elif found.foreign:
        why = "kept for " + _listing([_foreign(note) for note in found.foreign])
    elif found.kept:
        why = "kept on request (`conda tmpenv release` undoes that)"
    elif found.state != "unfinished" and age < policy.unused_for.total_seconds():
        why = f"used {age / 3600:.1f} hours ago"
    return why


def _foreign(note: Note) -> str:
    if note.use is None:
        return f"an odd file among the notes, `{note.path}`"
    host, _, first = note.use.place.rsplit("+", 2)
    here, _, our_first = usage.place().rsplit("+", 2)
    where = f"{host} (another container)" if host == here and first != our_first else host
    return f"a note of process {note.use.pid} on {where}, which cannot be asked from here"


def _listing(items: Sequence[str]) -> str:
    shown = ", ".join(items[:3])
    return shown if len(items) <= 3 else f"{shown} and {len(items) - 3} more"


# Acting --------------------------------------------------------------------------------------------------------------


def sweep(store: Store, policy: Policy = Policy(), *, pause: Callable[[float], None] = time.sleep) -> Report:
    """The automatic cleaning, once: renew what is in use, remove what may go, empty the trash."""
    _put_back(store)
    found = survey(store, policy)
    _renew(store, found)
    report = _remove(store, found, policy, pause=pause)
    _empty_trash(store)
    return report


def clear(
    store: Store,
    names: Sequence[str] | None = None,
    *,
    min_age: timedelta = timedelta(0),
    foreign_use_ttl: timedelta = Policy.foreign_use_ttl,
    dry_run: bool = False,
    pause: Callable[[float], None] = time.sleep,
    notice: Callable[[str], object] | None = None,
) -> Report:
    """Remove what nobody has used for `min_age`, all or of these names. A name means its neighbours `<name>.1` too.

    What a person asked to keep goes only by its name. `notice` is told why nothing happens for two minutes.
    """
    policy = Policy(min_age, foreign_use_ttl)
    if not dry_run:
        _put_back(store)
    found = survey(store, policy, None if names is None else _with_neighbours(store, names))
    if names is not None:
        from ..lean.values import replace

        found = [replace(one, kept=False) for one in found]
    if dry_run:
        now = store.now()
        reasons = [(one, why_kept(one, now, policy)) for one in found]
        return Report(
            tuple(one for one, why in reasons if why is None), tuple((one, why) for one, why in reasons if why)
        )

    def patiently(seconds: float) -> None:
        if notice is not None:
            notice(f"waiting {seconds:.0f} seconds for other hosts that may use `{store.tmp_envs}`")
        pause(seconds)

    report = _remove(store, found, policy, named=names is not None, pause=patiently)
    _empty_trash(store)
    return report


def _with_neighbours(store: Store, names: Iterable[str]) -> list[str]:
    wanted = set(names)
    return [name for name in store.list() if name in wanted or name.partition(".")[0] in wanted]


def keep(environment: Environment) -> None:
    """Never clean it automatically. Raises PlaceError where nothing can be written."""
    try:
        with open(layout.keep(environment.prefix), "w", encoding="utf-8"):
            pass
    except OSError as error:
        raise PlaceError.refused(error, environment.prefix) from error


def release(environment: Environment) -> None:
    """Undo `keep`. Raises PlaceError where nothing can be removed."""
    mark = layout.keep(environment.prefix)
    try:
        if os.path.lexists(mark):  # in a read-only place, what is not there cannot be removed either
            os.unlink(mark)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise PlaceError.refused(error, environment.prefix) from error


def _renew(store: Store, environments: Iterable[Found]) -> None:
    """Tell other hosts, and later sweeps, that what is in use is; remove the notes of the dead.

    A note is dead for good: its process ended, and none with that start can come again. So notes may go without the
    lock, which keeps the directory of a busy environment small. The directory's time, the last use, is put back.

    Processes inside the prefix that noted nothing (a daemon) get a note first: other hosts cannot see them.
    """
    now = store.now()
    for found in environments:
        if found.marker is None:
            continue
        uses = layout.uses(found.prefix, found.marker.build)
        before = usage.listed_in(uses)
        last_used = _last_used(found.prefix, found.marker, [uses])
        for process in found.processes:
            _note(uses, process)
        for directory, name in found.dead:
            files.try_to_unlink(os.path.join(directory, name))
        _set_last_used(uses, now if found.processes or last_used > now else last_used, before)


def _note(uses: str, process: Process) -> None:
    """Make or renew the note of a live process."""
    try:
        usage.write_note(os.path.join(uses, str(usage.use_of(process.pid))))
    except (OSError, PlaceError):
        pass  # the environment went, the disk is full, or the place is not ours to renew


def _set_last_used(uses: str, last_used: float, before: Sequence[str]) -> None:
    try:
        os.utime(uses, (last_used, last_used))
        if set(usage.listed_in(uses)) - set(before):
            os.utime(uses)  # somebody came meanwhile
    except OSError:
        pass


def _put_back(store: Store) -> None:
    """Mark again what dead sweepers put aside. One that waits out a network's caches loses its candidates: no harm."""
    for name in store.list():
        if os.path.exists(layout.marker_aside(store.prefix(name))):
            lock = store.lock(name, wait=False)
            if lock is not None:
                with lock:
                    if store.state(name) == "aside":
                        store.mark_again(name)


def _empty_trash(store: Store) -> None:
    for name in usage.listed_in(layout.trash(store.tmp_envs)):
        files.delete(os.path.join(layout.trash(store.tmp_envs), name))


def _remove(
    store: Store,
    environments: Sequence[Found],
    policy: Policy,
    *,
    named: bool = False,
    pause: Callable[[float], None],
) -> Report:
    if not usage.sees_processes():
        return Report(
            (), tuple((found, "the processes that may use it cannot be seen: no /proc") for found in environments)
        )
    now = store.now()
    kept = [(found, why) for found in environments if (why := why_kept(found, now, policy)) is not None]
    chosen = choose(environments, now, policy)
    removal = _Removal(store, policy, named, bool(chosen) and is_network(store.tmp_envs), pause)
    removal.take(chosen)
    kept += removal.kept
    return Report(tuple(removal.freed), tuple(sorted(kept, key=lambda one: one[0].name)))


class _Removal:
    """The steps, a batch at a time. Whatever ends one early puts the markers back that it put aside."""

    def __init__(
        self, store: Store, policy: Policy, named: bool, network: bool, pause: Callable[[float], None]
    ) -> None:
        self.store = store
        self.policy = policy
        self.named = named
        self.network = network
        self.pause = pause
        self.freed: list[Found] = []
        self.kept: list[tuple[Found, str]] = []
        self._locked: list[tuple[Found, Lock]] = []
        self._trash: list[str] = []

    def take(self, chosen: Sequence[Found]) -> None:
        """A batch at a time; but on a network file system the pause, without locks, is one for all."""
        stamps = self._put_aside_for_all_hosts(chosen) if self.network else None
        for first in range(0, len(chosen), _BATCH):
            self._take(chosen[first : first + _BATCH], stamps)

    def _take(self, batch: Sequence[Found], stamps: Mapping[str, tuple[str, int, int]] | None) -> None:
        try:
            for found in batch:
                if stamps is None:
                    self._put_aside(found)
                elif found.name in stamps:
                    self._take_up_again(found, stamps[found.name])
            self._judge()
        finally:
            while self._locked:
                self._stay(*self._locked[-1], "the cleaning was interrupted")
        while self._trash:
            files.delete(self._trash.pop())
            stores.reached("deleted")

    def _put_aside(self, found: Found) -> None:
        lock = self.store.lock(found.name, script="conda tmpenv clear", wait=False)
        if lock is None:
            self.kept.append((found, "is being made, or cleaned"))
            return
        stores.reached("sweep locked")
        self._locked.append((found, lock))
        environment = self.store.read(found.name)
        marker = environment.marker if environment else None
        if (self.store.state(found.name), marker) != (found.state, found.marker):
            self._stay(found, lock, "changed meanwhile", mark=False)
        elif environment is not None:
            self.store.unmark(found.name)

    def _put_aside_for_all_hosts(self, chosen: Sequence[Found]) -> dict[str, tuple[str, int, int]]:
        """What was put aside, as it was left when other hosts must have seen it. Holds one lock at a time."""
        stamps = {}
        for found in chosen:
            self._put_aside(found)
            while self._locked:
                _, lock = self._locked.pop()
                stamps[found.name] = self._stamp(found)
                lock.release()
        if stamps:
            self.pause(NETWORK_PAUSE.total_seconds())
        return stamps

    def _take_up_again(self, found: Found, stamp: tuple[str, int, int]) -> None:
        lock = self.store.lock(found.name, script="conda tmpenv clear", wait=False)
        if lock is None:
            self.kept.append((found, "is being made, or cleaned"))
        elif self._stamp(found) != stamp:
            lock.release()
            self.kept.append((found, "used meanwhile"))
        else:
            self._locked.append((found, lock))

    def _stamp(self, found: Found) -> tuple[str, int, int]:
        """Changes when the prefix is made anew, or its marker is put back and aside again."""
        state = self.store.state(found.name)
        path = layout.marker_aside(found.prefix) if state == "aside" else found.prefix
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return state, 0, 0
        return state, status.st_ino, status.st_ctime_ns if state == "aside" else 0

    def _judge(self) -> None:
        """Look who uses what is aside now. The notes are listed first: a process outlives its note's making."""
        listed = [usage.listed(found.prefix) for found, _ in self._locked]
        stores.reached("notes listed")
        now = self.store.now()
        observer = usage.Observer(now, self.policy.foreign_use_ttl.total_seconds())
        sorted_notes = [observer.sort(notes) for notes in listed]
        inhabitants = usage.inhabitants(self.store.tmp_envs) if self._locked else {}
        for (found, lock), notes, (live, foreign, _) in zip(list(self._locked), listed, sorted_notes, strict=True):
            last_used = _last_used(found.prefix, found.marker, [directory for directory, _ in notes])
            is_recent = last_used > found.last_used and now - last_used < self.policy.unused_for.total_seconds()
            if live or foreign or inhabitants.get(found.name) or is_recent:
                self._stay(found, lock, "used meanwhile")
            elif not self.named and os.path.exists(layout.keep(found.prefix)):
                self._stay(found, lock, "kept on request")
            else:
                self._go(found, lock)

    def _stay(self, found: Found, lock: Lock, why: str, mark: bool = True) -> None:
        if mark:
            self.store.mark_again(found.name)
        self._locked.remove((found, lock))
        lock.release()
        self.kept.append((found, why))

    def _go(self, found: Found, lock: Lock) -> None:
        try:
            trash = self.store.discard(found.name)
        except OSError as error:
            self._stay(found, lock, f"cannot be moved: {error.strerror}")
            return
        self._locked.remove((found, lock))
        lock.release()
        self.freed.append(found)
        if trash is not None:
            self._trash.append(trash)


def is_network(path: str) -> bool:
    """Whether this path lies on a file system that other hosts may see, with caches between them and us."""
    import psutil

    real = os.path.realpath(path)
    best, kind = "", ""
    try:
        partitions = psutil.disk_partitions(all=True)
    except OSError:
        return True  # nobody tells: the worse case
    for partition in partitions:
        mount = partition.mountpoint
        below = real == mount or real.startswith(mount.rstrip(os.sep) + os.sep)
        if below and len(mount) >= len(best):
            best, kind = mount, partition.fstype.lower()
    return kind in _NETWORK or kind.startswith("fuse.")
