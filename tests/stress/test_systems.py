"""Odd systems: full disks, no locks, read-only places, clocks that jump, pids that come again, other namespaces."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from conda_execute.environments import layout, removal, sweep
from conda_execute.environments.store import Store
from conda_execute.environments.uses import MACHINE, boot, place
from tests.conftest import World
from tests.protocol import small
from tests.stress.conftest import Machine, assert_good, end

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc, mounts and namespaces")


def uses(machine: Machine) -> Path:
    environment = machine.store.find(machine.name)
    assert environment is not None
    return Path(layout.uses(environment.prefix, environment.marker.build))


class TestFullDisk:
    def shimmed(self, machine: Machine, shim: str, text: str) -> World:
        return machine.world.with_(LD_PRELOAD=shim, SHIM_OPEN=f"{errno.ENOSPC}:{text}")

    @pytest.mark.usefixtures("namespaces")
    def test_while_an_environment_is_created(self, machine: Machine) -> None:
        """A tmpfs of 150 kB; lua takes 270."""
        machine.run()  # packages are in the cache, which has room
        machine.assert_clean()
        place = machine.world.root / "small"
        place.mkdir(mode=0o700)
        command = 'mount -t tmpfs -o size=150k,mode=700 none "$1" && conda-execute "$2"; echo "status $?"; ls -A "$1"/*'
        world = machine.world.with_(CONDA_EXECUTE_ENV_DIR=str(place))
        done = world.run(["unshare", "--mount", "sh", "-c", command, "sh", place, machine.script])
        assert "status 125" in done.stdout
        assert "lua says" not in done.stdout
        assert machine.store.list() == []
        assert "error" in done.stderr
        assert "Traceback" not in done.stderr
        prefixes = [line for line in done.stdout.split() if len(line) == 20 and line.isalnum()]
        assert prefixes == [], "the prefix is absent"

    @pytest.mark.parametrize("file", ["/.conda-execute."], ids=["marker"])
    def test_while_the_marker_is_written(self, machine: Machine, shim: str, file: str) -> None:
        done = self.shimmed(machine, shim, file).execute(machine.script)
        assert (done.returncode, done.stdout) == (125, "")
        assert "could not be marked as ready: No space left on device" in done.stderr
        assert machine.store.list() == []
        machine.run()
        machine.assert_clean()

    def test_while_a_use_is_noted(self, machine: Machine, shim: str) -> None:
        """Never unprotected: no note, no run."""
        machine.run()
        done = self.shimmed(machine, shim, layout.USES).execute(machine.script)
        assert (done.returncode, done.stdout) == (125, "")
        assert "no room for the note" in done.stderr
        machine.run()
        machine.assert_clean()

    def test_while_a_new_environment_is_noted(self, machine: Machine, shim: str) -> None:
        done = self.shimmed(machine, shim, f"{layout.USES}").execute(machine.script)
        assert (done.returncode, done.stdout) == (125, "")
        machine.run()
        machine.assert_clean()


@pytest.mark.parametrize(
    "number",
    [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, 524],
    ids=["ENOLCK", "ENOSYS", "ENOTSUP", "524"],
)
class TestNoLocks:
    def test_many_processes_create_it_once(self, machine: Machine, shim: str, number: int) -> None:
        world = machine.world.with_(LD_PRELOAD=shim, SHIM_FLOCK=f"{number}:.locks/")
        processes = [world.start(["conda-execute", machine.script], stdin=subprocess.DEVNULL) for _ in range(6)]
        builds, notices = set(), 0
        for process in processes:
            output, errors = process.communicate()
            assert_good(process.returncode, output, errors)
            builds.add(output.splitlines()[1])
            notices += "has no locks" in errors
        assert len(builds) == 1
        assert notices >= 1
        machine.assert_clean()

    def test_creator_that_dies_leaves_no_lock(self, machine: Machine, shim: str, number: int) -> None:
        world = machine.world.with_(LD_PRELOAD=shim, SHIM_FLOCK=f"{number}:.locks/")
        Machine(world, machine.script).killed_at("installed", "conda_execute.cli.execute", machine.script)
        done = world.execute(machine.script)
        assert_good(done.returncode, done.stdout, done.stderr)
        machine.assert_clean()


def test_home_without_locks_has_its_packages_cached_elsewhere(machine: Machine, shim: str) -> None:
    machine.world.home.joinpath(".cache").mkdir(exist_ok=True)
    usual = machine.world.home / ".cache" / "rattler" / "cache"
    world = machine.world.with_(
        LD_PRELOAD=shim, SHIM_FLOCK=f"{errno.ENOLCK}:{usual}", RATTLER_CACHE_DIR=None, XDG_CACHE_HOME=None
    )
    done = world.execute(machine.script)
    assert_good(done.returncode, done.stdout, done.stderr)
    assert f"`{usual}` is on a file system without locks" in done.stderr


def test_orphaned_installer_keeps_a_lock_that_is_a_link(shim: str, tmp_path: Path) -> None:
    """Without locks the inherited descriptor locks nothing; that it is open is enough."""
    orphaning = """
