"""Creating and finding environments: what a process finds, what it makes of it, and what it leaves behind."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from conda_execute import files
from conda_execute.environments import ensure, filesystem, layout, processes
from conda_execute.environments import lock as mutex
from conda_execute.environments import uses as usage
from conda_execute.environments.store import Store
from conda_execute.errors import CreationError, InUseError, PlaceError
from conda_execute.model import Built, Environment
from tests.protocol import small, steps


def never(prefix: str, descriptor: int) -> Built:
    raise AssertionError("nothing was to be created")


def notes(environment: Environment) -> list[str]:
    return sorted(os.listdir(layout.uses(environment.prefix, environment.marker.build)))


def left_over(tmp_envs: str) -> list[str]:
    return sorted(name for name in os.listdir(tmp_envs) if name != ".locks" and os.listdir(Path(tmp_envs, name)))


class TestLookAgain:
    def test_missing_environment_is_created_once_and_then_used(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        assert small.ensure(tmp_envs, create=never) == first
        assert notes(first) == [str(usage.this_process())]

    def test_unfinished_prefix_is_created_again(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        os.unlink(layout.marker(first.prefix))
        Path(first.prefix, "rubbish").touch()
        second = small.ensure(tmp_envs)
        assert second.prefix == first.prefix
        assert second.marker.build != first.marker.build
        assert not Path(second.prefix, "rubbish").exists()

    def test_marker_that_a_dead_sweeper_put_aside_is_put_back(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        Store(tmp_envs).unmark(first.name)
        assert small.ensure(tmp_envs, create=never) == first

    def test_damaged_marker_is_an_unfinished_prefix(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        Path(layout.marker(first.prefix)).write_text('{"format": 1, "bui')
        assert small.ensure(tmp_envs).marker.build != first.marker.build

    def test_file_in_place_of_a_prefix_is_an_unfinished_one(self, tmp_envs: str) -> None:
        Path(tmp_envs, prepare_name()).touch()
        assert small.ensure(tmp_envs).name == prepare_name()

    def test_use_is_noted_before_the_lock_is_free(self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[str, bool]] = []
        name = prepare_name()

        def look() -> None:
            environment = Store(tmp_envs).find(name)
            assert environment is not None
            busy = Store(tmp_envs).try_to_lock(name) is None
            seen.append((notes(environment)[0], busy))

        steps.at("noted", look, monkeypatch.setattr)
        small.ensure(tmp_envs)
        assert seen == [(str(usage.this_process()), True)]

    def test_note_whose_directory_a_person_removed_is_made_again(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        shutil.rmtree(layout.uses(first.prefix, first.marker.build))
        assert small.ensure(tmp_envs, create=never) == first
        assert notes(first)


def prepare_name() -> str:
    from conda_execute.environments.name import environment_name

    return environment_name(small.request())


class TestFailure:
    @pytest.mark.parametrize("problem", [CreationError("x"), KeyboardInterrupt(), ZeroDivisionError()], ids=repr)
    def test_failed_creation_leaves_the_prefix_absent(self, tmp_envs: str, problem: BaseException) -> None:
        def create(prefix: str, descriptor: int) -> Built:
            small.create(prefix, descriptor)
            raise problem

        with pytest.raises(type(problem)):
            small.ensure(tmp_envs, create=create)
        assert left_over(tmp_envs) == []
        lock = Store(tmp_envs).try_to_lock(prepare_name())
        assert lock is not None
        lock.release()

    @pytest.mark.parametrize("ends_well", [True, False], ids=["made", "failed"])
    def test_creator_whose_place_was_deleted_leaves_alone_what_the_next_one_makes(
        self, tmp_envs: str, ends_well: bool
    ) -> None:
        """As `rm -rf ~/.cache` does it: the lock goes with the rest."""

        def create(prefix: str, descriptor: int) -> Built:
            shutil.rmtree(tmp_envs)
            os.mkdir(tmp_envs, 0o700)
            next_one = Store(tmp_envs).try_to_lock(prepare_name())
            assert next_one is not None
            built = small.create(prefix, next_one.descriptor)
            if not ends_well:
                raise CreationError("what was linked is not there", step="link")
            return built

        with pytest.raises(CreationError, match="was deleted" if ends_well else "is not there"):
            small.ensure(tmp_envs, create=create)
        assert Store(tmp_envs).state(prepare_name()) == "unfinished"
        assert not os.path.exists(layout.trash(tmp_envs))

    @pytest.mark.parametrize("ends_well", [True, False], ids=["made", "failed"])
    def test_creator_leaves_alone_what_another_host_made_whose_lock_it_did_not_see(
        self, tmp_envs: str, ends_well: bool
    ) -> None:
        """As on a file system whose locks count on one host alone: the other one took the lock too, and runs by now."""
        theirs: list[Environment] = []

        def create(prefix: str, descriptor: int) -> Built:
            path = Path(layout.lock(tmp_envs, prepare_name()))
            path.write_text("7-7@other+boot+7\nother.py\n")
            small.create(prefix, descriptor)
            with_marker = small.marker(prepare_name())
            theirs.append(Store(tmp_envs).finish(prepare_name(), with_marker))
            if not ends_well:
                raise CreationError("what was linked is not there", step="link")
            return Built(packages=2, size=1)

        with pytest.raises(CreationError, match="was deleted" if ends_well else "is not there"):
            small.ensure(tmp_envs, create=create)
        assert Store(tmp_envs).read(prepare_name()) == theirs[0]

    def test_full_disk_is_said(self, tmp_envs: str) -> None:
        def create(prefix: str, descriptor: int) -> Built:
            small.create(prefix, descriptor)
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(CreationError, match="the disk is full"):
            small.ensure(tmp_envs, create=create)
        assert left_over(tmp_envs) == []

    def test_failure_before_anything_was_made_says_nothing_of_the_disk(self, tmp_envs: str) -> None:
        def create(prefix: str, descriptor: int) -> Built:
            raise CreationError("no package", step="download")

        with pytest.raises(CreationError) as caught:
            small.ensure(tmp_envs, create=create)
        assert caught.value.hint is None

    def test_failed_solve_touches_nothing(self, tmp_envs: str) -> None:
        def solve() -> None:
            raise CreationError("no solution", step="solve")

        with pytest.raises(CreationError, match="no solution"):
            small.ensure(tmp_envs, create=never, solve=solve)
        assert left_over(tmp_envs) == []

    def test_others_wait_while_an_orphaned_installer_works(self, tmp_envs: str, tmp_path: Path) -> None:
        code = """
