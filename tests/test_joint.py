"""One answer for conda and PyPI: real channels and indexes over loopback, real rattler, real uv."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from conda_execute.engines import Options, Solution
from conda_execute.engines.pypi import resolve
from conda_execute.engines.rattler import engine
from conda_execute.errors import CreationError
from conda_execute.model import Request
from tests import tiny, worlds
from tests.conftest import World
from tests.serving import Files, serving
from tests.test_json import valid

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the local channel is made for POSIX")

#: Nothing of it runs here: what is chosen for it is chosen by metadata alone, with a Python of no files.
ELSEWHERE = "linux-aarch64"

#: In milliseconds.
LONG_AGO = 1_600_000_000_000


class _Pages(Files):
    def do_GET(self) -> None:
        page = Path(self.translate_path(self.path), "index.json")
        if not page.is_file():
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.end_headers()
        self.wfile.write(page.read_bytes())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A directory, and the address under which it is served."""
    directory = tmp_path_factory.mktemp("served")
    with serving(directory, _Pages) as url:
        yield directory, url


@dataclass
class Worlds:
    """A channel and an index that a test fills, served side by side."""

    directory: Path
    address: str
    cache: Path
    packages: list[tiny.Tiny] = field(default_factory=list)
    pythons: tuple[int, ...] = (12,)

    def conda(self, name: str, version: str, *depends: str, **rest: object) -> None:
        """A package without Python."""
        self.packages.append(tiny.Tiny(name, version, depends, **rest))  # type: ignore[arg-type]

    def module(
        self, name: str, version: str, *depends: str, called: str = "", requires: tuple[str, ...] = (), **rest: object
    ) -> None:
        """A Python package of conda's, for each Python; PyPI may know it as `called`."""
        called = called or name
        text = f"Metadata-Version: 2.1\nName: {called}\nVersion: {version}\n"
        text += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
        for minor in self.pythons:
            info = f"lib/python3.{minor}/site-packages/{called.replace('-', '_')}-{version}.dist-info"
            files = {f"{info}/METADATA": text.encode(), f"{info}/INSTALLER": b"conda\n"}
            self.packages.append(
                tiny.Tiny(
                    name,
                    version,
                    (*depends, f"python 3.{minor}.*"),
                    build=f"py3{minor}_0",
                    files=files,
                    **rest,  # type: ignore[arg-type]
                )
            )

    def dated(self, name: str, version: str, day: str, *requires: str) -> None:
        """A package of PyPI in an index that says since when it has what."""
        url = self.wheel(name, version, *requires)
        page = self.directory / "pypi" / name / "index.json"
        files = json.loads(page.read_text())["files"] if page.exists() else []
        files.append({
            "filename": url.rpartition("/")[2], "url": url, "hashes": {}, "upload-time": f"{day}T00:00:00.000000Z",
        })  # fmt: skip
        page.write_text(json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}))

    def wheel(self, name: str, version: str, *requires: str, index: str = "pypi", **rest: object) -> str:
        """A package of PyPI; its address."""
        path = tiny.wheel(self.directory / index / name, name, version, requires, **rest)  # type: ignore[arg-type]
        python = rest.get("python")
        wanted = f' data-requires-python="{str(python).replace(">", "&gt;")}"' if python else ""
        url = f"{self.address}/{index}/{name}/{path.name}"
        with (path.parent / "index.html").open("a") as page:
            page.write(f'<a href="{url}"{wanted}>{path.name}</a>\n')
        return url

    def options(self, **variables: str) -> Options:
        environ = {"PATH": os.defpath, "HOME": str(self.cache), "UV_CACHE_DIR": str(self.cache / "uv"), **variables}
        return Options(environ={"UV_DEFAULT_INDEX": f"{self.address}/pypi", **environ}, cache=str(self.cache))

    def solve(self, *specs: str, pypi: tuple[str, ...], **rest: object) -> Solution:
        return resolve.solve(engine.Rattler(), self.request(*specs, pypi=pypi, **rest), self.options())

    def request(self, *specs: str, pypi: tuple[str, ...], **rest: object) -> Request:
        """For what the channel and the index hold now."""
        pythons = [tiny.Tiny("python", f"3.{minor}.0", timestamp=LONG_AGO) for minor in self.pythons]
        tiny.by_build_time(tiny.channel(self.directory / "channel", *pythons, *self.packages))
        (self.directory / "pypi").mkdir(exist_ok=True)
        channels: dict[str, Path | str] = {"made": f"{self.address}/channel"}
        return tiny.request("python", *specs, channels=channels, platform=ELSEWHERE, pypi=pypi, **rest)


