"""`conda tmpenv create` and `name`: an environment of specs instead of a script, and its path."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...environments.ensure import ensure
from ...errors import NotFoundError, PlaceError, UsageError
from ...lean.values import replace
from ...model import Environment
from ...options import CreateOptions, NameOptions, RunOptions
from ...plan import Plan, of_specs, understand
from ...script import languages, source, specfile
from ...script.header import ENOUGH, find_header
from ...terminal.messages import print_json
from ..environment import made, python_of


def create(options: CreateOptions) -> int:
    if _is_script(options.words):
        _, _, environment = made(_run_of(options))
    else:
        plan = _of_specs(options)
        environment = ensure(plan.request, plan.store(), plan.recipe(), force=options.force_env)
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


def name(options: NameOptions) -> int:
    plan = understand(_run_of(options)) if _is_script(options.words) else _of_specs(options)
    store = plan.store()
    name = plan.with_lockfile(store).name
    environment = store.find(name)
    _print(options, environment.prefix if environment else store.prefix(name), name)
    return 0


def _print(options: NameOptions, prefix: str, name: str) -> None:
    if options.json:
        print_json({"prefix": prefix, "name": name})
    else:
        print(prefix)


def _of_specs(options: NameOptions) -> Plan:
    """The plan of what the arguments and the files ask for together."""
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
    # Only a script's environment is renewed, whatever the setting says.
    return of_specs(_run_of(options), replace(header, renew_after=0.0))


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
