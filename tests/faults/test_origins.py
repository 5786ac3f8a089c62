"""One name, one origin: what another scheme brings is not what a name stands for, and a list of allowed channels holds
for whatever brings packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from conda_execute.configuration.channels import resolve_channels
from conda_execute.configuration.declared import Settings
from conda_execute.errors import SettingsError
from tests.conftest import World


@pytest.mark.parametrize("scheme", ["http", "s3", "oci", "ftp"])
def test_another_scheme_is_another_environment(world: World, scheme: str) -> None:
    world = world.with_(CONDARC=None)

    def name(channel: str) -> str:
        return str(world.tmpenv("name", "-c", channel, "lua", check=True).stdout)

    plain = world.tmpenv("name", "lua", check=True).stdout
    assert name("https://conda.anaconda.org/conda-forge") == name("conda-forge") == plain
    assert name(f"{scheme}://conda.anaconda.org/conda-forge") != plain


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("HTTPS://Conda.Anaconda.org:443//conda-forge/", "conda-forge"),
        ("https://conda.anaconda.org./%63onda-forge", "conda-forge"),
        ("https://me@conda.anaconda.org/conda-forge", "conda-forge"),
        ("https://conda.anaconda.org@evil.org/conda-forge", "https://evil.org/conda-forge"),
        ("http://conda.anaconda.org:80/conda-forge", "http://conda.anaconda.org/conda-forge"),
        ("https://conda.anaconda.org:80/conda-forge", "https://conda.anaconda.org:80/conda-forge"),
        ("https://[::1]:443/conda-forge", "https://[::1]/conda-forge"),
        ("conda-forge//label/%78", "conda-forge/label/x"),
        ("file://localhost/x/../%79%2f", "file:///y%2F"),
        ("https://conda.anaconda.org/conda-forge/../evil", None),
        ("https://conda.anaconda.org/conda-forge/%2e%2E/evil", None),
        ("https://conda.anaconda.org/./conda-forge", None),
        ("conda-forge/../evil", None),
    ],
)
def test_a_channel_has_one_spelling(channel: str, name: str | None) -> None:
    """A server takes the others for the same; none passes a list of denied channels, nor gets an environment more."""
    denied = Settings(denylist_channels=(name or "x",))
    with pytest.raises(SettingsError, match="denied" if name else "must not have"):
        resolve_channels([channel], denied)
    if name is not None:
        assert [found.name for found in resolve_channels([channel], Settings())] == [name]


@pytest.mark.parametrize(
    "spec",
    [
        "lua[url=HTTP://127.0.0.1:1/conda-forge/linux-64/lua-5.4-h0_0.conda]",
        "lua[url=http://127.0.0.1:1/conda-forge/linux-64/lua-5.4-h0_0.conda]",
        "HTTPS://127.0.0.1/conda-forge/linux-64/lua-5.4-h0_0.conda",
        "{place}/linux-64/lua-5.4-h0_0.conda",
        "file://{place}/linux-64/lua-5.4-h0_0.conda",
        "lua[channel=http://127.0.0.1:1/conda-forge]",
        "lua[version='>=5', channel=\"http://127.0.0.1:1/conda-forge\"]",
        "http://127.0.0.1:1/conda-forge::lua",
    ],
)
def test_allowed_channels_hold_for_every_way_to_ask(world: World, tmp_path: Path, spec: str) -> None:
    world = world.with_settings("allowlist_channels: [conda-forge]\n")
    done = world.tmpenv("name", spec.format(place=tmp_path / "elsewhere"))
    assert (done.returncode, "allowlist_channels" in done.stderr) == (125, True), done.stdout + done.stderr


def test_allowed_channels_hold_for_a_lock_whose_environment_is_there(world: World) -> None:
    script = world.script("x.sh", "# conda execute\n# env: [lua]\n# run_with: sh\necho ran\n")
    world.execute("--lock", script, check=True)
    assert world.execute(script, check=True).stdout == "ran\n"
    stricter = world.root / "stricter.yml"
    elsewhere = "custom_channels: {conda-forge: 'file:///elsewhere'}\n"
    stricter.write_text(f"channels: [conda-forge]\n{elsewhere}allowlist_channels: [conda-forge]\n")
    done = world.execute(script, env={"CONDARC": str(stricter)})
    assert (done.returncode, "allowlist_channels" in done.stderr) == (125, True), done.stdout + done.stderr
