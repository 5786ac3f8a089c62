"""What a channel's name means: its canonical name, its URLs, and who may use it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_execute import resolve as request
from conda_execute.configuration.channels import resolve_channels, split_spec
from conda_execute.configuration.declared import Settings
from conda_execute.configuration.settings import load
from conda_execute.errors import Location, SettingsError
from conda_execute.model import Channel
from conda_execute.script.header.keys import Header
from conda_execute.terminal.errors import render

ALIAS = "https://conda.anaconda.org"
MAIN = "https://repo.anaconda.com/pkgs/main"
R = "https://repo.anaconda.com/pkgs/r"

NOTHING = Settings()
CONFIGURED = Settings(
    channel_alias="https://me:pass@conda.example/t/tk-123/api",
    custom_channels=(("mine", "http://host:8080/base"), ("a/b", "https://u:p@other")),
    custom_multichannels=(("pair", ("https://one/x", "two")),),
    default_channels=("https://d/one", "second"),
)
EXAMPLE = "https://conda.example/api"


def resolve(name: str, settings: Settings = NOTHING) -> tuple[str, tuple[str, ...]]:
    (channel,) = resolve_channels([name], settings)
    return channel.name, channel.urls


@pytest.mark.parametrize(
    ("written", "name", "urls"),
    [
        ("conda-forge", "conda-forge", (f"{ALIAS}/conda-forge",)),
        ("conda-forge/label/dev", "conda-forge/label/dev", (f"{ALIAS}/conda-forge/label/dev",)),
        (f"{ALIAS}/conda-forge", "conda-forge", (f"{ALIAS}/conda-forge",)),
        (f"{ALIAS}/conda-forge/", "conda-forge", (f"{ALIAS}/conda-forge",)),
        (f"{ALIAS}/conda-forge/label/dev", "conda-forge/label/dev", (f"{ALIAS}/conda-forge/label/dev",)),
        ("defaults", "defaults", (MAIN, R)),
        ("pkgs/main", "pkgs/main", (MAIN,)),
        (MAIN, "pkgs/main", (MAIN,)),
        ("https://elsewhere/pkgs/main", "https://elsewhere/pkgs/main", ("https://elsewhere/pkgs/main",)),
        ("http://HOST:8080/x/y", "http://host:8080/x/y", ("http://host:8080/x/y",)),
        ("https://host", "https://host", ("https://host",)),
        ("https://host/conda/x", "https://host/conda/x", ("https://host/conda/x",)),
        ("s3://bucket/x", "s3://bucket/x", ("s3://bucket/x",)),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="`defaults` has a third member there")
def test_names_and_urls_without_configuration(written: str, name: str, urls: tuple[str, ...]) -> None:
    assert resolve(written) == (name, urls)


@pytest.mark.parametrize(
    ("written", "name", "urls"),
    [
        ("conda-forge", "conda-forge", (f"{EXAMPLE}/conda-forge",)),
        (f"{EXAMPLE}/conda-forge", "conda-forge", (f"{EXAMPLE}/conda-forge",)),
        ("https://conda.example/t/other/api/conda-forge", "conda-forge", (f"{EXAMPLE}/conda-forge",)),
        (f"{ALIAS}/conda-forge", f"{ALIAS}/conda-forge", (f"{ALIAS}/conda-forge",)),
        ("mine", "mine", ("http://host:8080/base/mine",)),
        ("mine/label/x", "mine/label/x", ("http://host:8080/base/mine/label/x",)),
        ("http://host:8080/base/mine", "mine", ("http://host:8080/base/mine",)),
        ("http://host:8080/base/mine2", "http://host:8080/base/mine2", ("http://host:8080/base/mine2",)),
        ("https://evil/mine", "https://evil/mine", ("https://evil/mine",)),
        ("a/b", "a/b", ("https://other/a/b",)),
        ("a", "a", (f"{EXAMPLE}/a",)),
        ("pair", "pair", ("https://one/x", f"{EXAMPLE}/two")),
        ("x", "x", ("https://one/x",)),
        ("defaults", "defaults", ("https://d/one", f"{EXAMPLE}/second")),
    ],
)
def test_names_and_urls_with_configuration(written: str, name: str, urls: tuple[str, ...]) -> None:
    assert resolve(written, CONFIGURED) == (name, urls)


def test_defaults_can_be_a_configured_multi_channel() -> None:
    assert resolve("defaults", Settings(custom_multichannels=(("defaults", ("https://one/x",)),))) == (
        "defaults",
        ("https://one/x",),
    )


def test_a_mirror_keeps_the_name() -> None:
    settings = Settings(mirrored_channels=(("conda-forge", ("https://near/cf", "https://far/cf")),))
    assert resolve("conda-forge", settings) == ("conda-forge", ("https://near/cf",))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
def test_paths_are_file_urls(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    (channel,) = resolve_channels(["./channel"], Settings(), folder=str(folder))
    assert channel.urls == (f"file://{tmp_path}/a%20b/channel",)
    assert channel.name == channel.urls[0]
    for same in (str(folder / "channel"), f"file://{folder}/channel", f"file://{tmp_path}/a%20b/channel/"):
        assert resolve(same) == (channel.name, channel.urls)
    custom = Settings(custom_channels=(("conda-forge", f"file://{tmp_path}"),))
    assert resolve("conda-forge", custom) == ("conda-forge", (f"file://{tmp_path}/conda-forge",))
    assert resolve(f"file://{tmp_path}/conda-forge", custom)[0] == "conda-forge"


def test_order_is_kept_and_duplicates_go() -> None:
    names = ["b", "a", f"{ALIAS}/b", "c"]
    assert [channel.name for channel in resolve_channels(names, Settings())] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        ("conda-forge", "https://me:pass@conda.example/api/t/tk-123/conda-forge"),
        ("https://conda.example/t/mytoken/api/x", "https://me:pass@conda.example/api/t/mytoken/x"),
        ("a/b", "https://u:p@other/a/b"),
        ("https://you:word@new.example/t/tk-9/x", "https://you:word@new.example/t/tk-9/x"),
    ],
)
def test_secrets_are_kept_apart(written: str, secret: str) -> None:
    (channel,) = resolve_channels([written], CONFIGURED)
    assert channel.secrets == ((channel.urls[0], secret),)
    shown = repr(channel) + channel.name + "".join(channel.urls)
    for hidden in ("pass", "tk-", "mytoken", "u:p", "word"):
        assert hidden not in shown


def test_secrets_are_not_shown_in_errors(tmp_path: Path) -> None:
    (tmp_path / ".condarc").write_text(
        "denylist_channels:\n  - https://me:hush@bad.example/t/tk-77/x\nchannels: [a]\nsubdir: ['https://me:hush@h/x']\n"
    )
    (tmp_path / "good").mkdir()
    with pytest.raises(SettingsError) as caught:
        load({"HOME": str(tmp_path)}, search_path=["~/.condarc"])
    assert "hush" not in render(caught.value)
    (tmp_path / ".condarc").write_text("denylist_channels:\n  - https://me:hush@bad.example/t/tk-77/x\n")
    settings = load({"HOME": str(tmp_path)}, search_path=["~/.condarc"])
    with pytest.raises(SettingsError) as caught:
        resolve_channels(["https://you:hush@bad.example/x"], settings)
    assert "hush" not in render(caught.value)
    assert "tk-77" not in render(caught.value)


# --- Allowing and denying


def configured(tmp_path: Path, text: str) -> Settings:
    (tmp_path / ".condarc").write_text(text)
    return load({"HOME": str(tmp_path)}, search_path=["~/.condarc"])


@pytest.mark.parametrize("written", ["bad", f"{ALIAS}/bad", "http://conda.anaconda.org/bad", "pair"])
def test_a_denied_channel_is_refused_by_name_or_url(tmp_path: Path, written: str) -> None:
    settings = configured(
        tmp_path, f"denylist_channels:\n  - other\n  - bad\ncustom_multichannels:\n  pair: ['{ALIAS}/bad', good]\n"
    )
    with pytest.raises(SettingsError, match="denied by `denylist_channels`") as caught:
        resolve_channels(["good", written], settings)
    (where,) = caught.value.where
    assert (where.path, where.line) == (str(tmp_path / ".condarc"), 3)


def test_an_error_names_both_the_script_and_the_file_that_forbids(tmp_path: Path) -> None:
    settings = configured(tmp_path, "denylist_channels: [bad]\n")
    script = Location("script.py", 3, 5)
    with pytest.raises(SettingsError) as caught:
        resolve_channels(["bad"], settings, where=lambda name: script)
    assert [where.path for where in caught.value.where] == ["script.py", str(tmp_path / ".condarc")]


def test_a_channel_that_only_a_spec_names_is_shown_there(tmp_path: Path) -> None:
    place = Location("s.py", 3, 5)
    header = Header("conda execute", specs=("bad::a >=1",), locations=(("bad::a >=1", place),))
    with pytest.raises(SettingsError, match="denied by `denylist_channels`") as caught:
        request.resolve(header, configured(tmp_path, "denylist_channels: [bad]\n"))
    assert caught.value.where[0] == place


@pytest.mark.parametrize("allowed", ["conda-forge", "x", "pair", "https://one/x"])
def test_only_allowed_channels_pass(tmp_path: Path, allowed: str) -> None:
    settings = configured(
        tmp_path,
        "allowlist_channels: [conda-forge, pair]\ncustom_multichannels:\n  pair: ['https://one/x', two]\n",
    )
    assert resolve_channels([allowed], settings)
    for refused in ("other", "https://one/y", "conda-forge/label/dev", "http://one/x"):
        with pytest.raises(SettingsError, match="not among the `allowlist_channels`") as caught:
            resolve_channels([refused], settings)
        assert caught.value.hint == "allowed: `conda-forge`, `pair`"


@pytest.mark.parametrize(
    "spec",
    ["https://host/x/noarch/a-1-0.conda", "a[url='https://host/x/noarch/a-1-0.tar.bz2']"],
    ids=["whole", "field"],
)
def test_an_archive_is_of_a_channel_that_is_allowed(tmp_path: Path, spec: str) -> None:
    place = Location("s.py", 3, 5)
    header = Header("conda execute", specs=(spec,), locations=((spec, place),))
    assert request.resolve(header, NOTHING)
    for setting in ("allowlist_channels: [conda-forge]\n", "denylist_channels: ['https://host/x']\n"):
        with pytest.raises(SettingsError, match="`https://host/x`") as caught:
            request.resolve(header, configured(tmp_path, setting))
        assert caught.value.where[0] == place


# --- Mistakes


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "is not a channel"),
        ("<unknown>", "is not a channel"),
        ("conda-forge/linux-64", "names one platform of a channel"),
        ("https://host/x/noarch", "names one platform of a channel"),
        ("https://host/x/a-1-0.conda", "is a file, not a channel"),
        ("https:///x", "has no host"),
        ("https://host/x?token=1", "cannot contain"),
        ("local", "channel of conda-build"),
    ],
)
def test_what_is_no_channel_is_refused(
    written: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SettingsError, match=message):
        resolve_channels([written], Settings())


@pytest.mark.parametrize("name", ["./\udcff", "https://host/\udcff", "a\udcff", "./channel"])
def test_a_channel_that_is_not_utf_8_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is not UTF-8"):
        resolve_channels([name], Settings(), folder="/a\udcff")


_URLS = st.text(st.sampled_from("abct:/@.?#[]%~-_ \\0189") | st.characters(), max_size=40)


@given(st.sampled_from(["", "https://", "file://", "http://h/t/", "https://u:p@", "./", "C:\\"]), _URLS)
@settings(max_examples=200)
def test_any_text_is_a_channel_or_a_settings_error(start: str, text: str) -> None:
    for configured in (NOTHING, CONFIGURED):
        try:
            (channel,) = resolve_channels([start + text], configured)
        except SettingsError:
            continue
        assert channel.name
        assert all("://" in url for url in channel.urls)
        # A name that was found leads back to the same place, since it distinguishes environments.
        (again,) = resolve_channels([channel.name], configured)
        assert (again.name, again.urls) == (channel.name, channel.urls)


def test_a_custom_channel_must_be_a_url(tmp_path: Path) -> None:
    settings = configured(tmp_path, "custom_channels:\n  mine: /srv/conda\n")
    with pytest.raises(SettingsError, match="`mine` must be a URL") as caught:
        resolve_channels(["conda-forge"], settings)
    assert caught.value.where[0].line == 2


# --- Specs


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("numpy", (None, "numpy")),
        ("conda-forge::numpy >=1", ("conda-forge", "numpy >=1")),
        ("https://host/x::numpy", ("https://host/x", "numpy")),
        ("numpy[channel='a::b']", (None, "numpy[channel='a::b']")),
    ],
)
def test_the_channel_of_a_spec_is_split_off(spec: str, expected: tuple[str | None, str]) -> None:
    assert split_spec(spec) == expected


def test_channels_compare_by_name_alone() -> None:
    assert resolve_channels(["conda-forge"], CONFIGURED) == (Channel("conda-forge", ()),)
