"""`conda tmpenv create` and `name`: an environment of specs instead of a script, and its path."""

from __future__ import annotations

import os

from ...configuration.settings import load
from ...environments.ensure import ensure
from ...environments.name import environment_name
from ...environments.place import choose_tmp_envs
from ...environments.store import Store
from ...errors import NotFoundError, PlaceError, UsageError
from ...launch import process
from ...lean.values import replace
from ...plan import understand
from ...resolve import Wishes, resolve
from ...script import languages, source, specfile
from ...script.header import ENOUGH, find_header
from ...specs import platforms
from ...terminal.messages import print_json, say
from ..environment import made, python_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...configuration.declared import Settings
    from ...model import Environment, Request
    from ...options import CreateOptions, NameOptions, RunOptions
    from ...script.header.keys import Header


def create(options: CreateOptions) -> int:
    if _is_script(options.words):
        _, _, environment = made(_run_of(options))
    else:
        environment = _of_specs(options)
    if options.compile:
        _byte_compile(environment)
    _print(options, environment.prefix, environment.name)
    return 0


def _is_script(words: Sequence[str]) -> bool:
    """Whether the argument is a script with a header, and not a spec. Raises NotFoundError for the name of a script
    that is not there."""
    for word in words:
        if languages.of(word) is not None and not set(":=<>!~*[ ") & set(word) and not os.path.lexists(word):
            hint = source.near(word) or f"if a package is called so, name its versions, too: `'{word} *'`"
            raise NotFoundError(f"there is no script `{word}`", hint=hint)
    if len(words) != 1 or not os.path.isfile(words[0]):
        return False
    with open(words[0], "rb") as file:
        return find_header(file.read(ENOUGH), words[0]) is not None


def _run_of(options: NameOptions) -> RunOptions:
    """The options of a run of the script, with the same choices."""
    from ...options import RunOptions

    shared = {name: getattr(options, name) for name in options.TABLE if name in RunOptions.TABLE}
    return RunOptions(options.words, **shared)


def _of_specs(options: CreateOptions) -> Environment:
    from ...recipe import Recipe
    from ...terminal.messages import Voice

    environ = process.inherited_environ()
    settings = load(environ)
    header, request = _resolved(options, settings, environ)
    recipe = Recipe(
        request,
        settings,
        Voice(verbose=options.verbose and not options.quiet, quiet=options.quiet),
        environ,
        title="conda tmpenv create",
        recorded="conda tmpenv create",
        backend=options.backend or settings.backend,
        offline=options.offline,
        command="conda tmpenv create",
        header=header,
    )
    store = _store(request, settings, environ)
    return ensure(request, store, recipe, force=options.force_env)


def name(options: NameOptions) -> int:
    if _is_script(options.words):
        plan = understand(_run_of(options))
        store = plan.store()
        return _print_found(options, plan.with_lockfile(store).name, store)
    environ = process.inherited_environ()
    settings = load(environ)
    _, request = _resolved(options, settings, environ)
    return _print_found(options, environment_name(request), _store(request, settings, environ))


def _print_found(options: NameOptions, name: str, store: Store) -> int:
    environment = store.find(name)
    _print(options, environment.prefix if environment else store.prefix(name), name)
    return 0


def _print(options: NameOptions, prefix: str, name: str) -> None:
    if options.json:
        print_json({"prefix": prefix, "name": name})
    else:
        print(prefix)


def _store(request: Request, settings: Settings, environ: dict[str, str]) -> Store:
    return Store(choose_tmp_envs(settings, environ, platforms.host(), name=environment_name(request), notice=say))


def _resolved(options: NameOptions, settings: Settings, environ: dict[str, str]) -> tuple[Header, Request]:
    header = _wishes(options)
    asked = Wishes(
        channels=options.channels, override_channels=options.override_channels, exclude_newer=options.exclude_newer
    )
    return header, resolve(header, settings, asked, folder=os.getcwd(), environ=environ)


def _wishes(options: NameOptions) -> Header:
    """What the arguments and the files ask for together."""
    header = specfile.from_words(options.words)
    for path in options.file:
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
        raise UsageError("no spec is given", hint="`conda tmpenv create python=3.12 numpy`, or `--file FILE`")
    return header


def _byte_compile(environment: Environment) -> None:
    """Compile all Python modules once, so that five hundred tasks on a shared disk do not have to.

    The note of this process keeps the environment alive meanwhile. Modules that are already compiled are skipped.
    """
    import subprocess

    python = python_of(environment)
    if python is None:
        raise UsageError("`--compile` needs a Python in the environment", hint="add `python` to the specs")
    # Templates for other Python versions cannot be compiled, so the exit status says nothing.
    code = "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=2, workers=0)"
    done = subprocess.run([python, "-I", "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise PlaceError(
            f"the environment could not be compiled: `{environment.prefix}`",
            details=done.stderr.decode("utf-8", "replace"),
        )
