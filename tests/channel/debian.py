"""Programs that the machine lacks, from the package archive of its Debian: needs no rights and installs nothing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from filelock import FileLock

#: What could not be had is not asked for again that long, in seconds: a mirror that does not answer takes minutes.
_PATIENCE = 3600


def program(package: str, path: str, downloads: Path) -> Path | None:
    """The program at `path` in a package; None where it cannot be had. Unpacked once, however many processes ask."""
    place = downloads / package
    if not place.is_dir():
        downloads.mkdir(parents=True, exist_ok=True)
        with FileLock(downloads / f"{package}.fetching"):
            if not place.is_dir() and not _failed_lately(downloads / f"{package}.missing"):
                _unpack(package, place, downloads)
    found = place / path
    return found if found.exists() else None


def _failed_lately(mark: Path) -> bool:
    return mark.exists() and time.time() - mark.stat().st_mtime < _PATIENCE


def _unpack(package: str, place: Path, downloads: Path) -> None:
    found = archive(package, downloads)
    with tempfile.TemporaryDirectory(dir=downloads) as directory:
        files = Path(directory, "files")
        if found is not None and runs(["dpkg-deb", "--extract", str(found), str(files)]):
            files.rename(place)
        else:
            (downloads / f"{package}.missing").touch()


def archive(package: str, downloads: Path) -> Path | None:
    """A package, downloaded unless it was before."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    with tempfile.TemporaryDirectory(dir=downloads) as directory:
        lists, cache = Path(directory, "state/lists/partial"), Path(directory, "cache/archives/partial")
        lists.mkdir(parents=True)
        cache.mkdir(parents=True)
        options = {
            "Dir::State": str(lists.parents[1]),
            "Dir::State::status": "/var/lib/dpkg/status",
            "Dir::Cache": str(cache.parents[1]),
            "APT::Sandbox::User": "root",
        }
        own = ["apt-get", "-qq", *(word for option in options.items() for word in ("-o", "=".join(option)))]
        # A machine that was just installed, or a container, has no lists; they are fetched to a place of our own.
        for commands in [["apt-get", "-qq", "download", package]], [[*own, "update"], [*own, "download", package]]:
            if next(downloads.glob(f"{package}_*.deb"), None):
                break
            if all(runs(command, cwd=directory) for command in commands):
                for each in Path(directory).glob("*.deb"):
                    each.replace(downloads / each.name)
    return next(downloads.glob(f"{package}_*.deb"), None)


def tree(packages: list[str], downloads: Path) -> Path | None:
    """A directory with the files of these packages, and of all that they need and the machine lacks; None where one of
    them cannot be had. `apt-get` needs current lists, and may fetch into a place of ours."""
    place = downloads / "+".join(packages)
    with tempfile.TemporaryDirectory(dir=downloads) as directory:
        files, archives = Path(directory, "files"), Path(directory, "archives")
        (archives / "partial").mkdir(parents=True)
        options = ["-qq", "--download-only", "--no-install-recommends", "-o", f"Dir::Cache::archives={archives}"]
        fetch = ["apt-get", "install", "-y", *options, *packages]
        if place.is_dir() or not (shutil.which("apt-get") and runs(fetch)):
            return place if place.is_dir() else None
        found = archives.glob("*.deb")
        if all(runs(["dpkg-deb", "--extract", str(archive), str(files)]) for archive in found):
            files.rename(place)
    return place if place.is_dir() else None


def runs(command: list[str], cwd: str | None = None) -> bool:
    try:
        return subprocess.run(command, cwd=cwd, capture_output=True, check=False, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False  # a mirror that does not answer: the tests can do without
