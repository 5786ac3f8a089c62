"""The embedded engine on real packages: what it installs, what it records, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from conda_execute import engines
from conda_execute.configuration.declared import Settings
from conda_execute.engines import Options, virtual_packages
from conda_execute.engines.rattler import engine
from conda_execute.errors import CreationError, ExecuteError, Location, SettingsError
from conda_execute.lean.values import replace
from conda_execute.model import Channel
from conda_execute.terminal.errors import render
from conda_execute.terminal.progress import Progress
from tests import tiny
from tests.channel import Package, write_channel
from tests.serving import Files, serving
from tests.tiny import Tiny

ENGINE = engine.Rattler()
CHECKOUT = Path(__file__).parents[1]


@contextmanager
def failing(directory: Path, packages: str) -> Iterator[str]:
    """The URL of a server that fails for packages with a status, or by hanging up (`cut`)."""

    class Handler(Files):
        def do_GET(self) -> None:
            if not self.path.endswith(".tar.bz2"):
                super().do_GET()
            elif packages == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                self.wfile.write(b"BZh9" + bytes(1000))
            else:
                self.send_error(int(packages))

    with serving(directory, Handler) as url:
        yield url


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(cache=str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of plain packages."""
    return tiny.channel(
        tmp_path_factory.mktemp("main"),
        Tiny("app", depends=("lib >=2", "__unix", "__glibc >=2.17")),
        Tiny("lib", "1.0"),
        Tiny("lib", "2.0"),
        Tiny("old-app", depends=("lib <2",)),
        Tiny("gpu", depends=("__cuda >=12",)),
        Tiny("numpy", "1.26.4"),
        Tiny("py-yaml"),
        Tiny("scripted", files={"bin/.scripted-post-link.sh": b'#!/bin/sh\necho "$PKG_NAME" > "$PREFIX/linked"\n'}),
        Tiny("failing", files={"bin/.failing-post-link.sh": b"#!/bin/sh\nexit 3\n"}),
        Tiny("placed", files={"bin/placed": f"#!{tiny.PLACEHOLDER}/bin/sh\n".encode()}),
    )


def record(prefix: str, name: str) -> dict[str, object]:
    (path,) = Path(prefix, "conda-meta").glob(f"{name}-[0-9]*.json")
    read: dict[str, object] = json.loads(path.read_text())
    return read


def names(solution: engines.Solution) -> list[str]:
    return [f"{package.name} {package.version}" for package in solution.packages]


def dated(place: Path, *more: Tiny) -> Path:
    """A channel with lib 1.0 of the first of January 2024 and lib 2.0 of noon of the first of February."""
    tiny.channel(place, Tiny("lib", "1.0", timestamp=1704067200000), Tiny("lib", "2.0", timestamp=1706788800000), *more)
    tiny.by_build_time(place)
    return place


def failure(work: object) -> CreationError:
    with pytest.raises(CreationError) as caught:
        work()  # type: ignore[operator]
    return caught.value


