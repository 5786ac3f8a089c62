"""PyPI requirements, installed by `uv` into a prefix that conda packages already fill.

What conda installed is never replaced. Its Python packages, known by the metadata they brought (a conda package's own
name may differ: `pytorch` is `torch` to PyPI), become constraints: a requirement they satisfy installs nothing, one
that contradicts them is an error naming both sides. Afterwards their metadata must still be the same files.

uv runs for a project written for the occasion, so that no `pyproject.toml` or `uv.toml` of the working directory is
read; the user's and the system's `uv.toml` and `UV_*` variables hold as ever, for indexes and credentials, except those
that say where to install or what to choose. `[tool.uv]` of the script is that project's. It lies in the prefix and goes
with it, whatever ends us: there may be a password in it. The process inherits the creation lock, and with it every
build that it starts.
"""

from __future__ import annotations

import glob
import json
import os
import re
import sys

from ... import credentials
from ...environments import layout
from ...errors import CreationError
from ...lean.values import dataclass
from ...model import Built
from ...specs.match_spec import spec_name
from ...specs.requirement import canonical, requirement_name
from .. import Options, PyPIPackage, subprocesses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ...errors import Location
    from ...model import Request

#: Variables that would lead uv to another interpreter, place or project, or its build processes to foreign modules.
_DROPPED = frozenset({
    "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_TARGET", "UV_PREFIX", "UV_PROJECT", "UV_WORKING_DIR", "UV_NO_CONFIG",
    "UV_PROJECT_ENVIRONMENT", "UV_BREAK_SYSTEM_PACKAGES", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME",
    "__PYVENV_LAUNCHER__",
})  # fmt: skip

#: Variables that choose other packages, or other builds of them. They are no part of an environment's name, so what
#: one shell has set would decide for all; `[tool.uv]` says the same and is part of it.
_DECIDING = frozenset({
    "UV_RESOLUTION", "UV_FORK_STRATEGY", "UV_INDEX_STRATEGY", "UV_PRERELEASE", "UV_PRERELEASE_PACKAGE",
    "UV_CONSTRAINT", "UV_BUILD_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_EXCLUDE_NEWER",
    "UV_EXCLUDE_NEWER_PACKAGE", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE",
    "UV_NO_BUILD_ISOLATION", "UV_NO_EDITABLE", "UV_NO_SOURCES", "UV_NO_SOURCES_PACKAGE", "UV_NO_VERIFY_HASHES",
    "UV_TORCH_BACKEND",
})  # fmt: skip

#: What uv thinks it installs for.
_PROJECT = "conda-execute-script"

#: What uv says, and no more, where it leaves out all of `[tool.uv]` for a mistake in it.
UNREAD = "pyproject.toml` during settings discovery"

#: Seconds that uv gets to end after it was told to.
_PATIENCE = 5.0

_VERSION = (
    r"v?(?:\d+!)?\d+(?:\.\d+)*(?:[._-]?(?:a|b|c|rc|alpha|beta|pre|preview|post|rev|r|dev)[._-]?\d*)*(?:\+[a-z0-9._-]+)?"
)


@dataclass(frozen=True)
class Distribution:
    """A Python package in the prefix: its name as PyPI compares names, its version, and its metadata's directory."""

    name: str
    version: str
    path: str
    installer: str

    @property
    def identity(self) -> tuple[int, int]:
        """Changes when the metadata is written anew."""
        path = os.path.join(self.path, "METADATA")
        status = os.stat(path if os.path.exists(path) else self.path)
        return status.st_ino, status.st_mtime_ns


