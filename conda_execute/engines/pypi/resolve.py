"""PyPI packages chosen for a platform, archives and hashes, without running anything of that platform.

The conda packages are linked into a throw-away prefix, so that their own metadata says which Python packages they are;
to uv each of them is offered as an empty wheel with that metadata, and pinned: uv's resolution treats them as there
already, whether PyPI has that version or not. What uv resolves beside them, as a `pylock.toml` (PEP 751), is the
answer: for each package the most specific wheel that the oldest machines can use, else the source.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import zipfile
from urllib.parse import unquote, urlsplit

from ... import credentials
from ...errors import CreationError
from ...lean.values import replace
from ...specs.requirement import canonical
from .. import PyPIPackage
from . import install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ...model import Request
    from .. import Backend, Options, Solution
    from .install import Distribution

_UV_PLATFORMS = {
    "linux-64": "x86_64-unknown-linux-gnu",
    "linux-aarch64": "aarch64-unknown-linux-gnu",
    "linux-riscv64": "riscv64-unknown-linux-gnu",
    "osx-64": "x86_64-apple-darwin",
    "osx-arm64": "aarch64-apple-darwin",
    "win-64": "x86_64-pc-windows-msvc",
    "win-arm64": "aarch64-pc-windows-msvc",
}

_OLDEST = r"(?:manylinux|musllinux|macosx)_(\d+)_(\d+)"


def choose(backend: Backend, request: Request, solution: Solution, options: Options) -> tuple[PyPIPackage, ...]:
    """The PyPI packages for `request` beside the conda packages of `solution`, sorted by name."""
    if not request.pypi:
        return ()
    python = next((package.version for package in solution.packages if package.name == "python"), None)
    if python is None:
        raise CreationError(
            "PyPI packages need `python` among the conda packages", step="pypi", hint="add `python` to the header"
        )
    if request.platform not in _UV_PLATFORMS:
        raise CreationError(f"uv has no name for the platform {request.platform}", step="pypi")
    with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
        prefix = os.path.join(directory, "prefix")
        backend.create(request, prefix, replace(options, run_link_scripts=False), solution=solution)
        present = install.distributions(prefix)
        files = install.write_project(directory, request, options, present)
        _offer(directory, present)
        target = os.path.join(directory, "pylock.toml")
        platform = ["--python-platform", _UV_PLATFORMS[request.platform], "--python-version", python]
        command = ["pip", "compile", "--quiet", "--format", "pylock.toml", "--output-file", target, *platform]
        command += ["--python", _builder(request, prefix), "--no-python-downloads"]
        command += ["--no-header", "--find-links", directory, *files[:2], "--constraints", files[2]]
        command += [*install.isolation(directory), *install.limits(request, options), *_never_too_new(request, present)]
        status, said = install.run([install.find_uv(options.environ), *command], options.environ, None)
        if status != 0 or install.UNREAD in said:
            raise install.explain(said, request, present, options)
        chosen = _read(target, {one.name for one in present})
        if request.platform == request.host_platform and chosen:
            # Each hash is seen to be right, and the archives are cached: the lock works with no network from now on.
            install.install(request, prefix, options, chosen)
        return chosen


def _builder(request: Request, prefix: str) -> str:
    """The interpreter that asks a source for its requirements: of the environment, if it runs here."""
    return install.interpreter(request, prefix) if request.platform == request.host_platform else sys.executable


def _offer(directory: str, present: Sequence[Distribution]) -> None:
    """Write an empty wheel for each package that conda installs."""
    for one in present:
        name = re.sub(r"[-_.]+", "_", one.name)
        info = f"{name}-{one.version}.dist-info"
        try:
            with open(os.path.join(one.path, "METADATA"), encoding="utf-8", errors="replace") as file:
                metadata = file.read()
        except OSError:
            metadata = f"Metadata-Version: 2.1\nName: {one.name}\nVersion: {one.version}\n"
        with zipfile.ZipFile(os.path.join(directory, f"{name}-{one.version}-py3-none-any.whl"), "w") as wheel:
            wheel.writestr(f"{info}/METADATA", metadata)
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")


def _never_too_new(request: Request, present: Sequence[Distribution]) -> list[str]:
    """The wheels on offer have no date; `exclude-newer` would leave them out."""
    if request.pypi_exclude_newer is None and request.exclude_newer is None:
        return []
    return [word for one in present for word in ("--exclude-newer-package", f"{one.name}=false")]


def _read(path: str, conda: set[str]) -> tuple[PyPIPackage, ...]:
    import tomli

    with open(path, "rb") as file:
        packages = tomli.load(file).get("packages", [])
    base = os.path.dirname(path)
    chosen = [_package(package, base) for package in packages if canonical(package["name"]) not in conda]
    return tuple(sorted(chosen, key=lambda package: package.name))


def _package(entry: Mapping[str, Any], base: str) -> PyPIPackage:
    name, version = entry["name"], entry.get("version", "0")
    if vcs := entry.get("vcs"):
        location = f"{vcs['type']}+{vcs.get('url') or _absolute(base, vcs['path'])}@{vcs['commit-id']}"
        return PyPIPackage(name, version, location + _subdirectory(vcs))
    if directory := entry.get("directory"):
        return PyPIPackage(name, version, _absolute(base, directory["path"]) + _subdirectory(directory))
    if entry.get("wheels"):
        archive = max(entry["wheels"], key=lambda wheel: _rank(_file_name(wheel)))
    else:
        archive = entry.get("archive") or entry["sdist"]
    location = credentials.parted(archive.get("url") or _absolute(base, archive["path"]))[0]
    return PyPIPackage(name, version, location + _subdirectory(archive), archive.get("hashes", {}).get("sha256"))


def _absolute(base: str, path: str) -> str:
    """Paths in a pylock.toml are relative to it."""
    return os.path.normpath(os.path.join(base, path))


def _subdirectory(source: Mapping[str, Any]) -> str:
    return f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""


def _file_name(wheel: Mapping[str, Any]) -> str:
    location = wheel.get("url") or wheel["path"]
    return wheel.get("name") or unquote(urlsplit(location).path).rpartition("/")[2]


def _rank(file_name: str) -> tuple[int, int, tuple[int, int], str]:
    """Best last, among wheels that all fit: made for one Python; for one platform; for its oldest versions."""
    interpreters, abis, platforms = file_name.removesuffix(".whl").split("-")[-3:]
    exact = 2 if abis.startswith(("cp", "pypy")) else 1 if abis == "abi3" else 0
    oldest = min(((int(a), int(b)) for a, b in re.findall(_OLDEST, platforms)), default=(0, 0))
    return exact, platforms != "any", (-oldest[0], -oldest[1]), interpreters
