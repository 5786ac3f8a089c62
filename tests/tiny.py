"""Small real packages and channels, written in a moment, for tests that want to say themselves what is in them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conda_execute.model import Channel, Request

PLACEHOLDER = "/opt/tiny_placeholder_" + "place" * 20


@dataclass
class Tiny:
    """A package. Without `files` it installs `share/NAME.txt`; `timestamp` is in milliseconds since the epoch."""

    name: str
    version: str = "1.0"
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    build: str = "0"
    build_number: int = 0
    subdir: str = "noarch"
    files: dict[str, bytes] = field(default_factory=dict)
    timestamp: int | None = None

    @property
    def archive(self) -> str:
        return f"{self.name}-{self.version}-{self.build}.tar.bz2"

    def index(self) -> dict[str, object]:
        index: dict[str, object] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": self.build_number,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "subdir": self.subdir,
        }
        if self.subdir == "noarch":
            index["noarch"] = "generic"
        if self.timestamp is not None:
            index["timestamp"] = self.timestamp
        return index

    def write(self, channel: Path) -> Path:
        files = self.files or {f"share/{self.name}.txt": f"{self.name} {self.version}\n".encode()}
        paths = [_path_entry(path, data) for path, data in files.items()]
        members = dict(files)
        members["info/index.json"] = json.dumps(self.index()).encode()
        members["info/paths.json"] = json.dumps({"paths": paths, "paths_version": 1}).encode()
        members["info/files"] = "".join(f"{path}\n" for path in files).encode()
        target = channel / self.subdir / self.archive
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target, "w:bz2", compresslevel=1) as archive:
            for path, data in members.items():
                member = tarfile.TarInfo(path)
                member.size = len(data)
                member.mode = 0o755 if data.startswith(b"#!") else 0o644
                archive.addfile(member, io.BytesIO(data))
        return target


def wheel(
    directory: Path,
    name: str,
    version: str = "1.0",
    requires: Sequence[str] = (),
    *,
    extras: Mapping[str, str] | None = None,
    python: str | None = None,
    programs: Mapping[str, str] | None = None,
) -> Path:
    """A pure wheel of one module, which has its VERSION; `programs` are its entry points."""
    directory.mkdir(parents=True, exist_ok=True)
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Python: {python}"] * bool(python)
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    for extra, requirement in (extras or {}).items():
        metadata += [f"Provides-Extra: {extra}\nRequires-Dist: {requirement}; extra == '{extra}'"]
    members = {
        f"{module}.py": f"VERSION = {version!r}\n\ndef main():\n    print({name!r}, VERSION)\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if programs:
        points = "".join(f"{program} = {target}\n" for program, target in programs.items())
        members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{points}"
    record = "".join(f"{path},{_in_record(text)}\n" for path, text in members.items()) + f"{info}/RECORD,,\n"
    path = directory / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**members, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return path


def _in_record(text: str) -> str:
    """What a wheel says of a file: hash and size."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return f"sha256={digest},{len(text.encode())}"


def _path_entry(path: str, data: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }
    if PLACEHOLDER.encode() in data:
        entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return entry


def channel(path: Path, *packages: Tiny) -> Path:
    """A channel at `path`, indexed with plain and sharded repodata."""
    from rattler.index import index_fs

    (path / "noarch").mkdir(parents=True, exist_ok=True)
    for package in packages:
        package.write(path)
    asyncio.run(index_fs(path, write_zst=True, write_shards=True, force=True))
    return path


def by_build_time(place: Path) -> None:
    """Have the builds' time count: the indexer stamps everything with its own, which counts before it."""
    for path in (place / "noarch").glob("repodata*"):
        if path.name != "repodata.json":
            path.unlink()
    repodata = json.loads((place / "noarch/repodata.json").read_text())
    for entry in repodata["packages"].values():
        entry.pop("indexed_timestamp", None)
    (place / "noarch/repodata.json").write_text(json.dumps(repodata))


def request(*specs: str, channels: Mapping[str, Path | str], platform: str = "linux-64", **rest: Any) -> Request:
    """A request for these specs from channels that are directories or URLs."""
    return Request(
        specs=tuple(sorted(specs)),
        channels=tuple(Channel(name, (_url(place),)) for name, place in channels.items()),
        platform=platform,
        host_platform="linux-64",
        **rest,
    )


def _url(place: Path | str) -> str:
    return place.as_uri() if isinstance(place, Path) else place


def leave_hard(status: int = 0) -> None:
    """End the process as the doors do after using the engine."""
    os._exit(status)
