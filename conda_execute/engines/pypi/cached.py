"""Unpacked packages in uv's cache, checked when installed ones are damaged.

A power cut, a full disk or a mistake may leave files there that are empty, truncated or missing. uv up to 0.13 links
them nevertheless. Damaged packages are deleted, so that uv downloads or builds them again.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator

from ...errors import CreationError
from ...files import delete
from ...specs.requirement import canonical
from ..verify import complaint
from .installed import Distribution

#: What uv says of an unpacked package that is gone.
_GONE = r"failed to read directory `(.+?)`: No such file"


def damaged(present: Iterable[Distribution], *, whole: bool) -> dict[Distribution, str]:
    """Packages with a file that differs from their RECORD, and what is wrong: by sizes; `whole`: by hashes.

    If several packages have the same file, it is valid if it matches one of them.
    """
    found: dict[Distribution, str] = {}
    right, wrong = set[str](), list[tuple[str, Distribution, str]]()
    for one in present:
        try:
            for path, digest, size in one.files:
                # Files without a size were generated during installation.
                problem = complaint(path, digest if whole else None, size) if size is not None else None
                if problem is None:
                    right.add(path)
                else:
                    wrong.append((path, one, f"`{path}` {problem}"))
        except ValueError as error:
            found[one] = f"`{os.path.join(one.path, 'RECORD')}` {error}"
    return {one: problem for path, one, problem in wrong if path not in right} | found


def forget_damaged(cache: str, names: Collection[str] | None, *, offline: bool, whole: bool) -> bool:
    """Delete damaged packages of these names, or all, from uv's cache, so that uv downloads them again; False if there
    are none. Raises CreationError if downloads are not allowed, and OSError."""
    found = damaged((one for one in _unpacked(cache) if names is None or one.name in names), whole=whole)
    for one, problem in found.items():
        if offline:
            raise _not_offline(f"the package {one.name}", problem)
        delete(os.path.dirname(one.path))
    return bool(found)


def forget_gone(said: str, *, offline: bool) -> bool:
    """Delete what leads to an unpacked package that is gone, by uv's message; False if there is nothing. uv 0.13 looks
    whether the package exists for those of an index, not for those of a lock, which have a URL. Raises as above."""
    for path in re.findall(_GONE, said):
        archives, name = os.path.split(path)
        pointers = os.path.join(glob.escape(os.path.dirname(archives)), "wheels-v*", "**")
        for pointer in glob.iglob(pointers, recursive=True):
            if os.path.isfile(pointer) and _has(pointer, name.encode()):
                if offline:
                    raise _not_offline("a package", f"`{path}` is gone")
                os.unlink(pointer)
                return True
    return False


def _has(path: str, text: bytes) -> bool:
    with open(path, "rb") as file:
        return text in file.read()


def _not_offline(package: str, problem: str) -> CreationError:
    return CreationError(
        f"{package} is damaged in uv's cache, and `--offline` does not allow downloading it again",
        step="pypi",
        details=problem,
        hint="run once without `--offline`",
    )


def _unpacked(cache: str) -> Iterator[Distribution]:
    for path in glob.iglob(os.path.join(glob.escape(cache), "archive-v*", "*", "*.dist-info")):
        name, _, version = os.path.basename(path).removesuffix(".dist-info").partition("-")
        yield Distribution(canonical(name), version, path, "uv")
