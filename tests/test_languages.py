"""Laws of the table of languages: what `--init` asks for, what runs the script and what is looked for agree."""

from __future__ import annotations

import pytest

from conda_execute.script import interpreter, languages
from conda_execute.script.editing import editor
from conda_execute.script.header import read_header
from conda_execute.specs.match_spec import spec_name

RUN = [language for language in languages.LANGUAGES if language.command and language.package]


def test_a_suffix_has_one_language() -> None:
    suffixes = [suffix for language in languages.LANGUAGES for suffix in language.suffixes]
    assert sorted(suffixes) == sorted(set(suffixes))
    assert all(suffix == suffix.lower() for suffix in suffixes)


def test_a_program_has_one_language() -> None:
    programs = [program for language in languages.LANGUAGES for program in language.programs]
    assert sorted(programs) == sorted(set(programs))


@pytest.mark.parametrize("language", RUN, ids=lambda language: language.package)
@pytest.mark.parametrize("by", ["suffix", "shebang"])
def test_the_package_of_a_first_header_brings_the_program_that_runs_the_script(
    by: str, language: languages.Language
) -> None:
    """`pwsh`, `nu`, `runghc` and `awk` were looked for in packages of these names, which nobody had asked for."""
    program = language.command[0]
    name = f"x{language.suffixes[0]}" if by == "suffix" else "x"
    before = b"" if by == "suffix" else f"#!/usr/bin/env {program}\n".encode()
    header = read_header(editor.initial(before, name, platform="linux-64"), name, "linux-64")
    wanted = interpreter.without_env(interpreter.choose(header.run_with, before, name, lambda _: False))[0]
    assert wanted == program
    package = language.package if program == "sh" else languages.package_of(wanted)
    assert package in map(spec_name, header.specs)


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("#!/usr/bin/env python3", "python"),
        ("#!/usr/bin/python3.12 -u", "python"),
        ("#!/usr/bin/env -S node --test", "nodejs"),
        ("#!/bin/sh -e", "bash"),
    ],
)
def test_a_shebang_says_the_language(line: str, package: str) -> None:
    found = languages.of_shebang(line)
    assert found is not None
    assert found.package == package


@pytest.mark.parametrize(
    ("path", "line", "sign"),
    [
        ("x.lua", "", "--"),
        ("x.F90", "", "!"),
        ("x", "#!/usr/bin/env node", "//"),
        ("x.py", "#!/usr/bin/env node", "#"),
        ("x.unknown", "", "#"),
    ],
)
def test_the_sign_of_a_comment_is_that_of_the_language(path: str, line: str, sign: str) -> None:
    assert languages.comment_sign(path, line) == sign
