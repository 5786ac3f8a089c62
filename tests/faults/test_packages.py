"""A package stays inside the environment that it is installed in, whatever it brings: nobody's file is written, nor
has its mode changed, nor is it read to be shown."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conda_execute.engines.rattler.leading import Links
from tests import tiny
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


MODULES = "lib/python3.13/site-packages"
NOARCH = {"noarch": {"type": "python", "entry_points": ["good = good:main"]}}
OUT = "/out"


def unpacked(package: Path, *files: str, **links: str) -> str:
    """A package in the cache; a file of ours with a program if it has `site-packages`."""
    for name in files:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("x")
    for name, target in links.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).symlink_to(target)
    (package / "info").mkdir()
    if (package / "site-packages").is_dir() or (package / "python-scripts").is_dir():
        (package / "info" / "link.json").write_text(json.dumps(NOARCH))
    return str(package)


@pytest.mark.parametrize(
    ("files", "links", "out"),
    [
        ("bin/good", {"bin": OUT}, "bin"),
        ("bin/good", {"BIN": OUT}, "BIN"),
        ("share/deep/x", {"share": "../../home"}, "share"),
        ("share/deep/x", {"share": "etc/on", "etc/on": OUT}, "share"),
        ("share/deep/x", {"share": "etc/on/../../home", "etc/on": "../lib"}, "share"),
        ("site-packages/good/x.py", {"bin/good": OUT}, "bin/good"),
        ("site-packages/good/x.py", {"bin": OUT}, "bin"),
        ("site-packages/good/x.py", {"lib": OUT}, "lib"),
        ("site-packages/good/x.py", {f"{MODULES}/good": OUT}, f"{MODULES}/good"),
        ("python-scripts/sub/x", {"bin/sub": OUT}, "bin/sub"),
        ("bin/good", {"share/x": OUT, "bin/y": OUT, "lib64": "lib", "a/b": "../c"}, None),
        ("lib64/x", {"lib64": "lib", "lib/y": "x", "lib/z": ".", "lib/v": "./../bin"}, None),
    ],
)
def test_nothing_is_written_through_a_link_out_of_the_environment(
    tmp_path: Path, files: str, links: dict[str, str], out: str | None
) -> None:
    good, evil = unpacked(tmp_path / "good-1.0-h0_0", files), unpacked(tmp_path / "evil-1.0-h0_0", **links)
    for packages in ((good, evil), (evil, good)):
        known = Links(wheels=False)
        assert known.conflict(packages[0]) is None
        conflict = known.conflict(packages[1])
        assert (conflict and (conflict.link, conflict.package)) == (out and (out, evil))


def test_where_wheels_come_next_no_link_leads_out_of_the_modules(tmp_path: Path) -> None:
    evil = unpacked(tmp_path / "evil-1.0-h0_0", **{f"{MODULES}/good": OUT})
    assert Links(wheels=False).conflict(evil) is None
    assert Links(wheels=True).conflict(evil) is not None


def test_no_program_is_written_through_a_link_that_a_package_brings(
    world: World, make_channel: Callable[..., str], secret: Path
) -> None:
    """Their names are of this test alone: the cache is shared with others, which refuse packages as well."""
    points = ["program = programs:main"]
    url = make_channel(
        Package("programs", noarch="python", files={"site-packages/programs.py": "x = 1"}, entry_points=points),
        Package("leads-out", files={"bin/program": Link(str(secret))}),
    )
    for _ in range(2):  # the second time, the packages are in the cache
        done = world.tmpenv("create", "-c", url, "-c", "conda-forge", "leads-out", "programs", "python")
        assert (done.returncode, "leads-out-1.0-h0_0: `bin/program`" in done.stderr) == (125, True), done.stderr
        assert world.prefixes() == []
        assert_untouched(secret)


def test_what_only_we_say_of_an_environment_no_wheel_says(world: World) -> None:
    wheel = tiny.wheel(world.root / "wheels", "plain")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("plain-1.0.data/data/conda-meta/conda-execute.keep", "")
    done = world.tmpenv("create", "python", f"pypi:plain @ {wheel.as_uri()}")
    assert (done.returncode, "has `conda-meta/conda-execute.keep`" in done.stderr) == (125, True), done.stderr
    assert world.prefixes() == []


def test_what_a_package_says_is_not_read_from_a_file_of_somebody_else(
    world: World, make_channel: Callable[..., str], secret: Path
) -> None:
    script = File(f'#!/bin/sh\nln -s {secret} "$PREFIX/.messages.txt"\n'.encode(), executable=True)
    done = world.tmpenv("create", "-c", make_channel(Package("evil", files={"bin/.evil-post-link.sh": script})), "evil")
    assert SECRET.strip() not in done.stdout + done.stderr
