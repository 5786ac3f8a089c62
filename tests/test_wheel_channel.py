"""Wheels that a conda channel serves, over loopback: solved with conda's packages, and installed by uv."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conda_execute.engines import Options
from conda_execute.engines.rattler import engine
from conda_execute.errors import CreationError
from tests import tiny, wheel_channel
from tests.conftest import World
from tests.serving import serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the local channel is made for POSIX")

SCRIPT = """\
# conda execute
# env: [python 3.11.*, count-words]
# channels: [{channel}, conda-forge]
import count_words, words
print(count_words.VERSION, words.VERSION)
"""


#: Where the list of wheels is, and where the wheels are.
KINDS = ("shards", "plain", "elsewhere")


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, str]]:
    """A channel with two wheels, one of which needs the other: its directory and its URL."""
    kind = getattr(request, "param", "shards")
    words = tiny.wheel(tmp_path / "wheels", "words", "2.0")
    count = tiny.wheel(
        tmp_path / "wheels", "count-words", "1.0", ["words"], programs={"count-words": "count_words:main"}
    )
    directory = tmp_path / "served"
    directory.mkdir()
    with serving(directory) as url:
        wheel_channel.write(
            directory,
            {words: ["python >=3.8"], count: ["python", "words >=2"]},
            shards=kind == "shards",
            elsewhere=f"{url}/files" if kind == "elsewhere" else None,
        )
        yield directory, url


@pytest.fixture
def script(world: World, served: tuple[Path, str]) -> Path:
    return world.script("run.py", SCRIPT.format(channel=served[1]))


def prefix(world: World) -> Path:
    (found,) = world.prefixes()
    return found


@pytest.mark.parametrize("served", KINDS, indirect=True)
def test_they_run_and_conda_knows_their_files(world: World, script: Path, served: tuple[Path, str]) -> None:
    assert world.execute(script).stdout == "1.0 2.0\n"
    record = json.loads((prefix(world) / "conda-meta/count-words-1.0-py3_none_any_0.json").read_text())
    assert {"bin/count-words", "lib/python3.11/site-packages/count_words.py"} <= set(record["files"])
    assert all((prefix(world) / path).exists() for path in record["files"])
    assert record["url"].endswith("/count_words-1.0-py3-none-any.whl")
    assert record["channel"].rstrip("/") == served[1]
    assert "count-words 1.0 py3_none_any_0" in world.tmpenv("info", script).stdout


@pytest.mark.parametrize("served", KINDS, indirect=True)
def test_a_lock_installs_them_with_no_network(world: World, script: Path, served: tuple[Path, str]) -> None:
    world.execute("--lock", script, check=True)
    assert "count_words-1.0-py3-none-any.whl" in Path(f"{script}.conda-execute.lock").read_text()
    assert world.execute("--locked", script).stdout == "1.0 2.0\n"
    shutil.rmtree(served[0])
    world.tmpenv("clear", check=True)
    assert world.execute("--locked", "--offline", script).stdout == "1.0 2.0\n"
    world.tmpenv("clear", check=True)
    assert world.execute("--no-lock", "--offline", script).stdout == "1.0 2.0\n"


def test_a_wheel_with_another_hash_is_refused(world: World, script: Path, served: tuple[Path, str]) -> None:
    tiny.wheel(served[0] / "noarch", "words", "2.0", python=">=3.5")
    run = world.execute(script)
    assert (run.returncode, world.prefixes()) == (125, [])
    assert "does not match its hash" in run.stderr


def test_pypi_packages_see_them_as_condas(world: World, script: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    for version, requires in (("1.0", ["words"]), ("2.0", ["words>=3"])):
        page = index / "stories" / "index.html"
        wheel = tiny.wheel(page.parent, "stories", version, requires)
        with page.open("a") as file:
            file.write(f'<a href="{wheel.as_uri()}">{wheel.name}</a>\n')
    script.write_text(script.read_text().replace("count-words]", "count-words, pip: [stories]]"))
    run = world.with_(UV_DEFAULT_INDEX=index.as_uri()).execute(script)
    assert run.stdout == "1.0 2.0\n"
    assert "kept stories 1.0 because of words 2.0 (it would be 2.0)" in run.stderr


@pytest.mark.parametrize("served", ["shards", "plain"], indirect=True)
def test_exports_name_them_as_packages_of_the_channel(world: World, script: Path, served: tuple[Path, str]) -> None:
    explicit = world.execute("--export", "explicit", script, check=True).stdout
    assert f"{served[1]}/noarch/words-2.0-py3-none-any.whl#" in explicit
    assert "  - words=2.0=py3_none_any_0\n" in world.execute("--export", "environment.yml", script, check=True).stdout
    assert "words-2.0-py3-none-any.whl" in world.execute("--export", "pixi.lock", script, check=True).stdout


class TestSolved:
    """What is chosen of a directory, whose list of packages is never in shards."""

    @pytest.fixture
    def channel(self, tmp_path: Path) -> Path:
        words = tiny.wheel(tmp_path / "wheels", "words", "2.0")
        return wheel_channel.write(tmp_path / "directory", {words: ["python >=3.8"]}, shards=False)

    def solve(self, channel: Path, *specs: str, newest: str | None = None) -> list[str]:
        pythons = tiny.channel(channel.parent / "pythons", tiny.Tiny("python", "3.12.0"))
        channels: dict[str, Path | str] = {"wheels": channel, "pythons": pythons}
        request = tiny.request("python", *specs, channels=channels, exclude_newer=newest)
        solution = engine.Rattler().solve(request, Options(cache=str(channel.parent / "cache")))
        return [f"{package.name} {package.version} {Path(package.channel).name}" for package in solution.packages]

    def test_wheels_and_packages_come_from_their_channels(self, channel: Path) -> None:
        assert self.solve(channel, "words") == ["python 3.12.0 pythons", "words 2.0 directory"]
        assert self.solve(channel, "wheels::words")[1] == "words 2.0 directory"

    def test_a_wheel_that_is_listed_later_is_found(self, channel: Path, tmp_path: Path) -> None:
        assert self.solve(channel, "words")[1] == "words 2.0 directory"
        newer = tiny.wheel(tmp_path / "wheels", "words", "2.1")
        wheel_channel.write(channel, {newer: ["python >=3.8"]}, shards=False)
        assert self.solve(channel, "words")[1] == "words 2.1 directory"

    def test_what_is_not_there_is_named(self, channel: Path) -> None:
        with pytest.raises(CreationError, match=r"there is no package `word` "):
            self.solve(channel, "word")
        with pytest.raises(CreationError) as caught:
            self.solve(channel, "words >=3")
        assert caught.value.hint == "there is words 2.0"

    def test_a_malformed_list_is_an_error(self, channel: Path) -> None:
        listed = channel / "noarch/repodata.json"
        listed.write_text(listed.read_text().replace("words-2.0-py3_none_any_0", "words"))
        with pytest.raises(CreationError, match="cannot read the packages of channel `wheels`") as caught:
            self.solve(channel, "words")
        assert "at least two `-`" in str(caught.value.details)

    def test_exclude_newer_holds_for_them(self, channel: Path) -> None:
        with pytest.raises(CreationError):
            self.solve(channel, "words", newest="2020-01-01")

    def test_extras_of_wheels(self, channel: Path) -> None:
        listed = channel / "noarch/repodata.json"
        said = json.loads(listed.read_text())
        (wheel,) = said["v3"]["whl"].values()
        wheel["extra_depends"] = {"fast": ["quick"]}
        quick = {**wheel, "name": "quick", "version": "1.0", "url": "quick-1.0-py3-none-any.whl"}
        said["v3"]["whl"]["quick-1.0-0"] = quick
        listed.write_text(json.dumps(said))
        assert self.solve(channel, "words[extras=[fast]]") == [
            "python 3.12.0 pythons", "quick 1.0 directory", "words 2.0 directory",
        ]  # fmt: skip
        assert "quick 1.0 directory" not in self.solve(channel, "words")
