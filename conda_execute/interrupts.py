"""Ctrl-C, SIGTERM and SIGHUP are never lost: each ends the program, and the script does not run.

From `take` on they raise, wherever Python is: KeyboardInterrupt, or `Terminated`. Both unwind, so nothing half-made is
left. Python discards what is raised in some places (a hook of fork, the callback of a weak reference), so it is
noted as well, and `check` raises it again. `release` gives them back to the system: from there on the default ends the
process, and nothing can come between the last look and the script.

A signal that is ignored (nohup) stays ignored: the script inherits that.
"""

from __future__ import annotations

import sys

from .lean.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

#: The signals that are ours now, and the first that came.
_taken: list[int] = []
_received: list[int] = []


class Terminated(BaseException):
    """SIGTERM or SIGHUP came while we worked."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def take() -> None:
    """From now on the signals raise, and are noted."""
    sys.unraisablehook = _say_unless_noted
    for number in _NUMBERS:
        if number not in _taken and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            _taken.append(number)
            signal.signal(number, _handle)


def _say_unless_noted(discarded: sys.UnraisableHookArgs) -> None:
    """What Python discards is printed; but not what is noted."""
    if not isinstance(discarded.exc_value, (KeyboardInterrupt, Terminated)):
        sys.__unraisablehook__(discarded)


def note(number: int) -> None:
    """A signal came that somebody else handles for a while."""
    _received.append(number)


def check() -> None:
    """Raise what came and was discarded."""
    if _received:
        _raise(_received[0])


def release() -> None:
    """Raise what came; from now on the signals do what they do by default, and the script inherits that."""
    if sys.platform == "win32":
        check()
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _taken)
    try:
        check()
        while _taken:
            signal.signal(_taken.pop(), signal.SIG_DFL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _handle(number: int, _frame: FrameType | None) -> None:
    note(number)
    _raise(number)


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(number)
