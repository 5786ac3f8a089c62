"""File systems that hosts share: sshfs, and glusterfs of Debian's packages."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from tests.cluster.hosts import WITH_US, Host
from tests.protocol import small


class Sshfs:
    """One directory, mounted by sshfs without a server: `sftp-server` at the other end of a socket."""

    SERVER = "/usr/lib/openssh/sftp-server"

    def __init__(self, directory: Path, mount: Path) -> None:
        mount.mkdir()
        self.mount = mount
        here, there = socket.socketpair()
        words = ["sshfs", "-f", "-o", "passive", f":{directory}", str(mount)]
        self._processes = [
            subprocess.Popen([*WITH_US, self.SERVER], stdin=there.fileno(), stdout=there.fileno()),
            subprocess.Popen([*WITH_US, *words], stdin=here.fileno(), stdout=here.fileno()),
        ]
        here.close()
        there.close()
        small.wait_for(lambda: os.path.ismount(mount))

    def unmount(self) -> None:
        subprocess.run(["fusermount3", "-u", "-z", str(self.mount)], check=False)
        for process in self._processes:
            process.kill()
            process.wait()


class Glusterfs:
    """One brick on one host, which serves it, and a mount of it on any."""

    PACKAGES = ("glusterfs-server", "glusterfs-client")

    _PORT = 24010
    _SERVER = """\
volume disk
  type storage/posix
  option directory {brick}
end-volume
volume locked
  type features/locks
  subvolumes disk
end-volume
volume server
  type protocol/server
  option transport-type tcp
  option transport.socket.listen-port {port}
  option auth.addr.locked.allow *
  subvolumes locked
end-volume
"""
    _CLIENT = """\
volume client
  type protocol/client
  option transport-type tcp
  option remote-host {address}
  option remote-port {port}
  option remote-subvolume locked
end-volume
"""

    def __init__(self, directory: Path, server: Host) -> None:
        brick = directory / "brick"
        brick.mkdir(mode=0o700)
        (directory / "server.vol").write_text(self._SERVER.format(brick=brick, port=self._PORT))
        self._client = directory / "client.vol"
        self._client.write_text(self._CLIENT.format(address=server.address, port=self._PORT))
        self._log = directory / "log"
        self._begin(server, "glusterfsd", directory / "server.vol")

    def mount(self, host: Host, place: Path) -> None:
        place.mkdir(exist_ok=True)
        self._begin(host, "glusterfs", self._client, place)
        small.wait_for(lambda: host.run("mountpoint", "-q", place).returncode == 0)

    def _begin(self, host: Host, program: str, volume: Path, *words: object) -> None:
        host.must(f"/usr/sbin/{program}", "-f", volume, "-l", f"{self._log}-{host.name}-{program}", *words)
