"""Locks between processes: on file systems that have them, and on those that do not."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conda_execute import files
from conda_execute.environments import filesystem, layout, lock, soft_lock, uses
from conda_execute.environments.lock import Holder, take, try_to_take
from conda_execute.environments.soft_lock import SoftLock
from conda_execute.environments.store import Store
from tests.protocol import small
from tests.test_machine import Machine, register

NAME = "ea977067a8fbeb21a594"


HOLD = """
import sys, time
from conda_execute.environments.store import Store
lock = Store(sys.argv[1]).lock(sys.argv[2], script="other.py")
print("held", flush=True)
time.sleep(float(sys.argv[3]))
lock.release()
"""


def holder(tmp_envs: str, seconds: float) -> subprocess.Popen[str]:
    process = small.python(HOLD, tmp_envs, NAME, str(seconds))
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


class TestLock:
    def test_lock_excludes_other_processes(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 60)
        assert Store(tmp_envs).try_to_lock(NAME) is None
        small.end(process)
        lock = Store(tmp_envs).try_to_lock(NAME)
        assert lock is not None
        lock.release()

    def test_lock_is_free_after_release(self, tmp_envs: str) -> None:
        for _ in range(3):
            lock = Store(tmp_envs).try_to_lock(NAME)
            assert lock is not None
            lock.release()

    def test_waiter_says_after_a_second_which_process_it_waits_for(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 3)
        told: list[tuple[float, Holder]] = []
        started = time.monotonic()
        lock = Store(tmp_envs).lock(NAME, on_wait=lambda who: told.append((time.monotonic() - started, who)))
        assert lock is not None
        lock.release()
        [(after, who)] = told
        assert after >= 0.9
        assert (who.pid, who.script) == (process.pid, "other.py")
        assert who.host == uses.place().split("+")[0]
        process.communicate()

    def test_waiter_for_a_short_while_says_nothing(self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lock, "QUIET_WAIT", 60)
        process = holder(tmp_envs, 0.2)
        told: list[Holder] = []
        Store(tmp_envs).lock(NAME, on_wait=told.append).release()
        assert told == []
        process.communicate()

    def test_wait_ends_when_the_lock_is_not_needed_any_more(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 60)
        asked: list[int] = []

        def made() -> str | None:
            asked.append(1)
            return "made" if len(asked) == 3 else None

        assert Store(tmp_envs).lock(NAME, "me", print, made) == "made"
        assert len(asked) == 3
        small.end(process)

    def test_interrupt_ends_the_wait(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 60)
        waiter = small.python(HOLD, tmp_envs, NAME, "0", stderr=subprocess.PIPE)
        time.sleep(1.5)
        waiter.send_signal(signal.SIGINT)
        _, errors = waiter.communicate(timeout=50)
        assert "KeyboardInterrupt" in errors
        small.end(process)

    def test_orphaned_installer_keeps_the_lock(self, tmp_envs: str) -> None:
        code = """
