"""Conda packages repacked from wheels, as they come from the Python package index.

A wheel of pure Python becomes a `noarch: python` package with its entry points; a compiled one becomes a package for
one Python version. Wheels are kept between builds of the channel, so that a change of the builder downloads nothing.
"""

from __future__ import annotations

import configparser
import fnmatch
import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.channel.interpreter import Interpreter, compile_modules
from tests.channel.package import LONG_AGO, File, Link, Package

#: Parts of numpy and the like that make up a third of the files and that no script imports.
_LEFT_OUT = ("*/tests/*", "*.pyi", "*/include/*", "*/f2py/*", "*.a", "*/RECORD")


@dataclass(frozen=True)
class Wheel:
    """One distribution to download, and what its conda package depends on."""

    name: str
    #: None: the newest that the interpreter can use.
    version: str | None = None
    depends: tuple[str, ...] = ()
    #: When it was published: `exclude-newer` is tested against these.
    timestamp: str = LONG_AGO.isoformat()

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}" if self.version else self.name

    def find(self, directory: Path, tag: str) -> Path | None:
        """The wheel among those downloaded before, the newest version if any will do."""
        name, version = self.name.replace("-", "_").lower(), self.version or "*"
        found = [
            path for pattern in (tag, "py*-none-any") for path in directory.glob(f"{name}-{version}-{pattern}*.whl")
        ]
        return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)], default=None)


def download(wheels: list[Wheel], directory: Path, interpreter: Interpreter) -> list[Path]:
    """The wheels, usable with this interpreter, in `directory`: downloaded unless they are there."""
    directory.mkdir(parents=True, exist_ok=True)
    tag = f"cp{interpreter.tag}-"
    missing = [wheel for wheel in wheels if wheel.find(directory, tag) is None]
    command = [*_pip(), "download", "-qq", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", interpreter.short, "--dest"]
    while missing:
        # One call cannot be asked for several versions of one distribution.
        batch = {wheel.name: wheel for wheel in missing}
        requirements = [wheel.requirement for wheel in batch.values()]
        with tempfile.TemporaryDirectory(dir=directory) as fetched:
            subprocess.run([*command, fetched, *requirements], check=True, stdin=subprocess.DEVNULL)
            for path in Path(fetched).iterdir():
                path.replace(directory / path.name)
        missing = [wheel for wheel in missing if wheel not in batch.values()]
    found = [(wheel, wheel.find(directory, tag)) for wheel in wheels]
    absent = [wheel.requirement for wheel, path in found if path is None]
    if absent:
        raise SystemExit(f"no wheel for Python {interpreter.short} of {', '.join(absent)}")
    return [path for _, path in found if path is not None]


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    return [sys.executable, "-m", "uv", "tool", "run", "pip"]


def pure(wheel: Wheel, path: Path) -> Package:
    """A `noarch: python` package."""
    with zipfile.ZipFile(path) as archive:
        files, information = _modules(archive, "site-packages")
        entry_points = _entry_points(archive, information)
    return Package(
        wheel.name,
        _version(information),
        files,
        depends=["python >=3.10", *wheel.depends],
        noarch="python",
        entry_points=entry_points,
        build="pyh_0",
        timestamp=wheel.timestamp,
    )


def compiled(wheel: Wheel, path: Path, interpreter: Interpreter, workplace: Path) -> Package:
    """A package for this interpreter's version, with byte code and without programs; unpacked in `workplace`."""
    site_packages = f"lib/python{interpreter.short}/site-packages"
    with zipfile.ZipFile(path) as archive:
        files, information = _modules(archive, site_packages)
    for name, content in files.items():
        target = workplace / name
        target.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(content, bytes)
        target.write_bytes(content)
    compile_modules(interpreter.executable, workplace / site_packages)
    unpacked: dict[str, str | bytes | File | Link] = {
        str(path.relative_to(workplace)): File(path, executable=path.suffix == ".so")
        for path in workplace.rglob("*")
        if path.is_file()
    }
    return Package(
        wheel.name,
        _version(information),
        unpacked,
        depends=[interpreter.requirement, *wheel.depends],
        build=f"py{interpreter.tag}_0",
        timestamp=wheel.timestamp,
    )


def _modules(archive: zipfile.ZipFile, directory: str) -> tuple[dict[str, str | bytes | File | Link], str]:
    """What goes into `site-packages`, and the name of the `.dist-info` directory."""
    names = [name for name in archive.namelist() if not name.endswith("/") and ".data/" not in name]
    information = next(name.split("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
    kept = [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in _LEFT_OUT)]
    files: dict[str, str | bytes | File | Link] = {f"{directory}/{name}": archive.read(name) for name in kept}
    installer = f"{directory}/{information}/INSTALLER"
    files[installer] = b"conda\n"
    record = [*files, f"{directory}/{information}/RECORD"]
    files[record[-1]] = "".join(f"{name.removeprefix(directory + '/')},,\n" for name in record).encode()
    return files, information


def _version(information: str) -> str:
    return information.removesuffix(".dist-info").split("-")[1]


def _entry_points(archive: zipfile.ZipFile, information: str) -> list[str]:
    name = f"{information}/entry_points.txt"
    if name not in archive.namelist():
        return []
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(archive.read(name).decode())
    if not parser.has_section("console_scripts"):
        return []
    return [f"{name} = {target.split('[')[0].strip()}" for name, target in parser.items("console_scripts")]