class TestInstalled:
    def test_dependencies_are_installed_with_what_was_asked_for(self, main, options, prefix):
        built = engines.build(ENGINE, tiny.request("app", channels={"conda-forge": main}), prefix, options)
        assert built.packages == 2
        assert Path(prefix, "share/lib.txt").read_text() == "lib 2.0\n"

    def test_size_is_the_sum_of_the_files(self, main, options, prefix):
        built = engines.build(ENGINE, tiny.request("app", channels={"conda-forge": main}), prefix, options)
        assert built.size == len("app 1.0\n") + len("lib 2.0\n")

    def test_requested_specs_are_recorded_and_those_of_dependencies_are_not(self, main, options, prefix):
        engines.build(ENGINE, tiny.request("app >=1", channels={"conda-forge": main}), prefix, options)
        assert record(prefix, "app")["requested_specs"] == ["app >=1"]
        assert not record(prefix, "lib").get("requested_specs")

    def test_history_names_packages_and_specs_as_conda_does(self, main, options, prefix):
        engines.build(ENGINE, tiny.request("app >=1", channels={"conda-forge": main}), prefix, options)
        first, *lines = Path(prefix, "conda-meta/history").read_text().splitlines()
        assert first.startswith("==> ")
        assert first.endswith(" <==")
        assert lines == [
            "# cmd: conda-execute",
            "+conda-forge/noarch::app-1.0-0",
            "+conda-forge/noarch::lib-2.0-0",
            "# update specs: ['app >=1']",
        ]

    def test_history_has_a_command_whose_script_is_not_named_in_utf8(self, main, options, prefix):
        named = replace(options, command="conda execute " + os.fsdecode(b"caf\xe9.py"))
        engines.build(ENGINE, tiny.request("app >=1", channels={"conda-forge": main}), prefix, named)
        assert "# cmd: conda execute caf\\udce9.py\n" in Path(prefix, "conda-meta/history").read_text(encoding="utf-8")

    def test_records_have_the_mode_of_the_umask(self, main, options, prefix):
        before = os.umask(0o027)
        try:
            engines.build(ENGINE, tiny.request("app", channels={"conda-forge": main}), prefix, options)
        finally:
            os.umask(before)
        modes = {path.stat().st_mode & 0o777 for path in Path(prefix, "conda-meta").glob("*.json")}
        assert modes == {0o640}

    def test_the_prefix_is_frozen_with_a_reason(self, main, options, prefix):
        engines.build(ENGINE, tiny.request("app", channels={"conda-forge": main}), prefix, options)
        frozen = json.loads(Path(prefix, "conda-meta/frozen").read_text())
        assert list(frozen) == ["message"]
        assert "conda-execute" in frozen["message"]

    def test_only_packages_are_json_in_conda_meta(self, main, options, prefix):
        engines.build(ENGINE, tiny.request("app", channels={"conda-forge": main}), prefix, options)
        assert sorted(path.name for path in Path(prefix, "conda-meta").glob("*.json")) == [
            "app-1.0-0.json",
            "lib-2.0-0.json",
        ]

    def test_the_prefix_replaces_its_placeholder(self, main, options, prefix):
        engines.build(ENGINE, tiny.request("placed", channels={"conda-forge": main}), prefix, options)
        assert Path(prefix, "bin/placed").read_text() == f"#!{prefix}/bin/sh\n"

    def test_virtual_packages_that_every_host_has_are_not_relied_on(self, main, options, prefix):
        built = engines.build(ENGINE, tiny.request("app", channels={"conda-forge": main}), prefix, options)
        assert built.virtual_packages == ("__glibc >=2.17",)
        assert virtual_packages.fits(built.virtual_packages)

    def test_a_solution_is_installed_without_solving_again(self, main, options, prefix, tmp_path):
        asked = tiny.request("app", channels={"conda-forge": main})
        solution = ENGINE.solve(asked, options)
        elsewhere = tiny.request("app", channels={"conda-forge": tmp_path / "nowhere"})
        assert engines.build(ENGINE, elsewhere, prefix, options, solution=solution).packages == 2


