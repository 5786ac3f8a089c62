"""Lock files: which one decides a run, reading and writing them, and exports."""

from __future__ import annotations

import os

#: What is after the script's name, in the order of precedence.
SUFFIXES = (".conda-execute.lock", ".conda-exec.lock", ".pixi.lock")

#: The line that an embedded lock leaves in the header. It changes whenever the lock does, so that anyone who compares
#: headers (the launcher does, and reads no further) notices a new lock at the other end of the script.
POINTER = "# embedded lock: "

#: What every lock in a script begins with, whichever of the tools wrote it.
BEGINNING = b"/// conda-exec"


def candidates(script: str) -> tuple[str, ...]:
    """Where a lock of this script may lie: anyone who remembers that there was none watches these.

    Next to a symbolic link first, then next to its target.
    """
    paths = (script, os.path.realpath(script)) if os.path.islink(script) else (script,)
    return tuple(
        place
        for path in paths
        for place in (*(path + suffix for suffix in SUFFIXES), os.path.splitext(path)[0] + ".conda-exec.lock")
    )


def may_be_there(script: str, data: bytes) -> bool:
    """Whether a script, whose bytes are `data`, may have a lock or name one. Without, no run imports `choice`."""
    return BEGINNING in data or POINTER.encode() in data or any(map(os.path.exists, candidates(script)))