import os, signal, subprocess, sys
from tests.protocol import small
def create(prefix, descriptor):
    script = 'mkdir -p "$0/conda-meta"; sleep 1.5; touch "$0/written-late" "$1"'
    command = ["sh", "-c", script, prefix, sys.argv[2]]
    subprocess.Popen(command, pass_fds=[descriptor], stdout=subprocess.DEVNULL)
    os.kill(os.getpid(), signal.SIGKILL)
small.ensure(sys.argv[1], create=create)
"""
        process = small.python(code, tmp_envs, str(ended := tmp_path / "ended"))
        assert process.wait() == -signal.SIGKILL
        environment = small.ensure(tmp_envs)
        assert ended.exists()
        assert not Path(environment.prefix, "written-late").exists()


class TestInUse:
    """No prefix is repaired or created again while it has live uses."""

    def test_lost_marker_in_use_gets_a_neighbour(self, tmp_envs: str) -> None:
        process = small.runner(tmp_envs)
        first = Store(tmp_envs).find(prepare_name())
        assert first is not None
        os.unlink(layout.marker(first.prefix))
        second = small.ensure(tmp_envs)
        assert second.prefix == first.prefix + ".1"
        assert Path(first.prefix, "bin", "sleep").exists()
        assert small.ensure(tmp_envs, create=never) == second
        small.end(process)

    def test_purged_prefix_in_use_gets_a_neighbour(self, tmp_envs: str) -> None:
        process = small.runner(tmp_envs)
        first = Store(tmp_envs).find(prepare_name())
        assert first is not None
        os.unlink(os.path.join(first.prefix, "conda-meta", "package-0.json"))
        assert not ensure.is_complete(first)
        second = small.ensure(tmp_envs)
        assert second.prefix == first.prefix + ".1"
        assert Store(tmp_envs).read(first.name) == first, "the marker is back"
        assert small.ensure(tmp_envs, create=never) == second
        small.end(process)

    def test_lost_marker_on_a_network_file_system_is_no_reason_not_to_wait_for_other_hosts(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two minutes, cut short here."""
        first = small.ensure(tmp_envs)
        small.forget(first)
        os.unlink(layout.marker(first.prefix))
        note = Path(layout.uses(first.prefix, first.marker.build), "7-7@other+boot+1")
        monkeypatch.setattr(filesystem, "is_network", lambda path: True)
        monkeypatch.setattr(time, "sleep", lambda seconds: note.touch())
        assert small.ensure(tmp_envs).name == first.name + ".1"

    def test_purged_prefix_that_nobody_uses_is_created_again(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        os.unlink(os.path.join(first.prefix, "conda-meta", "package-0.json"))
        second = small.ensure(tmp_envs)
        assert second.prefix == first.prefix
        assert ensure.is_complete(second)

    def test_own_note_does_not_keep_a_purged_prefix(self, tmp_envs: str) -> None:
        """The launcher notes first and counts the package records then; Python has its pid and finds its note."""
        first = small.ensure(tmp_envs)
        os.unlink(os.path.join(first.prefix, "conda-meta", "package-0.json"))
        assert notes(first) == [str(usage.this_process())]
        assert small.ensure(tmp_envs).prefix == first.prefix

    def test_environment_without_what_the_run_needs_is_created_again(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        program = Path(first.prefix, "bin", "sleep")
        program.unlink()
        second = small.ensure(tmp_envs, sound=lambda environment: program.exists())
        assert second.marker.build != first.marker.build

    def test_package_added_by_hand_is_no_damage(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        Path(first.prefix, "conda-meta", "added-1-0.json").write_text("{}")
        assert small.ensure(tmp_envs, create=never) == first

    def test_foreign_note_keeps_a_broken_prefix(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        Path(layout.uses(first.prefix, first.marker.build), "7-7@other+boot+7").touch()
        os.unlink(layout.marker(first.prefix))
        assert small.ensure(tmp_envs).name == first.name + ".1"

    def test_many_broken_and_used_prefixes_are_an_error(self, tmp_envs: str) -> None:
        for candidate in Store(tmp_envs).candidates(prepare_name()):
            uses = Path(layout.uses(layout.prefix(tmp_envs, candidate), "build"))
            uses.mkdir(parents=True)
            (uses / "7-7@other+boot+7").touch()
        with pytest.raises(CreationError, match="damaged and in use"):
            small.ensure(tmp_envs, create=never)


class TestForce:
    def test_forced_environment_is_created_again(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        second = small.ensure(tmp_envs, force=True)
        assert second.prefix == first.prefix
        assert second.marker.build != first.marker.build
        assert left_over(tmp_envs) == [first.name]

    def test_environment_in_use_is_refused_with_the_processes(self, tmp_envs: str) -> None:
        process = small.runner(tmp_envs)
        with pytest.raises(InUseError) as caught:
            small.ensure(tmp_envs, force=True, create=never)
        assert f"process {process.pid} (sleep 60): noted" in str(caught.value.details)
        assert small.ensure(tmp_envs, create=never)
        small.end(process)

    def test_daemon_without_a_note_is_refused_too(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        daemon = subprocess.Popen([os.path.join(first.prefix, "bin", "sleep"), "60"], cwd="/", env={})
        small.wait_for(lambda: processes.inhabitants(tmp_envs))
        with pytest.raises(InUseError) as caught:
            small.ensure(tmp_envs, force=True, create=never)
        assert f"process {daemon.pid} (sleep 60): program inside" in str(caught.value.details)
        daemon.kill()
        daemon.wait()

    def test_solves_before_it_removes(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)

        def solve() -> None:
            raise CreationError("no solution", step="solve")

        with pytest.raises(CreationError, match="no solution"):
            small.ensure(tmp_envs, force=True, solve=solve, create=never)
        assert Store(tmp_envs).find(first.name) == first, "the marker is back"
        assert small.ensure(tmp_envs, create=never) == first

    def test_on_a_network_file_system_force_waits_for_other_hosts(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two minutes, cut short here: a note that another host's cache hid comes to light."""
        first = small.ensure(tmp_envs)
        small.forget(first)
        notices: list[str] = []
        note = Path(layout.uses(first.prefix, first.marker.build), "7-7@other+boot+1")
        monkeypatch.setattr(filesystem, "is_network", lambda path: True)
        monkeypatch.setattr(time, "sleep", lambda seconds: note.touch())
        with pytest.raises(InUseError) as caught:
            small.ensure(tmp_envs, force=True, create=never, notice=notices.append)
        assert caught.value.details == "process 7 on other"
        assert notices == [f"waiting 120 seconds for other hosts that may use `{tmp_envs}`"]

    def test_interrupt_while_it_looks_puts_the_marker_back(self, tmp_envs: str) -> None:
        """As Ctrl-C does in the two minutes that it waits for other hosts."""
        first = small.ensure(tmp_envs)
        small.forget(first)
        code = """
import sys
from conda_execute.environments import filesystem
from tests.protocol import small
filesystem.is_network = lambda path: True
small.ensure(sys.argv[1], force=True, notice=lambda text: print(text, flush=True))
"""
        process = small.python(code, tmp_envs, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("waiting")
        assert Store(tmp_envs).state(first.name) == "aside"
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate()[1]
        assert Store(tmp_envs).find(first.name) == first

    def test_what_another_process_made_meanwhile_is_created_again(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = small.ensure(tmp_envs)
        small.forget(first)
        lock = Store(tmp_envs).lock(first.name)
        assert lock is not None
        monkeypatch.setattr(mutex, "QUIET_WAIT", 0.0)
        second = small.ensure(tmp_envs, force=True, notice=lambda text: lock.release())
        assert second.marker.build != first.marker.build

    @pytest.mark.parametrize("ends_well", [True, False], ids=["made", "failed"])
    def test_what_was_there_is_deleted_once_the_lock_is_free(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch, ends_well: bool
    ) -> None:
        """Others need not wait for the disk."""
        first = small.ensure(tmp_envs)
        small.forget(first)
        is_free: list[bool] = []
        delete = files.delete

        def look_then_delete(path: str) -> None:
            lock = Store(tmp_envs).try_to_lock(first.name)
            is_free.append(lock is not None)
            if lock is not None:
                lock.release()
            delete(path)

        def create(prefix: str, descriptor: int) -> Built:
            built = small.create(prefix, descriptor)
            if not ends_well:
                raise CreationError("what was linked is not there", step="link")
            return built

        monkeypatch.setattr(files, "delete", look_then_delete)
        with nullcontext() if ends_well else pytest.raises(CreationError):
            small.ensure(tmp_envs, force=True, create=create)
        assert is_free == [True] * (1 if ends_well else 2)


class TestHosts:
    """A host that lacks an environment's virtual packages gets its own."""

    def needy(self, prefix: str, descriptor: int) -> Built:
        small.create(prefix, descriptor)
        return Built(packages=2, size=1, virtual_packages=("__cuda >=12",))

    def test_unfit_environment_is_left_to_others(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs, create=self.needy)
        assert small.ensure(tmp_envs, create=never) == first, "who made it is fit for it"
        shutil.rmtree(layout.hosts(first.prefix, first.marker.build))
        second = small.ensure(tmp_envs, fits=lambda environment: not environment.marker.virtual_packages)
        assert second.prefix == first.prefix + ".1"

    def test_who_made_it_is_not_asked(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs, create=self.needy)
        assert small.ensure(tmp_envs, create=never, fits=lambda environment: False) == first

    def test_who_waits_beside_an_unfit_environment_asks_once(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not at every look at the lock: it takes a solver's reading of the machine."""
        first = small.ensure(tmp_envs, create=self.needy)
        shutil.rmtree(layout.hosts(first.prefix, first.marker.build))
        lock = Store(tmp_envs).lock(first.name)
        assert lock is not None
        asked: list[str] = []

        def fits(environment: Environment) -> bool:
            if environment.marker.virtual_packages:
                asked.append(environment.name)
            return not environment.marker.virtual_packages

        monkeypatch.setattr(mutex, "QUIET_WAIT", 0.1)
        second = small.ensure(tmp_envs, fits=fits, notice=lambda text: lock.release())
        assert second.name == first.name + ".1"
        assert len(asked) == 3, "before it waits, while it waits, and under the lock"

    def test_fitness_is_asked_once_per_place(self, tmp_envs: str) -> None:
        first = small.ensure(tmp_envs, create=self.needy)
        hosts = layout.hosts(first.prefix, first.marker.build)
        shutil.rmtree(hosts)
        os.mkdir(hosts)
        asked: list[str] = []
        for _ in range(3):
            small.ensure(tmp_envs, create=never, fits=lambda environment: asked.append(environment.name) is None)
        assert asked == [first.name]


class TestManyProcesses:
    def test_who_waits_uses_what_was_made_meanwhile_without_the_lock(self, tmp_envs: str) -> None:
        code = """
import sys, time
from tests.protocol import small
from conda_execute.environments.store import Store
environment = small.ensure(sys.argv[1])
small.forget(environment)
lock = Store(sys.argv[1]).lock(environment.name)
Store(sys.argv[1]).unmark(environment.name)
print("held", flush=True)
time.sleep(1)
Store(sys.argv[1]).mark_again(environment.name)
time.sleep(60)
"""
        process = small.python(code, tmp_envs)
        assert process.stdout is not None
        process.stdout.readline()
        environment = small.ensure(tmp_envs, create=never)
        assert Store(tmp_envs).try_to_lock(environment.name) is None, "the other process still has it"
        assert notes(environment) == [str(usage.this_process())]
        small.end(process)

    def test_many_processes_create_it_once_and_all_run(self, tmp_envs: str, tmp_path: Path) -> None:
        code = """
import os, sys, time
from tests.protocol import small
def create(prefix, descriptor):
    open(sys.argv[2], "a").write("created\\n")
    time.sleep(0.3)
    return small.create(prefix, descriptor)
environment = small.ensure(sys.argv[1], create=create)
os.execv(os.path.join(environment.prefix, "bin", "sleep"), ["sleep", "0"])
"""
        log = tmp_path / "log"
        processes = [small.python(code, tmp_envs, str(log)) for _ in range(12)]
        assert [process.wait() for process in processes] == [0] * 12
        assert log.read_text() == "created\n"

    @pytest.mark.parametrize(
        "step",
        ["half", *steps.CREATION],
    )
    def test_creator_killed_at_any_step_leaves_nothing_to_believe_in(self, tmp_envs: str, step: str) -> None:
        code = """
import os, sys
from tests.protocol import small, steps
if sys.argv[2] != "half":
    steps.at(sys.argv[2], steps.die)
def create(prefix, descriptor):
    built = small.create(prefix, descriptor)
    os.unlink(os.path.join(prefix, "bin", "sleep"))
    if sys.argv[2] == "half":
        steps.die()
    os.rmdir(os.path.join(prefix, "bin"))
    for name in os.listdir(os.path.join(prefix, "conda-meta")):
        os.unlink(os.path.join(prefix, "conda-meta", name))
    os.rmdir(os.path.join(prefix, "conda-meta"))
    os.rmdir(prefix)
    return small.create(prefix, descriptor)
small.ensure(sys.argv[1], create=create)
"""
        process = small.python(code, tmp_envs, step)
        assert process.wait() == -signal.SIGKILL
        environment = small.ensure(tmp_envs)
        assert environment.name == prepare_name()
        assert sorted(os.listdir(Path(environment.prefix, "conda-meta")))[-2:] == ["package-0.json", "package-1.json"]
        assert os.access(Path(environment.prefix, "bin", "sleep"), os.X_OK)
        assert left_over(tmp_envs) == [environment.name]


@pytest.mark.usefixtures("namespaces")
class TestReadOnly:
    CODE = """
import os, subprocess, sys
from tests.protocol import small
tmp_envs = sys.argv[1]
subprocess.run(["mount", "--bind", tmp_envs, tmp_envs], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", tmp_envs], check=True)
print(small.ensure(tmp_envs, *sys.argv[2:]).prefix)
"""

    def run(self, tmp_envs: str, *specs: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["unshare", "--mount", sys.executable, "-c", self.CODE, tmp_envs, *specs],
            env={**os.environ, "PYTHONPATH": str(small.ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_environment_that_is_there_is_used(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        small.forget(environment)
        assert self.run(tmp_envs).stdout.strip() == environment.prefix

    def test_environment_that_is_not_there_is_an_error(self, tmp_envs: str) -> None:
        done = self.run(tmp_envs, "lua")
        assert "PlaceError" in done.stderr
        assert "Read-only file system" in done.stderr


def test_environment_that_cannot_be_read_is_an_error() -> None:
    """As a run under sudo leaves it in its user's home."""
    words = small.as_another_user()
    code = f"import sys; sys.path.insert(0, {str(small.ROOT)!r})\n"
    code += "from tests.protocol import small\nsmall.ensure(sys.argv[1])"
    with small.place_of_another_user() as place:
        first = small.ensure(str(place))
        os.chmod(first.prefix, 0o700)
        os.chown(place / ".locks", 65534, 65534)
        command = [*words, sys.executable, "-c", code, str(place)]
        done = subprocess.run(command, cwd="/", check=False, stderr=subprocess.PIPE, text=True)
    assert f"PlaceError: `{layout.marker(first.prefix)}` cannot be read: Permission denied" in done.stderr


@pytest.mark.usefixtures("namespaces")
def test_where_no_process_can_be_seen_nothing_is_created_again(tmp_envs: str) -> None:
    first = small.ensure(tmp_envs)
    small.forget(first)
    os.unlink(os.path.join(first.prefix, "conda-meta", "package-0.json"))
    code = """
import subprocess, sys
from conda_execute.errors import InUseError
from tests.protocol import small
subprocess.run(["umount", "--lazy", "/proc"], check=True)
print(small.ensure(sys.argv[1], notice=print).prefix)
try:
    small.ensure(sys.argv[1], force=True, notice=print)
except InUseError as error:
    print(error)
"""
    environ = {**os.environ, "PYTHONPATH": str(small.ROOT)}
    words = ["unshare", "--mount", sys.executable, "-c", code, tmp_envs]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        first.prefix + ".1",
        f"without /proc, the processes that use the environment cannot be seen: `{first.prefix}`",
    ], done.stderr
    assert Store(tmp_envs).read(first.name) == first


def test_place_that_vanished_is_an_error(tmp_envs: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaceError):
        small.ensure(str(tmp_path / "file" / "tmp_envs"), create=never)


class TestTooOld:
    """`renew-after`: an environment gets so many seconds old, by the file system's clock."""

    DAY = 86400.0

    def aged(self, tmp_envs: str, *, days: float) -> Environment:
        environment = small.ensure(tmp_envs)
        small.forget(environment)
        moment = time.time() - days * self.DAY
        os.utime(layout.marker(environment.prefix), (moment, moment))
        return environment

    def test_new_one_is_made_beside_the_old_and_used_from_then_on(self, tmp_envs: str) -> None:
        old = self.aged(tmp_envs, days=2)
        told: list[str] = []
        new = small.ensure(tmp_envs, renew_after=self.DAY, notice=told.append)
        assert new.prefix == old.prefix + ".1"
        assert told == ["the environment is older than `renew-after`: a new one is created next to it"]
        assert small.ensure(tmp_envs, create=never, renew_after=self.DAY) == new
        assert Store(tmp_envs).find(old.name) == new
        assert list(small.uses(old).iterdir()) == [], "nobody uses the old one, so that it can be swept"

    def test_young_one_is_used(self, tmp_envs: str) -> None:
        old = self.aged(tmp_envs, days=2)
        assert small.ensure(tmp_envs, create=never, renew_after=3 * self.DAY) == old
        assert small.ensure(tmp_envs, create=never) == old, "off by default"

    def test_old_one_is_used_where_no_new_one_can_be_made_and_it_is_tried_an_hour_later(self, tmp_envs: str) -> None:
        old = self.aged(tmp_envs, days=2)
        told: list[str] = []

        def fail(prefix: str, descriptor: int) -> Built:
            raise CreationError("there is no network", step="download")

        for _ in range(2):
            assert small.ensure(tmp_envs, create=fail, renew_after=self.DAY, notice=told.append) == old
        assert [text.rpartition(": ")[2] for text in told] == ["a new one is created next to it", "there is no network"]
        hour_ago = time.time() - 1
        os.utime(layout.renew(old.prefix, self.DAY), (hour_ago, hour_ago))
        assert small.ensure(tmp_envs, renew_after=self.DAY) != old

    def test_old_one_is_used_while_another_process_makes_the_new_one(self, tmp_envs: str) -> None:
        old = self.aged(tmp_envs, days=2)
        with Store(tmp_envs).lock(old.name + ".1"):
            assert small.ensure(tmp_envs, create=never, renew_after=self.DAY) == old

    def test_names_are_used_again_when_the_old_ones_are_swept(self, tmp_envs: str) -> None:
        old = self.aged(tmp_envs, days=2)
        new = small.ensure(tmp_envs, renew_after=self.DAY)
        Store(tmp_envs).discard(old.name)
        moment = time.time() - 2 * self.DAY
        os.utime(layout.marker(new.prefix), (moment, moment))
        newest = small.ensure(tmp_envs, renew_after=self.DAY)
        assert newest.prefix == old.prefix
        assert small.ensure(tmp_envs, create=never, renew_after=self.DAY) == newest
