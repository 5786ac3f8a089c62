"""Locks: the packages of a script's environment, recorded so that it is the same tomorrow and elsewhere.

A lock is a rattler-lock file (version 7; 6 is read too), next to the script as `SCRIPT.conda-execute.lock` or in it,
as a comment block at its end. It has the conda and PyPI packages with their hashes, for one platform or several.
Comment lines before it, which other readers skip, have digests of its input and its content::

    # conda-execute lock, written by `conda execute --lock`
    # input linux-64: <SHA-256 of what the script asks for there>
    # packages: <SHA-256 of all lines after this one>

A lock fits as long as the script's requirements are the same; then nothing is solved and no channel is asked. One that
was edited by hand is refused. Locks of pixi (`SCRIPT.pixi.lock`) and conda-exec (`SCRIPT.conda-exec.lock`, or a block
in the script) have no digest of their input: they fit if their packages satisfy the requests.

The digest of a lock's text is part of the environment's name.
"""

from __future__ import annotations

import os
import re

from ..environments import name as key
from ..errors import CreationError, PlaceError
from ..files import open_plain
from ..lean.digest import digest
from ..lean.values import dataclass, replace
from . import BEGINNING, SUFFIXES, candidates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rattler import RepoDataRecord
    from rattler.lock import Environment, LockFile, LockPlatform

    from ..engines import Backend, Options, PyPIPackage, Solution
    from ..engines.inventory import Component
    from ..model import Channel, Request

_BEGIN, _END = "/// conda-execute-lock", "/// end-conda-execute-lock"
_FOREIGN_BEGIN, _FOREIGN_END = "# /// conda-exec-lock", "# ///"

#: What may be before these in a line: any comment sign of a header, including words (`REM`, `dnl`).
MARK = r"[^\w\r\n]*(?:(?i:@?rem|dnl|c)[ \t]+)?"

_TITLE = "# conda-execute lock, written by `conda execute --lock`"
_INPUT = r"^# input ([\w-]+): ([0-9a-f]{64})$"
_PACKAGES = r"^# packages: ([0-9a-f]{64})$"

#: The name of the only environment in rattler-lock files.
_ENVIRONMENT = "default"


