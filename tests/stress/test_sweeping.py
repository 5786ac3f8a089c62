"""Runs against a sweeper that never stops: no run fails, no environment goes while a process of it lives."""

from __future__ import annotations

import itertools
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.protocol import small
from tests.stress.conftest import Machine, times

#: Runs come in waves of at most so many, some within a wave's creation, some after it, some after its last end: the
#: environment is found missing, being made, ready and just going, and each often.
AT_ONCE = 8

#: Seconds between two waves at most; a pass of the sweeper takes less than a tenth of one.
PAUSE = 0.15

#: So many more runs without a second build, and something keeps the sweeper from its work.
ENOUGH = 1000

SWEEP_FOR_EVER = """
import select, sys
from conda_execute.environments import sweep
from conda_execute.environments.store import Store
store = Store(sys.argv[1])
freed = 0
print("sweeping", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    freed += len(sweep.clear(store).freed)
print(freed)
"""


@contextmanager
def sweeper(machine: Machine) -> Iterator[list[int]]:
    """Clears with a minimum age of 0 without a pause, as long as the block lasts; afterwards, how many it removed."""
    freed: list[int] = []
    process = small.python(SWEEP_FOR_EVER, machine.store.tmp_envs, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "sweeping\n"
    try:
        yield freed
    finally:
        output, _ = process.communicate("enough\n")
        assert process.returncode == 0
        freed.append(int(output))


def repeated() -> pytest.MarkDecorator:
    rounds = [pytest.param(30, id="30 runs")]
    rounds += [pytest.param(2000, id=f"2000 runs, round {n}", marks=pytest.mark.stress) for n in (1, 2, 3)]
    return pytest.mark.parametrize("runs", rounds)


@repeated()
def test_no_run_fails_and_no_environment_goes_under_it(machine: Machine, runs: int) -> None:
    done: list[subprocess.CompletedProcess[str]] = []

    def run(delay: float) -> None:
        time.sleep(delay)
        done.append(machine.run(random.choice(["", "0", "0.02", "0.1"])))

    builds: set[str] = set()
    with sweeper(machine) as freed, ThreadPoolExecutor(AT_ONCE) as pool:
        # A busy machine may not let the sweeper in between so few waves: then there are more of them.
        while len(done) < runs or (len(builds) < 2 and len(done) < runs + ENOUGH):
            wave = random.randint(1, AT_ONCE)
            list(pool.map(run, [random.uniform(0, PAUSE) for _ in range(wave)]))
            builds |= {one.stdout.splitlines()[1] for one in done[-wave:]}
            time.sleep(random.uniform(0, PAUSE))
    print(f"{len(done)} runs in {len(builds)} builds of the environment; {freed[0]} removed by the sweeper")
    assert freed[0] >= 1, "the sweeper had nothing to do: this shows nothing"
    assert len(builds) > 1
    machine.assert_clean()


DAEMON = """\
#!/usr/bin/env conda-execute
# conda execute
# env:
#  - lua
# run_with: sh

build=$(echo "$CONDA_PREFIX"/conda-meta/conda-execute.uses-*)
export build
setsid sh -c 'cd /; sleep 0.3
  [ "$build" = "$(echo "$CONDA_PREFIX"/conda-meta/conda-execute.uses-*)" ] && lua -e "" && echo alive || echo removed
' >> "$1" 2>&1 < /dev/null &
"""


@times(10, 300)
def test_no_environment_goes_under_a_daemon(machine: Machine, tmp_path: Path, times: int) -> None:
    """A `/bin/sh` with its working directory at `/`, whose script has ended: only its variables tell."""
    script = machine.world.script("daemon.sh", DAEMON)
    log = tmp_path / "log"
    log.touch()
    with sweeper(machine) as freed:
        for _, pause in zip(range(times), itertools.cycle([0, 0.25, 0.3, 0.35, 0.6]), strict=False):
            machine.world.execute(script, log, check=True)
            # A second daemon now and then, while the first one is there, is going or has gone.
            time.sleep(pause)
        small.wait_for(lambda: len(log.read_text().splitlines()) >= times)
    assert log.read_text().splitlines() == ["alive"] * times
    assert freed[0] >= 1, "the sweeper had nothing to do: this shows nothing"
    machine.assert_clean()


def test_clear_and_list_at_once_break_nothing(machine: Machine) -> None:
    """The commands themselves, from several sides."""
    stop = threading.Event()
    complaints: list[str] = []

    def command(*words: str) -> None:
        while not stop.is_set():
            done = machine.world.tmpenv(*words)
            if done.returncode != 0 or done.stderr:
                complaints.append(f"{words}: {done.returncode} {done.stdout} {done.stderr}")

    commands = [("clear",), ("clear", "--min-age", "0"), ("list",), ("list", "--json")]
    threads = [threading.Thread(target=command, args=words) for words in commands]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            machine.run()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    complaints = [one for one in complaints if "there are no environments" not in one]
    assert complaints == []
    machine.assert_clean()
