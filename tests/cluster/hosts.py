"""Hosts on one machine: each has a name, a boot and processes of its own, and they share a disk."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import World
from tests.protocol import small

#: In a namespace of its own: the name, the boot id, and then whatever is asked for.
_BEGIN = 'hostname "$1"; mount --bind "$2" /proc/sys/kernel/random/boot_id; shift 2; exec "$@"'

_NAMESPACES = ("unshare", "--uts", "--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL", "--mount-proc")


@dataclass
class Host:
    """One host. A command runs in namespaces of its own, which bear the host's name and boot: to the others it is a
    process of that host."""

    name: str
    world: World
    scratch: Path
    boot: Path = field(init=False)

    def __post_init__(self) -> None:
        self.reboot()

    def reboot(self) -> None:
        self.boot = self.scratch / f"boot-{uuid.uuid4()}"
        self.boot.write_text(f"{uuid.uuid4()}\n")

    def words(self, *words: object) -> list[object]:
        return [*_NAMESPACES, "sh", "-c", _BEGIN, "sh", self.name, self.boot, *words]

    def start(self, *words: object, **variables: str) -> subprocess.Popen[str]:
        world = self.world.with_(**variables)
        return world.start(self.words(*words), stdin=subprocess.DEVNULL, start_new_session=True)

    def run(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = self.world.with_(**variables).run(self.words(*words), timeout=300)
        return done


def end(process: subprocess.Popen[str]) -> None:
    """As a host ends whose power fails: all its processes at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


class Sshfs:
    """One directory, mounted by sshfs without a server: `sftp-server` at the other end of a socket."""

    SERVER = "/usr/lib/openssh/sftp-server"

    def __init__(self, directory: Path, mount: Path) -> None:
        mount.mkdir()
        self.mount = mount
        here, there = socket.socketpair()
        words = ["sshfs", "-f", "-o", "passive", f":{directory}", str(mount)]
        self._processes = [
            subprocess.Popen([self.SERVER], stdin=there.fileno(), stdout=there.fileno()),
            subprocess.Popen(words, stdin=here.fileno(), stdout=here.fileno()),
        ]
        here.close()
        there.close()
        small.wait_for(lambda: os.path.ismount(mount))

    def unmount(self) -> None:
        subprocess.run(["fusermount3", "-u", "-z", str(self.mount)], check=False)
        for process in self._processes:
            process.kill()
            process.wait()


def seconds(since: float) -> str:
    return f"{time.monotonic() - since:.1f} s"
