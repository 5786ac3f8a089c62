"""PyPI packages chosen for a platform, archives and hashes, without running anything of that platform.

The conda packages are linked into a throw-away prefix, so that their own metadata says which Python packages they are;
to uv each of them is offered as an empty wheel with that metadata, and pinned: uv's resolution treats them as there
already, whether PyPI has that version or not. What uv resolves with them, as a `pylock.toml` (PEP 751), is the
answer: for each package the most specific wheel that the oldest machines can use, else the source.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from ... import credentials
from ...errors import CreationError
from ...lean.values import replace
from ...model import Request
from ...specs.requirement import canonical
from .. import Backend, Options, PyPIPackage, Solution
from . import install, installed, joint, offer, project
from .offer import Trial

_OLDEST = r"(?:manylinux|musllinux|macosx)_(\d+)_(\d+)"


def solve(
    engine: Backend, request: Request, options: Options, *, keep: Sequence[Any] = (), tries: bool = True
) -> Solution:
    """Conda packages and PyPI packages for `request`, chosen together; conda's records to `keep` before others.

    `tries`: each PyPI package is fetched and its hash compared.
    """
    solution = engine.solve(request, options, keep=keep)
    if not request.pypi:
        return replace(solution, pypi=())
    if not any(package.name == "python" for package in solution.packages):
        raise project.needs_python()
    with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:

        def attempt(solution: Solution) -> Trial:
            return _attempt(engine, request, options, solution, tempfile.mkdtemp(dir=directory))

        best, notices = joint.Talk(engine, request, options, attempt, keep).agree(solution)
        if tries:
            _check(request, best, options)
        return replace(best.solution, pypi=best.result, notices=notices)


def updated(engine: Backend, request: Request, options: Options, there: Solution, names: Sequence[str]) -> Solution:
    """What is there, with other versions of just these packages, and of what they need others of."""
    wanted = {canonical(name) for name in names}
    kept = tuple(record for record in there.records if record.name.normalized not in wanted)
    pins = [f"{one.name}=={one.version}" for one in there.pypi or () if canonical(one.name) not in wanted]
    try:
        return solve(engine, project.pinned(request, pins), options, keep=kept)
    except CreationError:
        if not pins:
            raise
        return solve(engine, request, options, keep=kept)


def choose(engine: Backend, request: Request, solution: Solution, options: Options) -> tuple[PyPIPackage, ...]:
    """The PyPI packages for `request` together with just the conda packages of `solution`, sorted by name."""
    if not request.pypi:
        return ()
    with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
        trial = _attempt(engine, request, options, solution, directory)
        if trial.error is not None:
            raise trial.error
        _check(request, trial, options)
        chosen: tuple[PyPIPackage, ...] = trial.result
        return chosen


def _check(request: Request, trial: Trial, options: Options) -> None:
    if request.platform == request.host_platform and trial.result:
        # Each hash is seen to be right, and the archives are cached: the lock works with no network from now on.
        install.install(request, trial.prefix, options, trial.result)


def _attempt(engine: Backend, request: Request, options: Options, solution: Solution, directory: str) -> Trial:
    """What uv chooses with a solution."""
    prefix = os.path.join(directory, "prefix")
    engine.create(request, prefix, replace(options, run_link_scripts=False), solution)
    present = tuple(installed.distributions(prefix))
    trial = Trial(solution, prefix, present)
    files = project.write(directory, request, options, present)
    offer.write_present(directory, present)
    target = os.path.join(directory, "pylock.toml")
    words = ["--format", "pylock.toml", "--find-links", directory, *files[:2], "--constraints", files[2]]
    try:
        joint.Asking(request, options).write(target, trial, trial.python, words, trial.provided)
    except CreationError as error:
        return replace(trial, error=error)
    chosen = _read(target, trial.provided)
    return replace(trial, result=chosen, chosen={canonical(one.name): one.version for one in chosen})


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
        repository = credentials.leave_out(vcs.get("url") or _absolute(base, vcs["path"]))
        location = f"{vcs['type']}+{repository}@{vcs['commit-id']}"
        return PyPIPackage(name, version, location + _subdirectory(vcs))
    if directory := entry.get("directory"):
        return PyPIPackage(name, version, _absolute(base, directory["path"]) + _subdirectory(directory))
    if entry.get("wheels"):
        archive = max(entry["wheels"], key=lambda wheel: _rank(_file_name(wheel)))
    else:
        archive = entry.get("archive") or entry["sdist"]
    location = credentials.leave_out(archive.get("url") or _absolute(base, archive["path"]))
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