def install(
    request: Request,
    prefix: str,
    options: Options,
    chosen: Sequence[PyPIPackage] | None = None,
    *,
    lock_fd: int | None = None,
) -> Built:
    """Install `request.pypi` into `prefix`, or exactly the packages `chosen`, checked against their hashes.

    Raises CreationError and InterruptError; the prefix is then worthless.
    """
    if options.progress is not None:
        # What uv will find to be needed is known from a lock alone.
        options.progress.step("pypi", len(chosen or ()))
    uv, python = find_uv(options.environ), interpreter(request, prefix)
    present = distributions(prefix)
    before = [(distribution, distribution.identity) for distribution in present]
    project = os.path.join(layout.conda_meta(prefix), _PROJECT)
    os.mkdir(project, 0o700)
    if chosen is None:
        _refuse_other_sources(request, present, options)
        files = write_project(project, request, options, present)
        arguments = _what_is_asked(files, request, options)
    else:
        arguments = _what_is_chosen(project, chosen, request, options)
    target = ["pip", "install", "--python", python, "--break-system-packages"]
    command = [uv, *target, *isolation(project), *arguments]
    status, said = 1, ""
    if chosen is not None and not options.offline:
        # What has the right hash need not be asked about. An index that does not say that its files last would be, and
        # there may be no network.
        status, said = run([*command, "--offline"], options.environ, lock_fd)
    if status != 0:
        status, said = run(command, options.environ, lock_fd)
    if status != 0 or UNREAD in said:
        raise explain(said, request, present, options)
    for name in os.listdir(project):
        os.unlink(os.path.join(project, name))
    os.rmdir(project)
    return _compare(prefix, before)


