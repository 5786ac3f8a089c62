"""Environments on disk: where they are, which state they are in, and who may change them.

A prefix is **absent**, **unfinished** (a creator is at work, or died), **aside** (a sweeper is checking whether it may
be removed, or died) or **ready** (its marker exists). The marker is written last and atomically; it is never the lock.

Only the holder of the lock of a name (`lock`) may finish, unmark, mark again or discard its prefix. Whenever a process
dies, its lock becomes free, and the state says what the next process must do:

==============  ===================================================================
absent          make it
unfinished      a creator died: discard it, make it again
aside           a sweeper died: mark it again, use it
ready           use it
==============  ===================================================================

To remove a prefix, it is renamed into `.trash/` as a whole and deleted there. A prefix is never renamed into use.
"""

from __future__ import annotations

import errno
import os
import sys

from .. import files
from ..errors import NO_ROOM, CreationError, PlaceError
from ..model import Environment
from . import layout
from . import marker as markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

    from ..model import Marker
    from .lock import Holder, Lock, Made

    #: The states of a prefix; each says what to do with it.
    State = Literal["absent", "unfinished", "aside", "ready"]

#: How many environments a request may have side by side: `<name>`, `<name>.1`, ... Each further one was created because
#: all before it were damaged and in use, created for different hosts, or too old.
CANDIDATES = 10

#: Why a prefix cannot be moved to the trash and is deleted in place, under the lock: a directory of a lower layer
#: (overlayfs), a mount point, or a disk so full that there is no room for the trash.
_DELETED_IN_PLACE = (errno.EXDEV, errno.EBUSY, *NO_ROOM)


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
        """Return the environment in the prefix of exactly this name, if it is ready."""
        prefix = self.prefix(name)
        marker = markers.read(layout.marker(prefix))
        return Environment(name, prefix, marker) if marker is not None else None

    def ready(self, name: str) -> Iterator[Environment]:
        """Yield every ready environment for the request of this name, in the order of `candidates`."""
        for candidate in self.candidates(name):
            environment = self.read(candidate)
            if environment is not None:
                yield environment

    def find(self, name: str) -> Environment | None:
        """The newest ready environment for the request of this name."""
        return max(self.ready(name), key=self.made, default=None)

    def made(self, environment: Environment) -> float:
        """When the environment became ready, by the file system's clock."""
        return files.changed(layout.marker(environment.prefix))

    def state(self, name: str) -> State:
        """The state of this prefix. Only certain for the holder of the lock."""
        prefix = self.prefix(name)
        if markers.read(layout.marker(prefix)) is not None:
            return "ready"
        if markers.read(layout.marker_aside(prefix)) is not None:
            return "aside"
        return "unfinished" if os.path.lexists(prefix) else "absent"

    def list(self) -> list[str]:
        """The names of all prefixes in any state, sorted."""
        return sorted(filter(is_name, files.listed(self.tmp_envs)))

    def now(self) -> float:
        """The time in seconds by the file system's clock, the only clock that ages are measured by."""
        from .filesystem import clock

        return clock(self.tmp_envs)

    def try_to_lock(self, name: str, script: str = "") -> Lock | None:
        """Return the lock of this name, or None if another process holds it. `script` is shown to others as the
        reason."""
        from . import lock

        return self._locked(lambda path: lock.try_to_take(path, script), name)

    def lock(
        self,
        name: str,
        script: str = "",
        on_wait: Callable[[Holder], object] = lambda holder: None,
        made: Callable[[], Made | None] = lambda: None,
    ) -> Lock | Made:
        """Wait for the lock of this name and return it, or what `made` finds while we wait; see `lock.take`."""
        from . import lock

        return self._locked(lambda path: lock.take(path, script, on_wait, made), name)

    def _locked(self, take: Callable[[str], Made], name: str) -> Made:
        try:
            files.make_directory(os.path.join(self.tmp_envs, layout.LOCKS))
            return take(layout.lock(self.tmp_envs, name))
        except OSError as error:
            raise PlaceError.refused(error, error.filename or self.tmp_envs) from error

    # What follows is only for the holder of the lock of the name.

    def finish(self, name: str, marker: Marker) -> Environment:
        """Make the directories for notes, wait until everything is on disk, then write the marker: the environment is
        ready."""
        prefix = self.prefix(name)
        try:
            files.make_directory(layout.uses(prefix, marker.build))
            files.make_directory(layout.hosts(prefix, marker.build))
            _write_marker(prefix, marker)
        except OSError as error:
            raise CreationError(
                f"the environment could not be marked as ready: {error.strerror}: `{prefix}`", step="finish"
            ) from error
        return Environment(name, prefix, marker)

    def unmark(self, name: str) -> bool:
        """Put the marker aside, so that no process starts to use the environment; False if there is none."""
        prefix = self.prefix(name)
        return _rename(layout.marker(prefix), layout.marker_aside(prefix))

    def mark_again(self, name: str) -> bool:
        """Put the marker back; False if there is none aside."""
        prefix = self.prefix(name)
        return _rename(layout.marker_aside(prefix), layout.marker(prefix))

    def discard(self, name: str) -> None:
        """Move the prefix with everything in it into the trash; `empty_trash` deletes it when the lock is free.

        OSError: the prefix could not be moved and is unchanged (on Windows, while a file in it is open).
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
            # If we die halfway, what is left must not look like an environment, so the markers go first.
            for marker in (layout.marker(prefix), layout.marker_aside(prefix)):
                files.unlink(marker)
            files.delete(prefix)

    # What follows needs no lock.

    def empty_trash(self, name: str = "") -> None:
        """Delete what was discarded under this name, or under all names."""
        trash = layout.trash(self.tmp_envs)
        for entry in files.listed(trash):
            if not name or entry.startswith(name + "-"):
                files.delete(os.path.join(trash, entry))


def _rename(source: str, target: str) -> bool:
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno not in files.ABSENT:
            raise
        return False
    return True


def _write_marker(prefix: str, marker: Marker) -> None:
    def settle(new: str) -> None:
        from .. import durable

        # Other users may run what is here, if the umask says so.
        os.chmod(new, 0o666 & ~files.umask())
        # A power cut may come at any time after this: the marker must not survive files that it loses. It reaches the
        # disk together with them, under another name. If its renaming is lost, the environment is created again.
        durable.settle(prefix, marker.size)

    files.write_atomically(
        layout.marker(prefix), markers.text(marker).encode(), durable=sys.platform == "win32", before=settle
    )


def is_name(name: str) -> bool:
    """Whether a file of this name in `tmp_envs` is a prefix of ours: 20 hex digits, perhaps a dot and a number."""
    digest, dot, number = name.partition(".")
    return len(digest) == 20 and set(digest) <= set("0123456789abcdef") and (not dot or number.isdecimal())
