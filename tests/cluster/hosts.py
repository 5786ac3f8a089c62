"""Hosts on one machine: each has a name, a boot, a network card and processes of its own, and they share a disk."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from tests.conftest import World
from tests.protocol import small

#: The host comes up: process 2 is the kernel's, as on a machine; its name, boot id and machine id; its card, its own
#: /run and /var/tmp, what it has installed; and a process 1 that reaps.
_BEGIN = """\
set -e
read -r address
"$1/kthreadd" infinity &
hostname "$2"
mount --bind "$1/boot_id" /proc/sys/kernel/random/boot_id
mount --bind "$1/uptime" /proc/uptime
[ ! -e /etc/machine-id ] || mount --bind "$1/machine-id" /etc/machine-id
mount --bind "$1/tmp" /var/tmp
ip link set lo up
[ -z "$address" ] || { ip address add "$address" dev eth0; ip link set eth0 up; }
[ -z "$3" ] || mount -t overlay overlay -o "lowerdir=$3/usr:/usr" /usr
mount -t tmpfs none /run
cp "$1/boot_id" /run # for containers, which mount /proc again
echo up
set +e
trap : CHLD
while :; do sleep 3600 & wait; done
"""

#: Nothing of a trial outlives the tests, however they end.
WITH_US = ("setpriv", "--pdeathsig", "KILL")
_KINDS = ("--uts", "--mount", "--pid", "--ipc", "--net")
_NAMESPACES = ("unshare", *_KINDS, "--fork", "--kill-child=KILL", "--mount-proc")


class Network:
    """A switch, and a cable to each host: addresses 10.77.0.1 and so on, which nothing else here can reach."""

    def __init__(self) -> None:
        self._switch = subprocess.Popen([*WITH_US, "unshare", "--net", "sleep", "infinity"])
        self._hosts = self._cables = 0
        mine = os.readlink("/proc/self/ns/net")
        small.wait_for(lambda: os.readlink(f"/proc/{self._switch.pid}/ns/net") != mine)
        self._run("ip link add bridge type bridge && ip link set bridge up")

    def number(self) -> int:
        """Of one more host."""
        self._hosts += 1
        return self._hosts

    def cable(self, number: int, pid: int) -> str:
        """Plug in the host of this number, whose network namespace this process has; its address."""
        self._cables += 1
        end = f"port{self._cables}"
        self._run(f"ip link add {end} type veth peer name eth0 netns {pid}")
        self._run(f"ip link set {end} master bridge up")
        return f"10.77.0.{number}/24"

    def _run(self, command: str) -> None:
        subprocess.run(["nsenter", f"--target={self._switch.pid}", "--net", "sh", "-ec", command], check=True)

    def end(self) -> None:
        self._switch.kill()
        self._switch.wait()


class Host:
    """One host: namespaces with a name, a boot, a card and a process 1 of their own. `tree` is what is installed there
    besides what this machine has; a `clone` has the machine id of its original."""

    def __init__(
        self, name: str, world: World, network: Network, tree: Path | None = None, clone: Host | None = None
    ) -> None:
        self.name = name
        self.world = world
        self._network = network
        self._number = network.number()
        self._tree = tree
        self._disk = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=world.root))
        (self._disk / "tmp").mkdir()
        (self._disk / "tmp").chmod(0o1777)
        (self._disk / "kthreadd").symlink_to("/bin/sleep")
        (self._disk / "uptime").write_text("1.00 1.00\n")
        own = (clone._disk / "machine-id").read_text() if clone else f"{uuid.uuid4().hex}\n"
        (self._disk / "machine-id").write_text(own)
        self.boot()

    def boot(self) -> None:
        (self._disk / "boot_id").unlink(missing_ok=True)  # a host that died may not be gone yet
        (self._disk / "boot_id").write_text(f"{uuid.uuid4()}\n")
        words = [*WITH_US, *_NAMESPACES, "sh", "-c", _BEGIN, "sh", self._disk, self.name, self._tree or ""]
        self._up = self.world.start(words)
        assert self._up.stdin is not None
        assert self._up.stdout is not None
        children = Path(f"/proc/{self._up.pid}/task/{self._up.pid}/children")
        small.wait_for(lambda: self._up.poll() is not None or children.read_text())
        assert self._up.poll() is None, self._up.communicate()
        self.pid = int(children.read_text())
        address = self._network.cable(self._number, self.pid)
        self.address = address.partition("/")[0]
        print(address, file=self._up.stdin, flush=True)
        assert self._up.stdout.readline() == "up\n", self._up.communicate()
        self._enter = ["nsenter", "--target", str(self.pid), *_KINDS]

    def die(self) -> None:
        """As a host whose power fails: all its processes at once."""
        self._up.kill()
        self._up.communicate()

    def start(self, *words: object, **variables: str) -> subprocess.Popen[str]:
        world = self.world.with_(**variables)
        process: subprocess.Popen[str] = world.start([*self._enter, *words], stdin=subprocess.DEVNULL)
        return process

    def run(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = self.world.with_(**variables).run([*self._enter, *words], timeout=300)
        return done

    def must(self, *words: object) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{shlex.join(map(str, words))}: {done.stdout}{done.stderr}"
        return done.stdout


def seconds(since: float) -> str:
    return f"{time.monotonic() - since:.1f} s"
