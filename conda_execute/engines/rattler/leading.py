"""Links in packages that lead out of the environment, and what would be written through them.

A package may bring a link to `/usr/share/icons`. But where another one has a file below that link, or a program of the
link's name to be written, the engine would write there. Such a package is refused before it is linked.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator

from ...lean.values import dataclass

#: Links may lead to links, but not endlessly.
_MOST = 40

#: Where modules are: packages for any version of Python do not say of which it is.
_MODULES = re.compile(r"(?:lib/python[^/]+|lib)/site-packages(?=/|\Z)")


@dataclass(frozen=True)
class LeadingOut:
    """A link that leads out of the environment, through which something would be written."""

    link: str
    #: The path of the unpacked package that brings it.
    package: str

    @property
    def why(self) -> str:
        return f"`{self.link}` is a link out of the environment, and files would be written through it"


def leads_out(name: str, target: str) -> bool:
    """Whether a link leads out of the environment by itself, or may: `..` after the name of a link goes up from where
    that leads."""
    steps = [step for step in target.split("/") if step not in ("", ".")] or ["."]
    if posixpath.isabs(target) or posixpath.normpath(target).split("/") != steps:
        return True
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target)).startswith("..")


class Links:
    """Those of all packages that are being linked. `wheels`: wheels come afterwards, with modules of any name."""

    def __init__(self, *, wheels: bool) -> None:
        self._wheels = wheels
        #: By the name of the link, as `_known` has it: the name, the target and the package.
        self._links: dict[str, tuple[str, str, str]] = {}
        #: Directories with files of packages, and programs that are made.
        self._written: set[str] = set()
        #: Links that something is written through, and that led nowhere else so far.
        self._passed: set[str] = set()
        #: Packages not looked into, since none so far has a link out.
        self._waiting: list[str] = []
        self._any_out = False

    def conflict(self, package: str, *, has_links_out: bool = True) -> LeadingOut | None:
        """What keeps the unpacked package at this path from being linked; None if nothing does."""
        self._waiting.append(package)
        self._any_out = self._any_out or has_links_out
        if not self._any_out:
            return None
        waiting, self._waiting = self._waiting, []
        return next((found for one in waiting if (found := self._conflict(one)) is not None), None)

    def _conflict(self, package: str) -> LeadingOut | None:
        of_python, programs = _made(package)
        links: dict[str, tuple[str, str, str]] = {}
        written = {_known(f"bin/{program}") for program in programs}
        written.update(("bin", "lib", "site-packages") if of_python else ())
        for folder, found in _folders(package):
            place = _placed(folder, of_python=of_python)
            written.update(_above(_known(place)))
            for link, target in found:
                name = f"{place}/{link}".lstrip("/")
                links[_known(name)] = name, target, package
        self._links.update(links)
        self._written |= written
        self._passed |= (self._links.keys() & written) | (links.keys() & self._written)
        if self._wheels:
            self._passed.update(known for known in links if known.startswith("site-packages/"))
        for known in self._passed:
            if self._leads_out(known):
                name, _, owner = self._links[known]
                return LeadingOut(name, owner)
        return None

    def _leads_out(self, known: str) -> bool:
        """Whether a link leads out of the environment, by way of others or not."""
        for _ in range(_MOST):
            name, target, _ = self._links[known]
            if leads_out(name, target):
                return True
            where = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            further = next((step for step in _above(_known(where)) if step in self._links), None)
            if further is None:
                return False
            known = further
        return True


def _folders(package: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The directories of a package with files in them, but not that of its metadata, and the links in each with their
    targets."""
    rest = [""]
    while rest:
        folder = rest.pop()
        links, has_files = [], False
        with os.scandir(os.path.join(package, folder)) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}".lstrip("/")
                if entry.is_symlink():
                    links.append((entry.name, os.readlink(entry.path)))
                elif entry.is_dir():
                    rest += [path] if path != "info" else []
                    continue
                has_files = True
        if has_files:
            yield folder, links


def _made(package: str) -> tuple[bool, list[str]]:
    """Whether a package is for any version of Python, and the programs that are made for it."""
    try:
        with open(os.path.join(package, "info", "link.json"), "rb") as file:
            noarch = json.loads(file.read())["noarch"]
        if noarch["type"] != "python":
            return False, []
        return True, [str(point).partition("=")[0].strip() for point in noarch.get("entry_points") or ()]
    except (OSError, ValueError, KeyError, TypeError):
        return False, []


def _placed(folder: str, *, of_python: bool) -> str:
    """Where a directory of a package is in the environment."""
    if not of_python:
        return folder
    first, slash, rest = folder.partition("/")
    return {"site-packages": "lib/python3/site-packages", "python-scripts": "bin"}.get(first, first) + slash + rest


def _known(name: str) -> str:
    """The name by which files of several packages are compared. Upper and lower case are the same to some disks."""
    return _MODULES.sub("site-packages", name.casefold(), count=1)


def _above(known: str) -> list[str]:
    """The path, and the directories above it, the topmost first."""
    parts = known.split("/") if known else []
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
