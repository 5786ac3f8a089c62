"""Work that signals can end, and the inheritance of the creation lock.

SIGINT, SIGTERM and SIGHUP end the work at once and become an InterruptError, whose exit status says which signal it
was. Meanwhile the descriptor of the lock can be inherited, so that whatever outlives us keeps the lock until it ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ... import interrupts
from ...errors import InterruptError

Result = TypeVar("Result")


def run(
    work: Callable[[], Coroutine[Any, Any, Result]], step: str, settle: Callable[[], None] = lambda: None
) -> Result:
    """Run to the end, or until SIGINT, SIGTERM or SIGHUP, which raise InterruptError once `settle` has returned.

    The work begins after our handlers are installed: a signal in between would leave a task that was never awaited, and
    Python would print a warning.
    """
    loop = asyncio.new_event_loop()
    received: list[signal.Signals] = []
    tasks: list[asyncio.Task[Result]] = []

    def interrupt(number: int, _frame: object) -> None:
        interrupts.note(number)
        received.append(signal.Signals(number))
        for task in tasks:
            loop.call_soon_threadsafe(task.cancel)

    try:
        with _signals(interrupt):
            tasks.append(loop.create_task(work()))
            if received:
                tasks[0].cancel()
            result = loop.run_until_complete(tasks[0])
        if not received:
            return result
    except (asyncio.CancelledError, KeyboardInterrupt):
        pass
    finally:
        loop.close()
    received = received or [signal.SIGINT]  # if our handlers are not installed, Python handles this signal
    settle()
    raise InterruptError(f"interrupted by {received[0].name}", signal=received[0], step=step)


@contextmanager
def _signals(interrupt: Callable[[int, object], None]) -> Iterator[None]:
    """Call `interrupt` for signals in this block; outside of the main thread, do nothing. (The event loop's own
    handlers run in its next round, and lose signals in the last one.)"""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    caught = [number for number in numbers if before[number] is not signal.SIG_IGN]
    for number in caught:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])


@contextmanager
def inherited(descriptors: Sequence[int]) -> Iterator[None]:
    """Let processes that are started in this block inherit these descriptors."""
    before = {one: os.get_inheritable(one) for one in descriptors if sys.platform != "win32"}
    for descriptor in before:
        os.set_inheritable(descriptor, True)
    try:
        yield
    finally:
        for descriptor, was in before.items():
            os.set_inheritable(descriptor, was)
