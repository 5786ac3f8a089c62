"""Removing environments: put aside, check for users, move to the trash. `sweep` chooses them and explains the steps."""

from __future__ import annotations

import os
from datetime import timedelta

from ..lean.values import dataclass
from . import layout, observer, uses
from .filesystem import NETWORK_PAUSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from ..model import Marker
    from .lock import Lock
    from .processes import Process
    from .store import State, Store
    from .uses import Note

#: How many environments are put aside at once. Runs that want one of them wait while the processes are checked, and
#: each lock that is held is an open file.
_BATCH = 32


@dataclass(frozen=True)
class Policy:
    """Which environments may be removed."""

    unused_for: timedelta = timedelta(hours=25)
    #: Notes of other hosts and containers count as live until they are older.
    foreign_use_ttl: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Found:
    """An environment in any state, as a survey finds it. Times are seconds by the file system's clock."""

    name: str
    prefix: str
    state: State | Literal["unreadable"]
    #: None if unfinished or unreadable.
    marker: Marker | None
    last_used: float
    #: A person asked that it is never cleaned automatically.
    kept: bool = False
    #: As in `observer.Users`.
    processes: tuple[Process, ...] = ()
    foreign: tuple[Note, ...] = ()
    dead: tuple[str, ...] = ()
    #: It is being created or cleaned right now.
    busy: bool = False

    @property
    def size(self) -> int | None:
        """Bytes, as counted when it was created; None if it was never finished."""
        return self.marker.size if self.marker else None

    @property
    def in_use(self) -> bool:
        return bool(self.processes or self.foreign)


class Removal:
    """The steps, a batch at a time. If one ends early, the markers that it put aside are put back."""

    def __init__(self, store: Store, policy: Policy, named: bool, pause: Callable[[float], None] | None) -> None:
        """`named`: a person chose these environments, so kept ones are removed too. `pause` waits for the caches of
        other hosts, on a network file system."""
        self.store = store
        self.policy = policy
        self.named = named
        self.pause = pause
        self.freed: list[Found] = []
        self.kept: list[tuple[Found, str]] = []
        self._locked: list[tuple[Found, Lock]] = []

    def take(self, chosen: Sequence[Found]) -> None:
        """Remove a batch at a time; but on a network file system there is one pause, without locks, for all."""
        stamps = self._put_aside_for_all_hosts(chosen, self.pause) if self.pause else None
        for first in range(0, len(chosen), _BATCH):
            self._take(chosen[first : first + _BATCH], stamps)

    def _take(self, batch: Sequence[Found], stamps: Mapping[str, tuple[str, int, int]] | None) -> None:
        try:
            for found in batch:
                if stamps is None:
                    self._put_aside(found)
                elif found.name in stamps:
                    lock = self._lock(found)
                    if lock is not None and self._stamp(found) != stamps[found.name]:
                        self._stay(found, lock, "used meanwhile", mark=False)
            self._judge()
        finally:
            while self._locked:
                self._stay(*self._locked[-1], "the cleaning was interrupted")
        for found in batch:
            self.store.empty_trash(found.name)

    def _lock(self, found: Found) -> Lock | None:
        lock = self.store.try_to_lock(found.name, layout.CLEANER)
        if lock is None:
            self.kept.append((found, "is being created or cleaned"))
        else:
            self._locked.append((found, lock))
        return lock

    def _put_aside(self, found: Found) -> None:
        lock = self._lock(found)
        if lock is None:
            return
        environment = self.store.read(found.name)
        marker = environment.marker if environment else None
        if (self.store.state(found.name), marker) != (found.state, found.marker):
            self._stay(found, lock, "changed meanwhile", mark=False)
        elif environment is not None:
            self.store.unmark(found.name)

    def _put_aside_for_all_hosts(
        self, chosen: Sequence[Found], pause: Callable[[float], None]
    ) -> dict[str, tuple[str, int, int]]:
        """Put all aside, and return those that are still as we left them when other hosts must have seen it. Holds one
        lock at a time."""
        stamps = {}
        for found in chosen:
            self._put_aside(found)
            while self._locked:
                _, lock = self._locked.pop()
                stamps[found.name] = self._stamp(found)
                lock.release()
        if stamps:
            pause(NETWORK_PAUSE)
        return stamps

    def _stamp(self, found: Found) -> tuple[str, int, int]:
        """Changes when the prefix is made again, or its marker is put back and aside again."""
        state = self.store.state(found.name)
        path = layout.marker_aside(found.prefix) if state == "aside" else found.prefix
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return state, 0, 0
        return state, status.st_ino, status.st_ctime_ns if state == "aside" else 0

    def _judge(self) -> None:
        """Find the users of what is aside now. Notes are listed first: a process that wrote a note is still there when
        processes are listed."""
        notes = {found.name: uses.listed(found.prefix) for found, _ in self._locked}
        now = self.store.now()
        users = observer.users(self.store.tmp_envs, notes, now, self.policy.foreign_use_ttl.total_seconds())
        for found, lock in list(self._locked):
            last_used = uses.last_used(found.prefix, found.marker, notes[found.name])
            is_recent = last_used > found.last_used and now - last_used < self.policy.unused_for.total_seconds()
            if users[found.name].processes or users[found.name].foreign or is_recent:
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
            self.store.discard(found.name)
        except OSError as error:
            self._stay(found, lock, f"cannot be moved: {error.strerror}")
            return
        self._locked.remove((found, lock))
        lock.release()
        self.freed.append(found)
