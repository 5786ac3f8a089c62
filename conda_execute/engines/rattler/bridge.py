"""Features of py-rattler 0.28 that the embedded engine needs, for older versions that a base environment may have.

conda's solver `conda-rattler-solver` keeps py-rattler at 0.26, so current conda installations have that. Each part here
names the version that makes it unnecessary, and is not used if that version is installed:

- `Subdir`: 0.27 gave the platform its new name.
- `BuildString`: 0.28; before, it was a plain string.
- `sources`, `addressed`, `restored`: 0.28 has `MultiSource`, a named channel that may lead to several URLs of one
  priority. Before, a channel has one URL and is identified by it; a source of our own combines several URLs.
- `package_cache`: 0.28 has `PackageCache` and `ValidationMode`. Before, an installer trusts unpacked packages in the
  cache, so we compare them, and remove damaged ones, which are then downloaded again.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import rattler
from rattler import MatchSpec, PackageName, RepoDataRecord
from rattler.repo_data import Gateway

from ...errors import SettingsError
from ...files import digest
from ...lean.values import dataclass
from ...model import Channel
from .. import stem
from . import cached, unsharded
from .incoming import Incoming, locked

#: The oldest version that works: 0.25 lacks `Config`, which the network settings need.
OLDEST = "0.26"

Subdir: Any = getattr(rattler, "Subdir", None) or rattler.Platform  # type: ignore[attr-defined, unused-ignore]
BuildString: Any = getattr(rattler, "BuildString", str)

_HAS_GROUPS = hasattr(rattler, "MultiSource")


def require() -> None:
    """Raise SettingsError if py-rattler is too old."""
    if not hasattr(rattler, "Config"):
        raise SettingsError(
            f"the embedded engine needs py-rattler {OLDEST} or later, but {rattler.__version__} is installed",
            hint="update py-rattler, or use the backend `conda`, which writes no lock files",
        )


# -- channels --------------------------------------------------------------------------------------------------------


async def sources(
    channels: Sequence[Channel],
    gateway: Gateway,
    platforms: Sequence[Any],
    counts: Callable[[Channel, RepoDataRecord], bool] | None = None,
    wheels: unsharded.Found | None = None,
) -> list[Any]:
    """Channels as sources. They keep their names, since a spec may say `name::package` wherever the name leads.

    `counts` selects the records to use, and `wheels` are records that the gateway leaves out; with either, the specs
    must be `addressed` and the solution `restored` as `grouped`."""
    found: list[Any] = []
    for channel in channels:
        urls = [rattler.Channel(url) for url in channel.urls]
        if counts is not None or wheels:
            mine = [wheels[url] for url in channel.urls if wheels and url in wheels]
            counted = partial(counts, channel) if counts is not None else None
            found.append(await _Group.of(urls, gateway, platforms, counted, mine))
        elif _HAS_GROUPS and (_is_name(channel.name) or len(urls) > 1):
            found.append(rattler.MultiSource(channel.name, urls))
        elif len(urls) > 1:
            found.append(await _Group.of(urls, gateway, platforms))
        else:
            found.append(urls[0])
    return found


def addressed(specs: Sequence[MatchSpec], channels: Sequence[Channel], grouped: bool = False) -> list[MatchSpec]:
    """The specs, with the URL of a channel instead of its name; `grouped`: even if py-rattler supports names."""
    if _HAS_GROUPS and not grouped:
        return list(specs)
    return [rattler.MatchSpec(with_url(str(spec), channels), strict=False) if spec.channel else spec for spec in specs]


def with_url(spec: str, channels: Sequence[Channel]) -> str:
    """The spec, with the URL of a channel instead of its name."""
    urls = {channel.name: channel.urls[0] for channel in channels if _is_name(channel.name)}
    place, _, rest = spec.partition("::")
    name, slash, subdir = place.rpartition("/")
    for known, further in ((place, ""), (name, slash + subdir)):
        if known in urls:
            return f"{urls[known].rstrip('/')}{further}::{rest}"
    return spec


def restored(
    records: Sequence[RepoDataRecord], channels: Sequence[Channel], grouped: bool = False
) -> list[RepoDataRecord]:
    """The records of a solution, each with the URL of its channel as `_Group` found it. A wheel may be elsewhere."""
    if grouped or not _HAS_GROUPS:
        places = {url.rstrip("/") for channel in channels for url in channel.urls}
        for record in records:
            place = record.url.rsplit("/", 2)[0]
            record.channel = f"{place}/" if place in places else record.channel
    return list(records)


def _is_name(channel: str) -> bool:
    return "://" not in channel and not os.path.isabs(channel)


@dataclass(frozen=True)
class _Group:
    """Several URLs as one channel: to the solver, all their packages are in the first one."""

    urls: list[rattler.Channel]
    gateway: Gateway
    #: By subdirectory.
    names: dict[str, list[str]]
    counts: Callable[[RepoDataRecord], bool] | None
    wheels: Sequence[unsharded.Wheels]

    @classmethod
    async def of(
        cls,
        urls: list[rattler.Channel],
        gateway: Gateway,
        platforms: Sequence[Any],
        counts: Callable[[RepoDataRecord], bool] | None = None,
        wheels: Sequence[unsharded.Wheels] = (),
    ) -> _Group:
        names = {}
        for platform in platforms:
            listed = {name.normalized for name in await gateway.names(urls, [platform])}
            names[str(platform)] = sorted(listed.union(*(each.names(platform) for each in wheels)))
        return cls(urls, gateway, names, counts, wheels)

    async def fetch_package_records(self, platform: Any, name: PackageName) -> list[RepoDataRecord]:
        found = await self.gateway.query(self.urls, [platform], [name.normalized], recursive=False)
        listed = {record.url: record for of_url in found for record in of_url}
        listed |= {record.url: record for each in self.wheels for record in each.records(platform, name.normalized)}
        records = [record for record in listed.values() if self.counts is None or self.counts(record)]
        for record in records:
            record.channel = self.urls[0].base_url
        return records

    def package_names(self, platform: Any) -> list[str]:
        return self.names[str(platform)]


# -- attestations ----------------------------------------------------------------------------------------------------


def attestation_policy(asked: str) -> dict[str, Any]:
    """The argument that makes `rattler.install` verify attestations, if the settings ask for that. It needs 0.28."""
    if asked == "off":
        return {}
    try:
        from rattler.sigstore import VerificationPolicy
    except ImportError:
        raise SettingsError(
            f"py-rattler {rattler.__version__} cannot verify attestations", hint="update it to 0.28 or later"
        ) from None
    return {"attestation_policy": VerificationPolicy.warn() if asked == "warn" else VerificationPolicy.require()}


# -- the package cache -----------------------------------------------------------------------------------------------


def package_cache(directory: str, *, full: bool) -> PackageCache:
    """The cache of unpacked packages. A package with missing files (after a purge) is downloaded again; with `full`,
    also one with changed files: prefixes share these files, so a program that writes to one changes all."""
    return PackageCache(directory, full) if hasattr(rattler, "PackageCache") else _OlderPackageCache(directory, full)


class PackageCache:
    """A directory of unpacked packages, which py-rattler 0.28 compares by itself."""

    #: Whether packages can be borrowed from other caches.
    borrows = True

    def __init__(self, directory: str, full: bool) -> None:
        self.directory = directory
        self.full = full

    async def absent(self, records: Sequence[RepoDataRecord]) -> list[RepoDataRecord]:
        """Packages that would have to be downloaded. Raises IoError if the cache cannot be read."""
        index = await self._packages().index()
        return [record for record in records if not index.contains_record(record)]

    async def arguments(self, records: Sequence[RepoDataRecord], incoming: Incoming) -> dict[str, Any]:
        """The arguments for `rattler.install` to take these packages from here, or download them into `incoming`."""
        before = await asyncio.to_thread(incoming.begin)
        return {"package_cache": self._packages(*before, is_borrowed=bool(incoming.borrowed))}

    def _packages(self, *before: str, is_borrowed: bool = False) -> rattler.PackageCache:
        """The cache, and directories before it; borrowed packages are compared byte by byte."""
        full, fast = rattler.ValidationMode.full(), rattler.ValidationMode.fast()
        layers = [(path, is_borrowed or self.full) for path in before] + [(self.directory, self.full)]
        return rattler.PackageCache.from_layers(
            [rattler.PackageCacheLayer(path).with_validation_mode(full if whole else fast) for path, whole in layers]
        )


class _OlderPackageCache(PackageCache):
    """The same, in Python: a directory for each package, and next to it `NAME.lock` with its archive's SHA-256."""

    borrows = False

    async def absent(self, records: Sequence[RepoDataRecord]) -> list[RepoDataRecord]:
        return [record for record in records if not self._contains(record)]

    async def arguments(self, records: Sequence[RepoDataRecord], incoming: Incoming) -> dict[str, Any]:
        await asyncio.to_thread(self._discard_damaged, records)
        return {"cache_dir": self.directory}

    def _contains(self, record: RepoDataRecord) -> bool:
        package = self._package(record)
        if not os.path.isdir(package) or not os.path.exists(f"{package}.lock"):
            return False
        return not record.sha256 or cached.origin(package) == record.sha256

    def _package(self, record: RepoDataRecord) -> str:
        return os.path.join(self.directory, stem(record.file_name))

    def _discard_damaged(self, records: Sequence[RepoDataRecord]) -> None:
        """Remove packages that have changed since they were unpacked; the installer then downloads them again."""
        there = [self._package(record) for record in records if self._contains(record)]
        damaged = [package for package in there if not self._is_whole(package)]
        if not damaged:
            return
        from tempfile import TemporaryDirectory

        trash = TemporaryDirectory(prefix=".damaged-", dir=self.directory)
        with trash, locked(self.directory, math.inf):  # no process links packages from it meanwhile
            for package in damaged:
                if not self._is_whole(package):
                    os.rename(package, os.path.join(trash.name, os.path.basename(package)))

    def _is_whole(self, package: str) -> bool:
        unpacked = cached.Unpacked(package)
        if not os.path.isfile(os.path.join(package, "info", "index.json")) or unpacked.damage() is not None:
            return False
        files = (path for path in unpacked.listed or () if path.get("path_type") == "hardlink" and path.get("sha256"))
        try:
            return not self.full or all(digest(f"{package}/{file['_path']}").hex() == file["sha256"] for file in files)
        except OSError:
            return False
