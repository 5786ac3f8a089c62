"""Prevents endless loops: a script whose command is conda-execute would silently start itself again and again.

exec keeps the process, and the name of a note says which process uses an environment. The note of this process exists
only if it has already become a program in this environment. Then the launcher leaves the run to Python, and the content
of the note lists the scripts that it became: a repeated one is a loop. Loops through forks end at a certain depth, on
Linux: `DEEPEST` parent processes that run the same script in the same environment. A script that starts itself as a
child a few times is not a loop. The script sees no variable of this, and the launcher only checks whether its note is
new.
"""

from __future__ import annotations

import os
import sys

from ..environments import layout, uses
from ..errors import ExecuteError
from ..files import content_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model import Environment, Use

#: How many nested times a script may start itself.
DEEPEST = 32


def refuse_loop(environment: Environment, use: Use, script: str, environ: Mapping[str, str]) -> None:
    """Note which script this process becomes, in the note of its use. Raises ExecuteError if it was that script
    before."""
    line = os.fsencode(f"{_namespace()} {script}").replace(b"\n", b"\\n") + b"\n"
    if use.start == uses.UNKNOWN:  # macOS: the name of the note does not say whether the process id was recycled
        from ..environments.observer import began

        since = began()
        if since is None:
            return
        line = b"%r " % since + line
    if b"\n" + line in b"\n" + _became(uses.note_path(environment, use)):
        raise _loop(script, "this process has run it before")
    if environ.get("CONDA_PREFIX") == environment.prefix and sum(_lines_above(environment, line)) >= DEEPEST:
        raise _loop(script, f"{DEEPEST} processes above this one run it")
    try:
        with open(uses.note_path(environment, use), "ab") as file:
            file.write(line)
    except OSError:
        pass  # a place that we cannot write to has no notes


def _namespace() -> str:
    """Distinguishes containers with the same host name that started in the same 1/100 s: their notes have the same
    name."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _loop(script: str, why: str) -> ExecuteError:
    return ExecuteError(
        f"`{script}` runs itself endlessly: {why}",
        hint="its shebang or `run_with` starts conda-execute: name the program that runs it, as in `run_with: python`",
    )


def _became(note: str) -> bytes:
    return content_of(note) or b""


def _lines_above(environment: Environment, line: bytes) -> Iterator[bool]:
    """For each parent process: whether it became this script in this environment, or an unknown one (the launcher does
    not note which)."""
    folder = layout.uses(environment.prefix, environment.marker.build)
    place, pid = uses.place(), os.getppid()
    while pid > 1 and sys.platform == "linux":
        stat = content_of(f"/proc/{pid}/stat")
        if stat is None:
            return
        fields = stat.rpartition(b") ")[2].split()
        note = os.path.join(folder, f"{pid}-{fields[19].decode()}@{place}")
        yield os.path.exists(note) and _became(note) in (b"", line)
        pid = int(fields[1])
