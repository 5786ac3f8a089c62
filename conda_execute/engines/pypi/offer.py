"""What conda's channels could provide, as uv can read it: an index of empty wheels.

A conda package that brings Python packages, seen by their metadata in the prefix, represents them in all its versions.
The wheels of a version ask for what its record asks for, in terms of the versions on offer: whatever spec a record has,
it allows some of those and not the others. uv prefers this index for what is in it, and takes all else from PyPI, so
that one resolution of uv's chooses both. Conda packages that are no Python packages are not in it: conda's solver has
the last word.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import CreationError
from ...lean.values import dataclass
from ...model import Request
from ...specs.match_spec import spec_name
from ...specs.requirement import is_version
from .. import Options, Solution
from . import installed, project
from .installed import Distribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rattler import RepoDataRecord

#: PyPI packages by canonical name, and their versions; none, where the place they come from has just one.
Versions = Mapping[str, str]


@dataclass(frozen=True)
class Trial:
    """What came of one solution of conda's."""

    solution: Solution
    #: The prefix that holds its packages, and the Python packages among them.
    prefix: str
    present: tuple[Distribution, ...]
    #: What uv chose with them; None: it could not, for the reason `error`.
    chosen: Versions | None = None
    error: CreationError | None = None
    #: What the caller makes of it.
    result: Any = None

    @property
    def provided(self) -> set[str]:
        return {one.name for one in self.present}

    @property
    def python(self) -> str:
        """The version of the interpreter."""
        return installed.python_version(self.prefix)


@dataclass(frozen=True)
class Available:
    """The records of conda packages that could be chosen, newest first, by name; only what the script allows."""

    records: Mapping[str, Sequence[RepoDataRecord]]
    #: The conda package of each Python package that is there.
    owners: Mapping[str, str]

    @property
    def pythons(self) -> list[str]:
        return list(dict.fromkeys(str(record.version) for record in self.records.get("python", ())))


def available(request: Request, options: Options, trial: Trial) -> Available:
    """What could take the place of the conda packages of a trial that bring Python packages."""
    from ..rattler.engine import available

    owners = installed.owners(trial.prefix, trial.present)
    records = available(request, options, ["python", *sorted(set(owners.values()))], trial.solution)
    return Available(records, owners)


