"""Limits of a process that are too low for an engine: a message that names the limit, and status 125."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests import tiny
from tests.conftest import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")

#: Another user, who can reach and own what root can: of root alone are processes not counted.
COUNTED = "setpriv --reuid 61234 --regid 61234 --clear-groups --inh-caps {0} --ambient-caps {0}".format(
    ",".join(f"+{name}" for name in ("dac_override", "dac_read_search", "fowner", "chown"))
)


def create(world: World, limit: str, before: str = "", specs: str = "lua") -> tuple[int, str, str]:
    done = world.run(["bash", "-c", f"ulimit {limit} && exec {before} conda-tmpenv create {specs}"])
    return done.returncode, done.stdout, done.stderr


def test_too_few_files(world: World) -> None:
    """With 12 the engine itself panics."""
    for files in (12, 13, 14, 15):
        status, _, said = create(world, f"-n {files}")
        assert (status, "`ulimit -n` raises" in said, "Traceback" in said) == (125, True, False), said
    assert create(world, "-n 256")[0] == 0  # nothing of it is left


def test_files_that_may_not_be_large(world: World) -> None:
    """While an environment is linked, and while a package is unpacked, which is not broken for that."""
    for limit, here in (("-f 0", world), ("-f 8", world.with_(RATTLER_CACHE_DIR=str(world.root / "rattler")))):
        status, _, said = create(here, limit)
        assert (status, "`ulimit -f` raises" in said, "is broken" in said) == (125, True, False), said


@pytest.mark.parametrize("kilobytes", [60_000, 120_000, 300_000])
def test_too_little_memory(world: World, kilobytes: int) -> None:
    status, _, said = create(world, f"-v {kilobytes}")
    assert (status, "`ulimit -v` raises" in said, "Traceback" in said) == (125, True, False), said


def test_little_memory_is_enough_or_is_named(world: World) -> None:
    """The engine ends the process with SIGABRT where it gets none: many threads reserve more than they use."""
    status, _, said = create(world, "-v 540000", specs="python numpy")
    assert status == 0 or (status, "`ulimit -v` raises" in said) == (125, True), said


@pytest.mark.parametrize("processes", [3, 5])
def test_too_few_processes(world: World, processes: int) -> None:
    if shutil.which("setpriv") is None or world.run(["sh", "-c", f"{COUNTED} true"]).returncode != 0:
        pytest.skip("only root can be another user here")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        shutil.chown(place, 61234, 61234)
        usual = dict.fromkeys(("CONDA_EXECUTE_ENV_DIR", "CONDA_EXECUTE_CACHE_DIR", "RATTLER_CACHE_DIR"))
        world = world.with_(HOME=place, **usual)
        status, _, said = create(world, f"-u {processes}", COUNTED)
    assert (status, "`ulimit -u`" in said, "Traceback" in said) == (125, True, False), said


@pytest.mark.parametrize("name", ["/etc/hosts", "../../out.txt", "share/../../out.txt"])
def test_a_path_out_of_the_environment_is_refused_by_name(world: World, tmp_path: Path, name: str) -> None:
    """An absolute one made the engine panic."""
    channel = tmp_path / "outside"
    tiny.channel(channel, tiny.Tiny("evil", files={name: b"x\n", "share/good": b"y\n"}))
    world = world.with_(RATTLER_CACHE_DIR=str(world.root / "rattler"))
    done = world.tmpenv("create", "-c", channel.as_uri(), "evil")
    assert (done.returncode, f"`{name}` is outside of the environment" in done.stderr) == (125, True), done.stderr
    assert world.prefixes() == []
