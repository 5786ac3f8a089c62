"""Package caches that others keep: read first, compared before use, never written to, and never trusted blindly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import rattler

from conda_execute.engines import Options
from conda_execute.engines.rattler import engine, installer
from conda_execute.lean.values import replace
from conda_execute.model import Request
from tests import tiny
from tests.channel import Package
from tests.conftest import World
from tests.protocol import small
from tests.tiny import Tiny

ENGINE = engine.Rattler()

needs_layers = pytest.mark.skipif(
    not hasattr(rattler, "PackageCache"), reason="an older py-rattler has one cache alone"
)

CONTENT = b"0123456789" * 1000


class Site:
    """A site's cache with the package `lib`, whose channel has lost it since."""

    def __init__(self, place: Path) -> None:
        channel = tiny.channel(place / "channel", Tiny("lib", files={"lib/data": CONTENT, "info/x": b"x"}))
        self.archive = channel / "noarch/lib-1.0-0.tar.bz2"
        self.asked: Request = tiny.request("lib", channels={"c": channel})
        ENGINE.create(self.asked, str(place / "first"), Options(cache=str(place / "site")))
        shutil.rmtree(place / "first")
        self.cache = place / "site/pkgs"
        self.file = self.cache / "lib-1.0-0/lib/data"
        self.own = place / "own"
        self.options = Options(cache=str(self.own), package_caches=(str(place / "absent"), str(self.cache)))
        self.prefix = place / "prefix"

    def content(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.cache.rglob("*") if path.is_file()}

    def create(self, *, offline: bool = False) -> bytes:
        ENGINE.create(self.asked, str(self.prefix), replace(self.options, offline=offline))
        return (self.prefix / "lib/data").read_bytes()

    def own_packages(self) -> list[str]:
        place = self.own / "pkgs"
        return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@needs_layers