@dataclass(frozen=True)
class Lockfile:
    path: str
    text: str
    #: In the script itself.
    embedded: bool = False
    #: Between our own marks.
    marked: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal: part of the name of the environment that it decides."""
        return digest(self.text.encode())

    @property
    def inputs(self) -> dict[str, str]:
        """For each platform, the digest of what the script asked for; empty in locks of other tools."""
        return dict(re.findall(_INPUT, self.text, re.MULTILINE))

    @property
    def is_ours(self) -> bool:
        """Whether conda-execute wrote it: then it must have digests of its input and content."""
        return self.marked or bool(self.inputs) or _TITLE in self.text or self.path.endswith(SUFFIXES[0])


# -- finding ---------------------------------------------------------------------------------------------------------


def find(script: str, data: bytes | None = None) -> Lockfile | None:
    """The lock of a script: embedded in its content `data`, else next to it. One that another tool embedded is used
    only without one of ours: `--lock` does not remove it, but must take precedence."""
    embedded = extract(data) if data is not None else None
    if data is not None and embedded is not None:
        marked = _BEGIN.encode() in data
        if marked or not os.path.exists(script + SUFFIXES[0]):
            return Lockfile(script, embedded, embedded=True, marked=marked)
    for path in candidates(script):
        if os.path.exists(path):
            return read(path)
    return None


def read(path: str) -> Lockfile:
    """The lock in this file. Raises CreationError if it cannot be read."""
    try:
        with open_plain(os.path.realpath(path)) as file:
            return Lockfile(path, file.read().decode().replace("\r\n", "\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CreationError(f"the lock `{path}` cannot be read: {reason}", step="lock") from None


def input_digest(request: Request, folder: str) -> str:
    """SHA-256 of what a script in `folder` asks for: the same on every machine and for every path of the folder."""
    plain = replace(
        request, host_platform=request.platform, lock=None, overrides=request.system, builds=True, attested=False
    )
    text = key.canonical_text(plain)
    if folder:
        text = text.replace(os.path.join(os.path.abspath(folder), ""), "./")
    return digest(text.encode("utf-8", "surrogateescape"))


def stale(lock: Lockfile, request: Request, folder: str) -> str | None:
    """Why the lock does not fit the request, by its digests; None if it does."""
    inputs = lock.inputs
    if not inputs:
        return "it does not say what it was written for: lines at its beginning are missing" if lock.is_ours else None
    if request.platform not in inputs:
        return f"it contains no packages for {request.platform}, only for {', '.join(sorted(inputs))}"
    if inputs[request.platform] != input_digest(request, folder):
        return "the script's requirements have changed since it was written"
    return None


# -- using -----------------------------------------------------------------------------------------------------------


def solution(lock: Lockfile, request: Request) -> Solution:
    """The packages of the lock for the request's platform: nothing is solved, no channel is asked.

    Raises CreationError for a lock that was edited, that has nothing for the platform, that lacks hashes, or whose
    packages are not what the request asks for.
    """
    from ..engines import PyPIPackage, Solution
    from ..engines.rattler.packages import described

    _check_untouched(lock)
    environment = _environment(lock)
    platform = _platform(lock, environment, request)
    records = environment.conda_repodata_records_for_platform(platform) or []
    for record in records:
        if not record.sha256 and not record.md5:
            raise refused(lock, f"it has no hash for {record.file_name}")
    pypi = []
    for package in environment.pypi_packages_for_platform(platform) or []:
        sha256 = _sha256(package)
        if sha256 is None and package.location.startswith(("http:", "https:")):
            raise refused(lock, f"it has no hash for the PyPI package {package.name}")
        location = _beside(lock.path, package.location.partition("#sha256=")[0])
        pypi.append(PyPIPackage(package.name, package.version, location, sha256))
    found = Solution(described(records), tuple(records), tuple(sorted(pypi, key=lambda package: package.name)))
    _check_satisfied(lock, request, found)
    missing = _missing(records, request)
    if missing:
        raise refused(lock, f"the script or its packages need {', '.join(missing)}, which this machine does not have")
    return found


def _platform(lock: Lockfile, environment: Environment, request: Request) -> LockPlatform:
    """The name of the request's platform in the lock. pixi may have several names for one, distinguished by virtual
    packages; the best is the one that uses most of those that this machine has."""
    there = sorted(environment.platforms(), key=lambda each: (-len(each.virtual_packages), each.name))
    fitting = [each for each in there if str(each.subdir) == request.platform]
    if not fitting:
        names = ", ".join(sorted({str(each.subdir) for each in there}))
        raise refused(
            lock, f"it contains no packages for {request.platform}" + (f", only for {names}" if names else "")
        )
    for each in fitting[:-1]:
        if not _missing(environment.conda_repodata_records_for_platform(each) or [], request):
            return each
    return fitting[-1]


def _missing(records: Sequence[RepoDataRecord], request: Request) -> list[str]:
    """Virtual packages that the script or the packages need and this machine lacks, if the request is for this
    machine."""
    from ..engines import virtual_packages

    if request.platform != request.host_platform:
        return []
    needed = virtual_packages.relied_on(records, request.specs)
    return [spec for spec in needed if not virtual_packages.fits([spec], request.overrides)]


def refused(lock: Lockfile, reason: str) -> CreationError:
    return CreationError(
        f"the lock `{lock.path}` cannot be used: {reason}",
        step="lock",
        hint="`conda execute --lock` updates it; `--no-lock` runs without it",
    )


def _check_untouched(lock: Lockfile) -> None:
    written = re.search(_PACKAGES, lock.text, re.MULTILINE)
    if written is None and not lock.is_ours:
        return
    if written is None or digest(lock.text[written.end() + 1 :].encode()) != written[1]:
        raise refused(lock, "it was changed after it was written")


def _environment(lock: Lockfile) -> Environment:
    from rattler.exceptions import ParseCondaLockError

    try:
        environment = _parse(lock.text).default_environment()
    except (ParseCondaLockError, ValueError) as error:
        raise refused(lock, str(error)) from None
    if environment is None:
        raise refused(lock, "it has no default environment")
    return environment


def _parse(text: str) -> LockFile:
    """Parse a lock through a temporary file: py-rattler reads only files."""
    import tempfile

    from rattler.lock import LockFile

    with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
        path = os.path.join(directory, "lock")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return LockFile.from_path(path)  # type: ignore[arg-type]


def _sha256(package: object) -> str | None:
    """The hash of a package: py-rattler 0.28 wraps missing hashes, and fails on access; a URL may contain one, too."""
    fragment: str = package.location.partition("#sha256=")[2]  # type: ignore[attr-defined]
    hashes = package._package.hashes  # type: ignore[attr-defined]
    return hashes.sha256.hex() if hashes is not None and hashes.sha256 else fragment or None


def _beside(path: str, location: str) -> str:
    """A relative location in a lock starts at the lock."""
    if re.match(r"[a-z][a-z0-9+.-]*:", location) or os.path.isabs(location):
        return location
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(path)), location))


def _check_satisfied(lock: Lockfile, request: Request, found: Solution) -> None:
    """Check that the packages satisfy the script: another tool's lock does not say what it was written for."""
    import rattler

    from ..engines import virtual_packages
    from ..specs.requirement import allows, canonical, requirement_name

    for text in request.specs:
        if text.startswith("__"):
            continue  # the machine provides it, not a package
        spec = rattler.MatchSpec(text, strict=False)
        if not virtual_packages.applies(spec, found.records, request):
            continue
        name = str(spec.name.normalized)
        mine = [record for record in found.records if record.name.normalized == name]
        plain = rattler.MatchSpec(
            str(spec).rpartition("::")[2], strict=False
        )  # the channel may have another name there
        if not any(record.matches(plain) for record in mine):
            there = f"{name} {mine[0].version}" if mine else f"no {name}"
            raise refused(lock, f"the script asks for `{text}`, but it contains {there}")
    if lock.inputs:
        return  # ours: it was written for exactly these requirements
    versions = {canonical(record.name.normalized): str(record.version) for record in found.records}
    versions.update({canonical(package.name): package.version for package in found.pypi or ()})
    for requirement in request.pypi:
        name = requirement_name(requirement)
        if not name or ";" in requirement or (name in versions and allows(requirement, versions[name])):
            continue
        there = f"{name} {versions[name]}" if name in versions else f"no {name}"
        raise refused(lock, f"the script asks for `{requirement}` of PyPI, but it contains {there}")