@pytest.fixture
def both(served: tuple[Path, str], tmp_path: Path, request: pytest.FixtureRequest) -> Worlds:
    name = str(abs(hash(request.node.nodeid)))
    (served[0] / name).mkdir()
    return Worlds(served[0] / name, f"{served[1]}/{name}", tmp_path)


def chosen(solution: Solution) -> dict[str, str]:
    """Everything but the interpreter, conda's packages and PyPI's alike."""
    found = {package.name: package.version for package in solution.packages if package.name != "python"}
    assert not found.keys() & {package.name for package in solution.pypi or ()}
    return {**found, **{package.name: package.version for package in solution.pypi or ()}}


def python(solution: Solution) -> str:
    return next(package.version for package in solution.packages if package.name == "python")


class Calls:
    """Counts the calls of uv of this process."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.counting = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, details: tuple[object, ...]) -> None:
        if self.counting and event == "subprocess.Popen" and str(details[0]).endswith("uv"):
            self.commands.append(" ".join(map(str, details[1])))  # type: ignore[call-overload]

    def __enter__(self) -> list[str]:
        self.commands, self.counting = [], True
        return self.commands

    def __exit__(self, *_: object) -> None:
        self.counting = False


@pytest.fixture(scope="module")
def calls() -> Calls:
    return Calls()


class TestAgreeing:
    def test_what_both_choose_costs_one_more_call(self, both: Worlds, calls: Calls) -> None:
        both.module("numpy", "1.0")
        both.module("numpy", "2.0")
        both.wheel("shapes", "1.0", "numpy")
        both.wheel("shapes", "2.0", "numpy>=1.5")
        with calls as commands:
            solution = both.solve("numpy", pypi=("shapes",))
        assert chosen(solution) == {"numpy": "2.0", "shapes": "2.0"}
        assert (len(commands), solution.notices) == (2, ())

    def test_beside_nothing_of_condas_no_call_more_is_needed(self, both: Worlds, calls: Calls) -> None:
        both.conda("lua", "5.4")
        both.wheel("shapes", "1.0")
        with calls as commands:
            assert chosen(both.solve("lua", pypi=("shapes",))) == {"lua": "5.4", "shapes": "1.0"}
        assert len(commands) == 1

    def test_versions_that_the_script_names_need_no_call_more(self, both: Worlds, calls: Calls) -> None:
        both.module("numpy", "2.0")
        both.wheel("shapes", "1.0", "numpy")
        both.wheel("shapes", "2.0", "numpy<2")
        with calls as commands:
            assert chosen(both.solve("numpy", pypi=("shapes==1.0",))) == {"numpy": "2.0", "shapes": "1.0"}
        assert len(commands) == 1


class TestAvoidable:
    def test_conda_gives_way_where_it_can(self, both: Worlds) -> None:
        both.module("numpy", "1.26.4")
        both.module("numpy", "2.2.6")
        both.wheel("nptyping", "2.0.1", "numpy")
        both.wheel("nptyping", "2.5.0", "numpy<2")
        solution = both.solve("numpy", pypi=("nptyping",))
        assert chosen(solution) == {"numpy": "1.26.4", "nptyping": "2.5.0"}
        assert solution.notices == ("chose numpy 1.26.4 instead of 2.2.6 from conda, to fit nptyping 2.5.0",)

    def test_a_failure_beside_the_newest_is_no_failure_beside_another(self, both: Worlds) -> None:
        both.module("numpy", "1.26.4")
        both.module("numpy", "2.2.6")
        both.wheel("old", "1.0", "numpy<2")
        assert chosen(both.solve("numpy", pypi=("old",))) == {"numpy": "1.26.4", "old": "1.0"}

    def test_a_newer_one_of_condas_is_wanted_than_it_chose(self, both: Worlds) -> None:
        both.module("base", "2.0")
        both.module("base", "1.0")
        both.module("tool", "2.0", "base <2")
        both.module("tool", "1.0")
        both.wheel("plugin", "1.0")
        both.wheel("plugin", "2.0", "base>=2")
        solution = both.solve("tool", "base", pypi=("plugin",))
        assert chosen(solution) == {"tool": "1.0", "base": "2.0", "plugin": "2.0"}

    def test_two_of_condas_move_together(self, both: Worlds) -> None:
        for version in ("1.0", "2.0", "3.0"):
            both.module("numpy", version)
            both.module("pandas", version, f"numpy {version}.*")
        both.wheel("frames", "1.0")
        both.wheel("frames", "2.0", "numpy<3")
        solution = both.solve("pandas", pypi=("frames",))
        assert chosen(solution) == {"pandas": "2.0", "numpy": "2.0", "frames": "2.0"}

    def test_what_is_not_python_has_its_say(self, both: Worlds) -> None:
        """uv cannot know that no numpy 1.26 goes with the library that the script wants; conda says so."""
        both.conda("blas", "4")
        both.conda("blas", "3")
        both.module("numpy", "1.25")
        both.module("numpy", "1.26", "blas 3.*")
        both.module("numpy", "2.2", "blas 4.*")
        both.wheel("nptyping", "1.0", "numpy")
        both.wheel("nptyping", "2.0", "numpy<2")
        solution = both.solve("numpy", "blas >=4", pypi=("nptyping",))
        assert chosen(solution) == {"numpy": "1.25", "blas": "4", "nptyping": "2.0"}


class TestUnavoidable:
    def test_what_was_kept_is_said_and_because_of_what(self, both: Worlds) -> None:
        both.module("numpy", "2.2.6")
        both.wheel("nptyping", "2.0.1", "numpy")
        both.wheel("nptyping", "2.5.0", "numpy<2")
        solution = both.solve("numpy", pypi=("nptyping",))
        assert chosen(solution) == {"numpy": "2.2.6", "nptyping": "2.0.1"}
        assert solution.notices == ("kept nptyping 2.0.1 because of numpy 2.2.6 (it would be 2.5.0)",)

    def test_a_spec_of_the_script_is_never_given_up(self, both: Worlds) -> None:
        both.module("numpy", "1.26.4")
        both.module("numpy", "2.2.6")
        both.wheel("nptyping", "2.0.1", "numpy")
        both.wheel("nptyping", "2.5.0", "numpy<2")
        solution = both.solve("numpy >=2", pypi=("nptyping",))
        assert chosen(solution)["nptyping"] == "2.0.1"
        assert "because of numpy 2.2.6" in solution.notices[0]

    def test_what_only_further_packages_of_condas_would_allow_is_said_too(self, both: Worlds) -> None:
        """PyPI's own `mesh` keeps `shapes` old even without conda's `grid`; conda's `mesh` would not."""
        both.module("mesh", "3.0")
        both.module("grid", "3.0", "mesh")
        both.module("grid", "4.0")
        both.wheel("mesh", "3.0", "shapes<2")
        both.wheel("shapes", "1.0")
        both.wheel("shapes", "2.0", "mesh>=3", "grid<4")
        solution = both.solve("grid", pypi=("shapes",))
        assert chosen(solution) == {"grid": "4.0", "shapes": "1.0"}
        assert solution.notices == ("kept shapes 1.0 because of grid 4.0 (the newest is 2.0)",)

    def test_what_another_package_of_pypis_keeps_old_is_said(self, both: Worlds, calls: Calls) -> None:
        _write_plugin_of_old_shapes(both)
        with calls as commands:
            solution = both.solve("numpy", pypi=("plugin", "shapes"))
        assert chosen(solution) == {"numpy": "2.0", "shapes": "1.0", "plugin": "1.0"}
        assert solution.notices == ("kept shapes 1.0 because of the other packages (the newest is 2.0)",)
        assert len(commands) == 4, "chosen, newest, free, and the reason"

    def test_what_nobody_asked_for_may_be_old_where_pypi_wants_it_so(self, both: Worlds, calls: Calls) -> None:
        _write_plugin_of_old_shapes(both)
        with calls as commands:
            solution = both.solve("numpy", pypi=("plugin",))
        assert chosen(solution) == {"numpy": "2.0", "shapes": "1.0", "plugin": "1.0"}
        assert (len(commands), solution.notices) == (3, ())


