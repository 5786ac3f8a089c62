"""Wheels in the repodata of a channel that has no shards.

py-rattler 0.28's gateway finds wheels (`v3.whl`) in shards only; its reader of a single `repodata.json` finds them
there. So that file is read once more: in the channel if that is a directory, otherwise from the gateway's cache.
"""

from __future__ import annotations

import functools
import glob
import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rattler import Channel, PackageFormatSelection, RepoDataRecord, SparseRepoData
from rattler.exceptions import GatewayError

from ...lean.values import dataclass
from .packages import is_wheel, path_of

#: By a channel's URL.
Found = Mapping[str, "Wheels"]

_WITH_WHEELS = PackageFormatSelection.PREFER_CONDA_WITH_WHL


@dataclass(frozen=True)
class Wheels:
    """The wheels of one channel."""

    #: By subdirectory.
    lists: Mapping[str, SparseRepoData]

    def names(self, platform: Any) -> list[str]:
        """All names in the channel, including those of other packages."""
        there = self.lists.get(str(platform))
        return there.package_names(_WITH_WHEELS) if there is not None else []

    def records(self, platform: Any, name: str) -> list[RepoDataRecord]:
        there = self.lists.get(str(platform))
        return [record for record in there.load_records(name, _WITH_WHEELS) if is_wheel(record)] if there else []


def wheels(urls: Iterable[str], platforms: Sequence[Any], cache: str) -> Found:
    """The channels that list wheels, if their repodata is available. Raises GatewayError for a malformed list."""
    cached = dict(_cached(cache))
    found = {}
    for url in urls:
        lists = {}
        for platform in map(str, platforms):
            listed = f"{url.rstrip('/')}/{platform}/repodata.json"
            path = path_of(listed) if url.startswith("file:") else cached.get(listed)
            if path is not None and (read := _read(url, platform, path)) is not None:
                lists[platform] = read
        if lists:
            found[url] = Wheels(lists)
    return found


def _cached(cache: str) -> Iterator[tuple[str, str]]:
    """The URLs of the complete lists in the gateway's cache, and their paths."""
    for path in glob.iglob(os.path.join(glob.escape(cache), "*.info.json")):
        try:
            with open(path, encoding="utf-8") as file:
                url = json.load(file)["url"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the gateway is replacing it
        yield url.removesuffix(".zst").removesuffix(".bz2"), path.removesuffix(".info.json") + ".json"


def _read(url: str, platform: str, path: str) -> SparseRepoData | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _parsed(url, platform, path, status.st_mtime_ns, status.st_size)


@functools.lru_cache
def _parsed(url: str, platform: str, path: str, written: int, size: int) -> SparseRepoData | None:
    """The list, if it has wheels; only then it is parsed."""
    if not size:
        return None
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b'"whl"') < 0:
            return None
    try:
        return SparseRepoData(Channel(url), platform, path)
    except OSError as error:
        raise GatewayError(f"failed to read {url}/{platform}/repodata.json: {error}") from None
