"""Cleaning: environments that were not used for a while are removed, but never one that is in use.

`survey` reads, `choose` decides on values alone, `sweep` and `clear` act. Acting on environments takes these steps, a
few of them at a time:

1. take its lock, without waiting: a process that holds it has a reason to keep the environment;
2. put its marker aside: from here on no run can begin to use it;
3. list its notes, then the processes: a process that wrote its note before step 2 is seen now;
4. if it is in use, put the marker back; otherwise rename the prefix into the trash, unlock, and delete it there.

A sweeper that dies between 2 and 4 leaves a marker aside, which the next run or sweep puts back. One that dies later
leaves trash, which the next sweep deletes.

On a network file system the caches of two hosts may hide a fresh note from the sweeper and an absent marker from the
runner, for up to a minute. There the locks are released between 2 and 3 for longer than that, and the sweeper continues
only if the marker is still aside as it left it.

Ages are measured by the file system's clock: the directory of uses changes with each new note, and each sweep updates
its time while the environment is in use.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta

from .. import files
from ..errors import PlaceError
from ..lean.values import dataclass, replace
from ..text import age
from . import layout, machine, observer, processes, uses
from . import marker as markers
from .filesystem import is_network
from .observer import FOREIGN_TTL
from .removal import Found, Policy, Removal
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Literal

    from ..model import Environment, Marker, Use
    from .processes import Process
    from .store import State
    from .uses import Note, Notes


@dataclass(frozen=True)
class Report:
    """What a sweep did: what was removed, and what was kept and why."""

    freed: tuple[Found, ...] = ()
    kept: tuple[tuple[Found, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes freed, as far as they were counted when the environments were made."""
        return sum(found.size or 0 for found in self.freed)


# Reading -------------------------------------------------------------------------------------------------------------


def survey(store: Store, policy: Policy = Policy(), names: Iterable[str] | None = None) -> list[Found]:
    """Read all environments, or the named ones, sorted by name. Writes nothing but the file that shows the file
    system's clock."""
    now = store.now()
    read = {name: _read(store, name) for name in (store.list() if names is None else names)}
    notes = {name: listed for name, (_, _, listed) in read.items()}
    users = observer.users(store.tmp_envs, notes, now, policy.foreign_use_ttl.total_seconds())
    return [
        Found(
            name=name,
            prefix=store.prefix(name),
            state=state,
            marker=marker,
            last_used=uses.last_used(store.prefix(name), marker, notes[name]),
            kept=os.path.exists(layout.keep(store.prefix(name))),
            busy=state == "unfinished" and _is_locked(store, name),
            **vars(users[name]),
        )
        for name, (state, marker, _) in read.items()
        if state != "absent"
    ]


def _read(store: Store, name: str) -> tuple[State | Literal["unreadable"], Marker | None, Notes]:
    """State, marker, and the names of notes by directory. Read without the lock: before acting, they are read again."""
    prefix = store.prefix(name)
    try:
        state = store.state(name)
        path = layout.marker(prefix) if state == "ready" else layout.marker_aside(prefix)
        marker = markers.read(path) if state in ("ready", "aside") else None
        return state, marker, uses.listed(prefix, marker.build if marker else None)
    except (PlaceError, PermissionError):
        return "unreadable", None, []


def _is_locked(store: Store, name: str) -> bool:
    if not os.path.exists(layout.lock(store.tmp_envs, name)):
        return False
    try:
        lock = store.try_to_lock(name)
    except PlaceError:
        return False
    if lock is not None:
        lock.release()
    return lock is None


# Deciding ------------------------------------------------------------------------------------------------------------


def choose(environments: Iterable[Found], now: float, policy: Policy) -> tuple[list[Found], list[tuple[Found, str]]]:
    """Separate environments that may be removed from those that stay, each with the reason. Environments may be removed
    if they are not kept, not in use and unused for long enough; unfinished ones if no process is creating them."""
    judged = [(found, why_kept(found, now, policy)) for found in environments]
    return [found for found, why in judged if why is None], [(found, why) for found, why in judged if why is not None]