import os, signal, subprocess, sys
from tests.protocol import small
def create(prefix, descriptor):
    script = 'mkdir -p "$0/conda-meta"; echo begun; exec >&-; sleep 2; touch "$0/written-late"'
    subprocess.Popen(["sh", "-c", script, prefix], pass_fds=[descriptor])
    os.kill(os.getpid(), signal.SIGKILL)
small.ensure(sys.argv[1], create=create)
"""
    waiting = """
import os, sys, time
from tests.protocol import small
environment = small.ensure(sys.argv[1])
time.sleep(3)
print(os.path.exists(os.path.join(environment.prefix, "written-late")))
"""
    tmp_envs = str(tmp_path / "tmp_envs")
    os.mkdir(tmp_envs, 0o700)
    shimmed = {"LD_PRELOAD": shim, "SHIM_FLOCK": f"{errno.ENOLCK}:.locks/"}
    assert small.python(orphaning, tmp_envs, variables=shimmed).communicate()[0] == "begun\n"
    started = time.monotonic()
    assert small.python(waiting, tmp_envs, variables=shimmed).communicate()[0] == "False\n"
    assert time.monotonic() - started > 4


def test_failed_creator_lets_go_of_a_link_at_once(machine: Machine, shim: str) -> None:
    """Else another host would wait for a process that it cannot ask about."""
    world = machine.world.with_(LD_PRELOAD=shim, SHIM_FLOCK=f"{errno.ENOLCK}:.locks/")
    script = world.script("bad.sh", "# conda execute\n# env: [unsolvable]\n# run_with: sh\n")
    assert world.execute(script).returncode == 125
    assert [name for name in os.listdir(world.tmp_envs / ".locks") if "softlock" in name] == []


def test_other_errors_of_locks_are_errors(machine: Machine, shim: str) -> None:
    done = machine.world.with_(LD_PRELOAD=shim, SHIM_FLOCK=f"{errno.EIO}:.locks/").execute(machine.script)
    assert done.returncode == 125
    assert "Input/output error" in done.stderr


@pytest.mark.usefixtures("namespaces")
class TestReadOnly:
    def run(self, machine: Machine) -> subprocess.CompletedProcess[str]:
        command = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec conda-execute "$2"'
        place = machine.world.tmp_envs
        return machine.world.run(["unshare", "--mount", "sh", "-c", command, "sh", place, machine.script])

    def test_environment_that_is_there_is_run(self, machine: Machine) -> None:
        machine.run()
        done = self.run(machine)
        assert_good(done.returncode, done.stdout, done.stderr)

    def test_environment_that_is_not_there_is_an_error(self, machine: Machine) -> None:
        machine.world.tmp_envs.mkdir(mode=0o700)
        done = self.run(machine)
        assert (done.returncode, done.stdout) == (125, "")
        assert "read-only" in done.stderr.lower()


class TestClock:
    """Ages are hours on the file system's clock: nobody's own clock counts."""

    @pytest.mark.parametrize("hours", [2, -2], ids=["ahead", "behind"])
    def test_clock_that_is_wrong_by_two_hours_removes_nothing_young(
        self, machine: Machine, shim: str, hours: int
    ) -> None:
        machine.run()
        world = machine.world.with_(LD_PRELOAD=shim, SHIM_CLOCK=str(hours * 3600))
        done = world.tmpenv("clear", "--min-age", "1", check=True)
        assert done.stdout.startswith(f"kept {machine.name}: used 0.0 hours ago")
        Machine(world, machine.script).run()
        machine.assert_clean()

    def test_clock_of_the_shim_is_really_wrong(self, shim: str) -> None:
        """Else the test above shows nothing."""
        environ = {**os.environ, "LD_PRELOAD": shim, "SHIM_CLOCK": "7200"}
        done = subprocess.run(
            [sys.executable, "-c", "import time; print(time.time())"], env=environ, check=True, stdout=subprocess.PIPE
        )
        assert 7100 < float(done.stdout) - time.time() < 7300

    @pytest.mark.parametrize("hours", [2, -2], ids=["forward", "back"])
    def test_clock_of_the_file_system_that_jumped_takes_nothing_in_use(self, machine: Machine, hours: int) -> None:
        """All times on the disk are two hours from what the clock says now."""
        process = machine.start("30")
        small.wait_for(lambda: machine.store.list() and machine.store.find(machine.name), 30)
        small.wait_for(lambda: list(uses(machine).iterdir()), 30)
        moment = time.time() - hours * 3600
        for path in (uses(machine), *uses(machine).iterdir()):
            os.utime(path, (moment, moment))
        report = sweep.sweep(machine.store, removal.Policy(timedelta(hours=1)))
        assert report.freed == ()
        assert machine.clear().freed == ()
        end(process)


class TestOtherPlaces:
    @pytest.mark.usefixtures("namespaces")
    def test_run_in_another_pid_namespace_keeps_the_environment(self, machine: Machine) -> None:
        """A container with this host's name, this kernel, and pids of its own."""
        machine.run()
        inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        process = machine.world.start([*inside, "conda-execute", machine.script, "30"])
        small.wait_for(lambda: sweep.survey(machine.store)[0].foreign, 20)
        # Its processes can be seen from outside, too. Take that away: only the note is left.
        [found] = sweep.survey(machine.store)
        assert {note.use.pid for note in found.foreign if note.use} == {1}
        assert machine.clear().freed == ()
        process.kill()
        process.communicate()
        if place().endswith("+" + MACHINE):
            small.wait_for(lambda: machine.clear().kept == ())
            machine.assert_clean()
        else:
            [(_, why)] = machine.clear().kept
            assert "another container" in why

    @pytest.mark.usefixtures("namespaces")
    def test_run_under_the_proc_of_its_parents_namespace_is_live_there(self, machine: Machine) -> None:
        """`unshare --pid` without `--mount-proc`: getpid() says 1, and /proc shows everybody by the outer pids."""
        process = machine.world.start(
            ["unshare", "--pid", "--fork", "--kill-child", "conda-execute", machine.script, "30"]
        )
        small.wait_for(lambda: machine.store.list() and sweep.survey(machine.store)[0].processes, 20)
        [found] = sweep.survey(machine.store)
        assert found.foreign == ()
        assert "noted" in {one.why for one in found.processes}
        process.kill()
        process.communicate()
        small.wait_for(lambda: machine.clear().kept == ())
        machine.assert_clean()

    @pytest.mark.usefixtures("namespaces")
    def test_without_proc_scripts_run_and_nothing_is_removed(self, machine: Machine) -> None:
        """A sandbox that hides all processes. Doubt means "in use"."""
        code = """
            umount -l /proc || exit 99
            conda-execute "$1" || exit
            conda-execute "$1" 30 > "$2" 2>&1 &
            sleep 2
            conda-tmpenv list && conda-tmpenv clear
            kill $!
        """
        log = machine.world.root / "log"
        done = machine.world.run(["unshare", "--mount", "sh", "-c", code, "sh", machine.script, log])
        assert_good(done.returncode, done.stdout, done.stderr)
        assert "cannot be seen" in done.stdout
        assert len(machine.store.list()) == 1

    def test_note_of_another_host_keeps_the_environment_for_its_time(self, machine: Machine) -> None:
        machine.run()
        note = uses(machine) / f"{os.getpid()}-1@other-host+{'0' * 36}+1"
        note.touch()
        assert machine.clear().freed == ()
        done = machine.world.tmpenv("clear")
        assert "other-host" in done.stdout
        month = time.time() - 31 * 24 * 3600
        os.utime(note, (month, month))
        machine.assert_clean()

    @pytest.mark.usefixtures("namespaces")
    def test_recycled_pid_is_not_a_use(self, machine: Machine) -> None:
        """The kernel is made to give the pid of a run that has ended to somebody else."""
        code = """
            pid=$(sh -c 'echo $$; exec conda-execute "$1" > /dev/null' sh "$1")
            while [ "$sleeper" != "$pid" ]; do
                [ -z "$sleeper" ] || kill "$sleeper"
                echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid
                sleep 60 &
                sleeper=$!
            done
            ls "$2"/*/conda-meta/conda-execute.uses-*
            kill -0 "$pid" && conda-tmpenv clear
            kill "$pid"
        """
        machine.run()
        machine.assert_clean()
        inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", code, "sh"]
        done = machine.world.run([*inside, machine.script, machine.store.tmp_envs])
        assert "@" in done.stdout, "there was a note with that pid"
        assert "removed 1 environment" in done.stdout, done.stdout + done.stderr


