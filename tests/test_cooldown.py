"""`exclude-newer` of single packages and channels: what is exempt, what waits longer, for conda and PyPI alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conda_execute.configuration import settings
from conda_execute.configuration.declared import Settings
from conda_execute.engines import Options, conda, policy
from conda_execute.engines.pypi import project
from conda_execute.engines.rattler import engine
from conda_execute.environments.name import canonical_text
from conda_execute.errors import CreationError, SettingsError
from conda_execute.model import Request
from conda_execute.resolve import resolve
from conda_execute.script.header import read_header
from conda_execute.script.header.keys import Header
from tests import tiny
from tests.tiny import Tiny

ENGINE = engine.Rattler()

#: In milliseconds: the first of January, February and March 2024.
JANUARY, FEBRUARY, MARCH = 1_704_067_200_000, 1_706_745_600_000, 1_709_251_200_000

PIXI = """\
# /// script
# dependencies = []
# [tool.pixi]
# workspace.channels = [{ channel = "conda-forge", exclude-newer = "2024-01-15" }, "bioconda"]
# [tool.pixi.dependencies]
# python = "*"
# [tool.pixi.exclude-newer]
# openssl = "0d"
# Six_Seven = "2024-03-01"
# ///
"""


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(cache=str(tmp_path / "cache"), environ=dict(os.environ))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two packages, each in a version of January, February and March."""
    packages = [
        Tiny(name, version, timestamp=when)
        for name in ("lib", "tool")
        for version, when in (("1.0", JANUARY), ("2.0", FEBRUARY), ("3.0", MARCH))
    ]
    made = tiny.channel(tmp_path / "dated", *packages)
    tiny.by_build_time(made)
    return made


def solved(options: Options, *specs: str, **rest: object) -> list[str]:
    found = ENGINE.solve(tiny.request(*specs, **rest), options).packages  # type: ignore[arg-type]
    return sorted(f"{one.name} {one.version}" for one in found)


def test_package_has_a_moment_of_its_own(place: Path, options: Options) -> None:
    asked = {"channels": {"c": place}, "exclude_newer": "2024-01-15"}
    assert solved(options, "lib", "tool", **asked) == ["lib 1.0", "tool 1.0"]
    later = (("package lib", "2024-02-15"),)
    assert solved(options, "lib", "tool", **asked, exclude_newer_of=later) == ["lib 2.0", "tool 1.0"]


def test_package_is_exempt(place: Path, options: Options) -> None:
    exempt = (("package lib", "no"),)
    asked = {"channels": {"c": place}, "exclude_newer": "2024-01-15", "exclude_newer_of": exempt}
    assert solved(options, "lib", "tool", **asked) == ["lib 3.0", "tool 1.0"]


def test_channel_has_a_moment_of_its_own_and_a_package_comes_before_it(place: Path, options: Options) -> None:
    rules = (("channel c", "2024-02-15"), ("package tool", "2024-01-15"))
    assert solved(options, "lib", "tool", channels={"c": place}, exclude_newer_of=rules) == ["lib 2.0", "tool 1.0"]


def test_spec_may_name_its_channel_all_the_same(place: Path, options: Options) -> None:
    rules = (("channel c", "2024-02-15"),)
    assert solved(options, "c::lib", channels={"c": place}, exclude_newer_of=rules) == ["lib 2.0"]


def test_build_times_do_not_count_where_indexed_ones_are_asked_for(place: Path, options: Options) -> None:
    with pytest.raises(CreationError):
        solved(options, "lib", channels={"c": place}, exclude_newer="2024-02-15", indexed_timestamps=True)


def test_backend_that_cannot_keep_it_refuses(place: Path) -> None:
    asked = tiny.request("lib", channels={"c": place}, exclude_newer_of=(("package lib", "no"),))
    with pytest.raises(SettingsError, match="one moment for all packages"):
        policy.check(Settings(), asked, conda.load())


def test_uv_is_told_the_same(options: Options) -> None:
    rules = (("channel c", "2024-01-01"), ("package lib", "no"), ("package tool", "2024-01-15"))
    asked = tiny.request("python", channels={}, pypi=("lib",), exclude_newer="2024-03-01", exclude_newer_of=rules)
    said = project.limits(asked, options)
    assert said[:1] == ["--exclude-newer"]
    assert said[2:4] == ["--exclude-newer-package", "lib=false"]
    assert said[4:] == ["--exclude-newer-package", "tool=2024-01-15T23:59:59.999000Z"]


def test_name_has_every_rule(place: Path) -> None:
    plain = tiny.request("lib", channels={"c": place}, exclude_newer="2024-01-15")
    ruled = tiny.request(
        "lib", channels={"c": place}, exclude_newer="2024-01-15", exclude_newer_of=(("package lib", "no"),)
    )
    assert canonical_text(plain) + "\nexclude-newer of package lib: no" == canonical_text(ruled)


# What is configured, and what a header says


def request_of(tmp_path: Path, condarc: str, header: Header | None = None) -> Request:
    path = tmp_path / ".condarc"
    path.write_text(condarc)
    read = settings.load({"CONDARC": str(path), "HOME": str(tmp_path)}, search_path=("$CONDARC",))
    return resolve(header or Header("none", specs=("python",)), read, environ={})


def test_policy_of_conda_is_read(tmp_path: Path) -> None:
    condarc = """\
exclude_newer: 7d
exclude_newer_package: {OpenSSL: false, numpy: 2024-01-31}
channels: [conda-forge]
channel_settings:
  - channel: conda-forge
    exclude_newer: 2024-02-01
    auth: conda-auth
  - channel: bioconda
    exclude_newer: 2020-01-01
"""
    read = request_of(tmp_path, condarc)
    assert read.exclude_newer == "7d"
    # A channel that nothing comes from has no say.
    assert read.exclude_newer_of == (
        ("channel conda-forge", "2024-02-01"),
        ("package numpy", "2024-01-31"),
        ("package openssl", "no"),
    )


def test_exemption_without_a_moment_changes_nothing(tmp_path: Path) -> None:
    assert request_of(tmp_path, "exclude_newer_package: {openssl: false}\n").exclude_newer_of == ()


def test_policy_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="channel"):
        request_of(tmp_path, "channel_settings:\n  - exclude_newer: 2024-02-01\n")


def test_tables_of_pixi_are_read(tmp_path: Path) -> None:
    header = read_header(PIXI.encode(), "p.py", "linux-64")
    read = request_of(tmp_path, "exclude_newer_package: {openssl: 2020-01-01}\n", header)
    assert read.exclude_newer is None
    assert read.exclude_newer_of == (
        ("channel conda-forge", "2024-01-15"),
        ("package openssl", "no"),
        ("package six-seven", "2024-03-01"),
    )
