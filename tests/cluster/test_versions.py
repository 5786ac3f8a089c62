"""Two versions on one disk: what 1.0 left or does is understood, and the other way round.

1.0 is the commit below, unpacked from this repository; where that is not there, nothing can be tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conda_execute.environments import layout
from conda_execute.environments.store import Store
from conda_execute.environments.sweep import clear, survey
from tests.channel import Package
from tests.conftest import World, install_programs
from tests.protocol import small

OLD = "c37f5c0"

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory with the package of 1.0 in it."""
    place = tmp_path_factory.mktemp("old")
    words = ["git", "-C", str(small.ROOT), "archive", OLD, "conda_execute"]
    archive = subprocess.run(words, check=False, capture_output=True)
    if archive.returncode != 0:
        pytest.skip(f"{OLD} is not in this repository")
    subprocess.run(["tar", "-x", "-C", str(place)], input=archive.stdout, check=True)
    return str(place)


BEGIN = """
import os, sys, time
from conda_execute import prepare, sweep, usage
from conda_execute.model import Channel, Request
from conda_execute.store import Store
from types import SimpleNamespace
tmp_envs = sys.argv[1]
request = Request(specs=("python >=3",), channels=(Channel("conda-forge", ()),), platform="linux-64",
                  host_platform="linux-64")
def create(prefix, descriptor):
    os.makedirs(os.path.join(prefix, "conda-meta"))
    for number in range(2):
        open(os.path.join(prefix, "conda-meta", f"package-{number}.json"), "w").write("{}")
    return SimpleNamespace(packages=2, size=1234, virtual_packages=(), backend="old")
def ensure():
    return prepare.ensure(request, Store(tmp_envs), create, script="old.py")
"""


