"""The engine `conda`: a conda on this machine, through its command line, with its solver, plugins and credentials.

Facts of conda that shape this module (26.7): its exit status is not reliable (a corrupt archive ends with 0 and an
empty prefix), so we check `conda-meta` afterwards; it does not lock its package cache, and simultaneous creations
damage each other, so those of one user take turns by a lock of ours, which conda and its children inherit, like the
lock of the environment. conda gets channel names, not URLs: it knows its own aliases and secrets. Secrets of a script's
channels are passed in a settings file: anyone can read the arguments of a process.

If conda cannot do what the request asks for, it is refused, never ignored.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from .. import credentials
from ..cache import cache_dir
from ..configuration.declared import Settings
from ..environments import layout
from ..errors import CreationError, SettingsError
from ..files import make_directory
from ..lean.values import replace
from ..model import Built, Channel, Request
from ..specs.match_spec import has_condition, spec_name
from . import Options, Package, Solution, stem, subprocesses
from . import records as seal
from .rattler import explain

#: conda's names for failures, or words from their messages, by the step that failed. Others count as linking.
_STEPS = {
    "solve": re.compile(
        r"PackagesNotFound|ResolvePackageNotFound|Unsatisfiable|SpecsConfigurationConflict|InvalidMatchSpec"
        r"|InvalidVersionSpec|InvalidSpec|UnavailableInvalidChannel|ChannelDenied|ChannelNotAllowed|ChannelError"
        r"|OperationNotAllowed|NoPackagesFound|SolverError|OfflineError|invalid package specification"
    ),
    "download": re.compile(
        r"ChecksumMismatch|CondaHTTPError|DownloadError|CondaSSLError|InvalidArchive|PathNotFound"
        r"|Error with archive"
    ),
}

#: Seconds that an interrupted conda gets to undo its work.
_PATIENCE = 20.0

#: Variables that would change how conda's Python works.
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE")


#: Settings that would change what is installed but are not part of a request: each at its default.
_NEUTRAL = {
    "CONDA_DEPS_MODIFIER": "not_set",
    "CONDA_DOWNLOAD_ONLY": "false",
    "CONDA_DRY_RUN": "false",
    "CONDA_FORCE_32BIT": "false",
    "CONDA_IGNORE_PINNED": "false",
    "CONDA_PREFIX_DATA_INTEROPERABILITY": "false",
    "CONDA_SHORTCUTS": "false",
    "CONDA_SOLVER_IGNORE_TIMESTAMPS": "false",
    "CONDA_USE_LOCAL": "false",
    "CONDA_USE_ONLY_TAR_BZ2": "false",
}


class Conda:
    """The engine `conda`."""

    name = "conda"
    #: conda solves again when it creates: an earlier solution saves nothing.
    solves_first = False

    def program(self, environ: Mapping[str, str]) -> str:
        """The path of conda."""
        return find(environ)

    def require(self) -> None:
        """Nothing to check: which conda is used depends on the variables of a run, and `program` finds it."""

    def limits(self, settings: Settings, request: Request) -> Iterator[tuple[str, str]]:
        """Settings that conda does not have, and its own that would change the choice of packages but not the name of
        the environment."""
        dated = request.exclude_newer_of or (request.indexed_timestamps and request.exclude_newer)
        refused = {
            "track_features": (settings.track_features, "would choose other packages for it"),
            "subdirs": (settings.subdirs, "would take packages of other platforms"),
            "attestations": (request.attested, "does not verify attestations"),
            "run-link-scripts": (not request.link_scripts, "always runs link scripts"),
            "solve-strategy": (request.solve_strategy, "always chooses the newest versions"),
            "exclude-newer": (dated, "has one moment for all packages and channels, and knows no indexed times"),
        }
        for name, (applies, problem) in refused.items():
            if applies:
                yield name, f"the backend `conda` {problem}"

    def check(self, request: Request, options: Options) -> None:
        """Nothing to check: conda reports a faulty spec only when it solves."""

    def solve(
        self, request: Request, options: Options, *, like: Solution | None = None, keep: Sequence[Any] = ()
    ) -> Solution:
        """The result of `conda create --dry-run`. Raises CreationError and InterruptError."""
        options.progress.step("solve")
        with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
            prefix = os.path.join(directory, "prefix")
            said = _create(request, prefix, options, ["--dry-run"])
        actions = said.get("actions", {})
        fetched = {entry.get("dist_name") or stem(entry.get("fn", "")): entry for entry in actions.get("FETCH", ())}
        packages = [_package(entry, fetched.get(entry["dist_name"])) for entry in actions.get("LINK", ())]
        return Solution(tuple(sorted(packages, key=lambda package: package.name)))

    def create(self, request: Request, prefix: str, options: Options, solution: Solution | None = None) -> Built:
        """Solve (or take the packages of a lock), download and link. Raises CreationError and InterruptError."""
        options.progress.step("install", len(solution.packages) if solution else 0)
        with _turn(prefix, options) as turn:
            options = replace(options, inherited=(*options.inherited, *turn))
            if request.lock is not None and solution is not None:
                said = _install_locked(request, prefix, options, solution)
            else:
                said = _create(request, prefix, options, ["--yes"])
        return _verify(request, prefix, said, solution if request.lock else None)


load = Conda


def find(environ: Mapping[str, str]) -> str:
    """The conda of our own installation, else of the activated shell, else on PATH. Raises SettingsError."""
    name = os.path.join("Scripts", "conda.exe") if sys.platform == "win32" else os.path.join("bin", "conda")
    ours = os.path.join(sys.prefix, name)
    for candidate in (ours, environ.get("CONDA_EXE")):
        if candidate and os.path.isabs(candidate) and os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which("conda", path=environ.get("PATH"))
    if found is None:
        raise SettingsError(
            "the backend `conda` needs conda, which is not on PATH",
            hint="put conda on PATH, or use the embedded engine: `--backend rattler`",
        )
    return found


# -- asking conda ----------------------------------------------------------------------------------------------------


def _create(request: Request, prefix: str, options: Options, further: Sequence[str]) -> dict[str, Any]:
    """Run `conda create` for a request and return its JSON."""
    _refuse_conditions(request, options)
    command = ["create", "--json", "--quiet", "--prefix", prefix, "--no-default-packages", "--override-channels"]
    opened = _opened(request.channels)
    for channel in request.channels:
        # A different channel with the name of one of those is given by its URL.
        command += ["--channel", channel.urls[0] if channel.name in opened else channel.name]
    if options.offline:
        command.append("--offline")
    with _settings(opened, options.environ) as condarc:
        options = replace(options, environ={**options.environ, **condarc})
        return _run(request, options, [*command, *further, "--", *request.specs])


def _opened(channels: Sequence[Channel]) -> dict[str, str]:
    """conda's `custom_channels` for channels whose name is a URL, and whose secret conda does not know."""
    opened = {}
    for channel in channels:
        secret = dict(channel.secrets).get(channel.name)
        if secret is not None:
            name = urlsplit(channel.name).path.strip("/")
            opened[name] = secret.removesuffix(f"/{name}")
    return opened