class TestHands:
    """What people and purges do to an environment."""

    def test_shell_in_the_prefix_keeps_it(self, machine: Machine) -> None:
        machine.run()
        prefix = machine.store.prefix(machine.name)
        shell = subprocess.Popen(["sh", "-c", "read line"], cwd=prefix, stdin=subprocess.PIPE)
        done = machine.world.tmpenv("clear", check=True)
        assert f"in use by process {shell.pid}" in done.stdout
        shell.communicate()
        machine.assert_clean()

    def test_force_on_an_environment_in_use_names_the_processes(self, machine: Machine) -> None:
        process = machine.start("30")
        small.wait_for(lambda: machine.store.list() and sweep.survey(machine.store)[0].processes, 30)
        done = machine.world.execute("--force-env", machine.script)
        assert done.returncode == 125
        assert str(process.pid) in done.stderr
        end(process)

    @pytest.mark.parametrize("lost", ["conda-meta", "conda-meta/conda-execute"])
    def test_purged_environment_is_noticed_before_it_is_run(self, machine: Machine, lost: str) -> None:
        machine.run()
        name = machine.name
        path = Path(machine.store.prefix(name), lost)
        if path.is_dir():
            for record in path.glob("*.json"):
                record.unlink()
        else:
            path.unlink()
        machine.run()
        assert machine.store.list() == [name], "made again in its place: nobody else used it"
        machine.assert_clean()

    def test_environment_that_was_deleted_by_hand_is_made_again(self, machine: Machine) -> None:
        machine.run()
        shutil.rmtree(machine.store.prefix(machine.name))
        machine.run()
        machine.assert_clean()

    def test_everything_deleted_by_hand_is_made_again(self, machine: Machine) -> None:
        machine.run()
        shutil.rmtree(machine.world.tmp_envs)
        machine.run()
        machine.assert_clean()


