"""Packages from py-rattler's records: of a solution, and of a prefix."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import rattler
from rattler import RepoDataRecord

from .. import Package, stem


def installed(prefix: str) -> list[rattler.PrefixRecord]:
    """The package records of a prefix, each after those that it depends on."""
    meta = os.path.join(prefix, "conda-meta")
    paths = [os.path.join(meta, name) for name in sorted(os.listdir(meta)) if name.endswith(".json")]
    records = [rattler.PrefixRecord.from_path(path) for path in paths]  # type: ignore[arg-type]
    in_order = rattler.PackageRecord.sort_topologically([*records])
    place = {record.name.normalized: number for number, record in enumerate(in_order)}
    return sorted(records, key=lambda record: place[record.name.normalized])


def described(records: Sequence[RepoDataRecord], caches: Sequence[str] = ()) -> tuple[Package, ...]:
    """Records as our own values, sorted by name; with `caches`, also whether they are in one of these package caches.

    This is only for display: the installer checks hashes, and a full index of a large cache takes long.
    """
    packages = [
        Package(
            name=record.name.normalized,
            version=str(record.version),
            build=str(record.build),
            channel=(record.channel or "").rstrip("/"),
            subdir=record.subdir,
            url=record.url,
            size=record.size,
            sha256=record.sha256.hex() if record.sha256 else None,
            md5=record.md5.hex() if record.md5 else None,
            cached=any(os.path.isdir(os.path.join(cache, stem(record.file_name))) for cache in caches)
            if caches
            else None,
        )
        for record in records
    ]
    return tuple(sorted(packages, key=lambda package: package.name))


def is_wheel(record: RepoDataRecord) -> bool:
    return urlsplit(record.url).path.endswith(".whl")


def is_local(record: RepoDataRecord) -> bool:
    return record.url.startswith("file:")


def path_of(url: str) -> str:
    path = unquote(urlsplit(url).path)
    return path.lstrip("/") if sys.platform == "win32" else path
