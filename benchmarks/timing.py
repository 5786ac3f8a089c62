"""Measuring processes: started without a shell, in turns, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

#: Whether the machine had other work than this before it began.
LOAD = os.getloadavg()[0]
BUSY = (os.cpu_count() or 1) < LOAD * 2

Given = TypeVar("Given")


@dataclass(frozen=True)
class Times:
    """Wall clock times of one command, and the processor's time for it, in milliseconds."""

    values: tuple[float, ...]
    processor: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def cost(self) -> float:
        """What promises are judged by: the median by the clock; by the processor where others use the machine too.

        Nothing that is measured here waits for anything but the processor, so on a quiet machine the two are alike.
        """
        return statistics.median(self.processor if BUSY else self.values)

    @property
    def spread(self) -> float:
        """Half of what lies between the quartiles."""
        if len(self.values) < 4:
            return (max(self.values) - min(self.values)) / 2
        low, _, high = statistics.quantiles(self.values, n=4)
        return (high - low) / 2


def start(words: Sequence[str], environ: Mapping[str, str]) -> int:
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_RDWR, 0) for descriptor in (0, 1)]
    return os.posix_spawn(words[0], list(words), dict(environ), file_actions=quiet)


def once(words: Sequence[str], environ: Mapping[str, str]) -> tuple[float, float]:
    """Both times of one run; a run that fails measures nothing, so it ends the benchmark."""
    before = time.perf_counter()
    _, status, used = os.wait4(start(words, environ), 0)
    taken = time.perf_counter() - before
    if status != 0:
        raise SystemExit(f"{' '.join(words)}: status {os.waitstatus_to_exitcode(status)}")
    return taken * 1000, (used.ru_utime + used.ru_stime) * 1000


def compare(
    commands: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    rounds: int,
    before_each: Callable[[str], None] = lambda name: None,
) -> dict[str, Times]:
    """Times of each command, taken in turns; `before_each` prepares a run and is not measured."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    names = list(commands)
    for round_ in range(rounds):
        # Another order in each round: nobody always runs after the same neighbour.
        first = round_ % max(len(names), 1)  # conda, say, may be missing
        for name in names[first:] + names[:first]:
            before_each(name)
            taken[name].append(once(commands[name], environ))
    return {name: Times(*(tuple(times) for times in zip(*values, strict=True))) for name, values in taken.items()}


def inside(rounds: int, prepare: Callable[[], Given], work: Callable[[Given], object]) -> Times:
    """Times of a piece of work of this process; `prepare` makes what it is given, and is not measured."""
    taken: list[tuple[float, float]] = []
    for _ in range(rounds):
        given = prepare()
        before, used = time.perf_counter(), time.process_time()
        work(given)
        taken.append(((time.perf_counter() - before) * 1000, (time.process_time() - used) * 1000))
    return Times(*(tuple(times) for times in zip(*taken, strict=True)))


def storm(words: Sequence[str], environ: Mapping[str, str], runs: int, at_once: int) -> tuple[float, float]:
    """Both times until `runs` runs have ended, with `at_once` of them running at any time."""
    before, used_before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    running = started = 0
    while started < runs or running:
        while running < at_once and started < runs:
            start(words, environ)
            running, started = running + 1, started + 1
        _, status = os.wait()
        running -= 1
        if status != 0:
            raise SystemExit(f"{' '.join(words)}: status {os.waitstatus_to_exitcode(status)}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime - used_before.ru_utime + used.ru_stime - used_before.ru_stime
    return (time.perf_counter() - before) * 1000, processor * 1000
