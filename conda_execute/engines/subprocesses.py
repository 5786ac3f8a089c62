"""A program that an engine starts to do its work: it inherits the locks, and it ends before we do.

An orphan, left when we are killed, keeps the locks until it ends. A signal that ends us ends the program first, and
waits for it: nothing writes into the prefix any more when it is thrown away.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

from ..errors import InterruptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType


class _Stopped(BaseException):
    """SIGTERM arrived."""


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    inherited: Sequence[int | None],
    *,
    step: str,
    patience: float,
    ends_by: signal.Signals = signal.SIGTERM,
) -> tuple[int, str, str]:
    """The status of a program, what it printed and what it complained of, once it has ended.

    `inherited` are descriptors of locks. On SIGINT and SIGTERM the program gets the signal `ends_by`, and `patience`
    seconds to clean up; then InterruptError is raised.
    """
    descriptors = [descriptor for descriptor in inherited if descriptor is not None and sys.platform != "win32"]
    with _raising_on_sigterm():
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            pass_fds=descriptors,
        )
        try:
            printed, complaints = process.communicate()
        except BaseException as reason:  # a door may raise something of its own for SIGHUP
            _end(process, ends_by if sys.platform != "win32" else signal.SIGTERM, patience)
            if not isinstance(reason, (KeyboardInterrupt, _Stopped)):
                raise
            number = signal.SIGTERM if isinstance(reason, _Stopped) else signal.SIGINT
            raise InterruptError(f"interrupted by {number.name}", signal=number, step=step) from None
    return process.returncode, printed.decode("utf-8", "replace"), complaints.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes], number: signal.Signals, patience: float) -> None:
    process.send_signal(number)
    try:
        process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _raising_on_sigterm() -> Iterator[None]:
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
