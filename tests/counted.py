"""How much work something is, as a count that is the same on every machine. Time never decides a test."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Seconds of processor time. What is quadratic takes longer by far: the guard ends it, and is no measure.
_FOREVER = 60


def calls(work: Callable[[], object]) -> int:
    """Calls of functions, Python's and C's, within `work`, in this thread."""
    count = 0

    def called(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@contextmanager
def guarded() -> Iterator[None]:
    """End work within one call of C (a regular expression that backtracks, say) that would never end."""

    def over(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"{_FOREVER} seconds of processor time were not enough")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, _FOREVER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
