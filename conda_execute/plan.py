"""A planned run: script, settings, request and lock file, validated before anything is created."""

from __future__ import annotations

import os

from .cache import cache_dir, fitting_cache, home_directory, rattler_cache
from .configuration.settings import load, unread
from .environments.name import environment_name
from .environments.place import choose_tmp_envs
from .environments.store import Store
from .errors import ExecuteError, HeaderError, Location, UsageError
from .launch import process
from .launch.activation import activate
from .lean.values import dataclass, replace
from .lockfiles import may_be_there
from .model import ENVIRONMENTS, WHOLE
from .recipe import Recipe
from .resolve import beside, resolve
from .script import command, interpreter, languages, source
from .script.header import read_header
from .specs import platforms
from .specs.match_spec import normalise_spec, spec_name
from .terminal.messages import Voice, ask, can_ask, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .configuration.declared import Settings
    from .launch.activation import Activation
    from .launch.sandbox.policy import SandboxPolicy
    from .lockfiles.lockfile import Lockfile
    from .model import Request
    from .options import RunOptions
    from .script.header.keys import Header
    from .script.source import Script


@dataclass(frozen=True)
class Plan:
    """One run, before its environment exists."""

    options: RunOptions
    script: Script
    environ: dict[str, str]
    settings: Settings
    header: Header
    request: Request
    voice: Voice
    lock: Lockfile | None = None
    #: Whether there is a lock file that does not fit, which every run must report.
    has_stale_lock: bool = False
    #: The kind of sandbox to run in; None: no sandbox.
    sandbox: str | None = None

    @property
    def name(self) -> str:
        return environment_name(self.request)

    @property
    def renew_after(self) -> float:
        """Seconds after which an environment is renewed; 0: never, for example if a lock file decides what is in it."""
        days = self.header.renew_after
        seconds = self.settings.renew_after.total_seconds() if days is None else days * 86400
        return 0.0 if self.lock is not None else seconds

    @property
    def activation_scripts(self) -> tuple[str, ...]:
        """The paths of the header's activation scripts. Raises HeaderError if one does not exist."""
        found = []
        for written in self.header.activation_scripts:
            found.append(beside(written, self.script.folder, self.script.path))
            if not os.path.isfile(found[-1]):
                raise HeaderError(
                    f"the activation script `{found[-1]}` is not there", where=self.header.location(written) or ()
                )
        return tuple(found)

    def activation(self, prefix: str, environ: Mapping[str, str], more: Iterable[tuple[str, str]] = ()) -> Activation:
        """The activation of the environment at this prefix; `more` are further variables."""
        of_notebook = self.script.notebook.variables if self.script.notebook else ()
        done = activate(
            prefix,
            environ,
            (*self.header.variables, *of_notebook, *more),
            uppercase=self.settings.envvars_force_uppercase,
            user_libraries=self.settings.user_libraries,
        )
        return replace(done, scripts=(*done.scripts, *self.activation_scripts))

    @property
    def cache(self) -> str:
        return fitting_cache(self.environ)

    def words(self, provides: Callable[[str], bool] | None = None) -> tuple[str, ...]:
        """The command before the script's path; if it is not given, guessed from the specs or `provides`."""
        return interpreter.choose(self.header.run_with, self.script.head, self.script.path, provides or self._asks_for)

    def shebang(self, program: str) -> tuple[Location, ...]:
        """The location of the shebang, if it decides which program runs the script."""
        line = self.script.head.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
        at = line.find(program)
        if not line.startswith("#!") or self.header.run_with is not None or at < 0:
            return ()
        return (Location(self.script.place, 1, at + 1, len(program), line),)

    def require_all(self) -> None:
        """Raise an error if the script cannot be run: no interpreter, no trust, no sandbox."""
        self.require_command()
        self.require_trust()
        self.require_sandbox()

    def require_command(self) -> None:
        """Raise HeaderError if nothing says what runs the script, and it can be neither Python nor shell.

        Both have only `#` comments; sh would read the header of a C file as commands, and run some of them.
        """
        assert self.activation_scripts is not None  # every mistake is found before anything is created
        first = self.header.lines[0]
        if self.header.entrypoint is not None or not first:
            return
        line = self.script.head.split(b"\n", first)[first - 1].decode("utf-8", "replace").rstrip("\r")
        where = Location(self.script.place, first, 1, len(line), line)
        if self.header.run_with is None and self.script.notebook is None:
            languages.require_comment(self.script.path, self.script.head, first, where)
        if interpreter.said(self.header.run_with, self.script.head, self.script.path) is not None:
            return
        if line.lstrip("\ufeff \t").startswith("#"):
            return
        raise HeaderError(
            f"nothing says what runs `{self.script.title}`",
            where=where,
            hint="add `run_with`, with the program that runs it, or what compiles and runs it: `sh -c '...'`",
        )

    def require_trust(self) -> None:
        """Nothing of a script from the web is run or installed before a person has agreed."""
        fetched = self.script.fetched
        if fetched is None:
            return
        from .script.web import trust

        standing = trust.standing(fetched, self.settings.trusted_urls, self.cache)
        if standing == trust.TRUSTED:
            return
        changes = trust.changes(fetched, self.cache)
        if self.options.trust and changes:
            say(trust.describe(fetched, standing, self.header, self.script, changes))
        if not self.options.trust:
            if not can_ask():
                raise trust.refusal(fetched, standing)
            say(trust.describe(fetched, standing, self.header, self.script, changes))
            if not ask("Run it with your permissions? [y/N]"):
                raise ExecuteError(f"cancelled: `{fetched.address}` was not run")
        trust.remember(fetched, self.cache)

    def store(self) -> Store:
        return _store(self.settings, self.environ, self.name, self.voice.notice)

    def store_to_run_in(self) -> Store:
        """The same, if programs can run there. Raises NotExecutableError."""
        store = self.store()
        process.require_executable(store.tmp_envs)
        return store

    def with_lockfile(self, store: Store) -> Plan:
        """The same plan with its packages decided by the script's lock file, if there is one that fits."""
        options = self.options
        if options.no_lock or not (self.script.is_file or options.lock_file):
            return self
        data = None if options.lock_file else source.read_whole(self.script)
        if data is not None and not options.locked and not may_be_there(self.script.path, data):
            return self
        from .lockfiles import choice

        notice = self.voice.notice
        lock, aside = choice.deciding(
            self.script,
            data,
            # A sandbox changes which code of packages may run, but not the packages.
            replace(self.request, link_scripts=self.settings.run_link_scripts, builds=True),
            options,
            trusted=self.settings.trusted_groups,
            notice=notice,
        )
        if lock is None:
            return replace(self, has_stale_lock=aside)
        locked = replace(self, lock=lock, request=replace(self.request, lock=lock.digest))
        if not lock.inputs and store.find(locked.name) is None:
            fits = choice.satisfied(lock, locked.request, required=options.locked, notice=notice)
            return locked if fits is not None else replace(self, has_stale_lock=True)
        if self.settings.allowlist_channels or self.settings.denylist_channels:
            locked.recipe().solution()  # an existing environment may be older than this setting
        return locked

    def recipe(self) -> Recipe:
        return Recipe(
            self.request,
            self.settings,
            self.voice,
            self.environ,
            title=self.script.title,
            recorded=self.script.recorded,
            backend=self.options.backend or self.settings.backend,
            offline=self.options.offline,
            script=self.script.path if self.script.is_file else None,
            command=f"conda execute {self.script.title}" if self.script.given else self.script.title,
            header=self.header,
            lock=self.lock,
            renew_after=self.renew_after,
            options_for={
                **{normalise_spec(spec): f"--add {spec}" for spec in self.options.add},
                **{normalise_spec(spec): f"--with {spec}" for spec in self.options.extra},
                **{normalise_spec(self.options.python_spec): f"--python {one}" for one in [self.options.python] if one},
                **{normalise_spec(spec): self.script.title for spec in self.header.specs if self.script.program},
            },
            program=None if self.header.entrypoint else os.path.basename(interpreter.without_env(self.words())[0]),
        )

    def require_sandbox(self) -> None:
        """Raise SandboxError if this kind of sandbox is impossible, before an environment is created for it."""
        if self.sandbox:
            from .launch import sandbox

            sandbox.require(environments_only=self.sandbox == ENVIRONMENTS)

    def policy(self, prefix: str) -> SandboxPolicy:
        """The permissions of the script in its sandbox, with the environment at this prefix."""
        from .launch.sandbox import policy

        shared = {os.path.dirname(prefix), self.cache, rattler_cache(self.environ)}
        outside = policy.Outside(
            environment=prefix,
            script=self.script.path,
            has_folder=self.script.is_file,
            folder=os.getcwd(),
            home=home_directory(self.environ),
            shared=tuple(sorted(path for path in shared if path)),
        )
        if self.sandbox == ENVIRONMENTS:
            return policy.protect(outside)
        write, net = self.options.allow_write, self.options.allow_net
        decided, closed = policy.decide(outside, self.header.narrowing, write=write, net=net)
        if closed:
            self.voice.notice(
                f"the script sees nothing of `{outside.folder}`, which holds more than one project, and what it writes "
                "there is lost; `--allow-write DIR` opens a folder"
            )
        return decided

    def _asks_for(self, name: str) -> bool:
        return any(spec_name(spec) == name for spec in self.request.specs)


