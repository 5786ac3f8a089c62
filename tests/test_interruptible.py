"""Work that signals end: whenever they come, nothing is said but what we say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CODE = """
import os, signal, sys
from conda_execute.engines.rattler import interruptible
from conda_execute.errors import InterruptError
from conda_execute.interrupts import Terminated, take

async def work():
    sys.settrace(None)

def interrupted(moment):
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_filename != interruptible.__file__:
            return None
        seen += event == "line"
        if event == "line" and seen == moment:
            os.kill(os.getpid(), signal.SIGTERM)
        return trace

    sys.settrace(trace)
    try:
        interruptible.run(work, "solve")
    except (Terminated, InterruptError):
        return True
    finally:
        sys.settrace(None)
    return False

take()
moment = 1
while interrupted(moment):
    moment += 1
print(moment)
"""


def test_signal_at_any_line_before_the_work_leaves_no_complaint() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
    )
    assert done.stderr == ""
    assert int(done.stdout) > 10
