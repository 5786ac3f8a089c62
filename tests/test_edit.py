"""Editing headers: what was asked for is there afterwards, and nothing else has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import MatchSpec

from conda_execute.errors import HeaderError, PlaceError, UsageError
from conda_execute.files import rewrite
from conda_execute.script.editing import editor
from conda_execute.script.header import extent, find_header, native, read_header
from conda_execute.script.header.dependencies import named
from conda_execute.script.header.keys import Header
from conda_execute.script.header.pixi import without_source
from conda_execute.specs.match_spec import spec_name
from conda_execute.specs.requirement import requirement_name
from tests import headers

PLATFORM = "linux-64"


def readable(path: Path) -> bool:
    try:
        read_header(path.read_bytes(), path.name, PLATFORM)
    except HeaderError:
        return False
    return True


SCRIPTS = [path for path in headers.scripts() if readable(path)]
IDS = [f"{path.parent.name}/{path.name}" for path in SCRIPTS]

NAMES = st.sampled_from(["numpy", "python", "scipy", "r-base", "zlib", "lib_x.y", "PyYAML", "gcc", "_openmp"])
VERSIONS = [
    *("", " >=1", " >=1.20,<2", " 1.2.*", "=1.2", "==1.2", "=1.2=py_0", " 1.2 py_0", " >=1|<0.5", "!=1.1", " ~=1.2"),
    *("[version='>=1',build=x]", '[build_number=">=3"]'),
]
SPECS = st.builds("{}{}{}".format, st.sampled_from(["", "", "conda-forge::"]), NAMES, st.sampled_from(VERSIONS))
REQUIREMENTS = st.sampled_from(
    [
        *("rich", "rich>=13", "Rich >=13, <14", "requests<3", "zope.interface", "a==1!2.0.post1", "mine @ ./mine"),
        *("httpx[http2,socks]>=0.27", "tomli>=2; python_version < '3.11'", 'colorama ; sys_platform == "win32"'),
        *("pip @ https://example.org/pip-24.0-py3-none-any.whl", "x @ git+https://example.org/x.git@v1"),
    ]
)


def around(data: bytes) -> tuple[bytes, bytes]:
    """What comes before and after the header."""
    found = find_header(data, "script")
    assert found is not None
    lines = data.split(b"\n")
    before = b"".join(line + b"\n" for line in lines[: found.first - 1])
    return before, data[extent(data, found) :]


def same_text(before: bytes, after: bytes) -> None:
    """Nothing around the header has changed; a last line may have got its ending."""
    assert around(after) == around(before)
    assert (b"\r\n" in before) == (b"\r\n" in after)
    if b"\r\n" in before and before.count(b"\n") == before.count(b"\r\n"):
        assert after.count(b"\n") == after.count(b"\r\n")


def read(data: bytes, path: Path) -> Header:
    return read_header(data, path.name, PLATFORM)


def others(header: Header, name: str) -> tuple[object, ...]:
    specs = [spec for spec in header.specs if spec_name(spec) not in (name, "python")]
    pypi = [requirement for requirement in header.pypi if named(requirement, "pypi") != name]
    uv = without_source(header.uv, name)
    rest = (header.channels, header.run_with, header.entrypoint, header.variables, uv, header.constraints)
    return (specs, pypi, rest)


@settings(max_examples=500)
@given(st.sampled_from(SCRIPTS), SPECS)
def test_added_spec_is_read_and_nothing_else_changes(path: Path, spec: str) -> None:
    before = path.read_bytes()
    try:
        after = editor.add_specs(before, path.name, [spec], platform=PLATFORM)
    except HeaderError as error:
        refusal = error.message
    else:
        refusal = ""
    if refusal:
        # `[dependencies.zlib]`, a table of its own, and what a target says otherwise are left to people.
        assert "over several lines" in refusal or "says otherwise" in refusal
        return
    same_text(before, after)
    header = read(after, path)
    wanted = [text for text in header.specs if spec_name(text) == spec_name(spec)]
    if header.format == native.FORMAT:
        assert spec in wanted
    else:
        assert str(MatchSpec(spec.lower())) in [str(MatchSpec(text)) for text in wanted]
    assert others(header, spec_name(spec)) == others(read(before, path), spec_name(spec))
    assert editor.add_specs(after, path.name, [spec], platform=PLATFORM) == after


@settings(max_examples=250)
@given(st.sampled_from(SCRIPTS), REQUIREMENTS)
def test_added_requirement_is_read_and_nothing_else_changes(path: Path, requirement: str) -> None:
    from packaging.requirements import Requirement

    before = path.read_bytes()
    after = editor.add_specs(before, path.name, [], [requirement], platform=PLATFORM)
    same_text(before, after)
    header = read(after, path)
    name = named(requirement, "pypi")
    wanted = [text for text in header.pypi if named(text, "pypi") == name]
    assert wanted
    if "@ ./" not in requirement:
        assert any(Requirement(text) == Requirement(requirement) for text in wanted), wanted
    assert others(header, name) == others(read(before, path), name)


@settings(max_examples=250)
@given(st.sampled_from(SCRIPTS), SPECS, REQUIREMENTS)
def test_adding_and_removing_again_changes_nothing_that_is_read(path: Path, spec: str, requirement: str) -> None:
    before = path.read_bytes()
    header = read(before, path)
    if spec_name(spec) in map(spec_name, header.specs) or requirement_name(requirement) in map(
        requirement_name, header.pypi
    ):
        return
    added = editor.add_specs(before, path.name, [spec], [requirement], platform=PLATFORM)
    try:
        after = editor.remove_specs(added, path.name, [spec], [requirement], platform=PLATFORM)
    except HeaderError as error:
        refusal = error.message
    else:
        same_text(before, after)
        assert others(read(after, path), "") == others(header, "")
        return
    # `numpy # [win]` stays behind on other platforms, and `pip` in brackets cannot be left with nothing.
    assert "cannot be edited" in refusal or "left empty" in refusal


@pytest.mark.parametrize("path", SCRIPTS, ids=IDS)
def test_every_entry_can_be_removed(path: Path) -> None:
    before = path.read_bytes()
    header = read(before, path)
    for kind, texts in (("spec", header.specs), ("pypi", header.pypi)):
        for text in texts:
            name = named(text, kind)
            asked = ([text], []) if kind == "spec" else ([], [text])
            try:
                after = editor.remove_specs(before, path.name, *asked, platform=PLATFORM)
            except HeaderError as error:
                refusal = error.message
            else:
                same_text(before, after)
                left = read(after, path)
                names = map(spec_name, left.specs) if kind == "spec" else map(requirement_name, left.pypi)
                assert name not in names or name == "python"
                assert others(left, name) == others(header, name)
                continue
            known = ("all that the header asks", "no spec named", "no PyPI requirement named", "over several lines",
                     "left empty", "cannot be edited")  # fmt: skip
            assert any(words in refusal for words in known), refusal


LAYOUTS = {
    "entries keep their indentation": (
        """
