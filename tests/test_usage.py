"""Uses: notes, who is live, and who lives in a prefix without a note."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from conda_execute.environments import layout, observer, uses
from conda_execute.environments.observer import Observer
from conda_execute.environments.processes import Process, inhabitants
from conda_execute.environments.store import Store
from conda_execute.model import Environment, Use
from tests.protocol import small

HERE = uses.place()
HOST, BOOT, FIRST = HERE.rsplit("+", 2)
TTL = 30 * 24 * 3600.0


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    place = tmp_path / "tmp_envs"
    place.mkdir(mode=0o700)
    found = small.ensure(str(place))
    small.forget(found)
    return found


def start_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def judge(environment: Environment, name: str, age: float = 0) -> str:
    directory = layout.uses(environment.prefix, environment.marker.build)
    path = Path(directory, name)
    path.touch()
    now = time.time()
    os.utime(path, (now - age, now - age))
    return Observer(now, TTL, str(Path(environment.prefix).parent)).judge(note(directory, name))


def note(directory: str, name: str) -> uses.Note:
    return uses.Note(os.path.join(directory, name), uses.parse(name))


class TestNames:
    def test_this_process_is_named_by_pid_start_and_place(self) -> None:
        assert uses.this_process() == Use(os.getpid(), start_of(os.getpid()), HERE)

    def test_note_reads_back(self) -> None:
        assert uses.parse(str(uses.this_process())) == uses.this_process()

    def test_the_machine_itself_is_told_from_its_containers_by_the_kernels_process_2(self) -> None:
        of_the_kernel = Path("/proc/2/comm").exists() and Path("/proc/2/comm").read_text() == "kthreadd\n"
        assert (uses.MACHINE if of_the_kernel else start_of(1)) == FIRST

    @pytest.mark.usefixtures("namespaces")
    def test_container_with_a_process_2_is_no_machine(self) -> None:
        code = "from conda_execute.environments.uses import os, place, use_of\n"
        code += "print(os.getpid(), place(), use_of(1).start)"
        # The shell is process 1 of the container, and waits for process 2.
        container = ["unshare", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", '"$@"; exit "$?"', "sh"]
        environ = {**os.environ, "PYTHONPATH": str(small.ROOT)}
        words = [*container, sys.executable, "-c", code]
        done = subprocess.run(words, env=environ, stdout=subprocess.PIPE, text=True, check=True)
        pid, place, start = done.stdout.split()
        assert (pid, place) == ("2", f"{HOST}+{BOOT}+{start}")

    @pytest.mark.parametrize(
        "name",
        ["", "x", "1-2", "1@h+b+1", "-1-2@h+b+1", "a-b@h+b+1", "1-2@", "1-2@h", "1-2@h+b", ".nfs0001"],
        ids=repr,
    )
    def test_other_files_are_no_notes(self, name: str) -> None:
        assert uses.parse(name) is None

    def test_exec_keeps_the_note_true(self, environment: Environment) -> None:
        process = small.runner(os.path.dirname(environment.prefix))
        [(_, [name])] = uses.listed(environment.prefix)
        assert uses.parse(name) == Use(process.pid, start_of(process.pid), HERE)
        assert Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n"
        small.end(process)


class TestHold:
    def test_note_marker_note_again(self, environment: Environment) -> None:
        use = uses.this_process()
        assert uses.hold(environment, use)
        assert os.listdir(layout.uses(environment.prefix, environment.marker.build)) == [str(use)]

    def test_opens_note_marker_and_note_in_this_order(self, environment: Environment) -> None:
        """Opened, each of them: on NFS what is only looked up may be long gone."""
        code = """
import os, sys
from conda_execute.environments import uses as usage
from conda_execute.environments.store import Store
environment = Store(sys.argv[1]).find(sys.argv[2])
def watch(event, arguments):
    if event == "open" and str(arguments[0]).startswith(environment.prefix):
        print(os.path.basename(arguments[0]), "made" if arguments[2] & os.O_CREAT else "read")
