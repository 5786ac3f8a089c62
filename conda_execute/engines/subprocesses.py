"""A program that an engine starts to do its work: it inherits the locks, and it ends before we do.

An orphan, left when we are killed, keeps the locks until it ends. A signal that ends us ends the program first, and
waits for it: nothing writes into the prefix any more when it is thrown away.
"""

from __future__ import annotations

import codecs
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

from ..errors import InterruptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType


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
    """The status of a program, what it printed and what it complained of, once it has ended.

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
        except BaseException as reason:  # a door may raise something of its own for SIGHUP
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


#: What moves the cursor, erases or colours.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _Screen:
    """A terminal for a program that shows on terminals only how far it is; wide, so that it cuts nothing."""

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
        """The program has its end by now."""
        os.close(self.end)
        self._reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                more = os.read(self._ours, 1 << 16)
            except OSError:  # EIO: nobody has the other end
                return
            if not more:
                return
            line, *lines = (self._lines[-1] + decoder.decode(more)).split("\n")
            # What is written after a carriage return takes the place of what was before.
            self._lines[-1:] = [each[each.rfind("\r") + 1 :] for each in (line, *lines)]
            self._watch(_ESCAPES.sub("", self._lines[-1]))

    def close(self) -> str:
        """What can be read there at the end. What outlives the program may still have its end."""
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
