"""Damaged files of the caches: a creation heals them, or names the file. A damaged environment is never a success."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.channel import Package, write_channel
from tests.conftest import World
from tests.serving import Files, serving

#: What the program prints is put together from a file of each package, so that none can be wrong unnoticed.
PROGRAM = """\
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
cat "$here/share/one.txt" "$here/share/two.txt"
echo "$(cat "$here/share/prefix.txt")" | sed "s|$here|here|"
"""
PACKAGES = [
    Package("one", files={"bin/speak": PROGRAM, "share/one.txt": "one\n" * 50}, depends=["two", "pure"]),
    Package("two", files={"share/two.txt": "two\n" * 50, "share/prefix.txt": "/placeholder".ljust(255, "_") + "\n"}),
    Package("pure", files={"share/pure.txt": "pure\n"}, noarch="generic"),
]
SCRIPT = "# conda execute\n# env: [one]\n# run_with: sh\nspeak\n"
RIGHT = "one\n" * 50 + "two\n" * 50 + "here\n"


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bits(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for number in range(3):
        data[len(data) * (2 * number + 1) // 7] ^= 1 << number
    path.write_bytes(data)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def gone(path: Path) -> None:
    path.unlink()


DAMAGES = [empty, half, bits, zeros, garbage, longer, directory, gone]


def few(how: Callable[[Path], None], chosen: Callable[[Path], None]) -> Any:
    """All of them in `make stress`, the chosen one also in `make test`."""
    return pytest.param(how, id=how.__name__, marks=[] if how is chosen else [pytest.mark.stress])


#: Files of a cache from which one environment was made, as patterns: 25 in all.
CACHED = [
    *(f"pkgs/{package}/info/{name}.json" for package in ("one-*", "two-*", "pure-*") for name in ("index", "paths")),
    *(f"pkgs/{package}/info/{name}" for package in ("one-*", "two-*", "pure-*") for name in ("files", "about.json")),
    "pkgs/one-*/bin/speak", "pkgs/one-*/share/one.txt", "pkgs/two-*/share/two.txt", "pkgs/two-*/share/prefix.txt",
    "pkgs/pure-*/share/pure.txt", "pkgs/one-*.lock", "pkgs/two-*.lock", "pkgs/pure-*.lock", "pkgs/.cache.lock",
    "repodata/shards-v1/*", "repodata/*.shards-cache-v1",
]  # fmt: skip


@dataclass(frozen=True)
class Cache:
    """A package cache that one environment was made from, as it was then, and a script that needs another such."""

    world: World
    script: Path
    good: Path

    @property
    def place(self) -> Path:
        return Path(self.world.environ["RATTLER_CACHE_DIR"])

    def files(self) -> list[Path]:
        found = [path for pattern in CACHED for path in sorted(self.place.glob(pattern))]
        return [path for path in found if path.is_file()]

    def restore(self) -> None:
        shutil.rmtree(self.place)
        shutil.copytree(self.good, self.place, symlinks=True)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    write_channel(tmp_path / "channels" / "conda-forge", PACKAGES)

    class Handler(Files):
        def send_head(self) -> Any:
            # It would answer 304 without saying since when, and the engine does not understand that.
            del self.headers["If-Modified-Since"]
            return super().send_head()

    with serving(tmp_path / "channels", Handler) as url:
        yield url


@pytest.fixture
def cache(world: World, served: str) -> Cache:
    (world.root / "condarc").write_text(f"channels: [conda-forge]\ncustom_channels:\n  conda-forge: {served}\n")
    world = world.with_(
        CONDARC=str(world.root / "condarc"), RATTLER_CACHE_DIR=str(world.root / "rattler"),
        CONDA_EXECUTE_AUTO_CLEAN="false",
    )  # fmt: skip
    script = world.script("speak.sh", SCRIPT)
    assert world.execute(script, check=True).stdout == RIGHT
    good = world.root / "good"
    shutil.copytree(world.root / "rattler", good, symlinks=True)
    return Cache(world, script, good)


def heals_or_names(cache: Cache, path: Path, how: Callable[[Path], None], *options: str) -> str:
    """Damage the file, make the environment, and say what is wrong with what came of it."""
    cache.restore()
    if path.stat().st_size == 0 and how in (bits, half, zeros, garbage):
        return ""
    how(path)
    if not options:
        for prefix in cache.world.prefixes():
            shutil.rmtree(prefix)
    done = cache.world.execute(*options, cache.script)
    if (done.returncode, done.stdout) == (0, RIGHT) or (done.returncode == 125 and str(path) in done.stderr):
        return ""
    return f"{path.relative_to(cache.place)}, {how.__name__}: {done.returncode} {done.stdout[:60]!r} {done.stderr!r}"


def test_there_are_25_files_to_be_damaged(cache: Cache) -> None:
    assert len(cache.files()) >= 25


@pytest.mark.parametrize("how", [few(how, bits) for how in DAMAGES])
def test_making_again_heals_each_damaged_file_or_names_it(cache: Cache, how: Callable[[Path], None]) -> None:
    """`--force-env` compares hashes."""
    wrong = [heals_or_names(cache, path, how, "--force-env") for path in cache.files()]
    assert [problem for problem in wrong if problem] == []


@pytest.mark.parametrize("how", [few(how, gone) for how in DAMAGES if how not in (bits, zeros, garbage)])
def test_a_first_creation_heals_each_file_of_a_wrong_size_or_names_it(
    cache: Cache, how: Callable[[Path], None]
) -> None:
    wrong = [heals_or_names(cache, path, how) for path in cache.files()]
    assert [problem for problem in wrong if problem] == []


def test_damage_of_an_environment_is_found_by_verify_and_healed_by_force(cache: Cache) -> None:
    """Each file of a package, and each record, in some way; a file may be one with that of the cache.

    No hash covers a record: other bits in one can be a valid record of other files, so those are not among its ways.
    """
    world, chosen = cache.world, random.Random(5)
    (prefix,) = world.prefixes()
    files = ["bin/speak", "share/one.txt", "share/two.txt", "share/prefix.txt", "share/pure.txt"]
    files += [f"conda-meta/{path.name}" for path in sorted(prefix.glob("conda-meta/*.json"))]
    assert world.tmpenv("info", "--verify", cache.script, check=True).stderr == ""
    for path in files:
        how = chosen.choice([how for how in DAMAGES if how is not bits or "conda-meta" not in path])
        how(prefix / path)
        found = world.tmpenv("info", "--verify", "--json", prefix.name)
        if how is gone and "conda-meta" in path:
            assert found.returncode == 125  # it counts as unfinished
        else:
            assert found.returncode == 1, (path, how.__name__)
            assert f"`{path}`" in str(json.loads(found.stdout)["damaged"]), (path, how.__name__)
        assert world.execute("--force-env", cache.script, check=True).stdout == RIGHT
        assert world.tmpenv("info", "--verify", cache.script).returncode == 0, (path, how.__name__)


def test_offline_a_damaged_package_is_named(cache: Cache) -> None:
    (program,) = cache.place.glob("pkgs/one-*/bin/speak")
    size = program.stat().st_size
    empty(program)
    done = cache.world.execute("--offline", "--force-env", cache.script)
    assert done.returncode == 125
    assert f"`bin/speak` has 0 bytes instead of {size}" in done.stderr


def test_metadata_that_only_linking_reads_is_fetched_again(world: World) -> None:
    """`link.json` of a noarch package says where its files go; no hash covers it."""
    world = world.with_(RATTLER_CACHE_DIR=str(world.root / "rattler"))
    script = world.script("x.py", "# conda execute\n# env: [python, six]\nimport six; print(six.__name__)\n")
    assert world.execute(script, check=True).stdout == "six\n"
    (link,) = (world.root / "rattler").glob("pkgs/six-*/info/link.json")
    for content in ("", "{", '{"noarch": 7, "package_metadata_version": 1}'):
        link.write_text(content)
        assert world.execute("--force-env", script, check=True).stdout == "six\n"
        assert link.read_text() != content


@dataclass(frozen=True)
class Wheels:
    """uv's cache after one environment was made from it, and a script that needs another such."""

    world: World
    script: Path
    good: Path

    @property
    def place(self) -> Path:
        return Path(self.world.environ["UV_CACHE_DIR"])

    def files(self) -> list[Path]:
        """All, as paths in the cache; of what is unpacked, what makes up a package."""
        found = [path.relative_to(self.good) for path in sorted(self.good.rglob("*"))]
        return [path for path in found if (self.good / path).is_file() and (self.good / path).stat().st_size]

    def make(self, *options: str) -> tuple[int, str, str]:
        """Make the environment; what is said of it afterwards by `info --verify` too."""
        if "--force-env" not in options:
            self.world.tmpenv("clear", check=True)
        done = self.world.execute(*options, self.script)
        verified = self.world.tmpenv("info", "--verify", self.script) if done.returncode == 0 else done
        return verified.returncode, done.stdout, done.stderr + verified.stderr

    def heals(self, paths: list[Path], how: Callable[[Path], None], *options: str) -> str:
        shutil.rmtree(self.place)
        shutil.copytree(self.good, self.place, symlinks=True)
        for path in paths:
            how(self.place / path)
        status, printed, told = self.make(*options)
        is_named = status == 125 and how is directory and all(path.name in told for path in paths)
        is_right = is_named or (status, printed) == (0, "tool 1.0\n")
        return "" if is_right else f"{paths}, {how.__name__}: {status} {printed} {told}"


