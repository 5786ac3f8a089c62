"""Local Python packages (`./lib`): how to notice that one has changed.

The same changes count as in uv: of `pyproject.toml`, `setup.py` or `setup.cfg`, or of what the package's `[tool.uv]
cache-keys` name. Files are compared by content, so a copy of a package is the same.
"""

from __future__ import annotations

import hashlib
import json
import os

from ..files import content_of
from ..ownership import refuse_planted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


def keys(
    pypi: Sequence[str], uv: str | None, environ: Mapping[str, str], trusted: Sequence[str] = ()
) -> tuple[tuple[str, str], ...]:
    """The local packages among requirements with absolute paths and in uv's `sources`, each with a digest of its
    content."""
    found = sorted({*_required(pypi), *_sources(uv)})
    for path in found:
        _refuse_planted_project(path, trusted)
    return tuple((path, _digest(path, environ)) for path in found if os.path.exists(path))


def _refuse_planted_project(path: str, trusted: Sequence[str]) -> None:
    """A project above a package, even in `/tmp`, may say that it is a member of its workspace, and where what it needs
    comes from."""
    above = os.path.abspath(path) if os.path.isdir(path) else "/"
    while above != os.path.dirname(above):
        above = os.path.dirname(above)
        project = os.path.join(above, "pyproject.toml")
        if os.path.isfile(project):
            refuse_planted(project, path, trusted, hint=f"move `{path}` to a directory of your own")


def _required(pypi: Sequence[str]) -> Iterator[str]:
    for requirement in pypi:
        text = requirement.partition(" ; ")[0].strip()
        if "file://" in text:
            from urllib.request import url2pathname

            yield url2pathname(text.partition("file://")[2].partition("#")[0])
        elif os.path.isabs(text):
            yield text if os.path.exists(text) else text.partition("[")[0]


def _sources(uv: str | None) -> Iterator[str]:
    if uv is None or '"path"' not in uv:
        return
    for source in (json.loads(uv).get("sources") or {}).values():
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                yield one["path"]


def _digest(path: str, environ: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    if not os.path.isdir(path):
        try:
            with open(path, "rb") as file:
                while part := file.read(1 << 20):
                    digest.update(part)
        except OSError:
            pass  # uv will say what is wrong with it
        return digest.hexdigest()[:20]
    for name, content in sorted(_contents(path, environ)):
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return digest.hexdigest()[:20]


def _contents(folder: str, environ: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """What the `cache-keys` of a package in a folder name, and its present content."""
    for key in _cache_keys(folder):
        if isinstance(key, str) or "file" in key:
            yield from _files(folder, key if isinstance(key, str) else str(key["file"]))
        elif "dir" in key:
            yield f"dir {key['dir']}", _time(os.path.join(folder, str(key["dir"])))
        elif "env" in key:
            yield f"env {key['env']}", environ.get(str(key["env"]), "").encode("utf-8", "surrogateescape")
        elif "git" in key:
            yield "git", _git(folder, key["git"])


def _cache_keys(folder: str) -> list[str | dict[str, object]]:
    content = content_of(os.path.join(folder, "pyproject.toml"))
    if content is None or b"cache-keys" not in content:
        return list(_FILES)
    import tomli

    try:
        said = tomli.loads(content.decode("utf-8")).get("tool", {}).get("uv", {}).get("cache-keys")
    except (ValueError, AttributeError):
        return list(_FILES)  # uv will say what is wrong with it
    return [key for key in said if isinstance(key, (str, dict))] if isinstance(said, list) else list(_FILES)


def _files(folder: str, pattern: str) -> Iterator[tuple[str, bytes]]:
    import glob

    for name in glob.glob(pattern, root_dir=folder, recursive=True):
        content = content_of(os.path.join(folder, name))
        if content is not None:  # a directory, or unreadable: uv ignores it, too
            yield f"file {name}", content


def _time(path: str) -> bytes:
    """When an entry of a directory was added or removed; empty if it does not exist."""
    try:
        return str(os.stat(path).st_mtime_ns).encode()
    except OSError:
        return b""


def _git(folder: str, wanted: object) -> bytes:
    """The commit of the folder and its tags; empty outside of a repository."""
    import subprocess

    commands = [["rev-parse", "HEAD"]]
    if isinstance(wanted, dict) and wanted.get("tags"):
        commands.append(["tag", "--points-at", "HEAD"])
    try:
        done = [subprocess.run(["git", "-C", folder, *words], capture_output=True, check=False) for words in commands]
    except OSError:
        return b""
    return b"\n".join(each.stdout for each in done)