class TestAutomatic:
    def test_sweep_runs_behind_a_run_and_at_most_once_an_hour(self, machine: Machine) -> None:
        machine.run()
        old = machine.name
        day = time.time() - 26 * 3600
        os.utime(uses(machine), (day, day))
        other = machine.world.script("other.sh", "# conda execute\n# env: [lua, alpha]\n# run_with: sh\necho ran\n")
        world = machine.world.with_(CONDA_EXECUTE_AUTO_CLEAN=None)
        done = world.execute(other, check=True)
        assert (done.stdout, done.stderr) == ("ran\n", "")
        small.wait_for(lambda: old not in Store(machine.store.tmp_envs).list())
        swept = Path(layout.swept(machine.store.tmp_envs, boot())).stat().st_mtime
        world.execute(other, check=True)
        assert Path(layout.swept(machine.store.tmp_envs, boot())).stat().st_mtime == swept

    def test_sweep_does_not_delay_who_reads_the_script(self, machine: Machine) -> None:
        """A pipe is closed when the script ends, not when the sweeper does."""
        world = machine.world.with_(CONDA_EXECUTE_AUTO_CLEAN=None)
        machine.run()
        uses_of_it = uses(machine)
        for number in range(1_000):
            os.close(os.open(uses_of_it / f"{number}-1@elsewhere+0+0", os.O_CREAT | os.O_WRONLY))
        started = time.monotonic()
        done = world.execute(machine.script)
        assert_good(done.returncode, done.stdout, done.stderr)
        assert time.monotonic() - started < 3
