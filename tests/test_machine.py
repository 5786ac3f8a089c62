"""Who a machine is across its boots, and what it may say of notes that are not of its own place."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from shlex import quote

import pytest

from conda_execute import housekeeping
from conda_execute.environments import layout, machine, observer, uses
from conda_execute.environments.observer import Observer
from conda_execute.environments.soft_lock import SoftLock
from conda_execute.environments.store import Store
from conda_execute.environments.sweep import clear, survey
from tests.protocol import small
from tests.protocol.small import idle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")

HOUR = 3600.0
ID, OTHER_ID = "1" * 32, "2" * 32
ADDRESS = "52:54:00:00:00:01"


class Machine:
    """A machine with a disk of its own. Only what the kernel and the system say of themselves is made up."""

    def __init__(
        self,
        path: Path,
        patch: pytest.MonkeyPatch,
        *,
        name: str = "ubuntu",
        machine_id: str = ID,
        address: str = ADDRESS,
        first: str = uses.MACHINE,
    ) -> None:
        self.path, self.patch = path, patch
        self.name, self.machine_id, self.address, self.first = name, machine_id, address, first
        (path / "cards" / "eth0" / "device").mkdir(parents=True)

    def another(self, **others: str) -> Machine:
        """Alike in all else but its disk."""
        return Machine(self.path.with_name("another"), self.patch, **others)

    def boots(self, boot: str) -> None:
        """From here on this process runs on that machine, which started an hour ago."""
        lines = {
            "/etc/machine-id": self.machine_id,
            "/proc/uptime": f"{HOUR} 0",
            str(self.path / "cards" / "eth0" / "address"): self.address,
        }
        self.patch.setattr(uses, "line", lambda path: lines.get(path, uses.UNKNOWN))
        for module in (uses, observer):
            self.patch.setattr(module, "place", lambda: f"{self.name}+{boot}+{self.first}")
        self.patch.setattr(machine, "_CARDS", str(self.path / "cards"))
        self.patch.setattr(machine, "_LASTING", str(self.path))


def judge(tmp_envs: str, place: str, age: float = 10 * HOUR) -> str:
    """What becomes of a note that a process of that place left so many seconds ago."""
    path = Path(tmp_envs, f"7-7@{place}")
    path.touch()
    now = time.time()
    os.utime(path, (now - age, now - age))
    return Observer(now, 30 * 24 * HOUR, tmp_envs).judge(uses.Note(str(path), uses.parse(path.name)))


def register(tmp_envs: str, age: float = 0) -> None:
    """This machine writes down who it is, so many seconds ago."""
    now = time.time()
    machine.register(tmp_envs, now)
    boot = uses.place().split("+")[1]
    os.utime(layout.machine(tmp_envs, boot), (now - age, now - age))


class TestFormerBoot:
    @pytest.fixture
    def one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
        return Machine(tmp_path / "one", monkeypatch)

    @pytest.fixture
    def known(self, tmp_envs: str, one: Machine) -> Machine:
        """In its first boot, which it wrote down eleven hours ago."""
        one.boots("first")
        register(tmp_envs, age=11 * HOUR)
        return one

    def test_note_of_this_machine_before_its_last_boot_is_dead(self, tmp_envs: str, known: Machine) -> None:
        known.boots("second")
        register(tmp_envs)
        assert judge(tmp_envs, "ubuntu+first+machine") == "dead"
        assert judge(tmp_envs, "container+first+77") == "dead", "a container has its machine's boot"
        assert judge(tmp_envs, "ubuntu+first+machine", age=60) == "foreign", "younger than this boot"

    def test_first_run_of_a_boot_says_who_the_machine_is(self, tmp_envs: str, one: Machine) -> None:
        """Itself, not its sweeper: a machine that dies at once would else have left notes of nobody."""
        one.boots("first")
        one.patch.setattr(housekeeping, "_start", lambda *rest: None)
        environment = small.ensure(tmp_envs)
        note = uses.note_path(environment, uses.this_process())
        assert housekeeping.start_if_due(Store(tmp_envs), note, timedelta(hours=1), timedelta(days=30))
        assert os.path.exists(layout.machine(tmp_envs, "first"))

    def test_link_of_a_former_boot_is_taken_by_the_first_run_of_the_next(self, tmp_envs: str, known: Machine) -> None:
        """It waits for that link, so no cleaning has said yet who this boot is."""
        os.mkdir(os.path.join(tmp_envs, layout.LOCKS))
        path = layout.lock(tmp_envs, "a" * 20)
        dead = f"{2**22 - 1}-77@ubuntu+first+machine"
        assert SoftLock(path, dead).take() is None
        os.utime(path.removesuffix(".lock") + ".softlock", (1, 1), follow_symlinks=False)
        known.boots("second")
        assert SoftLock(path, "1-1@ubuntu+second+machine").take() is None

    def test_containers_of_the_machine_know_it_too(self, tmp_envs: str, known: Machine) -> None:
        known.boots("second")
        register(tmp_envs)
        known.another(name="pod", first="99").boots("second")
        assert judge(tmp_envs, "ubuntu+first+machine") == "dead"

    @pytest.mark.parametrize(
        "others",
        [{"machine_id": OTHER_ID}, {"address": "52:54:00:00:00:02"}, {}],
        ids=["one name", "one name and machine id", "alike in all but their disks"],
    )
    def test_other_machine_of_one_name_is_foreign(self, tmp_envs: str, known: Machine, others: dict[str, str]) -> None:
        known.another(**others).boots("second")
        register(tmp_envs)
        assert judge(tmp_envs, "ubuntu+first+machine") == "foreign"

    def test_clone_that_remembers_that_boot_is_foreign_once_the_other_shows_signs_of_life(
        self, tmp_envs: str, known: Machine
    ) -> None:
        """Cloned, disk and all, while it ran: nothing distinguishes them but that both exist."""
        known.boots("second")
        register(tmp_envs)
        Path(layout.swept(tmp_envs, "first")).touch()
        assert judge(tmp_envs, "ubuntu+first+machine") == "foreign"

    def test_boot_without_an_entry_is_foreign(self, tmp_envs: str, one: Machine) -> None:
        one.boots("second")
        register(tmp_envs)
        assert judge(tmp_envs, "ubuntu+first+machine") == "foreign"

    @pytest.mark.parametrize(
        "changes",
        [{"first": "99"}, {"machine_id": ""}, {"machine_id": "uninitialized"}, {"name": "localhost"}],
        ids=["container", "no machine id", "first boot of an image", "name of no host"],
    )
    def test_who_is_nobody_for_certain_writes_nothing(
        self, tmp_envs: str, one: Machine, changes: dict[str, str]
    ) -> None:
        one.another(**changes).boots("first")
        machine.register(tmp_envs, time.time())
        assert not os.path.exists(layout.machine(tmp_envs, "first"))

    def test_boots_that_another_user_wrote_down_are_not_believed(self, tmp_envs: str, known: Machine) -> None:
        os.chown(known.path / f".conda-execute-{os.geteuid()}.boots", 65534, 65534)
        known.boots("second")
        register(tmp_envs)
        assert judge(tmp_envs, "ubuntu+first+machine") == "foreign"

    def test_what_boots_left_goes_when_their_notes_count_for_nothing(self, tmp_envs: str, one: Machine) -> None:
        one.boots("first")
        register(tmp_envs, age=31 * 24 * HOUR)
        one.boots("second")
        register(tmp_envs)
        machine.forget_former(tmp_envs, time.time(), 30 * 24 * HOUR)
        assert os.listdir(layout.boots(tmp_envs)) == ["second"]

    def test_this_very_machine_writes_down_who_it_is(self, tmp_envs: str) -> None:
        """Nothing made up: where it is no container, and knows its id."""
        clear(Store(tmp_envs))
        is_somebody = uses.place().endswith("+" + uses.MACHINE) and len(uses.line("/etc/machine-id")) == 32
        assert os.path.exists(layout.machine(tmp_envs, uses.boot())) == is_somebody


@pytest.fixture
def is_machine() -> None:
    if not uses.place().endswith("+" + uses.MACHINE):
        pytest.skip("this is a container, which cannot see all processes of its machine")


@pytest.mark.usefixtures("namespaces", "is_machine")
class TestContainers:
    OWN = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

    def contained(self, tmp_envs: str, *options: str) -> subprocess.Popen[str]:
        """A run in a container of its own."""
        words = ["unshare", *self.OWN, *options, sys.executable, "-c", small.RUN_AND_SLEEP, tmp_envs, "60"]
        environ = {**os.environ, "PYTHONPATH": str(small.ROOT)}
        process = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().strip()
        return process

    def pod(self, before: str = "") -> list[str]:
        """With another name than its machine, and as process 2 there or so."""
        return ["--uts", "sh", "-c", f'{before} hostname pod; "$@"; exit "$?"', "sh"]

    def foreign(self, tmp_envs: str) -> int:
        [found] = survey(Store(tmp_envs))
        return len(found.foreign)

    def test_machine_knows_when_a_run_in_a_container_has_ended(self, tmp_envs: str) -> None:
        process = self.contained(tmp_envs, *self.pod())
        assert self.foreign(tmp_envs) == 1
        assert clear(Store(tmp_envs)).freed == ()
        small.end(process)
        small.wait_for(lambda: self.foreign(tmp_envs) == 0)
        assert len(clear(Store(tmp_envs)).freed) == 1

    def test_container_with_a_boot_id_of_its_own_is_another_host(self, tmp_envs: str, tmp_path: Path) -> None:
        """As systemd-nspawn makes them. Not even on a disk of this machine's own: it may be exported to others."""
        other = tmp_path / "boot_id"
        other.write_text("11111111-2222-3333-4444-555555555555\n")
        process = self.contained(
            tmp_envs, *self.pod(f"mount --bind {quote(str(other))} /proc/sys/kernel/random/boot_id;")
        )
        assert self.foreign(tmp_envs) == 1
        small.end(process)
        assert self.foreign(tmp_envs) == 1

    def test_container_with_a_clock_of_its_own_is_doubted(self, tmp_envs: str) -> None:
        """A time namespace shifts the start that the run notes."""
        if subprocess.run(["unshare", "--time", "--boottime", "100", "true"], check=False).returncode != 0:
            pytest.skip("no time namespaces here")
        process = self.contained(tmp_envs, "--uts", "--time", "--boottime", "100000")
        assert self.foreign(tmp_envs) == 1
        small.end(process)
        small.wait_for(lambda: self.foreign(tmp_envs) == 0)


