"""A channel that serves wheels, as conda-pypi does: repodata of version 3, in shards or whole."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backports import zstd


def write(
    directory: Path, wheels: Mapping[Path, Sequence[str]], *, shards: bool = True, elsewhere: str | None = None
) -> Path:
    """Put these wheels into a channel, each with what it depends on in conda's words. `elsewhere` is the URL of the
    directory `files` in it, where the wheels are then: conda-pypi's are on PyPI."""
    noarch = directory / "noarch"
    for subdir in (noarch, directory / "linux-64"):
        subdir.mkdir(parents=True, exist_ok=True)
        records = {}
        for wheel, depends in wheels.items() if subdir is noarch else ():
            place = noarch if elsewhere is None else directory / "files"
            place.mkdir(exist_ok=True)
            (place / wheel.name).write_bytes(wheel.read_bytes())
            name, record = _record(wheel, list(depends))
            if elsewhere is not None:
                record["url"] = f"{elsewhere}/{wheel.name}"
            records[name] = record
        if shards:
            _write_shards(subdir, records)
        else:
            repodata = {"info": {"subdir": subdir.name}, "packages": {}, "packages.conda": {}, "v3": {"whl": records}}
            (subdir / "repodata.json").write_text(json.dumps({**repodata, "repodata_version": 3}))
    return directory


def _record(wheel: Path, depends: list[str]) -> tuple[str, dict[str, Any]]:
    with zipfile.ZipFile(wheel) as archive:
        info = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        fields = dict(line.split(": ", 1) for line in archive.read(info).decode().splitlines() if ": " in line)
    data = wheel.read_bytes()
    name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()
    record = {
        "name": name,
        "version": fields["Version"],
        "build": "py3_none_any_0",
        "build_number": 0,
        "depends": depends,
        "constrains": [],
        "fn": wheel.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "subdir": "noarch",
        "noarch": "python",
        "url": wheel.name,
    }
    return f"{name}-{fields['Version']}-py3_none_any_0", record


def _write_shards(subdir: Path, records: Mapping[str, dict[str, Any]]) -> None:
    shards = {}
    by_name: dict[str, dict[str, Any]] = {}
    for key, record in records.items():
        packed = {**record, "sha256": bytes.fromhex(record["sha256"])}
        by_name.setdefault(record["name"], {})[key] = packed
    for name, each in by_name.items():
        shard = {"packages": {}, "packages.conda": {}, "removed": [], "v3": {"whl": each}}
        data = zstd.compress(_packed(shard))
        digest = hashlib.sha256(data).digest()
        (subdir / "shards").mkdir(exist_ok=True)
        (subdir / "shards" / f"{digest.hex()}.msgpack.zst").write_bytes(data)
        shards[name] = digest
    info = {"subdir": subdir.name, "base_url": "./", "shards_base_url": "./shards/"}
    index = {"version": 1, "info": info, "shards": shards}
    (subdir / "repodata_shards.msgpack.zst").write_bytes(zstd.compress(_packed(index)))
    plain = {"info": {"subdir": subdir.name}, "packages": {}, "packages.conda": {}}
    (subdir / "repodata.json").write_text(json.dumps(plain))


def _packed(value: Any) -> bytes:
    """MessagePack."""
    if isinstance(value, dict):
        items = b"".join(_packed(key) + _packed(item) for key, item in value.items())
        return b"\xdf" + struct.pack(">I", len(value)) + items
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(_packed, value))
    if isinstance(value, str):
        return b"\xdb" + struct.pack(">I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    assert isinstance(value, int), value
    return b"\xcf" + struct.pack(">Q", value)
