"""Two versions on one disk: what 1.0 left or does is understood, and the other way round.

1.0 is the commit below, unpacked from this repository; where that is not there, nothing can be tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from conda_execute.environments import layout
from conda_execute.environments.store import Store
from conda_execute.environments.sweep import clear, survey
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
