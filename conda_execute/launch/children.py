"""Children that we wait for: signals are passed on to them, and we end as they ended."""

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
    """How a command that we waited for ended, and what it wrote where that was asked for."""

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
    """While we wait for a child: what is sent to us goes to it; Ctrl-C reaches it from the terminal by itself.

    Begins before the child does, so that none of them ends us and leaves the child behind.
    """

    def __init__(self) -> None:
        self.pid: int | None = None
        self.waiting: list[int] = []
        self.before: dict[int, object] = {}

    def __enter__(self) -> _SignalsPassedOn:
        names = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            # A signal that our caller ignores stays ignored; a handler of ours would be lost on the child anyway.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.before[number] = signal.signal(number, self._pass_on)
        return self

    def to(self, pid: int) -> None:
        """The child is there: it gets what came before, and what comes from now on."""
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
    """Go on only after a child that did what it had to."""
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
    # Statuses of Windows are unsigned 32 bit numbers, and os._exit takes a signed one.
    os._exit(returncode - (1 << 32) if returncode >= 1 << 31 else returncode)
