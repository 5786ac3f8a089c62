"""A process that is Python already becomes the launcher where that knows the script, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launching import HEADER, ROOT, Place, make_place

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the launcher is a POSIX shell's")

#: The first word names the launcher, as conda's own folder of programs does.
DOOR = f"""\
import sys; sys.path.insert(0, {str(ROOT)!r})
from conda_execute.launch.process import LAUNCHED, LAUNCHED_BY, hand_over, os
hand_over(sys.argv[2:], sys.argv[1])
print("Python goes on", os.environ.get(LAUNCHED), os.environ.get(LAUNCHED_BY))
"""


def enter(place: Place, *words: str) -> str:
    command = [sys.executable, "-c", DOOR, str(place.launcher), *words]
    options = {"env": place.environ, "cwd": place.work, "capture_output": True, "text": True}
    return str(subprocess.run(command, check=True, **options).stdout)  # type: ignore[call-overload]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path / "a place")


@pytest.mark.parametrize("given", ["x.py", "./x.py", "absolute"])
def test_script_with_a_record_is_the_launchers(place: Place, given: str) -> None:
    script = place.script("x.py", HEADER + "\nimport sys; print(sys.argv[1:])\n")
    given = str(script) if given == "absolute" else given
    assert enter(place, given, "a b") == f"Python goes on {script} {place.launcher}\n"
    place.run(given)
    asked = place.asked
    assert enter(place, given, "a b", "-v") == "['a b', '-v']\n"
    assert place.asked == asked, "no other Python was started"


@pytest.mark.parametrize("words", [["--check", "x.py"], ["-"], [], ["absent.py"], ["../work/x.py"]], ids=str)
def test_everything_else_goes_on_in_this_process(place: Place, words: list[str]) -> None:
    place.run(place.script("x.py", HEADER + "\nprint('ran')\n"))
    assert enter(place, *words) == "Python goes on None None\n"
