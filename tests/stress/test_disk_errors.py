"""A disk that fails once, at each call below `tmp_envs`: a message, never a traceback, and the next run heals."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stress.conftest import Machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD and EIO as on Linux")

SCRIPT = "# conda execute\n# env: [lua]\n# run_with: sh\nlua -e \"print('lua says 42')\"\n"
LINE = SCRIPT.count("\n")


@dataclass(frozen=True)
class Disk:
    """The disk of a machine."""

    machine: Machine
    library: str
    told: Path

    def fails(self, number: int, text: str, *words: str | Path) -> tuple[subprocess.CompletedProcess[str], str]:
        """Run this with EIO for the call of this number that contains the text; also which one it was, if any."""
        self.told.write_bytes(bytes(8))
        world = self.machine.world.with_(LD_PRELOAD=self.library, FAILING=f"{number}:{self.told}:{text}")
        done = world.run(words)
        return done, self.told.read_bytes()[8:].decode().strip()


@pytest.fixture
def disk(machine: Machine, failing: str, tmp_path: Path) -> Disk:
    machine.script.write_text(SCRIPT)
    return Disk(machine, failing, tmp_path / "told")


def wrong(done: subprocess.CompletedProcess[str], failed: str) -> str:
    """What is wrong with how a program ended after this call failed."""
    if f"script.sh: {LINE}: " in done.stderr:
        return ""  # the script could not start its program, and says so
    good = (0, 1, 125) if "--verify" in done.args else (0, 125)
    if "Traceback" in done.stderr or done.returncode not in good or (done.returncode and not done.stderr):
        return f"{failed}: {done.returncode}, {done.stderr}"
    if "panicked" in done.stderr and "the engine stopped unexpectedly" not in done.stderr:
        return f"{failed}: {done.stderr}"
    runs = done.args[0] == "conda-execute" and "--print-prefix" not in done.args
    if runs and done.returncode == 0 and not done.stdout.startswith("lua says 42"):
        return f"{failed}: {done.stdout!r}"
    if failed.startswith(("fsync ", "syncfs ", "rename ")):
        said = os.strerror(errno.EIO) in done.stdout + done.stderr
        return "" if done.returncode or said else f"{failed} failed, and nothing was said"
    return ""


@pytest.mark.parametrize("step", [pytest.param(70, id="a few"), pytest.param(1, id="each", marks=pytest.mark.stress)])
@pytest.mark.parametrize(
    ("before", "words"),
    [
        pytest.param("clear", ["conda-execute"], id="create"),
        pytest.param("", ["conda-execute"], id="run", marks=pytest.mark.stress),
        pytest.param("", ["conda-execute", "--force-env"], id="force", marks=pytest.mark.stress),
        pytest.param("", ["conda-execute", "--print-prefix"], id="print", marks=pytest.mark.stress),
        pytest.param("", ["conda-tmpenv", "clear"], id="clear", marks=pytest.mark.stress),
        pytest.param("", ["conda-tmpenv", "info", "--verify"], id="verify", marks=pytest.mark.stress),
    ],
)
def test_a_disk_that_fails_once_is_a_message_and_then_healed(
    disk: Disk, before: str, words: list[str], step: int
) -> None:
    machine = disk.machine
    machine.run()
    if words[-1] != "clear":
        words = [*words, str(machine.script)]
    found, number = [], 1
    while True:
        if before:
            machine.world.tmpenv(before, check=True)
        done, failed = disk.fails(number, "/tmp_envs", *words)
        if not failed:
            break
        found.append(wrong(done, failed))
        machine.run()
        number += step
    assert number > step
    assert not any(found), "\n".join(filter(None, found))
    machine.assert_clean()


def test_a_panic_of_the_engine_is_an_error_of_ours(disk: Disk) -> None:
    """It panics where it cannot look at the directory of records that it is about to fill."""
    prefix = disk.machine.world.tmpenv("name", disk.machine.script, check=True).stdout.strip()
    done, failed = disk.fails(1, f"statx {prefix}/conda-meta\n", "conda-execute", disk.machine.script)
    assert failed
    assert "panicked at" in done.stderr
    assert (done.returncode, "the engine stopped unexpectedly" in done.stderr) == (125, True), done.stderr
    assert "Traceback" not in done.stderr
    disk.machine.run()