class Noted(Progress):
    """Keeps the news of an engine's work."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.downloads: dict[str, tuple[int, int | None]] = {}
        self.in_prefix: list[str] = []

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        self.steps.append((name, total))

    def download(self, package: str, done: int, size: int | None) -> None:
        self.downloads[package] = (done, size)

    def linked(self, package: str) -> None:
        self.in_prefix.append(package)


def test_steps_downloads_and_links_are_told(tmp_path, options, prefix):
    data = os.urandom(300_000)
    place = tiny.channel(tmp_path / "big", Tiny("app", depends=("lib",)), Tiny("lib", files={"lib/data": data}))
    noted = Noted()
    with serving(place) as url:
        asked = tiny.request("app", channels={"c": url})
        engines.build(ENGINE, asked, prefix, replace(options, progress=noted))
    assert noted.steps == [("solve", 0), ("install", 2)]
    archive = place / "noarch/lib-1.0-0.tar.bz2"
    assert noted.downloads["lib"] == (archive.stat().st_size, archive.stat().st_size)
    assert sorted(noted.in_prefix) == ["app", "lib"]


class TestLinkScripts:
    def test_a_post_link_script_runs(self, main, options, prefix):
        engines.build(ENGINE, tiny.request("scripted", channels={"conda-forge": main}), prefix, options)
        assert Path(prefix, "linked").read_text() == "scripted\n"

    def test_a_post_link_script_does_not_run_where_the_setting_is_off(self, main, tmp_path, prefix):
        options = Options(cache=str(tmp_path / "cache"), run_link_scripts=False)
        engines.build(ENGINE, tiny.request("scripted", channels={"conda-forge": main}), prefix, options)
        assert not Path(prefix, "linked").exists()

    def test_a_failing_post_link_script_is_an_error_that_names_it(self, main, options, prefix):
        asked = tiny.request("failing", channels={"conda-forge": main})
        error = failure(lambda: engines.build(ENGINE, asked, prefix, options))
        assert error.step == "link"
        assert "`failing`" in error.message
        script = str(error.details)
        assert script.endswith("bin/.failing-post-link.sh")
        assert Path(script).exists()
        assert "run-link-scripts" in str(error.hint)


class TestSolved:
    def test_solving_installs_nothing_and_says_what_is_cached(self, main, options, prefix):
        asked = tiny.request("app", channels={"conda-forge": main})
        solution = ENGINE.solve(asked, options)
        assert names(solution) == ["app 1.0", "lib 2.0"]
        assert [package.cached for package in solution.packages] == [False, False]
        assert solution.download > 0
        engines.build(ENGINE, asked, prefix, options)
        assert [package.cached for package in ENGINE.solve(asked, options).packages] == [True, True]
        assert ENGINE.solve(asked, options).download == 0

    def test_a_constraint_limits_without_asking_for_the_package(self, main, options):
        asked = tiny.request("lib", channels={"conda-forge": main}, constraints=("lib <2", "numpy <1"))
        assert names(ENGINE.solve(asked, options)) == ["lib 1.0"]

    def test_a_spec_may_name_its_channel_wherever_the_name_leads(self, main, options):
        asked = tiny.request("conda-forge::lib", channels={"conda-forge": main})
        assert names(ENGINE.solve(asked, options)) == ["lib 2.0"]

    def test_a_channel_without_shards_is_read(self, tmp_path, options):
        place = tiny.channel(tmp_path / "plain", Tiny("lib"))
        (place / "noarch/repodata_shards.msgpack.zst").unlink()
        assert names(ENGINE.solve(tiny.request("lib", channels={"plain": place}), options)) == ["lib 1.0"]

    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            ("2024-01-15", "1.0"),
            ("2024-02-01", "2.0"),
            ("2024-02-01T11:59:59Z", "1.0"),
            ("2024-02-01T14:00+02:00", "2.0"),
        ],
    )
    def test_exclude_newer_ignores_what_was_published_later(self, tmp_path, options, when, expected):
        asked = tiny.request("lib", channels={"c": dated(tmp_path / "dated")}, exclude_newer=when)
        assert names(ENGINE.solve(asked, options)) == [f"lib {expected}"]

    def test_exclude_newer_takes_a_length_of_time(self, tmp_path, options):
        place = dated(tmp_path / "dated")
        recent = tiny.request("lib", channels={"c": place}, exclude_newer="1 second")
        assert names(ENGINE.solve(recent, options)) == ["lib 2.0"]
        error = failure(
            lambda: ENGINE.solve(tiny.request("lib", channels={"c": place}, exclude_newer="20000 days"), options)
        )
        assert "exclude-newer" in str(error.hint)

    @pytest.mark.parametrize(
        ("when", "problem"),
        [
            ("2026-13-45", "`2026-13-45` is not a date (`exclude-newer`)"),
            ("2026-01-31T25:00", "`2026-01-31T25:00` is not a date and time (`exclude-newer`)"),
            ("9999999999 weeks", "`9999999999 weeks` is too long a time (`exclude-newer`)"),
        ],
    )
    def test_what_only_looks_like_a_moment_is_said_in_our_words(self, main, options, when, problem):
        asked = tiny.request("lib", channels={"c": main}, exclude_newer=when)
        with pytest.raises(ExecuteError) as caught:
            ENGINE.solve(asked, options)
        assert caught.value.message == problem
        assert "such as" in str(caught.value.hint) or "as in" in str(caught.value.hint)

    def test_the_last_day_of_the_calendar_is_a_date(self, tmp_path, options):
        asked = tiny.request("lib", channels={"c": dated(tmp_path / "dated")}, exclude_newer="9999-12-31")
        assert names(ENGINE.solve(asked, options)) == ["lib 2.0"]

    def test_what_has_no_date_is_ignored_with_exclude_newer(self, tmp_path, options):
        place = dated(tmp_path / "dated", Tiny("dateless"))
        asked = tiny.request("dateless", channels={"c": place}, exclude_newer="2024-06-01")
        assert "exclude-newer" in str(failure(lambda: ENGINE.solve(asked, options)).hint)

    def test_a_machine_that_a_gpu_would_give_other_packages_says_so(self, tmp_path, options, prefix):
        place = tiny.channel(
            tmp_path / "gpu",
            Tiny("torch", build="cpu", build_number=0),
            Tiny("torch", build="cuda", build_number=1, depends=("__cuda >=11",)),
            Tiny("plain"),
        )
        asked = tiny.request("torch", channels={"c": place})
        built = engines.build(ENGINE, asked, prefix, options)
        assert built.virtual_packages == ("!__cuda",)
        assert virtual_packages.fits(built.virtual_packages)
        solution = ENGINE.solve(asked, options)
        assert engines.build(ENGINE, asked, prefix + "2", options, solution=solution) == built
        other = tiny.request("plain", channels={"c": place})
        assert engines.build(ENGINE, other, prefix + "3", options).virtual_packages == ()

    def test_a_gpu_does_not_fit_what_was_made_for_none(self, monkeypatch):
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
        assert not virtual_packages.fits(("!__cuda",))
        assert virtual_packages.fits(("__cuda >=12",))
        assert not virtual_packages.fits(("__cuda >=13",))

    @pytest.mark.parametrize("platform", ["linux-64", "osx-arm64"])
    def test_an_override_makes_no_machine_of_another_family(self, platform, monkeypatch):
        """Set for the build of something else, it must not make packages of another system fit."""
        family = platform.partition("-")[0]
        wrong = {"linux": {"__osx", "__win"}, "osx": {"__linux", "__glibc", "__win"}}[family]
        overrides = [("CONDA_OVERRIDE_" + name, "11") for name in ("OSX", "LINUX", "GLIBC", "WIN")]
        for name, value in overrides:
            monkeypatch.setenv(name, value)
        asked = tiny.request("lib", channels={}, platform=platform, overrides=tuple(overrides))
        names = {package.name.normalized for package in virtual_packages.packages(asked)}
        assert f"__{family}" in names
        assert not names & wrong

    @pytest.mark.parametrize("platform", ["linux-64", "linux-aarch64"])
    def test_an_empty_override_takes_a_virtual_package_away(self, platform, monkeypatch):
        monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "")
        asked = tiny.request("lib", channels={}, platform=platform, overrides=(("CONDA_OVERRIDE_GLIBC", ""),))
        assert not any(package.name.normalized == "__glibc" for package in virtual_packages.packages(asked))

    def test_an_override_for_another_platform_that_makes_no_sense_is_named(self):
        asked = tiny.request("lib", channels={}, platform="osx-arm64", overrides=(("CONDA_OVERRIDE_CUDA", "x y"),))
        assert "CONDA_OVERRIDE" in str(failure(lambda: virtual_packages.packages(asked)).hint)

    def test_another_platform_is_solved_for_a_plain_machine_of_it(self, tmp_path, options):
        place = tiny.channel(tmp_path / "osx", Tiny("lib", subdir="osx-arm64", depends=("__osx >=11",)))
        asked = tiny.request("lib", channels={"c": place}, platform="osx-arm64")
        assert names(ENGINE.solve(asked, options)) == ["lib 1.0"]


class TestExplained:
    def test_a_missing_package_suggests_near_names_and_shows_where(self, main, tmp_path):
        place = Location("plot.py", 3, 7, 5, "#  - numpi")
        options = Options(cache=str(tmp_path), locate=lambda spec: place if spec == "numpi" else None)
        error = failure(lambda: ENGINE.solve(tiny.request("numpi", channels={"conda-forge": main}), options))
        assert error.message == "there is no package `numpi` for linux-64 in `conda-forge`"
        assert error.hint == "did you mean `numpy`?"
        assert error.where == (place,)
        assert error.step == "solve"

    def test_a_missing_package_like_none_is_looked_for_where_it_was_asked_for(self, main, tmp_path):
        asked = tiny.request("qqqqqq", channels={"conda-forge": main})
        place = Location("plot.py", 3, 7, 6, "#  - qqqqqq")
        in_script = failure(lambda: ENGINE.solve(asked, Options(cache=str(tmp_path), locate=lambda spec: place)))
        assert "`channels:`" in str(in_script.hint)
        in_words = failure(lambda: ENGINE.solve(asked, Options(cache=str(tmp_path))))
        assert in_words.hint == "`--channel CHANNEL` adds another channel; `pypi:qqqqqq` asks for a package of PyPI"

    def test_every_missing_package_is_named_at_once(self, main, options):
        asked = tiny.request("app", "numpi", "py_yaml", channels={"conda-forge": main})
        error = failure(lambda: ENGINE.solve(asked, options))
        assert error.message == "there are no packages `numpi` and `py_yaml` for linux-64 in `conda-forge`"
        assert "for `py_yaml`, did you mean `py-yaml`" in str(error.hint)

    def test_a_version_that_no_channel_has_lists_those_there_are(self, main, options):
        error = failure(lambda: ENGINE.solve(tiny.request("lib >=3", channels={"conda-forge": main}), options))
        assert error.message == "no `lib` of `conda-forge` for linux-64 fits `lib >=3`"
        assert error.hint == "there is lib 2.0, 1.0"
        error = failure(lambda: ENGINE.solve(tiny.request("main::lib 3", channels={"main": main}), options))
        assert error.message == "no `lib` of `main` for linux-64 fits `main::lib 3`"
        assert error.hint == "there is lib 2.0, 1.0"

    def test_a_conflict_shows_the_tree_without_noise(self, main, options):
        asked = tiny.request("app", "old-app", channels={"conda-forge": main})
        error = failure(lambda: ENGINE.solve(asked, options))
        assert error.message == "the packages asked for cannot be installed together"
        assert "lib <2" in str(error.details)
        assert "lib >=2" in str(error.details)
        assert " *" not in str(error.details)

    def test_a_package_that_is_pinned_twice_is_shown_in_both_places(self, main, options):
        asked = tiny.request("lib 1.0", "lib 2.0", channels={"conda-forge": main})
        places = {"lib 1.0": Location("script.py", 3), "lib 2.0": Location("script.py", 4)}
        error = failure(lambda: ENGINE.solve(asked, replace(options, locate=places.get)))
        assert error.message == "the packages asked for cannot be installed together"
        assert error.where == tuple(places.values())

    def test_a_virtual_package_that_the_machine_lacks_is_named(self, main, options):
        error = failure(lambda: ENGINE.solve(tiny.request("gpu", channels={"conda-forge": main}), options))
        assert "this machine has no __cuda" in str(error.hint)
        assert "CONDA_OVERRIDE_CUDA=12" in str(error.hint)

    def test_an_override_replaces_the_virtual_package(self, main, options, monkeypatch):
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
        assert names(ENGINE.solve(tiny.request("gpu", channels={"conda-forge": main}), options)) == ["gpu 1.0"]

    def test_an_override_that_makes_no_sense_is_named(self, main, options, monkeypatch):
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "x y")
        error = failure(lambda: ENGINE.solve(tiny.request("lib", channels={"conda-forge": main}), options))
        assert "CONDA_OVERRIDE" in str(error.hint)

    def test_builds_that_fail_alike_are_told_once(self, tmp_path, options):
        builds = [Tiny("lib", build=f"b{number}", build_number=number) for number in range(5)]
        place = tiny.channel(tmp_path / "builds", *builds, Tiny("app", depends=("lib >=2",)), Tiny("lib", "2.0"))
        asked = tiny.request("app", "lib <2", channels={"c": place})
        lines = str(failure(lambda: ENGINE.solve(asked, options)).details).splitlines()
        bare = [line.strip(" │├└─.") for line in lines]
        assert len(bare) == len(set(bare))

    @pytest.mark.parametrize("spec", ["lib >==3", "lib === 1", "lib[extra]", "li/b"])
    def test_a_spec_that_does_not_parse_is_shown(self, main, options, spec):
        error = failure(lambda: ENGINE.solve(tiny.request(spec, channels={"conda-forge": main}), options))
        assert error.message.startswith(f"`{spec}` is not a valid match spec: ")

    def test_every_error_renders(self, main, options):
        error = failure(lambda: ENGINE.solve(tiny.request("numpi", channels={"conda-forge": main}), options))
        assert render(error).splitlines()[0].startswith("error (solve): there is no package `numpi`")


class TestChannels:
    def test_a_channel_that_is_not_there_is_named(self, options, tmp_path):
        asked = tiny.request("lib", channels={"mine": tmp_path / "nowhere"})
        error = failure(lambda: ENGINE.solve(asked, options))
        assert error.message.startswith("channel `mine` does not exist: nothing at file://")

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/mine", "file:///nowhere/mine"], ids=["network", "disk"])
    def test_a_slip_in_the_name_of_a_well_known_channel_is_seen(self, options, url):
        error = failure(lambda: ENGINE.solve(tiny.request("lib", channels={"conda-froge": url}), options))
        assert str(error.hint).splitlines()[0] == "did you mean `conda-forge`?"

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/mine", "https://host.invalid/mine"], ids=["port", "host"])
    def test_a_network_that_is_down_names_the_channel_and_what_to_try(self, options, url):
        error = failure(lambda: ENGINE.solve(tiny.request("lib", channels={"mine": url}), options))
        assert error.message.startswith("channel `mine` cannot be reached: ")
        assert "--offline" in str(error.hint)
        assert "proxy_servers" in str(error.hint)

    def test_offline_names_a_channel_that_is_not_cached(self, tmp_path):
        options = Options(cache=str(tmp_path), offline=True)
        asked = tiny.request("lib", channels={"mine": "https://host.invalid/mine"})
        error = failure(lambda: ENGINE.solve(asked, options))
        assert error.message == "channel `mine` is not in the cache, and `--offline` does not allow downloading it"

    def test_strict_priority_hides_what_flexible_takes(self, tmp_path, options):
        first = tiny.channel(tmp_path / "first", Tiny("lib", "1.0"))
        second = tiny.channel(tmp_path / "second", Tiny("lib", "2.0"), Tiny("app", depends=("lib >=2",)))
        channels: dict[str, Path | str] = {"first": first, "second": second}
        assert names(ENGINE.solve(tiny.request("lib", channels=channels), options)) == ["lib 1.0"]
        assert names(ENGINE.solve(tiny.request("app", channels=channels), options)) == ["app 1.0", "lib 2.0"]
        strict = tiny.request("app", channels=channels, channel_priority="strict")
        assert "strict channel priority" in str(failure(lambda: ENGINE.solve(strict, options)).hint)
        disabled = tiny.request("lib", channels=channels, channel_priority="disabled")
        assert names(ENGINE.solve(disabled, options)) == ["lib 2.0"]

    def test_strict_priority_hides_what_a_spec_asks_for(self, tmp_path, options):
        """Nobody can slip a newer `tool` of theirs in below ours."""
        ours = tiny.channel(tmp_path / "ours", Tiny("tool", "1.0"))
        theirs = tiny.channel(tmp_path / "theirs", Tiny("tool", "2.0"))
        channels: dict[str, Path | str] = {"ours": ours, "theirs": theirs}
        for spec in ("tool >=2", "tool[version='>=2']"):
            hidden = tiny.request(spec, channels=channels, channel_priority="strict")
            assert "strict channel priority" in str(failure(partial(ENGINE.solve, hidden, options)).hint)
        for spec, version in (("tool", "1.0"), ("tool <2", "1.0"), ("theirs::tool", "2.0"), ("theirs::tool >1", "2.0")):
            asked = tiny.request(spec, channels=channels, channel_priority="strict")
            assert names(ENGINE.solve(asked, options)) == [f"tool {version}"]

    @pytest.mark.parametrize("priority", ["strict", "flexible"])
    def test_channels_of_one_name_have_one_place(self, tmp_path, options, priority):
        """As those of `defaults` do: the newest of theirs is taken, and nothing of the channel that follows them."""
        places = [tiny.channel(tmp_path / number, Tiny("tool", f"{number}.0")) for number in "123"]
        urls = [place.as_uri() for place in places]
        channels = (Channel("pair", (urls[0], urls[1])), Channel("other", (urls[2],)))
        for spec in ("tool", "pair::tool"):
            asked = replace(tiny.request(spec, channels={}, channel_priority=priority), channels=channels)
            assert names(ENGINE.solve(asked, options)) == ["tool 2.0"]


class TestBroken:
    @pytest.fixture
    def damaged(self, tmp_path):
        """A channel with one good package, and how it gets spoilt after indexing."""
        place = tiny.channel(tmp_path / "damaged", Tiny("lib", files={"lib/data": os.urandom(100_000)}))
        return place, place / "noarch/lib-1.0-0.tar.bz2"

    def test_a_truncated_package_is_named_with_its_url(self, damaged, options, prefix):
        place, archive = damaged
        archive.write_bytes(archive.read_bytes()[:50_000])
        error = failure(lambda: ENGINE.create(tiny.request("lib", channels={"c": place}), prefix, options))
        assert error.message.startswith("the package lib-1.0-0.tar.bz2 is broken")
        assert error.step == "download"
        assert archive.as_uri() in str(error.details)

    def test_another_package_under_the_same_name_is_refused(self, damaged, options, prefix):
        place, _ = damaged
        Tiny("lib", files={"lib/data": b"something else"}).write(place)
        error = failure(lambda: ENGINE.create(tiny.request("lib", channels={"c": place}), prefix, options))
        assert error.message.startswith("the package lib-1.0-0.tar.bz2 is broken")

    def test_what_is_cached_does_not_stand_for_another_package_of_the_same_name(self, damaged, options, prefix):
        place, _ = damaged
        ENGINE.create(tiny.request("lib", channels={"c": place}), prefix, options)
        tiny.channel(place, Tiny("lib", files={"lib/data": b"something else"}))
        ENGINE.create(tiny.request("lib", channels={"c": place}), prefix + "2", options)
        assert Path(prefix + "2", "lib/data").read_bytes() == b"something else"

    def test_an_exchanged_package_is_refused_also_where_another_of_its_name_is_cached(self, damaged, options, prefix):
        place, _ = damaged
        ENGINE.create(tiny.request("lib", channels={"c": place}), prefix, options)
        tiny.channel(place, Tiny("lib", files={"lib/data": b"something else"}))
        Tiny("lib", files={"lib/data": b"exchanged"}).write(place)
        error = failure(lambda: ENGINE.create(tiny.request("lib", channels={"c": place}), prefix + "2", options))
        assert error.message.startswith("the package lib-1.0-0.tar.bz2 is broken")

    def test_a_package_that_is_gone_is_named(self, damaged, options, prefix):
        place, archive = damaged
        archive.unlink()
        error = failure(lambda: ENGINE.create(tiny.request("lib", channels={"c": place}), prefix, options))
        assert "does not have it" in error.message

    @pytest.mark.parametrize(
        ("failure_of_server", "message"),
        [
            ("500", "channel `c` cannot be reached: HTTP status 500"),
            ("403", "channel `c` refuses access (403)"),
            ("404", "channel `c` lists lib-1.0-0.tar.bz2 but does not have it"),
            ("cut", "channel `c` cannot be reached"),
        ],
    )
    def test_a_download_that_fails_says_why(self, damaged, options, prefix, failure_of_server, message):
        with failing(damaged[0], failure_of_server) as url:
            error = failure(lambda: ENGINE.create(tiny.request("lib", channels={"c": url}), prefix, options))
        assert error.message.startswith(message)
        assert error.step == "download"

    def test_a_server_that_says_unchanged_and_not_since_when_is_asked_without_the_cache(self, tmp_path, options):
        """Python's own does (conda/rattler#2719)."""
        write_channel(tmp_path / "sharded", [Package("lib", "1.0")])
        with serving(tmp_path / "sharded") as url:
            asked = tiny.request("lib", channels={"c": url})
            for version in ("1.0", "1.0", "2.0"):
                write_channel(tmp_path / "sharded", [Package("lib", version)])
                assert str(ENGINE.solve(asked, options).packages[0]) == f"lib {version} h0_0"

    def test_a_cache_on_a_read_only_disk_is_named(self, damaged, small_disk, prefix):
        cache = small_disk / "cache"
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        asked = tiny.request("lib", channels={"c": damaged[0]})
        error = failure(lambda: ENGINE.create(asked, prefix, Options(cache=str(cache))))
        assert error.message.startswith(f"the package cache {cache}/pkgs cannot be written")

    def test_a_full_disk_is_named(self, damaged, options, small_disk):
        error = failure(
            lambda: ENGINE.create(tiny.request("lib", channels={"c": damaged[0]}), f"{small_disk}/prefix", options)
        )
        assert error.message.startswith("no space left on the disk")
        assert "tmpenv clear" in str(error.hint)

    def test_a_full_disk_under_the_cache_is_named(self, damaged, small_disk, prefix):
        options = Options(cache=f"{small_disk}/cache")
        error = failure(lambda: ENGINE.create(tiny.request("lib", channels={"c": damaged[0]}), prefix, options))
        assert error.message.startswith("no space left on the disk")

    def test_a_prefix_that_cannot_be_written_is_named(self, damaged, options, tmp_path):
        (tmp_path / "file").write_text("")
        asked = tiny.request("lib", channels={"c": damaged[0]})
        error = failure(lambda: ENGINE.create(asked, str(tmp_path / "file/prefix"), options))
        assert str(tmp_path / "file/prefix") in error.message

    def test_a_cache_that_cannot_be_written_is_named(self, damaged, tmp_path, prefix):
        (tmp_path / "file").write_text("")
        options = Options(cache=str(tmp_path / "file/cache"))
        with pytest.raises(ExecuteError) as caught:
            ENGINE.create(tiny.request("lib", channels={"c": damaged[0]}), prefix, options)
        assert str(tmp_path / "file/cache") in caught.value.message


