"""Environments on disk: where they lie, which state they are in, and who may change them.

A prefix is **absent**, **unfinished** (somebody makes it, or died making it), **aside** (a sweeper looks whether it may
go, or died looking) or **ready** (its marker exists). The marker is written last and atomically; it is never the lock.

Only who holds the lock of a name (`lock`) may finish, unmark, mark again or discard its prefix. Whatever moment a
process dies at, its lock is free then, and the state says what the next one must do:

==============  ===================================================================
absent          make it
unfinished      a creator died: discard it, make it again
aside           a sweeper died: mark it again, use it
ready           use it
==============  ===================================================================

A prefix goes by being renamed into `.trash/`, whole, and is deleted there. A prefix is never renamed into use.
"""

from __future__ import annotations

import errno
import os

from .. import files
from ..errors import CreationError, PlaceError
from ..model import Environment
from . import layout
from . import marker as markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

    from ..model import Marker
    from .lock import Holder, Lock, Made

    #: What is to be done with a prefix.
    State = Literal["absent", "unfinished", "aside", "ready"]

#: A request has at most so many environments side by side: `<name>`, `<name>.1`, ... Each further one was made
#: because all before it were in use and broken, made for hosts unlike that one, or too old.
CANDIDATES = 10

#: Why a prefix cannot go to the trash and is deleted where it is, under the lock: a directory of a lower layer
#: (overlayfs), a mount point, and a disk so full that not even the trash has room.
_DELETED_IN_PLACE = (errno.EXDEV, errno.EBUSY, errno.ENOSPC, errno.EDQUOT)


