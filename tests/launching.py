"""A small world for the launcher: an environment that took no solving, a Python half that works, and every shell.

The Python half here is the project's own modules put together as the door does, without creating anything: it reads
header and settings, notes its use, writes the launch record and hands over. It tells in a file that it was asked.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from conda_execute import __version__
from conda_execute.cache import launch_records
from conda_execute.environments import layout, uses
from conda_execute.environments.store import Store
from conda_execute.environments.uses import boot
from conda_execute.model import Environment, Marker
from tests.channel import debian
from tests.channel.build import default_destination

ROOT = Path(__file__).parent.parent
LAUNCHER = ROOT / "conda_execute" / "launch" / "posix" / "conda-execute"

HALF = f"""\
#!{sys.executable} -I
import os, sys
sys.path.insert(0, {str(ROOT)!r})
with open({{log!r}}, "a") as log:
    log.write("asked\\n")
from conda_execute.launch import process
from conda_execute.launch import record
from conda_execute.launch import execute as start
from conda_execute.environments import renewal
from conda_execute.environments import uses as usage
from conda_execute.launch.activation import activate
from conda_execute.script.header import read_header
from conda_execute.configuration.settings import load
from conda_execute.environments.store import Store

environ = process.inherited_environ()
given, *arguments = sys.argv[1:]
with open(given, "rb") as script:
    data = script.read(65536)
header = read_header(data, given, "linux-64")
settings = load(environ)
environment = Store({{tmp_envs!r}}).find("fake")
if environment is None or not usage.hold(environment, usage.this_process()):
    sys.exit("the environment is gone")
activation = activate(environment.prefix, environ, header.variables)
run = record.Recorded(
    script=given, data=data, last_line=header.lines[1], sources=settings.sources, environment=environment,
    activation=activation, command=header.run_with, sweeps=settings.auto_clean,
    neighbours=tuple((path, None) for path in {{neighbours!r}}),
    beginnings=tuple((path, open(path, "rb").readline()) for path in {{beginnings!r}}),
    due=renewal.file(environment, header.renew_after * 86400) if header.renew_after else None,
)
record.write(run, os.environ)
start.execute([*header.run_with, given, *arguments], activation)
"""

#: What a script of these tests prints: everything it can see of how it was started.
SHOW = (
    "import json, os, sys; print(json.dumps([sys.argv, [[k.decode('latin-1'), v.decode('latin-1')]"
    " for k, v in sorted(os.environb.items())], os.getcwd()]))\n"
)

HEADER = "# conda execute\n# env:\n#  - python\n# run_with: [python, -I, -S]\n"

#: Shells by name, each with the package and the path in it that it has in Debian, where the machine lacks it.
SHELLS = {
    "dash": ("dash", "bin/dash"),
    "bash": ("bash-static", "bin/bash-static"),
    "busybox": ("busybox-static", "bin/busybox"),
    "zsh": ("zsh-static", "bin/zsh-static"),
}


def find_shell(name: str) -> str | None:
    """The path of this shell: the machine's, else Debian's; None if it is neither here nor can be had."""
    found = shutil.which(name)
    if found is None:
        fetched = debian.program(*SHELLS[name], default_destination() / "downloads")
        found = None if fetched is None else str(fetched)
    return found


def shell(name: str, directory: Path) -> list[str]:
    """The words that run a script in this shell as if it were /bin/sh; skips the test where the shell is missing."""
    path = find_shell(name)
    if path is None:
        pytest.skip(f"{name} is not installed, and there is no package of it to fetch")
    if name == "busybox":
        return [path, "sh"]
    link = directory / name / "sh"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(path)
    return [str(link)]


@dataclass(frozen=True)
class Place:
    """A machine with one environment, made of this interpreter, and an installed launcher."""

    root: Path
    environment: Environment
    environ: dict[str, str] = field(repr=False)
    #: What comes before the launcher's path.
    shell: tuple[str, ...] = ()

    @property
    def launcher(self) -> Path:
        return self.root / "programs" / "conda-execute"

    @property
    def prefix(self) -> Path:
        return Path(self.environment.prefix)

    @property
    def work(self) -> Path:
        return self.root / "work"

    def record(self, script: Path) -> Path:
        return Path(launch_records(self.environ["CONDA_EXECUTE_CACHE_DIR"], str(script))[0])

    def script(self, name: str, text: str | bytes = HEADER + "\n" + SHOW) -> Path:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def with_(self, **variables: str | None) -> Place:
        environ = {**self.environ, **{name: value for name, value in variables.items() if value is not None}}
        return replace(self, environ={name: environ[name] for name in environ if variables.get(name, "") is not None})

    def command(self, script: str | Path, *arguments: str) -> list[str]:
        return [*self.shell, str(self.launcher), str(script), *arguments]

    def run(self, script: str | Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a script through the launcher. `asked` counts how often Python was asked until now."""
        options = {"env": self.environ, "cwd": self.work, "capture_output": True, **options}
        return subprocess.run(self.command(script, *arguments), check=False, **options)

    @property
    def asked(self) -> int:
        log = self.root / "asked"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def notes(self) -> list[str]:
        return sorted(os.listdir(layout.uses(str(self.prefix), self.environment.marker.build)))

    def swept_just_now(self) -> None:
        """As if a sweep had happened: nothing is due for an hour."""
        tmp_envs = str(self.prefix.parent)
        os.makedirs(layout.boots(tmp_envs), exist_ok=True)
        for known in (boot(), uses.UNKNOWN):
            swept, due = (path(tmp_envs, known) for path in (layout.swept, layout.due))
            for path in (swept, due):
                Path(path).touch()
            now = os.stat(swept).st_mtime
            os.utime(due, (now + 3600, now + 3600))


def marker(**values: Any) -> Marker:
    fields: dict[str, Any] = {
        "build": "0123456789abcdef", "name": "fake", "specs": ("python",), "channels": ("conda-forge",),
        "platform": "linux-64", "backend": "fake", "version": __version__, "created": 0.0, "seconds": 0.0,
        "packages": 2, "size": 0, "script": "x.py", "records": 2,
    }  # fmt: skip
    return Marker(**{**fields, **values})


def make_place(
    root: Path, *, neighbours: tuple[str, ...] = (), beginnings: tuple[str, ...] = (), **values: Any
) -> Place:
    """A place below `root`; `values` are fields of the environment's marker."""
    for name in ("home", "work", "programs", "tmp_envs"):
        (root / name).mkdir(parents=True)
    tmp_envs = root / "tmp_envs"
    tmp_envs.chmod(0o700)
    prefix = tmp_envs / "fake"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    for name in ("python-3-0", "numpy-2-0"):
        (prefix / "conda-meta" / f"{name}.json").write_text(json.dumps({"name": name}))
    (prefix / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    environment = Store(str(tmp_envs)).finish("fake", marker(**values))
    shutil.copy(LAUNCHER, root / "programs" / "conda-execute")
    half = root / "programs" / "conda-execute-py"
    names = {"log": str(root / "asked"), "tmp_envs": str(tmp_envs), "neighbours": neighbours, "beginnings": beginnings}
    half.write_text(HALF.format(**names))
    half.chmod(0o755)
    environ = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(root / "home"),
        "PWD": str(root / "work"),
        "CONDA_EXECUTE_CACHE_DIR": str(root / "cache"),
        "LANG": "C.UTF-8",
    }
    place = Place(root, environment, environ)
    place.swept_just_now()
    return place
