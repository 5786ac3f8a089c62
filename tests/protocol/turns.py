"""A real sweeper and a real run share an environment, and change places before any call to the file system.

`model` explores a picture of the code; here the code itself takes the steps. One of the two goes first, up to one of
its calls; the other goes up to one of its own; then the first goes on, and the other after it: so for every call of the
one and every call of the other. Python tells of a call before it is made (its audit events), and a run that is to wait
stops itself with SIGSTOP. Works in a process of its own: `turns.py TMP_ENVS FIRST EVERY`.
"""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from conda_execute.environments import removal, sweep, uses
from conda_execute.environments.store import Store
from tests.protocol import small

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a run says when it stops and has no environment yet.
_WAITS, _CALLS = "waits", "calls"

CALLS = frozenset(("open", "fcntl.flock"))
CALLS |= {f"os.{name}" for name in ("listdir", "mkdir", "remove", "rename", "rmdir", "scandir", "utime")}


class Turn:
    """Calls `act` once, before the call of this number, or with `or_wait` before a wait for a lock, and says which."""

    now: Turn | None = None

    def __init__(self, number: float, act: Callable[[bool], object], *, or_wait: bool = False) -> None:
        self.left, self.act, self.or_wait = number, act, or_wait
        self.tried = False
        Turn.now = self

    def before(self, event: str, operation: object) -> None:
        self.left -= 1
        tries = event == "fcntl.flock" and operation != fcntl.LOCK_UN
        waits = self.or_wait and tries and self.tried
        self.tried = tries or (self.tried and event != "fcntl.flock")
        if waits or self.left < 0:
            Turn.now = None
            self.act(waits)


def watch(tmp_envs: str) -> None:
    def before(event: str, arguments: tuple[object, ...]) -> None:
        if Turn.now is None or event not in CALLS:
            return
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else ""
        if path.endswith(".clock"):
            return  # a file that nobody reads
        if event == "fcntl.flock" or path == "/proc" or path.startswith(tmp_envs):
            Turn.now.before(event, arguments[-1])

    sys.addaudithook(before)


class Run:
    """A run that stops before its call of this number, where it has to wait, and once it has its environment."""

    def __init__(self, tmp_envs: str, calls: int) -> None:
        self._reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _run(tmp_envs, calls, writing)
        os.close(writing)
        #: The build that it runs in; empty while it has none.
        self.build = ""
        #: Whether it made so many calls, rather than having to wait or being there sooner.
        self.came = self._stop() == _CALLS

    def go_on(self) -> None:
        if not self.build:
            os.kill(self.pid, signal.SIGCONT)
            self._stop()

    def _stop(self) -> str:
        """What it says when it has stopped."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"the run ended with status {status}"
        said = os.read(self._reading, 64).decode()
        self.build = "" if said in (_WAITS, _CALLS) else said
        return said

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._reading)


def _run(tmp_envs: str, calls: int, writing: int) -> NoReturn:
    def stop(waits: bool) -> None:
        say(_WAITS if waits else _CALLS)
        Turn(math.inf, stop, or_wait=True)

    def say(said: str) -> None:
        os.write(writing, said.encode())
        os.kill(os.getpid(), signal.SIGSTOP)

    Turn(calls, stop, or_wait=True)
    try:
        environment = small.ensure(tmp_envs)
        Turn.now = None
        say(environment.marker.build)
    finally:
        os._exit(1)


def clean(tmp_envs: str) -> None:
    sweep.sweep(Store(tmp_envs), removal.Policy(timedelta(0)))


def history(tmp_envs: str, first: str, sweeper_calls: int, run_calls: int) -> tuple[bool, bool]:
    """Whether the sweeper and the run made so many calls."""
    small.forget(small.ensure(tmp_envs))
    runs = [Run(tmp_envs, run_calls)] if first == "run" else []
    Turn(sweeper_calls, lambda _: runs[0].go_on() if runs else runs.append(Run(tmp_envs, run_calls)))
    clean(tmp_envs)
    came, Turn.now = Turn.now is None, None
    if not runs:
        return False, False
    [run] = runs
    try:
        while not run.build:
            run.go_on()
        _check(tmp_envs, run)
        clean(tmp_envs)
        _check(tmp_envs, run)
    finally:
        run.end()
        for name in Store(tmp_envs).list():
            shutil.rmtree(Store(tmp_envs).prefix(name))
    return came, run.came


def _check(tmp_envs: str, run: Run) -> None:
    use = uses.use_of(run.pid)
    assert Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "somebody else ended the run"
    environments = [Store(tmp_envs).read(name) for name in Store(tmp_envs).list()]
    mine = [one for one in environments if one is not None and one.marker.build == run.build]
    assert mine, "the environment was removed under the run"
    assert os.path.exists(uses.note_path(mine[0], use)), "the run has no note"
    assert Path(mine[0].prefix, "bin", "sleep").exists(), "the environment is incomplete"


def main(tmp_envs: str, first: str, every: str) -> None:
    """All histories, or every so many one of them; prints how many there were."""
    os.mkdir(tmp_envs, 0o700)
    watch(tmp_envs)
    count, calls, first_came = 0, 0, True
    while first_came:
        others, second_came = calls % int(every), True
        while second_came:
            sweeper_calls, run_calls = (calls, others) if first == "sweeper" else (others, calls)
            try:
                came = history(tmp_envs, first, sweeper_calls, run_calls)
            except AssertionError as error:
                sys.exit(f"{error}: the sweeper stopped at its call {sweeper_calls}, the run at its call {run_calls}")
            first_came, second_came = came if first == "sweeper" else came[::-1]
            count += 1
            others += int(every)
        calls += 1
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
