"""Environments on disk: states, markers, locks, and the place they go to."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from conda_execute import layout, usage
from conda_execute import store as stores
from conda_execute.errors import PlaceError
from conda_execute.store import Holder, Lock, Store, Waiting, choose_tmp_envs, read_marker
from tests.protocol import small

NAME = "ea977067a8fbeb21a594"


@pytest.fixture
def tmp_envs(tmp_path: Path) -> str:
    place = tmp_path / "tmp_envs"
    place.mkdir(mode=0o700)
    return str(place)


class TestMarker:
    def test_marker_reads_back_as_it_was_written(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs, "python >=3", "numpy")
        assert environment.name == NAME
        assert Store(tmp_envs).find(NAME) == environment
        assert environment.marker.specs == ("numpy", "python >=3")
        assert environment.marker.records == 2

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b"null", b"{}", b'{"format": 1}', b'{"format": 1, "build": "../x"}', b"\xff\xfe"],
        ids=repr,
    )
    def test_damaged_marker_is_no_marker(self, tmp_envs: str, content: bytes) -> None:
        environment = small.ensure(tmp_envs)
        Path(layout.marker(environment.prefix)).write_bytes(content)
        assert Store(tmp_envs).read(environment.name) is None
        assert Store(tmp_envs).state(environment.name) == "unfinished"

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("records", None), ("records", "2"), ("records", True), ("build", 5), ("build", None), ("specs", "numpy"),
            ("specs", [1]), ("size", [1]), ("packages", 1.5), ("created", float("nan")), ("seconds", float("inf")),
            ("script", None),
        ],
        ids=repr,
    )  # fmt: skip
    def test_marker_with_a_value_of_another_type_is_no_marker(self, tmp_envs: str, key: str, value: object) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
        assert Store(tmp_envs).state(environment.name) == "unfinished"

    def test_marker_of_an_earlier_version_that_says_less_is_believed(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        content = json.loads(path.read_text())
        del content["records"]
        path.write_text(json.dumps({**content, "created": 5}))
        marker = read_marker(str(path))
        assert marker is not None
        assert (marker.records, marker.created) == (0, 5)

    def test_marker_of_a_newer_form_is_not_believed(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "format": stores.MARKER_FORMAT + 1}))
        assert read_marker(str(path)) is None

    def test_marker_of_a_later_version_that_says_more_is_believed(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "blue"}))
        assert read_marker(str(path)) == environment.marker

    def test_no_file_of_ours_looks_like_a_package_record(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        Store(tmp_envs).unmark(environment.name)
        names = os.listdir(layout.conda_meta(environment.prefix))
        assert sorted(name for name in names if name.endswith(".json")) == ["package-0.json", "package-1.json"]

    def test_marker_comes_whole_and_after_the_directory_of_uses(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[str, list[str]]] = []

        def reached(step: str) -> None:
            if step == "marker written":
                [name] = Store(tmp_envs).list()
                meta = os.listdir(layout.conda_meta(layout.prefix(tmp_envs, name)))
                seen.append((Store(tmp_envs).state(name), [one for one in meta if one.startswith(layout.USES)]))

        monkeypatch.setattr(stores, "reached", reached)
        environment = small.ensure(tmp_envs)
        assert seen == [("unfinished", [layout.USES + environment.marker.build])]


class TestState:
    def test_states(self, tmp_envs: str) -> None:
        store = Store(tmp_envs)
        name = small.ensure(tmp_envs).name
        states = [store.state("0" * 20), store.state(name)]
        store.unmark(name)
        states.append(store.state(name))
        os.unlink(layout.marker_aside(store.prefix(name)))
        states.append(store.state(name))
        assert states == ["absent", "ready", "aside", "unfinished"]

    def test_discarded_prefix_goes_as_a_whole(self, tmp_envs: str) -> None:
        store = Store(tmp_envs)
        name = small.ensure(tmp_envs).name
        trash = store.discard(name)
        assert store.state(name) == "absent"
        assert trash is not None
        assert os.path.dirname(trash) == layout.trash(tmp_envs)
        stores.delete(trash)
        assert os.listdir(layout.trash(tmp_envs)) == []

    def test_delete_takes_write_protected_directories(self) -> None:
        """Root may do everything: somebody else deletes."""
        words = small.as_another_user()
        with small.place_of_another_user() as place:
            below = place / "tree" / "protected" / "below"
            below.mkdir(parents=True)
            (below / "file").write_text("x")
            for path in (below, below.parent, below.parent.parent):
                path.chmod(0o500)
                os.chown(path, 65534, 65534)
            code = f"import sys; sys.path.insert(0, {str(small.ROOT)!r})\n"
            code += "from conda_execute import store; store.delete(sys.argv[1])"
            subprocess.run([*words, sys.executable, "-c", code, str(place / "tree")], check=True, cwd="/")
            assert list(place.iterdir()) == []

    def test_list_names_prefixes_only(self, tmp_envs: str) -> None:
        name = small.ensure(tmp_envs).name
        for other in (".locks", ".trash", "notes.txt", "ABCDEF", name + ".x", name[:-1]):
            Path(tmp_envs, other).mkdir(exist_ok=True)
        Path(tmp_envs, name + ".1").mkdir()
        assert Store(tmp_envs).list() == [name, name + ".1"]

    def test_find_looks_beside_a_broken_prefix(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        os.rename(environment.prefix, environment.prefix + ".1")
        os.mkdir(environment.prefix)
        found = Store(tmp_envs).find(environment.name)
        assert found is not None
        assert found.name == environment.name + ".1"


HOLD = """
import sys, time
from conda_execute.store import Store
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
        assert Store(tmp_envs).lock(NAME, wait=False) is None
        small.end(process)
        lock = Store(tmp_envs).lock(NAME, wait=False)
        assert lock is not None
        lock.release()

    def test_lock_is_free_after_release(self, tmp_envs: str) -> None:
        for _ in range(3):
            lock = Store(tmp_envs).lock(NAME, wait=False)
            assert lock is not None
            lock.release()

    def test_waiter_says_after_a_second_whom_it_waits_for(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 3)
        told: list[tuple[float, Holder]] = []
        started = time.monotonic()
        lock = Store(tmp_envs).lock(NAME, on_wait=lambda who: told.append((time.monotonic() - started, who)))
        assert lock is not None
        lock.release()
        [(after, who)] = told
        assert 0.9 <= after < 3
        assert (who.pid, who.script) == (process.pid, "other.py")
        assert who.host == usage.place().split("+")[0]
        process.communicate()

    def test_waiter_for_a_short_while_says_nothing(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 0.2)
        told: list[Holder] = []
        lock = Store(tmp_envs).lock(NAME, on_wait=told.append)
        assert lock is not None
        lock.release()
        assert told == []
        process.communicate()

    def test_wait_ends_when_the_lock_is_not_needed_any_more(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 60)
        asked: list[int] = []
        lock = Store(tmp_envs).lock(NAME, unless=lambda: asked.append(1) is None and len(asked) == 3)
        assert lock is None
        assert len(asked) == 3
        small.end(process)

    def test_interrupt_ends_the_wait(self, tmp_envs: str) -> None:
        process = holder(tmp_envs, 60)
        waiter = small.python(HOLD, tmp_envs, NAME, "0", stderr=subprocess.PIPE)
        time.sleep(1.5)
        started = time.monotonic()
        waiter.send_signal(signal.SIGINT)
        _, errors = waiter.communicate(timeout=5)
        assert time.monotonic() - started < 1
        assert "KeyboardInterrupt" in errors
        small.end(process)

    def test_orphaned_installer_keeps_the_lock(self, tmp_envs: str) -> None:
        code = """
import os, subprocess, sys, signal
from conda_execute.store import Store
lock = Store(sys.argv[1]).lock(sys.argv[2])
child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
        process = small.python(code, tmp_envs, NAME)
        orphan = int(process.communicate()[0])
        assert Store(tmp_envs).lock(NAME, wait=False) is None
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
        assert Store(tmp_envs).lock(NAME, wait=False) is None
        installer.kill()
        installer.wait()
        again = Store(tmp_envs).lock(NAME, wait=False)
        assert again is not None
        again.release()

    def test_release_frees_the_lock_from_a_daemon_of_the_installation(self, tmp_envs: str) -> None:
        with Store(tmp_envs).lock(NAME) as lock:  # type: ignore[union-attr]
            daemon = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor])
        again = Store(tmp_envs).lock(NAME, wait=False)
        assert again is not None
        again.release()
        daemon.kill()
        daemon.wait()

    def test_lock_file_is_never_unlinked(self, tmp_envs: str) -> None:
        with Store(tmp_envs).lock(NAME):  # type: ignore[union-attr]
            pass
        assert os.path.exists(layout.lock(tmp_envs, NAME))

    def test_lock_on_a_file_that_a_person_deleted_is_taken_anew(self, tmp_envs: str) -> None:
        first = Store(tmp_envs).lock(NAME)
        assert first is not None
        waiter = small.python(HOLD, tmp_envs, NAME, "60")
        small.wait_for(lambda: layout.lock(tmp_envs, NAME) in stores._open_files(str(waiter.pid)), 60)
        os.unlink(layout.lock(tmp_envs, NAME))
        first.release()
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "held\n"
        assert Store(tmp_envs).lock(NAME, wait=False) is None
        small.end(waiter)

    def test_descriptor_is_not_inherited_unless_asked_for(self, tmp_envs: str) -> None:
        with Store(tmp_envs).lock(NAME) as lock:  # type: ignore[union-attr]
            assert fcntl.fcntl(lock.descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


class TestSoftLink:
    """The lock for file systems without locks, as the lock itself; `tests/stress` takes the system call away."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        return str(tmp_path / "name.lock")

    def link(self, path: str, use: str | None = None) -> stores.SoftLink:
        return stores.SoftLink(path, f"{use or usage.this_process()}\nscript.py\n")

    def dead(self) -> str:
        process = subprocess.Popen(["true"])
        process.wait()
        return f"{process.pid}-1@{usage.place()}"

    def test_excludes(self, path: str) -> None:
        assert self.link(path).take() is None
        assert self.link(path).take() == f"{usage.this_process()}\nscript.py\n"

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

    def test_of_this_host_before_its_last_boot_is_left_to_a_person(self, path: str) -> None:
        host, _, first = usage.place().rsplit("+", 2)
        assert self.link(path, f"1-1@{host}+another-boot+{first}").take() is None
        assert self.link(path).take() is not None

    def test_two_never_break_it_at_once(self, path: str) -> None:
        assert self.link(path, self.dead()).take() is None
        other = subprocess.Popen(["sleep", "60"])
        breaker = f"{other.pid}-{Path(f'/proc/{other.pid}/stat').read_text().split()[21]}@{usage.place()}"
        breakers = Path(path.removesuffix(".lock") + ".softlock.breakers")
        breakers.mkdir()
        (breakers / breaker).touch()
        assert self.link(path).take() is not None
        other.kill()
        other.wait()
        assert self.link(path).take() is None

    def test_who_finds_locks_respects_the_link_of_who_did_not(self, path: str) -> None:
        self.link(path).take()
        assert Lock.take(path, "", Waiting(False)) is None


