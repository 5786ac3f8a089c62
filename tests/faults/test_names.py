"""Odd bytes in names: what is printed for a person holds nothing that a terminal acts on, and JSON is always UTF-8."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.conftest import World

#: Escape, bell, a line of its own, a byte that is no UTF-8, and a mark that turns the direction.
ODD = b"s\x1b[31m\x07\r\nerror: x\x9b\xe2\x80\xae.lua"
SCRIPT = b"# conda execute\n# env: [lua]\n# run_with: lua\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file systems refuse such names")


@pytest.fixture
def odd(world: World) -> tuple[World, Path]:
    script = world.work / os.fsdecode(ODD)
    script.write_bytes(SCRIPT)
    return world.with_(CONDA_EXECUTE_AUTO_CLEAN="false"), script


def is_harmless(output: bytes) -> bool:
    """Whether a terminal does nothing but print it. What is no UTF-8 decodes to surrogates, of category Cs."""
    text = output.decode(errors="surrogateescape").replace("\n", "")
    return not any(unicodedata.category(one) in ("Cc", "Cf", "Cs") for one in text)


def test_what_is_printed_for_people_is_harmless(odd: tuple[World, Path]) -> None:
    world, script = odd
    broken = script.with_name(script.name.replace(".lua", "2.lua"))
    broken.write_bytes(b"# conda execute\n# env: 7\n")
    for words in (
        ["conda-execute", "--print-prefix", "-v", script.name],
        ["conda-execute", "--lock", script.name],
        ["conda-execute", "--lock", "--check", script.name],
        ["conda-execute", "--check", script.name, broken.name],
        ["conda-execute", "--add", "lua", script.name],
        ["conda-execute", "--init", "new" + script.name],
        ["conda-execute", script.name + ".missing"],
        ["conda-execute", broken.name],
        ["conda-tmpenv", "list", "-v"],
        ["conda-tmpenv", "info", script.name],
        ["conda-tmpenv", "create", script.name],
        ["conda-tmpenv", "clear", "--dry-run", script.name + ".missing"],
    ):
        done = world.run(words, text=False)
        assert done.returncode in (0, 125, 127), done
        assert is_harmless(done.stdout), done
        assert is_harmless(done.stderr), done
        assert b"Traceback" not in done.stderr, done
        assert b"\nerror: x" not in done.stdout + done.stderr, done


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONIOENCODING": "latin-1"}])
def test_json_is_utf_8_and_says_the_very_bytes(odd: tuple[World, Path], locale: dict[str, str]) -> None:
    world, _ = odd
    other = world.work / (os.fsdecode(ODD) + "é€")
    other.write_bytes(SCRIPT)
    made = world.execute("--print-prefix", "--json", other.name, text=False, env=locale, check=True)
    assert json.loads(made.stdout.decode("utf-8"))["prefix"] == str(world.prefixes()[0])
    listed = world.tmpenv("list", "--json", text=False, env=locale, check=True).stdout
    assert is_harmless(listed)
    (found,) = json.loads(listed.decode("utf-8"))
    assert os.fsencode(found["script"]) == os.fsencode(other)
    refused = world.execute("--json", "--check", other.name + ".missing", text=False, env=locale)
    assert os.fsencode(other.name) in os.fsencode(json.loads(refused.stdout.decode("utf-8"))["error"])


def test_a_character_that_the_locale_lacks_ends_nothing(odd: tuple[World, Path]) -> None:
    world, _ = odd
    script = world.script("dé€.lua", SCRIPT)
    world.execute("--print-prefix", script, check=True)
    done = world.tmpenv("list", env={"PYTHONIOENCODING": "ascii"}, check=True)
    assert "d\\xe9\\u20ac.lua" in done.stdout


def test_a_path_is_printed_for_programs_as_it_is(odd: tuple[World, Path]) -> None:
    world, _ = odd
    place = os.fsencode(world.root) + b"/\xff"
    world = world.with_(CONDA_EXECUTE_ENV_DIR=os.fsdecode(place))
    printed = world.tmpenv("name", "lua", text=False, check=True).stdout
    assert printed.startswith(place + b"/")