#   conda execute
#   env:
#       - python   # why
#   run_with: python
""",
        ["numpy >=2"],
        ["rich"],
        """
#   conda execute
#   env:
#       - python   # why
#       - numpy >=2
#       - pip:
#         - rich
#   run_with: python
""",
    ),
    "a spec is replaced where it stands": (
        """
// conda execute
// env:
//  - 'python >=3' # why
//  - numpy
""",
        ["python 3.12.*"],
        [],
        """
// conda execute
// env:
//  - python 3.12.* # why
//  - numpy
""",
    ),
    "a list in brackets stays one": (
        """
# conda execute
# env: [python, numpy,]
""",
        ["scipy >=1,<2", "zlib"],
        ["rich"],
        """
# conda execute
# env: [python, numpy, 'scipy >=1,<2', zlib, {pip: [rich]},]
""",
    ),
    "requirements join the others": (
        """
# conda execute
# env:
# - pip:
#   - rich
""",
        ["numpy"],
        ["httpx[http2]"],
        """
# conda execute
# env:
# - numpy
# - pip:
#   - rich
#   - 'httpx[http2]'
""",
    ),
    "text that YAML would take for something else is quoted": (
        """
# conda execute
# env: [python]
""",
        ["numpy[version='>=1']"],
        [],
        """
# conda execute
# env: [python, 'numpy[version=''>=1'']']
""",
    ),
    "a list over lines grows by a line": (
        """
# /// script
# dependencies = [
#     "rich",  # why
# ]
# ///
""",
        [],
        ["a", 'b ; x == "y"'],
        """
# /// script
# dependencies = [
#     "rich",  # why
#     "a",
#     'b ; x == "y"',
# ]
# ///
""",
    ),
    "a missing comma is put before a note": (
        """
