"""All that is known of one run before its environment is there, and every mistake that can be found by then.

Put together once, from the command line, the script, the settings and the script's lock; the doors go on from here.
"""

from __future__ import annotations

import os

from .cache import cache_dir, home_directory
from .configuration.settings import load
from .environments.name import environment_name
from .environments.place import choose_tmp_envs
from .environments.store import Store
from .errors import ExecuteError, HeaderError, Location, UsageError
from .launch import process
from .lean.values import dataclass, replace
from .recipe import Recipe, check_backend
from .resolve import Options, resolve
from .script import interpreter, source, specfile
from .script.header import read_header
from .specs import platforms
from .specs.match_spec import spec_name
from .terminal.messages import ask, can_ask, say
from .terminal.voice import Voice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from .configuration.settings import Settings
    from .lockfiles.lockfile import Lock
    from .model import Header, Request
    from .script.source import Script


@dataclass(frozen=True)
class Run:
    """One run, before its environment is there."""

    chosen: Namespace
    script: Script
    environ: dict[str, str]
    settings: Settings
    header: Header
    request: Request
    voice: Voice
    lock: Lock | None = None
    #: There is a lock that does not fit, of which every run tells.
    has_stale_lock: bool = False

    def words(self, provides: Callable[[str], bool] | None = None) -> tuple[str, ...]:
        """The command before the script's path; where it is not written, as far as the specs tell, or `provides`."""
        return interpreter.choose(self.header.run_with, self.script.head, self.script.path, provides or self._asks_for)

    def require_words(self) -> None:
        """Raise HeaderError where nothing says what runs the script, and it can be neither Python nor shell.

        Both know no other comment than `#`; sh would take the header of a C file for commands, and run some.
        """
        first = self.header.lines[0]
        if self.header.entrypoint is not None or not first:
            return
        if interpreter.said(self.header.run_with, self.script.head, self.script.path) is not None:
            return
        line = self.script.head.split(b"\n", first)[first - 1].decode("utf-8", "replace").rstrip("\r")
        if line.lstrip("\ufeff \t").startswith("#"):
            return
        raise HeaderError(
            f"nothing says what runs `{self.script.title}`",
            where=Location(self.script.place, first, 1, len(line), line),
            hint="add `run_with`, with the program that runs it, or what compiles and runs it: `sh -c '...'`",
        )

    def _asks_for(self, name: str) -> bool:
        return any(spec_name(spec) == name for spec in self.request.specs)


def understand(chosen: Namespace) -> Run:
    """Everything about the run that can be known without an environment, and every mistake that can be found."""
    environ = process.inherited_environ()
    settings = load(environ)
    script = find_script(chosen, settings, environ)
    header = header_of(script, settings.subdir or platforms.host(), chosen)
    request = resolve(header, settings, asked(chosen), folder=script.folder, environ=environ)
    quiet, verbose = chosen.quiet or header.quiet, (chosen.verbose or header.verbose) and not chosen.quiet
    return Run(chosen, script, environ, settings, header, request, Voice(verbose=verbose, quiet=quiet and not verbose))


def of_one_run(chosen: Namespace) -> list[str]:
    """The options that change what one run asks for."""
    names = ("with", "channel", "override_channels", "exclude_newer")
    return [f"--{name.replace('_', '-')}" for name in names if getattr(chosen, name)]


def asked(chosen: Namespace) -> Options:
    return Options(
        extra=tuple(getattr(chosen, "with")),
        channels=tuple(chosen.channel),
        override_channels=chosen.override_channels,
        exclude_newer=chosen.exclude_newer,
    )


def find_script(chosen: Namespace, settings: Settings, environ: dict[str, str]) -> Script:
    if chosen.code is not None:
        return source.from_words(chosen.code) if chosen.code else source.from_standard_input(source.standard_input())
    if not chosen.words:
        raise UsageError("there is no script to run", hint="conda execute SCRIPT, or `conda execute --help`")
    if chosen.words[0] == "-":
        return source.from_standard_input(source.standard_input())
    return script_at(chosen.words[0], settings, environ, offline=chosen.offline or settings.offline)


def script_at(word: str, settings: Settings, environ: dict[str, str], *, offline: bool) -> Script:
    """The script at a path or a URL."""
    if not source.is_address(word):
        return source.from_file(word)
    from .script.web import address, fetch

    return source.from_web(fetch.fetch(address.parse(word), settings, environ, offline=offline))


def header_of(script: Script, platform: str, chosen: Namespace) -> Header:
    """The script's header; without one, what `--with` asks for is enough."""
    try:
        return read_header(script.head, script.place, platform)
    except HeaderError:
        from .script.header import find_header

        wishes: list[str] = getattr(chosen, "with")
        if find_header(script.head, script.place) is not None:
            raise
        if wishes:
            return specfile.from_words([])
        if script.notebook is None:
            raise
        from .script.notebook import no_header

        raise no_header(script.place) from None


def require_trust(run: Run) -> None:
    """Of a script from the web nothing is run, and nothing installed for it, before somebody vouched for it."""
    fetched = run.script.fetched
    if fetched is None:
        return
    from .script.web import trust

    cache = cache_dir(run.environ, home_directory())
    standing = trust.standing(fetched, run.settings.trusted_urls, cache)
    if standing == trust.TRUSTED:
        return
    if not run.chosen.trust:
        if not can_ask():
            raise trust.refusal(fetched, standing)
        say(trust.describe(fetched, standing, run.header, run.script))
        if not ask("Run it? It may do all that you may do. [y/N]"):
            raise ExecuteError(f"`{fetched.address}` is not run")
    trust.remember(fetched, cache)


def with_lock(run: Run, store: Store) -> Run:
    """The same run with its packages decided by the script's lock, if there is one that fits."""
    chosen = run.chosen
    if chosen.no_lock or not (run.script.is_file or chosen.lock_file):
        return run
    from .lockfiles import choice

    data = None if chosen.lock_file else source.read_whole(run.script)
    notice = run.voice.notice
    lock, aside = choice.deciding(
        run.script,
        data,
        run.request,
        path=chosen.lock_file,
        required=chosen.locked,
        changed_by=next(iter(of_one_run(chosen)), None),
        notice=notice,
    )
    if lock is None:
        return replace(run, has_stale_lock=aside)
    locked = replace(run, lock=lock, request=replace(run.request, lock=lock.digest))
    if not lock.inputs and store.find(environment_name(locked.request)) is None:
        fits = choice.satisfied(lock, locked.request, required=chosen.locked, notice=notice)
        return locked if fits is not None else replace(run, has_stale_lock=True)
    return locked


def store_of(run: Run) -> Store:
    name = environment_name(run.request)
    return Store(choose_tmp_envs(run.settings, run.environ, platforms.host(), name=name, notice=run.voice.notice))


def recipe_of(run: Run) -> Recipe:
    return Recipe(
        run.request,
        run.settings,
        run.voice,
        run.environ,
        title=run.script.title,
        backend=check_backend(run.chosen.backend or run.settings.backend),
        offline=run.chosen.offline,
        script=run.script.path if run.script.is_file else None,
        command=f"conda execute {run.script.title}",
        header=run.header,
        lock=run.lock,
        program=None if run.header.entrypoint else os.path.basename(interpreter.without_env(run.words())[0]),
    )
