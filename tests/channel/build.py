"""The channel that the tests share: `python -m tests.channel.build DESTINATION` makes it and prints its path.

Everything in it is real: the Python of this machine, wheels of the package index, programs of the operating system,
written as `.conda` archives and indexed by a real indexer. What it takes is in `DESTINATION`:

    downloads/               wheels and the like, kept
    <key>/conda-forge/       the channel, complete; its name lets `custom_channels` put it in conda-forge's place
    making.lock              held while it is made

The key covers the builder's code and the machine's interpreters. A channel is put together in a directory of its own
and renamed into place, so a process that finds one finds a complete one, however many processes wanted it at once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from conda_execute.engines.rattler.bridge import Subdir
from tests.channel import interpreter, package, specials, wheels
from tests.channel.interpreter import Interpreter
from tests.channel.package import Package
from tests.channel.wheels import Wheel

NAME = "conda-forge"

#: Channels that nothing has used for this long are removed when another is built, in seconds.
_UNUSED_FOR = 7 * 24 * 3600

PURE = [
    Wheel("attrs", "23.2.0", timestamp="2023-12-31"),
    Wheel("attrs", "24.2.0", timestamp="2024-08-06"),
    Wheel("click", "8.1.7", timestamp="2023-08-17"),
    Wheel("idna", "3.4", timestamp="2022-09-14"),
    Wheel("idna", "3.7", timestamp="2024-04-11"),
    Wheel("idna", "3.10", timestamp="2024-09-15"),
    Wheel("jinja2", "3.1.4", depends=("markupsafe >=2.0",), timestamp="2024-05-05"),
    Wheel("pip", "24.2", timestamp="2024-07-28"),
    Wheel("pygments", "2.18.0", timestamp="2024-05-04"),
    Wheel("six", "1.16.0", timestamp="2021-05-05"),
    Wheel("six", "1.17.0", timestamp="2024-12-04"),
]
COMPILED = [Wheel("numpy"), Wheel("markupsafe")]


def default_destination() -> Path:
    """`CONDA_EXECUTE_TEST_CHANNEL`, else `.cache/channel` in the checkout."""
    asked = os.environ.get("CONDA_EXECUTE_TEST_CHANNEL")
    return Path(asked) if asked else Path(__file__).parents[2] / ".cache" / "channel"


def ensure(destination: Path | None = None) -> Path:
    """The path of the channel, made if it is not there."""
    destination = (destination or default_destination()).absolute()
    destination.mkdir(parents=True, exist_ok=True)
    interpreters = interpreter.choose(interpreter.find_all())
    home = destination / key(interpreters)
    if not home.is_dir():
        with FileLock(destination / "making.lock"):
            if not home.is_dir():
                _remove_unused(destination)
                _build(home, interpreters, destination / "downloads")
    os.utime(home)
    return home / NAME


def key(interpreters: list[Interpreter]) -> str:
    """The name of the channel that this code makes of these interpreters on this machine."""
    digest = hashlib.sha256(str(Subdir.current()).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        if not source.name.startswith("test_"):
            digest.update(source.name.encode() + source.read_bytes())
    for one in interpreters:
        digest.update(one.identity.encode())
    return digest.hexdigest()[:16]


def _build(home: Path, interpreters: list[Interpreter], downloads: Path) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".making-", dir=home.parent) as temporary:
        staging = Path(temporary) / "done" / NAME
        staging.mkdir(parents=True)
        for one in _packages(interpreters, downloads, Path(temporary)):
            one.write(staging)
        package.index(staging)
        specials.spoil(staging)
        os.rename(staging.parent, home)
    print(f"built the test channel in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _packages(interpreters: list[Interpreter], downloads: Path, temporary: Path) -> list[Package]:
    """Everything in the channel. Downloads and the interpreters' copies, the two slow things, overlap."""

    def directory(name: str) -> Path:
        (temporary / name).mkdir()
        return temporary / name

    with ThreadPoolExecutor() as threads:
        pythons = [threads.submit(interpreter.package, one, directory(f"python{one.tag}")) for one in interpreters]
        purely = threads.submit(wheels.download, PURE, downloads, interpreters[0])
        compiled = [threads.submit(wheels.download, COMPILED, downloads, one) for one in interpreters]
    found = [python.result() for python in pythons]
    found += [wheels.pure(wheel, path) for wheel, path in zip(PURE, purely.result(), strict=True)]
    for one, paths in zip(interpreters, compiled, strict=True):
        for wheel, path in zip(COMPILED, paths.result(), strict=True):
            found.append(wheels.compiled(wheel, path, one, directory(f"{wheel.name}{one.tag}")))
    return found + specials.packages(directory("specials"), downloads)


def _remove_unused(destination: Path) -> None:
    for old in destination.iterdir():
        if (old / NAME).is_dir() and time.time() - old.stat().st_mtime > _UNUSED_FOR:
            shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    print(ensure(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