class TestImpossible:
    def test_the_error_names_both_sides(self, both: Worlds) -> None:
        both.module("numpy", "2.2.6")
        both.wheel("old", "1.0", "numpy<2")
        with pytest.raises(CreationError) as caught:
            both.solve("numpy", pypi=("old",))
        assert caught.value.message == "`old` does not fit numpy 2.2.6, which conda installs"

    def test_what_pypi_alone_cannot_do_is_said_as_ever(self, both: Worlds) -> None:
        both.module("numpy", "2.2.6")
        both.wheel("one", "1.0", "other<2")
        both.wheel("other", "2.0")
        with pytest.raises(CreationError, match="cannot be installed together"):
            both.solve("numpy", pypi=("one",))


class TestWhatElseCounts:
    def test_cycles_between_the_two_worlds(self, both: Worlds) -> None:
        both.module("core", "1.0", requires=("plugin",))
        both.module("core", "2.0", requires=("plugin<2",))
        both.wheel("plugin", "1.0", "core")
        both.wheel("plugin", "2.0", "core<2")
        solution = both.solve("core", pypi=("plugin",))
        assert chosen(solution) == {"core": "1.0", "plugin": "2.0"}

    def test_another_python(self, both: Worlds) -> None:
        """conda would take the newest `tool`, which is there for the older Python only."""
        both.pythons = (11,)
        both.module("tool", "2.0")
        both.pythons = (11, 13)
        both.module("tool", "1.0")
        both.wheel("modern", "1.0")
        both.wheel("modern", "2.0", python=">=3.13")
        solution = both.solve("tool", pypi=("modern",))
        assert (python(solution), chosen(solution)) == ("3.13.0", {"tool": "1.0", "modern": "2.0"})

    def test_a_python_that_the_script_names_is_kept(self, both: Worlds) -> None:
        both.pythons = (11, 13)
        both.module("tool", "1.0")
        both.wheel("modern", "1.0")
        both.wheel("modern", "2.0", python=">=3.13")
        solution = both.solve("python 3.11.*", "tool", pypi=("modern",))
        assert (python(solution), chosen(solution)["modern"], solution.notices) == ("3.11.0", "1.0", ())

    def test_extras_that_need_what_conda_provides(self, both: Worlds) -> None:
        both.module("numpy", "1.0")
        both.module("numpy", "2.0")
        both.wheel("shapes", "1.0")
        both.wheel("shapes", "2.0", extras={"fast": "numpy<2"})
        assert chosen(both.solve("numpy", pypi=("shapes",))) == {"numpy": "2.0", "shapes": "2.0"}
        assert chosen(both.solve("numpy", pypi=("shapes[fast]",))) == {"numpy": "1.0", "shapes": "2.0"}

    def test_names_that_differ(self, both: Worlds) -> None:
        both.module("pytorch", "1.0", called="torch")
        both.module("pytorch", "2.0", called="torch")
        both.wheel("layers", "1.0")
        both.wheel("layers", "2.0", "torch<2")
        assert chosen(both.solve("pytorch", pypi=("layers",))) == {"pytorch": "1.0", "layers": "2.0"}

    def test_markers(self, both: Worlds) -> None:
        both.module("numpy", "1.0")
        both.module("numpy", "2.0")
        both.wheel("shapes", "1.0")
        both.wheel("shapes", "2.0", "numpy<2; sys_platform == 'win32'")
        assert chosen(both.solve("numpy", pypi=("shapes",))) == {"numpy": "2.0", "shapes": "2.0"}

    def test_a_url(self, both: Worlds) -> None:
        both.module("numpy", "1.0")
        both.module("numpy", "2.0")
        url = both.wheel("shapes", "2.0", "numpy<2")
        assert chosen(both.solve("numpy", pypi=(f"shapes @ {url}",))) == {"numpy": "1.0", "shapes": "2.0"}

    def test_an_index_of_ones_own(self, both: Worlds) -> None:
        both.module("numpy", "1.0")
        both.module("numpy", "2.0")
        both.wheel("shapes", "3.0", "numpy")
        both.wheel("shapes", "1.0", "numpy", index="ours")
        both.wheel("shapes", "2.0", "numpy<2", index="ours")
        index = {"name": "ours", "url": f"{both.address}/ours"}
        uv = json.dumps({"index": [index], "sources": {"shapes": {"index": "ours"}}})
        assert chosen(both.solve("numpy", pypi=("shapes",), uv=uv)) == {"numpy": "1.0", "shapes": "2.0"}

    def test_pre_releases_are_for_those_who_ask(self, both: Worlds) -> None:
        both.module("numpy", "1.0")
        both.module("numpy", "2.0")
        both.wheel("shapes", "1.0", "numpy")
        both.wheel("shapes", "2.0rc1", "numpy<2")
        assert chosen(both.solve("numpy", pypi=("shapes",))) == {"numpy": "2.0", "shapes": "1.0"}
        assert chosen(both.solve("numpy", pypi=("shapes>=2.0rc1",))) == {"numpy": "1.0", "shapes": "2.0rc1"}

    def test_what_is_too_new_is_offered_by_neither(self, both: Worlds) -> None:
        for version, when in (("1.0", LONG_AGO), ("1.5", 2 * LONG_AGO), ("2.0", LONG_AGO)):
            both.module("numpy", version, timestamp=when)
        url = both.wheel("shapes", "1.0", "numpy<2")
        solution = both.solve("numpy", pypi=(f"shapes @ {url}",), exclude_newer="2024-01-01")
        assert chosen(solution) == {"numpy": "1.0", "shapes": "1.0"}


