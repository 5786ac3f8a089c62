"""Every way out of a sandbox that we could think of, tried on the kernel of this machine.

Each attempt is made three times: without a sandbox, where it must get out (else it shows nothing), in one made of
namespaces, and in one made without. Where the tests run as root, all of that is done as an ordinary user too.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytest

if sys.platform != "linux":
    pytest.skip("there are namespaces and Landlock on Linux only", allow_module_level=True)

from conda_execute.launch.sandbox.kernel import lack, look
from tests import sandbox_attempts as attempts

pytestmark = pytest.mark.skipif(lack(look()) is not None, reason="this kernel has no sandbox to get out of")

PACKAGE = Path(__file__).parent.parent
ATTEMPTS = Path(attempts.__file__)

#: Landlock looks at contents, not at what is said about a file: without namespaces these get out, as the page says.
UNSTOPPED = {
    "see_that_a_file_is_there", "go_to_a_folder", "wait_for_changes_of_a_folder", "watch_a_folder",
    "change_mode_outside", "change_mode_in_the_environment", "change_times_outside", "change_owner_outside",
    "set_attributes_outside",
}  # fmt: skip

#: What an ordinary user may not do in the first place.
OF_ROOT = {
    "by_file_handle", "by_a_device_of_the_disk", "write_a_setting_of_the_kernel", "write_below_sys",
    "rename_the_machine", "make_a_control_group", "open_a_raw_socket", "open_a_packet_socket",
    "enter_the_network_of_another", "load_a_program_into_the_kernel", "through_root_of_init", "type_into_the_terminal",
    "by_another_device_of_the_machine", "paste_into_the_console", "press_a_key_of_the_kernel",
    "read_memory_of_the_kernel", "read_the_log_of_the_kernel", "open_a_file_of_the_system_to_write",
    "leave_the_control_group", "enter_all_of_another_by_descriptor", "push_another_out_of_memory",
}  # fmt: skip

#: What not every kernel has.
OF_SOME_KERNELS = {
    "by_io_uring", "open_a_socket_to_the_host_of_this_machine", "read_keys_of_the_session", "make_a_control_group",
    "with_system_calls_of_32_bits", "write_below_sys", "set_attributes_outside", "connect_by_tcp_to_version_6",
    "slow_the_user_down", "slow_the_disk_of_the_user", "by_another_device_of_the_machine", "paste_into_the_console",
    "read_memory_of_the_kernel", "press_a_key_of_the_kernel", "leave_the_control_group",
    "push_another_out_of_memory", "compare_another", "move_another_in_memory", "count_what_another_does",
    "open_a_queue_of_posix", "watch_a_folder", "signal_everybody", "give_another_other_processors",
    "by_mounting_proc_again", "through_root_of_init", "by_a_device_of_the_disk",
}  # fmt: skip

#: Who makes the attempts: a user id, or None for whoever runs the tests.
USERS = [None, 54_321] if os.geteuid() == 0 else [None]
OTHER_USER = 54_322

_ENTER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from conda_execute.launch import sandbox
from conda_execute.launch.sandbox import kernel, policy
from conda_execute.lean.values import replace
told = json.loads(sys.argv[2])
found = kernel.look()
if not told["namespaces"]:
    found = replace(found, forbids_namespaces="test=1")
said = {k: tuple(v) if isinstance(v, list) else v for k, v in told["policy"].items()}
sandbox.enter(policy.SandboxPolicy(**said), found)
os.execv(sys.executable, [sys.executable, "-I", *sys.argv[3:]])
"""

_VICTIM = """
import ctypes, os, sys, time
secret = ctypes.create_string_buffer(b"secret in memory")
file = open("secret")
print(file.fileno(), ctypes.addressof(secret), flush=True)
time.sleep(600)
"""