@pytest.fixture
def wheels(world: World, served: str, tmp_path: Path) -> Wheels:
    for name, requires in (("tool", ["helper"]), ("helper", [])):
        tiny.wheel(tmp_path / "channels" / "simple" / name, name, requires=requires)
    world = world.with_(
        UV_DEFAULT_INDEX=f"{served}/simple", UV_CACHE_DIR=str(world.root / "uv"), CONDA_EXECUTE_AUTO_CLEAN="false"
    )
    code = "import helper, tool; tool.main()"
    script = world.script("x.py", f"# conda execute\n# env: [python, {{pip: [tool]}}]\n{code}\n")
    assert world.execute(script, check=True).stdout == "tool 1.0\n"
    shutil.copytree(world.root / "uv", world.root / "good", symlinks=True)
    return Wheels(world, script, world.root / "good")


@pytest.mark.parametrize(("how", "options"), [(empty, []), (bits, ["--force-env"])])
def test_damaged_files_of_uv_s_cache_are_fetched_again(
    wheels: Wheels, how: Callable[[Path], None], options: list[str]
) -> None:
    """A module of each of two packages."""
    modules = [path for path in wheels.files() if path.name in ("tool.py", "helper.py")]
    assert len(modules) == 2
    assert wheels.heals(modules, how, *options) == ""
    assert (wheels.make()[:2]) == (0, "tool 1.0\n")  # and the cache is whole


