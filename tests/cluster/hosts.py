"""Hosts on one machine: each has a name, a boot and processes of its own, and they share a disk."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from pathlib import Path

from tests.conftest import World
from tests.protocol import small

#: The host comes up: its name, its boot id, and a process 1 that reaps.
_BEGIN = """\
hostname "$1" && mount --bind "$2" /proc/sys/kernel/random/boot_id && echo up
trap : CHLD
while :; do sleep 3600 & wait; done
"""

_NAMESPACES = ("unshare", "--uts", "--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL", "--mount-proc")


class Host:
    """One host: namespaces with a name, a boot and a process 1 of their own."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.boot()

    def boot(self) -> None:
        boot_id = self.world.root / f"boot-{uuid.uuid4()}"
        boot_id.write_text(f"{uuid.uuid4()}\n")
        words = [*_NAMESPACES, "sh", "-c", _BEGIN, "sh", self.name, boot_id]
        self._up = self.world.start(words, stdin=subprocess.DEVNULL)
        assert self._up.stdout is not None
        assert self._up.stdout.readline() == "up\n"
        children = Path(f"/proc/{self._up.pid}/task/{self._up.pid}/children").read_text()
        self._enter = ["nsenter", "--target", children.split()[0], "--uts", "--mount", "--pid", "--ipc"]

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
