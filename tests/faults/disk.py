"""A disk that can lose its power: an image on a loop device, whose exact state of any moment can be kept.

The image lies on XFS, which clones a file at one instant (`cp --reflink`). A clone holds what the file system had
given to the device by then, and not what was still in memory: what a power cut leaves. It works the same for every
file system, and the process at work notices nothing, so that one round of work gives many cuts. Needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

FILE_SYSTEMS = ("ext4", "xfs", "btrfs")

#: Where the clone has the same identity as the image, XFS wants to be told that this is meant.
_OPTIONS = {"xfs": "loop,nouuid", "ext4": "loop", "btrfs": "loop"}

#: Longest wait for the processes that use a disk, in seconds.
_PATIENCE = 60


def missing() -> str | None:
    """Why there can be no such disk here, if so."""
    if os.geteuid() != 0:
        return "only root can mount disks"
    programs = ("mount", "umount", "cp", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs")
    absent = [program for program in programs if shutil.which(program) is None]
    return f"no {', '.join(absent)} (packages xfsprogs, btrfs-progs)" if absent else None


def unmount(place: Path) -> None:
    """Unmount what is mounted there, as soon as nothing uses it: a process in the background may for a moment."""
    end = time.monotonic() + _PATIENCE
    while (done := subprocess.run(["umount", place], check=False, capture_output=True, text=True)).returncode != 0:
        if "busy" not in done.stderr or time.monotonic() > end:
            raise AssertionError(done.stderr)
        time.sleep(0.1)


class Disk:
    """A file system of this kind, mounted at `place`; its images lie in `folder`."""

    def __init__(self, kind: str, folder: Path, *, gigabytes: int = 2) -> None:
        self.kind = kind
        self.folder = folder
        self.place = folder / "disk"
        self._shelf = folder / "shelf"
        self._gigabytes = gigabytes
        self._mounted: list[Path] = []

    def __enter__(self) -> Disk:
        self.place.mkdir(parents=True)
        self._shelf.mkdir()
        try:
            self._make(self.folder / "shelf.img", "xfs", 20)
            self._mount(self.folder / "shelf.img", "xfs", self._shelf)
            self._make(self._shelf / "image", self.kind, self._gigabytes)
            self._mount(self._shelf / "image", self.kind, self.place)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        while self._mounted:
            self.unmount()
        (self.folder / "shelf.img").unlink(missing_ok=True)

    def cut(self, name: str) -> None:
        """Keep what would be there if the power went now."""
        subprocess.run(["cp", "--reflink=always", self._shelf / "image", self._shelf / name], check=True)

    def restore(self, name: str) -> None:
        """Mount what was kept in the disk's place, as the machine does when it starts again."""
        self._mount(self._shelf / name, self.kind, self.place)

    def unmount(self) -> None:
        unmount(self._mounted[-1])
        self._mounted.pop()

    def forget(self, name: str) -> None:
        (self._shelf / name).unlink()

    def _make(self, image: Path, kind: str, gigabytes: int) -> None:
        with open(image, "wb") as file:
            file.truncate(gigabytes << 30)
        quiet = {"ext4": "-qF", "xfs": "-qf", "btrfs": "-qf"}[kind]
        subprocess.run([f"mkfs.{kind}", quiet, image], check=True, stdout=subprocess.DEVNULL)

    def _mount(self, image: Path, kind: str, place: Path) -> None:
        subprocess.run(["mount", "-t", kind, "-o", _OPTIONS[kind], image, place], check=True)
        self._mounted.append(place)