def why_kept(found: Found, now: float, policy: Policy) -> str | None:
    """Why this environment stays, for people; None if it may be removed."""
    # A clock that jumped back makes ages negative: that is "just used".
    age = max(0.0, now - found.last_used)
    why = None
    if found.busy:
        why = "is being created"
    elif found.state == "unreadable":
        why = "cannot be read: it may belong to another user"
    elif found.processes:
        why = "in use by " + _listing([f"process {process}" for process in found.processes])
    elif found.foreign:
        why = f"kept for {foreign_notes(found.foreign, now)}"
        why += "" if found.foreign[0].use is None else ", which cannot be checked from here"
    elif found.kept:
        why = "kept on request (`conda tmpenv release` undoes that)"
    elif found.state != "unfinished" and age < policy.unused_for.total_seconds():
        why = f"used {age / 3600:.1f} hours ago"
    return why


def foreign_notes(notes: Sequence[Note], now: float) -> str:
    """What is known about notes that cannot be judged from here, without claiming that their processes run."""
    if len(notes) == 1 and notes[0].use is None:
        return f"an unexpected file among the notes of processes, `{notes[0].path}`"
    if len(notes) == 1 and notes[0].use is not None:
        return f"a note of process {notes[0].use.pid} on {_where(notes[0].use)}"
    hosts = {_where(note.use) for note in notes if note.use is not None}
    whose = next(iter(hosts)) if len(hosts) == 1 else f"{len(hosts)} hosts"
    newest = max(files.changed(note.path) for note in notes)
    return f"{len(notes)} notes of {whose}, newest {'now' if now - newest < 60 else age(now - newest) + ' ago'}"


def _where(use: Use) -> str:
    here = uses.this_process()
    is_container = use.host == here.host and use.place != here.place
    return f"{use.host} (another container)" if is_container else use.host


def _listing(items: Sequence[str]) -> str:
    shown = ", ".join(items[:3])
    return shown if len(items) <= 3 else f"{shown} and {len(items) - 3} more"


# Acting --------------------------------------------------------------------------------------------------------------


def sweep(store: Store, policy: Policy = Policy(), *, pause: Callable[[float], None] = time.sleep) -> Report:
    """One automatic cleaning: renew what is in use, empty the trash, remove what may be removed."""
    _begin(store)
    return _remove(store, survey(store, policy), policy, named=False, pause=pause)


def clear(
    store: Store,
    names: Sequence[str] | None = None,
    *,
    min_age: timedelta = timedelta(0),
    foreign_use_ttl: timedelta = Policy.foreign_use_ttl,
    foreign: bool = False,
    dry_run: bool = False,
    pause: Callable[[float], None] = time.sleep,
    notice: Callable[[str], object] | None = None,
) -> Report:
    """Remove what was not used for `min_age`: all, or the environments of these names. A name includes its neighbours
    `<name>.1`.

    What a person asked to keep is removed by name only. `notice` is told why nothing happens for two minutes.
    `foreign`: a person says that no other host or container runs anything, so their notes and links are ignored.
    """
    policy = Policy(min_age, timedelta(0) if foreign else foreign_use_ttl)
    chosen = store.list() if names is None else _with_neighbours(store, names)
    if foreign and not dry_run:
        from .soft_lock import SoftLock

        for name in chosen:
            SoftLock(layout.lock(store.tmp_envs, name), str(uses.this_process())).free()
    if not dry_run:
        _begin(store)
    found = survey(store, policy, chosen)
    if names is not None:
        found = [replace(one, kept=False) for one in found]
    if dry_run:
        going, kept = choose(found, store.now(), policy)
        return Report(tuple(going), tuple(kept))

    def patiently(seconds: float) -> None:
        if notice is not None:
            notice(f"waiting {seconds:.0f} seconds for other hosts that may use `{store.tmp_envs}`")
        pause(seconds)

    return _remove(store, found, policy, named=names is not None, pause=patiently)


