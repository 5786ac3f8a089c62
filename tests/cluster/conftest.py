"""What trials of hosts ask for, and the table of what they measured, which the session ends with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.channel import debian
from tests.channel.build import default_destination
from tests.cluster.hosts import Host, Network
from tests.cluster.slurm import PACKAGES, Slurm
from tests.conftest import World
from tests.stress.conftest import shim

__all__ = ["shim"]

_TABLE: list[tuple[str, str]] = []

#: How many tasks an array has; the issue asks for 300 and for 1,000.
TASKS = int(os.environ.get("TASKS", "300"))


@pytest.fixture
def report() -> Callable[[str, str], None]:
    """A function that adds a line to the table: what was tried, and what came of it."""
    return lambda trial, result: _TABLE.append((trial, result))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _TABLE:
        terminalreporter.section("measured")
    for trial, result in _TABLE:
        terminalreporter.write_line(f"| {trial} | {result} |")


@pytest.fixture
def shared(world: World, channel: Path) -> World:
    """A world on a disk that all hosts see."""
    if not any(channel.glob("*/lua-*")):
        pytest.skip("the local channel has no lua")
    return world


@pytest.fixture
def hosts(shared: World) -> Iterator[Callable[..., list[Host]]]:
    up: list[Host] = []
    network = Network()

    def boot(*names: str, tree: Path | None = None, cloned: bool = False) -> list[Host]:
        for name in names:
            up.append(Host(name, shared, network, tree, clone=up[0] if cloned and up else None))
        return up[-len(names) :]

    yield boot
    for host in up:
        host.die()
    network.end()


def installed(*packages: str) -> Path:
    """The files of these packages of Debian's; skips the test where they cannot be had."""
    tree = debian.tree(list(packages), default_destination() / "downloads")
    if tree is None:
        pytest.skip(f"cannot be fetched from Debian: {', '.join(packages)}")
    return tree


@pytest.fixture
def slurm(shared: World) -> Iterator[Slurm]:
    cluster = Slurm(shared, installed(*PACKAGES), nodes=3)
    yield cluster
    cluster.end()
