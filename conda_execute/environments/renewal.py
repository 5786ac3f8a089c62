"""When environments become too old, in a form that the launcher can compare without a clock.

A file in the prefix has the moment as its modification time, by the file system's clock. There is one file for each age
that scripts or settings name, since scripts with different ages may share an environment.
"""

from __future__ import annotations

import os

from .. import files
from ..model import Environment
from . import layout

#: Seconds until the next attempt if no new environment could be created.
_PAUSE = 3600.0


def due(environment: Environment, seconds: float) -> float:
    """The moment at which the environment becomes older than this many seconds, or at which renewal is tried again.
    Raises OSError."""
    try:
        return os.stat(layout.renew(environment.prefix, seconds)).st_mtime
    except FileNotFoundError:
        return os.stat(layout.marker(environment.prefix)).st_mtime + seconds


def postpone(environment: Environment, seconds: float, now: float) -> None:
    """Note that no new environment can be created now. If nothing can be written, each start tries again."""
    file(environment, seconds, now + _PAUSE)


def file(environment: Environment, seconds: float, moment: float | None = None) -> str | None:
    """The file that says when renewal is due, at this moment or when it was due before; None if it cannot be
    written."""
    path = layout.renew(environment.prefix, seconds)
    try:
        files.touch(path, due(environment, seconds) if moment is None else moment)
    except OSError:
        return None
    return path
