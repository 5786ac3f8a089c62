"""`conda tmpenv`: look at the environments that scripts share, make one, and remove what nobody uses."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta

from ...configuration.settings import load
from ...environments.ensure import ensure
from ...environments.name import environment_name
from ...environments.place import choose_tmp_envs
from ...environments.store import Store, is_name
from ...errors import PlaceError, UsageError
from ...launch import process
from ...lean.values import replace
from ...resolve import Options, resolve
from ...script import specfile
from ...specs import platforms
from ...terminal import table
from ...terminal.messages import guard, print_json, say, unwind_on_signals
from ...text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from ...configuration.settings import Settings
    from ...environments.sweep import Found, Policy
    from ...model import Environment, Header, Marker, Request

HELP = """\
usage: conda tmpenv COMMAND ...

The environments that `conda execute` makes, shared by all scripts with the same
needs. Those that nobody used for 25 hours are removed automatically.

  list [--json] [--sort KEY]
        every environment: size, age, last use, what runs in it, script, specs.
        KEY is name, size, created, used or script
  clear [--min-age HOURS] [--dry-run] [--json] [NAME or SCRIPT...]
        remove what is unused (these, or all); never what is in use
  create SPEC... [--file FILE] [--channel CHANNEL]... [--compile]
        make an environment, or find it, and print its path
  name SPEC... [--file FILE] [--channel CHANNEL]...
        print the path that such an environment has, or would have
  info NAME or SCRIPT [--json]
        one environment in full: packages, channels, how it was made, who
        uses it
  keep NAME or SCRIPT, release NAME or SCRIPT
        never remove it automatically; let it be removed again

SPEC is a conda match spec (`python=3.12`, `numpy >=2`) or `pypi:` and a PyPI
requirement. FILE holds one spec a line, or is an environment.yml. NAME may be
shortened while it is unique.