@dataclass(frozen=True)
class Offer:
    """Versions of Python packages that conda can provide for one Python, and what each asks for."""

    python: str
    #: By name as PyPI has it: versions, newest first, each with its requirements.
    versions: Mapping[str, Mapping[str, tuple[str, ...]]]
    #: What the script asks conda for.
    roots: tuple[str, ...]
    owners: Mapping[str, str]
    changes_python: bool

    @classmethod
    def of(
        cls, available: Available, request: Request, trial: Trial, python: str, excluded: set[tuple[str, str]]
    ) -> Offer | None:
        """None: something that the script asks for cannot be had for this Python."""
        pythons = [record for record in available.records["python"] if str(record.version) == python]
        fitting = {
            name: [record for record in records if _fits_python(record, pythons) and _key(record) not in excluded]
            for name, records in available.records.items()
        }
        owned: dict[str, list[str]] = {}
        for name, owner in available.owners.items():
            owned.setdefault(owner, []).append(name)
        versions = {one.name: _versions(one, available.owners, fitting, owned) for one in trial.present}
        roots = [name for name in versions if specs_of(request, available.owners.get(name, ""))]
        if any(not versions[name] for name in roots):
            return None
        changes = minor(python) != minor(trial.python)
        return cls(python, versions, tuple(roots), available.owners, changes)

    def write(self, directory: str) -> str:
        """Write the index; its URL."""
        for name, versions in self.versions.items():
            page = os.path.join(directory, name)
            os.makedirs(page)
            links = []
            for version, requires in versions.items():
                path = _write_wheel(page, name, version, _metadata(name, version, requires))
                links.append(f'<a href="{Path(path).as_uri()}">{os.path.basename(path)}</a>')
            project.write_file(page, "index.html", *links)
        return Path(directory).as_uri()

    def wanted(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """What conda is to choose: versions by conda's names, and Python's where it is to be another one."""
        wanted = {
            self.owners[name]: f"=={version.replace('-', '_')}"
            for name, version in chosen.items()
            if name in self.owners
        }
        return {**wanted, "python": f"{minor(self.python)}.*"} if self.changes_python else wanted


def _key(record: RepoDataRecord) -> tuple[str, str]:
    return record.name.normalized, str(record.version)


def _versions(
    one: Distribution,
    owners: Mapping[str, str],
    fitting: Mapping[str, Sequence[RepoDataRecord]],
    owned: Mapping[str, Sequence[str]],
) -> dict[str, tuple[str, ...]]:
    """The versions on offer of one Python package. Builds of a version count as one, that asks for what any of them
    allows."""
    versions: dict[str, list[dict[str, set[str]]]] = {}
    for record in fitting.get(owners.get(one.name, ""), ()):
        if is_version(str(record.version)):
            wanted = _wanted(record, fitting, owned)
            if all(wanted.values()):
                versions.setdefault(str(record.version), []).append(wanted)
    offered = {}
    for version, builds in versions.items():
        names = set.intersection(*(set(build) for build in builds))
        allowed = {name: set.union(*(build[name] for build in builds)) for name in names}
        offered[version] = tuple(
            _requirement(pypi_name, allowed[name], fitting[name])
            for name in sorted(allowed)
            for pypi_name in owned[name]
            if pypi_name != one.name
        )
    if one.version in offered:
        offered[one.version] += one.requires
    return offered


def _wanted(
    record: RepoDataRecord, fitting: Mapping[str, Sequence[RepoDataRecord]], owned: Mapping[str, Sequence[str]]
) -> dict[str, set[str]]:
    """For each Python package of conda's that a record asks for: the versions on offer that it allows."""
    wanted: dict[str, set[str]] = {}
    for depends in record.depends:
        name = spec_name(depends)
        if name in owned:
            versions = {str(one.version) for one in fitting[name] if _matches(one, depends)}
            wanted[name] = wanted.get(name, versions) & versions
    return wanted


def _requirement(name: str, allowed: set[str], records: Sequence[RepoDataRecord]) -> str:
    """The requirement that allows just these versions of those on offer."""
    versions = list(dict.fromkeys(str(record.version) for record in records))
    inside = [number for number, version in enumerate(versions) if version in allowed]
    bounds = []
    if inside[0] > 0:
        bounds.append(f"<={versions[inside[0]]}")
    if inside[-1] < len(versions) - 1:
        bounds.append(f">={versions[inside[-1]]}")
    bounds += [f"!={version}" for version in versions[inside[0] : inside[-1]] if version not in allowed]
    return name + ",".join(bounds)


def _fits_python(record: RepoDataRecord, pythons: Sequence[RepoDataRecord]) -> bool:
    wanted = [depends for depends in record.depends if spec_name(depends) == "python"]
    return any(all(_matches(python, depends) for depends in wanted) for python in pythons)


def _matches(record: RepoDataRecord, spec: str) -> bool:
    import rattler

    return bool(record.matches(rattler.MatchSpec(spec, strict=False)))


# -- words and files for uv ------------------------------------------------------------------------------------------


def specs_of(request: Request, name: str) -> tuple[str, ...]:
    """What the script asks of this conda package."""
    return tuple(spec for spec in request.specs if spec_name(spec) == name)


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def is_older(version: str, other: str) -> bool:
    from rattler import Version

    return bool(version and other and Version(version) < Version(other))


def write_present(directory: str, present: Sequence[Distribution]) -> None:
    """Write an empty wheel, with its real metadata, for each package that conda installs."""
    for one in present:
        _write_wheel(directory, one.name, one.version, one.metadata)


def _metadata(name: str, version: str, requires: Sequence[str]) -> str:
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    return "".join(lines + [f"Requires-Dist: {requirement}\n" for requirement in requires])


def _write_wheel(directory: str, name: str, version: str, metadata: str) -> str:
    name = re.sub(r"[-_.]+", "_", name)
    info, path = f"{name}-{version}.dist-info", os.path.join(directory, f"{name}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path
