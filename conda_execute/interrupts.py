"""Ctrl-C, SIGTERM and SIGHUP are never lost: each ends the program, and the script does not run.

After `take` they raise exceptions, wherever Python is: KeyboardInterrupt or `Terminated`. Both unwind, so nothing
half-made is left. Python discards exceptions in some places (a hook of fork, the callback of a weak reference), so the
signal is noted as well, and `check` raises the exception again. `release` restores the default handlers: from then on a
signal ends the process, so none can be lost between the last check and the script.

A signal that is ignored (nohup) stays ignored: the script inherits that.
"""

from __future__ import annotations

import sys

from .lean.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

#: The signals that we handle now, and the first that arrived.
_taken: list[int] = []
_received: list[int] = []


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived while we worked."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def take() -> None:
    """From now on the signals raise exceptions, and are noted."""
    sys.unraisablehook = _say_unless_noted
    for number in _NUMBERS:
        if number not in _taken and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            _taken.append(number)
            signal.signal(number, _handle)


def _say_unless_noted(discarded: sys.UnraisableHookArgs) -> None:
    """Python prints exceptions that it discards; silence those that are noted."""
    if not isinstance(discarded.exc_value, (KeyboardInterrupt, Terminated)):
        sys.__unraisablehook__(discarded)


def note(number: int) -> None:
    """Note a signal that another handler received."""
    _received.append(number)


def check() -> None:
    """Raise the exception of a signal if Python discarded it."""
    if _received:
        _raise(_received[0])


def release() -> None:
    """Raise the exception of a noted signal. From now on the signals have their default actions, which the script
    inherits."""
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
