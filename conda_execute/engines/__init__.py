"""What an engine promises: it solves a request, and fills a prefix with the solution.

An engine writes into the prefix it is given and nowhere else but its own caches. It takes no lock: the caller holds
the creation lock, and every process that the engine starts inherits the lock's descriptor, so that an orphan keeps
the lock until it ends. A prefix is not valid until the caller has marked it: after any exception the caller deletes it.
`build` does the whole creation in a safe order: conda packages, PyPI packages, and finally the files that tell other
tools how the prefix was created.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..cache import rattler_cache
from ..configuration.declared import BACKENDS, Settings
from ..errors import Location, SettingsError
from ..lean.values import dataclass, field, replace
from ..model import Built, Request
from ..terminal.progress import Progress
from ..text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Package:
    """One package that a solution installs. `size` is that of the archive, in bytes, if the channel says it."""

    name: str
    version: str
    build: str
    channel: str
    subdir: str
    url: str
    size: int | None = None
    #: In lower-case hexadecimal.
    sha256: str | None = None
    md5: str | None = None
    #: Whether it is in the package cache already; None: not checked.
    cached: bool | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.build}"


@dataclass(frozen=True)
class PyPIPackage:
    """One archive, directory or repository of a Python package, chosen beforehand. `location` is a URL or a path."""

    name: str
    version: str
    location: str
    #: In lower-case hexadecimal; None: it has none, like a directory or a repository at a commit.
    sha256: str | None = None


@dataclass(frozen=True)
class Solution:
    """The packages that satisfy a request, sorted by name. `records` are the engine's own objects, for its use only.

    `pypi` has the PyPI packages if they are chosen already, as in a lock; None: uv chooses them on creation.
    """

    packages: tuple[Package, ...]
    records: tuple[Any, ...] = field(default=(), compare=False, repr=False)
    pypi: tuple[PyPIPackage, ...] | None = None
    #: What the engine keeps of the solve.
    state: Any = field(default=None, compare=False, repr=False)
    #: Notices about how it was chosen.
    notices: tuple[str, ...] = field(default=(), compare=False)

    @property
    def download(self) -> int:
        """Bytes to download, as far as the channels say; packages that are in the cache do not count."""
        return sum(package.size or 0 for package in self.packages if not package.cached)


@dataclass(frozen=True)
class Options:
    """How an engine works, as opposed to what it installs: nothing here enters the environment's name."""

    offline: bool = False
    #: Run the packages' post-link scripts, as conda does.
    run_link_scripts: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    #: Directory for downloaded packages and repodata; None: the engine's default, which other tools use too.
    cache: str | None = None
    #: Directories of unpacked packages of others, which are searched before the engine's own cache and never written
    #: to.
    package_caches: tuple[str, ...] = ()
    #: How to reach channels, and a site's policy.
    settings: Settings = field(default_factory=Settings, repr=False, compare=False)
    #: Read every file from a cache completely, to check it against its package.
    verify: bool = False
    progress: Progress = field(default_factory=Progress, repr=False, compare=False)
    #: Descriptors of locks, which every process that works on a prefix inherits: processes that outlive us keep the
    #: locks.
    inherited: tuple[int, ...] = ()
    #: Finds the place of a spec, a requirement or a channel of the request, for errors.
    locate: Callable[[str], Location | None] = field(default=lambda written: None, repr=False, compare=False)
    #: What to record as the command in the prefix's history.
    command: str = "conda-execute"
    #: The script that the request comes from: local paths in `[tool.uv]` are relative to its directory.
    script: str | None = None

    @property
    def compares_files(self) -> bool:
        """Whether the files of cached packages are compared with their package records, as for a lock."""
        return self.verify or self.settings.extra_safety_checks or self.settings.safety_checks == "enabled"

    def moment(self, when: str) -> datetime:
        """The last moment that counts, by a setting or a key such as `exclude-newer`."""
        from datetime import datetime, timezone

        from ..specs.moment import cutoff

        return cutoff(when, datetime.now(timezone.utc), self.locate(when))

    @property
    def packages(self) -> str:
        """The directory of unpacked packages, which other tools of rattler may share."""
        return os.path.join(self.cache or rattler_cache(self.environ), "pkgs")

    @property
    def repodata(self) -> str:
        return os.path.join(self.cache or rattler_cache(self.environ), "repodata")


class Backend(Protocol):
    """An engine, as `load()` of the module with its name returns it. Solving and creating raise `CreationError`
    with the step; signals raise `InterruptError`."""

    name: str

    def program(self, environ: Mapping[str, str]) -> str:
        """The library and its version, or the path of the program, that does the work. Raises SettingsError."""

    def require(self) -> None:
        """Raise SettingsError if it cannot work."""

    def limits(self, settings: Settings, request: Request) -> Iterator[tuple[str, str]]:
        """Each setting that it cannot follow, and why."""

    def check(self, request: Request, options: Options) -> None:
        """Raise CreationError for a spec that it cannot parse, as far as it can tell without solving."""

    #: Whether `create` takes a solution that was found before instead of solving again.
    solves_first: bool

    def solve(
        self, request: Request, options: Options, *, like: Solution | None = None, keep: Sequence[Any] = ()
    ) -> Solution:
        """The packages that `request` asks for. Only repodata is downloaded, and not again if an earlier solution
        has it. Records to `keep` are preferred."""

    def create(self, request: Request, prefix: str, options: Options, solution: Solution | None = None) -> Built:
        """Install the conda packages of `request` (or exactly those of `solution`, without solving) into
        `prefix`."""


def engine(name: str | None) -> Backend:
    """The engine of this name; None means the embedded one. Raises SettingsError if it cannot work."""
    found = named(name)
    found.require()
    return found


def named(name: str | None) -> Backend:
    """The same, whether or not it can work here."""
    from importlib import import_module

    name = name or BACKENDS[0]
    if name not in BACKENDS:
        raise SettingsError(f"there is no backend `{name}`", hint=nearest(name, BACKENDS))
    made: Backend = import_module(f".{name}", __name__).load()
    return made


def account(name: str | None, settings: Settings, environ: Mapping[str, str]) -> str:
    """Which engine works, and why, for people: `rattler (py-rattler 0.28.0), the default`."""
    chosen = engine(name)
    if name is None:
        why = "the default"
    elif name == settings.backend:
        why = f"by the setting `backend` in {settings.origin('backend')[-1]}"
    else:
        why = "by `--backend`"
    return f"{chosen.name} ({chosen.program(environ)}), {why}"


def stem(archive: str) -> str:
    """The name of a package's archive without its suffix."""
    return archive.removesuffix(".conda").removesuffix(".tar.bz2")


def build(backend: Backend, request: Request, prefix: str, options: Options, solution: Solution | None = None) -> Built:
    """Fill `prefix`: conda packages, then PyPI packages, then the history and the marker that freezes it."""
    from . import records as seal

    chosen = solution.pypi if solution is not None else None
    if chosen is None and request.pypi:
        from .pypi import joint

        built = joint.build(backend, request, prefix, options, solution)
    else:
        built = backend.create(request, prefix, options, solution)
    if chosen:
        from .pypi import install

        added = install.install(request, prefix, options, chosen)
        built = replace(built, packages=built.packages + added.packages, size=built.size + added.size)
    if request.platform == request.host_platform:
        seal.protect_python(prefix, user_libraries=request.user_libraries)
    seal.freeze(prefix)
    return replace(built, backend=backend.name)