# -- writing ---------------------------------------------------------------------------------------------------------


def make(
    backend: Backend,
    requests: Sequence[Request],
    options: Options,
    *,
    folder: str,
    home: str,
    accept: Callable[[Request, Solution], object],
    there: Mapping[str, Solution] | None = None,
    update: Sequence[str] | None = None,
) -> str:
    """The text of a lock for these requests, one for each platform. The file will be in the directory `home`.

    Packages that are `there` for a platform are kept; with `update`, all except these, if possible. `accept` is called
    with each solution: it raises for packages that are not allowed, and prints notices. Raises CreationError if a
    request has no solution.
    """
    from ..engines.pypi import resolve

    packages = {}
    for request in requests:
        found = (there or {}).get(request.platform)
        if found is None:
            found = resolve.solve(backend, request, options)
        elif update:
            found = resolve.updated(backend, request, options, found, update)
        accept(request, found)
        packages[request.platform] = (found.records, found.pypi or ())
    body = text_of(requests[0].channels, packages, home)
    lines = [_TITLE]
    lines += [f"# input {request.platform}: {input_digest(request, folder)}" for request in requests]
    lines.append(f"# packages: {digest(body.encode())}")
    return "\n".join(lines) + "\n" + body


def of_environment(prefix: str, request: Request, backend: Backend, options: Options) -> Solution:
    """The packages installed in a prefix that was created for a request, with all hashes.

    Raises CreationError if PyPI packages cannot be looked up.
    """
    from ..engines import Solution
    from ..engines.pypi import resolve
    from ..engines.pypi.installed import from_pypi
    from ..engines.rattler.packages import described, installed

    records = installed(prefix)
    solution = Solution(described(records), tuple(records))
    pins = replace(request, pypi=tuple(one.pinned for one in from_pypi(prefix)))
    return replace(solution, pypi=resolve.choose(backend, pins, solution, options))


def text_of(
    channels: Sequence[Channel],
    packages: Mapping[str, tuple[Sequence[RepoDataRecord], Sequence[PyPIPackage]]],
    home: str,
) -> str:
    """A rattler-lock file of these conda and PyPI packages for each platform, without our comment lines."""
    from rattler.lock import LockChannel, LockFile, LockPlatform

    platforms = {platform: LockPlatform(platform) for platform in packages}
    file = LockFile(list(platforms.values()))
    file.set_channels(_ENVIRONMENT, [LockChannel(url) for each in channels for url in each.urls])
    hashes: dict[str, str] = {}
    for platform, (records, from_pypi) in packages.items():
        for record in records:
            file.add_conda_package(_ENVIRONMENT, platforms[platform], record)
        for package in from_pypi:
            location = _relative(package.location, home)
            if package.sha256:
                hashes[location] = package.sha256
            file.add_pypi_package(_ENVIRONMENT, platforms[platform], package.name, package.version, location)
    return _with_hashes(_text(file), hashes)


def write(path: str, text: str) -> None:
    """Write the lock, completely or not at all; a link is followed. Raises CreationError if that fails."""
    from ..files import rewrite

    try:
        rewrite(path, text.encode())
    except PlaceError as error:
        raise CreationError(
            f"the lock {error.message}", step="lock", hint="`--lock-file PATH` puts it elsewhere"
        ) from None


def _relative(location: str, home: str) -> str:
    """Paths next to the lock are written relative to it, so that the folder can move."""
    path = location.removeprefix("file://") if location.startswith("file:///") else location
    if not home or "://" in path or not os.path.isabs(path):
        return location
    inside = os.path.relpath(path, home)
    return location if inside.startswith("..") else f"./{inside}"


def _text(file: LockFile) -> str:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="conda-execute-") as directory:
        path = os.path.join(directory, "lock")
        file.to_path(path)  # type: ignore[arg-type]
        with open(path, encoding="utf-8") as written:
            return written.read()