@contextmanager
def _settings(custom_channels: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variable that makes conda read these `custom_channels`, after the settings files that it named before."""
    if not custom_channels:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="conda-execute-") as folder:  # 0700
        before = os.path.expanduser(os.path.expandvars(environ.get("CONDARC", "")))
        inside = sorted(os.listdir(before)) if os.path.isdir(before) else [""] if os.path.isfile(before) else []
        for number, name in enumerate(inside):
            if not name or name.endswith((".yml", ".yaml")):
                os.symlink(os.path.abspath(os.path.join(before, name) if name else before), f"{folder}/{number:06}.yml")
        with open(os.path.join(folder, "secrets.yml"), "w", encoding="utf-8") as file:
            json.dump({"custom_channels": dict(custom_channels)}, file)
        yield {"CONDARC": folder}


def _refuse_conditions(request: Request, options: Options) -> None:
    conditional = [spec for spec in request.specs if has_condition(spec)]
    if conditional and _shown("solver", options) != "rattler":
        raise CreationError(
            f"this conda's solver ignores the condition of `{conditional[0]}`",
            step="solve",
            where=options.locate(conditional[0]) or (),
            hint="use `--backend rattler`, or conda with the setting `solver: rattler`",
        )


def _install_locked(request: Request, prefix: str, options: Options, solution: Solution) -> dict[str, Any]:
    """Install exactly the packages of a lock, by their URLs and hashes."""
    secrets = dict(pair for channel in request.channels for pair in channel.secrets)
    lines = ["@EXPLICIT", *(_explicit(package, secrets) for package in solution.packages)]
    command = ["create", "--json", "--quiet", "--yes", "--prefix", prefix, "--no-default-packages"]
    with tempfile.TemporaryDirectory(prefix="conda-execute-") as folder:  # 0700: there may be secrets in it
        path = os.path.join(folder, "explicit.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return _run(request, options, [*command, "--file", path, *(["--offline"] if options.offline else [])])


def _explicit(package: Package, secrets: Mapping[str, str]) -> str:
    url = package.url
    for clean, secret in secrets.items():
        if url.startswith(clean + "/"):
            url = secret + url[len(clean) :]
    digest = package.md5 or (f"sha256:{package.sha256}" if package.sha256 else None)
    return f"{url}#{digest}" if digest else url


def _run(request: Request, options: Options, command: Sequence[str]) -> dict[str, Any]:
    """Run conda and return its JSON. Raises CreationError for a failure, InterruptError on SIGINT and SIGTERM."""
    environ = _environ(request, options)
    words = [find(options.environ), *command]
    status, printed, complaints = subprocesses.run(
        words, environ, options.inherited, step="conda", patience=_PATIENCE, ends_by=signal.SIGINT
    )
    said = _json(printed) or {}
    # conda prints nothing after a successful installation by URLs.
    if status != 0 or said.get("success", not said) is not True:
        raise _failure(said, complaints, status, request, options)
    return said


def _environ(request: Request, options: Options) -> dict[str, str]:
    """The caller's variables, and those that fix what the request decides, so that both engines install the same."""
    environ = {name: value for name, value in options.environ.items() if name not in _DROPPED}
    environ |= {
        "CONDA_REGISTER_ENVS": "false",
        # `conda clean` deletes the targets of soft links, and no run would notice.
        "CONDA_ALLOW_SOFTLINKS": "false",
        "CONDA_ALWAYS_SOFTLINK": "false",
        "CONDA_CHANNEL_PRIORITY": request.channel_priority,
        # conda calls a constraint a pin; those of the settings are included.
        "CONDA_PINNED_PACKAGES": "&".join(request.constraints),
        **_NEUTRAL,
        "CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false",
        "CONDA_NUMBER_CHANNEL_NOTICES": "0",
        "CONDA_REPORT_ERRORS": "false",
        **dict(request.overrides),
    }
    if request.platform != request.host_platform:
        environ["CONDA_SUBDIR"] = request.platform
    if request.exclude_newer is not None:
        environ["CONDA_EXCLUDE_NEWER"] = _cutoff(request.exclude_newer, options)
    return environ


def _cutoff(when: str, options: Options) -> str:
    if _shown("exclude_newer", options) is _UNKNOWN:
        raise CreationError(
            "this conda is too old for `exclude-newer`",
            step="solve",
            where=options.locate(when) or (),
            hint="update conda to 26.7 or later, or use `--backend rattler`",
        )
    return options.moment(when).strftime("%Y-%m-%dT%H:%M:%SZ")


#: The value of a setting that conda does not have.
_UNKNOWN = object()


def _shown(setting: str, options: Options) -> Any:
    """The value of one of conda's settings, as conda reports it."""
    command = [find(options.environ), "config", "--show", setting, "--json"]
    shown = subprocess.run(command, env=dict(options.environ), capture_output=True, check=False)
    return (_json(shown.stdout.decode()) or {}).get(setting) if shown.returncode == 0 else _UNKNOWN


def _json(text: str) -> dict[str, Any] | None:
    """The last JSON object of conda's output; objects about progress and notices of plugins may come first."""
    decoder = json.JSONDecoder()
    position, found = text.find("{"), None
    while position >= 0:
        try:
            found, end = decoder.raw_decode(text, position)
        except ValueError:
            end = position + 1
        position = text.find("{", end)
    return found


@contextmanager
def _turn(prefix: str, options: Options) -> Iterator[tuple[int, ...]]:
    """Wait until no other process of this user creates an environment with conda; the descriptor of the lock, if there
    is one."""
    from ..environments import lock as locks

    directory = cache_dir(options.environ)
    if directory is None:
        directory = os.path.join(os.path.dirname(prefix), layout.LOCKS)
    make_directory(directory)
    with locks.take(os.path.join(directory, "conda.lock"), options.command) as lock:
        yield () if sys.platform == "win32" else (lock.descriptor,)


# -- what came of it -------------------------------------------------------------------------------------------------


def _package(entry: Mapping[str, Any], fetch: Mapping[str, Any] | None) -> Package:
    url = f"{entry['base_url']}/{entry['platform']}/{entry['dist_name']}"
    return Package(
        name=entry["name"],
        version=entry["version"],
        build=entry["build_string"],
        channel=entry["channel"],
        subdir=entry["platform"],
        url=credentials.leave_out(fetch["url"]) if fetch else url,
        size=fetch.get("size") if fetch else None,
        sha256=fetch.get("sha256") if fetch else None,
        md5=fetch.get("md5") if fetch else None,
        cached=fetch is None,
    )


def _verify(request: Request, prefix: str, said: Mapping[str, Any], locked: Solution | None) -> Built:
    """What is in the prefix now; CreationError unless everything is there that conda reported and the request asked
    for."""
    records = [record for _, record in seal.each(prefix) if record]
    installed = {record["name"]: record for record in records}
    expected = {entry["name"] for entry in said.get("actions", {}).get("LINK", ())}
    if locked is not None:
        expected |= {package.name for package in locked.packages}
    certain = (spec_name(spec) for spec in request.specs if not has_condition(spec))
    asked = {name for name in certain if not name.startswith("__")}
    missing = sorted((expected | asked) - set(installed))
    if missing:
        raise CreationError(
            "conda reported success, but "
            + (
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
                if records
                else "nothing was installed"
            ),
            step="link",
            hint="a broken archive in conda's package cache can be the reason: `conda clean --packages --tarballs`",
        )
    _redact_history(prefix)
    specs = {*request.specs, *(spec for record in records for spec in record.get("depends", ()))}
    virtual = {spec for spec in specs if spec.startswith("__")} - {"__unix", "__linux", "__osx", "__win"}
    return Built(len(records), seal.settle_records(prefix), tuple(sorted(virtual)))


def _redact_history(prefix: str) -> None:
    """Remove secrets of channels from the history: conda writes its command line there."""
    with open(
        os.path.join(layout.conda_meta(prefix), "history"), "r+", encoding="utf-8", errors="surrogateescape"
    ) as file:
        text = file.read()
        redacted = credentials.leave_out(text)
        if redacted != text:
            file.seek(0)
            file.write(redacted)
            file.truncate()


def _failure(
    said: Mapping[str, Any], complaints: str, status: int, request: Request, options: Options
) -> CreationError:
    """conda's failure as one of our errors, with the step that failed."""
    kind, text = _reason(said, complaints)
    text = credentials.leave_out(text)
    if kind.startswith("PackagesNotFound") and said.get("packages"):
        return _not_found([str(spec) for spec in said["packages"]], request, options, text)
    clue = f"{kind}: {text.partition(chr(10))[0]}"
    step = next((step for step, names in _STEPS.items() if names.search(clue)), "link")
    if step == "download" and "repodata" in text:
        step = "solve"
    concerned = [spec for spec in request.specs if spec_name(spec) in text] if step == "solve" else []
    first, *rest = text.splitlines() or [f"conda ended with status {status}"]
    what = "conda could not create the environment"
    return CreationError(
        what if rest else f"{what}: {first.rstrip('. :')}",
        step=step,
        details=text if rest else None,
        where=[place for spec in concerned if (place := options.locate(spec))],
    )


def _reason(said: Mapping[str, Any], complaints: str) -> tuple[str, str]:
    """conda's name for the failure, and its message."""
    errors = said.get("errors")
    if isinstance(errors, list) and errors:
        said = {**errors[0], "message": "\n".join(dict.fromkeys(str(error.get("message")) for error in errors))}
    if said.get("exception_name"):
        return str(said["exception_name"]), str(said.get("message") or said.get("error") or complaints).strip()
    # Sometimes conda fails to print its own message, and there is only a traceback.
    raised = re.findall(r"^conda\.(?:exceptions\.)?(\w+): (.+)$", complaints, re.MULTILINE)
    return raised[-1] if raised else ("", complaints.strip())


def _not_found(specs: Sequence[str], request: Request, options: Options, text: str) -> CreationError:
    """The error that no channel has packages for these specs, which are in conda's spelling."""
    asked = {spec_name(spec): spec for spec in request.specs}
    if virtual := {name: asked.get(name, name) for name in map(spec_name, specs) if name.startswith("__")}:
        return explain.another_machine(virtual, request, options.locate)
    versioned = [name for name in map(spec_name, specs) if re.search(r"[\s=<>]", asked.get(name, ""))]
    missing = {name: asked.get(name, name) for name in map(spec_name, specs) if name not in versioned}
    if missing and request.exclude_newer is None:
        return explain.missing_packages(missing, (), request, options.locate)
    wanted = [asked[name] for name in versioned] or list(missing.values())
    return CreationError(
        f"no channel has a package that fits `{wanted[0]}`",
        step="solve",
        where=[place for spec in wanted if (place := options.locate(spec))],
        details=text,
        hint=f"packages published after {request.exclude_newer} were left out" if request.exclude_newer else None,
    )