def find_uv(environ: Mapping[str, str]) -> str:
    """uv's program: beside our own interpreter, from its Python package, or on PATH."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    beside = os.path.join(os.path.dirname(sys.executable), name)
    if os.access(beside, os.X_OK):
        return beside
    try:
        import uv

        return os.fspath(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        pass
    import shutil

    found = shutil.which("uv", path=environ.get("PATH"))
    if found is None:
        raise CreationError(
            "PyPI packages are installed by `uv`, which is not there",
            step="pypi",
            hint="install the package `uv` beside conda-execute",
        )
    return found


def distributions(prefix: str) -> list[Distribution]:
    """The Python packages in the prefix, by the metadata in its `site-packages`."""
    found = []
    for directory in _site_packages(prefix):
        for entry in os.scandir(directory):
            if entry.name.endswith((".dist-info", ".egg-info")):
                distribution = _distribution(entry.path)
                if distribution is not None:
                    found.append(distribution)
    return sorted(found, key=lambda distribution: distribution.name)


def _site_packages(prefix: str) -> list[str]:
    lib = os.path.join(prefix, "lib")
    names = os.listdir(lib) if os.path.isdir(lib) else []
    candidates = [os.path.join(lib, name, "site-packages") for name in names if name.startswith(("python", "pypy"))]
    candidates.append(os.path.join(prefix, "Lib", "site-packages"))  # of a prefix for Windows
    # conda's python links `lib/python3.1` to `lib/python3.10`.
    return sorted({os.path.realpath(path) for path in candidates if os.path.isdir(path)})


def _distribution(path: str) -> Distribution | None:
    name = version = ""
    for metadata in (os.path.join(path, "METADATA"), os.path.join(path, "PKG-INFO"), path):
        try:
            with open(metadata, encoding="utf-8", errors="replace") as file:
                for line in file:
                    if not line.strip() or (name and version):
                        break
                    key, _, value = line.partition(":")
                    if key.lower() == "name":
                        name = value.strip()
                    elif key.lower() == "version":
                        version = value.strip()
        except OSError:
            continue
        break
    if not name or not version:
        return None
    try:
        with open(os.path.join(path, "INSTALLER"), encoding="utf-8") as file:
            installer = file.read().strip()
    except (OSError, ValueError):
        installer = ""
    return Distribution(canonical(name), version, path, installer)


# -- what uv is told -------------------------------------------------------------------------------------------------


def interpreter(request: Request, prefix: str) -> str:
    if request.platform != request.host_platform:
        raise CreationError(
            f"PyPI packages can be installed for this machine only ({request.host_platform}), not {request.platform}",
            step="pypi",
        )
    return _python_of(prefix)


def _python_of(prefix: str) -> str:
    python = os.path.join(prefix, *(["python.exe"] if sys.platform == "win32" else ["bin", "python"]))
    if not os.path.exists(python):
        raise CreationError(
            "PyPI packages need `python` among the conda packages", step="pypi", hint="add `python` to the header"
        )
    return python


def isolation(project: str) -> list[str]:
    return ["--project", project, "--color", "never", "--no-progress"]


def _what_is_asked(files: Sequence[str], request: Request, options: Options) -> list[str]:
    project, requirements, constraints = files
    return ["-r", project, "-r", requirements, "-c", constraints, *limits(request, options)]


def limits(request: Request, options: Options) -> list[str]:
    """What uv must not take: packages that are too new, and anything from the network when offline."""
    arguments = []
    when = request.pypi_exclude_newer or request.exclude_newer
    if when is not None:
        from datetime import datetime, timezone

        from ...specs.moment import cutoff

        newest = cutoff(when, datetime.now(timezone.utc), options.locate(when))
        arguments += ["--exclude-newer", newest.strftime("%Y-%m-%dT%H:%M:%S.%fZ")]
    if options.offline:
        arguments.append("--offline")
    return arguments


def _what_is_chosen(directory: str, chosen: Sequence[PyPIPackage], request: Request, options: Options) -> list[str]:
    lines = []
    for package in chosen:
        hashed = f" --hash=sha256:{package.sha256}" if package.sha256 else ""
        location = credentials.joined(_url(package.location), request.secrets)
        lines.append(f"{package.name} @ {location}{hashed}\n")
    # Nothing is looked up there; but uv asks a host for packages with the credentials of the index on it.
    index = json.loads(request.uv).get("index", []) if request.uv else []
    table = ["[tool.uv]", credentials.joined(f"index = {_toml(index)}", request.secrets)]
    _write(directory, "pyproject.toml", "\n".join(table) + "\n")
    arguments = ["--no-deps", "-r", _write(directory, "requirements.txt", "".join(lines))]
    if all(package.sha256 for package in chosen):
        arguments.append("--require-hashes")
    if options.offline:
        arguments.append("--offline")
    return arguments


def _url(location: str) -> str:
    if "://" in location:
        return location
    from pathlib import Path

    return Path(os.path.abspath(location)).as_uri()


def write_project(directory: str, request: Request, options: Options, present: Sequence[Distribution]) -> list[str]:
    """Requirements go into a file; but into a project, if they have names, where `[tool.uv.sources]` is to apply."""
    sources = request.uv is not None and "sources" in json.loads(request.uv)
    named = [requirement for requirement in request.pypi if sources and requirement_name(requirement)]
    others = [requirement for requirement in request.pypi if requirement not in named]
    pinned = [f"{one.name}=={one.version}" for one in present if re.fullmatch(_VERSION, one.version, re.IGNORECASE)]
    base = os.path.dirname(os.path.abspath(options.script)) if options.script else os.getcwd()
    project = ["[project]", f"name = {_toml(_PROJECT)}", 'version = "0"', f"dependencies = {_toml(named)}"]
    text = "\n".join([*project, *_tool_uv(request.uv, base)]) + "\n"
    lines = "".join(f"{requirement}\n" for requirement in others)
    return [
        _write(directory, "pyproject.toml", credentials.joined(text, request.secrets)),
        _write(directory, "requirements.txt", credentials.joined(lines, request.secrets)),
        _write(directory, "constraints.txt", "".join(f"{pin}\n" for pin in pinned)),
    ]


def _write(directory: str, name: str, text: str) -> str:
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _tool_uv(table: str | None, base: str) -> list[str]:
    """The `[tool.uv]` table; an empty one too, since uv would look for one in the directories above."""
    if table is None:
        return ["[tool.uv]"]
    settings: dict[str, Any] = json.loads(table)
    for source in settings.get("sources", {}).values():
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                one["path"] = os.path.join(base, one["path"])
    return ["[tool.uv]", *(f"{_toml(key)} = {_toml(value)}" for key, value in settings.items())]


def _toml(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _refuse_other_sources(request: Request, present: Sequence[Distribution], options: Options) -> None:
    """What conda installed cannot be had from a URL or a path as well: uv would put that in its place."""
    installed = {distribution.name: distribution for distribution in present}
    for requirement in request.pypi:
        name = requirement_name(requirement)
        if name in installed and "@" in requirement.partition(";")[0]:
            raise CreationError(
                f"`{requirement}` would replace {name} {installed[name].version}, which conda installs",
                step="pypi",
                where=options.locate(requirement) or (),
                hint=f"ask for `{name}` in one way only",
            )


# -- running uv ------------------------------------------------------------------------------------------------------


def run(command: Sequence[str], environ: Mapping[str, str], lock_fd: int | None) -> tuple[int, str]:
    """uv's status and what it said. SIGINT and SIGTERM end it and raise InterruptError."""
    kept = {name: value for name, value in environ.items() if name not in _DROPPED | _DECIDING}
    status, printed, complaints = subprocesses.run(command, kept, (lock_fd,), step="pypi", patience=_PATIENCE)
    return status, printed + complaints