class TestForgetting:
    """Notes of runs that have ended go with the first cleaning of their own host, whichever process does it."""

    def ended(self, tmp_envs: str) -> Path:
        environment = idle(tmp_envs)
        note = small.uses(environment) / f"{2**30}-7@{uses.place()}"
        note.touch()
        return note

    def test_clear_removes_notes_of_processes_that_have_ended(self, tmp_envs: str) -> None:
        note = self.ended(tmp_envs)
        clear(Store(tmp_envs), min_age=timedelta(hours=25))
        assert not note.exists()

    def test_a_dry_run_removes_none(self, tmp_envs: str) -> None:
        note = self.ended(tmp_envs)
        clear(Store(tmp_envs), dry_run=True)
        assert note.exists()

    def test_what_cannot_be_asked_is_counted_and_not_said_to_run(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        for number in range(500):
            (small.uses(environment) / f"{number + 1}-7@n{number % 3}+boot{number % 3}+machine").touch()
        [(_, why)] = clear(Store(tmp_envs)).kept
        assert why == "kept for 500 notes of 3 hosts, newest now, which cannot be checked from here"

    def test_a_person_who_knows_better_clears_what_other_hosts_noted(self, tmp_envs: str) -> None:
        environment = idle(tmp_envs)
        (small.uses(environment) / "7-7@other+boot+machine").touch()
        assert clear(Store(tmp_envs)).freed == ()
        assert [found.name for found in clear(Store(tmp_envs), foreign=True).freed] == [environment.name]

    def test_not_even_then_goes_what_a_process_of_this_host_uses(self, tmp_envs: str) -> None:
        process = small.runner(tmp_envs)
        assert clear(Store(tmp_envs), foreign=True).freed == ()
        small.end(process)