def understand(options: RunOptions) -> Plan:
    """Plan a run: everything that can be known without an environment, and every mistake that can be found."""
    environ = process.inherited_environ()
    settings = load(environ)
    return planned(options, find_script(options, settings, environ), settings, environ)


def planned(options: RunOptions, script: Script, settings: Settings, environ: dict[str, str]) -> Plan:
    header = header_of(script, settings.subdir or platforms.host(), options, environ)
    sandbox = sandbox_of(options, settings, script, header)
    path = script.path if script.is_file else ""
    request = resolve(
        header,
        settings,
        options,
        folder=script.folder,
        script=path,
        environ=environ,
        sandboxed=sandbox == WHOLE,
    )
    if header.format == "script" and path and os.path.exists(f"{path}.lock"):
        told = (
            f"`{script.title}.lock` is a lock file of uv, which is not read here; "
            "`conda execute --lock` writes one for conda-execute"
        )
        header = replace(header, notices=(*header.notices, told))
    voice = _voice(options, header)
    if voice.verbose and (named := unread(settings, environ)):
        why = "its name does not end in `.yml` or `.yaml`" if os.path.exists(named) else "it is not there"
        voice.detail(f"`CONDARC` names `{named}`, which is not read: {why}")
    return Plan(options, script, environ, settings, header, request, voice, sandbox=sandbox)


