"""Child processes that we wait for: signals are passed on to them, and we end as they ended."""

from __future__ import annotations

import os
import signal
import sys

from .process import explain, find_program, flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from .activation import Activation


class Done:
    """How a command that we waited for ended, and its output if that was captured."""

    def __init__(self, returncode: int, output: bytes) -> None:
        self.returncode = returncode
        self.output = output


def wait(argv: Sequence[str], activation: Activation, capture: bool = False) -> Done:
    """Run a command of an entrypoint as a child, with signals passed on to it."""
    import subprocess

    program = find_program(argv[0], activation.environ, activation.prefix)
    flush()
    with _SignalsPassedOn() as signals:
        try:
            child = subprocess.Popen(
                [program, *argv[1:]],
                env=activation.environ,
                stdout=subprocess.PIPE if capture else None,
                close_fds=False,
            )
        except OSError as error:
            raise explain(error, program) from error
        signals.to(child.pid)
        output = child.stdout.read() if child.stdout else b""
        while True:
            try:
                return Done(child.wait(), output)
            except KeyboardInterrupt:
                continue


class _SignalsPassedOn:
    """While we wait for a child, signals sent to us are passed on to it; the terminal sends Ctrl-C to it directly.

    Begins before the child is started, so that no signal ends us and leaves the child behind.
    """

    def __init__(self) -> None:
        self.pid: int | None = None
        self.waiting: list[int] = []
        self.before: dict[int, object] = {}

    def __enter__(self) -> _SignalsPassedOn:
        names = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            # A signal that our caller ignores stays ignored; the child does not inherit our handler anyway.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.before[number] = signal.signal(number, self._pass_on)
        return self

    def to(self, pid: int) -> None:
        """The child was started: it gets earlier signals, and those that follow."""
        self.pid = pid
        for number in self.waiting:
            self._send(pid, number)

    def __exit__(self, *failure: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _pass_on(self, number: int, _frame: object) -> None:
        if number in (signal.SIGINT, getattr(signal, "SIGQUIT", None), getattr(signal, "SIGBREAK", None)):
            return
        if self.pid is None:
            self.waiting.append(number)
        else:
            self._send(self.pid, number)

    @staticmethod
    def _send(pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def leave_unless_successful(returncode: int) -> None:
    """Return only if the child was successful."""
    if returncode != 0:
        leave(returncode)


def leave(returncode: int) -> NoReturn:
    """End as a child ended: with its status, or by the signal that ended it (a negative number, as in subprocess)."""
    flush()
    if sys.platform != "win32" and returncode < 0:
        if -returncode not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -returncode)
        os._exit(128 - returncode)
    # Exit statuses on Windows are unsigned 32-bit numbers, but os._exit takes a signed one.
    os._exit(returncode - (1 << 32) if returncode >= 1 << 31 else returncode)