import os, subprocess, sys, signal
from conda_execute.environments.store import Store
lock = Store(sys.argv[1]).lock(sys.argv[2])
child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
        process = small.python(code, tmp_envs, NAME)
        orphan = int(process.communicate()[0])
        assert Store(tmp_envs).try_to_lock(NAME) is None
        os.kill(orphan, signal.SIGKILL)
        lock = Store(tmp_envs).lock(NAME)
        assert lock is not None
        lock.release()

    def test_failed_creator_leaves_the_lock_to_its_installer(self, tmp_envs: str) -> None:
        lock = Store(tmp_envs).lock(NAME)
        assert lock is not None
        installer = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor])
        with pytest.raises(KeyboardInterrupt), lock:
            raise KeyboardInterrupt
        assert Store(tmp_envs).try_to_lock(NAME) is None
        installer.kill()
        installer.wait()
        again = Store(tmp_envs).try_to_lock(NAME)
        assert again is not None
        again.release()

    def test_release_frees_the_lock_from_a_daemon_of_the_installation(self, tmp_envs: str) -> None:
        with Store(tmp_envs).lock(NAME) as lock:
            daemon = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor])
        again = Store(tmp_envs).try_to_lock(NAME)
        assert again is not None
        again.release()
        daemon.kill()
        daemon.wait()

    def test_lock_file_is_never_unlinked(self, tmp_envs: str) -> None:
        with Store(tmp_envs).lock(NAME):
            pass
        assert os.path.exists(layout.lock(tmp_envs, NAME))

    def test_lock_on_a_file_that_a_person_deleted_is_taken_again(self, tmp_envs: str) -> None:
        first = Store(tmp_envs).lock(NAME)
        assert first is not None
        waiter = small.python(HOLD, tmp_envs, NAME, "60")
        small.wait_for(lambda: layout.lock(tmp_envs, NAME) in soft_lock._open_files(str(waiter.pid)), 60)
        os.unlink(layout.lock(tmp_envs, NAME))
        first.release()
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "held\n"
        assert Store(tmp_envs).try_to_lock(NAME) is None
        small.end(waiter)

    def test_descriptor_is_not_inherited_unless_asked_for(self, tmp_envs: str) -> None:
        with Store(tmp_envs).lock(NAME) as lock:
            assert fcntl.fcntl(lock.descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


class TestSoftLock:
    """The lock for file systems without locks, as the lock itself; `tests/stress` takes the system call away."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        return str(tmp_path / "name.lock")

    def link(self, path: str, use: str | None = None) -> SoftLock:
        return SoftLock(path, f"{use or uses.this_process()}\nscript.py\n")

    def dead(self) -> str:
        process = subprocess.Popen(["true"])
        process.wait()
        return f"{process.pid}-1@{uses.place()}"

    def test_excludes(self, path: str) -> None:
        assert self.link(path).take() is None
        assert self.link(path).take() == f"{uses.this_process()}\nscript.py\n"

    def test_is_free_after_release(self, path: str) -> None:
        first = self.link(path)
        first.take()
        first.release()
        assert self.link(path).take() is None

    def test_of_a_dead_process_is_broken(self, path: str) -> None:
        assert self.link(path, self.dead()).take() is None
        assert self.link(path).take() is None

    def test_of_another_place_is_never_broken(self, path: str) -> None:
        foreign = f"{os.getpid()}-1@elsewhere+{'0' * 36}+17"
        assert self.link(path, foreign).take() is None
        assert self.link(path).take() is not None

    def test_of_this_machine_before_its_last_boot_is_broken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine = Machine(tmp_path / "machine", monkeypatch)
        tmp_envs = str(tmp_path / "tmp_envs")
        os.makedirs(os.path.dirname(layout.lock(tmp_envs, NAME)))
        machine.boots("first")
        register(tmp_envs, age=2 * 3600)
        link = self.link(layout.lock(tmp_envs, NAME), "1-1@ubuntu+first+machine")
        assert link.take() is None
        long_ago = time.time() - 2 * 3600
        os.utime(link._link, (long_ago, long_ago), follow_symlinks=False)
        machine.another().boots("second")
        register(tmp_envs)
        assert self.link(layout.lock(tmp_envs, NAME)).take() is not None, "of another machine, for all that is known"
        os.unlink(layout.machine(tmp_envs, "second"))
        machine.boots("second")
        register(tmp_envs)
        assert self.link(layout.lock(tmp_envs, NAME)).take() is None

    def test_of_another_host_goes_when_a_person_says_so(self, path: str) -> None:
        foreign = f"{os.getpid()}-1@elsewhere+{'0' * 36}+17"
        assert self.link(path, foreign).take() is None
        self.link(path).free()
        assert self.link(path).take() is None

    def test_of_a_live_process_of_this_host_stays_whatever_a_person_says(self, path: str) -> None:
        assert self.link(path).take() is None
        self.link(path).free()
        assert self.link(path).take() is not None

    def test_two_never_break_it_at_once(self, path: str) -> None:
        assert self.link(path, self.dead()).take() is None
        other = subprocess.Popen(["sleep", "60"])
        breaker = f"{other.pid}-{Path(f'/proc/{other.pid}/stat').read_text().split()[21]}@{uses.place()}"
        breakers = Path(path.removesuffix(".lock") + ".softlock.breakers")
        breakers.mkdir()
        (breakers / breaker).touch()
        assert self.link(path).take() is not None
        other.kill()
        other.wait()
        assert self.link(path).take() is None

    def test_link_that_was_broken_and_made_meanwhile_is_not_broken_again(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two find the holder dead; one of them has broken the link and holds it by the time the other breaks it."""
        assert self.link(path, self.dead()).take() is None
        quicker, make_directory = self.link(path), files.make_directory

        def first_the_quicker(directory: str) -> None:
            monkeypatch.undo()
            assert quicker.take() is None
            make_directory(directory)

        monkeypatch.setattr(files, "make_directory", first_the_quicker)
        assert self.link(path).take() is not None
        assert self.link(path).take() == f"{uses.this_process()}\nscript.py\n", "it is the quicker one's"

    def test_who_broke_one_is_in_nobodys_way_afterwards(self, path: str) -> None:
        assert self.link(path, self.dead()).take() is None
        assert self.link(path).take() is None
        assert os.listdir(path.removesuffix(".lock") + ".softlock.breakers") == []

    def test_installer_is_seen_through_a_link_in_the_path(self, path: str, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path)
        link = self.link(str(tmp_path / "link" / "name.lock"))
        assert not link.has_installers()
        with open(path, "w") as file, subprocess.Popen(["sleep", "60"], pass_fds=[file.fileno()]) as installer:
            seen = link.has_installers()
            installer.kill()
        assert seen

    def test_who_finds_locks_respects_the_link_of_who_did_not(self, path: str) -> None:
        link = self.link(path)
        link.take()
        assert try_to_take(path) is None
        link.release()
        lock = try_to_take(path)
        assert lock is not None
        lock.release()

    def test_who_finds_locks_breaks_the_link_of_the_dead_though_others_wait(self, path: str) -> None:
        """They have the file open, as an installer has; but that one would have it locked."""
        self.link(path, self.dead()).take()
        with open(path, "w") as file, subprocess.Popen(["sleep", "60"], pass_fds=[file.fileno()]) as waiter:
            lock = try_to_take(path)
            waiter.kill()
        assert lock is not None
        lock.release()

    def test_name_of_a_script_may_be_longer_than_a_link_can_be(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only the answer of the file system is made up."""

        def has_none(descriptor: int) -> bool:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr("conda_execute.environments.lock._try_to_lock", has_none)
        lock = try_to_take(path, "x" * 5000)
        assert lock is not None
        lock.release()


def test_a_lock_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    """Five hundred processes may wait for one."""
    code = """
import sys
from conda_execute.environments.lock import take
take(sys.argv[1]).release()
print(*{"filelock", "asyncio", "logging"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


class TestSecondLock:
    """Where a lock may count on its own host alone (sshfs, for one), a link is taken as well. Only the answers of the
    file system are made up: that it is such a one, and that each host gets its lock."""

    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr(lock, "shares_locks", lambda path: False)
        return str(tmp_path / "name.lock")

    @pytest.fixture
    def other_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("conda_execute.environments.lock._try_to_lock", lambda descriptor: True)

    @pytest.mark.usefixtures("other_host")
    def test_excludes_whom_the_lock_does_not(self, path: str) -> None:
        first = try_to_take(path)
        assert first is not None
        assert try_to_take(path) is None
        assert first.is_ours(), "whoever tried has written nothing"
        first.release()
        second = try_to_take(path)
        assert second is not None
        second.release()
        assert os.listdir(os.path.dirname(path)) == ["name.lock"]

    def test_excludes_on_this_host(self, path: str) -> None:
        with take(path):
            assert try_to_take(path) is None

    def test_of_a_dead_process_is_broken_although_others_wait(self, path: str) -> None:
        SoftLock(path, f"{TestSoftLock().dead()}\nscript.py\n").take()
        with open(path, "w") as file, subprocess.Popen(["sleep", "60"], pass_fds=[file.fileno()]) as waiter:
            taken = try_to_take(path)
            waiter.kill()
        assert taken is not None
        taken.release()

    def test_failed_creator_leaves_it_to_its_installer(self, path: str) -> None:
        taken = take(path)
        installer = subprocess.Popen(["sleep", "60"], pass_fds=[taken.descriptor])
        with pytest.raises(KeyboardInterrupt), taken:
            raise KeyboardInterrupt
        assert try_to_take(path) is None
        installer.kill()
        installer.wait()
        assert os.path.lexists(path.removesuffix(".lock") + ".softlock"), "for the other hosts"

    @pytest.mark.usefixtures("other_host")
    def test_link_that_a_cache_hides_is_respected(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on sshfs: making it is "not permitted", and it does not seem to be there."""
        symlink = os.symlink

        def refuse(source: str, target: str) -> None:
            if target.endswith(".softlock"):
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), target)
            symlink(source, target)

        monkeypatch.setattr(os, "symlink", refuse)
        assert try_to_take(path) is None

    @pytest.mark.usefixtures("other_host")
    def test_where_there_are_no_links_the_lock_must_do(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(source: str, target: str) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), target)

        monkeypatch.setattr(os, "symlink", refuse)
        taken = try_to_take(path)
        assert taken is not None
        taken.release()

    def test_holder_that_changes_is_named_again(self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lock, "QUIET_WAIT", 0.3)
        told: list[int] = []
        first = holder(tmp_envs, 1)
        second = small.python(HOLD, tmp_envs, NAME, "1")
        with Store(tmp_envs).lock(NAME, on_wait=lambda who: told.append(who.pid)):
            pass
        for process in (first, second):
            process.communicate()
        assert set(told) <= {first.pid, second.pid}
        assert told[0] == first.pid
        assert len(told) == len(set(told)), "each once"

    @pytest.mark.parametrize(
        ("kind", "options", "shares"),
        [
            ("ext4", "rw", True),
            ("nfs4", "rw,vers=4.2,local_lock=none", True),
            ("nfs", "rw,nolock", False),
            ("nfs4", "rw,local_lock=flock", False),
            ("lustre", "rw,flock", True),
            ("lustre", "rw,localflock", False),
            ("fuse.glusterfs", "rw", True),
            ("fuse.sshfs", "rw", False),
            ("9p", "rw", False),
            ("cifs", "rw", False),
            ("", "", False),
        ],
        ids=lambda value: str(value) or "unknown",
    )
    def test_file_systems_that_share_locks_are_known(
        self, monkeypatch: pytest.MonkeyPatch, kind: str, options: str, shares: bool
    ) -> None:
        monkeypatch.setattr(filesystem, "_mount", lambda path: (kind, options))
        assert filesystem.shares_locks("/x") == shares


def test_who_waits_imports_no_psutil(tmp_path: Path) -> None:
    """Hundreds may wait for one lock: what each needs is little."""
    path = str(tmp_path / "x.lock")
    code = "import sys; from conda_execute.environments import lock\n"
    code += "print(lock.try_to_take(sys.argv[1]), 'psutil' in sys.modules)"
    with lock.take(path):
        asked = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert asked.stdout == "None False\n"
