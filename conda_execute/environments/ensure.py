"""An environment for a request: an existing one or a new one, noted as used by this process.

The warm path takes no lock: note, marker, note again (`uses.hold`). Everything else happens under the lock of the
environment's name: look again, and

* a marker: use it;
* a marker put aside: a sweeper died; put it back and use it;
* neither: a creator died; throw the prefix away and make it again;
* nothing: make it, mark it last.

The use is noted before the lock is free again. So of many processes that need the same missing environment, one creates
it and all use it. A creator that dies at any moment leaves nothing that a later run takes for a finished environment.

No prefix is repaired or made again while a live process uses it. What is in use and broken, or was made for hosts
unlike this one, stays as it is, and the request gets a second name: `<name>.1`, and so on. So does one that
is older than the recipe wants it; it is used until the new one is ready, and by anyone else who would have to wait.
"""

from __future__ import annotations

import os
import time

from .. import files
from ..errors import NO_ROOM, CreationError, InUseError, PlaceError
from ..lean.values import dataclass
from ..model import Marker
from . import layout, uses
from . import store as stores
from .name import canonical_text, environment_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol, TypeVar

    from ..model import Built, Environment, Request, Use
    from .lock import Holder, Lock
    from .processes import Process
    from .store import Store
    from .uses import Note

    Solved = TypeVar("Solved")

    class Recipe(Protocol[Solved]):
        """How one environment is solved, made and judged. What `solve` and `create` raise is passed on, with the
        prefix as it was or absent."""

        @property
        def title(self) -> str:
            """Who asks for the environment; shown to processes that wait."""

        @property
        def recorded(self) -> str:
            """The same for the marker, as an absolute path or address."""

        @property
        def renew_after(self) -> float:
            """Seconds after which an environment is too old; 0: never."""

        def solve(self, *, replaces: bool) -> Solved:
            """Do what can fail before anything is created, or before the environment that `replaces` refers to is
            removed."""

        def create(self, prefix: str, lock_fd: int, solved: Solved) -> Built:
            """Fill the prefix. Every process that writes into it must inherit the lock's descriptor."""

        def fits(self, environment: Environment) -> bool:
            """Whether this host satisfies the environment's virtual packages; asked once per place."""

        def is_sound(self, environment: Environment) -> bool:
            """Whether nothing is missing that the run needs, besides package records."""

        def tell(self, text: str) -> None:
            """Say what a user should know but need not act on."""


_ROOM = "`conda tmpenv clear` deletes environments that are not in use; set `env-dir` to a directory on another disk"


def ensure(
    request: Request, store: Store, recipe: Recipe[Any], use: Use | None = None, force: bool = False
) -> Environment:
    """Return a ready environment for the request, held by `use`; default: a use of this process.

    `force`: create it again; raises InUseError if a process uses it.
    """
    name = environment_name(request)
    work = _Work(request, store, recipe, use or uses.this_process())
    if not force:
        environment = work.find(name)
        if environment is not None:
            return work.renewed(name, environment) if work.is_due(environment) else environment
    for candidate in store.candidates(name):
        environment = work.at(candidate, force)
        if environment is not None:
            return environment
    raise CreationError(
        f"all {stores.CANDIDATES} prefixes for this environment are damaged and in use: `{store.prefix(name)}`",
        hint="`conda tmpenv list` names the processes that use them",
    )


def find(request: Request, store: Store, recipe: Recipe[Any], use: Use | None) -> Environment | None:
    """Return the environment that `ensure` would use as it is, if there is one; held by `use`, if given."""
    work = _Work(request, store, recipe, use or uses.this_process())
    return work.find(environment_name(request), hold=use is not None)


def is_complete(environment: Environment) -> bool:
    """Whether the environment has as many package records as when it was created.

    Scratch disks purge files that were not read for weeks. Package records go first: only conda reads them, while each
    run reads the marker next to them.
    """
    return _records(environment.prefix) >= environment.marker.records


def _records(prefix: str) -> int:
    return sum(name.endswith(".json") for name in files.listed(layout.conda_meta(prefix)))


