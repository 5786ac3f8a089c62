"""The conda and PyPI packages in a prefix, with their names in lists of advisories.

There are lists of advisories for the ecosystems that packages come from: Python packages in conda have their PyPI name,
which is in their metadata in the prefix; R packages have their name on CRAN. For everything else there is no list.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from ..lean.values import dataclass
from ..specs.requirement import canonical, requirement_name
from . import records
from .pypi.installed import Distribution, distributions

PYPI, CRAN = "PyPI", "CRAN"


@dataclass(frozen=True)
class Known:
    """A package as a list of advisories names it."""

    ecosystem: str
    name: str
    version: str


@dataclass(frozen=True)
class Component:
    """One installed package."""

    name: str
    version: str
    #: Its package URL, which all tools understand.
    purl: str
    license: str = ""
    sha256: str = ""
    md5: str = ""
    #: Package URLs of its dependencies, as far as they are installed.
    requires: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()


def components(prefix: str, hashes: Mapping[str, str] | None = None) -> list[Component]:
    """The installed packages, conda's first. `hashes`: SHA-256 of PyPI packages by name, if a lock has them."""
    conda_records = [record for _, record in records.each(prefix)]
    present = distributions(prefix)
    owned = {path: record for record in conda_records for path in _metadata_of(record)}
    brought: dict[str, list[Distribution]] = {}
    alone = []
    for one in present:
        owner = owned.get(os.path.relpath(one.path, os.path.realpath(prefix)))
        if owner is None:
            alone.append(one)
        else:
            brought.setdefault(owner["name"], []).append(one)
    conda = {record["name"]: _conda_purl(record) for record in conda_records}
    pypi = {one.name: conda[name] for name, those in brought.items() for one in those}
    pypi |= {one.name: _pypi_purl(one) for one in alone}
    return [
        *(_of_conda(record, prefix, brought.get(record["name"], ()), conda) for record in conda_records),
        *(_of_pypi(one, pypi, hashes or {}) for one in alone),
    ]


def _metadata_of(record: Mapping[str, Any]) -> set[str]:
    """The directories and files of Python metadata that a conda package brought, relative to the prefix."""
    found = (re.match(r"(.*-packages/[^/]+\.(?:dist|egg)-info)(?:/|$)", path) for path in record.get("files", ()))
    return {match[1] for match in found if match}


def _of_conda(
    record: Mapping[str, Any], prefix: str, brought: Sequence[Distribution], conda: Mapping[str, str]
) -> Component:
    needed = (spec.split()[0] for spec in record.get("depends", ()))
    known = [Known(PYPI, one.name, one.version) for one in brought]
    if record["name"].startswith("r-"):
        known += _of_cran(record, prefix)
    return Component(
        name=record["name"],
        version=record["version"],
        purl=conda[record["name"]],
        license=record.get("license") or "",
        sha256=record.get("sha256") or "",
        md5=record.get("md5") or "",
        requires=tuple(sorted({conda[name] for name in needed if name in conda})),
        known=tuple(known),
    )


def _of_cran(record: Mapping[str, Any], prefix: str) -> Iterator[Known]:
    """R's own name and version, which differ from conda's: `data.table 1.17-0` is `r-data.table 1.17_0`."""
    for path in record.get("files", ()):
        if re.fullmatch(r"lib/R/library/[^/]+/DESCRIPTION", path):
            try:
                with open(os.path.join(prefix, path), encoding="utf-8", errors="replace") as file:
                    fields = dict(line.rstrip("\n").split(": ", 1) for line in file if ": " in line)
            except OSError:
                continue
            if "Package" in fields and "Version" in fields:
                yield Known(CRAN, fields["Package"], fields["Version"])


def _of_pypi(one: Distribution, pypi: Mapping[str, str], hashes: Mapping[str, str]) -> Component:
    needed = {requirement_name(text) for text in one.requires if not re.search(r";.*\bextra\b", text)}
    fields = one.metadata.partition("\n\n")[0]
    said = re.search(r"(?m)^License(?:-Expression)?:[ \t]*(\S.*)$", fields)
    return Component(
        name=one.name,
        version=one.version,
        purl=pypi[one.name],
        license=said[1].strip() if said else "",
        sha256=_downloaded(one) or hashes.get(canonical(one.name), ""),
        requires=tuple(sorted({pypi[name] for name in needed if name in pypi})),
        known=(Known(PYPI, one.name, one.version),),
    )


def _downloaded(one: Distribution) -> str:
    """The hash of the archive that it was installed from, if it was requested by URL."""
    try:
        hashes = json.loads(one.read("direct_url.json") or "{}").get("archive_info", {}).get("hashes", {})
    except ValueError:
        return ""
    return str(hashes.get("sha256", ""))


def _conda_purl(record: Mapping[str, Any]) -> str:
    said = {
        "build": record.get("build", ""),
        "channel": _channel(record),
        "subdir": record.get("subdir") or "",
        "type": "conda" if str(record.get("fn", "")).endswith(".conda") else "tar.bz2",
    }
    qualifiers = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in sorted(said.items()) if value)
    return f"pkg:conda/{quote(record['name'], safe='')}@{quote(record['version'], safe='')}?{qualifiers}"


def _channel(record: Mapping[str, Any]) -> str:
    """A channel by its name, or by its address without password and token."""
    url = urlsplit(str(record.get("channel") or ""))
    if not url.scheme:
        return url.path
    path = re.sub(r"/t/[^/]+(?=/)", "", url.path.rstrip("/"))
    return path.rsplit("/", 1)[-1] if url.scheme == "file" else f"{url.scheme}://{url.hostname or ''}{path}"


def _pypi_purl(one: Distribution) -> str:
    return f"pkg:pypi/{quote(canonical(one.name), safe='')}@{quote(one.version, safe='')}"
