"""A signal at any moment of a run is never lost: the script does not run, or it is the script that the signal ends.

A run's moments are drawn at random over the time that it takes. What is counted:

- lost: the script began after the signal was sent;
- a traceback: allowed only from before our first statement, while Python itself starts.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import World

pytestmark = [pytest.mark.stress, pytest.mark.skipif(os.name != "posix", reason="POSIX signals")]

#: Ends by itself long after the signal; what it leaves says when it began.
SCRIPT = "# conda execute\n# env:\n#  - python >=3\n# run_with: sh\n: >began; echo began; sleep 0.3; echo end\n"

#: Seconds by which the clock of a file system may be behind.
GRAIN = 0.02


def one(world: World, command: list[str], number: int, after: float) -> str:
    """How one run went that got the signal `after` that many seconds."""
    child = subprocess.Popen(
        command,
        env=world.environ,
        cwd=world.work,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background had them ignore it, and all below them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    time.sleep(after)
    sent = time.time()
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    if "Traceback" in err:
        # Ours begins with `conda_execute/__main__.py`; what Python prints before it names no file of ours.
        if "conda_execute/" not in err:
            return "traceback of Python"
        print(err)
        return "traceback of ours"
    if "began" not in out:
        return "ended us" if child.returncode else "lost"
    if (world.work / "began").stat().st_mtime > sent + GRAIN:
        return "lost"
    return "ended the script" if child.returncode else "finished first"


def tally(world: World, kind: str, number: int, times: int) -> Counter[str]:
    programs = Path(world.environ["PATH"].split(os.pathsep)[0])
    script = world.script("x.sh", SCRIPT)
    world.execute(script, check=True)
    program = programs / ("conda-execute" if kind == "warm" else "conda-execute-py")
    command = [str(program), *(["--force-env"] if kind == "cold" else []), str(script)]
    beginning = time.monotonic()
    subprocess.run(command, env=world.environ, cwd=world.work, capture_output=True, check=True)
    # Of the script's own 0.3 seconds a little counts as well.
    length = time.monotonic() - beginning - 0.28
    moments = random.Random(times)
    found = Counter(one(world, command, number, moments.uniform(0, length)) for _ in range(times))
    print(kind, signal.Signals(number).name, dict(found))
    return found


@pytest.mark.parametrize(
    ("kind", "name", "times"),
    [
        ("warm", "SIGINT", 1000),
        ("python", "SIGINT", 1500),
        ("cold", "SIGINT", 500),
        ("warm", "SIGTERM", 400),
        ("python", "SIGTERM", 500),
        ("cold", "SIGTERM", 100),
    ],
)
def test_no_signal_is_lost(world: World, kind: str, name: str, times: int) -> None:
    found = tally(world, kind, getattr(signal, name), times)
    assert found["lost"] == found["traceback of ours"] == 0
    assert found["ended us"] > 0
    world.execute(world.work / "x.sh", check=True)
    assert not list(world.tmp_envs.glob(".trash/*"))
