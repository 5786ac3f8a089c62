"""One name, one content: what a site configures is part of the name, has no effect, is obeyed or is refused."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conda_execute import engines, lockfiles
from conda_execute.configuration.declared import Settings
from conda_execute.engines import policy
from conda_execute.environments.name import environment_name
from conda_execute.errors import SettingsError
from conda_execute.resolve import resolve
from conda_execute.script.header.keys import Header
from tests import oracle, tiny
from tests.conftest import World
from tests.oracle import conda_program
from tests.tiny import Tiny

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"


def documented() -> set[str]:
    """Every setting that a table of the reference names."""
    rows = [line.split(" | ")[0] for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row)}


def test_the_reference_says_what_each_setting_of_conda_does_here() -> None:
    code = (
        "import json; from conda.base.context import context as c; print(json.dumps(sum(c.category_map.values(), ())))"
    )
    known = json.loads(subprocess.run([oracle.conda_python(), "-c", code], capture_output=True, check=True).stdout)
    assert len(known) > 90
    assert set(known) - documented() == set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.channel(
        tmp_path_factory.mktemp("channels") / "site",
        Tiny("app", depends=("lib",)),
        Tiny("lib", "1.0"),
        Tiny("lib", "2.0"),
        Tiny("gpu", depends=("__cuda >=12",)),
    )


@dataclass
class Site:
    """A channel, a backend, and the settings of the administrator."""

    world: World
    words: tuple[str, ...]

    def create(self, spec: str, settings: str) -> subprocess.CompletedProcess[str]:
        return self.world.with_settings(settings).tmpenv("create", *self.words, spec)

    def made(self, spec: str, settings: str = "") -> tuple[str, list[str]]:
        """The name of the environment of a spec, and what is in it."""
        done = self.create(spec, settings)
        assert done.returncode == 0, done.stderr
        prefix = Path(done.stdout.strip())
        records = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
        return prefix.name, sorted(f"{record['name']} {record['version']}" for record in records)

    def refusal(self, spec: str, settings: str) -> str:
        refused = self.create(spec, settings)
        assert refused.returncode == 125
        return refused.stderr


@pytest.fixture(params=["rattler", "conda"])
def at_site(request: pytest.FixtureRequest, world: World, site: Path) -> Site:
    if request.param == "conda":
        world = world.with_(CONDA_EXE=conda_program(), CONDA_SOLVER="classic", CONDA_PKGS_DIRS=str(world.root / "pkgs"))
    return Site(world, ("--backend", request.param, "--override-channels", "--channel", site.as_uri()))


class TestBothBackends:
    def test_pins_hold_and_change_the_name(self, at_site: Site) -> None:
        free, pinned = at_site.made("app"), at_site.made("app", "pinned_packages: [lib <2]\n")
        assert free[1] == ["app 1.0", "lib 2.0"]
        assert pinned[1] == ["app 1.0", "lib 1.0"]
        assert free[0] != pinned[0]

    def test_virtual_packages_are_overridden_and_change_the_name(self, at_site: Site) -> None:
        assert "__cuda" in at_site.refusal("gpu", "override_virtual_packages: {cuda: ''}\n")
        name, packages = at_site.made("gpu", "override_virtual_packages: {cuda: '12.4'}\n")
        assert packages == ["gpu 1.0"]
        assert name != at_site.made("gpu", "override_virtual_packages: {__cuda: '12.5'}\n")[0]

    def test_disallowed_packages_are_not_installed(self, at_site: Site) -> None:
        said = at_site.refusal("app", "disallowed_packages: [lib >=2]\n")
        assert "lib" in said
        assert "disallow" in said.lower()
        assert at_site.made("app", "disallowed_packages: [lib 3.*]\n")[1] == ["app 1.0", "lib 2.0"]

    @pytest.mark.parametrize(
        "settings",
        [
            *("use_only_tar_bz2: true\n", "prefix_data_interoperability: true\n", "create_default_packages: [gpu]\n"),
            *("default_python: '2.7'\n", "deps_modifier: no_deps\n", "use_local: true\n"),
            "repodata_fns: [repodata.json]\n",
        ],
    )
    def test_what_makes_no_sense_for_a_script_has_no_effect(self, at_site: Site, settings: str) -> None:
        assert at_site.made("app", settings)[1] == ["app 1.0", "lib 2.0"]

    def test_what_no_backend_obeys_is_refused(self, at_site: Site) -> None:
        assert "(`repodata_fns`)" in at_site.refusal("app", "repodata_fns: [site.json]\n")


@pytest.mark.parametrize("settings", ["disallowed_packages: [lib >=2]\n", "path_conflict: prevent\n"])
def test_a_lock_is_not_written_against_the_policy(world: World, site: Path, settings: str) -> None:
    header = f"# conda execute\n# env: [app]\n# channels: ['{site.as_uri()}']\n# run_with: sh\n"
    script = world.script("s.sh", header)
    refused = world.with_settings(settings).execute("--lock", script)
    assert refused.returncode == 125
    assert settings.partition(":")[0] in refused.stderr
    assert not script.with_name("s.sh" + lockfiles.SUFFIXES[0]).exists()
    assert world.execute("--lock", script).returncode == 0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("path_conflict", Settings(path_conflict="prevent")),
        ("signing_metadata_url_base", Settings(signing_metadata_url_base="https://keys.example")),
        ("channel_settings", Settings(channel_settings=((("channel", "conda-forge"), ("auth", "sso")),))),
        (
            "channel_settings",
            Settings(channel_settings=((("channel", "https://*"), ("auth", "sso")),)),
        ),
    ],
)
def test_the_embedded_backend_refuses_policy_that_only_conda_obeys(name: str, settings: Settings) -> None:
    request = resolve(Header(format="none", specs=("app",)), settings, environ={})
    with pytest.raises(SettingsError, match=name):
        policy.check(settings, request, engines.engine("rattler"))
    policy.check(settings, request, engines.engine("conda"))


@pytest.mark.parametrize("settings", [Settings(track_features=("mkl",)), Settings(subdirs=("win-64", "noarch"))])
def test_the_backend_conda_refuses_what_the_embedded_one_ignores(settings: Settings) -> None:
    request = resolve(Header(format="none", specs=("app",)), settings, environ={})
    with pytest.raises(SettingsError, match="the backend `conda` would"):
        policy.check(settings, request, engines.engine("conda"))
    policy.check(settings, request, engines.engine("rattler"))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"attested": True}, "attestations"),
        ({"link_scripts": False}, "run-link-scripts"),
        ({"solve_strategy": "lowest"}, "solve-strategy"),
        ({"exclude_newer": "2024-02-15", "indexed_timestamps": True}, "exclude-newer"),
    ],
)
def test_the_backend_conda_refuses_requests_that_it_cannot_fulfil(
    tmp_path: Path, asked: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^the backend `conda` .* \(`{named}`\)$"):
        policy.check(Settings(), tiny.request("lib", channels={"c": tmp_path}, **asked), engines.named("conda"))


def test_what_is_said_of_other_channels_does_not_matter() -> None:
    settings = Settings(channel_settings=((("channel", "https://private.example/*"), ("auth", "sso")),))
    policy.check(
        settings, resolve(Header(format="none", specs=("app",)), settings, environ={}), engines.engine("rattler")
    )


def test_a_variable_comes_before_the_setting_for_virtual_packages() -> None:
    settings = Settings(override_virtual_packages=(("cuda", "12.0"), ("__glibc", "2.40")))
    header = Header(format="none", specs=("app",))
    request = resolve(header, settings, environ={"CONDA_OVERRIDE_CUDA": "11.0"})
    assert request.overrides == (("CONDA_OVERRIDE_CUDA", "11.0"), ("CONDA_OVERRIDE_GLIBC", "2.40"))
    assert environment_name(request) != environment_name(resolve(header, Settings(), environ={}))
