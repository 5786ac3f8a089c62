"""Cleaning: what goes, what never goes, and what a sweeper that dies leaves behind."""

from __future__ import annotations

import errno
import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from conda_execute import files
from conda_execute.environments import filesystem, layout, sweep
from conda_execute.environments import uses as usage
from conda_execute.environments.processes import Process
from conda_execute.environments.removal import Found, Policy
from conda_execute.environments.store import Store
from conda_execute.environments.sweep import choose
from tests.counted import calls
from tests.protocol import small, steps
from tests.protocol.small import idle, uses

HOUR = timedelta(hours=1)
HERE = usage.place()
NOW = 1_000_000_000.0


def clear(tmp_envs: str, *names: str, **options: object) -> dict[str, str]:
    """What became of each environment: "freed", or why it was kept."""
    report = sweep.clear(Store(tmp_envs), names or None, **options)  # type: ignore[arg-type]
    return {found.name: "freed" for found in report.freed} | {found.name: why for found, why in report.kept}


def found(**values: object) -> Found:
    return Found(**{"name": "x", "prefix": "/x", "state": "ready", "marker": None, "last_used": NOW, **values})  # type: ignore[arg-type]


class TestChoose:
    @pytest.mark.parametrize(
        ("environment", "goes"),
        [
            pytest.param(found(last_used=NOW - 3600), True, id="unused for the hour"),
            pytest.param(found(last_used=NOW - 3599), False, id="used within the hour"),
            pytest.param(found(last_used=NOW + 7200), False, id="used in the future: the clock was set back"),
            pytest.param(found(last_used=0, processes=(Process(1, "x", "noted"),)), False, id="in use"),
            pytest.param(found(last_used=0, foreign=(usage.Note("/n", None),)), False, id="foreign note"),
            pytest.param(found(last_used=0, kept=True), False, id="kept"),
            pytest.param(found(state="unfinished"), True, id="unfinished"),
            pytest.param(found(state="unfinished", busy=True), False, id="being created"),
            pytest.param(
                found(state="unfinished", processes=(Process(1, "x", "noted"),)), False, id="broken and in use"
            ),
        ],
    )
    def test_choice(self, environment: Found, goes: bool) -> None:
        assert choose([environment], NOW, Policy(HOUR))[0] == ([environment] if goes else [])

    def test_zero_hours_is_whatever_is_not_in_use(self) -> None:
        environments = [found(last_used=NOW), found(last_used=NOW + 7200)]
        assert choose(environments, NOW, Policy(timedelta(0))) == (environments, [])

    def test_fractions_of_hours_count(self) -> None:
        policy = Policy(timedelta(hours=0.5))
        assert choose([found(last_used=NOW - 1900)], NOW, policy)[0]
        assert not choose([found(last_used=NOW - 1700)], NOW, policy)[0]


