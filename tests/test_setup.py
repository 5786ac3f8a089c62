"""Setting up works on machines whose Python cannot make a virtual environment by itself.

The `python` of the local channel has no `ensurepip`, as Debian's has none, and nothing else beside it.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rattler
import uv

from tests.conftest import CHECKOUT, World

Prefix = Callable[..., Path]


@pytest.fixture
def prefix(world: World, channel_url: str, session_directory: Path) -> Prefix:
    """A function that links packages of the local channel and returns the prefix."""

    def make(*specs: str) -> Path:
        channels = [rattler.Channel(channel_url)]
        records = asyncio.run(rattler.solve(channels, specs, virtual_packages=rattler.VirtualPackage.detect()))
        path = world.root / "prefix"
        cache = session_directory / "rattler" / "pkgs"
        asyncio.run(rattler.install(records, path, cache_dir=cache, show_progress=False))
        return path

    return make


def make_venv(world: World, prefix: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return world.run([CHECKOUT / ".ci" / "venv", prefix / "bin" / "python", "made"], **options)


def is_venv(path: Path) -> bool:
    command: list[str | Path] = [path / "bin" / "python", "-m", "pip", "--version"]
    return str(path) in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_pip_fetches_virtualenv(world: World, prefix: Prefix) -> None:
    made = make_venv(world, prefix("python", "pip"))
    assert made.returncode == 0, made.stderr
    assert is_venv(world.work / "made")


def test_uv_is_used_where_it_is(world: World, prefix: Prefix) -> None:
    programs = world.root / "bin"
    programs.mkdir()
    (programs / "uv").symlink_to(uv.find_uv_bin())
    made = make_venv(world, prefix("python"), env={"PATH": f"{programs}:/usr/bin:/bin"})
    assert made.returncode == 0, made.stderr
    assert is_venv(world.work / "made")


def test_package_of_debian_is_named_where_nothing_helps(world: World, prefix: Prefix) -> None:
    failed = make_venv(world, prefix("python"), env={"PATH": "/usr/bin:/bin"})
    assert failed.returncode != 0
    assert "python3-venv" in failed.stderr
    assert not (world.work / "made").exists()


def test_an_old_python_is_refused(world: World) -> None:
    failed = world.run([CHECKOUT / ".ci" / "venv", "/bin/false", "made"])
    assert failed.returncode != 0
    assert "3.10" in failed.stderr
