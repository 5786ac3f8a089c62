"""Conda packages written from a description of a line or two, and the indexing of the channel that holds them.

A package that a test makes up is as real as any other: a `.conda` archive with `paths.json`, prefix placeholders
declared where the content holds one, and a record that the solver reads. ::

    Package("greet", "1.0", files={"bin/greet": "#!/bin/sh\\necho hello\\n"}).write(channel)
    index(channel)
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from conda_package_streaming.create import conda_builder
from rattler.index import index_fs

from conda_execute.engines.rattler.bridge import Subdir

#: The prefix that packages are "built" in. As long as conda-build's own, so that every real prefix fits in a binary.
PLACEHOLDER = "/placeholder".ljust(255, "_")

#: When a package was built unless it says otherwise: long ago, so that `exclude-newer` leaves it alone.
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)

#: Compression counts for little on the same disk; the builder has a minute for everything.
_COMPRESSION_LEVEL = 3


@dataclass(frozen=True)
class Link:
    """A symbolic link inside a package."""

    target: str


@dataclass(frozen=True)
class File:
    """A file whose content lies elsewhere on this disk, or whose mode is not the usual one."""

    content: bytes | Path
    executable: bool = False

    def read(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True)
class Package:
    """One conda package. `files` maps paths in the prefix to content; what lies in `bin` is executable.

    A `noarch="python"` package keeps its modules under `site-packages/`, as every such package does, and names its
    `entry_points` as `name = module:function`.
    """

    name: str
    version: str = "1.0"
    files: Mapping[str, str | bytes | File | Link] = field(default_factory=dict)
    depends: tuple[str, ...] | list[str] = ()
    constrains: tuple[str, ...] | list[str] = ()
    build: str | None = None
    build_number: int = 0
    noarch: str | None = None
    entry_points: tuple[str, ...] | list[str] = ()
    timestamp: datetime | str = LONG_AGO
    track_features: str | None = None
    subdir: str | None = None

    @property
    def directory(self) -> str:
        return self.subdir or ("noarch" if self.noarch else str(Subdir.current()))

    @property
    def build_string(self) -> str:
        return self.build or f"{'py_' if self.noarch == 'python' else 'h0_'}{self.build_number}"

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build_string}"

    def write(self, channel: Path) -> Path:
        """Write the archive into `channel` and return its path. The channel is not indexed by this."""
        destination = Path(channel) / self.directory
        destination.mkdir(parents=True, exist_ok=True)
        (Path(channel) / "noarch").mkdir(exist_ok=True)
        archive = destination / f"{self.stem}.conda"
        archive.unlink(missing_ok=True)
        with conda_builder(
            self.stem, destination, compression_level=_COMPRESSION_LEVEL, compression_threads=os.cpu_count() or 1
        ) as tar:
            paths = [_add(tar, path, self.files[path]) for path in sorted(self.files)]
            for path, value in self._info(paths).items():
                text = value if isinstance(value, str) else json.dumps(value, indent=1)
                _add_bytes(tar, f"info/{path}", text.encode(), executable=False)
        return archive

    def _info(self, paths: list[dict[str, object]]) -> dict[str, object]:
        information: dict[str, object] = {
            "index.json": self._record(),
            "paths.json": {"paths": paths, "paths_version": 1},
            "files": "".join(f"{path['_path']}\n" for path in paths),
            "about.json": {"summary": f"{self.name} of the test channel"},
        }
        if self.noarch == "python":
            noarch = {"type": "python", "entry_points": list(self.entry_points)}
            information["link.json"] = {"noarch": noarch, "package_metadata_version": 1}
        return information

    def _record(self) -> dict[str, object]:
        when = self.timestamp if isinstance(self.timestamp, datetime) else datetime.fromisoformat(self.timestamp)
        when = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
        record: dict[str, object] = {
            "name": self.name,
            "version": self.version,
            "build": self.build_string,
            "build_number": self.build_number,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "subdir": self.directory,
            "timestamp": int(when.timestamp() * 1000),
            "license": "test",
        }
        if self.noarch:
            record["noarch"] = self.noarch
        else:
            record["platform"], _, record["arch"] = self.directory.partition("-")
        if self.track_features:
            record["track_features"] = self.track_features
        return record


def write_channel(channel: Path, packages: Iterable[Package]) -> str:
    """Write and index a channel of these packages; its URL."""
    for package in packages:
        package.write(channel)
    index(channel)
    return channel.as_uri()


def index(channel: Path) -> None:
    """Write `repodata.json`, its compressed form and its shards, for every subdir of the channel."""
    for subdir in ("noarch", str(Subdir.current())):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    asyncio.run(index_fs(channel, write_zst=True, write_shards=True, force=True))
    # `exclude-newer` goes by the time of the first indexing, which is now; indexing again keeps what is written there.
    for repodata in channel.glob("*/repodata.json"):
        content = json.loads(repodata.read_text())
        for record in content["packages.conda"].values():
            record["indexed_timestamp"] = record["timestamp"]
        repodata.write_text(json.dumps(content))
    asyncio.run(index_fs(channel, write_zst=True, write_shards=True, force=False))


def _add(tar: tarfile.TarFile, path: str, content: str | bytes | File | Link) -> dict[str, object]:
    """Add one file of the prefix to the archive; its entry in `paths.json`."""
    if isinstance(content, Link):
        member = tarfile.TarInfo(path)
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, content.target, 0o777
        tar.addfile(member)
        return {"_path": path, "path_type": "softlink", "sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0}
    executable = content.executable if isinstance(content, File) else _is_program(path)
    data = content.read() if isinstance(content, File) else content.encode() if isinstance(content, str) else content
    _add_bytes(tar, path, data, executable=executable)
    entry: dict[str, object] = {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }
    if PLACEHOLDER.encode() in data:
        entry["prefix_placeholder"] = PLACEHOLDER
        entry["file_mode"] = "binary" if b"\0" in data else "text"
    return entry


def _is_program(path: str) -> bool:
    return path.startswith(("bin/", "python-scripts/"))


def _add_bytes(tar: tarfile.TarFile, path: str, data: bytes, *, executable: bool) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.mtime = len(data), 0o755 if executable else 0o644, int(LONG_AGO.timestamp())
    tar.addfile(member, io.BytesIO(data))