class TestDated:
    """`exclude-newer` with an index and a channel that say when."""

    #: A day in summer, in milliseconds.
    SUMMER = 1_690_000_000_000

    @pytest.fixture
    def dated(self, both: Worlds) -> Worlds:
        for version, when in (("1.0", LONG_AGO), ("2.0", LONG_AGO), ("3.0", self.SUMMER)):
            both.module("numpy", version, timestamp=when)
        both.dated("shapes", "1.0", "2020-10-01", "numpy")
        both.dated("shapes", "2.0", "2021-10-01", "numpy<2")
        both.dated("shapes", "3.0", "2024-10-01", "numpy<3")
        return both

    @pytest.mark.parametrize(
        ("limits", "expected"),
        [
            ({}, "numpy 2.0, shapes 3.0"),
            ({"exclude_newer": "2022-01-01"}, "numpy 1.0, shapes 2.0"),
            ({"exclude_newer": "2021-01-01"}, "numpy 2.0, shapes 1.0"),
            ({"pypi_exclude_newer": "2021-01-01"}, "numpy 3.0, shapes 1.0"),
            ({"exclude_newer": "2024-01-01", "pypi_exclude_newer": "2025-01-01"}, "numpy 2.0, shapes 3.0"),
            ({"exclude_newer": "2022-01-01", "exclude_newer_of": (("package shapes", "no"),)}, "numpy 2.0, shapes 3.0"),
            ({"exclude_newer": "2021-01-01", "exclude_newer_of": (("package numpy", "no"),)}, "numpy 3.0, shapes 1.0"),
            (
                {"exclude_newer": "2025-01-01", "exclude_newer_of": (("package numpy", "2022-01-01"),)},
                "numpy 2.0, shapes 3.0",
            ),
            ({"exclude_newer_of": (("package numpy", "2022-01-01"),)}, "numpy 2.0, shapes 3.0"),
            ({"exclude_newer_of": (("package shapes", "2022-01-01"),)}, "numpy 1.0, shapes 2.0"),
            (
                {"exclude_newer": "2024-01-01", "exclude_newer_of": (("package numpy", "2022-01-01"),)},
                "numpy 1.0, shapes 2.0",
            ),
            (
                {"exclude_newer_of": (("package numpy", "2022-01-01"), ("package shapes", "2022-01-01"))},
                "numpy 1.0, shapes 2.0",
            ),
            (
                {"exclude_newer": "2025-01-01", "exclude_newer_of": (("package shapes", "2022-01-01"),)},
                "numpy 1.0, shapes 2.0",
            ),
        ],
    )
    def test_what_is_too_new_is_chosen_by_neither(
        self, dated: Worlds, limits: dict[str, object], expected: str
    ) -> None:
        solution = dated.solve("numpy", pypi=("shapes",), **limits)
        assert ", ".join(f"{name} {version}" for name, version in sorted(chosen(solution).items())) == expected
        assert not [notice for notice in solution.notices if notice.startswith("kept")]