class TestClear:
    def test_idle_environment_goes(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        assert clear(tmp_envs) == {environment.name: "freed"}
        assert set(os.listdir(tmp_envs)) <= {".boots", ".locks", ".trash"}
        assert os.listdir(layout.trash(tmp_envs)) == []

    def test_environment_in_use_stays_with_the_reason(self, tmp_envs: str) -> None:
        process = small.runner(tmp_envs)
        [reason] = clear(tmp_envs).values()
        assert reason == f"in use by process {process.pid} (sleep 60)"
        small.end(process)
        assert list(clear(tmp_envs).values()) == ["freed"]

    def test_freed_bytes_are_known_without_walking(self, tmp_envs: str) -> None:
        idle(tmp_envs, "a")
        idle(tmp_envs, "b")
        assert sweep.clear(Store(tmp_envs)).size == 2 * 1234

    def test_dry_run_changes_nothing(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        assert clear(tmp_envs, dry_run=True) == {environment.name: "freed"}
        assert Store(tmp_envs).find(environment.name) == environment

    def test_only_names_asked_for_and_their_neighbours_go(self, tmp_envs: str) -> None:
        one, two = idle(tmp_envs, "a"), idle(tmp_envs, "b")
        os.mkdir(one.prefix + ".1")
        assert clear(tmp_envs, one.name) == {one.name: "freed", one.name + ".1": "freed"}
        assert Store(tmp_envs).list() == [two.name]

    def test_kept_environment_goes_by_its_name_only(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        sweep.keep(environment)
        assert clear(tmp_envs) == {environment.name: "kept on request (`conda tmpenv release` undoes that)"}
        assert clear(tmp_envs, environment.name) == {environment.name: "freed"}

    def test_released_environment_goes(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        sweep.keep(environment)
        sweep.release(environment)
        sweep.release(environment)
        assert clear(tmp_envs) == {environment.name: "freed"}

    def test_foreign_note_is_named_as_the_reason(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        (uses(environment) / "77-7@node17+boot+1").touch()
        [reason] = clear(tmp_envs).values()
        assert reason == "kept for a note of process 77 on node17, which cannot be checked from here"

    @pytest.mark.parametrize("name", ["12-34@somewhere", "12-34@", "12-34@some+where", "notes.txt"])
    def test_odd_file_among_the_notes_is_named_as_the_reason(self, tmp_envs: str, name: str) -> None:
        environment = idle(tmp_envs)
        (uses(environment) / name).touch()
        assert clear(tmp_envs) == {
            environment.name: f"kept for an unexpected file among the notes of processes, `{uses(environment) / name}`"
        }
        assert sweep.sweep(Store(tmp_envs)).freed == ()

    def test_younger_than_the_minimum_age_stays(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs, age=2 * HOUR)
        assert clear(tmp_envs, min_age=3 * HOUR) == {environment.name: "used 2.0 hours ago"}
        assert clear(tmp_envs, min_age=1 * HOUR) == {environment.name: "freed"}

    def test_environment_being_made_stays(self, tmp_envs: str) -> None:
        lock = Store(tmp_envs).lock("0" * 20)
        assert lock is not None
        small.create(layout.prefix(tmp_envs, "0" * 20), lock.descriptor)
        assert clear(tmp_envs) == {"0" * 20: "is being created"}
        lock.release()
        assert clear(tmp_envs) == {"0" * 20: "freed"}

    def test_environment_that_somebody_is_busy_with_is_not_waited_for(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        lock = Store(tmp_envs).lock(environment.name)
        assert lock is not None
        timer = threading.Timer(10, lock.release)
        timer.start()
        assert clear(tmp_envs) == {environment.name: "is being created or cleaned"}
        timer.cancel()
        lock.release()

    def test_environment_that_was_created_again_meanwhile_stays(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody asked for that one to go."""
        old = idle(tmp_envs)
        lock = Store.try_to_lock

        def make_anew_first(self: Store, *arguments: object, **options: object) -> object:
            monkeypatch.undo()
            self.discard(old.name)
            idle(tmp_envs)
            return lock(self, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Store, "try_to_lock", make_anew_first)
        assert clear(tmp_envs) == {old.name: "changed meanwhile"}
        new = Store(tmp_envs).find(old.name)
        assert new is not None
        assert new.marker.build != old.marker.build

    def test_environment_that_is_kept_while_the_sweeper_looks_stays(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        environment = idle(tmp_envs)
        unmark = Store.unmark
        monkeypatch.setattr(Store, "unmark", lambda self, name: sweep.keep(environment) or unmark(self, name))
        assert clear(tmp_envs) == {environment.name: "kept on request"}
        assert Store(tmp_envs).find(environment.name) == environment

    def test_foreign_directory_among_environments_stays(self, tmp_envs: str) -> None:
        Path(tmp_envs, "my-notes").mkdir()
        assert clear(tmp_envs) == {}
        assert Path(tmp_envs, "my-notes").is_dir()

    @pytest.mark.parametrize(
        "number",
        [errno.EXDEV, errno.EBUSY, errno.ENOSPC, errno.EDQUOT],
        ids=["overlayfs", "mount point", "disk full", "quota"],
    )
    def test_prefix_that_cannot_go_to_the_trash_is_deleted_in_place(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """Only the answer of the file system is made up. Nothing marks what a death halfway would leave."""
        environment = idle(tmp_envs)
        rename = os.rename
        states: list[str] = []
        steps.at("marker unlinked", lambda: states.append(Store(tmp_envs).state(environment.name)), monkeypatch.setattr)

        def refuse(source: str, target: str) -> None:
            if layout.TRASH in target:
                raise OSError(number, os.strerror(number), source)
            rename(source, target)

        monkeypatch.setattr(os, "rename", refuse)
        assert clear(tmp_envs) == {environment.name: "freed"}
        assert states == ["unfinished"]
        assert not os.path.exists(environment.prefix)

    def test_interrupt_puts_the_marker_back_and_unlocks(self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch) -> None:
        environment = idle(tmp_envs)

        def interrupt() -> None:
            raise KeyboardInterrupt

        steps.at("notes listed", interrupt, monkeypatch.setattr)
        with pytest.raises(KeyboardInterrupt):
            clear(tmp_envs)
        assert Store(tmp_envs).find(environment.name) == environment
        lock = Store(tmp_envs).try_to_lock(environment.name)
        assert lock is not None
        lock.release()

    def test_rename_refused_puts_the_marker_back(self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """As Windows answers for a prefix with an open file."""
        environment = idle(tmp_envs)
        rename = os.rename

        def refuse(source: str, target: str) -> None:
            if layout.TRASH in target:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), source)
            rename(source, target)

        monkeypatch.setattr(os, "rename", refuse)
        assert clear(tmp_envs) == {environment.name: "cannot be moved: Permission denied"}
        assert Store(tmp_envs).find(environment.name) == environment


class TestInUse:
    """In use, though no live note says so."""

    def stays_until_end(self, tmp_envs: str, process: subprocess.Popen[bytes], why: str = "in use by process") -> None:
        small.wait_for(lambda: all(reason.startswith(why) for reason in clear(tmp_envs, dry_run=True).values()))
        assert [reason.startswith(why) for reason in clear(tmp_envs).values()] == [True]
        process.kill()
        process.wait()
        assert list(clear(tmp_envs).values()) == ["freed"]

    def test_shell_with_its_working_directory_inside(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        shell = subprocess.Popen(["/bin/sh", "-c", "read line"], cwd=environment.prefix, stdin=subprocess.PIPE)
        self.stays_until_end(tmp_envs, shell)

    def test_daemonised_child_with_a_program_inside(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        program = os.path.join(environment.prefix, "bin", "sleep")
        self.stays_until_end(tmp_envs, subprocess.Popen([program, "60"], cwd="/", env={}, start_new_session=True))

    def test_daemonised_shell_that_has_only_the_variable(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        command = ["/bin/sh", "-c", "read line"]
        environ = {"CONDA_PREFIX": environment.prefix}
        process = subprocess.Popen(command, cwd="/", env=environ, stdin=subprocess.PIPE, start_new_session=True)
        self.stays_until_end(tmp_envs, process)

    def test_child_that_outlives_its_script(self, tmp_envs: str) -> None:
        code = """
import os, subprocess, sys
from tests.counted import calls
from tests.protocol import small, steps
from tests.protocol.small import idle, uses
environment = small.ensure(sys.argv[1])
program = os.path.join(environment.prefix, "bin", "sleep")
print(subprocess.Popen([program, "60"], cwd="/", start_new_session=True, stdout=subprocess.DEVNULL).pid)
"""
        daemon = int(small.python(code, tmp_envs).communicate()[0])
        small.wait_for(lambda: "program inside" in str(sweep.survey(Store(tmp_envs))[0].processes))
        [reason] = clear(tmp_envs).values()
        assert reason.startswith(f"in use by process {daemon}")
        os.kill(daemon, signal.SIGKILL)
        small.wait_for(lambda: clear(tmp_envs) in ({}, {small_name(): "freed"}))

    def test_use_that_begins_while_the_sweeper_looks(self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A note made before the marker went aside is seen, whatever the survey saw earlier."""
        environment = idle(tmp_envs)
        unmark = Store.unmark
        processes = []

        def run_first(self: Store, name: str) -> bool:
            processes.append(small.runner(tmp_envs))
            return unmark(self, name)

        # The runner takes no lock: the environment is ready.
        monkeypatch.setattr(Store, "unmark", run_first)
        assert clear(tmp_envs) == {environment.name: "used meanwhile"}
        assert Store(tmp_envs).find(environment.name) == environment
        small.end(processes[0])

    def test_notes_are_listed_once_the_marker_is_aside_and_before_the_processes(self, tmp_envs: str) -> None:
        """Else a run may begin between the two, and its note be taken for that of a dead process."""
        idle(tmp_envs)
        code = """
import datetime, os, sys
from conda_execute.environments import store
from conda_execute.environments import removal, sweep
from conda_execute.environments import observer, uses
from tests.protocol import small
steps = []
def watch(event, arguments):
    path = os.fsdecode(arguments[0]) if arguments and isinstance(arguments[0], (str, bytes)) else ""
    step = {"os.listdir": "notes" if ".uses-" in path else "processes" if path == "/proc" else "",
            "os.rename": "aside" if path.endswith("/conda-execute") else ""}.get(event, "")
    if step and steps[-1:] != [step]:
        steps.append(step)
sys.addaudithook(watch)
[name] = store.Store(sys.argv[1]).list()
observer.users(sys.argv[1], {name: uses.listed(os.path.join(sys.argv[1], name))}, 0, 0)
print(*steps)
steps.clear()
sweep.sweep(store.Store(sys.argv[1]), removal.Policy(datetime.timedelta(0)))
print(*steps)
small.forget(small.ensure(sys.argv[1]))
steps.clear()
small.ensure(sys.argv[1], force=True)
print(*steps)
"""
        output, _ = small.python(code, tmp_envs).communicate()
        looked, swept, forced = output.splitlines()
        assert looked == "notes processes"
        assert swept == "notes processes notes aside notes processes"
        assert forced == "aside notes processes"

    def test_use_that_began_and_ended_meanwhile_makes_it_young(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        environment = idle(tmp_envs, age=30 * HOUR)
        unmark = Store.unmark

        def run_first(self: Store, name: str) -> bool:
            small.end(small.runner(tmp_envs))
            return unmark(self, name)

        monkeypatch.setattr(Store, "unmark", run_first)
        assert clear(tmp_envs, min_age=25 * HOUR) == {environment.name: "used meanwhile"}


def small_name() -> str:
    from conda_execute.environments.name import environment_name

    return environment_name(small.request())


class TestSweep:
    def test_old_environment_goes_and_young_one_stays(self, tmp_envs: str) -> None:
        old, young = idle(tmp_envs, "a", age=26 * HOUR), idle(tmp_envs, "b", age=24 * HOUR)
        report = sweep.sweep(Store(tmp_envs))
        assert [one.name for one in report.freed] == [old.name]
        assert Store(tmp_envs).list() == [young.name]

    def test_live_notes_of_this_place_are_renewed(self, tmp_envs: str) -> None:
        process = small.runner(tmp_envs)
        environment = Store(tmp_envs).find(small_name())
        assert environment is not None
        [note] = uses(environment).iterdir()
        long_ago = time.time() - 40 * 24 * 3600
        os.utime(note, (long_ago, long_ago))
        os.utime(uses(environment), (long_ago, long_ago))
        sweep.sweep(Store(tmp_envs))
        assert time.time() - note.stat().st_mtime < 60
        small.end(process)
        [kept] = sweep.sweep(Store(tmp_envs)).kept
        assert kept[1].startswith("used 0.0 hours ago"), "the last use is the end of the run, to the sweep"

    def test_daemon_gets_a_note_that_other_hosts_see(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs, age=30 * HOUR)
        (uses(environment) / f"1000000000-1@{HERE}").touch()
        program = os.path.join(environment.prefix, "bin", "sleep")
        process = subprocess.Popen([program, "60"], cwd="/", env={}, start_new_session=True)
        small.wait_for(lambda: sweep.survey(Store(tmp_envs))[0].processes)
        sweep.sweep(Store(tmp_envs))
        assert [path.name for path in uses(environment).iterdir()] == [str(usage.use_of(process.pid))]
        process.kill()
        process.wait()
        assert clear(tmp_envs) == {environment.name: "freed"}

    def test_notes_of_the_dead_go_and_the_last_use_stays_known(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        for number in range(100):
            (uses(environment) / f"{number + 1_000_000_000}-1@{HERE}").touch()
        moment = time.time() - 7200
        os.utime(uses(environment), (moment, moment))
        [(_, reason)] = sweep.sweep(Store(tmp_envs)).kept
        assert reason == "used 2.0 hours ago"
        assert list(uses(environment).iterdir()) == []
        [found] = sweep.survey(Store(tmp_envs))
        assert abs(found.last_used - moment) < 1

    def test_use_that_began_and_ended_while_notes_are_renewed_is_the_last(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        environment = idle(tmp_envs, age=30 * HOUR)
        (uses(environment) / f"1000000000-1@{HERE}").touch()
        os.utime(uses(environment), (time.time() - 30 * 3600,) * 2)
        unlink = files.try_to_unlink

        def run_first(path: str) -> None:
            small.end(small.runner(tmp_envs))
            unlink(path)

        monkeypatch.setattr(files, "try_to_unlink", run_first)
        [(_, reason)] = sweep.sweep(Store(tmp_envs)).kept
        assert reason == "used meanwhile"

    def test_last_use_in_the_future_becomes_now(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs, age=-24 * HOUR)
        sweep.sweep(Store(tmp_envs))
        assert abs(uses(environment).stat().st_mtime - time.time()) < 60

    def test_trash_of_a_dead_sweeper_goes(self, tmp_envs: str) -> None:
        Store(tmp_envs).discard(idle(tmp_envs).name)
        assert os.listdir(layout.trash(tmp_envs))
        sweep.sweep(Store(tmp_envs))
        assert os.listdir(layout.trash(tmp_envs)) == []

    def test_marker_that_a_dead_sweeper_put_aside_is_put_back(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        Store(tmp_envs).unmark(environment.name)
        sweep.sweep(Store(tmp_envs))
        assert Store(tmp_envs).find(environment.name) == environment

    def test_marker_aside_beside_one_in_place_stays_aside(self, tmp_envs: str) -> None:
        """As a copy of both, at two moments, may leave them."""
        environment = idle(tmp_envs)
        Path(layout.marker_aside(environment.prefix)).write_text("that of an older build")
        sweep.sweep(Store(tmp_envs))
        assert Store(tmp_envs).find(environment.name) == environment

    def test_prefix_of_a_dead_creator_goes(self, tmp_envs: str) -> None:
        small.create(layout.prefix(tmp_envs, "0" * 20), -1)
        sweep.sweep(Store(tmp_envs))
        assert Store(tmp_envs).list() == []

    @pytest.mark.parametrize("step", steps.CLEANING)
    def test_sweeper_killed_at_any_step_breaks_nothing(self, tmp_envs: str, step: str) -> None:
        idle(tmp_envs, "a")
        idle(tmp_envs)
        code = """
import sys
from conda_execute.environments import store, sweep
from tests.protocol import steps
steps.at(sys.argv[2], steps.die)
sweep.clear(store.Store(sys.argv[1]))
"""
        assert small.python(code, tmp_envs, step).wait() == -signal.SIGKILL
        environment = small.ensure(tmp_envs)
        assert os.access(os.path.join(environment.prefix, "bin", "sleep"), os.X_OK)
        small.forget(environment)
        clear(tmp_envs)
        assert Store(tmp_envs).list() == []
        assert os.listdir(layout.trash(tmp_envs)) == []


class TestNetwork:
    """On a network file system the sweeper waits for the caches of other hosts, without its locks."""

    @pytest.fixture(autouse=True)
    def network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweep, "is_network", lambda path: True)

    def test_waits_once_for_all_with_no_lock_held(self, tmp_envs: str) -> None:
        names = [idle(tmp_envs, spec).name for spec in ("a", "b")]
        waits: list[float] = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            assert [Store(tmp_envs).state(name) for name in names] == ["aside", "aside"]
            for name in names:
                lock = Store(tmp_envs).try_to_lock(name)
                assert lock is not None
                lock.release()

        assert set(clear(tmp_envs, pause=pause).values()) == {"freed"}
        assert waits == [120]

    def test_marker_put_back_meanwhile_ends_it(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        assert clear(tmp_envs, pause=lambda seconds: Store(tmp_envs).mark_again(environment.name) and None) == {
            environment.name: "used meanwhile"
        }
        assert Store(tmp_envs).find(environment.name) == environment

    def test_marker_put_back_and_aside_again_ends_it_too(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)

        def pause(seconds: float) -> None:
            time.sleep(0.02)
            Store(tmp_envs).mark_again(environment.name)
            Store(tmp_envs).unmark(environment.name)

        assert clear(tmp_envs, pause=pause) == {environment.name: "used meanwhile"}

    def test_unfinished_prefix_that_was_made_meanwhile_stays(self, tmp_envs: str) -> None:
        name = small_name()
        os.mkdir(layout.prefix(tmp_envs, name))
        assert clear(tmp_envs, pause=lambda seconds: idle(tmp_envs) and None) == {name: "used meanwhile"}
        assert Store(tmp_envs).state(name) == "ready"

    def test_more_environments_than_a_process_may_have_files_open(self, tmp_envs: str) -> None:
        names = [idle(tmp_envs, f"a={number}").name for number in range(150)]
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
        try:
            report = clear(tmp_envs, pause=lambda seconds: None)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert report == dict.fromkeys(names, "freed")

    def test_note_that_comes_to_light_late_is_seen(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        note = uses(environment) / f"7-7@other+boot+{1}"
        assert clear(tmp_envs, pause=lambda seconds: note.touch()) == {environment.name: "used meanwhile"}
        assert Store(tmp_envs).find(environment.name) == environment


def test_local_disk_is_no_network(tmp_path: Path) -> None:
    assert not filesystem.is_network(str(tmp_path))


def test_mounts_are_those_that_psutil_finds() -> None:
    table = filesystem._mounts()
    assert table == [(one.mountpoint, one.fstype, one.opts) for one in psutil.disk_partitions(all=True)]
    assert filesystem._unescaped(r"/a\040b\134040") == r"/a b\040"


@pytest.mark.parametrize(
    ("mounts", "is_network"),
    [
        ({"/": "ext4"}, False),
        ({"/": "ext4", "": "nfs4"}, True),
        ({"/": "nfs4", "": "xfs"}, False),
        ({"": "fuse.sshfs", "/": "ext4"}, True),
        ({"/": "ext4", "-beside": "nfs"}, False),
    ],
    ids=str,
)
def test_the_file_system_of_a_path_is_that_of_its_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: dict[str, str], is_network: bool
) -> None:
    """Only the table of mounts is made up."""
    place = tmp_path / "home"
    table = [(mount if mount == "/" else f"{place}{mount}", kind, "rw") for mount, kind in mounts.items()]
    monkeypatch.setattr(filesystem, "_mounts", lambda: table)
    assert filesystem.is_network(str(place / "tmp_envs")) == is_network


class TestSurvey:
    def test_what_is_known_of_each_environment(self, tmp_envs: str) -> None:
        process = small.runner(tmp_envs)
        other = idle(tmp_envs, "lua", age=2 * HOUR)
        sweep.keep(other)
        small.create(layout.prefix(tmp_envs, "0" * 20), -1)
        by_name = {one.name: one for one in sweep.survey(Store(tmp_envs))}
        assert [str(one) for one in by_name[small_name()].processes] == [f"{process.pid} (sleep 60)"]
        assert by_name[other.name].kept
        assert by_name[other.name].size == 1234
        assert round((time.time() - by_name[other.name].last_used) / 3600, 1) == 2.0
        assert by_name["0" * 20].state == "unfinished"
        assert by_name["0" * 20].size is None
        small.end(process)

    def test_unreadable_environment_is_listed_and_left_alone(self, tmp_envs: str) -> None:
        """As a run under sudo leaves it in its user's home."""
        words = small.as_another_user()
        os.chmod(idle(tmp_envs).prefix, 0o700)
        code = f"import sys; sys.path.insert(0, {str(small.ROOT)!r})\n"
        code += "from conda_execute.environments import sweep\nfrom conda_execute.environments.store import Store\n"
        code += "print([why for _, why in sweep.clear(Store(sys.argv[1])).kept])"
        with small.place_of_another_user() as place:
            moved = place / "tmp_envs"
            shutil.move(tmp_envs, moved)
            for directory in (moved, moved / ".locks"):
                os.chown(directory, 65534, 65534)
            command = [*words, sys.executable, "-c", code, str(moved)]
            done = subprocess.run(command, cwd="/", check=False, capture_output=True, text=True)
        assert done.stdout == "['cannot be read: it may belong to another user']\n", done.stderr

    def test_no_place_is_no_environments(self, tmp_path: Path) -> None:
        assert sweep.survey(Store(str(tmp_path / "none"))) == []

    def test_changes_nothing(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        (uses(environment) / f"1000000000-1@{HERE}").touch()
        sweep.survey(Store(tmp_envs))
        assert len(list(uses(environment).iterdir())) == 1


class TestManyNotes:
    """`tests/stress` tries a thousand environments and a hundred thousand notes."""

    def test_each_note_costs_a_survey_and_a_sweep_the_same_however_many_there_are(self, tmp_envs: str) -> None:
        few, many = 200, 4_000
        costs = []
        for count in (few, many):
            environment = idle(tmp_envs)
            for number in range(count):
                os.close(os.open(uses(environment) / f"{number + 1_000_000_000}-1@{HERE}", os.O_CREAT | os.O_WRONLY))
            surveyed, swept = (calls(functools.partial(work, Store(tmp_envs))) for work in (sweep.survey, sweep.sweep))
            costs.append((surveyed, swept))
            assert list(uses(environment).iterdir()) == []
        assert all(larger / smaller < many / few * 1.2 for smaller, larger in zip(*costs, strict=True)), costs


@pytest.mark.usefixtures("namespaces")
def test_process_of_another_pid_namespace_is_foreign(tmp_envs: str) -> None:
    """The same host name, the same kernel, the same pids, another process 1."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", small.RUN_AND_SLEEP, tmp_envs, "60"]
    environ = {**os.environ, "PYTHONPATH": str(small.ROOT)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        [found] = sweep.survey(Store(tmp_envs))
        assert [note.use.pid for note in found.foreign if note.use] == [1]
        assert "another container" in clear(tmp_envs)[found.name]
        os.killpg(process.pid, signal.SIGKILL)
    if usage.place().endswith("+" + usage.MACHINE):
        # The machine sees the processes of all namespaces.
        small.wait_for(lambda: list(clear(tmp_envs).values()) == ["freed"])
    else:
        [reason] = clear(tmp_envs).values()
        assert "another container" in reason, "a pid of another namespace proves nothing"
