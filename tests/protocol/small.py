"""Small prefixes of real files for tests of the protocol, and processes that run in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conda_execute.environments import ensure as ensuring
from conda_execute.environments import layout
from conda_execute.environments import uses as notes
from conda_execute.environments.store import Store
from conda_execute.model import Built, Channel, Environment, Marker, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]


def silent(text: str) -> None:
    pass


def sound(environment: Environment) -> bool:
    return True


def solve_nothing() -> None:
    pass


def request(*specs: str) -> Request:
    return Request(
        specs=tuple(sorted(specs or ("python >=3",))),
        channels=(Channel("conda-forge", ()),),
        platform="linux-64",
        host_platform="linux-64",
    )


def create(prefix: str, descriptor: int) -> Built:
    """What an engine does, in small: package records, and programs that can be run."""
    assert not os.path.lexists(prefix), "an engine never fills what is there already"
    Path(prefix, "conda-meta").mkdir(parents=True)
    Path(prefix, "bin").mkdir()
    for number in range(2):
        Path(prefix, "conda-meta", f"package-{number}.json").write_text("{}")
    shutil.copy("/bin/sleep", Path(prefix, "bin", "sleep"))
    return Built(packages=2, size=1234, backend="small")


def marker(name: str, **values: Any) -> Marker:
    """What the marker of such an environment says."""
    said: dict[str, Any] = {
        "build": os.urandom(8).hex(), "name": name, "specs": (), "channels": (), "platform": "linux-64",
        "backend": "small", "version": "0", "created": 0.0, "seconds": 0.0, "packages": 2, "size": 1, "script": "x",
    }  # fmt: skip
    return Marker(**{**said, **values})


@dataclass(frozen=True)
class Recipe:
    """An environment in small; each step of making it can be replaced."""

    create_in: Callable[[str, int], Built]
    solve_first: Callable[[], object]
    fits: Callable[[Environment], bool]
    is_sound: Callable[[Environment], bool]
    told: Callable[[str], object]
    title: str = "test.py"
    recorded: str = "test.py"
    renew_after: float = 0.0

    def solve(self, *, replaces: bool) -> None:
        self.solve_first()

    def tell(self, text: str) -> None:
        self.told(text)

    def create(self, prefix: str, lock_fd: int, solved: None) -> Built:
        return self.create_in(prefix, lock_fd)


def ensure(
    tmp_envs: str,
    *specs: str,
    force: bool = False,
    create: Callable[[str, int], Built] = create,
    solve: Callable[[], object] = solve_nothing,
    fits: Callable[[Environment], bool] = sound,
    sound: Callable[[Environment], bool] = sound,
    notice: Callable[[str], object] = silent,
    renew_after: float = 0.0,
) -> Environment:
    recipe = Recipe(create, solve, fits, sound, notice, renew_after=renew_after)
    return ensuring.ensure(request(*specs), Store(tmp_envs), recipe, force=force)


def forget(environment: Environment) -> None:
    """Take this process's note back: tests do not end between one thing and the next, as runs do."""
    Path(notes.note_path(environment, notes.this_process())).unlink()


def idle(tmp_envs: str, *specs: str, age: timedelta = timedelta(0)) -> Environment:
    """An environment that nobody uses any more, for that long."""
    environment = ensure(tmp_envs, *specs)
    forget(environment)
    moment = time.time() - age.total_seconds()
    os.utime(uses(environment), (moment, moment))
    return environment


def uses(environment: Environment) -> Path:
    return Path(layout.uses(environment.prefix, environment.marker.build))


def python(
    code: str, *arguments: str, variables: Mapping[str, str] | None = None, **options: object
) -> subprocess.Popen[str]:
    """A Python process that has the package at hand and runs this code."""
    environ = {**os.environ, **(variables or {}), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(  # type: ignore[call-overload]
        [sys.executable, "-c", code, *arguments], env=environ, text=True, stdout=subprocess.PIPE, **options
    )


#: Ensures the environment below argv[1], says its prefix, and becomes `sleep argv[2]`, as a script would.
RUN_AND_SLEEP = """
import os, sys
from tests.protocol import small
environment = small.ensure(sys.argv[1])
print(environment.prefix, flush=True)
os.execv("/bin/sleep", ["sleep", sys.argv[2]])
"""


def runner(tmp_envs: str, seconds: float = 60) -> subprocess.Popen[str]:
    """A process that runs in the environment; it does so by the time this returns."""
    process = python(RUN_AND_SLEEP, tmp_envs, str(seconds))
    assert process.stdout is not None
    assert process.stdout.readline().strip()
    # What it said, it said just before exec: until that is done, its name and arguments are still the interpreter's.
    command = f"/proc/{process.pid}/cmdline"
    wait_for(lambda: not os.path.exists(command) or Path(command).read_bytes().startswith(b"sleep\0"))
    return process


def as_another_user() -> list[str]:
    """Words before a command that run it as a user who may do less; skips the test where that cannot be."""
    words = ["setpriv", "--reuid=65534", "--clear-groups"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import psutil, conda_execute.environments.sweep"
    if os.geteuid() != 0 or shutil.which(words[0]) is None:
        pytest.skip("only root can become another user")
    if subprocess.run([*words, sys.executable, "-c", code], check=False, cwd="/", capture_output=True).returncode != 0:
        pytest.skip("this interpreter, or this checkout, lies where only root may go")
    return words


@contextmanager
def place_of_another_user() -> Iterator[Path]:
    """A directory that the other user can get to, and owns."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    os.chown(place, 65534, 65534)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} seconds"
        time.sleep(0.01)
