"""Wheels from a conda channel (repodata v3): conda's solver chooses them, and uv installs them.

They are installed after the conda packages, which contain the Python to install for, each from the URL and with the
hash in the channel's record. Then they belong to conda: `conda-meta` has a record of each wheel with its files, and
`INSTALLER` says conda.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from rattler import RepoDataRecord

from ... import files
from ...environments import layout
from ...model import Request
from ...specs.requirement import canonical
from .. import Options, PyPIPackage
from . import install, installed
from .installed import Distribution


def add(request: Request, prefix: str, options: Options, records: Sequence[RepoDataRecord]) -> None:
    """Install the wheels of these records into a prefix that has its conda packages.

    Raises CreationError and InterruptError; then the prefix is unusable.
    """
    chosen = {canonical(package.name): package for package in map(_package, records)}
    install.install(request, prefix, options, list(chosen.values()), anywhere=True)
    added = {one.name: one for one in installed.distributions(prefix) if one.name in chosen}
    for record in records:
        _write_record(prefix, record, added[canonical(_package(record).name)])


def _package(record: RepoDataRecord) -> PyPIPackage:
    """The package with the name in the wheel's file: the record has conda's name."""
    name, version = unquote(urlsplit(record.url).path).rpartition("/")[2].split("-")[:2]
    return PyPIPackage(name, version, record.url, record.sha256.hex() if record.sha256 else None)


def _write_record(prefix: str, record: RepoDataRecord, distribution: Distribution) -> None:
    _take_over(distribution)
    paths = list(_paths(prefix, distribution))
    said: dict[str, Any] = json.loads(record.to_json())
    said |= {"fn": record.file_name, "url": record.url, "channel": record.channel}
    said |= {"files": [path["_path"] for path in paths], "paths_data": {"paths": paths, "paths_version": 1}}
    name = f"{record.name.normalized}-{record.version}-{record.build}.json"
    with open(os.path.join(layout.conda_meta(prefix), name), "w", encoding="utf-8") as file:
        json.dump(said, file, indent=2)


def _take_over(distribution: Distribution) -> None:
    """Write conda into INSTALLER, and remove its hash from RECORD. uv may have linked the files from its cache, so they
    are replaced, not changed."""
    record = distribution.read("RECORD")
    changed = {"INSTALLER": "conda\n", "RECORD": re.sub(r"(/INSTALLER),[^\n]*", r"\1,,", record)}
    for name, text in changed.items():
        path = os.path.join(distribution.path, name)
        files.unlink(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _paths(prefix: str, distribution: Distribution) -> Iterator[dict[str, Any]]:
    """The wheel's files, as conda records them."""
    for path, digest, size in distribution.files:
        said = {"sha256": digest, "size_in_bytes": size}
        entry = {"_path": os.path.relpath(path, os.path.realpath(prefix)), "path_type": "hardlink"}
        yield {**entry, **{key: value for key, value in said.items() if value is not None}}
