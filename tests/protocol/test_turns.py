"""No change of places between a real sweeper and a real run breaks anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.protocol import small, turns

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")


@pytest.mark.parametrize("first", ["sweeper", "run"])
@pytest.mark.parametrize(
    "every", [pytest.param(6, id="every sixth"), pytest.param(1, id="all", marks=pytest.mark.stress)]
)
def test_no_change_of_places_breaks_anything(tmp_path: Path, first: str, every: int) -> None:
    done = subprocess.run(
        [sys.executable, turns.__file__, str(tmp_path / "tmp_envs"), first, str(every)],
        env={**os.environ, "PYTHONPATH": str(small.ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        start_new_session=True,  # the kernel wakes what is stopped where a group loses its last parent
    )
    assert done.returncode == 0, done.stdout
    print(f"{done.stdout.strip()} histories")
    assert int(done.stdout) * every > 100
