"""Reading headers: every script of the corpus gives what is in the file next to it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from conda_execute.cli import inspect
from conda_execute.configuration.channels import resolve_channels
from conda_execute.configuration.declared import Settings
from conda_execute.errors import ExecuteError, HeaderError, Location, SettingsError
from conda_execute.options import RunOptions
from conda_execute.plan import understand
from conda_execute.script.header import HEAD, entrypoint, extent, find_header, read_header
from conda_execute.script.header.keys import Header
from conda_execute.specs import platforms
from tests import headers

SCRIPTS = headers.scripts()
NATIVE = b"# conda execute\n# env:\n#  - python >=3\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=[f"{path.parent.name}/{path.name}" for path in SCRIPTS])
def test_script_reads_as_expected(script: Path) -> None:
    """The header, or the error down to its caret; `python -m tests.headers.update` writes it anew."""
    expected = script.with_name(script.name + headers.EXPECTED)
    assert headers.outcome(script) == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=[f"{path.parent.name}/{path.name}" for path in SCRIPTS])
def test_locations_point_at_what_was_written(script: Path) -> None:
    """Every location is a place that exists, and shows its line as it is."""
    data = script.read_bytes()
    try:
        header = read_header(data, script.name, "linux-64")
    except HeaderError as error:
        places = list(error.where)
    else:
        assert header.lines[0] >= 1
        places = [where for _, where in header.locations]
        assert all(header.lines[0] <= (where.line or 0) <= header.lines[1] for where in places)
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n")
    for where in places:
        if where.line is not None and where.text is not None:
            assert lines[where.line - 1].removesuffix("\r") == where.text
            assert where.column is None or 1 <= where.column <= len(where.text) + 1


#: What `--check -v` shows of every header.
SHOWN_BY_ALL = {"script", "format", "name", "platform", "notices"}
#: Keys that our own headers have, too.
KEYS = ("exclude newer", "renew after")


def has_more(header: Header) -> bool:
    """Whether it says what `--check` does not show."""
    parts = (header.uv, header.overrides, header.exclude_newer_of, header.pypi_exclude_newer, header.solve_strategy)
    return any(parts) or header.narrowing is not None


def test_what_check_shows_reads_back_to_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a header of our own, where that has all the keys; the commands in any case."""
    shown = 0
    for script in SCRIPTS:
        try:
            plan = understand(RunOptions((str(script),)))
        except ExecuteError:
            continue
        inspect.print_meaning(inspect.meaning_of(plan, ""))
        lines = [line for line in capsys.readouterr().out.split("\n") if line]
        width = len(lines[0]) - len(lines[0].partition(":")[2].lstrip())
        said: dict[str, list[str]] = {}
        key = ""
        for line in lines:
            key = line[:width].strip().removesuffix(":") or key
            said.setdefault(key, []).append(line[width:])
        if plan.header.entrypoint is not None:
            assert entrypoint.parse(said["entrypoint"][0], Location("x")) == plan.header.entrypoint, script
            continue
        assert tuple(shlex.split(said["run with"][0])) == plan.words(), script
        if said.keys() - {*SHOWN_BY_ALL, "specs", "pypi", "channels", "run with", *KEYS} or has_more(plan.header):
            continue
        entries = [json.dumps(spec) for spec in said.get("specs", [])]
        entries += [f"pip: {json.dumps(said['pypi'])}"] if "pypi" in said else []
        keys = [f"channels: {json.dumps(said['channels'])}", f"run_with: {json.dumps(said['run with'][0])}"]
        keys += [f"{key.replace(' ', '-')}: {said[key][0]}" for key in KEYS if key in said]
        again = tmp_path / script.name
        again.write_text("\n# ".join(["# conda execute", "env:", *(f" - {entry}" for entry in entries), *keys]) + "\n")
        there = understand(RunOptions((str(again),)))
        assert (there.name, there.words()) == (plan.name, plan.words()), script
        assert there.header.renew_after == plan.header.renew_after, script
        shown += 1
    assert shown > 50


def test_only_the_first_64_kib_are_searched() -> None:
    line = b"# " + b"x" * 61 + b"\n"
    room = (HEAD - len(NATIVE) - 1) // len(line)
    assert read_header(line * room + b"\n" + NATIVE + b"\n" + line * 2000, "x", "linux-64").specs == ("python >=3",)
    with pytest.raises(HeaderError, match="has no header in its first 64 KiB"):
        read_header(line * 1024 + b"\n" + NATIVE, "x", "linux-64")


def test_header_cut_by_the_64_kib_is_an_error_not_a_shorter_header() -> None:
    padding = b"x" * (HEAD - len(NATIVE) - 10) + b"\n"
    with pytest.raises(HeaderError, match="does not end within the first 64 KiB"):
        read_header(padding + NATIVE + b"#  - numpy\n", "x", "linux-64")


@pytest.mark.parametrize(
    ("before", "ending"), [(b"", b"\n"), (b"\xef\xbb\xbf", b"\r\n"), (b"#!/bin/sh\n\n", b"\r\n")], ids=repr
)
def test_extent_reaches_to_the_end_of_the_last_line(before: bytes, ending: bytes) -> None:
    header = before + NATIVE.replace(b"\n", ending)
    data = header + ending + b"print()" + ending
    assert extent(data, read_header(data, "x.py", "linux-64")) == len(header)
    found = find_header(data, "x.py")
    assert found is not None
    assert extent(data, found) == len(header)
    assert extent(header.rstrip(), found) == len(header.rstrip())


@pytest.mark.parametrize("data", [b"", b"print()\n", b"\0\1\2", b"\xff\xfe#\0", b"caf\xe9\n" + NATIVE], ids=repr)
def test_no_header_is_found_where_none_can_be(data: bytes) -> None:
    assert find_header(data, "x") is None
    with pytest.raises(HeaderError):
        read_header(data, "x", "linux-64")


@pytest.mark.parametrize(
    ("path", "told"),
    [("sub/foo.py", "sub/foo.py"), ("/a/foo.py", "/a/foo.py"), ("my plots/it's.py", "'my plots/it'\"'\"'s.py'")],
    ids=["below", "absolute", "quoted"],
)
def test_the_command_that_writes_a_header_names_the_script_as_it_was_given(path: str, told: str) -> None:
    with pytest.raises(HeaderError) as caught:
        read_header(b"print()\n", path, "linux-64")
    assert caught.value.hint is not None
    assert f"`conda execute --init {told}`" in caught.value.hint


@pytest.mark.parametrize("platform", platforms.KNOWN)
def test_a_platform_is_known_wherever_one_can_be_named(platform: str) -> None:
    """There were three lists: `linux-loongarch64` was not known to conditions, `linux-riscv32` not to channels."""
    native = f"# conda execute\n# env:\n#  - a\n#  - b # [{platform}]\n".encode()
    assert read_header(native, "x", platform).specs == ("a", "b")
    assert read_header(native, "x", "nothing-else").specs == ("a",)
    pixi = f'# /// script\n# [tool.pixi.target.{platform}.dependencies]\n# b = "*"\n# ///\n'.encode()
    assert "b" in read_header(pixi, "x", platform).specs
    command = f'# /// conda-script\n# channels = ["a"]\n# entrypoint = {{ {platform} = "b" }}\n# /// end-conda-script\n'
    assert str(read_header(command.encode(), "x", platform).entrypoint) == "b"
    with pytest.raises(SettingsError, match="one platform of a channel"):
        resolve_channels((f"https://example.org/chan/{platform}",), Settings())