def of_specs(options: RunOptions, header: Header) -> Plan:
    """The plan of an environment in which nothing runs yet; `header` has its specs."""
    environ = process.inherited_environ()
    settings = load(environ)
    script = source.Script("", os.path.join(os.getcwd(), ""), b"", "conda tmpenv create", is_file=False)
    request = resolve(header, settings, options, folder=script.folder, environ=environ)
    return Plan(options, script, environ, settings, header, request, _voice(options, header))


def _voice(options: RunOptions, header: Header) -> Voice:
    verbose = (options.verbose or header.verbose) and not options.quiet
    return Voice(verbose=verbose, quiet=(options.quiet or header.quiet) and not verbose)


def open_store(notice: Callable[[str], None]) -> tuple[Settings, Store]:
    """The settings, and the store in which a new environment would be created."""
    environ = process.inherited_environ()
    settings = load(environ)
    return settings, _store(settings, environ, None, notice)


def _store(settings: Settings, environ: Mapping[str, str], name: str | None, notice: Callable[[str], None]) -> Store:
    env_dir, trusted = settings.env_dir, settings.trusted_groups
    return Store(choose_tmp_envs(env_dir, trusted, environ, platforms.host(), name=name, notice=notice))


def sandbox_of(options: RunOptions, settings: Settings, script: Script, header: Header) -> str | None:
    """The kind of sandbox to run in: the one asked for, or a stronger one if settings or header require it."""
    always = settings.sandbox == "always" or (settings.sandbox == "urls" and script.fetched is not None)
    sandbox = WHOLE if always or header.narrowing is not None else options.sandbox
    widening = options.given("allow_net", "allow_write", "allow_env")
    if widening and sandbox != WHOLE:
        raise UsageError(f"`{widening[0].name}` goes with `--sandbox`")
    for name in options.allow_env:
        if "=" in name:
            hint = f"set it before the command: `{name} conda execute ...`"
            raise UsageError(f"`--allow-env {name}`: only the name of a variable goes here", hint=hint)
    return sandbox