class TestBorrowing:
    def test_package_is_linked_from_there_and_kept_nowhere_else(self, site: Site) -> None:
        site.archive.unlink()
        before = site.content()
        assert [package.cached for package in ENGINE.solve(site.asked, site.options).packages] == [True]
        assert site.create(offline=True) == CONTENT
        assert os.path.samestat(os.stat(site.file), os.stat(site.prefix / "lib/data"))
        assert site.own_packages() == []
        assert os.listdir(site.own / "incoming") == []
        assert sources(site.prefix) == [str(site.cache / "lib-1.0-0")]
        assert site.content() == before

    @pytest.mark.parametrize("bytes_", [CONTENT[:-1], b"x" + CONTENT[1:]], ids=["shorter", "of the same size"])
    def test_package_with_a_file_that_changed_is_fetched(self, site: Site, bytes_: bytes) -> None:
        site.file.write_bytes(bytes_)
        before = site.content()
        assert site.create() == CONTENT
        assert site.own_packages() == ["lib-1.0-0"]
        assert site.content() == before

    def test_another_archive_of_the_same_name_is_not_taken_for_it(self, site: Site, tmp_path: Path) -> None:
        tiny.channel(tmp_path / "channel", Tiny("lib", files={"lib/data": b"new"}))
        assert site.create() == b"new"
        assert site.file.read_bytes() == CONTENT

    def test_cache_of_condas_own_serves_too(self, site: Site) -> None:
        """conda writes the record of a package into it, and no file beside it."""
        lock = site.cache / "lib-1.0-0.lock"
        record = {"sha256": lock.read_bytes()[8:].hex()}
        lock.unlink()
        site.archive.unlink()
        (site.cache / "lib-1.0-0/info/repodata_record.json").write_text(json.dumps(record))
        assert site.create() == CONTENT

    def test_package_of_unknown_origin_is_fetched(self, site: Site) -> None:
        (site.cache / "lib-1.0-0.lock").unlink()
        assert site.create() == CONTENT
        assert site.own_packages() == ["lib-1.0-0"]

    def test_package_that_goes_while_it_is_linked_is_fetched(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        vanish(site.cache / "lib-1.0-0", monkeypatch)
        assert site.create() == CONTENT


#: Creates it from the site's cache, offline, and says how many bytes of its own the user then has in caches.
AS_USER = """
import os, sys
from pathlib import Path
from conda_execute.engines import Options
from conda_execute.engines.rattler import engine, installer
from conda_execute.ownership import others
from tests import tiny
place, own = map(Path, sys.argv[1:])
assert others(str(place / "site/pkgs")) is None
options = Options(cache=str(own / "cache"), package_caches=(str(place / "site/pkgs"),), offline=True)
engine.Rattler().create(tiny.request("lib", channels={"c": place / "channel"}), str(own / "prefix"), options)
print(len((own / "prefix/lib/data").read_bytes()), [str(path) for path in own.glob("cache/pkgs/lib*")], flush=True)
os._exit(0)
"""


@needs_layers
def test_another_user_needs_no_copy_of_the_packages() -> None:
    words = small.as_another_user()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory, small.place_of_another_user() as own:
        Site(Path(directory)).archive.unlink()
        subprocess.run(["chmod", "-R", "go-w,a+rX", directory], check=True)
        environ = {**os.environ, "PYTHONPATH": str(small.ROOT), "HOME": str(own)}
        command = [*words, sys.executable, "-c", AS_USER, directory, str(own)]
        done = subprocess.run(command, env=environ, cwd="/", text=True, capture_output=True, check=False)
        assert done.stdout == f"{len(CONTENT)} []\n", done.stderr


def sources(prefix: Path) -> list[str]:
    """Where the packages of a prefix were linked from, as their records say: conda-pack asks there."""
    return [json.loads(path.read_bytes())["link"]["source"] for path in (prefix / "conda-meta").glob("*.json")]


def test_record_of_a_package_that_was_fetched_names_its_place_in_the_cache(site: Site, tmp_path: Path) -> None:
    ENGINE.create(site.asked, str(site.prefix), Options(cache=str(tmp_path / "new")))
    assert sources(site.prefix) == [str(tmp_path / "new/pkgs/lib-1.0-0")]


def vanish(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the package away as it begins to be linked: another process replaces it."""
    usual = installer.Installing.on_link_start

    def on_link_start(self: installer.Installing, operation: int, package_name: str) -> int:
        if package.is_dir():
            package.rename(package.with_suffix(".away"))
        return usual(self, operation, package_name)

    monkeypatch.setattr(installer.Installing, "on_link_start", on_link_start)


def test_package_of_the_own_cache_that_is_replaced_while_it_is_linked_is_tried_once_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(site.options, package_caches=(), cache=str(site.cache.parent))
    vanish(site.cache / "lib-1.0-0", monkeypatch)
    ENGINE.create(site.asked, str(site.prefix), own)
    assert (site.prefix / "lib/data").read_bytes() == CONTENT


class TestSetting:
    @pytest.fixture
    def script(self, world: World, make_channel: object) -> Path:
        assert callable(make_channel)
        url = make_channel(Package("tool", "1.0", {"bin/tool": "#!/bin/sh\necho tool\n"}))
        return world.script("t.sh", f"# conda execute\n# env: [tool]\n# channels: ['{url}']\n# run_with: sh\ntool\n")

    def test_cache_that_others_can_write_to_is_refused(self, world: World, script: Path) -> None:
        if sys.platform == "win32":
            pytest.skip("no modes")
        open_to_all = world.root / "open"
        open_to_all.mkdir()
        open_to_all.chmod(0o777)
        done = world.with_(CONDA_EXECUTE_PACKAGE_CACHES=str(open_to_all)).execute(script)
        assert done.returncode == 125
        assert "other users can write to" in done.stderr
        assert subprocess.run(["ls", "-A", open_to_all], capture_output=True, check=True).stdout == b""

    def test_cache_that_is_not_there_is_passed_over_and_a_relative_one_is_an_error(
        self, world: World, script: Path
    ) -> None:
        assert world.with_(CONDA_EXECUTE_PACKAGE_CACHES="/nowhere").execute(script).stdout == "tool\n"
        done = world.with_(CONDA_EXECUTE_PACKAGE_CACHES="pkgs").execute(script)
        assert done.returncode == 125
        assert "`package-caches` must be an absolute path, found `pkgs`" in done.stderr
