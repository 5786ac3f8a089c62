"""What can go wrong, in one form.

Every failure that a user can cause or fix is an `ExecuteError`. It carries what is wrong, where (a place in a
file), what to try next, and the exit status; only the entry points turn it into text and exit. Bugs stay tracebacks.

The form, which `terminal.errors.render` alone knows::

    error: `env` must be a list, found a string
      plot.py:5:9
      5 | # env: numpy
                ^^^^^
    hint: write one spec per line, each after `- `
"""

from __future__ import annotations

import errno

from .credentials import hide
from .lean.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a write fails with that finds no room: on a full disk, or at the end of a quota.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Location:
    """A place in a file as a person counts it: the first line is 1, and so is the first column.

    `text` is the whole line without its line ending. Columns count characters, not bytes. A location without a
    line names the file alone; one without a column names the line alone.
    """

    path: str
    line: int | None = None
    column: int | None = None
    length: int = 1
    text: str | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)


class ExecuteError(Exception):
    """A failure of conda-execute itself, as opposed to one of the script.

    `exit_status` follows the convention of env(1), nice(1) and timeout(1): 125 when the runner itself fails.
    `step` names what was being done ("solve", "download", "link", ...) where creation failed; `details` is text of
    another tool. Secrets in any of them are made unreadable.
    """

    exit_status = 125

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: Location | Sequence[Location] = (),
        step: str | None = None,
        details: str | None = None,
    ) -> None:
        self.message = hide(message)
        super().__init__(self.message)
        self.hint = hint and hide(hint)
        self.where: tuple[Location, ...] = ()
        self.add_places((where,) if isinstance(where, Location) else where)
        self.step = step
        self.details = details and hide(details)

    def add_places(self, places: Sequence[Location]) -> None:
        """Add places in files, which are shown before the others."""
        self.where = (*(replace(place, text=place.text and hide(place.text)) for place in places), *self.where)


class UsageError(ExecuteError):
    """The command line asks for something that does not exist or cannot be combined."""


class HeaderError(ExecuteError):
    """The script's header is missing, faulty or asks for something impossible."""


class SettingsError(ExecuteError):
    """A condarc file or an environment variable has an invalid value, or forbids what was asked for."""


class PlaceError(ExecuteError):
    """No directory can be used, or not the one that was asked for: missing permissions, another owner, a full disk."""

    @classmethod
    def refused(cls, error: OSError, path: str, variable: str = "CONDA_EXECUTE_ENV_DIR") -> PlaceError:
        """The error for a path that the file system refuses, and that `variable` may replace."""
        hint = f"set `{variable}` to a directory that you can write to"
        if error.errno in NO_ROOM:
            hint = f"free some space there, or set `{variable}` to a directory with room"
        return cls(f"`{path}` cannot be used: {error.strerror or error}", hint=hint)


class CreationError(ExecuteError):
    """An environment could not be created; `step` says at which step. The prefix is absent afterwards."""


class InUseError(ExecuteError):
    """What was asked for would take an environment away from a process that runs in it."""


class NotExecutableError(ExecuteError):
    """The program or the script exists but cannot be executed."""

    exit_status = 126


class NotFoundError(ExecuteError):
    """The program or the script does not exist."""

    exit_status = 127


class InterruptError(ExecuteError):
    """A signal (SIGINT from Ctrl-C, SIGTERM, SIGHUP) arrived while conda-execute waited or worked; nothing is left
    behind.

    The exit status is the one that a shell reports for a program ended by the signal: 128 plus its number.
    """

    def __init__(self, message: str, *, signal: int = 2, step: str | None = None) -> None:
        super().__init__(message, step=step)
        self.exit_status = 128 + signal


class SandboxError(ExecuteError):
    """The script is not run, because its sandbox cannot be provided."""

    exit_status = 126
