"""A thousand environments and a hundred thousand notes: what listing and sweeping cost, and how it grows."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conda_execute.environments import layout, removal, sweep
from conda_execute.environments import uses as usage
from conda_execute.environments.store import Store
from conda_execute.lean.values import replace
from tests.conftest import World
from tests.protocol import small

NOTES_EACH = 100


def fill(tmp_envs: str, first: int, count: int) -> None:
    """So many idle environments, each with the notes of a hundred runs that have ended."""
    place = usage.place()
    store = Store(tmp_envs)
    pattern = small.ensure(tmp_envs)
    small.forget(pattern)
    for number in range(first, first + count):
        name = f"{number:020x}"
        prefix = store.prefix(name)
        os.makedirs(os.path.join(prefix, "conda-meta"))
        marker = replace(pattern.marker, name=name, records=0)
        environment = store.finish(name, marker)
        uses = Path(layout.uses(environment.prefix, marker.build))
        for run in range(NOTES_EACH):
            os.close(os.open(uses / f"{1_000_000_000 + run}-{run}@{place}", os.O_CREAT | os.O_WRONLY))
    sweep.clear(store, [pattern.name])


def seconds(command: list[str], world: World, runs: int = 5) -> float:
    """Seconds of processor time, the least of some runs: other work on the machine shall not count."""
    taken = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        world.run([*command], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


@pytest.mark.stress
def test_cost_grows_with_the_number_of_environments_and_stays_small(world: World) -> None:
    tmp_envs = str(world.tmp_envs)
    os.mkdir(tmp_envs, 0o700)
    start = seconds([sys.executable, "-c", "pass"], world)
    print(f"\ninterpreter start {start * 1000:.0f} ms")
    print(f"{'environments':>12} {'notes':>8} {'list':>8} {'sweep, nothing to do':>21} {'sweep of the notes':>19}")
    there = 0
    for count in (10, 100, 1000):
        fill(tmp_envs, there, count - there)
        there = count
        listing = seconds(["conda-tmpenv", "list"], world) - start
        policy = removal.Policy()
        started = time.process_time()
        sweep.sweep(Store(tmp_envs), policy)
        pruning = time.process_time() - started
        started = time.process_time()
        sweep.sweep(Store(tmp_envs), policy)
        idle = time.process_time() - started
        notes = count * NOTES_EACH
        print(f"{count:12} {notes:8} {listing * 1000:5.0f} ms {idle * 1000:18.0f} ms {pruning * 1000:16.0f} ms")
        for name in Store(tmp_envs).list() if count < 1000 else []:
            refill(tmp_envs, name)
    assert listing < 0.3
    assert pruning < 10
    started = time.process_time()
    report = sweep.clear(Store(tmp_envs))
    print(f"clear of {len(report.freed)} environments: {time.process_time() - started:.1f} s")
    assert len(report.freed) == there


def refill(tmp_envs: str, name: str) -> None:
    environment = Store(tmp_envs).read(name)
    assert environment is not None
    uses = Path(layout.uses(environment.prefix, environment.marker.build))
    place = usage.place()
    for run in range(NOTES_EACH):
        os.close(os.open(uses / f"{1_000_000_000 + run}-{run}@{place}", os.O_CREAT | os.O_WRONLY))


def test_listing_a_hundred_environments_costs_little(world: World) -> None:
    os.mkdir(world.tmp_envs, 0o700)
    start = seconds([sys.executable, "-c", "pass"], world, 3)
    none = seconds(["conda-tmpenv", "list", "--json"], world, 3)
    fill(str(world.tmp_envs), 0, 100)
    hundred = seconds(["conda-tmpenv", "list", "--json"], world, 3)
    print(f"interpreter {start:.3f} s, list of none {none:.3f} s, of 100 {hundred:.3f} s")
    assert hundred - none < 0.3