@dataclass
class _Work:
    """The work for one request of one process."""

    request: Request
    store: Store
    recipe: Recipe[Any]
    use: Use

    def find(self, name: str, hold: bool = True) -> Environment | None:
        """The warm path: return an environment of this name that is ready, fits this host, is undamaged and can be
        held. One that is too old is only used if there is no newer one."""
        ready = self.store.ready(name)
        if self.recipe.renew_after:
            ready = iter(sorted(ready, key=lambda one: (self.is_due(one), -self.store.made(one))))
        for environment in ready:
            usable = self._is_fit(environment) and self._is_whole(environment)
            if usable and (not hold or uses.hold(environment, self.use)):
                return environment
        return None

    def is_due(self, environment: Environment) -> bool:
        """Whether the environment is old enough to be renewed."""
        seconds = self.recipe.renew_after
        if not seconds:
            return False
        from . import renewal

        try:
            return self.store.now() > renewal.due(environment, seconds)
        except OSError:
            return False  # it is being deleted

    def renewed(self, name: str, old: Environment) -> Environment:
        """Return a new environment next to the old one, which we hold. Return the old one if another process is
        creating the new one, or if it cannot be created."""
        for candidate in self.store.candidates(name):
            if self.store.state(candidate) in ("ready", "aside"):
                continue
            try:
                lock = self.store.try_to_lock(candidate, self.recipe.title)
                if lock is None:
                    return old
                self.recipe.tell("the environment is older than `renew-after`: a new one is created next to it")
                environment = self._with_lock(candidate, lock, force=False)
            except (CreationError, PlaceError) as error:
                self.recipe.tell(
                    f"the old environment is used, because a new one could not be created: {error.message}"
                )
                from . import renewal

                renewal.postpone(old, self.recipe.renew_after, self.store.now())
                return old
            if environment is not None:
                files.try_to_unlink(uses.note_path(old, self.use))
                return environment
        return old

    def at(self, candidate: str, force: bool) -> Environment | None:
        """Return the environment in the prefix of this name, created if needed; None if this prefix cannot be used."""
        from .lock import Lock

        refused: set[str] = set()

        def made() -> Environment | None:
            """Return what another process created while we waited, held."""
            environment = None if force else self.store.read(candidate)
            if environment is None or environment.marker.build in refused:
                return None
            if self._is_fit(environment) and self._is_whole(environment) and uses.hold(environment, self.use):
                return environment
            refused.add(environment.marker.build)
            return None

        found = self.store.lock(
            candidate, self.recipe.title, lambda holder: self._say_who_is_waited_for(candidate, holder), made
        )
        return self._with_lock(candidate, found, force) if isinstance(found, Lock) else found

    def _say_who_is_waited_for(self, candidate: str, holder: Holder) -> None:
        does = "deleting" if holder.script == layout.CLEANER else "creating"
        self.recipe.tell(f"waiting for {holder}, which is {does} this environment")
        if holder.has_link and holder.host not in ("", self.use.host):
            self.recipe.tell(f"if `{holder.host}` is gone, `conda tmpenv clear --foreign {candidate}` removes its lock")

    def _is_fit(self, environment: Environment) -> bool:
        """Whether this host satisfies the environment's virtual packages. A positive answer is remembered for the
        place: the hardware stays the same until the next boot, and a new container is checked again."""
        if not environment.marker.virtual_packages:
            return True
        known = os.path.join(layout.hosts(environment.prefix, environment.marker.build), self.use.place)
        if os.path.exists(known):
            return True
        if not self.recipe.fits(environment):
            return False
        _remember(known)
        return True

    def _is_whole(self, environment: Environment) -> bool:
        return is_complete(environment) and self.recipe.is_sound(environment)

    def _with_lock(self, candidate: str, lock: Lock, force: bool) -> Environment | None:
        if lock.notice is not None:
            self.recipe.tell(lock.notice)
        try:
            with lock:
                environment = self._look_again(candidate, lock, force)
                if environment is not None:
                    self._note(environment)
        finally:
            self.store.empty_trash(candidate)  # now that no process has to wait for the disk
        return environment

    def _look_again(self, candidate: str, lock: Lock, force: bool) -> Environment | None:
        started = time.monotonic()
        state = self.store.state(candidate)
        if state == "aside":
            self.store.mark_again(candidate)
        environment = self.store.read(candidate)
        if environment is not None:
            if not self._is_fit(environment):
                return None
            if not force and self._is_whole(environment):
                return environment
        if state == "absent":
            solved = self.recipe.solve(replaces=False)
        else:
            from .processes import sees_processes

            if not sees_processes():
                if force and environment is not None:
                    raise InUseError(
                        f"without /proc, the processes that use the environment cannot be seen: `{environment.prefix}`"
                    )
                return None
            try:
                # No process may begin to use it while we look for users.
                was_ready = self.store.unmark(candidate)
                processes, foreign = self._users(candidate, was_ready)
                if processes or foreign:
                    if force and environment is not None:
                        raise in_use(environment.prefix, processes, foreign)
                    return None
                solved = self.recipe.solve(replaces=force)
                self.store.discard(candidate)
            finally:
                self.store.mark_again(candidate)  # unless it was discarded
        return self._make(candidate, lock, solved, started)

    def _users(self, candidate: str, was_ready: bool) -> tuple[Sequence[Process], Sequence[Note]]:
        """Processes, and notes of other hosts, that keep the prefix from being deleted."""
        from .observer import FOREIGN_TTL, users

        prefix = self.store.prefix(candidate)
        if was_ready or uses.listed(prefix):
            self._wait_for_other_hosts()
        found = users(self.store.tmp_envs, {candidate: uses.listed(prefix)}, self.store.now(), FOREIGN_TTL)[candidate]
        # A note of our own was left by the launcher or the warm path, before it saw that the environment is unusable.
        return [one for one in found.processes if (one.pid, one.why) != (self.use.pid, "noted")], found.foreign

    def _wait_for_other_hosts(self) -> None:
        """Wait until notes that the caches of other hosts may hide from us must be visible, as the sweeper does."""
        from . import filesystem

        if filesystem.is_network(self.store.tmp_envs):
            seconds = filesystem.NETWORK_PAUSE
            self.recipe.tell(f"waiting {seconds:.0f} seconds for other hosts that may use `{self.store.tmp_envs}`")
            time.sleep(seconds)

    def _make(self, candidate: str, lock: Lock, solved: Any, started: float) -> Environment:
        prefix = self.store.prefix(candidate)
        try:
            built = self.recipe.create(prefix, lock.descriptor, solved)
            if not lock.is_ours():
                # A person deleted the cache and the lock with it, or the locks here do not exclude other hosts. Another
                # process may be creating or using the prefix by now.
                raise CreationError(
                    f"the environment was deleted while it was being created: `{prefix}`",
                    step="finish",
                    hint="run the command again",
                )
            environment = self.store.finish(candidate, self._marker(candidate, prefix, built, started))
        except BaseException as error:
            is_full = files.is_full(prefix)
            if lock.is_ours():
                self.store.discard(candidate)
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise CreationError(f"the disk is full: `{prefix}`", step="create", hint=_ROOM) from error
            if is_full and isinstance(error, CreationError) and error.hint is None:
                error.hint = f"the disk is full: {_ROOM}"
            raise
        _remember(os.path.join(layout.hosts(prefix, environment.marker.build), self.use.place))
        return environment

    def _marker(self, candidate: str, prefix: str, built: Built, started: float) -> Marker:
        from .. import __version__

        return Marker(
            build=os.urandom(8).hex(),
            name=candidate,
            specs=self.request.specs,
            channels=tuple(channel.name for channel in self.request.channels),
            platform=self.request.platform,
            backend=built.backend,
            engine=built.engine,
            version=__version__,
            created=time.time(),
            seconds=time.monotonic() - started,
            packages=built.packages,
            size=built.size,
            script=self.recipe.recorded,
            pypi=self.request.pypi,
            virtual_packages=built.virtual_packages,
            request=canonical_text(self.request),
            records=_records(prefix),
        )

    def _note(self, environment: Environment) -> None:
        try:
            uses.write_note(uses.note_path(environment, self.use))
        except FileNotFoundError:
            # A person removed the directory of uses. No process of ours can have done that: we hold the lock.
            files.make_directory(layout.uses(environment.prefix, environment.marker.build))
            uses.write_note(uses.note_path(environment, self.use))


def _remember(path: str) -> None:
    try:
        files.touch(path)
    except OSError:
        pass  # read-only, or being deleted: checked again next time


def in_use(prefix: str, processes: Sequence[Process], foreign: Sequence[Note]) -> InUseError:
    """The error that says who is using an environment."""
    details = [f"process {process}: {process.why}" for process in processes]
    details += [f"process {note.use.pid} on {note.use.host}" for note in foreign if note.use]
    return InUseError(
        f"the environment is in use: `{prefix}`",
        details="\n".join(details),
        hint="end these processes, or wait for them to end",
    )
