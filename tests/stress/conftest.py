"""What the stress tests share: a cheap environment of the local channel, and how often things are repeated."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conda_execute.environments import sweep
from conda_execute.environments.store import Store
from tests.conftest import World

HERE = Path(__file__).parent

#: Runs a program of the environment, looks at the end whether it is still the same one, and says which build it was.
SCRIPT = """\
#!/usr/bin/env conda-execute
# conda execute
# env:
#  - lua
# run_with: sh

build=$(echo "$CONDA_PREFIX"/conda-meta/conda-execute.uses-*)
lua -e "x = 6 * 7" || exit 71
[ -z "$1" ] || sleep "$1"
[ "$build" = "$(echo "$CONDA_PREFIX"/conda-meta/conda-execute.uses-*)" ] || exit 72
lua -e "print('lua says ' .. 6 * 7)" || exit 73
echo "$build"
"""


@dataclass(frozen=True)
class Machine:
    """A world with one script in it, whose environment is made and removed over and over."""

    world: World
    script: Path

    @property
    def store(self) -> Store:
        return Store(str(self.world.tmp_envs))

    @property
    def name(self) -> str:
        """The name of the only environment here."""
        (name,) = self.store.list()
        return name

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the script to its end, which must be a good one."""
        done: subprocess.CompletedProcess[str] = self.world.execute(self.script, *arguments, **options)
        assert_good(done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the script; `end` ends it with all its children."""
        process: subprocess.Popen[str] = self.world.start(
            ["conda-execute", self.script, *arguments], stdin=subprocess.DEVNULL, start_new_session=True
        )
        return process

    def killed_at(self, step: str, module: str, *arguments: str | Path) -> None:
        """Run a program that is killed at this step; it must get there."""
        killer = HERE / "killer.py"
        done = self.world.run([sys.executable, killer, step, module, *arguments])
        assert done.returncode == -9, f"`{step}` was never reached: {done.stdout}{done.stderr}"

    def clear(self) -> sweep.Report:
        return sweep.clear(self.store)

    def assert_clean(self) -> None:
        """Nothing is left, nothing is locked."""
        report = self.clear()
        assert report.kept == ()
        left = [name for name in os.listdir(self.store.tmp_envs) if not name.startswith(".")]
        assert left == []
        trash = Path(self.store.tmp_envs, ".trash")
        assert not trash.exists() or os.listdir(trash) == []
        for name in os.listdir(Path(self.store.tmp_envs, ".locks")):
            if name.endswith(".lock"):
                lock = self.store.try_to_lock(name.removesuffix(".lock"))
                assert lock is not None, f"{name} is still held"
                lock.release()


def end(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def assert_good(status: int, output: str, errors: str) -> None:
    assert (status, output.splitlines()[:1]) == (0, ["lua says 42"]), f"status {status}\n{output}\n{errors}"


@pytest.fixture
def machine(world: World, channel: Path) -> Machine:
    if not any(channel.glob("*/lua-*")):
        pytest.skip("the local channel has no lua")
    # The hourly sweep would be one more process at work; where it matters a test starts it.
    world = world.with_(CONDA_EXECUTE_AUTO_CLEAN="false")
    return Machine(world, world.script("script.sh", SCRIPT))


@pytest.fixture(scope="session")
def shim(session_directory: Path) -> str:
    """The path of the preloaded library; see shim.c."""
    return _preloaded("shim", session_directory)


@pytest.fixture(scope="session")
def failing(session_directory: Path) -> str:
    """The same of failing.c."""
    return _preloaded("failing", session_directory)


def _preloaded(name: str, directory: Path) -> str:
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("a C compiler and LD_PRELOAD make the system answer in odd ways here")
    library = directory / f"{name}-{os.getpid()}.so"
    if not library.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / f"{name}.c", "-ldl"], check=True)
    return str(library)


def times(short: int, long: int) -> pytest.MarkDecorator:
    """So often: a few times in `make test`, many times in `make stress`."""
    return pytest.mark.parametrize(
        "times",
        [pytest.param(short, id=f"{short} times"), pytest.param(long, id=f"{long} times", marks=pytest.mark.stress)],
    )
