"""A program that an engine starts to do its work: it inherits the locks, and it ends before we do.

An orphan, left when we are killed, keeps the locks until it ends. A signal that ends us ends the program first, and we
wait for it: nothing writes into the prefix any more when it is deleted.
"""

from __future__ import annotations

import codecs
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from ..errors import InterruptError


class _Stopped(BaseException):
    """SIGTERM arrived."""


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    inherited: Sequence[int],
    *,
    step: str,
    patience: float,
    ends_by: signal.Signals = signal.SIGTERM,
    watch: Callable[[str], None] | None = None,
) -> tuple[int, str, str]:
    """Run a program; return its exit status, its standard output and its standard error.

    `inherited` are descriptors of locks. On SIGINT and SIGTERM the program gets the signal `ends_by`, and `patience`
    seconds to clean up; then InterruptError is raised. With `watch` its standard error is a terminal, and `watch`
    gets the last line there whenever that changes.
    """
    screen = _Screen(watch) if watch is not None and sys.platform != "win32" else None
    with _raising_on_sigterm():
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if screen is None else screen.end,
            env=dict(environ),
            pass_fds=inherited if sys.platform != "win32" else (),
        )
        if screen is not None:
            screen.open()
        try:
            printed, complaints = process.communicate()
        except BaseException as reason:  # an entry point may raise its own exception for SIGHUP
            _end(process, ends_by if sys.platform != "win32" else signal.SIGTERM, patience)
            if not isinstance(reason, (KeyboardInterrupt, _Stopped)):
                raise
            number = signal.SIGTERM if isinstance(reason, _Stopped) else signal.SIGINT
            raise InterruptError(f"interrupted by {number.name}", signal=number, step=step) from None
        finally:
            written = screen.close() if screen is not None else ""
    return (
        process.returncode,
        printed.decode("utf-8", "replace"),
        written or (complaints or b"").decode("utf-8", "replace"),
    )


#: Control sequences that move the cursor, erase or colour.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _Screen:
    """A terminal for a program that shows its progress only on terminals; wide, so that it cuts nothing."""

    def __init__(self, watch: Callable[[str], None]) -> None:
        self._watch = watch
        self._lines = [""]
        self._ours, self.end = self._open()
        self._reader = threading.Thread(target=self._read, name="screen", daemon=True)

    @staticmethod
    def _open() -> tuple[int, int]:
        if sys.platform == "win32":
            raise AssertionError("terminals of this kind are POSIX")
        import fcntl
        import pty
        import struct
        import termios

        ours, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))
        modes = termios.tcgetattr(end)
        modes[1] &= ~termios.OPOST  # a line ends in a newline alone, as in a pipe
        termios.tcsetattr(end, termios.TCSANOW, modes)
        return ours, end

    def open(self) -> None:
        """The program has started and has its end open."""
        os.close(self.end)
        self._reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                more = os.read(self._ours, 1 << 16)
            except OSError:  # EIO: no process has the other end open
                return
            if not more:
                return
            line, *lines = (self._lines[-1] + decoder.decode(more)).split("\n")
            # Text after a carriage return replaces what was before it.
            self._lines[-1:] = [each[each.rfind("\r") + 1 :] for each in (line, *lines)]
            self._watch(_ESCAPES.sub("", self._lines[-1]))

    def close(self) -> str:
        """Read what is left at the end. Processes that outlive the program may still have it open."""
        self._reader.join(1)
        if not self._reader.is_alive():
            os.close(self._ours)
        return _ESCAPES.sub("", "\n".join(self._lines))


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
