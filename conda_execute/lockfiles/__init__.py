"""Lock files: which one decides a run, reading and writing them, and exports."""

from __future__ import annotations

import os

#: The suffixes of lock files after the script's name, in the order of precedence.
SUFFIXES = (".conda-execute.lock", ".conda-exec.lock", ".pixi.lock")

#: The line that an embedded lock leaves in the header. It changes whenever the lock does, so that a comparison of the
#: header (the launcher reads no further) shows a new lock at the other end of the script.
POINTER = "# embedded lock: "

#: What every embedded lock begins with, from any tool.
BEGINNING = b"/// conda-exec"


def candidates(script: str) -> tuple[str, ...]:
    """Where a lock file of this script may be. To rely on its absence, watch these paths.

    Next to a symbolic link first, then next to its target.
    """
    paths = (script, os.path.realpath(script)) if os.path.islink(script) else (script,)
    return tuple(
        place
        for path in paths
        for place in (*(path + suffix for suffix in SUFFIXES), os.path.splitext(path)[0] + ".conda-exec.lock")
    )


def may_be_there(script: str, data: bytes) -> bool:
    """Whether a script with the content `data` may have a lock or name one. Otherwise a run does not import
    `choice`."""
    return BEGINNING in data or POINTER.encode() in data or any(map(os.path.exists, candidates(script)))
