"""Work that signals end: whenever they come, nothing is said but what we say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_DISCARDED = """
import os, signal, weakref
from conda_execute import interrupts

class Thing:
    pass

interrupts.take()
thing = Thing()
gone = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
del thing
try:
    interrupts.check()
except KeyboardInterrupt:
    print("raised again")
wrong = weakref.ref(Thing(), lambda _: 1 / 0)
"""


_TRANSLATED = """
import os, signal, sys
from conda_execute.terminal.messages import guard

def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt as error:
        raise RuntimeError("as Python does in __set_name__") from error

sys.exit(guard(work, as_json=False))
"""


def test_an_interrupt_that_becomes_another_error_is_still_one() -> None:
    ran = subprocess.run([sys.executable, "-c", _TRANSLATED], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "interrupted\n")


def test_an_interrupt_that_python_discards_is_raised_again_and_prints_nothing() -> None:
    ran = subprocess.run([sys.executable, "-c", _DISCARDED], capture_output=True, text=True, check=False)
    assert ran.stdout == "raised again\n"
    assert "KeyboardInterrupt" not in ran.stderr
    assert "ZeroDivisionError" in ran.stderr


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