# /// script
# dependencies = [
#   "rich"  # why
# ]
# ///
""",
        [],
        ["a"],
        """
# /// script
# dependencies = [
#   "rich",  # why
#   "a"
# ]
# ///
""",
    ),
    "a list in one line stays so": (
        """
# /// script
# dependencies = ["rich"]  # why
# ///
""",
        [],
        ["a"],
        """
# /// script
# dependencies = ["rich", "a"]  # why
# ///
""",
    ),
    "missing lists and tables are made": (
        """
# /// script
# requires-python = ">=3.11"
# ///
""",
        ["numpy >=2"],
        ["rich"],
        """
# /// script
# requires-python = ">=3.11"
# dependencies = ["rich"]
#
# [tool.conda]
# dependencies = ["numpy >=2"]
# ///
""",
    ),
    "dotted keys stay dotted": (
        """
# /// script
# tool.conda.channels = ["a"]
# ///
""",
        ["numpy"],
        [],
        """
# /// script
# tool.conda.channels = ["a"]
# tool.conda.dependencies = ["numpy"]
# ///
""",
    ),
    "tool.pixi is extended where it is used": (
        """
# /// script
# [tool.pixi.dependencies]
# python = "3.*"
#
# [tool.x]
# ///
""",
        ["conda-forge::numpy >=2"],
        [],
        """
# /// script
# [tool.pixi.dependencies]
# python = "3.*"
# numpy = { version = ">=2", channel = "conda-forge" }
#
# [tool.x]
# ///
""",
    ),
    "conda-script keeps its prefix": (
        """
%% /// conda-script
%% channels = ["a"]
%% entrypoint = "b"
%%
%% [dependencies]
%%   zlib = "*"
%% /// end-conda-script
""",
        ["numpy", "zlib >=1"],
        ["rich[a]"],
        """
%% /// conda-script
%% channels = ["a"]
%% entrypoint = "b"
%%
%% [dependencies]
%%   zlib = ">=1"
%%   numpy = "*"
%%
%% [tool.pixi.pypi-dependencies]
%% rich = { version = "*", extras = ["a"] }
%% /// end-conda-script
""",
    ),
}


@pytest.mark.parametrize(("before", "specs", "pypi", "after"), LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_the_layout_of_the_header_is_kept(
    before: str, specs: list[str], pypi: list[str], after: str, ending: str
) -> None:
    def script(header: str) -> bytes:
        return (
            b"\xef\xbb\xbf" + ("#!/x\n\n" + header + "\ncode \u2603\n").replace("\n", ending).encode() + b"\xff\r\r\n"
        )

    # Bytes after the first 64 KiB may be anything.
    rest = b"x" * (1 << 16) + b"\n\xff\0"
    edited = editor.add_specs(script(before)[:-4] + rest, "a", specs, pypi, platform=PLATFORM)
    assert edited.decode("utf-8", "replace") == (script(after)[:-4] + rest).decode("utf-8", "replace")
    assert edited == script(after)[:-4] + rest


REMOVALS = {
    "a line": (
        """
# conda execute
# env:
# - a
# - b >=1 # why
""",
        ["b"],
        [],
        """
# conda execute
# env:
# - a
""",
    ),
    "every condition": (
        """
# conda execute
# env:
# - a
# - b # [win]
# - b 2 # [unix]
""",
        ["b"],
        [],
        """
# conda execute
# env:
# - a
""",
    ),
    "from brackets": (
        """
# conda execute
# env: [a, b , c]
""",
        ["b"],
        [],
        """
# conda execute
# env: [a, c]
""",
    ),
    "the last in brackets": (
        """
# conda execute
# env: [a, b]
""",
        ["b"],
        [],
        """
# conda execute
# env: [a]
""",
    ),
    "a line in brackets": (
        """
# conda execute
# env: [
#   a,
#   b
# ]
""",
        ["b"],
        [],
        """
# conda execute
# env: [
#   a,
# ]
""",
    ),
    "the last requirement": (
        """
# conda execute
# env:
# - a
# - pip:
#   - b
# - c
""",
        [],
        ["B"],
        """
# conda execute
# env:
# - a
# - c
""",
    ),
    "from a list": (
        """
# /// script
# dependencies = ["a", "b>=1", "c"]
# ///
""",
        [],
        ["b"],
        """
# /// script
# dependencies = ["a", "c"]
# ///
""",
    ),
    "a line of a list": (
        """
