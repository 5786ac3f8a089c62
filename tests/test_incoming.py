"""A creation holds up no other one: each fetches its packages next to the cache, and locks that for a moment only."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest
import rattler

from conda_execute.engines.rattler.incoming import Incoming
from tests.channel import Package
from tests.conftest import World
from tests.protocol import small

pytestmark = pytest.mark.skipif(not hasattr(rattler, "PackageCache"), reason="an older py-rattler has one cache alone")


def fetched(place: Path, name: str, digest: bytes = b"x" * 40) -> None:
    (place / name).mkdir(parents=True)
    (place / name / "file").write_text(str(place))
    (place / f"{name}.lock").write_bytes(digest)


class TestMovingIn:
    def test_packages_that_were_fetched_are_in_the_cache_and_nothing_else_is_left(self, tmp_path: Path) -> None:
        incoming = Incoming(str(tmp_path / "pkgs"))
        [directory] = incoming.begin()
        fetched(Path(directory), "a-1-0")
        fetched(Path(directory), "half-1-0", digest=b"")
        incoming.move_in()
        assert sorted(os.listdir(tmp_path / "pkgs")) == [".cache.lock", "a-1-0", "a-1-0.lock"]
        assert os.listdir(tmp_path / "incoming") == []

    def test_what_was_fetched_again_takes_the_place_of_what_was_damaged(self, tmp_path: Path) -> None:
        fetched(tmp_path / "pkgs", "a-1-0", b"old" * 13)
        incoming = Incoming(str(tmp_path / "pkgs"))
        [directory] = incoming.begin()
        fetched(Path(directory), "a-1-0")
        incoming.move_in()
        assert (tmp_path / "pkgs" / "a-1-0" / "file").read_text() == directory
        assert (tmp_path / "pkgs" / "a-1-0.lock").read_bytes() == b"x" * 40

    def test_cache_that_somebody_keeps_locked_is_not_waited_for(self, tmp_path: Path) -> None:
        (tmp_path / "pkgs").mkdir()
        incoming = Incoming(str(tmp_path / "pkgs"))
        [directory] = incoming.begin()
        fetched(Path(directory), "a-1-0")
        with open(tmp_path / "pkgs" / ".cache.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            incoming.move_in()
        assert os.listdir(tmp_path / "pkgs") == [".cache.lock"]

    def test_what_a_killed_process_left_goes_after_a_day(self, tmp_path: Path) -> None:
        old, young = (Path(Incoming(str(tmp_path / "pkgs")).begin()[0]) for _ in range(2))
        day = time.time() - 25 * 3600
        os.utime(old, (day, day))
        Incoming(str(tmp_path / "pkgs")).begin()
        assert not old.exists()
        assert young.exists()


def slow(world: World, make_channel: object, log: Path) -> Path:
    """A script whose environment is never finished: a link script of a package says that it runs, and sleeps."""
    assert callable(make_channel)
    url = make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": f"#!/bin/sh\necho >> {log}; sleep 600\n"}))
    return world.script("slow.sh", f"# conda execute\n# env: [slow]\n# channels: ['{url}']\n# run_with: sh\n")


@pytest.mark.parametrize("stopped", [False, True], ids=["slow", "stopped"])
def test_slow_creator_holds_up_no_other_environment(
    world: World, make_channel: object, tmp_path: Path, stopped: bool
) -> None:
    log = tmp_path / "log"
    creator = world.start(["conda-execute", slow(world, make_channel, log)], start_new_session=True)
    small.wait_for(log.exists, 60)
    if stopped:
        os.killpg(creator.pid, signal.SIGSTOP)
    world.execute(world.script("other.sh", "# conda execute\n# env: [lua]\n# run_with: sh\n"), check=True)
    assert creator.poll() is None, "the other environment was ready first"
    os.killpg(creator.pid, signal.SIGKILL)
    creator.communicate()
