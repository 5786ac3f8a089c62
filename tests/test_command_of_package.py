"""`conda execute -x COMMAND`: a program of a package, without a script."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conda_execute.script import command
from tests import tiny
from tests.channel import Package
from tests.conftest import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the packages are of POSIX")

SHOW = '#!/bin/sh\nprintf "%s" "{}"; for word; do printf " [%s]" "$word"; done; echo\n'


@pytest.fixture
def machine(world: World, make_channel: Callable[..., str]) -> World:
    """A machine with a channel of packages that have programs."""
    show = {version: {"bin/show": SHOW.format(version)} for version in ("1.0", "2.0")}
    url = make_channel(
        *(Package("show", version, files, noarch="generic") for version, files in show.items()),
        Package("tools", "1.0", {"bin/saw": SHOW.format("saw"), "bin/drill": SHOW.format("drill")}, noarch="generic"),
    )
    return world.with_(CONDA_CHANNELS=url)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["-x", "show"], "2.0\n"),
        (["-x", "show", "a b", "-x", "--help", ""], "2.0 [a b] [-x] [--help] []\n"),
        (["-x", "show=1.0", "-v"], "1.0 [-v]\n"),
        (["-x", "show <2", "*"], "1.0 [*]\n"),
        (["--with", "tools", "-x", "saw", "wood"], "saw [wood]\n"),
        (["--with", "tools", "--with", "show <2", "-x", "show"], "1.0\n"),
    ],
    ids=["name", "arguments", "version", "range", "with", "two packages"],
)
def test_it_runs_with_its_arguments(machine: World, words: list[str], printed: str) -> None:
    runs = [machine.execute(*words) for _ in range(4)]
    assert [run.stdout for run in runs] == [printed] * 4, runs[0].stderr


@pytest.mark.parametrize("action", ["--check", "--dry-run", "--print-prefix", "--lock", "--outdated"])
def test_arguments_of_the_program_are_no_scripts(machine: World, action: str) -> None:
    plain, with_words = (machine.execute(action, "-x", "show", *words) for words in ((), ("one", "-v")))
    assert (with_words.returncode, with_words.stdout) == (plain.returncode, plain.stdout)
    assert "one" not in with_words.stderr


def test_what_with_asked_for_once_is_not_what_runs_without_it(machine: World) -> None:
    assert machine.execute("--with", "show=1.0", "-x", "show").stdout == "1.0\n"
    assert [machine.execute("-x", "show").stdout for _ in range(3)] == ["2.0\n"] * 3
    assert machine.execute("--with", "show=1.0", "-x", "show").stdout == "1.0\n"


def test_the_third_run_needs_no_python(machine: World, tmp_path: Path) -> None:
    """A launcher that has no Python half next to it runs it nevertheless."""
    programs = shutil.copytree(machine.environ["PATH"].split(":")[0], tmp_path / "programs")
    world = machine.with_(PATH=f"{programs}:/usr/bin:/bin")
    for _ in range(2):
        world.execute("-x", "show", check=True)
    (programs / "conda-execute-py").unlink()
    run = world.execute("-x", "show", "x")
    assert (run.stdout, run.stderr) == ("2.0 [x]\n", "")


def test_input_and_status_are_the_programs_own(machine: World, make_channel: Callable[..., str]) -> None:
    files = {"bin/reads": "#!/bin/sh\nread line; echo got $line; exit 7\n"}
    url = make_channel(Package("reads", "1.0", files, noarch="generic"), name="more")
    world = machine.with_(CONDA_CHANNELS=url)
    for _ in range(3):
        run = world.execute("-x", "reads", input="words\n")
        assert (run.returncode, run.stdout) == (7, "got words\n")


def test_a_program_that_the_package_lacks_gets_the_list_of_those_it_has(machine: World) -> None:
    run = machine.execute("-x", "tools")
    assert run.returncode == 127
    assert run.stderr == (
        "error: `tools` has no program `tools`\nhint: it has `drill` and `saw`: `conda-execute --with tools -x drill`\n"
    )


def test_a_package_without_programs_says_so(machine: World, make_channel: Callable[..., str]) -> None:
    run = machine.with_(CONDA_CHANNELS=make_channel(Package("data", "1.0", noarch="generic"))).execute("-x", "data")
    assert run.returncode == 127
    assert run.stderr == (
        "error: `data` has no program `data`\n"
        "hint: it has no programs at all; in Python: `conda-execute --with data -x python`\n"
        "      if another package has it: `conda-execute --with PACKAGE -x data`\n"
    )


@pytest.mark.parametrize("word", ["nothing", "tools=7"])
def test_a_package_that_is_not_there_is_one_of_the_command_line(machine: World, word: str) -> None:
    run = machine.execute("-x", word)
    assert (run.returncode, f"  -x {word}\n" in run.stderr, "under `" in run.stderr) == (125, True, False), run.stderr


def test_a_script_that_is_not_there_may_have_been_meant_as_a_program(machine: World) -> None:
    run = machine.execute("--with", "tools", "saw", "-t", "a b")
    assert run.returncode == 127
    assert "`conda-execute --with tools -x saw -t 'a b'`" in run.stderr


@pytest.mark.parametrize("word", ["./show", "a/b", "", "-v"])
def test_what_is_no_name_is_refused(machine: World, word: str) -> None:
    run = machine.execute("-x", word)
    assert (run.returncode, "is not the name of a program" in run.stderr) == (125, True)


def test_it_goes_with_what_is_done_instead(machine: World) -> None:
    prefix = machine.execute("--print-prefix", "-x", "show", check=True).stdout.strip()
    assert Path(prefix, "bin/show").exists()
    assert "show 1.0" in machine.execute("--dry-run", "-x", "show=1.0", check=True).stdout
    assert machine.execute("--lock", "-x", "show").returncode == 125


def test_a_package_of_pypi(machine: World, channel_url: str, tmp_path: Path) -> None:
    page = tmp_path / "index" / "hello" / "index.html"
    wheel = tiny.wheel(page.parent, "hello", "1.0", programs={"hello": "hello:main"})
    page.write_text(f'<a href="{wheel.as_uri()}">{wheel.name}</a>\n')
    world = machine.with_(CONDA_CHANNELS=channel_url, UV_DEFAULT_INDEX=page.parents[1].as_uri())
    assert [world.execute("-x", "pypi:hello").stdout for _ in range(3)] == ["hello 1.0\n"] * 3


def test_many_at_once_make_one_environment(machine: World) -> None:
    running = [machine.start(["conda-execute", "-x", "show", str(number)]) for number in range(24)]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert printed == [f"2.0 [{number}]\n" for number in range(24)]
    assert len(machine.prefixes()) == 1


def test_shells_see_a_program_and_not_a_script(machine: World) -> None:
    path = command.script_of("show", machine.environ, has_package=False)
    assert command.program_at(path, machine.environ) == "show"
    assert command.program_at(str(machine.work / "show"), machine.environ) is None
    assert subprocess.run(["sh", "-n", path], check=False).returncode == 0
