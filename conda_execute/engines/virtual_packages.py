"""Virtual packages: properties of the machine that packages depend on.

For this machine they are detected, with conda's `CONDA_OVERRIDE_*` variables; for another platform a plain, not too
recent machine is assumed. What an environment relies on is in its marker, so that a host without it gets an environment
of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import rattler
from rattler import GenericVirtualPackage, MatchSpec, RepoDataRecord
from rattler.exceptions import DetectVirtualPackageError, InvalidVersionError

from ..model import Request
from ..specs import condition
from ..specs.match_spec import has_condition
from .rattler import bridge, explain

#: The assumed machines of other platforms: what conda packages can rely on by default.
_FOREIGN = {
    "linux": {"__unix": "0", "__linux": "4.18", "__glibc": "2.28"},
    "osx": {"__unix": "0", "__osx": "13.0"},
    "win": {"__win": "10"},
}
_NAMES = {f"CONDA_OVERRIDE_{name.upper()}": f"__{name}" for name in ("cuda", "glibc", "linux", "osx", "win")}

#: Virtual packages that only these platforms have, whatever a variable says: it may be set for another purpose.
_FAMILIES = {"__glibc": "linux", "__linux": "linux", "__osx": "osx", "__win": "win"}

#: True on every host that the platform's packages run on at all.
_EVERYWHERE = ("__unix", "__linux", "__osx", "__win")


def packages(request: Request) -> list[GenericVirtualPackage]:
    """The virtual packages of this machine; for another platform those of a plain, not too recent machine.
    `CONDA_OVERRIDE_*` variables apply."""
    family, _, machine = request.platform.partition("-")
    if request.platform == request.host_platform:
        present = of_this_machine(request.overrides)
        return [found for found in present if _FAMILIES.get(found.name.normalized, family) == family]
    packages = {name: package(name, version) for name, version in _FOREIGN.get(family, {}).items()}
    architecture = {"64": "x86_64", "arm64": "arm64" if family == "osx" else "aarch64"}.get(machine, machine)
    packages["__archspec"] = package("__archspec", "1", architecture)
    said = [(name, value) for name, value in request.overrides if _FAMILIES.get(_NAMES.get(name, ""), family) == family]
    return list(_overridden(packages, said).values())


def _overridden(
    packages: dict[str, GenericVirtualPackage], overrides: Sequence[tuple[str, str]]
) -> dict[str, GenericVirtualPackage]:
    """The packages, replaced by those of `CONDA_OVERRIDE_*` variables; an empty variable removes one."""
    for variable, value in overrides:
        name = _NAMES.get(variable)
        if name is None:
            continue
        packages.pop(name, None)
        if value:
            try:
                packages[name] = package(name, value)
            except InvalidVersionError as error:
                raise explain.undetected(str(error)) from None
    return packages


def package(name: str, version: str, build: str = "0") -> GenericVirtualPackage:
    return rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), bridge.BuildString(build))


def of_this_machine(overrides: Sequence[tuple[str, str]] = ()) -> list[GenericVirtualPackage]:
    """The detected packages, with the changes of a header."""
    try:
        found = rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env())
    except DetectVirtualPackageError as error:
        raise explain.undetected(str(error)) from None
    generic = [package.into_generic() for package in found]
    return list(_overridden({package.name.normalized: package for package in generic}, overrides).values())


def fits(virtual_packages: Sequence[str], overrides: Sequence[tuple[str, str]] = ()) -> bool:
    """Whether this machine, as detected or as a header describes it, satisfies `Built.virtual_packages`."""
    present = of_this_machine(overrides)
    return all(_holds(spec, present) for spec in virtual_packages)


def relied_on(records: Sequence[RepoDataRecord], asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Match specs on virtual packages, including those of `asked`, except those that are true on every host of the
    platform."""
    specs = {*asked, *(spec for record in records for spec in record.depends)}
    return tuple(sorted(spec for spec in specs if spec.startswith("__") and spec not in _EVERYWHERE))


def decisive(
    records: Sequence[RepoDataRecord], asked: Sequence[str], overrides: Sequence[tuple[str, str]] = ()
) -> tuple[str, ...]:
    """What conditions (`when`) of these specs and of packages require from this machine: a match spec that it
    satisfies, or `!` and one that it does not."""
    conditional = {
        spec for spec in (*asked, *(spec for record in records for spec in record.depends)) if has_condition(spec)
    }
    terms: set[str] = set()

    def note(term: str) -> bool:
        terms.add(term)
        return True

    for spec in conditional:
        if text := rattler.MatchSpec(spec, strict=False).condition:
            condition.holds(text, {}, note)
    present = of_this_machine(overrides) if terms else []
    about_us = sorted(term for term in terms if term.startswith("__") and term not in _EVERYWHERE)
    return tuple(term if _holds(term, present) else f"!{term}" for term in about_us)


def applies(spec: MatchSpec, records: Sequence[RepoDataRecord], request: Request) -> bool:
    """Whether the condition of a spec, if it has one, is true with these packages."""

    def holds(text: str) -> bool:
        wanted = rattler.MatchSpec(text, strict=False)
        return any(record.matches(wanted) for record in records) or _holds(text, machine)

    if spec.condition is None:
        return True
    machine = packages(request)
    return condition.holds(spec.condition, {}, holds)


def _holds(spec: str, present: Sequence[GenericVirtualPackage]) -> bool:
    if spec.startswith("!"):
        return not _holds(spec[1:], present)
    parsed = rattler.MatchSpec(spec, strict=False)
    records = (
        rattler.PackageRecord(
            one.name, rattler.VersionWithSource(str(one.version)), one.build_string, 0, "noarch", None
        )
        for one in present
    )
    return any(record.matches(parsed) for record in records)
