"""A script whose command starts conda-execute again ends with an error; one that starts itself as a child may."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from conda_execute.environments import uses
from conda_execute.errors import ExecuteError
from conda_execute.launch.loops import refuse_loop
from conda_execute.model import Use
from tests.conftest import World
from tests.protocol import small

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

HEADER = "# conda execute\n# env:\n#  - python >=3\n"


def ended(world: World, text: str, *words: str) -> str:
    script = world.script("x.sh", text)
    done = world.execute(script, *words, timeout=120)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "command",
    ["[env, X=1, conda-execute]", "conda-execute", "[sh, -c, 'exec conda-execute \"$0\"']", "[nice, conda-execute]"],
)
def test_command_that_becomes_us_again_is_a_loop(world: World, command: str) -> None:
    assert "runs itself endlessly" in ended(world, f"{HEADER}# run_with: {command}\necho never\n")


def test_wrapper_of_another_name_is_a_loop(world: World) -> None:
    wrapper = world.script("mine", '#!/bin/sh\nexec conda-execute "$@"\n')
    for _ in range(2):
        assert "runs itself endlessly" in ended(world, f"#!{wrapper}\n{HEADER}echo never\n")


def test_two_scripts_that_become_each_other_are_a_loop(world: World) -> None:
    other = world.work / "y.sh"
    world.script("y.sh", f"{HEADER}# run_with: [sh, -c, 'exec conda-execute {world.work}/x.sh']\n")
    text = f"{HEADER}# run_with: [sh, -c, 'exec conda-execute {other}']\n"
    for _ in range(2):
        assert "runs itself endlessly" in ended(world, text)


def test_without_proc_a_process_is_known_by_when_it_began(tmp_path: Path) -> None:
    environment = small.ensure(str(tmp_path))
    use = Use(os.getpid(), uses.UNKNOWN, uses.place())
    with open(uses.note_path(environment, use), "w") as note:
        note.write(f"123.5 {os.readlink('/proc/self/ns/pid')} /x.sh\n")  # of another process that had this id
    refuse_loop(environment, use, "/x.sh", {})
    refuse_loop(environment, use, "/y.sh", {})
    with pytest.raises(ExecuteError, match="runs itself endlessly"):
        refuse_loop(environment, use, "/x.sh", {})


def test_fork_is_ended_by_its_depth(world: World) -> None:
    text = f"{HEADER}# run_with: [sh, -c, 'conda-execute \"$0\" && true']\necho never\n"
    assert "32 processes above this one run it" in ended(world, text)


def test_script_that_starts_itself_as_a_child_runs(world: World) -> None:
    text = f"""{HEADER}# run_with: python
import subprocess, sys
depth = int(sys.argv[1])
print(depth, flush=True)
if depth:
    subprocess.run(["conda-execute", __file__, str(depth - 1)], check=True)
"""
    script = world.script("x.py", text)
    for _ in range(2):
        assert world.execute(script, "5", check=True).stdout.split() == ["5", "4", "3", "2", "1", "0"]


def test_nothing_of_the_guard_reaches_the_script(world: World) -> None:
    script = world.script(
        "x.sh", f"{HEADER}# run_with: sh\nenv | grep -i -e loop -e depth -e launch -e _ce_ || echo none\n"
    )
    for _ in range(2):
        assert world.execute(script, check=True).stdout == "none\n"


def test_containers_of_one_name_that_started_together_are_no_loop(tmp_envs: str) -> None:
    """Their processes have one number and one start, and so one note."""
    environment = small.ensure(tmp_envs)
    note = uses.note_path(environment, uses.this_process())
    with open(note, "a") as file:
        file.write("pid:[1] /x.sh\n")
    refuse_loop(environment, uses.this_process(), "/x.sh", {})
    with pytest.raises(ExecuteError, match="this process has run it before"):
        refuse_loop(environment, uses.this_process(), "/x.sh", {})