class TestPlace:
    def choose(self, env_dir: str | None = None, name: str | None = None, **environ: str) -> str:
        return choose_tmp_envs(SimpleNamespace(env_dir=env_dir), environ, "linux-64", name=name)

    def test_place_asked_for_comes_first(self, tmp_path: Path) -> None:
        assert self.choose(str(tmp_path / "envs"), HOME=str(tmp_path)) == str(tmp_path / "envs" / "tmp_envs")

    def test_place_asked_for_may_name_tmp_envs_itself(self, tmp_path: Path) -> None:
        assert self.choose(str(tmp_path / "tmp_envs")) == str(tmp_path / "tmp_envs")

    def test_default_is_the_cache_directory_of_the_platform(self, tmp_path: Path) -> None:
        assert self.choose(HOME=str(tmp_path)) == str(tmp_path / ".cache/conda-execute/linux-64/tmp_envs")

    @pytest.mark.parametrize(
        ("parts", "is_root"),
        [(("condabin", "conda-meta"), True), (("conda-meta",), False), ((), False)],
        ids=["root prefix", "environment", "no conda"],
    )
    def test_root_prefix_that_the_caller_owns_comes_before_the_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...], is_root: bool
    ) -> None:
        root = tmp_path / "miniconda"
        root.mkdir()
        for part in parts:
            (root / part).mkdir()
        monkeypatch.setattr(sys, "prefix", str(root))
        chosen = self.choose(HOME=str(tmp_path))
        assert (chosen == str(root / "tmp_envs")) == is_root

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_root_prefix_of_somebody_else_is_left_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        root = tmp_path / "miniconda"
        for part in ("condabin", "conda-meta"):
            (root / part).mkdir(parents=True)
        os.chown(root, 65534, 65534)
        monkeypatch.setattr(sys, "prefix", str(root))
        assert self.choose(HOME=str(tmp_path)).startswith(str(tmp_path / ".cache"))

    def test_directories_are_private(self, tmp_path: Path) -> None:
        place = Path(self.choose(HOME=str(tmp_path)))
        assert [stat.S_IMODE(path.stat().st_mode) for path in (place, *place.parents[:3])] == [0o700] * 4

    def test_place_asked_for_that_does_not_fit_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(PlaceError, match="file"):
            self.choose(str(tmp_path / "file"), HOME=str(tmp_path))

    def test_default_place_that_does_not_fit_falls_through(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("no directory")
        notices: list[str] = []
        place = choose_tmp_envs(
            SimpleNamespace(env_dir=None),
            {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)},
            "linux-64",
            notice=notices.append,
        )
        assert place == str(tmp_path / f"conda-execute-{os.getuid()}/linux-64/tmp_envs")
        assert place in notices[0]

    def test_no_home_is_a_private_directory_with_a_notice(self, tmp_path: Path) -> None:
        notices: list[str] = []
        place = choose_tmp_envs(
            SimpleNamespace(env_dir=None), {"TMPDIR": str(tmp_path)}, "linux-64", notice=notices.append
        )
        assert place.startswith(str(tmp_path))
        assert stat.S_IMODE(os.stat(os.path.dirname(os.path.dirname(place))).st_mode) == 0o700
        assert "there is no HOME" in notices[0]

    def test_link_in_place_of_the_private_directory_is_refused(self, tmp_path: Path) -> None:
        """In a directory for all, anybody could have made it."""
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (tmp_path / f"conda-execute-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PlaceError, match="symbolic link"):
            self.choose(TMPDIR=str(tmp_path))
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_command_that_a_hint_gives_holds_for_a_path_with_blanks(self, tmp_path: Path) -> None:
        place = tmp_path / "my $HOME" / "tmp_envs"
        place.mkdir(parents=True)
        place.chmod(0o777)
        with pytest.raises(PlaceError) as caught:
            self.choose(str(place))
        assert caught.value.hint is not None
        subprocess.run(["/bin/sh", "-c", caught.value.hint], check=True)
        assert self.choose(str(place)) == str(place)

    @pytest.mark.parametrize("mode", [0o770, 0o707, 0o777], ids=oct)
    def test_place_that_another_user_can_write_to_is_refused(self, tmp_path: Path, mode: int) -> None:
        place = tmp_path / "tmp_envs"
        place.mkdir()
        place.chmod(mode)
        with pytest.raises(PlaceError, match="other users can write"):
            self.choose(str(tmp_path))

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_place_of_another_user_is_refused(self, tmp_path: Path) -> None:
        place = tmp_path / "tmp_envs"
        place.mkdir()
        os.chown(place, 65534, 65534)
        with pytest.raises(PlaceError, match="belongs to another user"):
            self.choose(str(tmp_path))