def python_of(user):
    """An interpreter that this user can start."""
    if user is None:
        return sys.executable
    for python in (sys.executable, "/usr/bin/python3"):
        test = [python, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import conda_execute.launch.sandbox"]
        try:
            done = subprocess.run(
                [*test, str(PACKAGE)], user=user, group=user, extra_groups=[], check=False, capture_output=True
            )
        except PermissionError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip("there is no Python that an ordinary user can start")


class Ended(NamedTuple):
    """How each attempt ended, and what was said of it."""

    how: dict[str, int]
    said: str


class World:
    """What there is outside of a sandbox: files, sockets, processes, all of one user."""

    def __init__(self, folder: Path, user: int | None) -> None:
        self.folder, self.user = folder, user
        self.python = python_of(user)
        self.identity: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        self.closing: list[Callable[[], object]] = []
        folder.chmod(0o755)
        self.home, self.work = folder / "home", folder / "work"
        self.environment, self.shown, self.scratch = folder / "environment", folder / "shown", folder / "scratch"
        for made in (self.home, self.work, self.environment / "bin", self.shown, self.scratch):
            made.mkdir(parents=True)
        shutil.copy(ATTEMPTS, self.shown / "attempts.py")
        self.facts: dict[str, Any] = {"home": str(self.home), "secret": self.file(self.home / "secret")}
        self.facts["environment"], self.facts["shown"] = str(self.environment), str(self.shown)
        self.facts["tool"] = self.file(self.home / "tool", "#!/bin/sh\necho secret\n")
        (self.home / "tool").chmod(0o700)
        self.facts["is_all"] = os.geteuid() == 0 and user is None
        self.facts["device"] = next(
            (name for name in ("/dev/fuse", "/dev/kmsg", "/dev/kvm") if os.path.exists(name)), "/dev/mem"
        )
        self.facts["temporary"] = self.file(folder / "temporary")
        self.facts["shared_file"] = self.file(Path(f"/dev/shm/conda-execute-test-{os.getpid()}-{user}"))
        self.closing.append(Path(self.facts["shared_file"]).unlink)
        self._rights()
        for made in folder.rglob("*"):
            if user is not None and made.name not in ("of-another", "setuid-cat", "capable-cat"):
                os.lchown(made, user, user)
        self._processes()
        self._sockets()
        self._shares()

    def file(self, path: Path, text: str = "secret\n") -> str:
        path.write_text(text)
        path.chmod(0o600)
        if self.user is not None:
            os.chown(path, self.user, self.user)
        return str(path)

    def _rights(self) -> None:
        """Programs with more rights than their caller, and a file that only those may read."""
        of_another, setuid, capable = (self.shown / name for name in ("of-another", "setuid-cat", "capable-cat"))
        of_another.write_text("secret\n")
        of_another.chmod(0o600)
        for program in (setuid, capable):
            shutil.copy("/bin/cat", program)
            program.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(of_another, OTHER_USER, OTHER_USER)
            os.chown(setuid, OTHER_USER, OTHER_USER)
            setuid.chmod(0o4755)
            os.setxattr(capable, "security.capability", struct.pack("<5I", 0x02000001, 1 << 1, 0, 0, 0))
        self.facts.update(setuid=str(setuid), capable=str(capable), of_another=str(of_another))

    def _processes(self) -> None:
        command = [self.python, "-I", "-c", _VICTIM]
        self.victim = subprocess.Popen(
            command,
            cwd=self.home,
            env={"SECRET": "secret"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **self.identity,
        )
        self.closing.append(self._end_victim)
        descriptor, address = self.victim.stdout.readline().split()
        self.facts.update(victim=self.victim.pid, victim_fd=int(descriptor), victim_address=int(address))
        self.facts["parent"] = os.getpid() if self.user is None else self.victim.pid

    def _end_victim(self) -> None:
        self.victim.kill()
        self.victim.stdout.close()
        self.victim.wait()

    def _listen(self, kind: int, address: Any, family: int = socket.AF_INET) -> socket.socket:
        listening = socket.socket(family, kind)
        listening.bind(address)
        if kind == socket.SOCK_STREAM:
            listening.listen(64)
        self.closing.append(listening.close)
        return listening

    def _sockets(self) -> None:
        self.facts["tcp"] = self._listen(socket.SOCK_STREAM, ("127.0.0.1", 0)).getsockname()[1]
        self.facts["tcp6"] = 1
        if socket.has_ipv6:
            six = self._listen(socket.SOCK_STREAM, ("::1", 0), socket.AF_INET6)
            self.facts["tcp6"] = six.getsockname()[1]
        datagrams = self._listen(socket.SOCK_DGRAM, ("127.0.0.1", 0))
        self.facts["udp"] = datagrams.getsockname()[1]
        threading.Thread(target=_echo, args=(datagrams,), daemon=True).start()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.facts["free_port"] = free.getsockname()[1]
        self.facts["unix"] = str(self.home / "s")
        self._listen(socket.SOCK_STREAM, os.path.relpath(self.home / "s"), socket.AF_UNIX)
        os.chmod(self.home / "s", 0o777)
        name = f"conda-execute-test-{os.getpid()}-{self.user}"
        self.facts["abstract"] = name
        self._listen(socket.SOCK_STREAM, f"\0{name}", socket.AF_UNIX)
        self._listen(socket.SOCK_DGRAM, f"\0{name}-datagrams", socket.AF_UNIX)
        self.facts["interface"] = next((name for _, name in socket.if_nameindex() if name != "lo"), "lo")

    def _shares(self) -> None:
        """A segment of System V's shared memory with a secret in it, a queue, and a semaphore; a queue of POSIX's."""
        libc = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        self.facts["queue"] = queue = libc.msgget(0, 0o1666)
        self.closing.append(lambda: libc.msgctl(queue, 0, None))
        self.facts["semaphores"] = semaphores = libc.semget(0, 1, 0o1666)
        self.closing.append(lambda: libc.semctl(semaphores, 0, 0))
        self.facts["posix_queue"] = name = f"/conda-execute-test-{os.getpid()}-{self.user}"
        opened = libc.mq_open(name.encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
        if opened >= 0:
            os.fchmod(opened, 0o666)
            os.close(opened)
            self.closing.append(lambda: libc.mq_unlink(name.encode()))
        segment = libc.shmget(0, 4096, 0o1666)
        where = libc.shmat(segment, None, 0)
        ctypes.memmove(where, b"secret", 6)
        self.facts["segment"] = segment
        self.closing.append(lambda: libc.shmctl(segment, 0, None))

    @cached_property
    def outside(self) -> Ended:
        return self._attempts([self.python, "-I"])

    @cached_property
    def in_namespaces(self) -> Ended:
        return self._attempts(self._sandbox(namespaces=True))

    @cached_property
    def in_a_filter(self) -> Ended:
        return self._attempts(self._sandbox(namespaces=False))

    def _attempts(self, command: list[str]) -> Ended:
        """How every attempt ends, made by this command."""
        self.facts["victim_file"] = self.file(self.home / "victim-file")
        for name in ("program", "other-program"):
            self.file(self.environment / "bin" / name)
        master, slave = os.openpty()
        mortal, stopped = (subprocess.Popen(["sleep", "600"], **self.identity) for _ in range(2))
        stopped.send_signal(signal.SIGSTOP)
        inherited = os.open(self.home, os.O_RDONLY)
        stop = threading.Event()
        threading.Thread(target=_call, args=(self.facts["free_port"], stop), daemon=True).start()
        try:
            os.fchown(slave, -1 if self.user is None else self.user, -1)
            self.facts.update(terminal=os.ttyname(slave), mortal=mortal.pid, stopped=stopped.pid, inherited=inherited)
            done = subprocess.run(
                [*command, str(self.shown / "attempts.py"), json.dumps(self.facts)],
                cwd=self.work,
                env={"PATH": "/usr/bin:/bin", "TMPDIR": str(self.scratch)},
                stdin=subprocess.DEVNULL,
                pass_fds=[inherited],
                check=False,
                capture_output=True,
                text=True,
                timeout=300,
                **self.identity,
            )
            assert done.returncode == 0, done.stderr
            return Ended(json.loads(done.stdout), done.stderr)
        finally:
            stop.set()
            for process in (mortal, stopped):
                process.kill()
                process.wait()
            for descriptor in (master, slave, inherited):
                os.close(descriptor)

    def _sandbox(self, *, namespaces: bool) -> list[str]:
        from conda_execute.launch.sandbox.policy import SYSTEM

        read = [*SYSTEM, str(self.environment), str(self.shown), sys.base_prefix, sys.prefix]
        policy = {"read": read, "write": [str(self.work)], "folder": str(self.work)}
        told = {"namespaces": namespaces, "policy": policy}
        return [self.python, "-I", "-c", _ENTER, str(PACKAGE), json.dumps(told)]

    def close(self) -> None:
        for close in reversed(self.closing):
            close()


def table() -> str:
    """What the documentation shows of all this."""
    rows = ["| attempt | with namespaces | without |", "|---|---|---|"]
    for name in attempts.ATTEMPTS:
        rows.append(f"| {name.replace('_', ' ')} | kept in | {'**gets out**' if name in UNSTOPPED else 'kept in'} |")
    return "\n".join(rows) + "\n"


def test_documentation_lists_every_attempt_and_how_it_ends():
    assert table() in (PACKAGE / "docs" / "reference" / "sandbox-attempts.md").read_text()


def _echo(listening: socket.socket) -> None:
    while True:
        try:
            data, back = listening.recvfrom(1000)
            listening.sendto(data, back)
        except OSError:
            return


def _call(port: int, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            continue


@pytest.fixture(scope="module", params=USERS, ids=lambda user: "as-whoever-tests" if user is None else "as-a-user")
def world(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    for parent in folder.parents:
        if os.geteuid() == 0 and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o011)
    world = World(folder, request.param)
    yield world
    world.close()


@pytest.mark.parametrize("name", attempts.ATTEMPTS)
def test_an_attempt_gets_out_where_there_is_no_sandbox(world, name):
    if world.user is not None and name in OF_ROOT:
        pytest.skip("an ordinary user may not do this anywhere")
    if os.geteuid() != 0 and name.startswith("gain_rights"):
        pytest.skip("only root can give a program more rights")
    if world.outside.how[name] == attempts.KEPT_IN and name in OF_SOME_KERNELS:
        pytest.skip("this kernel lets nobody do it")
    assert world.outside.how[name] == attempts.GOT_OUT, world.outside.said


@pytest.mark.parametrize("name", attempts.ATTEMPTS)
def test_namespaces_keep_an_attempt_in(world, name):
    assert world.in_namespaces.how[name] == attempts.KEPT_IN, world.in_namespaces.said


@pytest.mark.parametrize("name", attempts.ATTEMPTS)
def test_a_filter_keeps_an_attempt_in(world, name):
    expected = attempts.GOT_OUT if name in UNSTOPPED else attempts.KEPT_IN
    assert world.in_a_filter.how[name] == expected, world.in_a_filter.said
