"""How the environment of one request is made: the engine, the voice and the rules of a run, put together once."""

from __future__ import annotations

import math
import os
import sys

from .errors import CreationError, ExecuteError, PlaceError, SettingsError
from .files import is_full, is_writable, may_execute_on
from .lean.values import dataclass, field, replace
from .script.header.keys import Header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .configuration.declared import Settings
    from .engines import Backend, Options, Solution
    from .errors import Location
    from .lockfiles.lockfile import Lockfile
    from .model import Built, Environment, Request
    from .terminal.messages import Voice

#: Bytes that builders of packages leave in programs for the path of a prefix.
_LONGEST_PREFIX = 255


@dataclass
class Recipe:
    """How one environment is solved, built and judged (`environments.ensure.Recipe`), and how it is talked about."""

    request: Request
    settings: Settings
    voice: Voice
    environ: Mapping[str, str]
    #: Who asks.
    title: str = ""
    #: The same for the marker, which is read from anywhere.
    recorded: str = ""
    #: The engine's name; None: the one that works here.
    backend: str | None = None
    offline: bool = False
    #: For local paths in `[tool.uv]`.
    script: str | None = None
    command: str = "conda-execute"
    #: What the request came from: for its notices, told when something is made, and for places in errors.
    header: Header = field(default_factory=lambda: Header(format="none"))
    #: Specs that options asked for, normalised, and those options: `--with numpy`.
    options_for: Mapping[str, str] = field(default_factory=dict)
    #: The program that will run, where it is known: an environment without it is not whole.
    program: str | None = None
    #: What decides the packages instead of the engine's solver.
    lock: Lockfile | None = None
    #: Whether what is cached is read wholly before it is used.
    verify: bool = False
    #: Seconds after which an environment is too old; 0: never.
    renew_after: float = 0.0
    _options: Options | None = None

    def check(self) -> None:
        """Raise CreationError for a spec that is none to the engine, as far as it can say so without solving."""
        _check_directory()
        from .engines import Options, named
        from .specs.requirement import mistake

        named(self.backend).check(self.request, Options(environ=self.environ, locate=self._locate))
        for requirement in self.request.pypi:
            if problem := mistake(requirement):
                raise CreationError(
                    f"`{requirement}` is not a valid PyPI requirement",
                    where=self._locate(requirement) or (),
                    details=problem,
                )

    def solution(self, *, whole: bool = False) -> Solution:
        """What would be installed; nothing is. `whole`: PyPI packages too, if the engine can choose them together."""
        self.require_policy(self.request)
        if self.lock is not None:
            from .lockfiles import lockfile

            found = lockfile.solution(self.lock, self.request)
            self._check_allowed(self.lock, found)
            self.accept(self.request, found)
            return found
        options = self.options()
        with options.progress:
            engine = self.engine()
            if whole and self.request.pypi and engine.solves_first:
                from .engines.pypi import resolve

                found = resolve.solve(engine, self.request, options, tries=False)
            else:
                found = engine.solve(self.request, options)
        self.accept(self.request, found)
        return found

    def require_policy(self, request: Request) -> None:
        """Raise SettingsError where the site asks for what the engine cannot do."""
        from .engines import policy

        policy.check(self.settings, request, self.engine())

    def accept(self, request: Request, found: Solution) -> None:
        """Raise CreationError for packages that the site's policy does not allow."""
        from .engines import policy

        policy.check_packages(self.settings, request, found)

    def _check_allowed(self, lock: Lockfile, found: Solution) -> None:
        """What a lock installs comes from channels that are allowed here, whatever the header's are."""
        from .configuration.channels import resolve_channels

        if not self.settings.allowlist_channels and not self.settings.denylist_channels:
            return
        try:
            resolve_channels(sorted({package.url.rsplit("/", 2)[0] for package in found.packages}), self.settings)
        except SettingsError as error:
            error.details = f"the lock `{lock.path}` has packages of it"
            raise

    def solve(self, *, replaces: bool) -> Solution | None:
        """What `create` is to install; None where the engine solves only then."""
        self.verify = replaces  # who has it made again may have met a damaged file
        _check_directory()
        for notice in self.header.notices:
            self.tell(notice)
        self.voice.detail(f"engine: {self._account()}")
        self.require_policy(self.request)
        # Where nothing is there to be lost, an engine that will solve again need not do it twice; with a lock it will
        # not solve.
        return self.solution() if replaces or self.lock is not None or self.engine().solves_first else None

    def create(self, prefix: str, lock_fd: int, solved: Solution | None) -> Built:
        """Fill the prefix, and pass on what packages have to say."""
        from . import engines

        options = replace(self.options(), inherited=(lock_fd,))
        is_long = sys.platform != "win32" and len(os.fsencode(prefix)) > _LONGEST_PREFIX
        if is_long:
            self.tell(f"the environment's path is longer than the {_LONGEST_PREFIX} bytes that programs have room for")
        try:
            with options.progress:
                built = engines.build(self.engine(), self.request, prefix, options, solved)
                options.progress.done()
        except CreationError as error:
            if is_long:
                error.hint = "set `CONDA_EXECUTE_ENV_DIR` to a shorter path"
            raise
        if self.settings.refuse_malicious:
            self._refuse_malicious(prefix)
        for notice in built.notices:
            self.tell(notice)
        for package, message in built.messages:
            self.tell(f"`{package}` says", *message.split("\n"))
        return replace(built, engine=self._account())

    def _refuse_malicious(self, prefix: str) -> None:
        from .audit import Advisories, refuse_malicious
        from .cache import fitting_cache
        from .engines.inventory import components

        cache = fitting_cache(self.environ)
        refuse_malicious(components(prefix), Advisories(self.settings, self.environ, cache, offline=self.offline))

    def _account(self) -> str:
        from . import engines

        return engines.account(self.backend, self.settings, self.environ)

    def engine(self) -> Backend:
        """What installs. Raises SettingsError where it cannot work."""
        _check_directory()
        from . import engines

        return engines.engine(self.backend)

    def options(self) -> Options:
        """How the engine is to work; worked out once."""
        if self._options is None:
            self._options = self._work_out_options()
        return self._options

    def _work_out_options(self) -> Options:
        _check_directory()
        from .engines import Options, network, policy
        from .engines.rattler.connection import cache_dir
        from .terminal.live import progress

        offline = self.offline or self.settings.offline
        cache = self._cache()
        environ = self._environ(cache)  # uv looks for a place of its own, in the same home
        return Options(
            cache=cache,
            offline=offline,
            timeouts=(self.settings.remote_connect_timeout_secs, self.settings.remote_read_timeout_secs),
            verify=self.verify,
            package_caches=self._package_caches(),
            attestations=self.settings.attestations,
            run_link_scripts=self.request.link_scripts,
            verify_files=policy.verifies_files(self.settings),
            environ=environ,
            connect=network.connector(
                self.settings,
                self.request.channels,
                environ,
                repodata=os.path.join(cache_dir(Options(environ=self.environ, cache=cache)), "repodata"),
                offline=offline,
            ),
            progress=progress(
                sys.stderr, self.environ, title=self.title, quiet=self.voice.quiet, verbose=self.voice.verbose
            ),
            locate=self._locate,
            command=self.command,
            script=self.script,
        )

    def _environ(self, cache: str | None) -> Mapping[str, str]:
        """What engines and their programs see: uv has a cache that nobody else can change."""
        from .cache import for_our_work, private_directory, uv_cache
        from .ownership import others, refuse_others

        trusted = self.settings.trusted_groups
        environ = {**self._limits_of_uv(), **for_our_work(self.environ, trusted)}
        asked = environ.get("UV_CACHE_DIR")
        if asked and self.request.pypi:
            refuse_others(asked, trusted, hint="set `UV_CACHE_DIR` to a directory of your own")
        elif (cache and not asked) or others(asked or uv_cache(environ), trusted):
            environ["UV_CACHE_DIR"] = os.path.join(cache or private_directory(self.environ), "uv")
        return environ

    def _limits_of_uv(self) -> dict[str, str]:
        """How long and how often uv waits, where a setting says so. It counts whole seconds."""
        named = {
            "UV_HTTP_CONNECT_TIMEOUT": "remote_connect_timeout_secs",
            "UV_HTTP_TIMEOUT": "remote_read_timeout_secs",
            "UV_HTTP_RETRIES": "remote_max_retries",
        }
        told = {variable: name for variable, name in named.items() if self.settings.origin(name)}
        return {variable: str(math.ceil(getattr(self.settings, name))) for variable, name in told.items()}

    def _package_caches(self) -> tuple[str, ...]:
        """Those of the setting that are there: a host may lack a mount."""
        from .ownership import refuse_others

        found = [cache for cache in self.settings.package_caches if os.path.isdir(cache)]
        for cache in found:
            refuse_others(cache, self.settings.trusted_groups, hint="remove it from the setting `package-caches`")
        return tuple(found)

    def _cache(self) -> str | None:
        """Where packages are kept if not where the engine keeps them: it needs a home that can be written to, and
        locked."""
        from .cache import private_directory
        from .engines import Options
        from .engines.rattler.connection import cache_dir
        from .environments.lock import has_locks
        from .ownership import others, refuse_others

        usual = cache_dir(Options(environ=self.environ))
        if self.environ.get("RATTLER_CACHE_DIR"):
            refuse_others(
                usual, self.settings.trusted_groups, hint="set `RATTLER_CACHE_DIR` to a directory of your own"
            )
            return None
        why = others(usual, self.settings.trusted_groups) if os.path.isabs(usual) else None
        if why is None and (not os.path.isabs(usual) or not is_writable(usual)):
            why = f"`{usual}` cannot be written to"
        if why is None and not has_locks(os.path.join(usual, "pkgs", ".cache.lock")):
            why = f"`{usual}` is on a file system without locks"
        if why is None and is_full(usual):
            why = f"no space is left on the disk of `{usual}`"
        if why is None:
            return None
        cache = os.path.join(private_directory(self.environ), "rattler")
        self.tell(f"packages are cached in `{cache}`, which may not last: {why}")
        return cache

    def _locate(self, wanted: str) -> Location | None:
        """Where the script says what the request says: specs of a request are normalised, paths are absolute."""
        from .errors import Location
        from .resolve import as_asked
        from .specs.match_spec import normalise_spec

        if option := self.options_for.get(wanted):
            return Location(option)
        written = (
            text
            for text, _ in self.header.locations
            if wanted in (text, normalise_spec(text), as_asked(text, self._folder, self.script or ""))
        )
        channels = (name for name in self.header.channels or () if wanted == self._canonical(name))
        return next((self.header.location(text) for text in (*written, *channels)), None)

    @property
    def _folder(self) -> str:
        """Where relative paths of the request start."""
        return os.path.dirname(os.path.abspath(self.script)) if self.script else os.getcwd()

    def _canonical(self, channel: str) -> str:
        """What the request calls a channel of the header: `file:///my%20channel`, say."""
        from .configuration.channels import resolve_channels

        return resolve_channels((channel,), self.settings, folder=self._folder)[0].name

    def fits(self, environment: Environment) -> bool:
        """Whether this host satisfies the environment's virtual packages."""
        from .engines import virtual_packages

        return virtual_packages.fits(environment.marker.virtual_packages, self.request.overrides)

    def is_sound(self, environment: Environment) -> bool:
        """Whether the program that the environment was made for is still there: a purge of a scratch disk may have
        taken it while the package records stayed."""
        from .script import languages
        from .specs.match_spec import spec_name

        if self.program is None or sys.platform == "win32":
            return True
        package = languages.package_of(self.program)
        if not any(spec_name(spec) == package for spec in environment.marker.specs):
            return True
        path = os.path.join(environment.prefix, "bin", self.program)
        return os.access(path, os.X_OK) or (os.path.exists(path) and not may_execute_on(path))

    def tell(self, text: str, *more: str) -> None:
        """Say what a user should know but need not act on."""
        self.voice.notice(text, *more)


def _check_directory() -> None:
    """Environments that are there run anywhere; to make one, py-rattler 0.28 has to know where it is."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise PlaceError(
            "the working directory is gone, and no environment can be created from there",
            hint="change to another directory",
        ) from None


def check_backend(name: str | None) -> str | None:
    """The name of an engine that exists; None means the one that works."""
    from .configuration.declared import BACKENDS
    from .text import nearest

    if name is not None and name not in BACKENDS:
        raise ExecuteError(f"there is no backend `{name}`", hint=nearest(name, BACKENDS))
    return name