use = usage.this_process()
sys.addaudithook(watch)
usage.hold(environment, use)
print(use)
"""
        output, _ = small.python(code, os.path.dirname(environment.prefix), environment.name).communicate()
        *opened, note = output.splitlines()
        assert opened == [f"{note} made", f"{layout.MARKER} read", f"{note} read"]

    def test_fails_without_marker(self, environment: Environment) -> None:
        Store(os.path.dirname(environment.prefix)).unmark(environment.name)
        assert not uses.hold(environment, uses.this_process())

    def test_fails_without_prefix(self, environment: Environment) -> None:
        Store(os.path.dirname(environment.prefix)).discard(environment.name)
        assert not uses.hold(environment, uses.this_process())
        assert not os.path.exists(environment.prefix), "a runner makes no directory"

    def test_fails_where_the_server_knows_the_file_no_more(
        self, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only the answer of NFS is made up."""
        open_ = os.open

        def forget(below: str) -> None:
            def forgotten(path: str, flags: int, mode: int = 0o777) -> int:
                if path.startswith(below):
                    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
                return open_(path, flags, mode)

            monkeypatch.setattr(os, "open", forgotten)

        forget(environment.prefix)
        assert not uses.hold(environment, uses.this_process())
        forget(layout.marker(environment.prefix))
        assert not uses.hold(environment, uses.this_process())

    def test_note_for_an_older_build_fails(self, environment: Environment) -> None:
        tmp_envs = os.path.dirname(environment.prefix)
        Store(tmp_envs).discard(environment.name)
        newer = small.ensure(tmp_envs)
        assert newer.prefix == environment.prefix
        assert not uses.hold(environment, uses.this_process())
        with pytest.raises(FileNotFoundError):
            uses.write_note(uses.note_path(environment, uses.this_process()))

    @pytest.mark.usefixtures("namespaces")
    def test_host_name_may_hold_what_the_name_of_a_file_cannot(self, environment: Environment) -> None:
        code = """
import os, socket, sys
from conda_execute.environments import layout
from conda_execute.environments import uses as usage
from conda_execute.environments.store import Store
socket.sethostname("rack/7")
environment = Store(sys.argv[1]).find(sys.argv[2])
print(usage.hold(environment, usage.this_process()))
print(*os.listdir(layout.uses(environment.prefix, environment.marker.build)))
"""
        words = ["unshare", "--uts", sys.executable, "-c", code, os.path.dirname(environment.prefix), environment.name]
        environ = {**os.environ, "PYTHONPATH": str(small.ROOT)}
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        held, note = done.stdout.splitlines()
        use = uses.parse(note)
        assert (held, use and use.place) == ("True", f"rack_7+{BOOT}+{FIRST}")

    @pytest.mark.usefixtures("namespaces")
    def test_read_only_place_is_used_without_a_note(self, environment: Environment) -> None:
        code = """
import subprocess, sys
from conda_execute.environments import uses as usage
from conda_execute.environments.store import Store
import os
tmp_envs = sys.argv[1]
subprocess.run(["mount", "--bind", tmp_envs, tmp_envs], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", tmp_envs], check=True)
environment = Store(tmp_envs).find(sys.argv[2])
print(usage.hold(environment, usage.this_process()), os.listdir(os.path.join(environment.prefix, "conda-meta")))
"""
        done = subprocess.run(
            ["unshare", "--mount", sys.executable, "-c", code, os.path.dirname(environment.prefix), environment.name],
            env={**os.environ, "PYTHONPATH": str(small.ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith("True"), done.stderr

    def test_note_again_moves_its_time(self, environment: Environment) -> None:
        use = uses.this_process()
        uses.hold(environment, use)
        path = uses.note_path(environment, use)
        os.utime(path, (0, 0))
        uses.hold(environment, use)
        assert os.stat(path).st_mtime > 0


class TestLiveness:
    def test_running_process_is_live(self, environment: Environment) -> None:
        assert judge(environment, f"{os.getpid()}-{start_of(os.getpid())}@{HERE}") == "live"

    def test_ended_process_is_dead(self, environment: Environment) -> None:
        process = subprocess.Popen(["true"])
        start = start_of(process.pid)
        process.wait()
        assert judge(environment, f"{process.pid}-{start}@{HERE}") == "dead"

    @pytest.mark.parametrize("name", ["a b", ") R 1", "a\nb", "\xff"], ids=repr)
    def test_name_of_a_program_may_hold_anything(self, environment: Environment, tmp_path: Path, name: str) -> None:
        program = os.path.join(os.fsencode(tmp_path), name.encode("latin-1"))
        shutil.copy(b"/bin/sleep", program)
        process = subprocess.Popen([program, "60"])
        small.wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_bytes() == name.encode("latin-1") + b"\n")
        start = Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
        assert judge(environment, f"{process.pid}-{start}@{HERE}") == "live"
        process.kill()
        process.wait()

    def test_process_that_cannot_be_asked_is_live(self, environment: Environment) -> None:
        """Too many open files: the limit is real."""
        use = uses.this_process()
        watcher = Observer(time.time(), TTL, "")
        assert watcher.judge(note(environment.prefix, str(use))) == "live"
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            verdict = watcher.judge(note(environment.prefix, str(use)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert verdict == "live"

    def test_zombie_is_dead(self, environment: Environment) -> None:
        process = subprocess.Popen(["true"])
        start = start_of(process.pid)
        small.wait_for(lambda: " Z " in Path(f"/proc/{process.pid}/stat").read_text())
        assert judge(environment, f"{process.pid}-{start}@{HERE}") == "dead"
        process.wait()

    def test_zombie_that_goes_while_it_is_looked_at_is_dead(self, environment: Environment) -> None:
        """About one of a hundred goes between the opening and the reading of its directory: a different error."""
        code = """
            import os, sys
            for number in range(2000):
                pid = os.fork() or os._exit(0)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
                print(pid, flush=True)
                sys.stdin.readline()
                for _ in range(number % 50 * 20): pass
                os.waitpid(pid, 0)
        """
        parent = small.python(textwrap.dedent(code), stdin=subprocess.PIPE)
        assert parent.stdout is not None
        assert parent.stdin is not None
        for pid in map(str.strip, parent.stdout):
            name = f"{pid}-{start_of(int(pid))}@{HERE}"
            watcher = Observer(0.0, TTL, "")
            parent.stdin.write("\n")
            parent.stdin.flush()
            while os.path.exists(f"/proc/{pid}"):
                assert watcher.judge(note(environment.prefix, name)) == "dead"
        assert parent.wait() == 0

    def test_process_whose_first_thread_ended_is_live(self, environment: Environment) -> None:
        code = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start()\n"
        code += "ctypes.CDLL(None).pthread_exit(None)"
        process = small.python(code, stderr=subprocess.DEVNULL)
        small.wait_for(lambda: " Z " in Path(f"/proc/{process.pid}/stat").read_text())
        assert judge(environment, f"{process.pid}-{start_of(process.pid)}@{HERE}") == "live"
        small.end(process)

    def test_recycled_pid_is_not_a_use(self, environment: Environment) -> None:
        assert judge(environment, f"{os.getpid()}-{int(start_of(os.getpid())) - 1}@{HERE}") == "dead"

    def test_same_pid_and_start_in_another_container_is_foreign(self, environment: Environment) -> None:
        name = f"{os.getpid()}-{start_of(os.getpid())}@{HOST}+{BOOT}+another"
        assert judge(environment, name) == "foreign"

    @pytest.mark.parametrize(
        ("age", "verdict"), [(0, "foreign"), (TTL - 60, "foreign"), (TTL + 60, "dead")], ids=["new", "ttl", "older"]
    )
    def test_other_host_is_foreign_until_older_than_its_ttl(
        self, environment: Environment, age: float, verdict: str
    ) -> None:
        assert judge(environment, f"1-2@other+another+{FIRST}", age) == verdict

    def test_odd_file_among_the_notes_counts_as_live(self, environment: Environment) -> None:
        assert judge(environment, ".nfs000000001") == "foreign"

    def test_process_that_starts_after_the_notes_were_listed_is_live(self, environment: Environment) -> None:
        watcher = Observer(time.time(), TTL, "")
        process = subprocess.Popen(["sleep", "60"])
        name = f"{process.pid}-{start_of(process.pid)}@{HERE}"
        assert watcher.judge(note(environment.prefix, name)) == "live"
        process.kill()
        process.wait()

    def test_host_name_may_hold_a_plus(self, environment: Environment) -> None:
        assert judge(environment, f"1-2@a+b+another+{FIRST}") == "foreign"

    def test_without_proc_a_process_no_younger_than_its_note_is_live(self, environment: Environment) -> None:
        path = Path(environment.prefix, "note")
        path.touch()
        assert observer._may_run(os.getpid(), str(path))
        long_ago = psutil.Process().create_time() - 2 * 24 * 3600
        os.utime(path, (long_ago, long_ago))
        assert not observer._may_run(os.getpid(), str(path))

    @pytest.mark.parametrize("seconds", [3600, -3600], ids=["older", "younger"])
    def test_without_proc_clocks_may_differ_by_hours(self, environment: Environment, seconds: float) -> None:
        path = Path(environment.prefix, "note")
        path.touch()
        moment = psutil.Process().create_time() + seconds
        os.utime(path, (moment, moment))
        assert observer._may_run(os.getpid(), str(path))


class TestInhabitants:
    def found(self, environment: Environment) -> dict[int, str]:
        processes = inhabitants(os.path.dirname(environment.prefix)).get(environment.name, [])
        return {process.pid: process.why for process in processes}

    def test_program_inside(self, environment: Environment) -> None:
        process = subprocess.Popen([os.path.join(environment.prefix, "bin", "sleep"), "60"], env={}, cwd="/")
        small.wait_for(lambda: self.found(environment) == {process.pid: "program inside"})
        process.kill()
        process.wait()

    def test_program_inside_that_was_unlinked(self, environment: Environment) -> None:
        program = os.path.join(environment.prefix, "bin", "sleep")
        process = subprocess.Popen([program, "60"], env={}, cwd="/")
        small.wait_for(lambda: self.found(environment))
        os.unlink(program)
        assert self.found(environment) == {process.pid: "program inside"}
        process.kill()
        process.wait()

    @pytest.mark.parametrize("below", ["", "bin"], ids=["prefix", "below"])
    def test_working_directory_inside(self, environment: Environment, below: str) -> None:
        process = subprocess.Popen(["/bin/sleep", "60"], env={}, cwd=os.path.join(environment.prefix, below))
        assert self.found(environment) == {process.pid: "working directory inside"}
        process.kill()
        process.wait()

    @pytest.mark.parametrize("variable", ["CONDA_PREFIX", "CONDA_PREFIX_1"])
    def test_activated(self, environment: Environment, variable: str) -> None:
        process = subprocess.Popen(["/bin/sleep", "60"], env={variable: environment.prefix}, cwd="/")
        small.wait_for(lambda: self.found(environment) == {process.pid: "activated"})
        process.kill()
        process.wait()

    def test_activated_through_a_link(self, environment: Environment, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(environment.prefix)
        process = subprocess.Popen(["/bin/sleep", "60"], env={"CONDA_PREFIX": str(link)}, cwd="/")
        small.wait_for(lambda: self.found(environment) == {process.pid: "activated"})
        process.kill()
        process.wait()

    def test_process_that_is_born_while_we_look_is_seen(
        self, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A daemon forks and ends once the processes are listed, before it is looked at itself."""
        words = ["/bin/sh", "-c", "read line; sleep 60 >&- & echo $!"]
        daemon = subprocess.Popen(
            words, env={}, cwd=environment.prefix, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        children = []
        listed = psutil.pids

        def fork_then() -> list[int]:
            pids = listed()
            if daemon.poll() is None:
                children.append(int(daemon.communicate("go on\n")[0]))
            return pids

        monkeypatch.setattr(psutil, "pids", fork_then)
        found = self.found(environment)
        os.kill(children[0], signal.SIGKILL)
        assert found == {children[0]: "working directory inside"}

    def test_process_that_showed_no_environment_is_looked_at_again(
        self, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that is just becoming a program has none yet, and keeps its pid."""
        words = ["/bin/sh", "-c", 'read line; CONDA_PREFIX="$0" exec sleep 60', environment.prefix]
        process = subprocess.Popen(words, env={}, cwd="/", stdin=subprocess.PIPE)
        assert process.stdin is not None
        stdin, environ = process.stdin, Path(f"/proc/{process.pid}/environ")
        listed, passes = psutil.pids, []

        def become_a_program_then() -> list[int]:
            passes.append(listed())
            if len(passes) == 2:
                stdin.write(b"go on\n")
                stdin.close()
                small.wait_for(environ.read_bytes)
            return passes[-1]

        monkeypatch.setattr(psutil, "pids", become_a_program_then)
        assert self.found(environment) == {process.pid: "activated"}
        process.kill()
        process.wait()

    def test_name_that_only_begins_alike_is_another(self, environment: Environment) -> None:
        process = subprocess.Popen(["/bin/sleep", "60"], env={"CONDA_PREFIX": environment.prefix + ".1"}, cwd="/")
        time.sleep(0.1)
        assert self.found(environment) == {}
        process.kill()
        process.wait()

    def test_prefix_reached_through_a_link_is_the_same(self, environment: Environment, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(os.path.dirname(environment.prefix))
        process = subprocess.Popen(["/bin/sleep", "60"], env={}, cwd=environment.prefix)
        assert [one.pid for one in inhabitants(str(link))[environment.name]] == [process.pid]
        process.kill()
        process.wait()


def test_a_long_command_is_cut_in_a_sentence() -> None:
    assert str(Process(7, "/a/b/python " + "x" * 3000, "noted")) == "7 (python " + "x" * 92 + "…)"
