"""What uv is told: a project written for the occasion, limits, and the environment it runs in.

No `pyproject.toml` or `uv.toml` of the working directory is read; the user's and the system's `uv.toml` and `UV_*`
variables hold as ever, for indexes and credentials, except those that say where to install or what to choose.
`[tool.uv]` of the script is that project's. It lies in the prefix or in a directory for this user alone, and goes with
it, whatever ends us: there may be a password in it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ... import credentials
from ...errors import CreationError
from ...lean.values import replace
from ...model import Request
from ...specs.requirement import is_version, requirement_name
from ...terminal.progress import Progress
from .. import Options, PyPIPackage, subprocesses
from . import cached
from .installed import Distribution, python_version

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
NAME = "conda-execute-script"

#: Seconds that uv gets to end after it was told to.
_PATIENCE = 5.0


def find_uv(environ: Mapping[str, str]) -> str:
    """uv's program: next to our own interpreter, from its Python package, or on PATH."""
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
            "PyPI packages need `uv`, which is not installed",
            step="pypi",
            hint="install the package `uv` next to conda-execute",
        )
    return found


def interpreter(request: Request, prefix: str) -> str:
    if request.platform != request.host_platform:
        raise CreationError(
            f"PyPI packages can be installed for this machine only ({request.host_platform}), not {request.platform}",
            step="pypi",
        )
    python = os.path.join(prefix, *(["python.exe"] if sys.platform == "win32" else ["bin", "python"]))
    if not os.path.exists(python):
        raise needs_python()
    return python


def needs_python() -> CreationError:
    problem, hint = "PyPI packages need `python` among the conda packages", "add `python` to the header"
    return CreationError(problem, step="pypi", hint=hint)


def target(request: Request, prefix: str, anywhere: bool) -> list[str]:
    """Where uv is to install to."""
    if request.platform == request.host_platform or not anywhere:
        return ["--python", interpreter(request, prefix), "--break-system-packages"]
    version = python_version(prefix)
    library = "Lib" if request.platform.startswith("win-") else f"lib/python{'.'.join(version.split('.')[:2])}"
    return ["--target", os.path.join(prefix, library, "site-packages"), *platform(request, prefix, version)]


def isolation(project: str) -> list[str]:
    return ["--project", project, "--color", "never"]


def limits(request: Request, options: Options, on_offer: Iterable[str] = ()) -> list[str]:
    """What uv must not take: packages that are too new, and anything from the network when offline. Wheels that are
    `on_offer` here have no date, and would be left out where there is any limit."""
    arguments = []
    moments: dict[str, str] = {}
    when = request.pypi_exclude_newer or request.exclude_newer
    if when is not None:
        arguments += ["--exclude-newer", _uv_moment(when, options)]
    for what, moment in request.exclude_newer_of:
        kind, _, name = what.partition(" ")
        if kind == "package":
            moments[name] = "false" if moment == "no" else _uv_moment(moment, options)
    if arguments or moments:
        moments.update(dict.fromkeys(sorted(on_offer), "false"))
    arguments += [word for name, newest in moments.items() for word in ("--exclude-newer-package", f"{name}={newest}")]
    if options.offline:
        arguments.append("--offline")
    return [*arguments, *wheels_only(request)]


def _uv_moment(when: str, options: Options) -> str:
    return options.moment(when).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def wheels_only(request: Request) -> list[str]:
    """To build a package is to run what it brings."""
    return [] if request.builds else ["--no-build"]


def exactly(directory: str, chosen: Sequence[PyPIPackage], request: Request, options: Options) -> list[str]:
    lines = []
    for package in chosen:
        hashed = f" --hash=sha256:{package.sha256}" if package.sha256 else ""
        lines.append(f"{package.name} @ {credentials.joined(_url(package.location), request.secrets)}{hashed}")
    # Nothing is looked up there; but uv asks a host for packages with the credentials of the index on it.
    index = json.loads(request.uv).get("index", []) if request.uv else []
    write_file(directory, "pyproject.toml", "[tool.uv]", credentials.joined(f"index = {_toml(index)}", request.secrets))
    arguments = [*wheels_only(request), "--no-deps", "-r", write_file(directory, "requirements.txt", *lines)]
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


def write(
    directory: str, request: Request, options: Options, present: Sequence[Distribution], *, also: Sequence[str] = ()
) -> list[str]:
    """Write a project, requirements and constraints; their paths.

    Requirements go into a file; but into the project, if they have names, where `[tool.uv.sources]` is to apply. uv
    chooses first what it reads first, and so `also`, what else there is to be, comes last.
    """
    sources = request.uv is not None and "sources" in json.loads(request.uv)
    named = [requirement for requirement in request.pypi if sources and requirement_name(requirement)]
    others = [requirement for requirement in request.pypi if requirement not in named]
    pinned = [f"{one.name}=={one.version}" for one in present if is_version(one.version)]
    base = os.path.dirname(os.path.abspath(options.script)) if options.script else os.getcwd()
    project = ["[project]", f"name = {_toml(NAME)}", 'version = "0"', f"dependencies = {_toml([*named, *also])}"]
    project += _tool_uv(request.uv, base)
    return [
        write_file(directory, "pyproject.toml", *(credentials.joined(line, request.secrets) for line in project)),
        write_file(directory, "requirements.txt", *(credentials.joined(line, request.secrets) for line in others)),
        write_file(directory, "constraints.txt", *pinned),
    ]


def pinned(request: Request, pins: Sequence[str]) -> Request:
    """The request with these versions of PyPI packages, should they be needed."""
    settings: dict[str, Any] = json.loads(request.uv) if request.uv else {}
    settings["constraint-dependencies"] = [*settings.get("constraint-dependencies", []), *pins]
    return replace(request, uv=json.dumps(settings)) if pins else request


