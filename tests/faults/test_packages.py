"""A package stays inside the environment that it is installed in, whatever it brings: nobody's file is written, nor
has its mode changed, nor is it read to be shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.channel import File, Link, Package
from tests.conftest import World

META = "conda-meta/"
SECRET = "secret\n"


@pytest.fixture
def secret(world: World) -> Path:
    path = world.home / "id_rsa"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def assert_untouched(secret: Path) -> None:
    assert (secret.read_text(), oct(secret.stat().st_mode & 0o777)) == (SECRET, "0o600")
    assert os.listdir(secret.parent).count("id_rsa") == 1


def create(world: World, url: str) -> tuple[int, str]:
    done = world.tmpenv("create", "-c", url, "evil", "good", env={"CONDA_EXECUTE_RUN_LINK_SCRIPTS": "false"})
    return done.returncode, done.stderr


GOOD = Package("good", files={"bin/good": "#!/bin/sh\necho good\n"})


@pytest.mark.parametrize(
    "name",
    [
        "history",
        "frozen",
        "evil.json",
        "good-1.0-h0_0.json",
        "evil-1.0-h0_0.json",
        "state",
        "conda-execute.new",
        "sub/x",
    ],
)
def test_a_link_among_the_records_is_refused_by_name(
    world: World, make_channel: Callable[..., str], secret: Path, name: str
) -> None:
    evil = Package("evil", files={META + name: Link(str(secret)), "bin/x": "#!/bin/sh\n"})
    url = make_channel(GOOD, evil)
    for _ in range(2):  # the second time, the package is in the cache
        status, told = create(world, url)
        assert (status, f"`{META}{name}`" in told, "evil-1.0" in told) == (125, True, True), told
        assert world.prefixes() == []
        assert_untouched(secret)


def test_a_link_in_the_place_of_the_records_directory_is_refused(
    world: World, make_channel: Callable[..., str], secret: Path
) -> None:
    status, told = create(world, make_channel(GOOD, Package("evil", files={"conda-meta": Link(str(secret.parent))})))
    assert (status, "`conda-meta`" in told) == (125, True), told
    assert sorted(os.listdir(secret.parent)) == ["id_rsa"]


@pytest.mark.parametrize(
    "name", ["conda-execute", "conda-execute.keep", "conda-execute.uses-1/x", "CONDA-EXECUTE.keep"]
)
def test_what_only_we_say_of_an_environment_no_package_says(
    world: World, make_channel: Callable[..., str], name: str
) -> None:
    status, told = create(world, make_channel(GOOD, Package("evil", files={META + name: "{}"})))
    assert (status, f"`{META}{name}`" in told) == (125, True), told
    assert world.prefixes() == []


@pytest.mark.parametrize("name", ["history", "frozen"])
def test_a_file_of_ours_that_a_package_brings_is_not_written_to_in_the_cache(
    world: World, make_channel: Callable[..., str], name: str
) -> None:
    world = world.with_(RATTLER_CACHE_DIR=str(world.root / "rattler"))
    status, told = create(world, make_channel(GOOD, Package("evil", files={META + name: "of the package\n"})))
    assert status == 0, told
    (kept,) = (world.root / "rattler").glob(f"pkgs/evil-*/{META}{name}")
    assert kept.read_text() == "of the package\n"
    (prefix,) = world.prefixes()
    assert (prefix / "conda-meta" / name).read_text() != "of the package\n"


def test_links_out_of_the_environment_elsewhere_stay(
    world: World, make_channel: Callable[..., str], secret: Path
) -> None:
    evil = Package("evil", files={"etc/link": Link(str(secret)), "bin/x": "#!/bin/sh\n"})
    status, told = create(world, make_channel(GOOD, evil))
    assert status == 0, told
    assert_untouched(secret)


def test_what_a_package_says_is_not_read_from_a_file_of_somebody_else(
    world: World, make_channel: Callable[..., str], secret: Path
) -> None:
    script = File(f'#!/bin/sh\nln -s {secret} "$PREFIX/.messages.txt"\n'.encode(), executable=True)
    done = world.tmpenv("create", "-c", make_channel(Package("evil", files={"bin/.evil-post-link.sh": script})), "evil")
    assert SECRET.strip() not in done.stdout + done.stderr
