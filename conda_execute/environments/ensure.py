"""An environment for a request: the one that is there, or a new one, noted as used by this process.

The warm path takes no lock: note, marker, note again (`usage.hold`). Everything else happens under the lock of the
environment's name: look again, and

* a marker: use it;
* a marker put aside: a sweeper died; put it back and use it;
* neither: a creator died; throw the prefix away and make it anew;
* nothing: make it, mark it last.

The use is noted before the lock is free again. So of many processes that want one missing environment one creates it
and all use it, and a creator that dies at any moment leaves nothing that a later run believes in.

No prefix is repaired or made again while a live process uses it. What is in use and broken, or was made for hosts
unlike this one, stays as it is, and the request gets the next name beside it: `<name>.1`, and so on.
"""

from __future__ import annotations

import errno
import os
import time

from .. import files
from ..errors import CreationError, InUseError
from ..lean.values import dataclass
from ..model import Environment, Marker
from . import layout, uses
from . import store as stores

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..model import Request, Use
    from .lock import Holder, Lock
    from .store import Store

    class Built(Protocol):
        """What an installation says about itself; `backend.Built` is one."""

        @property
        def packages(self) -> int: ...
        @property
        def size(self) -> int: ...
        @property
        def virtual_packages(self) -> tuple[str, ...]: ...
        @property
        def backend(self) -> str: ...


_ROOM = "`conda tmpenv clear` removes environments that are not in use; the setting `env-dir` names another place"


def _always(environment: Environment) -> bool:
    return True


def _nothing() -> None:
    pass


def _silent(text: str) -> None:
    pass


def ensure(
    request: Request,
    store: Store,
    create: Callable[[str, int], Built],
    *,
    script: str,
    solve: Callable[[], object] = _nothing,
    force: bool = False,
    fits: Callable[[Environment], bool] = _always,
    sound: Callable[[Environment], bool] = _always,
    on_wait: Callable[[Holder], None] | None = None,
    notice: Callable[[str], object] = _silent,
) -> Environment:
    """A ready environment for the request, held by a use of this process.

    `create` fills the prefix; it gets the descriptor of the lock, which every process that writes into the prefix must
    inherit. `solve` is what can fail before anything is removed or made: called under the lock, just before
    `create`. Whatever the two raise is passed on, with the prefix absent.

    `force`: make it anew; InUseError if a process uses it. `fits`: whether this host satisfies the environment's
    virtual packages, asked once per place. `sound`: whether nothing is missing that the run needs, besides what
    `damage` finds. `on_wait` is told once, after a second, whom we wait for; `script` is what others are told of us,
    and what the marker says. `notice` is told what a user should know but need not act on.
    """
    from .name import environment_name

    name = environment_name(request)
    use = uses.this_process()
    if not force:
        environment = find(name, store, use, fits, sound)
        if environment is not None:
            return environment
    work = _Work(request, store, create, solve, fits, sound, on_wait, notice, script, use)
    for candidate in store.candidates(name):
        environment = work.at(candidate, force)
        if environment is not None:
            return environment
    raise CreationError(
        f"all {stores.CANDIDATES} places for this environment are in use and broken: `{store.prefix(name)}`",
        hint="`conda tmpenv list` names the processes that use them",
    )


def find(
    name: str,
    store: Store,
    use: Use,
    fits: Callable[[Environment], bool] = _always,
    sound: Callable[[Environment], bool] = _always,
) -> Environment | None:
    """The environment of this name, held, if one is ready, fits and is whole: the warm path."""
    for environment in store.ready(name):
        if _is_fit(environment, fits, use) and _is_whole(environment, sound) and uses.hold(environment, use):
            return environment
    return None


def damage(environment: Environment) -> str | None:
    """What something removed from the environment since it was made; None if nothing that shows at once.

    Purges of scratch disks remove what was not read for weeks. Package records are the first to go: only conda reads
    them, while a run reads the marker beside them.
    """
    try:
        names = os.listdir(layout.conda_meta(environment.prefix))
    except FileNotFoundError:
        return "its `conda-meta` is gone"
    records = sum(name.endswith(".json") for name in names)
    if records >= environment.marker.records:
        return None
    return f"{environment.marker.records - records} of its {environment.marker.records} package records are gone"


