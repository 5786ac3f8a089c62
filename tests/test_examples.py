"""Every example runs as it stands, from the local channel in conda-forge's place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, World

Example = Callable[[str], Path]


@pytest.fixture
def example(world: World, channel: Path) -> Example:
    """A function that copies an example into the world, since some leave files beside themselves."""
    needs = {"greet.lua": "lua", "primes.c": "gcc", "collatz.c": "gcc"}

    def copy(name: str) -> Path:
        package = needs.get(name)
        if package and not any(channel.glob(f"*/{package}-*")):
            pytest.skip(f"the local channel has no {package} on this machine")
        return Path(shutil.copy(CHECKOUT / "examples" / name, world.work))

    return copy


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("greet.lua", ["moon"], "hello moon, from Lua 5.4\n"),
        ("primes.c", ["12"], "2\n3\n5\n7\n11\n"),
        ("collatz.c", ["27"], "111\n"),
        ("inline.py", [], "the sum of the first million numbers is 500.0 billion\n"),
    ],
    ids=["lua", "c", "conda-script", "inline"],
)
def test_example_prints(world: World, example: Example, name: str, arguments: list[str], expected: str) -> None:
    done = world.execute(example(name), *arguments, check=True)
    assert done.stdout == expected


@pytest.mark.parametrize("name", ["my_script.py", "execute_directly.py"])
def test_numpy_draws_three_numbers(world: World, example: Example, name: str) -> None:
    done = world.execute(example(name), check=True)
    assert len([float(number) for number in done.stdout.strip("[] \n").split()]) == 3


@pytest.mark.parametrize("name", ["execute_directly.py", "greet.lua", "highlight.sh"])
def test_example_runs_through_its_shebang(world: World, example: Example, name: str) -> None:
    script = example(name)
    assert os.access(script, os.X_OK)
    assert world.run([script], check=True).stdout


def test_shell_script_finds_the_tool_of_its_environment(world: World, example: Example) -> None:
    script = example("highlight.sh")
    coloured = world.execute(script, check=True).stdout
    assert "\x1b[" in coloured
    assert "pygmentize" in coloured


def test_no_example_is_without_a_test() -> None:
    tested = Path(__file__).read_text()
    assert not [path.name for path in (CHECKOUT / "examples").iterdir() if path.name not in tested]


def test_make_run_shows_the_transcript_of_the_readme(world: World, tmp_path: Path) -> None:
    """Twice: the second time solves nothing, and the shebang finds what the program made."""
    path = os.pathsep.join([world.environ["PATH"].split(os.pathsep)[0], os.path.dirname(sys.executable), os.defpath])
    environ = {"PATH": path, "HOME": os.path.expanduser("~")}  # where pyenv keeps the interpreters
    command = [CHECKOUT / ".ci" / "examples", "local", tmp_path / "made"]
    first, second = (world.run(command, env=environ, check=True, stderr=subprocess.STDOUT) for _ in range(2))
    prefix = tmp_path / "made" / "local" / "tmp_envs" / "ea977067a8fbeb21a594"
    verbose = """\
Using specification: 
env: [python >=3, numpy]
run_with: [/usr/bin/env, python]
"""  # noqa: W291
    for done in (first, second):
        assert verbose in done.stdout
        assert f"Prefix: {prefix}\n" in done.stdout
        assert len(re.findall(r"^\[.*\]$", done.stdout, re.MULTILINE)) == 2
    assert "solving" in first.stdout
    assert "solving" not in second.stdout