def _compare(prefix: str, before: Sequence[tuple[Distribution, tuple[int, int]]]) -> Built:
    """What was added; an error where something of conda's was touched."""
    after = distributions(prefix)
    now = {distribution.path: distribution.identity for distribution in after}
    for distribution, identity in before:
        if now.get(distribution.path) != identity:
            name = distribution.name
            raise CreationError(
                f"a PyPI package would replace {name} {distribution.version}, which conda installs",
                step="pypi",
                hint=f"ask for `{name}` in one way only",
            )
    old = {distribution.path for distribution, _ in before}
    added = [distribution for distribution in after if distribution.path not in old]
    return Built(len(added), sum(_size(distribution) for distribution in added))


def _size(distribution: Distribution) -> int:
    """The sum of the sizes that the package's RECORD states."""
    try:
        with open(os.path.join(distribution.path, "RECORD"), encoding="utf-8") as file:
            fields = [line.rstrip().rpartition(",")[2] for line in file]
    except OSError:
        return 0
    return sum(int(field) for field in fields if field.isdigit())


# -- what uv said ----------------------------------------------------------------------------------------------------


def explain(said: str, request: Request, present: Sequence[Distribution], options: Options) -> CreationError:
    """uv's complaint as an error that names both sides where conda's packages are one of them."""
    text = _tidy(said)
    against = [
        one for one in present if re.search(rf"(?<![\w.-]){re.escape(one.name)}=={re.escape(one.version)}", text)
    ]
    mentioned = [
        requirement
        for requirement in request.pypi
        if requirement_name(requirement) in canonical_words(text) or requirement in text
    ]
    where = [place for requirement in mentioned if (place := options.locate(requirement)) is not None]
    if UNREAD in said or "undeclared index" in said or re.search(r"Failed to parse: \S*pyproject\.toml", said):
        return _unread(text, options.locate("tool.uv") or where)
    if "network was disabled" in said or "network connectivity is disabled" in said:
        return CreationError(
            "PyPI packages are not in the cache, and `--offline` forbids to fetch them",
            step="pypi",
            details=text,
            where=where,
            hint="run once without `--offline`",
        )
    if "No solution found" in said and against:
        packages = {one.name: _conda_package(one) for one in against}
        specs = [spec for spec in request.specs if spec_name(spec) in packages.values()]
        where += [place for spec in specs if (place := options.locate(spec)) is not None]
        theirs = " and ".join(
            f"{one.name} {one.version}" + (f" of `{name}`" if (name := packages[one.name]) != one.name else "")
            for one in against
        )
        ours = " and ".join(f"`{requirement}`" for requirement in mentioned) or "what PyPI packages need"
        return CreationError(
            f"{ours} does not fit {theirs}, which conda installs",
            step="pypi",
            where=where,
            details=text,
            hint="change one of the two; what conda installed is never replaced by PyPI's",
        )
    for sign, message, hint in _COMPLAINTS:
        if found := re.search(sign, said):
            return CreationError(message.format(*found.groups()), step="pypi", where=where, details=text, hint=hint)
    return CreationError("the PyPI packages cannot be installed", step="pypi", where=where, details=text)


