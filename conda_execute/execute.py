"""`conda execute`: run a script in the environment that its header asks for.

The way of a run, each step in a module of its own: the script (`source`), what it says (`header`), what is configured
(`settings`), what is therefore to be installed (`request`), an environment that has it (`prepare`), noted as used by
this process, and the script's command (`command`), started in it as if it had been run directly (`process`).
"""

from __future__ import annotations

import os
import sys

from . import command, key, layout, options, platforms, process, source, specfile
from .activation import activate
from .create import Creation, Voice, check_backend, megabytes
from .errors import ExecuteError, HeaderError, UsageError
from .header import read_header
from .request import Options, resolve
from .settings import load
from .store import Store, choose_tmp_envs
from .terminal import Terminated, ask, can_ask, print_json, report, say, unwind_on_signals
from .values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from .activation import Activation
    from .model import Environment, Header, Request
    from .settings import Settings
    from .source import Script

#: What can be asked for instead of a run; one at a time.
_INSTEAD = ("check", "dry_run", "print_prefix", "shell")


def program() -> NoReturn:
    """The entry point `conda-execute`."""
    from .terminal import run

    run(main)


def main(argv: Sequence[str]) -> int:
    """`conda execute` with these words after it. Returns an exit status only where no script was run."""
    as_json = False
    restore = unwind_on_signals()
    try:
        chosen = options.parse(argv)
        as_json = chosen.json
        return _main(chosen, restore)
    except ExecuteError as error:
        report(error, as_json)
        return error.exit_status
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except Terminated as signal:
        return 128 + signal.number


@dataclass(frozen=True)
class _Run:
    """All that is known of one run before its environment is there."""

    chosen: Namespace
    script: Script
    environ: dict[str, str]
    settings: Settings
    header: Header
    request: Request
    voice: Voice

    def words(self, provides: Callable[[str], bool] | None = None) -> tuple[str, ...]:
        """The command before the script's path; where it is not written, as far as the specs tell, or `provides`."""
        return command.choose(self.header.run_with, self.script.head, self.script.path, provides or self._asks_for)

    def _asks_for(self, name: str) -> bool:
        return any(key.spec_name(spec) == name for spec in self.request.specs)


def _main(chosen: Namespace, restore: Callable[[], None]) -> int:
    if chosen.help or chosen.version:
        return _tell(chosen)
    _check_usage(chosen)
    run = _understand(chosen)
    if chosen.check:
        return _check(run)
    _require_trust(run)
    store = _store(run)
    creation = _creation(run)
    if chosen.dry_run:
        return _dry_run(run, creation, store)
    _tell_specification(run)
    environment = creation.ensure(store, title=run.script.title, force=chosen.force_env)
    run.voice.detail(f"Prefix: {environment.prefix}\n")
    if chosen.print_prefix:
        return _print_prefix(environment, chosen.json)
    _clean_if_due(run, store, environment)
    restore()
    return _start(run, environment)


def _understand(chosen: Namespace) -> _Run:
    """Everything about the run that can be known without an environment, and every mistake that can be found."""
    environ = process.inherited_environ()
    settings = load(environ)
    script = _find_script(chosen, settings, environ)
    header = _header(script, settings.subdir or platforms.host(), chosen)
    asked = Options(
        extra=tuple(getattr(chosen, "with")),
        channels=tuple(chosen.channel),
        override_channels=chosen.override_channels,
        exclude_newer=chosen.exclude_newer,
    )
    request = resolve(header, settings, asked, folder=script.folder, environ=environ)
    quiet, verbose = chosen.quiet or header.quiet, (chosen.verbose or header.verbose) and not chosen.quiet
    return _Run(chosen, script, environ, settings, header, request, Voice(verbose=verbose, quiet=quiet and not verbose))


# What is asked ---------------------------------------------------------------------------------------------------


def _tell(chosen: Namespace) -> int:
    if chosen.version:
        from . import __version__

        print(f"conda-execute {__version__}")
    else:
        print(options.HELP, end="")
    return 0


