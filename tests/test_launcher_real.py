"""The launcher with everything real: a channel, a solve, the programs as they are installed."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="every run is Python's there")

SHOW = "import json, os, sys; print(json.dumps([sys.argv, sorted(os.environ.items()), os.getcwd(), sys.executable]))\n"

NATIVE = f"#!/usr/bin/env conda-execute\n# conda execute\n# env:\n#  - python\n# run_with: python\n\n{SHOW}"
PEP_723 = f"# /// script\n# [tool.conda]\n# dependencies = ['python']\n# ///\n\n{SHOW}"
CONDA_SCRIPT = f"""\
# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${{SCRIPT}} first"
# [dependencies]
# python = "*"
# /// end-conda-script

{SHOW}"""


@dataclass(frozen=True)
class Watched:
    """A world whose Python half tells when it is asked."""

    world: World
    log: Path

    @property
    def asked(self) -> int:
        return len(self.log.read_text()) if self.log.exists() else 0


@pytest.fixture
def watched(world: World, tmp_path: Path) -> Watched:
    programs = Path(world.environ["PATH"].split(":")[0])
    folder, log = tmp_path / "watched programs", tmp_path / "log"
    folder.mkdir()
    shutil.copy(programs / "conda-execute", folder)
    half = folder / "conda-execute-py"
    half.write_text(f"#!/bin/sh\nprintf x >>'{log}'\nexec '{programs / 'conda-execute-py'}' \"$@\"\n")
    half.chmod(0o755)
    return Watched(world.with_(PATH=f"{folder}:{world.environ['PATH']}"), log)


def seen(text: str) -> tuple[list[str], dict[str, str], str, str]:
    arguments, variables, directory, executable = json.loads(text)
    return arguments, {name: value for name, value in variables if name != "_"}, directory, executable


@pytest.mark.parametrize("text", [NATIVE, PEP_723, CONDA_SCRIPT], ids=["native", "pep 723", "conda-script"])
def test_second_run_needs_no_python_of_ours_and_is_the_same(watched: Watched, text: str) -> None:
    script = watched.world.script("show.py", text)
    first, second, third = (watched.world.execute(script, "a b", "-v", check=True).stdout for _ in range(3))
    assert seen(first) == seen(second) == seen(third)
    assert watched.asked == 1


def test_shebang_runs_by_the_launcher(watched: Watched) -> None:
    script = watched.world.script("show.py", NATIVE)
    told = [seen(watched.world.run([script, "x"], check=True).stdout) for _ in range(2)]
    assert told[0][0] == told[1][0] == [str(script), "x"]
    assert watched.asked == 1


def test_cleared_environment_is_made_again(world: World) -> None:
    script = world.script("show.py", NATIVE)
    for _ in range(2):
        world.execute(script, check=True)
    world.tmpenv("clear", check=True)
    assert world.prefixes() == []
    world.execute(script, check=True)
    assert len(world.prefixes()) == 1