@pytest.mark.parametrize("pairs", [40, pytest.param(200, marks=pytest.mark.stress)])
def test_pairs_of_worlds_beside_a_search_of_everything(tmp_path: Path, pairs: int) -> None:
    """Of the feasible ones at least 95 in 100 are found, and nothing is older than need be without a word."""
    count: Counter[str] = Counter()
    silent: list[str] = []

    @settings(
        max_examples=pairs, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(worlds.pairs())
    def compare(pair: worlds.Pair) -> None:
        count["all"] += 1
        directory = tmp_path / str(count["all"])
        feasible = worlds.first(pair) is not None
        count["feasible"] += feasible
        solution = _solution(pair, directory)
        if solution is None:
            count["errors"] += 1
            return
        assert feasible, f"what cannot be was found: {worlds.describe(pair)}"
        assert worlds.is_answer(pair, python(solution), chosen(solution)), worlds.describe(pair)
        count["found"] += 1
        count["notices"] += bool(solution.notices)
        if not solution.notices and worlds.is_held_back(pair, chosen(solution)):
            silent.append(worlds.describe(pair))

    compare()
    print(dict(count))
    assert count["found"] >= 0.95 * count["feasible"] > pairs / 4
    assert count["notices"] > pairs / 20
    assert silent == []


def _write_plugin_of_old_shapes(both: Worlds) -> None:
    """A package of PyPI's that keeps another one of PyPI's old, while conda's fits either."""
    both.module("numpy", "2.0")
    both.wheel("shapes", "1.0", "numpy")
    both.wheel("shapes", "2.0", "numpy")
    both.wheel("plugin", "1.0", "shapes<2")


def _solution(pair: worlds.Pair, directory: Path) -> Solution | None:
    index = worlds.write_index(directory / "pypi", pair)
    channel = worlds.write_channel(directory / "channel", pair)
    specs = (f"{name} {worlds.bounds(allowed)}".strip() for name, allowed in pair.specs.items())
    request = tiny.request(
        "python",
        *specs,
        channels={"made": channel},
        platform=ELSEWHERE,
        pypi=tuple(sorted(f"{name}{worlds.bounds(allowed)}" for name, allowed in pair.requirements.items())),
    )
    environ = {"PATH": os.defpath, "HOME": str(directory), "UV_DEFAULT_INDEX": index}
    options = Options(environ={**environ, "UV_CACHE_DIR": str(directory.parent / "uv")}, cache=str(directory / "cache"))
    try:
        return resolve.solve(engine.Rattler(), request, options)
    except CreationError:
        return None


class TestUpdate:
    """`--lock --update-package NAME`: the same talk, with everything else kept as far as that goes."""

    def updated(
        self, both: Worlds, *specs: str, pypi: tuple[str, ...], name: str, later: Callable[[], object]
    ) -> Solution:
        before = both.solve(*specs, pypi=pypi)
        later()
        request = both.request(*specs, pypi=pypi)
        return resolve.updated(
            engine.Rattler(), request, both.options(UV_CACHE_DIR=str(both.cache / "fresh")), before, [name]
        )

    def test_conda_gives_way_for_the_one_that_is_updated(self, both: Worlds) -> None:
        both.module("numpy", "1.26.4")
        both.module("numpy", "2.2.6")
        both.conda("lua", "5.3")
        both.wheel("nptyping", "2.0.1", "numpy")
        both.wheel("other", "1.0")

        def later() -> None:
            both.conda("lua", "5.4")
            both.wheel("nptyping", "2.5.0", "numpy<2")
            both.wheel("other", "2.0")

        solution = self.updated(both, "numpy", "lua", pypi=("nptyping", "other"), name="nptyping", later=later)
        assert chosen(solution) == {"numpy": "1.26.4", "lua": "5.3", "nptyping": "2.5.0", "other": "1.0"}
        assert solution.notices == ("chose numpy 1.26.4 instead of 2.2.6 from conda, to fit nptyping 2.5.0",)

    def test_what_the_others_keep_old_is_said(self, both: Worlds) -> None:
        both.module("numpy", "2.0")
        both.wheel("nptyping", "1.0", "numpy")
        both.wheel("other", "1.0", "nptyping<2")

        def later() -> None:
            both.wheel("nptyping", "2.0", "numpy")
            both.wheel("other", "2.0")

        solution = self.updated(both, "numpy", pypi=("nptyping", "other"), name="nptyping", later=later)
        assert chosen(solution) == {"numpy": "2.0", "nptyping": "1.0", "other": "1.0"}
        assert solution.notices == ("kept nptyping 1.0 because of the other packages (the newest is 2.0)",)


class TestRun:
    """The same from a script to what it prints."""

    @pytest.fixture
    def channel_of_two(self, both: Worlds, world: World) -> World:
        both.pythons = (11, 13)
        both.module("shapes-core", "1.0")
        both.module("shapes-core", "2.0")
        tiny.channel(both.directory / "channel", *both.packages)
        both.wheel("shapes", "1.0", "shapes-core")
        both.wheel("shapes", "2.0", "shapes-core<2")
        return world.with_(UV_DEFAULT_INDEX=f"{both.address}/pypi", SHAPES=f"{both.address}/channel")

    def script(self, world: World, *specs: str) -> Path:
        env = ", ".join(["python", *specs, "pip: [shapes]"])
        lines = [f"# channels: [{world.environ['SHAPES']}, conda-forge]", "from importlib.metadata import version"]
        lines += ["print(version('shapes'), version('shapes-core'))"]
        return world.script("run.py", "\n".join(["# conda execute", f"# env: [{env}]", *lines, ""]))

    def test_the_environment_and_the_lock_hold_the_joint_answer(self, channel_of_two: World) -> None:
        script = self.script(channel_of_two, "shapes-core")
        shown = channel_of_two.execute("--dry-run", script, check=True)
        assert "  shapes-core 1.0 py3" in shown.stdout
        assert "  shapes 2.0 (PyPI)" in shown.stdout
        assert "chose shapes-core 1.0 instead of 2.0 from conda, to fit shapes 2.0" in shown.stdout
        told = valid(channel_of_two.execute("--dry-run", "--json", script, check=True).stdout, "script")
        assert [(one["name"], one["version"]) for one in told["pypi_packages"]] == [("shapes", "2.0")]
        assert channel_of_two.prefixes() == []
        run = channel_of_two.execute(script)
        assert run.stdout == "2.0 1.0\n"
        assert "chose shapes-core 1.0 instead of 2.0 from conda, to fit shapes 2.0" in run.stderr
        assert channel_of_two.execute(script).stderr == ""
        lock = channel_of_two.execute("--lock", script, check=True)
        assert channel_of_two.execute("--locked", script).stdout == "2.0 1.0\n"
        assert "shapes-core-1.0" in Path(f"{script}.conda-execute.lock").read_text(), lock.stderr

    def test_what_was_kept_is_reported_once(self, channel_of_two: World) -> None:
        script = self.script(channel_of_two, "shapes-core >=2")
        runs = [channel_of_two.execute(script) for _ in range(2)]
        assert [run.stdout for run in runs] == ["1.0 2.0\n"] * 2
        assert "kept shapes 1.0 because of shapes-core 2.0 (it would be 2.0)" in runs[0].stderr
        assert runs[1].stderr == ""