def _is_whole(environment: Environment, sound: Callable[[Environment], bool]) -> bool:
    return damage(environment) is None and sound(environment)


def _is_fit(environment: Environment, fits: Callable[[Environment], bool], use: Use) -> bool:
    """Whether this host satisfies the environment's virtual packages. A yes is remembered for the place: until the
    next boot nobody changes its processor, and a new container is asked again."""
    if not environment.marker.virtual_packages:
        return True
    known = os.path.join(layout.hosts(environment.prefix, environment.marker.build), use.place)
    if os.path.exists(known):
        return True
    if not fits(environment):
        return False
    _remember(known)
    return True


def _remember(path: str) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        pass  # read-only, or going: asked again next time


@dataclass
class _Work:
    """The cold path of one request."""

    request: Request
    store: Store
    create: Callable[[str, int], Built]
    solve: Callable[[], object]
    fits: Callable[[Environment], bool]
    sound: Callable[[Environment], bool]
    on_wait: Callable[[Holder], None] | None
    notice: Callable[[str], object]
    script: str
    use: Use

    def at(self, candidate: str, force: bool) -> Environment | None:
        """The environment in the prefix of this name, made if need be; None: this prefix is not for us."""
        found: list[Environment] = []
        refused: set[str] = set()

        def is_made() -> bool:
            """Whether somebody else made it while we waited; if so, it is held."""
            environment = self.store.read(candidate)
            if force or environment is None or environment.marker.build in refused:
                return False
            if self._is_right(environment) and uses.hold(environment, self.use):
                found.append(environment)
            refused.add(environment.marker.build)
            return bool(found)

        lock = self.store.lock(candidate, script=self.script, on_wait=self.on_wait, unless=is_made)
        return found[0] if lock is None else self._with_lock(candidate, lock, force)

    def _is_right(self, environment: Environment) -> bool:
        return _is_fit(environment, self.fits, self.use) and _is_whole(environment, self.sound)

    def _with_lock(self, candidate: str, lock: Lock, force: bool) -> Environment | None:
        if lock.notice is not None:
            self.notice(lock.notice)
        trash: list[str] = []
        with lock:
            stores.reached("locked")
            environment = self._look_again(candidate, lock, force, trash)
            if environment is not None:
                stores.reached("before note")
                self._note(environment)
                stores.reached("noted")
        for path in trash:
            files.delete(path)
        return environment

    def _look_again(self, candidate: str, lock: Lock, force: bool, trash: list[str]) -> Environment | None:
        state = self.store.state(candidate)
        if state == "aside":
            self.store.mark_again(candidate)
        environment = self.store.read(candidate)
        if environment is not None:
            if not _is_fit(environment, self.fits, self.use):
                return None
            if not force and _is_whole(environment, self.sound):
                return environment
        if state != "absent" and self._is_in_use(candidate, force and environment is not None):
            return None
        return self._make(candidate, lock, state, trash)

    def _is_in_use(self, candidate: str, force: bool) -> bool:
        """Whether live processes keep the prefix from being thrown away; a marker there is put aside first, so that
        no new use comes up, and put back if so."""
        if not uses.sees_processes():
            if force:
                raise InUseError(
                    "the processes that may use the environment cannot be seen, without /proc:"
                    f" `{self.store.prefix(candidate)}`"
                )
            return True
        marked = self.store.unmark(candidate)
        try:
            if marked or uses.listed(self.store.prefix(candidate)):
                self._wait_for_other_hosts()
            processes, foreign = uses.live(self.store.prefix(candidate), self._observer())
            # A note of our own, left by the launcher or the warm path, is from before we knew better.
            processes = [one for one in processes if (one.pid, one.why) != (self.use.pid, "noted")]
        except BaseException:
            self.store.mark_again(candidate)
            raise
        if not processes and not foreign:
            return False
        self.store.mark_again(candidate)
        if force:
            raise in_use(self.store.prefix(candidate), processes, foreign)
        return True

    def _wait_for_other_hosts(self) -> None:
        """Until a note that another host's cache hides from us must have come to light, as the sweeper does."""
        from . import sweep

        if sweep.is_network(self.store.tmp_envs):
            seconds = sweep.NETWORK_PAUSE.total_seconds()
            self.notice(f"waiting {seconds:.0f} seconds for other hosts that may use `{self.store.tmp_envs}`")
            time.sleep(seconds)

    def _observer(self) -> uses.Observer:
        return uses.Observer(self.store.now(), uses.FOREIGN_TTL)

    def _make(self, candidate: str, lock: Lock, state: str, trash: list[str]) -> Environment:
        started = time.monotonic()
        try:
            self.solve()
        except BaseException:
            self.store.mark_again(candidate)
            raise
        if state != "absent":
            self._discard(candidate, trash)
        prefix = self.store.begin(candidate)
        try:
            built = self.create(prefix, lock.descriptor)
            self._check_ours(prefix, lock)
            environment = self.store.finish(candidate, self._marker(candidate, prefix, built, started))
        except BaseException as error:
            is_full = files.is_full(prefix)
            if lock.is_current():
                self._discard(candidate, trash)
            lock.leave()
            for path in trash:
                files.delete(path)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise CreationError(f"the disk is full: `{prefix}`", step="create", hint=_ROOM) from error
            if is_full and isinstance(error, CreationError) and error.hint is None:
                error.hint = f"the disk is full: {_ROOM}"
            raise
        _remember(os.path.join(layout.hosts(prefix, environment.marker.build), self.use.place))
        return environment

    def _check_ours(self, prefix: str, lock: Lock) -> None:
        """Who deletes the cache by hand deletes the lock with it, and somebody else may make the prefix by now."""
        if not lock.is_current():
            raise CreationError(
                f"the environment was deleted while it was made: `{prefix}`", step="finish", hint="run it again"
            )

    def _discard(self, candidate: str, trash: list[str]) -> None:
        left = self.store.discard(candidate)
        if left is not None:
            trash.append(left)

    def _marker(self, candidate: str, prefix: str, built: Built, started: float) -> Marker:
        from .. import __version__
        from . import name as key

        meta = layout.conda_meta(prefix)
        return Marker(
            build=os.urandom(8).hex(),
            name=candidate,
            specs=self.request.specs,
            channels=tuple(channel.name for channel in self.request.channels),
            platform=self.request.platform,
            backend=built.backend,
            version=__version__,
            created=time.time(),
            seconds=time.monotonic() - started,
            packages=built.packages,
            size=built.size,
            script=self.script,
            pypi=self.request.pypi,
            virtual_packages=built.virtual_packages,
            request=key.canonical_text(self.request),
            records=sum(name.endswith(".json") for name in os.listdir(meta)) if os.path.isdir(meta) else 0,
        )

    def _note(self, environment: Environment) -> None:
        try:
            uses.write_note(uses.note_path(environment, self.use))
        except FileNotFoundError:
            # Somebody removed the directory of uses by hand. Nobody else can have: we hold the lock.
            files.make_directory(layout.uses(environment.prefix, environment.marker.build))
            uses.write_note(uses.note_path(environment, self.use))


def in_use(prefix: str, processes: list[uses.Process], foreign: list[uses.Note]) -> InUseError:
    """The refusal to take an environment from these."""
    details = [f"process {process}: {process.why}" for process in processes]
    details += [f"process {note.use.pid} on {note.use.place.rsplit('+', 2)[0]}" for note in foreign if note.use]
    return InUseError(
        f"the environment is in use: `{prefix}`",
        details="\n".join(details),
        hint="end these processes, or wait until they have ended",
    )
