"""Locks that freeze what ran, that are updated in part, and that are checked; and what is outdated."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests import tiny
from tests.channel import Package, write_channel
from tests.conftest import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the packages are of POSIX")

SHOW = """\
# conda execute
# env: [show, 'tool <3']
# run_with: [sh]
show; tool
"""


def packages(*versions: str) -> list[Package]:
    files = {name: {f"bin/{name}": f"#!/bin/sh\necho {name} VERSION\n"} for name in ("show", "tool")}
    return [
        Package(name, version, {p: text.replace("VERSION", version) for p, text in each.items()}, noarch="generic")
        for version in versions
        for name, each in files.items()
    ]


@pytest.fixture
def channel_of_two(tmp_path: Path) -> Path:
    write_channel(tmp_path / "two", packages("1.0"))
    return tmp_path / "two"


@pytest.fixture
def machine(world: World, channel_of_two: Path) -> World:
    return world.with_(CONDA_CHANNELS=channel_of_two.as_uri())


@pytest.fixture
def script(machine: World) -> Path:
    return machine.script("run.sh", SHOW)


def publish(channel: Path) -> None:
    write_channel(channel, packages("2.0"))


def test_a_lock_freezes_what_ran_and_not_what_came_out_since(
    machine: World, script: Path, channel_of_two: Path
) -> None:
    machine.execute(script, check=True)
    publish(channel_of_two)
    machine.execute("--lock", script, check=True)
    assert machine.execute("--locked", script).stdout == "show 1.0\ntool 1.0\n"


def test_without_an_environment_the_newest_are_locked(machine: World, script: Path, channel_of_two: Path) -> None:
    publish(channel_of_two)
    machine.execute("--lock", script, check=True)
    assert machine.execute("--locked", script).stdout == "show 2.0\ntool 2.0\n"


def test_a_lock_that_fits_stays_until_it_is_updated(machine: World, script: Path, channel_of_two: Path) -> None:
    machine.execute("--lock", script, check=True)
    lock = Path(f"{script}.conda-execute.lock")
    before = lock.read_text()
    publish(channel_of_two)
    machine.execute("--lock", script, check=True)
    assert lock.read_text() == before
    machine.execute("--lock", "--update", script, check=True)
    assert machine.execute("--locked", script).stdout == "show 2.0\ntool 2.0\n"


def test_one_package_is_updated_alone(machine: World, script: Path, channel_of_two: Path) -> None:
    machine.execute("--lock", script, check=True)
    publish(channel_of_two)
    machine.execute("--lock", "--update-package", "tool", script, check=True)
    assert machine.execute("--locked", script).stdout == "show 1.0\ntool 2.0\n"


def test_a_lock_is_checked(machine: World, script: Path) -> None:
    missing = machine.execute("--lock", "--check", script)
    assert (missing.returncode, "there is no lock" in missing.stderr) == (125, True)
    machine.execute("--lock", script, check=True)
    assert "is up to date" in machine.execute("--lock", "--check", script, check=True).stderr
    said = json.loads(machine.execute("--lock", "--check", "--json", script, check=True).stdout)
    assert (said["fits"], said["platforms"]) == (True, ["linux-64"])
    script.write_text(script.read_text().replace("[show, ", "[show <2, "))
    stale = machine.execute("--lock", "--check", script)
    assert (stale.returncode, "the script's requirements have changed" in stale.stderr) == (125, True)
    assert machine.prefixes() == []


def test_what_is_outdated(machine: World, script: Path, channel_of_two: Path) -> None:
    nothing = json.loads(machine.execute("--outdated", "--json", script, check=True).stdout)
    assert [row["current"] for row in nothing["requirements"]] == [None, None]
    machine.execute(script, check=True)
    write_channel(channel_of_two, packages("2.0", "3.0"))
    said = json.loads(machine.execute("--outdated", "--json", script, check=True).stdout)
    rows = {row.pop("name"): row for row in said["requirements"]}
    assert rows["show"] == {
        "source": "conda", "requirement": "show", "current": "1.0", "allowed": "3.0", "newest": "3.0"
    }  # fmt: skip
    assert rows["tool"] == {
        "source": "conda", "requirement": "tool <3", "current": "1.0", "allowed": "2.0", "newest": "3.0"
    }  # fmt: skip
    lines = machine.execute("--outdated", script, check=True).stdout.splitlines()
    assert lines[0].split() == ["requirement", "current", "allowed", "newest"]
    assert lines[-1].split() == ["tool", "<3", "1.0", "2.0", "3.0"]


def test_pypi_packages_are_frozen_updated_and_outdated_too(world: World, tmp_path: Path) -> None:
    index = tmp_path / "index"

    def wheel(name: str, version: str) -> None:
        page = index / name / "index.html"
        path = tiny.wheel(page.parent, name, version)
        with page.open("a") as file:
            file.write(f'<a href="{path.as_uri()}">{path.name}</a>\n')

    wheel("plain", "1.0")
    wheel("other", "1.0")
    machine = world.with_(UV_DEFAULT_INDEX=index.as_uri())
    text = "# conda execute\n# env: [python 3.11.*, pip: [plain, other <2]]\n"
    script = machine.script("run.py", text + "import plain, other\nprint(plain.VERSION, other.VERSION)\n")
    assert machine.execute(script).stdout == "1.0 1.0\n"
    for name in ("plain", "other"):
        wheel(name, "1.5")
        wheel(name, "2.0")
    said = json.loads(machine.execute("--outdated", "--json", script, check=True).stdout)
    rows = {row["name"]: (row["current"], row["allowed"], row["newest"]) for row in said["requirements"]}
    assert (rows["plain"], rows["other"]) == (("1.0", "2.0", "2.0"), ("1.0", "1.5", "2.0"))
    machine.execute("--lock", script, check=True)
    assert machine.execute("--locked", script).stdout == "1.0 1.0\n"
    machine.execute("--lock", "--update-package", "other", script, check=True)
    assert machine.execute("--locked", script).stdout == "1.0 1.5\n"