def test_offline_a_damaged_package_of_uv_s_cache_is_named(wheels: Wheels) -> None:
    (module,) = wheels.place.glob("archive-v*/*/tool.py")
    half(module)
    status, _, told = wheels.make("--offline")
    assert (status, f"`{module}` has" in told, "`--offline` does not allow" in told) == (125, True, True), told


def test_a_locked_package_that_is_gone_from_uv_s_cache_is_fetched_again(wheels: Wheels) -> None:
    """A power cut may leave the entry of the cache and not what it leads to."""
    wheels.world.execute("--lock", wheels.script, check=True)
    assert wheels.make("--force-env")[:2] == (0, "tool 1.0\n")
    for archive in wheels.place.glob("archive-v*/*"):
        shutil.rmtree(archive)
    status, _, told = wheels.make("--force-env", "--offline")
    assert (status, "`--offline` does not allow downloading it again" in told) == (125, True), told
    assert wheels.make("--force-env")[:2] == (0, "tool 1.0\n")


@pytest.mark.stress
@pytest.mark.parametrize("how", DAMAGES)
def test_each_damaged_file_of_uv_s_cache_is_made_good_or_named(wheels: Wheels, how: Callable[[Path], None]) -> None:
    options = ["--force-env"] if how in (bits, zeros, garbage) else []
    wrong = [wheels.heals([path], how, *options) for path in wheels.files()]
    assert not any(wrong), "\n".join(filter(None, wrong))