create takes further: --override-channels, --offline, --exclude-newer WHEN,
--backend NAME, -f, -v, -q as `conda execute` does.
"""

#: What people type who come from other tools.
_OTHER_WORDS = dict.fromkeys(("rm", "remove", "delete", "clean", "prune", "gc"), "did you mean `clear`?") | {
    "ls": "did you mean `list`?",
    "show": "did you mean `info`?",
}

_SORT_KEYS = ("name", "size", "created", "used", "script")


def program() -> NoReturn:
    """The entry point `conda-tmpenv`."""
    from ...terminal.messages import run

    run(main)


def main(argv: Sequence[str]) -> int:
    """`conda tmpenv` with these words after it; the exit status."""
    unwind_on_signals()
    return guard(lambda: _act(argv), wants_json=lambda: "--json" in argv)


def _act(argv: Sequence[str]) -> int:
    chosen = _parse(argv)
    act: Callable[[Namespace], int] = chosen.act
    return act(chosen)


# The command line ------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint="`conda tmpenv --help` tells what there is")


def _parse(argv: Sequence[str]) -> Namespace:
    if not argv or argv[0] in ("-h", "--help", "help") or any(word in ("-h", "--help") for word in argv[1:]):
        return argparse.Namespace(act=_help)
    if argv[0] == "--version":
        return argparse.Namespace(act=_version)
    if argv[0] not in _COMMANDS:
        from ...text import near

        raise UsageError(
            f"there is no command `{argv[0]}`",
            hint=_OTHER_WORDS.get(argv[0])
            or near(argv[0], tuple(_COMMANDS))
            or "there are " + ", ".join(f"`{name}`" for name in _COMMANDS),
        )
    act, _ = _COMMANDS[argv[0]]
    parser = _parser(argv[0])
    chosen, unknown = parser.parse_known_intermixed_args(list(argv[1:]))
    if unknown:
        from ...text import near

        names = [name for action in parser._actions for name in action.option_strings]
        if not unknown[0].startswith("-"):
            takes = "one NAME or SCRIPT" if "wanted" in chosen else "none"
            raise UsageError(f"`{unknown[0]}` is one word too many", hint=f"`conda tmpenv {argv[0]}` takes {takes}")
        raise UsageError(f"`conda tmpenv {argv[0]}` has no option `{unknown[0]}`", hint=near(unknown[0], names))
    chosen.act = act
    return chosen


def _parser(command: str) -> argparse.ArgumentParser:
    made = _Parser(prog=f"conda tmpenv {command}", add_help=False, allow_abbrev=False)
    _COMMANDS[command][1](made)
    return made


def parsers() -> dict[str, argparse.ArgumentParser]:
    """What each command takes, by its name."""
    return {command: _parser(command) for command in _COMMANDS}


def _declare_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sort", choices=_SORT_KEYS, default="used", help="what comes first")


def _declare_clear(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wanted", nargs="*")
    parser.add_argument("--min-age", type=_hours, default=timedelta(0), help="only what was unused for these hours")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _declare_specs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="*")
    parser.add_argument("--file", action="append", default=[], help="specs, one a line, or an environment.yml")
    parser.add_argument("--channel", "-c", action="append", default=[])
    parser.add_argument("--override-channels", action="store_true")
    parser.add_argument("--exclude-newer")


def _declare_create(parser: argparse.ArgumentParser) -> None:
    _declare_specs(parser)
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--backend")
    parser.add_argument("--compile", action="store_true", help="byte-compile its Python modules")
    parser.add_argument("-f", "--force-env", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-q", "--quiet", action="store_true")


def _declare_one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wanted", metavar="NAME")


def _declare_info(parser: argparse.ArgumentParser) -> None:
    _declare_one(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _hours(text: str) -> timedelta:
    try:
        hours = float(text)
        if hours < 0:
            raise ValueError(text)
        return timedelta(hours=hours)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"`{text}` is not a number of hours") from None


def _help(chosen: Namespace) -> int:
    print(HELP, end="")
    return 0


def _version(chosen: Namespace) -> int:
    from ... import __version__

    print(f"conda-execute {__version__}")
    return 0


# Where, and which ------------------------------------------------------------------------------------------------


def _place(settings: Settings, environ: dict[str, str], name: str | None = None) -> Store:
    return Store(choose_tmp_envs(settings, environ, platforms.host(), name=name, notice=say))


def _opened() -> tuple[Settings, Store]:
    environ = process.inherited_environ()
    settings = load(environ)
    return settings, _place(settings, environ)


def _policy(settings: Settings, unused_for: timedelta = timedelta(0)) -> Policy:
    from ...environments.sweep import Policy

    return Policy(unused_for=unused_for, foreign_use_ttl=settings.foreign_use_ttl)


def _names(wanted: Sequence[str], store: Store, settings: Settings) -> list[str]:
    """The environments that these words mean: names, beginnings of names, paths of prefixes, or scripts."""
    there = store.list()
    here = os.path.realpath(store.tmp_envs)
    names = []
    for word in wanted:
        place, name = os.path.split(os.path.realpath(word))
        names += _matching(name if place == here and is_name(name) else word, there, settings)
    return names


def _matching(word: str, there: Sequence[str], settings: Settings) -> list[str]:
    found = [name for name in there if name == word or (len(word) >= 4 and name.startswith(word))]
    if len({name.partition(".")[0] for name in found}) == 1:
        return found
    if len(found) > 1:
        listed = ", ".join(f"`{name}`" for name in found[:4])
        raise UsageError(f"`{word}` may mean {len(found)} environments", hint=f"give more of the name: {listed}")
    if is_name(word):
        raise UsageError(f"there is no environment `{word}`", hint="`conda tmpenv list` shows those that there are")
    request, title = _request_of_script(word, settings)
    name = environment_name(request)
    found = [one for one in there if one.partition(".")[0] == name]
    if not found:
        raise UsageError(f"`{title}` has no environment now", hint=f"`conda execute {title}` makes it")
    return found


def _request_of_script(word: str, settings: Settings) -> tuple[Request, str]:
    """What the script asks for, and what to call it; of a script from the web the last copy counts."""
    from ...plan import script_at
    from ...script.header import read_header
    from ...script.source import is_address

    if not is_address(word) and not os.path.lexists(word):
        raise UsageError(
            f"there is neither an environment nor a script `{word}`",
            hint="`conda tmpenv list` shows the environments that there are",
        )
    environ = process.inherited_environ()
    script = script_at(word, settings, environ, offline=True)
    header = read_header(script.head, script.place, settings.subdir or platforms.host())
    return resolve(header, settings, folder=script.folder, environ=environ), script.title


def _one(word: str, store: Store, settings: Settings) -> Environment:
    for name in _names([word], store, settings):
        environment = store.read(name)
        if environment is not None:
            return environment
    raise UsageError(
        f"the environment of `{word}` is not finished", hint="`conda tmpenv clear` removes what is left of it"
    )


# list ------------------------------------------------------------------------------------------------------------


def _list(chosen: Namespace) -> int:
    from ...environments.sweep import survey

    settings, store = _opened()
    environments = sorted(survey(store, _policy(settings)), key=_sorting(chosen.sort))
    now = store.now()
    if chosen.json:
        print_json([_as_json(found, now) for found in environments])
    elif not environments:
        say(f"there are no environments in `{store.tmp_envs}`")
    else:
        _print_table(environments, now, store)
    return 0


def _sorting(by: str) -> Callable[[Found], Any]:
    keys: dict[str, Callable[[Found], Any]] = {
        "name": lambda found: found.name,
        "size": lambda found: (-(found.size or 0), found.name),
        "created": lambda found: (-(found.marker.created if found.marker else 0), found.name),
        "used": lambda found: (-found.last_used, found.name),
        "script": lambda found: (found.marker.script if found.marker else "", found.name),
    }
    return keys[by]


_COLUMNS = (
    table.Column("NAME"),
    table.Column("SIZE", right=True, gives_way=1),
    table.Column("CREATED", right=True, gives_way=6),
    table.Column("USED", right=True, gives_way=2),
    table.Column("RUNNING", gives_way=3),
    table.Column("SCRIPT", gives_way=4, shrinks=True),
    table.Column("SPECS", gives_way=5, shrinks=True),
)


def _print_table(environments: Sequence[Found], now: float, store: Store) -> None:
    width = table.width_of(sys.stdout)
    header, *lines = table.layout(_COLUMNS, [_row(found, now) for found in environments], width)
    print(header)
    for found, line in zip(environments, lines, strict=True):
        print(line)
        for running in found.processes:
            print(_cut(f"    {running.pid}  {printable(running.command)}", width))
        for note in found.foreign:
            print(_cut(f"    {note}" if note.use is None else f"    {note.use.pid} on {_host(note.use.place)}", width))
    if width is not None:
        count = len(environments)
        size = _size(sum(found.size or 0 for found in environments))
        print(_cut(f"{count} environment{'s' * (count != 1)}, {size}, in {store.tmp_envs}", width))


def _cut(text: str, width: int | None) -> str:
    return text if width is None else table.cut(text, width)


def _host(place: str) -> str:
    return place.rsplit("+", 2)[0]


def _row(found: Found, now: float) -> list[str]:
    marker = found.marker
    return [
        found.name,
        _size(found.size),
        _age(now - marker.created) if marker else "-",
        _age(now - found.last_used) if found.last_used else "-",
        _running(found),
        printable(marker.script) if marker else "-",
        _specs(marker) if marker else "-",
    ]


def _specs(marker: Marker) -> str:
    return ", ".join((*marker.specs, *(f"pypi:{requirement}" for requirement in marker.pypi)))


def _running(found: Found) -> str:
    if found.busy:
        return "being made"
    if found.state == "unfinished":
        return "unfinished"
    running = str(len(found.processes)) if found.processes else ""
    foreign = f"{len(found.foreign)} elsewhere" if found.foreign else ""
    kept = "kept" if found.kept else ""
    return ", ".join(part for part in (running, foreign, kept) if part) or "-"


def _size(size: int | None) -> str:
    from ...text import megabytes

    return "-" if size is None else megabytes(size)


def _age(seconds: float) -> str:
    """A time span in minutes or hours, the unit that the settings and `--min-age` have.

    >>> _age(30), _age(600), _age(5400), _age(200_000)
    ('now', '10 min', '1.5 h', '56 h')
    """
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def _as_json(found: Found, now: float) -> dict[str, Any]:
    """Times are seconds since the epoch, sizes bytes, ages hours."""
    marker = found.marker
    said: dict[str, Any] = {
        "name": found.name,
        "prefix": found.prefix,
        "state": "being made" if found.busy else found.state,
        "size": found.size,
        "created": marker.created if marker else None,
        "last_used": found.last_used or None,
        "unused_hours": round(max(0.0, now - found.last_used) / 3600, 3),
        "kept": found.kept,
        "processes": [
            {"pid": running.pid, "command": running.command, "why": running.why} for running in found.processes
        ],
        "elsewhere": [
            {"pid": note.use.pid if note.use else None, "host": _host(note.use.place) if note.use else None}
            for note in found.foreign
        ],
    }
    if marker is not None:
        said |= {
            "script": marker.script,
            "specs": marker.specs,
            "pypi": marker.pypi,
            "channels": marker.channels,
            "platform": marker.platform,
            "package_count": marker.packages,
            "backend": marker.backend,
        }
    return said


# clear -----------------------------------------------------------------------------------------------------------


def _clear(chosen: Namespace) -> int:
    from ...environments.sweep import clear

    settings, store = _opened()
    names = _names(chosen.wanted, store, settings) if chosen.wanted else None
    done = clear(
        store,
        names,
        min_age=chosen.min_age,
        foreign_use_ttl=settings.foreign_use_ttl,
        dry_run=chosen.dry_run,
        notice=say,
    )
    if chosen.json:
        freed = [{"name": found.name, "prefix": found.prefix, "size": found.size} for found in done.freed]
        kept = [{"name": found.name, "prefix": found.prefix, "why": why} for found, why in done.kept]
        print_json({"removed": freed, "kept": kept, "freed": done.size, "dry_run": chosen.dry_run})
    else:
        verb = "would remove" if chosen.dry_run else "removed"
        for found in done.freed:
            print(f"{verb} {found.name} ({_size(found.size)}): {_what(found)}")
        for found, why in done.kept:
            print(f"kept {found.name}: {printable(why)}")
        count = len(done.freed)
        print(f"{verb} {count} environment{'s' * (count != 1)}, {_size(done.size)}; kept {len(done.kept)}")
    # Asked for by name and still there: the caller should know without reading.
    return 1 if names and done.kept else 0


def _what(found: Found) -> str:
    return _specs(found.marker) if found.marker else "unfinished"


# create, name ----------------------------------------------------------------------------------------------------


def _wishes(chosen: Namespace) -> Header:
    """What the words and the files ask for, together."""
    header = specfile.from_words(chosen.specs)
    for path in chosen.file:
        more = specfile.read(path)
        header = replace(
            more,
            specs=header.specs + more.specs,
            pypi=header.pypi + more.pypi,
            channels=header.channels if more.channels is None else (header.channels or ()) + more.channels,
            variables=header.variables + more.variables,
            locations=header.locations + more.locations,
        )
    if not header.specs and not header.pypi:
        raise UsageError("no spec is given", hint="conda tmpenv create python=3.12 numpy, or --file FILE")
    return header


def _resolved(chosen: Namespace, settings: Settings, environ: dict[str, str]) -> tuple[Header, Request]:
    header = _wishes(chosen)
    asked = Options(
        channels=tuple(chosen.channel), override_channels=chosen.override_channels, exclude_newer=chosen.exclude_newer
    )
    return header, resolve(header, settings, asked, folder=os.getcwd(), environ=environ)


def _create(chosen: Namespace) -> int:
    from ...recipe import Recipe, check_backend
    from ...terminal.voice import Voice

    environ = process.inherited_environ()
    settings = load(environ)
    header, request = _resolved(chosen, settings, environ)
    recipe = Recipe(
        request,
        settings,
        Voice(verbose=chosen.verbose and not chosen.quiet, quiet=chosen.quiet),
        environ,
        backend=check_backend(chosen.backend or settings.backend),
        offline=chosen.offline,
        title="conda tmpenv create",
        command="conda tmpenv create",
        header=header,
    )
    store = _place(settings, environ, environment_name(request))
    environment = ensure(request, store, recipe, force=chosen.force_env)
    if chosen.compile:
        _byte_compile(environment)
    print(environment.prefix)
    return 0


def _byte_compile(environment: Environment) -> None:
    """Compile all Python modules once, so that five hundred tasks on a shared disk need not.

    The note of this process keeps the environment meanwhile; what is compiled already costs a look.
    """
    import subprocess

    python = os.path.join(environment.prefix, "python.exe" if sys.platform == "win32" else "bin/python")
    if not os.access(python, os.X_OK):
        raise UsageError("`--compile` needs a Python in the environment", hint="add `python` to the specs")
    # Templates of other Python versions do not compile and need not: the status says nothing.
    code = "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=2, workers=0)"
    done = subprocess.run([python, "-I", "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise PlaceError(
            f"the environment could not be compiled: `{environment.prefix}`",
            details=done.stderr.decode("utf-8", "replace"),
        )


def _name(chosen: Namespace) -> int:
    environ = process.inherited_environ()
    settings = load(environ)
    request = _resolved(chosen, settings, environ)[1]
    name = environment_name(request)
    store = _place(settings, environ, name)
    environment = store.find(name)
    print(environment.prefix if environment else store.prefix(name))
    return 0


# info, keep, release ---------------------------------------------------------------------------------------------


def _info(chosen: Namespace) -> int:
    from ...environments.sweep import survey

    settings, store = _opened()
    environment = _one(chosen.wanted, store, settings)
    (found,) = survey(store, _policy(settings), [environment.name])
    said = _as_json(found, store.now())
    marker = environment.marker
    said |= {
        "packages": _packages(environment),
        "virtual_packages": marker.virtual_packages,
        "seconds": round(marker.seconds, 1),
        "version": marker.version,
        "request": marker.request,
    }
    if chosen.json:
        print_json(said)
    else:
        _print_info(said)
    return 0


def _packages(environment: Environment) -> list[str]:
    """`name version build` of what conda's records and the metadata of PyPI's packages say is there."""
    import json

    from ...environments import layout

    meta = layout.conda_meta(environment.prefix)
    packages = []
    for file in sorted(name for name in os.listdir(meta) if name.endswith(".json")):
        with open(os.path.join(meta, file), encoding="utf-8") as stream:
            record = json.load(stream)
        packages.append(f"{record['name']} {record['version']} {record['build']}")
    return packages + (_pypi_packages(environment.prefix) if environment.marker.pypi else [])


def _pypi_packages(prefix: str) -> list[str]:
    """What stands in site-packages and did not come with a conda package: those say so in their INSTALLER file."""
    from ...engines.pypi.install import distributions

    found = [one for one in distributions(prefix) if one.installer not in ("", "conda")]
    return [f"{distribution.name} {distribution.version} pypi" for distribution in found]


def _print_info(said: dict[str, Any]) -> None:
    said = dict(said)
    created = said["created"]
    if created is not None:
        import time

        said["created"] = f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(created))}, in {said.pop('seconds')} s"
    said["size"] = _size(said["size"])
    said["last_used"] = f"{_age(said.pop('unused_hours') * 3600)} ago".replace("now ago", "now")
    said["processes"] = [f"{running['pid']}  {printable(running['command'])}" for running in said["processes"]]
    said["script"] = printable(said["script"])
    said["elsewhere"] = [f"{note['pid']} on {note['host']}" for note in said["elsewhere"]]
    said["kept"] = "yes" if said["kept"] else None
    said["request"] = said["request"].splitlines()
    width = max(map(len, said)) + 2
    for name, value in said.items():
        if value in (None, [], ()):
            continue
        text = ("\n" + " " * width).join(value) if isinstance(value, (list, tuple)) else value
        print(f"{name.replace('_', ' ') + ':':{width}}{text}")


def _keep(chosen: Namespace) -> int:
    from ...environments.sweep import keep

    settings, store = _opened()
    keep(_one(chosen.wanted, store, settings))
    return 0


def _release(chosen: Namespace) -> int:
    from ...environments.sweep import release

    settings, store = _opened()
    release(_one(chosen.wanted, store, settings))
    return 0


_COMMANDS: dict[str, tuple[Callable[[Namespace], int], Callable[[argparse.ArgumentParser], None]]] = {
    "list": (_list, _declare_list),
    "clear": (_clear, _declare_clear),
    "create": (_create, _declare_create),
    "name": (_name, _declare_specs),
    "info": (_info, _declare_info),
    "keep": (_keep, _declare_one),
    "release": (_release, _declare_one),
}


if __name__ == "__main__":
    program()