class TestInterrupted:
    """Signals while the engine works, in processes of their own."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    _CODE = """
import os, sys, time
from conda_execute import engines as backend
from conda_execute.engines import Options, virtual_packages
from conda_execute.engines.rattler import engine
from conda_execute.errors import InterruptError
from tests import tiny
from tests.serving import Files, serving
url, prefix, cache = sys.argv[1:]
print("ready", flush=True)
try:
    backend.build(engine.Rattler(), tiny.request("lib", channels={"c": url}), prefix, Options(cache=cache))
except InterruptError as error:
    print(error.message, flush=True)
    os._exit(error.exit_status)
os._exit(0)
"""

    def start(self, url: str, tmp_path: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", self._CODE, url, str(tmp_path / "prefix"), str(tmp_path / "cache")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def ends(self, process: subprocess.Popen[str], number: signal.Signals) -> None:
        process.send_signal(number)
        said, complaints = process.communicate(timeout=60)
        assert (said, complaints) == (f"interrupted by {number.name}\n", "")
        assert process.returncode == 128 + number

    @pytest.mark.parametrize("number", _SIGNALS, ids=lambda number: number.name)
    def test_a_solve_ends_at_once(self, tmp_path, number):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            process = self.start(f"http://127.0.0.1:{silent.getsockname()[1]}/c", tmp_path)
            silent.accept()
            self.ends(process, number)

    @pytest.mark.parametrize("number", _SIGNALS, ids=lambda number: number.name)
    def test_a_link_script_ends_the_install_at_once(self, tmp_path, number):
        begun = tmp_path / "begun"
        script = f"#!/bin/sh\ntouch {begun}\nsleep 30\n".encode()
        place = tiny.channel(tmp_path / "slow", Tiny("lib", files={"bin/.lib-post-link.sh": script}))
        process = self.start(place.as_uri(), tmp_path)
        while not begun.exists():
            time.sleep(0.05)
        self.ends(process, number)


class TestLock:
    def test_a_link_script_inherits_the_creation_lock(self, tmp_path, options, prefix):
        with open(tmp_path / "lock", "w") as lock:
            script = f'#!/bin/sh\nreadlink /proc/self/fd/{lock.fileno()} > "$PREFIX/held"\n'.encode()
            place = tiny.channel(tmp_path / "held", Tiny("lib", files={"bin/.lib-post-link.sh": script}))
            asked = tiny.request("lib", channels={"c": place})
            engines.build(ENGINE, asked, prefix, replace(options, inherited=(lock.fileno(),)))
            assert not os.get_inheritable(lock.fileno())
        assert Path(prefix, "held").read_text().strip() == str(tmp_path / "lock")


class TestOffline:
    @pytest.fixture(params=["both", "noarch"])
    def url(self, request, tmp_path):
        """A served channel with packages for this platform, or without any."""
        native = [Tiny("native", subdir="linux-64")] if request.param == "both" else []
        place = tiny.channel(tmp_path / "served", Tiny("app", depends=("lib",)), Tiny("lib", "2.0"), *native)
        with serving(place) as url:
            yield url

    def test_what_is_cached_is_installed(self, url, options, prefix):
        asked = tiny.request("app", channels={"c": url})
        engines.build(ENGINE, asked, prefix, options)
        offline = replace(options, offline=True)
        assert engines.build(ENGINE, asked, prefix + "2", offline).packages == 2

    def test_what_is_not_cached_is_named(self, url, options, prefix):
        ENGINE.solve(tiny.request("app", channels={"c": url}), options)
        offline = replace(options, offline=True)
        error = failure(lambda: engines.build(ENGINE, tiny.request("app", channels={"c": url}), prefix, offline))
        assert (
            error.message
            == "2 packages are not in the cache, and `--offline` does not allow downloads: app 1.0, lib 2.0"
        )
        assert error.step == "download"


@pytest.mark.stress
def test_no_process_that_leaves_hard_dies_of_the_engine(main, tmp_path):
    """Ended by the interpreter's own shutdown, some in a hundred crash; who knows leaves by `os._exit`."""
    code = (
        "import os, sys; from conda_execute import engines as backend; from conda_execute.engines import Options;"
        "from tests import tiny; engine = backend.engine('rattler');"
        "engine.solve(tiny.request('app', channels={'c': sys.argv[1]}), Options(cache=sys.argv[2]));"
        "sys.stdout.flush(); os._exit(7)"
    )
    command = [sys.executable, "-c", code, main.as_uri(), str(tmp_path)]
    statuses = set()
    for _ in range(50):
        four = [subprocess.Popen(command, cwd=CHECKOUT) for _ in range(4)]
        statuses |= {process.wait() for process in four}
    assert statuses == {7}