def start(old: str, tmp_envs: str, code: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", BEGIN + code, tmp_envs]
    environ = {**os.environ, "PYTHONPATH": old}
    return subprocess.Popen(words, env=environ, cwd="/", stdout=subprocess.PIPE, text=True)


def run(old: str, tmp_envs: str, code: str) -> str:
    process = start(old, tmp_envs, code)
    output, _ = process.communicate()
    assert process.returncode == 0
    return output.strip()


RUN = "print(ensure().prefix, flush=True)\nos.execv('/bin/sleep', ['sleep', '60'])"
CLEAR = "print(len(sweep.clear(Store(tmp_envs)).freed))"


@pytest.fixture
def old_run(old: str, tmp_envs: str) -> Iterator[subprocess.Popen[str]]:
    process = start(old, tmp_envs, RUN)
    assert process.stdout is not None
    assert process.stdout.readline().strip()
    yield process
    if process.poll() is None:
        small.end(process)


def test_both_call_an_environment_the_same_and_use_what_the_other_made(old: str, tmp_envs: str) -> None:
    made = small.ensure(tmp_envs)
    assert run(old, tmp_envs, "print(ensure().prefix)") == made.prefix
    assert run(old, tmp_envs, "print(ensure().marker.backend)") == "small"


def test_new_cleaner_spares_what_an_old_run_uses(tmp_envs: str, old_run: subprocess.Popen[str]) -> None:
    assert clear(Store(tmp_envs)).freed == ()
    [found] = survey(Store(tmp_envs))
    assert [process.pid for process in found.processes] == [old_run.pid]
    small.end(old_run)
    assert len(clear(Store(tmp_envs)).freed) == 1


def test_old_cleaner_spares_what_a_new_run_uses(old: str, tmp_envs: str) -> None:
    process = small.runner(tmp_envs)
    assert run(old, tmp_envs, CLEAR) == "0"
    small.end(process)
    assert run(old, tmp_envs, CLEAR) == "1"


def test_old_creator_keeps_a_new_one_out(old: str, tmp_envs: str) -> None:
    code = "lock = Store(tmp_envs).lock('0' * 20)\nprint('held', flush=True)\ntime.sleep(60)"
    process = start(old, tmp_envs, code)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert Store(tmp_envs).try_to_lock("0" * 20) is None
    small.end(process)
    lock = Store(tmp_envs).try_to_lock("0" * 20)
    assert lock is not None
    lock.release()


def test_new_creator_keeps_an_old_one_out(old: str, tmp_envs: str) -> None:
    code = "print(Store(tmp_envs).lock('0' * 20, wait=False))"
    with Store(tmp_envs).lock("0" * 20):
        assert run(old, tmp_envs, code) == "None"
    assert run(old, tmp_envs, code) != "None"


@pytest.mark.parametrize("died", ["creating", "cleaning"])
def test_each_puts_right_what_the_other_died_of(old: str, tmp_envs: str, died: str) -> None:
    first = small.idle(tmp_envs)
    (os.unlink if died == "creating" else lambda path: os.rename(path, layout.marker_aside(first.prefix)))(
        layout.marker(first.prefix)
    )
    assert run(old, tmp_envs, "print(ensure().prefix)") == first.prefix
    code = f"print(ensure().prefix)\nStore(tmp_envs).unmark({first.name!r})" if died == "cleaning" else "print()"
    run(old, tmp_envs, code)
    assert small.ensure(tmp_envs).prefix == first.prefix


def test_old_sweep_and_a_new_one_each_keep_their_own_time(old: str, tmp_envs: str) -> None:
    """1.0 had one time for all hosts, in a file of its own."""
    small.idle(tmp_envs)
    code = "from conda_execute import hourly\nenv = ensure()\nfrom datetime import timedelta as t\n"
    code += "note = usage.note_path(env, usage.this_process())\nprint(hourly._is_due(Store(tmp_envs), note))"
    assert run(old, tmp_envs, code) == "True"
    clear(Store(tmp_envs))
    assert sorted(name for name in os.listdir(tmp_envs) if name.startswith(".")) == [".boots", ".locks", ".trash"]


def test_nothing_of_the_new_files_is_an_environment_to_the_old(old: str, tmp_envs: str) -> None:
    clear(Store(tmp_envs))
    assert run(old, tmp_envs, "print(Store(tmp_envs).list())") == "[]"


# The whole programs: launchers, records, Python, engines -------------------------------------------------------------

SLOW = '#!/bin/sh\nfor i in $(seq 600); do [ -e "$HOME/quick" ] && exit; sleep 0.1; done\n'

PAIRS = pytest.mark.parametrize(("first", "second"), [("old", "new"), ("new", "old"), ("new", "new")])


@pytest.fixture
def programs_of(old: str, programs: Path, tmp_path: Path) -> dict[str, str]:
    """Where the programs of each version are."""
    place = install_programs(tmp_path / "programs-1.0", Path(old), "launcher", "conda_execute.tmpenv")
    return {"old": str(place), "new": str(programs)}


@pytest.fixture
def users(world: World, programs_of: dict[str, str]) -> dict[str, World]:
    """One user with both versions: one home, one directory of environments, one cache."""
    rest = world.environ["PATH"].split(os.pathsep, 1)[1]
    return {name: world.with_(PATH=f"{place}{os.pathsep}{rest}") for name, place in programs_of.items()}


@pytest.fixture
def script(world: World, make_channel: Callable[..., str]) -> Path:
    url = make_channel(Package("slow", "1.0", {"bin/.slow-post-link.sh": SLOW, "bin/slow": "x"}))
    text = f"# conda execute\n# env: [slow]\n# channels: ['{url}']\n# run_with: sh\n"
    text += 'test -e "$CONDA_PREFIX/bin/slow" || exit 71\nbasename "$CONDA_PREFIX"/conda-meta/*.uses-*\nsleep $1\n'
    text += 'test -e "$CONDA_PREFIX/bin/slow" || exit 72\n'
    return world.script("slow.sh", text)


def test_versions_of_the_trial_are_what_they_say(users: dict[str, World]) -> None:
    assert "1.0.0" in users["old"].execute("--version").stdout
    assert "1.0.0" not in users["new"].execute("--version").stdout


@PAIRS
def test_records_of_one_launcher_serve_or_do_not_mislead_the_other(
    users: dict[str, World], script: Path, first: str, second: str
) -> None:
    """Each version runs cold, then by its launcher, then after the other has written its own record."""
    (users["new"].home / "quick").touch()
    runs = [users[name].execute(script, "0") for name in (first, first, second, second, first, second)]
    assert [run.returncode for run in runs] == [0] * 6, runs
    assert len({run.stdout for run in runs}) == 1, "one environment, created once"


@PAIRS
def test_cleaner_of_either_version_spares_what_a_launcher_started(
    users: dict[str, World], script: Path, first: str, second: str
) -> None:
    (users["new"].home / "quick").touch()
    for _ in range(2):
        users[first].execute(script, "0", check=True)
    run = users[first].start(["conda-execute", script, "60"], start_new_session=True)
    assert run.stdout is not None
    run.stdout.readline()
    done = users[second].tmpenv("clear", "--min-age", "0", check=True)
    assert "in use by process" in done.stdout
    assert "kept 1" in done.stdout
    os.killpg(run.pid, 9)
    run.communicate()
    assert "removed 1 environment" in users[second].tmpenv("clear", "--min-age", "0", check=True).stdout
    assert users[first].execute(script, "0").returncode == 0, "its record names what has gone"


@PAIRS
def test_creator_of_one_version_is_waited_for_by_the_other(
    users: dict[str, World], script: Path, first: str, second: str
) -> None:
    creator = users[first].start(["conda-execute", script, "0"])
    small.wait_for(lambda: list(users[first].tmp_envs.glob("*/conda-meta")), 60)
    waiter = users[second].start(["conda-execute", script, "0"])
    assert waiter.stderr is not None
    while "waiting for" not in (line := waiter.stderr.readline()):
        assert line, "it ended without a wait"
    (users[first].home / "quick").touch()
    outputs = [process.communicate()[0] for process in (creator, waiter)]
    assert (creator.returncode, waiter.returncode) == (0, 0)
    assert outputs[0] == outputs[1] != ""


@PAIRS
def test_creator_that_was_killed_is_followed_by_the_other(
    users: dict[str, World], script: Path, first: str, second: str
) -> None:
    creator = users[first].start(["conda-execute", script, "0"], start_new_session=True)
    small.wait_for(lambda: list(users[first].tmp_envs.glob("*/conda-meta")), 60)
    os.killpg(creator.pid, 9)
    creator.communicate()
    (users[first].home / "quick").touch()
    assert users[second].execute(script, "0", check=True).stdout.count("uses-") == 1
    assert len(Store(str(users[first].tmp_envs)).list()) == 1