def _with_hashes(text: str, hashes: dict[str, str]) -> str:
    """py-rattler 0.28 takes no hashes of PyPI packages; the format has a key for them."""
    lines = []
    pending = None
    for line in text.split("\n"):
        lines.append(line.rstrip())
        if line.startswith("- pypi: "):
            pending = hashes.get(line.removeprefix("- pypi: ").strip("'\""))
        elif pending is not None and line.startswith("  version: "):
            lines.append(f"  sha256: {pending}")
            pending = None
    return "\n".join(lines).rstrip("\n") + "\n"


# -- within the script -----------------------------------------------------------------------------------------------


def opening(data: bytes) -> re.Match[bytes] | None:
    """The first line of one of our locks in a script, whose end may be missing."""
    if _BEGIN.encode() not in data:
        return None
    pattern = b"^(?P<mark>" + MARK.encode() + b")" + re.escape(_BEGIN.encode()) + rb"[ \t]*\r?\n"
    return re.search(pattern, data, re.MULTILINE)


def extract(data: bytes) -> str | None:
    """The lock in a script's bytes, or None if there is none. Raises CreationError for a block without an end."""
    if BEGINNING not in data:
        return None
    lines = data.decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines):
        stripped = line.rstrip()
        mark = stripped.removesuffix(_BEGIN)
        if mark != stripped and re.fullmatch(MARK, mark):
            return _body(lines[number + 1 :], mark, mark + _END)
        if stripped == _FOREIGN_BEGIN:
            return _body(lines[number + 1 :], "# ", _FOREIGN_END)
    return None


def _body(lines: Sequence[str], prefix: str, end: str) -> str:
    taken: list[str] = []
    for line in lines:
        if line.rstrip() == end:
            return "".join(f"{each}\n" for each in taken)
        if not line.startswith(prefix.rstrip()):
            break
        taken.append(line.rstrip().removeprefix(prefix) if line.startswith(prefix) else "")
    raise CreationError("the lock in the script has no end", step="lock", hint=f"it ends with a line `{end}`")


def embed(data: bytes, text: str, prefix: str) -> bytes:
    """The script with the lock as its last comment block, which replaces an existing one; `prefix` opens a comment
    line.

    Every other byte stays, and the lines of the block end as the script's lines do.
    """
    data = remove(data)
    newline = b"\r\n" if b"\r\n" in data[:4096] else b"\n"
    mark = prefix.rstrip() + " "
    lines = [mark + _BEGIN, *((mark + line).rstrip() for line in text.rstrip("\n").split("\n")), mark + _END]
    block = newline.join(line.encode() for line in lines) + newline
    gap = b"" if not data or data.endswith(b"\n") else newline
    return data + gap + block


def remove(data: bytes) -> bytes:
    """The script without the lock that `embed` put into it."""
    pattern = re.compile(
        b"^(?P<mark>" + MARK.encode() + b")" + re.escape(_BEGIN.encode()) + rb"[ \t]*\r?\n"
        rb"(?:.*\n)*?(?P=mark)" + re.escape(_END.encode()) + rb"[ \t]*(?:\r?\n|\Z)",
        re.MULTILINE,
    )
    data = pattern.sub(b"", data)
    cut_off = opening(data)
    if cut_off is not None:
        mark = cut_off["mark"].rstrip()
        if all(line.startswith(mark) or not line for line in data[cut_off.end() :].split(b"\n")):
            return data[: cut_off.start()]
    return data


def components(lock: Lockfile) -> list[Component]:
    """The packages of a lock for all its platforms, as it names them; for locks without an environment.

    A conda package's names on PyPI are known if the lock has them (`purls`, which pixi writes).
    """
    import yaml

    from ..engines.inventory import PYPI, Component, Known

    found = {}
    for entry in yaml.safe_load(lock.text).get("packages", ()):
        url = str(entry.get("conda") or entry.get("pypi"))
        name, version = (str(entry.get(key) or "") for key in ("name", "version"))
        if "conda" in entry:
            stem = re.sub(r"(\.conda|\.tar\.bz2)$", "", url.rsplit("/", 1)[-1])
            name, version = stem.rsplit("-", 2)[:2]
        purls = entry.get("purls") or ([f"pkg:pypi/{name}@{version}"] if "pypi" in entry else [])
        named = [re.match(r"pkg:pypi/([^@?]+)(?:@([^?]+))?", purl) for purl in purls]
        known = tuple(Known(PYPI, match[1], match[2] or version) for match in named if match)
        purl = f"pkg:{'conda' if 'conda' in entry else 'pypi'}/{name}@{version}"
        found[purl] = Component(name, version, purl, sha256=str(entry.get("sha256") or ""), known=known)
    return list(found.values())