def _check_usage(chosen: Namespace) -> None:
    asked = [f"--{name.replace('_', '-')}" for name in _INSTEAD if getattr(chosen, name)]
    if len(asked) > 1:
        raise UsageError(f"`{asked[0]}` and `{asked[1]}` ask for different things", hint="give one of them")
    if chosen.json and not asked:
        chosen.dry_run = True
    if chosen.json and chosen.shell:
        raise UsageError("`--shell` has nothing to say as JSON")


def _find_script(chosen: Namespace, settings: Settings, environ: dict[str, str]) -> Script:
    if chosen.code is not None:
        return source.from_words(chosen.code) if chosen.code else source.from_standard_input(source.standard_input())
    if not chosen.words:
        raise UsageError("there is no script to run", hint="conda execute SCRIPT, or `conda execute --help`")
    if chosen.words[0] == "-":
        return source.from_standard_input(source.standard_input())
    if not source.is_address(chosen.words[0]):
        return source.from_file(chosen.words[0])
    from . import address, remote

    where = address.parse(chosen.words[0])
    return source.from_web(remote.fetch(where, settings, environ, offline=chosen.offline or settings.offline))


def _header(script: Script, platform: str, chosen: Namespace) -> Header:
    """The script's header; without one, what `--with` asks for is enough."""
    try:
        return read_header(script.head, script.title, platform)
    except HeaderError:
        from .header import find_header

        wishes: list[str] = getattr(chosen, "with")
        if not wishes or find_header(script.head, script.title) is not None:
            raise
        return specfile.from_words([])


def _require_trust(run: _Run) -> None:
    """Of a script from the web nothing is run, and nothing installed for it, before somebody vouched for it."""
    fetched = run.script.fetched
    if fetched is None:
        return
    from . import trust

    cache = layout.cache_dir(run.environ, os.path.expanduser("~"))
    standing = trust.standing(fetched, run.settings.trusted_urls, cache)
    if standing == trust.TRUSTED:
        return
    if not run.chosen.trust:
        if not can_ask():
            raise trust.refusal(fetched, standing)
        say(trust.describe(fetched, standing, run.header, run.script.path))
        if not ask("Run it? It may do all that you may do. [y/N]"):
            raise ExecuteError(f"`{fetched.address}` is not run")
    trust.remember(fetched, cache)


def _store(run: _Run) -> Store:
    name = key.name(run.request)
    return Store(choose_tmp_envs(run.settings, run.environ, platforms.host(), name=name, notice=run.voice.notice))


def _creation(run: _Run) -> Creation:
    return Creation(
        run.request,
        run.settings,
        run.voice,
        run.environ,
        backend=check_backend(run.chosen.backend or run.settings.backend),
        offline=run.chosen.offline,
        script=run.script.path if run.script.is_file else None,
        command=f"conda execute {run.script.title}",
        header=run.header,
        program=None if run.header.entrypoint else os.path.basename(command.without_env(run.words())[0]),
    )


# Instead of a run ------------------------------------------------------------------------------------------------


def _check(run: _Run) -> int:
    meaning = _meaning(run)
    if run.chosen.json:
        print_json(meaning)
    else:
        _print_meaning(meaning)
    return 0


