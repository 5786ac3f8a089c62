"""Whether the files of an environment are unchanged, by the hashes in its packages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from .. import files
from . import records
from .pypi.installed import from_pypi

#: Files that may have replaced a package's file: ours, and those of the engine.
_OURS = (records.MANAGED, records.NO_USER_SITE, "INSTALLER", "RECORD")


def damaged(prefix: str) -> list[str]:
    """What is wrong with which file, for people; empty if all are unchanged. No damage raises an error."""
    complaints: dict[str, str | None] = {}
    for path, digest in (*_of_conda(prefix, complaints), *_of_pypi(prefix, complaints)):
        if os.path.basename(path) in _OURS or path.startswith("conda-meta/"):
            continue
        found = complaint(os.path.join(prefix, path), digest)
        # If several packages have the same file, one of them was installed.
        complaints[path] = found and complaints.get(path, found)
    return [f"`{path}` {why}" for path, why in sorted(complaints.items()) if why]


def _of_conda(prefix: str, complaints: dict[str, str | None]) -> Iterator[tuple[str, str | None]]:
    """Each file with its SHA-256, if there is one. An unreadable record is a complaint itself."""
    for name, record in records.each(prefix):
        try:
            yield from [(path["_path"], _digest(path)) for path in record["paths_data"]["paths"]]
        except (TypeError, KeyError):
            complaints[os.path.join("conda-meta", name)] = "is not a package record"


def _digest(path: dict[str, Any]) -> str | None:
    if path.get("path_type", "hardlink") != "hardlink":
        return None
    digest: str | None = path.get("sha256_in_prefix") or (
        None if path.get("prefix_placeholder") else path.get("sha256")
    )
    return digest


def _of_pypi(prefix: str, complaints: dict[str, str | None]) -> Iterator[tuple[str, str | None]]:
    """The same of what uv installed."""
    root = os.path.realpath(prefix)
    for one in from_pypi(prefix):
        try:
            yield from [(os.path.relpath(path, root), digest) for path, digest, _ in one.files]
        except ValueError as error:
            complaints[os.path.relpath(os.path.join(one.path, "RECORD"), root)] = str(error)


def complaint(path: str, digest: str | None, size: int | None = None) -> str | None:
    """What is wrong with one file, of which the size and SHA-256 may be known. A link of unknown size may lead
    nowhere."""
    try:
        found = os.stat(path, follow_symlinks=size is not None).st_size
        if size not in (None, found):
            return f"has {found} bytes instead of {size}"
        unchanged = digest is None or files.digest(path).hex() == digest
        return None if unchanged else "has changed since it was installed"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