VERIFIES = importlib.util.find_spec("rattler.sigstore") is not None


class TestAttestations:
    """Whether packages are signed; that a signature is right, rattler's own tests show, with Sigstore's own root."""

    @pytest.mark.skipif(VERIFIES, reason="this py-rattler can")
    @pytest.mark.parametrize("asked", ["require", "warn"])
    def test_a_py_rattler_that_cannot_verify_says_so(self, main, options, prefix, asked):
        with pytest.raises(SettingsError, match="cannot verify attestations"):
            engines.build(
                ENGINE,
                tiny.request("lib", channels={"conda-forge": main}),
                prefix,
                replace(options, settings=Settings(attestations=asked)),
            )

    @pytest.mark.skipif(not VERIFIES, reason="py-rattler 0.28 was the first to verify attestations")
    def test_unsigned_package_is_refused_where_an_attestation_is_required(self, main, options, prefix):
        asked = tiny.request("lib", channels={"conda-forge": main}, attested=True)
        how = replace(options, settings=Settings(attestations="require"))
        error = failure(lambda: engines.build(ENGINE, asked, prefix, how))
        assert "has no valid attestation" in error.message
        assert "no attestations are advertised" in str(error.details)
        assert not list(Path(prefix).glob("share/*"))

    @pytest.mark.skipif(not VERIFIES, reason="py-rattler 0.28 was the first to verify attestations")
    def test_unsigned_packages_are_named_where_a_warning_is_asked_for(self, main, options, prefix):
        asked = tiny.request("app", channels={"conda-forge": main})
        built = engines.build(ENGINE, asked, prefix, replace(options, settings=Settings(attestations="warn")))
        assert built.notices == ("no valid attestation: app, lib",)

    def test_packages_of_pypi_are_refused_where_an_attestation_is_required(self, main, options, prefix):
        asked = tiny.request("lib", channels={"conda-forge": main}, pypi=("plain",), attested=True)
        error = failure(
            lambda: ENGINE.create(asked, prefix, replace(options, settings=Settings(attestations="require")))
        )
        assert "PyPI" in error.message
