"""What lies in the place of a file or directory of ours and is something else: no traceback, and no endless wait."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from tests.conftest import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")

SCRIPT = "# conda execute\n# env: [lua]\n# run_with: sh\nlua -e 'print(6 * 7)'\n"


def test_a_lock_file_that_is_a_pipe_is_named(world: World) -> None:
    """In a folder of several users, another may have put it there; reading it would never end."""
    script = world.script("script.sh", SCRIPT)
    lock = script.with_name("script.sh.conda-execute.lock")
    for make in (os.mkfifo, lambda path: os.symlink("/dev/zero", path)):
        make(lock)
        done = world.execute(script)
        assert done.returncode == 125
        assert f"the lock `{lock}` cannot be read: not a regular file" in done.stderr
        lock.unlink()


@pytest.mark.parametrize("place", ["{name}", "{name}/conda-meta", ".trash"])
def test_a_link_in_a_circle_is_nothing(world: World, place: str) -> None:
    script = world.script("script.sh", SCRIPT)
    assert world.execute(script, check=True).stdout == "42\n"
    (prefix,) = world.prefixes()
    circle = world.tmp_envs / place.format(name=prefix.name)
    if circle.exists():
        shutil.rmtree(circle)
    circle.symlink_to(circle)
    assert "Traceback" not in world.tmpenv("list", check=True).stderr
    assert world.execute(script, check=True).stdout == "42\n"
    assert "Traceback" not in world.tmpenv("clear").stderr