def _unread(text: str, where: Location | Sequence[Location]) -> CreationError:
    """uv does not understand the script's settings for it."""
    # Lines and columns are those of the project that was written for uv.
    places = r"\s*(TOML parse error|Failed to parse|\d* *\|)"
    return CreationError(
        "uv cannot read `[tool.uv]`",
        step="pypi",
        details="\n".join(line for line in text.split("\n") if not re.match(places, line)),
        where=where,
        hint="uv's documentation lists what may stand there",
    )


def _conda_package(distribution: Distribution) -> str:
    """The conda package that brought a Python package, which may bear another name."""
    site, name = os.path.split(distribution.path)
    prefix = site.partition(f"{os.sep}lib{os.sep}python")[0]
    for record in sorted(glob.glob(os.path.join(glob.escape(prefix), "conda-meta", "*.json"))):
        with open(record, encoding="utf-8") as file:
            text = file.read()
        if f"/site-packages/{name}" in text:
            return str(json.loads(text)["name"])
    return distribution.name


_COMPLAINTS = (
    (
        "lack of valid authentication credentials|401 Unauthorized|403 Forbidden",
        "an index of PyPI packages wants a user name and a password, or others",
        "set UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD for the index NAME, or write them into ~/.netrc",
    ),
    (
        r"(\S+) was not found in the (?:package registry|provided package locations)",
        "there is no package `{}` on PyPI",
        "check its spelling; another index is set in `[tool.uv]` of a `# /// script` header, or in UV_INDEX",
    ),
    ("No space left|os error 28", "no space left on the disk", "`conda tmpenv clear` removes unused environments"),
    (
        "error sending request|dns error|[Cc]onnection refused|timed out|tcp connect",
        "PyPI cannot be reached",
        "check the network; `--offline` uses what is in the cache, UV_INDEX names another index",
    ),
    ("[Hh]ash mismatch", "a PyPI package is not the one that its hash describes", None),
    ("Failed to build|Build backend failed", "a PyPI package cannot be built", "ask for a version that has wheels"),
    ("Failed to parse|Couldn't parse", "a PyPI requirement does not parse", "`NAME`, `NAME >=1.2` or `NAME[EXTRA]`"),
    ("No solution found", "the PyPI packages cannot be installed together", None),
)


def canonical_words(text: str) -> set[str]:
    """The names that a text mentions, in the form in which names are compared."""
    return {canonical(word) for word in re.findall(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", text)}


def _tidy(said: str) -> str:
    """What uv said, without its account of what went well, and without credentials."""
    boring = r"(Using Python|Resolved |Prepared |Installed |Downloading |Downloaded |Building |Built |warning: |[+~-] )"
    lines = [line.rstrip() for line in credentials.leave_out(said).splitlines()]
    kept = [line for line in lines if line and not re.match(rf"\s*{boring}", line)]
    text = "\n".join(re.sub(r"^(\s*)(error: |cause: |hint: )", r"\1", line) for line in kept)
    for theirs in (f"{_PROJECT} depends on", "you require"):
        text = text.replace(theirs, "the script asks for")
    text = re.sub(r" in `\S+requirements\.txt` at position \d+", "", text)
    return text.replace(_PROJECT, "the script")