def write_file(directory: str, name: str, *lines: str) -> str:
    """Write a file for uv; its path."""
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def _tool_uv(table: str | None, base: str) -> list[str]:
    """The `[tool.uv]` table. uv would look for one in the directories above, and for a workspace that the project is a
    member of, even in `/tmp`: this is a workspace of its own."""
    settings: dict[str, Any] = {"workspace": {}, **(json.loads(table) if table else {})}
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


_PLATFORMS = {
    "linux-64": "x86_64-unknown-linux-gnu",
    "linux-aarch64": "aarch64-unknown-linux-gnu",
    "linux-riscv64": "riscv64-unknown-linux-gnu",
    "osx-64": "x86_64-apple-darwin",
    "osx-arm64": "aarch64-apple-darwin",
    "win-64": "x86_64-pc-windows-msvc",
    "win-arm64": "aarch64-pc-windows-msvc",
}


def platform(request: Request, prefix: str, python: str) -> list[str]:
    """For what uv is to choose, and the interpreter that asks a source for its requirements: that of the environment,
    if it runs here."""
    if request.platform not in _PLATFORMS:
        raise CreationError(f"uv does not support the platform {request.platform}", step="pypi")
    if request.platform == request.host_platform:
        words = ["--python", interpreter(request, prefix)]
    else:
        words = ["--python-platform", _PLATFORMS[request.platform], "--python", sys.executable]
    return ["--python-version", python, "--no-python-downloads", *words]


def run(
    command: Sequence[str],
    request: Request,
    options: Options,
    folders: Sequence[str],
    *,
    watched: bool = False,
) -> tuple[int, str]:
    """uv's status and what it said; `folders` are what it writes to, and `watched` shows how far it is. SIGINT and
    SIGTERM end it and raise InterruptError."""
    environ = options.environ
    if not request.builds:
        command, environ = _kept_in(command, folders, options)
    kept = {name: value for name, value in environ.items() if name not in _DROPPED | _DECIDING}
    watch = Bars(options.progress).look if watched and options.progress.shows_bytes else None
    shown = command if watch else [*command, "--no-progress"]

    def once() -> tuple[int, str]:
        status, printed, complaints = subprocesses.run(
            shown, kept, options.inherited, step="pypi", patience=_PATIENCE, watch=watch
        )
        return status, printed + complaints

    status, said = once()
    while status and cached.forget_gone(said, offline=options.offline):
        status, said = once()
    whole = options.compares_files
    if status and re.search(_DAMAGE, said) and forgets_damaged(request, options, folders[0], whole=whole):
        return once()
    return status, said


#: As in `numpy    ------------     10.88 MiB/16.13 MiB`, and `Building numpy==2.4.6`.
_BAR = re.compile(r"(\S+) +-+ +([\d.]+) ([KMG]?i?B)/([\d.]+) ([KMG]?i?B)")
_BUILDING = re.compile(r"Building (\S+)")

_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Bars:
    """Reports the downloads and builds that uv draws on a terminal, since it reports them nowhere else."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._sizes: dict[str, int] = {}

    def look(self, screen: str) -> None:
        """`screen` is what uv shows at the moment."""
        for name in self._sizes:
            if f"{name} " not in screen:  # a bar disappears when its download is complete
                self._progress.download(name, self._sizes[name], self._sizes[name])
        for name, done, unit, size, of in _BAR.findall(screen):
            self._sizes[name] = round(float(size) * _BYTES[of])
            self._progress.download(name, round(float(done) * _BYTES[unit]), self._sizes[name])
        building = _BUILDING.search(screen)
        self._progress.doing(f"building {building[1]} from PyPI" if building else "")


#: What uv says of a package that is damaged, or of a build that starts something damaged. Its cache may be the reason.
_DAMAGE = "is invalid|Failed to (?:build|install|read|extract|deserialize)|Build backend failed|Is a directory"


def forgets_damaged(
    request: Request, options: Options, directory: str, names: Collection[str] | None = None, *, whole: bool = False
) -> bool:
    """Whether uv's cache had damaged packages (of these names), which are gone now. Raises CreationError offline."""
    if not request.builds:
        return False  # uv had no cache but one of its own
    command = [find_uv(options.environ), "cache", "dir", *isolation(directory)]
    status, cache, _ = subprocesses.run(command, options.environ, (), step="pypi", patience=_PATIENCE)
    return status == 0 and cached.forget_damaged(cache.strip(), names, offline=options.offline, whole=whole)


#: Variables that say where packages come from and how to get there.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_OF_UV = ("UV_*", "SSL_CERT_*", *_PROXIES, "HOME")


def _kept_in(
    command: Sequence[str], folders: Sequence[str], options: Options
) -> tuple[Sequence[str], Mapping[str, str]]:
    """The command in a sandbox, for a script that will run in one: uv starts the environment's interpreter, and with it
    whatever the packages have that do. Its cache is its own too, since others link from the usual one."""
    from ...launch import sandbox
    from ...launch.sandbox import policy

    environ = policy.visible(options.environ, _OF_UV)
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "/"), ".config")
    certificates = [environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in environ]
    beside = os.path.dirname(os.path.abspath(options.script)) if options.script else os.getcwd()
    needed = [command[0], sys.executable, os.path.join(config, "uv"), *certificates]
    environ["UV_CACHE_DIR"] = os.path.join(folders[0], "cache")
    allowed = policy.installing(folders, needed, beside, environ.get("HOME"))
    return sandbox.command_inside(allowed, list(command)), environ