def as_script(options: RunOptions) -> RunOptions:
    """Turn `-x COMMAND ARGUMENTS` into a generated script and its arguments, which only a run uses."""
    if not options.command:
        raise UsageError("`-x` needs the name of a program", hint="such as `conda execute -x samtools view`")
    word, *arguments = options.command
    if os.path.isfile(word) and _is_meant_as_script(word, has_package=bool(options.extra)):
        from shlex import join

        given = join([*(each for spec in options.extra for each in ("--with", spec)), *options.command])
        raise UsageError(
            f"`{word}` is a script here, not a program of a package", hint=f"leave out `-x`: `conda execute {given}`"
        )
    path = command.script_of(word, process.inherited_environ(), has_package=bool(options.extra))
    return options.replaced(words=(path, *arguments) if options.action == "run" else (path,), command=None)


def _is_meant_as_script(word: str, *, has_package: bool) -> bool:
    """Whether the name of a file after `-x` cannot be that of a program: packages have some that end in `.py`."""
    from .script import languages

    return os.sep in word or (languages.of(word) is not None and not has_package)


def find_script(options: RunOptions, settings: Settings, environ: dict[str, str]) -> Script:
    if options.code is not None:
        return source.from_words(options.code) if options.code else source.from_standard_input(source.standard_input())
    if not options.words:
        raise _no_script(options)
    word = options.words[0]
    if word == "-":
        return source.from_standard_input(source.standard_input())
    if not source.is_address(word):
        return _at_path(word, environ)
    from .script.web import address, fetch

    offline = options.offline or settings.offline
    return source.from_web(fetch.fetch(address.parse(word), settings, environ, offline=offline))


def _at_path(word: str, environ: dict[str, str]) -> Script:
    script = source.from_file(word)
    program = command.program_at(script.path, environ)
    return replace(script, title=f"-x {os.path.basename(script.path)}", program=program) if program else script


def _no_script(options: RunOptions) -> UsageError:
    from shlex import quote

    hint = (
        "`conda execute SCRIPT` runs one, `conda execute --init SCRIPT` starts one; `conda execute --help` shows more"
    )
    if options.extra and os.path.isfile(options.extra[-1]):
        hint = f"`--with` took it for a spec: `conda execute --with SPEC {quote(options.extra[-1])}`"
    elif options.extra:
        hint = f"name a script, or run code: `conda execute --with {quote(options.extra[0])} -c 'print(1)'`"
    return UsageError("there is no script to run", hint=hint)


def header_of(script: Script, platform: str, options: RunOptions, environ: Mapping[str, str]) -> Header:
    """The script's header; without one, `--with` is enough."""
    cache = cache_dir(environ)
    if script.program is not None:
        from .script import specfile

        header = specfile.from_words([]) if options.extra else read_header(script.head, script.place, platform, cache)
        return replace(header, entrypoint=command.entrypoint(script.program))
    try:
        return read_header(script.head, script.place, platform, cache)
    except HeaderError:
        from .script.header import find_header

        if find_header(script.head, script.place) is not None:
            raise
        if options.requirements:
            from .script import specfile

            return specfile.from_words([])
        if script.notebook is None:
            raise
        from .script.notebook import no_header

        raise no_header(script.place) from None