def _meaning(run: _Run) -> dict[str, Any]:
    """What a header means, as plain values; what it does not mention is left out."""
    header, request = run.header, run.request
    said: dict[str, Any] = {
        "script": run.script.title,
        "format": header.format,
        "name": key.name(request),
        "specs": list(request.specs),
        "pypi": list(request.pypi),
        "channels": [channel.name for channel in request.channels],
        "constraints": list(request.constraints),
        "channel_priority": header.channel_priority,
        "exclude_newer": request.exclude_newer,
        "platform": request.platform,
        "run_with": None if header.entrypoint else list(run.words()),
        "entrypoint": None if header.entrypoint is None else str(header.entrypoint),
        "variables": dict(header.variables),
        "notices": list(header.notices),
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def _print_meaning(meaning: dict[str, Any]) -> None:
    width = max(map(len, meaning)) + 2
    for name, value in meaning.items():
        lines = [f"{key}={text}" for key, text in value.items()] if isinstance(value, dict) else value
        if name == "run_with":
            lines = [" ".join(value)]
        text = ("\n" + " " * width).join(lines) if isinstance(lines, list) else lines
        print(f"{name.replace('_', ' ') + ':':{width}}{text}")


def _dry_run(run: _Run, creation: Creation, store: Store) -> int:
    name = key.name(run.request)
    environment = store.find(name)
    meaning = _meaning(run)
    meaning["prefix"] = environment.prefix if environment else store.prefix(name)
    meaning["state"] = "ready" if environment else "missing"
    solution = None if environment else creation.solution()
    if run.chosen.json:
        if solution is not None:
            meaning["packages"] = [
                {"name": package.name, "version": package.version, "build": package.build, "url": package.url}
                for package in solution.packages
            ]
            meaning["download"] = solution.download
        print_json(meaning)
        return 0
    if solution is not None:
        meaning["download"] = megabytes(solution.download)
    _print_meaning(meaning)
    if solution is not None:
        print("\nwould install:", *(f"  {package}" for package in solution.packages), sep="\n")
    return 0


def _print_prefix(environment: Environment, as_json: bool) -> int:
    if as_json:
        print_json({"prefix": environment.prefix, "name": environment.name})
    else:
        print(environment.prefix)
    return 0


# The run ---------------------------------------------------------------------------------------------------------


def _tell_specification(run: _Run) -> None:
    """What the seed's transcript shows under `-v`."""
    header = run.header
    lines = ["Using specification: ", f"env: [{', '.join(header.specs)}]"]
    if run.request.pypi:
        lines.append(f"pip: [{', '.join(run.request.pypi)}]")
    if header.channels is not None:
        lines.append(f"channels: [{', '.join(header.channels)}]")
    if header.entrypoint is not None:
        lines.append(f"entrypoint: {header.entrypoint}")
    else:
        lines.append(f"run_with: [{', '.join(run.words())}]")
    run.voice.detail("\n".join(lines) + "\n")


def _clean_if_due(run: _Run, store: Store, environment: Environment) -> None:
    """Start the hourly sweep, in the background, if it is time."""
    if not run.settings.auto_clean:
        return
    from . import sweep, usage

    policy = sweep.Policy(run.settings.remove_if_unused_for, run.settings.foreign_use_ttl)
    note = usage.note_path(environment, usage.this_process())
    sweep.start_if_due(store, note, policy, _cache(run))


def _start(run: _Run, environment: Environment) -> NoReturn:
    """Become the script."""
    activation = activate(environment.prefix, run.environ, run.header.variables)
    if run.chosen.shell:
        process.execute([run.environ.get("SHELL") or "/bin/sh"], activation)
    arguments = run.chosen.words[1:]
    if run.header.entrypoint is not None:
        cache = layout.script_cache(_cache(run) or environment.prefix, run.script.path)
        constant = process.constant_command(run.header.entrypoint, run.script.path)
        if constant is not None:
            _record(run, environment, activation, constant, passes_script=False)
        process.execute_entrypoint(run.header.entrypoint, arguments, activation, script=run.script.path, cache=cache)

    def provides(name: str) -> bool:
        return os.access(os.path.join(environment.prefix, "bin", name), os.X_OK)

    words = command.effective(run.words(provides), provides)
    _record(run, environment, activation, words)
    process.execute([*words, run.script.given, *arguments], activation)


def _record(
    run: _Run, environment: Environment, activation: Activation, words: Sequence[str], passes_script: bool = True
) -> None:
    """Let the launcher do it by itself next time, if it can: what is told about each run, Python must tell."""
    if not run.script.is_file or run.voice.verbose or process.LAUNCHED not in os.environ:
        return
    from . import record

    wanted = record.Run(
        script=run.script.given,
        data=run.script.head,
        last_line=run.header.lines[1],
        sources=run.settings.sources,
        environment=environment,
        activation=activation,
        command=words,
        passes_script=passes_script,
        sweeps=run.settings.auto_clean,
    )
    record.write(wanted, _cache(run), os.environ)


def _cache(run: _Run) -> str | None:
    return layout.cache_dir(run.environ, os.path.expanduser("~"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