class Store:
    """The environments below one `tmp_envs` directory."""

    def __init__(self, tmp_envs: str) -> None:
        self.tmp_envs = tmp_envs

    def prefix(self, name: str) -> str:
        return layout.prefix(self.tmp_envs, name)

    def candidates(self, name: str) -> Iterator[str]:
        """`<name>`, then the further names for the same request."""
        yield name
        for number in range(1, CANDIDATES):
            yield f"{name}.{number}"

    def read(self, name: str) -> Environment | None:
        """The environment in the prefix of exactly this name, if it is ready."""
        prefix = self.prefix(name)
        marker = markers.read(layout.marker(prefix))
        return Environment(name, prefix, marker) if marker is not None else None

    def ready(self, name: str) -> Iterator[Environment]:
        """Every ready environment for the request of this name, the first one first."""
        for candidate in self.candidates(name):
            environment = self.read(candidate)
            if environment is not None:
                yield environment

    def find(self, name: str) -> Environment | None:
        """The newest ready environment for the request of this name."""
        return max(self.ready(name), key=self.made, default=None)

    def made(self, environment: Environment) -> float:
        """When it was made ready, by the file system's clock."""
        try:
            return os.stat(layout.marker(environment.prefix)).st_mtime
        except OSError:
            return 0.0  # it is going

    def state(self, name: str) -> State:
        """The state of this prefix. Certain only for who holds the lock."""
        prefix = self.prefix(name)
        if markers.read(layout.marker(prefix)) is not None:
            return "ready"
        if markers.read(layout.marker_aside(prefix)) is not None:
            return "aside"
        return "unfinished" if os.path.lexists(prefix) else "absent"

    def list(self) -> list[str]:
        """The names of all prefixes, in whatever state, sorted."""
        try:
            return sorted(name for name in os.listdir(self.tmp_envs) if is_name(name))
        except FileNotFoundError:
            return []

    def now(self) -> float:
        """What the file system's clock says, in seconds: the only clock that ages are measured by."""
        from .filesystem import clock

        return clock(self.tmp_envs)

    def try_to_lock(self, name: str, script: str = "") -> Lock | None:
        """The lock of this name, or None if somebody else holds it. `script` is what others see of us."""
        from . import lock

        return self._locked(lambda path: lock.try_to_take(path, script), name)

    def lock(self, name: str, script: str = "", on_wait: Callable[[Holder], object] | None = None) -> Lock:
        """The lock of this name, when it is free; see `lock.take`."""
        from . import lock

        return self._locked(lambda path: lock.take(path, script, on_wait), name)

    def lock_unless(
        self, name: str, made: Callable[[], Made | None], script: str, on_wait: Callable[[Holder], object]
    ) -> Lock | Made:
        """The lock of this name, or what `made` finds while we wait for it; see `lock.take_unless`."""
        from . import lock

        return self._locked(lambda path: lock.take_unless(path, made, script, on_wait), name)

    def _locked(self, take: Callable[[str], Made], name: str) -> Made:
        try:
            files.make_directory(os.path.join(self.tmp_envs, layout.LOCKS))
            return take(layout.lock(self.tmp_envs, name))
        except OSError as error:
            raise PlaceError.refused(error, error.filename or self.tmp_envs) from error

    # What follows is only for who holds the lock of the name.

    def finish(self, name: str, marker: Marker) -> Environment:
        """Make the directories for notes, wait until all is on the disk, then make the marker: the environment is
        ready."""
        from .. import durable

        prefix = self.prefix(name)
        try:
            files.make_directory(layout.uses(prefix, marker.build))
            files.make_directory(layout.hosts(prefix, marker.build))
            # A power cut may come at any time after this: nobody may believe in files that it takes.
            durable.settle(prefix, marker.size)
            _write_marker(layout.marker(prefix), marker)
        except OSError as error:
            raise CreationError(
                f"the environment could not be marked as ready: {error.strerror}: `{prefix}`", step="finish"
            ) from error
        return Environment(name, prefix, marker)

    def unmark(self, name: str) -> bool:
        """Put the marker aside, so that nobody starts to use the environment; False if there is none."""
        prefix = self.prefix(name)
        return _rename(layout.marker(prefix), layout.marker_aside(prefix))

    def mark_again(self, name: str) -> bool:
        """Put the marker back; False if there is none aside."""
        prefix = self.prefix(name)
        return _rename(layout.marker_aside(prefix), layout.marker(prefix))

    def set_aside(self, name: str) -> _Aside:
        """Nobody starts to use the environment within this block; whatever of it is not discarded is ready again
        afterwards."""
        return _Aside(self, name)

    def discard(self, name: str) -> None:
        """Take the prefix away, whatever is in it, into the trash: `empty_trash` deletes it when the lock is free.

        OSError: it could not be moved and is as it was (Windows, while a file in it is open).
        """
        prefix = self.prefix(name)
        trash = layout.trash(self.tmp_envs)
        try:
            files.make_directory(trash)
            os.rename(prefix, os.path.join(trash, f"{name}-{os.urandom(8).hex()}"))
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in _DELETED_IN_PLACE:
                raise
            # Nobody may believe in what is left if we die halfway, so the markers go first.
            for marker in (layout.marker(prefix), layout.marker_aside(prefix)):
                files.unlink(marker)
            files.delete(prefix)

    # And this for anybody.

    def empty_trash(self, name: str = "") -> None:
        """Delete what was discarded of this name, or of all."""
        trash = layout.trash(self.tmp_envs)
        for entry in files.listed(trash):
            if not name or entry.startswith(name + "-"):
                files.delete(os.path.join(trash, entry))


class _Aside:
    """A context manager; by hand, since `contextlib` costs a warm run milliseconds."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name

    def __enter__(self) -> bool:
        """Whether there is an environment, ready until now."""
        return self._store.unmark(self._name)

    def __exit__(self, *problem: object) -> None:
        self._store.mark_again(self._name)


def _rename(source: str, target: str) -> bool:
    try:
        os.rename(source, target)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _write_marker(path: str, marker: Marker) -> None:
    # Others may run what is here, where the umask says so.
    def open_to_others(new: str) -> None:
        os.chmod(new, 0o666 & ~files.umask())

    # A marker that survives a power cut must be a whole one.
    files.write_atomically(path, markers.text(marker).encode(), durable=True, before=open_to_others)


def is_name(name: str) -> bool:
    """Whether a file of this name in `tmp_envs` is a prefix of ours: 20 hex digits, perhaps a dot and a number."""
    digest, dot, number = name.partition(".")
    return len(digest) == 20 and set(digest) <= set("0123456789abcdef") and (not dot or number.isdecimal())
