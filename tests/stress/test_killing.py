"""Many processes at once, and SIGKILL at any moment: every run succeeds, and nothing stays behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.channel import Package
from tests.conftest import World
from tests.stress.conftest import Machine, assert_good, times

CREATION = ["locked", "begin", "installed", "uses made", "marker written", "marked", "before note", "noted"]
CLEANING = ["sweep locked", "unmarked", "notes listed", "in trash", "deleted"]


@times(16, 200)
def test_many_processes_ask_at_once_for_one_missing_environment(machine: Machine, times: int) -> None:
    processes = [machine.start() for _ in range(times)]
    builds = set()
    for process in processes:
        output, errors = process.communicate()
        assert_good(process.returncode, output, errors)
        builds.add(output.splitlines()[1])
    assert len(builds) == 1, "created once"
    assert not os.path.exists(Path(machine.store.tmp_envs, ".trash")), "and nothing thrown away"
    machine.assert_clean()


def kill_at_random(process: subprocess.Popen[str], within: float) -> bool:
    """Whether it was killed before its end."""
    time.sleep(random.uniform(0, within))
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


@times(5, 300)
def test_creators_killed_at_random_moments(machine: Machine, times: int) -> None:
    machine.run()  # packages are in the cache from here on
    machine.assert_clean()
    started = time.monotonic()
    machine.run()
    typical = time.monotonic() - started
    killed = 0
    while killed < times:
        machine.assert_clean()
        killed += kill_at_random(machine.start(), typical)
        machine.run()
    machine.assert_clean()


@pytest.mark.parametrize("step", CREATION)
def test_creator_killed_at_each_step(machine: Machine, step: str) -> None:
    machine.killed_at(step, "conda_execute.cli.execute", machine.script)
    machine.run()
    machine.assert_clean()


@times(5, 100)
def test_sweepers_killed_at_random_moments(machine: Machine, times: int) -> None:
    machine.run()
    started = time.monotonic()
    machine.world.tmpenv("clear", check=True)
    typical = time.monotonic() - started
    killed = 0
    while killed < times:
        machine.run()
        killed += kill_at_random(machine.world.start(["conda-tmpenv", "clear"]), typical)
        machine.run()
    machine.assert_clean()


@pytest.mark.parametrize("step", CLEANING)
def test_sweeper_killed_at_each_step(machine: Machine, step: str) -> None:
    machine.run()
    machine.killed_at(step, "conda_execute.cli.tmpenv", "clear")
    machine.run()
    machine.assert_clean()


def test_orphaned_installer_is_waited_for(world: World, make_channel: object, tmp_path: Path) -> None:
    """A creator killed while a package's link script runs: the next one begins when that script has ended."""
    log = tmp_path / "log"
    link = f'#!/bin/sh\necho "$$" >> {log}; sleep 2; mkdir -p "$PREFIX"; : > "$PREFIX/late"; echo ended >> {log}\n'
    assert callable(make_channel)
    url = make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": link}))
    script = world.script("s.sh", f"# conda execute\n# env: [slow]\n# channels: ['{url}']\n# run_with: sh\ncat {log}\n")
    creator = world.start(["conda-execute", script])
    until = time.monotonic() + 60
    while not log.exists() or not log.read_text():
        assert time.monotonic() < until, "the link script never ran"
        time.sleep(0.01)
    creator.kill()
    creator.communicate()
    orphan = int(log.read_text())
    assert os.path.exists(f"/proc/{orphan}")
    done = world.execute(script, check=True)
    assert done.stdout.splitlines()[:2] == [str(orphan), "ended"], "the second creator waited for the first's orphan"
    assert len(done.stdout.splitlines()) == 4, "and installed anew, whole"


def test_interrupt_while_waiting_ends_it_at_once(machine: Machine) -> None:
    machine.run()
    name = machine.name
    machine.assert_clean()
    lock = machine.store.lock(name, script="the other one")
    assert lock is not None
    process = machine.start()
    assert process.stderr is not None
    said = process.stderr.readline()
    assert f"waiting for process {os.getpid()} on " in said
    assert "(the other one)" in said
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert time.monotonic() - started < 5
    lock.release()
    machine.assert_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_interrupt_while_creating_leaves_nothing(
    world: World, make_channel: object, tmp_path: Path, number: signal.Signals
) -> None:
    """As Ctrl-C does it: everybody in the terminal's process group gets the signal."""
    log = tmp_path / "log"
    link = f'#!/bin/sh\necho "$PREFIX" >> {log}; exec sleep 5\n'
    assert callable(make_channel)
    url = make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": link}))
    script = world.script("s.sh", f"# conda execute\n# env: [slow]\n# channels: ['{url}']\n# run_with: sh\necho ran\n")
    creator = world.start(["conda-execute", script], start_new_session=True)
    until = time.monotonic() + 60
    while not log.exists() or not log.read_text():
        assert time.monotonic() < until, "the link script never ran"
        time.sleep(0.01)
    os.killpg(creator.pid, number)
    output, _ = creator.communicate()
    assert creator.returncode in (128 + number, -number)
    assert output == ""
    assert world.prefixes() == []
    trash = world.tmp_envs / ".trash"
    assert not trash.exists() or list(trash.iterdir()) == []
