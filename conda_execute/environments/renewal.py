"""Environments that get too old: when that is, in a form that the launcher can compare without a clock.

A file in the prefix has the moment as its modification time, by the file system's clock. There is one for each age that
scripts or settings name, since one environment is for all that ask for its packages.
"""

from __future__ import annotations

import os

from . import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..model import Environment

#: Seconds until it is tried again where no new one could be made.
_PAUSE = 3600.0


def due(environment: Environment, seconds: float) -> float:
    """When the environment is older than so many seconds, or is to be looked at again. Raises OSError."""
    try:
        return os.stat(layout.renew(environment.prefix, seconds)).st_mtime
    except FileNotFoundError:
        return os.stat(layout.marker(environment.prefix)).st_mtime + seconds


def postpone(environment: Environment, seconds: float, now: float) -> None:
    """No new one can be made now. Where nothing can be written, that is tried at each start."""
    _write(environment, seconds, now + _PAUSE)


def file(environment: Environment, seconds: float) -> str | None:
    """The file that says when it is due; None where it cannot be written, so that nobody could compare it."""
    try:
        return _write(environment, seconds, due(environment, seconds))
    except OSError:
        return None


def _write(environment: Environment, seconds: float, moment: float) -> str | None:
    path = layout.renew(environment.prefix, seconds)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        os.utime(path, (moment, moment))
    except OSError:
        return None
    return path