def _with_neighbours(store: Store, names: Iterable[str]) -> list[str]:
    wanted = set(names)
    return [name for name in store.list() if name in wanted or name.partition(".")[0] in wanted]


def keep(environment: Environment) -> None:
    """Never clean the environment automatically. Raises PlaceError if nothing can be written."""
    try:
        files.touch(layout.keep(environment.prefix))
    except OSError as error:
        raise PlaceError.refused(error, environment.prefix) from error


def release(environment: Environment) -> None:
    """Undo `keep`. Raises PlaceError if nothing can be removed."""
    mark = layout.keep(environment.prefix)
    try:
        if os.path.lexists(mark):  # in a read-only place, what is not there cannot be removed either
            files.unlink(mark)
    except OSError as error:
        raise PlaceError.refused(error, environment.prefix) from error


def _renew(store: Store, environments: Iterable[Found]) -> None:
    """Show other hosts and later sweeps what is in use, and remove the notes of processes that have ended.

    A note is dead for good: its process ended, and none with that start can come again. So notes may be removed without
    the lock, which keeps the directory of a busy environment small. The directory's modification time, which is the
    last use, is restored.

    Processes inside the prefix without a note (a daemon) get one first: other hosts cannot see them.
    """
    now = store.now()
    for found in environments:
        if found.marker is None:
            continue
        directory = layout.uses(found.prefix, found.marker.build)
        before = files.listed(directory)
        last_used = uses.last_used(found.prefix, found.marker, [(directory, before)])
        for process in found.processes:
            _note(directory, process)
        for path in found.dead:
            files.try_to_unlink(path)
        _set_last_used(directory, now if found.processes or last_used > now else last_used, before)


def _note(directory: str, process: Process) -> None:
    """Write or renew the note of a live process."""
    try:
        uses.write_note(os.path.join(directory, str(uses.use_of(process.pid))))
    except (OSError, PlaceError):
        pass  # the environment was removed, the disk is full, or we may not write here


def _set_last_used(directory: str, last_used: float, before: Sequence[str]) -> None:
    try:
        os.utime(directory, (last_used, last_used))
        if set(files.listed(directory)) - set(before):
            os.utime(directory)  # another process wrote a note in the meantime
    except OSError:
        pass


def forget(store: Store, policy: Policy = Policy()) -> None:
    """Remove the notes of processes that have ended, and renew those of the others."""
    _renew(store, survey(store, policy))


def _begin(store: Store) -> None:
    """Register this machine, and restore markers that dead sweepers put aside."""
    now = store.now()
    try:
        machine.register(store.tmp_envs, now)
        machine.forget_former(store.tmp_envs, now, FOREIGN_TTL)
    except OSError:
        pass  # a read-only place: nothing can be removed either
    for name in store.list():
        # A live sweeper that waits for the caches of other hosts loses its candidates, which does no harm.
        if os.path.exists(layout.marker_aside(store.prefix(name))):
            lock = store.try_to_lock(name)
            if lock is not None:
                with lock:
                    if store.state(name) == "aside":
                        store.mark_again(name)


def _remove(
    store: Store,
    environments: Sequence[Found],
    policy: Policy,
    *,
    named: bool,
    pause: Callable[[float], None],
) -> Report:
    """Renew what is in use, empty the trash, remove what may be removed."""
    _renew(store, environments)
    store.empty_trash()
    if not processes.sees_processes():
        why = "without /proc, the processes that use it cannot be seen"
        return Report((), tuple((found, why) for found in environments))
    going, kept = choose(environments, store.now(), policy)
    network = bool(going) and is_network(store.tmp_envs)
    removal = Removal(store, policy, named, pause if network else None)
    removal.take(going)
    return Report(tuple(removal.freed), tuple(sorted([*kept, *removal.kept], key=lambda one: one[0].name)))