# /// script
# dependencies = [
#   "a",
#   "b", # why
# ]
# ///
""",
        [],
        ["b"],
        """
# /// script
# dependencies = [
#   "a",
# ]
# ///
""",
    ),
    "from a table": (
        """
# /// script
# [tool.pixi.dependencies]
# a = "*"
# b = { version = "*" } # why
# c = "*"
# ///
""",
        ["B"],
        [],
        """
# /// script
# [tool.pixi.dependencies]
# a = "*"
# c = "*"
# ///
""",
    ),
    "from an inline table": (
        """
# /// script
# tool.pixi = { dependencies = { a = "*", b = "*" } }
# ///
""",
        ["b"],
        [],
        """
# /// script
# tool.pixi = { dependencies = { a = "*" } }
# ///
""",
    ),
}


@pytest.mark.parametrize(("before", "specs", "pypi", "after"), REMOVALS.values(), ids=REMOVALS)
def test_removing_takes_out_no_more_than_it_should(before: str, specs: list[str], pypi: list[str], after: str) -> None:
    assert editor.remove_specs(before.encode(), "a", specs, pypi, platform=PLATFORM).decode() == after


@pytest.mark.parametrize(
    ("before", "specs", "message"),
    [
        ("# conda execute\n# env: [a]\n", ["a"], "`a` is all that the header asks for"),
        ("# conda execute\n# env: [a]\n", ["b"], "the header has no spec named `b`"),
        ("print()\n", ["b"], "has no header"),
        ("# conda execute\n# evn: [a]\n", ["b"], "`evn` is not a key"),
    ],
    ids=["last", "absent", "no header", "broken header"],
)
def test_what_cannot_be_removed_is_an_error(before: str, specs: list[str], message: str) -> None:
    with pytest.raises(HeaderError, match=message) as caught:
        editor.remove_specs(before.encode(), "a.py", specs, platform=PLATFORM)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("# conda execute\n# env: numpy\n", "`env` must be a list, found a string"),
        ("# conda execute\n# env:\n#  - pip:\n#     - rich: 13\n", "a requirement must be a string"),
    ],
    ids=["string", "mapping"],
)
def test_a_header_that_cannot_be_read_is_shown_instead_of_edited(before: str, message: str) -> None:
    for change in (editor.add_specs, editor.remove_specs):
        for wishes in ({"specs": ["zlib"]}, {"pypi": ["rich"]}):
            with pytest.raises(HeaderError, match=message) as caught:
                change(before.encode(), "a.py", **wishes, platform=PLATFORM)
            assert caught.value.where


@pytest.mark.parametrize("spec", ["", " ", ">=1", "a\nb", "a\x00"], ids=repr)
def test_what_is_no_spec_is_not_added(spec: str) -> None:
    with pytest.raises(UsageError):
        editor.add_specs(b"# conda execute\n# env: [a]\n", "a.py", [spec], platform=PLATFORM)


FIRST = {
    "a.py": ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\nprint()\n", 2, ("python",)),
    "b.py": ('"""Doc."""\n', 0, ("python",)),
    "empty.py": ("", 0, ("python",)),
    "no-ending.py": ("print()", 0, ("python",)),
    "a.R": ("#!/usr/bin/env Rscript\r\ncat(1)\r\n", 1, ("r-base",)),
    "a.js": ("console.log(1)\n", 0, ("nodejs",)),
    "a.lua": ("print(1)\n", 0, ("lua",)),
    "a.hs": ("main = print 1\n", 0, ("ghc",)),
    "a.lisp": ("(print 1)\n", 0, ("sbcl",)),
    "a.php": ("<?php\necho 1;\n", 1, ("php",)),
    "b.php": ("#!/usr/bin/env php\n<?php\necho 1;\n", 2, ("php",)),
    "a.ex": ("IO.puts 1\n", 0, ("elixir",)),
    "a.nf": ("#!/usr/bin/env nextflow\nworkflow {}\n", 1, ("nextflow",)),
    "modeline.py": ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# vim: set et:\nprint()\n", 3, ("python",)),
    "a.sh": ("#!/bin/sh\n# a comment\necho 1\n", 1, ("bash",)),
    "a.tex": ("\\documentclass{article}\n", 0, ("tectonic",)),
    "a.bat": ("@echo off\necho 1\n", 1, ("python",)),
    "a.vim": ("echo 1\n", 0, ("python",)),
    "a.c": ("int main(void) { return 0; }\n", 0, ("gcc",)),
    "a.f90": ("program a\nend program\n", 0, ("gfortran",)),
    "tool": ("#!/usr/bin/env node\n// a comment\n", 1, ("nodejs",)),
    "tool2": ("#!/usr/bin/python3 -u\n# a comment\n", 1, ("python",)),
}


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("wanted", [[], ["numpy >=2", "zlib"]], ids=["", "with specs"])
@pytest.mark.parametrize("pypi", [[], ["rich >=13"]], ids=["", "with requirements"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
def test_first_header_reads_as_what_was_asked_for(name: str, wanted: list[str], pypi: list[str], mark: bytes) -> None:
    """It comes after what must come first, every line of the script is still there, and it reads back equal."""
    text, line, specs = FIRST[name]
    before = mark + text.encode()
    after = editor.initial(before, name, wanted, pypi, platform=PLATFORM)
    header = read_header(after, name, PLATFORM)
    expected = [*(["python"] if pypi and "python" not in specs else []), *specs, *wanted]
    if name in ("a.bat", "a.vim") and wanted:
        expected = [*wanted, *(["python"] if pypi else [])]
    assert sorted(header.specs) == sorted(set(expected))
    assert list(header.pypi) == pypi
    assert header.lines[0] == line + 1
    assert after.startswith(mark)
    kept = after.removeprefix(mark).splitlines()
    del kept[line : header.lines[1]]
    if kept[line:] and kept[line:] != text.encode().splitlines()[line:]:
        assert kept.pop(line) == b""
    assert kept == text.encode().splitlines()
    assert (b"\r\n" in before) == (b"\r\n" in after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "<?php\n// conda execute\n// env:\n//  - php\n"),
        ("<p>1</p>\n", "<?php\n// conda execute\n// env:\n//  - php\n?>\n<p>1</p>\n"),
        ("<?php echo 1 ?>\n<p>", "<?php\n// conda execute\n// env:\n//  - php\n?>\n<?php echo 1 ?>\n<p>"),
    ],
    ids=["empty", "page", "tag in a line"],
)
def test_first_header_is_not_printed_by_php(before: str, after: str) -> None:
    assert editor.initial(before.encode(), "a.php", platform=PLATFORM).decode() == after


def test_first_header_names_the_channel_of_its_package() -> None:
    header = read_header(editor.initial(b"", "a.nf", platform=PLATFORM), "a.nf", PLATFORM)
    assert header.channels == ("conda-forge", "bioconda")


def test_first_header_is_refused_where_there_is_one() -> None:
    with pytest.raises(HeaderError, match="has a header already"):
        editor.initial(b"# conda execute\n# env: [a]\n", "a.py")


def test_rewriting_keeps_mode_and_link(tmp_path: Path) -> None:
    script = tmp_path / "real" / "script.py"
    script.parent.mkdir()
    script.write_bytes(b"old")
    script.chmod(0o754)
    link = tmp_path / "link.py"
    link.symlink_to(script)
    rewrite(str(link), b"new\r\n")
    assert script.read_bytes() == b"new\r\n"
    assert script.stat().st_mode & 0o7777 == 0o754
    assert link.is_symlink()
    assert os.listdir(script.parent) == ["script.py"]


def test_rewriting_what_is_not_there_makes_it(tmp_path: Path) -> None:
    rewrite(str(tmp_path / "script.py"), b"new")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "script.py").stat().st_mode & 0o777 == 0o666 & ~umask


def test_rewriting_that_fails_leaves_the_script_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "script.py"
    folder.mkdir()
    (folder / "x").write_bytes(b"")
    with pytest.raises(PlaceError, match="cannot be rewritten"):
        rewrite(str(folder), b"new")
    assert os.listdir(tmp_path) == ["script.py"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "my plots" / "x"
    with pytest.raises(PlaceError, match=f"there is no folder `{folder}`") as caught:
        rewrite(str(folder / "y.py"), b"new")
    assert caught.value.hint == f"create it: mkdir -p '{folder}'"
    link = tmp_path / "link.py"
    link.symlink_to(folder / "y.py")
    with pytest.raises(PlaceError, match=f"`{link}` cannot be written: there is no folder `{folder}`"):
        rewrite(str(link), b"new")
    assert os.listdir(tmp_path) == ["link.py"]
