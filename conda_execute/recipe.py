"""How the environment of one request is created: the engine, the messages and the rules of a run."""

from __future__ import annotations

import math
import os
import sys
from functools import cached_property

from .errors import CreationError, PlaceError, SettingsError
from .files import is_full, is_writable, may_execute_on
from .lean.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .configuration.declared import Settings
    from .engines import Backend, Options, Solution
    from .errors import Location
    from .lockfiles.lockfile import Lockfile
    from .model import Built, Environment, Request
    from .script.header.keys import Header
    from .terminal.messages import Voice

#: Bytes that package builders reserve in programs for the path of a prefix.
_LONGEST_PREFIX = 255


@dataclass
class Recipe:
    """How one environment is solved, created and judged (`environments.ensure.Recipe`), and its messages."""

    request: Request
    settings: Settings
    voice: Voice
    environ: Mapping[str, str]
    #: The script or command that asks.
    title: str
    #: The same for the marker, as an absolute path or address.
    recorded: str
    #: The engine's name; None: the one that works here.
    backend: str | None
    offline: bool
    #: The folder for local paths in `[tool.uv]`.
    script: str | None
    command: str
    #: The header of the request: for its notices, printed on creation, and for places in errors.
    header: Header
    #: Normalised specs of options, and these options: `--with numpy`.
    options_for: Mapping[str, str]
    #: The program that will run, if it is known: an environment without it is damaged.
    program: str | None
    #: The lock file that decides the packages instead of the engine's solver.
    lock: Lockfile | None
    #: Seconds after which an environment is renewed; 0: never.
    renew_after: float
    #: Whether cached packages are checked completely before they are used.
    verify: bool = False

    def check(self) -> None:
        """Raise CreationError for a spec that the engine cannot parse, as far as it can tell without solving."""
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
        """Solve without installing. `whole`: with PyPI packages, if the engine can choose them together."""
        self.require_policy(self.request)
        if self.lock is not None:
            from .lockfiles import lockfile

            found = lockfile.solution(self.lock, self.request)
            self._check_allowed(self.lock, found)
            self.accept(self.request, found)
            return found
        options = self.options
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
        """Raise SettingsError if the site requires what the engine cannot do."""
        from .engines import policy

        policy.check(self.settings, request, self.engine())

    def accept(self, request: Request, found: Solution) -> None:
        """Raise CreationError for packages that the site's policy does not allow."""
        from .engines import policy

        policy.check_packages(self.settings, request, found)

    def _check_allowed(self, lock: Lockfile, found: Solution) -> None:
        """Check that all packages of a lock file come from allowed channels, whatever the header's channels are."""
        from .configuration.channels import resolve_channels

        if not self.settings.allowlist_channels and not self.settings.denylist_channels:
            return
        try:
            resolve_channels(sorted({package.url.rsplit("/", 2)[0] for package in found.packages}), self.settings)
        except SettingsError as error:
            error.details = f"the lock `{lock.path}` has packages of it"
            raise

    def solve(self, *, replaces: bool) -> Solution | None:
        """The packages that `create` will install; None if the engine solves only then."""
        self.verify = replaces  # a person who asks for a new environment may have found a damaged file
        _check_directory()
        for notice in self.header.notices:
            self.tell(notice)
        self.voice.detail(f"engine: {self._account()}")
        self.require_policy(self.request)
        # If nothing can be lost, an engine that solves again in `create` need not do it twice; with a lock file it does
        # not solve.
        return self.solution() if replaces or self.lock is not None or self.engine().solves_first else None

    def create(self, prefix: str, lock_fd: int, solved: Solution | None) -> Built:
        """Fill the prefix, and print the messages of packages."""
        from . import engines

        options = replace(self.options, inherited=(lock_fd,))
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
        """The engine. Raises SettingsError if it cannot work."""
        _check_directory()
        from . import engines

        return engines.engine(self.backend)

    @cached_property
    def options(self) -> Options:
        """The options of the engine."""
        _check_directory()
        from .engines import Options
        from .terminal.live import progress

        cache = self._cache()
        environ = self._environ(cache)  # uv finds its own cache in the same home directory
        return Options(
            cache=cache,
            offline=self.offline or self.settings.offline,
            verify=self.verify,
            package_caches=self._package_caches(),
            run_link_scripts=self.request.link_scripts,
            environ=environ,
            settings=self.settings,
            progress=progress(
                sys.stderr, self.environ, title=self.title, quiet=self.voice.quiet, verbose=self.voice.verbose
            ),
            locate=self._locate,
            command=self.command,
            script=self.script,
        )

    def _environ(self, cache: str | None) -> Mapping[str, str]:
        """The variables for engines and their programs, with a cache for uv that nobody else can change."""
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
        """The timeouts and retries of uv, if a setting has them, and the timeout of git. Both count whole seconds."""
        named = {
            "UV_HTTP_CONNECT_TIMEOUT": "remote_connect_timeout_secs",
            "UV_HTTP_TIMEOUT": "remote_read_timeout_secs",
            "UV_HTTP_RETRIES": "remote_max_retries",
        }
        told = {variable: name for variable, name in named.items() if self.settings.origin(name)}
        found = {variable: str(math.ceil(getattr(self.settings, name))) for variable, name in told.items()}
        # git's server sends a byte a second while it prepares a large answer.
        silence = str(math.ceil(self.settings.remote_read_timeout_secs))
        return {**found, "GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": silence}

    def _package_caches(self) -> tuple[str, ...]:
        """The existing package caches of the setting: a mount may be missing on a host."""
        from .ownership import refuse_others

        found = [cache for cache in self.settings.package_caches if os.path.isdir(cache)]
        for cache in found:
            refuse_others(cache, self.settings.trusted_groups, hint="remove it from the setting `package-caches`")
        return tuple(found)

    def _cache(self) -> str | None:
        """Where packages are cached instead of the engine's default, which needs a home directory that can be written
        to and locked."""
        from .cache import private_directory, rattler_cache
        from .engines.rattler.incoming import LOCK
        from .environments.lock import has_locks
        from .ownership import others, refuse_others

        usual = rattler_cache(self.environ)
        if self.environ.get("RATTLER_CACHE_DIR"):
            refuse_others(
                usual, self.settings.trusted_groups, hint="set `RATTLER_CACHE_DIR` to a directory of your own"
            )
            return None
        why = others(usual, self.settings.trusted_groups) if os.path.isabs(usual) else None
        if why is None and (not os.path.isabs(usual) or not is_writable(usual)):
            why = f"`{usual}` cannot be written to"
        if why is None and not has_locks(os.path.join(usual, "pkgs", LOCK)):
            why = f"`{usual}` is on a file system without locks"
        if why is None and is_full(usual):
            why = f"no space is left on the disk of `{usual}`"
        if why is None:
            return None
        cache = os.path.join(private_directory(self.environ), "rattler")
        self.tell(f"packages are cached in `{cache}`, which may not last: {why}")
        return cache

    def _locate(self, wanted: str) -> Location | None:
        """Find the place in the script of an entry of the request, in which specs are normalised and paths absolute."""
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
        """The folder at which relative paths of the request start."""
        return os.path.dirname(os.path.abspath(self.script)) if self.script else os.getcwd()

    def _canonical(self, channel: str) -> str:
        """The name in the request of a channel of the header, such as `file:///my%20channel`."""
        from .configuration.channels import resolve_channels

        return resolve_channels((channel,), self.settings, folder=self._folder)[0].name

    def fits(self, environment: Environment) -> bool:
        """Whether this host satisfies the environment's virtual packages."""
        from .engines import virtual_packages

        return virtual_packages.fits(environment.marker.virtual_packages, self.request.overrides)

    def is_sound(self, environment: Environment) -> bool:
        """Whether the program that the environment was created for still exists: a purge of a scratch disk may have
        deleted it and left the package records."""
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
        self.voice.notice(text, *more)


def _check_directory() -> None:
    """Raise PlaceError if the working directory is gone: existing environments can still be used, but py-rattler 0.28
    needs it to create one."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise PlaceError(
            "the working directory is gone, and no environment can be created from there",
            hint="change to another directory",
        ) from None
