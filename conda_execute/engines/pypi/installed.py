"""The Python packages in a prefix, by the metadata in its `site-packages`."""

from __future__ import annotations

import base64
import csv
import glob
import json
import os
import re
from collections.abc import Iterator, Sequence

from ...files import content_of
from ...lean.values import dataclass
from ...specs.requirement import canonical


@dataclass(frozen=True)
class Distribution:
    """A Python package in the prefix: its name as PyPI compares names, its version, and its metadata's directory."""

    name: str
    version: str
    path: str
    installer: str

    @property
    def identity(self) -> tuple[int, int]:
        """Changes when the metadata is written again."""
        path = os.path.join(self.path, "METADATA")
        status = os.stat(path if os.path.exists(path) else self.path)
        return status.st_ino, status.st_mtime_ns

    @property
    def files(self) -> list[tuple[str, str | None, int | None]]:
        """The files that the package's RECORD lists: path, SHA-256 and size, as far as known. Raises ValueError if it
        is not such a list."""
        found = []
        try:
            for path, digest, size in csv.reader(self.read("RECORD").splitlines()):
                kind, _, coded = digest.partition("=")
                value = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).hex() if kind == "sha256" else None
                where = os.path.normpath(os.path.join(os.path.dirname(self.path), path))
                found.append((where, value, int(size) if size else None))
        except (ValueError, csv.Error):
            raise ValueError("is not a list of files") from None
        if not any(path == os.path.join(self.path, "METADATA") for path, _, _ in found):
            raise ValueError("does not list `METADATA`")
        return found

    @property
    def size(self) -> int:
        """The sum of the sizes that the package's RECORD states, in bytes."""
        fields = (line.rstrip().rpartition(",")[2] for line in self.read("RECORD").splitlines())
        return sum(int(field) for field in fields if field.isdigit())

    @property
    def metadata(self) -> str:
        """Its METADATA, or a minimal one with what is known."""
        known = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n"
        return self.read("METADATA") or known

    def read(self, name: str) -> str:
        """The text of a file of its metadata; empty if there is none."""
        return _read(self.path, name)

    @property
    def pinned(self) -> str:
        """The requirement for exactly this package: by the URL that it was installed from, else by version."""
        try:
            origin = json.loads(self.read("direct_url.json"))
        except ValueError:
            return f"{self.name}=={self.version}"
        url = origin["url"]
        if "vcs_info" in origin:
            url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
        return f"{self.name} @ {url}"

    @property
    def requires(self) -> tuple[str, ...]:
        """The requirements in its metadata."""
        lines = self.metadata.partition("\n\n")[0].splitlines()
        return tuple(line.partition(":")[2].strip() for line in lines if line.startswith("Requires-Dist:"))


def distributions(prefix: str) -> list[Distribution]:
    """The Python packages in the prefix, sorted by name."""
    found: list[Distribution] = []
    for directory in _site_packages(prefix):
        for entry in os.scandir(directory):
            if entry.name.endswith((".dist-info", ".egg-info")):
                found += _distribution(entry.path)
    return sorted(found, key=lambda distribution: distribution.name)


def from_pypi(prefix: str) -> list[Distribution]:
    """Packages that did not come with a conda package: those of conda have INSTALLER files that say so, or none."""
    return [one for one in distributions(prefix) if one.installer not in ("", "conda")]


def python_version(prefix: str) -> str:
    """The version of conda's `python` in the prefix; empty without one."""
    records = glob.glob(os.path.join(glob.escape(prefix), "conda-meta", "python-[0-9]*.json"))
    return os.path.basename(records[0]).split("-")[1] if records else ""


def owners(prefix: str, present: Sequence[Distribution]) -> dict[str, str]:
    """The conda package that contains each Python package; its name may differ: `torch` is from `pytorch`."""
    names = {os.path.basename(one.path): one.name for one in present}
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(prefix), "conda-meta", "*.json"))):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        directories = {directory for directory in re.findall(r'/([^/"]+-info)[/"]', text) if directory in names}
        if directories:
            owner = str(json.loads(text)["name"])
            found.update({names[directory]: owner for directory in directories})
    return found


def _site_packages(prefix: str) -> list[str]:
    lib = os.path.join(prefix, "lib")
    names = os.listdir(lib) if os.path.isdir(lib) else []
    candidates = [os.path.join(lib, name, "site-packages") for name in names if name.startswith(("python", "pypy"))]
    candidates.append(os.path.join(prefix, "Lib", "site-packages"))  # in a prefix for Windows
    # conda's python links `lib/python3.1` to `lib/python3.10`.
    return sorted({os.path.realpath(path) for path in candidates if os.path.isdir(path)})


def _distribution(path: str) -> Iterator[Distribution]:
    text = _read(path, "METADATA") or _read(path, "PKG-INFO") or _read(path)
    head = re.split(r"\n\s*\n", text, maxsplit=1)[0]
    fields = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head.splitlines())}
    if fields.get("name") and fields.get("version"):
        yield Distribution(canonical(fields["name"]), fields["version"], path, _read(path, "INSTALLER").strip())


def _read(*path: str) -> str:
    """The text of a file; empty if there is none."""
    return (content_of(os.path.join(*path)) or b"").decode("utf-8", "replace").replace("\r\n", "\n")
