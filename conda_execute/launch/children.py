"""Child processes that we wait for: signals are passed on to them, and we end as they ended."""

from __future__ import annotations

import os
import signal
import sys

from .process import explain, find_program, flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import CompletedProcess
    from typing import NoReturn

    from .activation import Activation


def wait(argv: Sequence[str], activation: Activation, capture: bool = False) -> CompletedProcess[bytes]:
    """Run a command of an entrypoint as a child, with signals passed on to it. Its output is `capture`d, or ours."""
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
                return subprocess.CompletedProcess(argv, child.wait(), output)
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
        self._send()

    def __exit__(self, *failure: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _pass_on(self, number: int, _frame: object) -> None:
        if number in (signal.SIGINT, getattr(signal, "SIGQUIT", None), getattr(signal, "SIGBREAK", None)):
            return
        self.waiting.append(number)
        self._send()

    def _send(self) -> None:
        while self.pid is not None and self.waiting:
            try:
                os.kill(self.pid, self.waiting.pop(0))
            except ProcessLookupError:
                pass


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
