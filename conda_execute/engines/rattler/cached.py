"""Unpacked packages in the cache, checked before they are linked.

After a power cut, a full disk or a mistake, files there may be empty, truncated or missing: such a package is
downloaded again. And a package may contain files that would make us, or the engine, write outside of the prefix, or
that pretend to be our own records of an environment: such a package is refused.

py-rattler 0.28 downloads a package again if its `index.json` or files are missing, and links whatever else it finds.
"""

from __future__ import annotations

import functools
import json
import ntpath
import os
import posixpath
import stat
from collections.abc import Iterable
from typing import Any

from ...environments import layout
from ...files import content_of, delete
from .leading import leads_out

#: Packages built since then (July 2017, in milliseconds) list their paths: without the list, files that contain the
#: prefix would be linked unchanged.
_LISTS_PATHS = 1_500_000_000_000


class Unpacked:
    """An unpacked package, whose list of files is read once."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        #: Whether a link leads out of the environment, or may: nobody looked.
        self.has_links_out = True

    def damage(self) -> str | None:
        """What is wrong with its files, by names and sizes; None if nothing is. Sets `has_links_out`, too."""
        package = self.directory
        links = []
        try:
            for path in self.listed or ():
                name, size, kind = path["_path"], path.get("size_in_bytes"), path.get("path_type", "hardlink")
                if kind == "directory":
                    continue  # has no content to be damaged
                found = os.lstat(f"{package}/{name}")
                if size not in (None, found.st_size) and kind == "hardlink":
                    return f"`{name}` has {found.st_size} bytes instead of {size}"
                if stat.S_ISLNK(found.st_mode):
                    links.append((name, os.readlink(f"{package}/{name}")))
            _content(package, "link.json")
            self.has_links_out = self.listed is None or any(leads_out(*link) for link in links)
        except FileNotFoundError as error:
            return f"`{os.path.relpath(error.filename, package)}` is gone"
        except OSError as error:
            return f"`{os.path.relpath(error.filename, package)}` cannot be read: {error.strerror}"
        except ValueError as error:
            return str(error)
        except AttributeError:
            return "`info/index.json` is malformed"
        return None

    def intrusion(self) -> str | None:
        """A file of it that no package may contain, and why; None if there is none."""
        try:
            listed = self.listed
            names = [path["_path"] for path in listed] if listed is not None else _names(self.directory)
        except (OSError, ValueError, AttributeError):
            return None  # the engine reports the problem
        text = "\n".join(["", *names]).casefold()
        if not any(mark in text for mark in _SUSPECT):
            return None
        return next((f"`{name}` {why}" for name in names if (why := _why_not(self.directory, name))), None)

    @functools.cached_property
    def listed(self) -> list[dict[str, Any]] | None:
        """The package's records of its files; None for an old package, which only lists their names."""
        content = _content(self.directory, "paths.json")
        try:
            return None if content is None else [{**path, "_path": str(path["_path"])} for path in content["paths"]]
        except (KeyError, TypeError):
            raise ValueError("`info/paths.json` is malformed") from None


#: Without one of these, `_why_not` finds nothing wrong with any name of a list; most packages have thousands of names.
_SUSPECT = ("..", "\n/", "\n.", ":", "\\", "conda-meta")


def _why_not(package: str, name: str) -> str | None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or posixpath.isabs(name) or ntpath.isabs(name) or ntpath.splitdrive(name)[0]:
        return "is outside of the environment"
    # On some disks, upper and lower case are the same.
    folder, *below = (part.casefold() for part in parts if part not in ("", "."))
    if folder != "conda-meta":
        return None
    if not below or os.path.islink(os.path.join(package, *parts[:2])) or os.path.islink(os.path.join(package, name)):
        return "is a link in the directory of package records"
    if below[0].startswith(layout.MARKER):
        return "has a name that conda-execute uses itself"
    if below[0].endswith(".json"):
        return "would replace a package record"
    return None


def origin(package: str) -> bytes | None:
    """The SHA-256 of the archive that a package was unpacked from, as recorded by rattler next to it (after a revision
    number of eight bytes) or by conda in it; None if it was not recorded."""
    if digest := (content_of(f"{package}.lock") or b"")[8:]:
        return digest
    try:
        return bytes.fromhex((_content(package, "repodata_record.json") or {})["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def distrust(package: str) -> None:
    """Make the engine download this package again, and not link it as it is. Raises OSError."""
    delete(os.path.join(package, "info", "index.json"))


def forget_repodata(cache: str) -> bool:
    """Make the engine download the lists of packages again; False if none was cached. Processes that use them have them
    in memory; locks of others stay in place. Raises OSError."""
    try:
        entries = [entry for entry in os.scandir(cache) if not entry.name.endswith(".lock") or entry.is_dir()]
    except OSError:
        return False
    for entry in entries:
        delete(entry.path)
    return bool(entries)


def _names(package: str) -> Iterable[str]:
    with open(os.path.join(package, "info", "files"), encoding="utf-8") as file:
        return file.read().splitlines()


def _content(package: str, name: str) -> Any:
    path = os.path.join(package, "info", name)
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except FileNotFoundError:
        if name == "paths.json" and _content(package, "index.json").get("timestamp", 0) > _LISTS_PATHS:
            raise
        return None
    except ValueError:
        raise ValueError(f"`info/{name}` is not JSON") from None
