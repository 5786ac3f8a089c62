"""`--lock`: solve for every platform asked for, and write the lock file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .. import engines
from ..engines import Backend, Solution
from ..errors import CreationError, UsageError
from ..files import content_of, rewrite
from ..lean.values import replace
from ..lockfiles import SUFFIXES, choice, lockfile
from ..lockfiles.lockfile import Lockfile
from ..model import Request
from ..options import RunOptions
from ..plan import Plan, header_of, understand
from ..recipe import Recipe
from ..resolve import resolve
from ..script import source
from ..text import counted
from .several import for_each


def lock(options: RunOptions) -> int:
    if options.lock_file and len(options.words) > 1:
        raise UsageError("`--lock-file` names one file, but each script has its own lock file", hint="leave it out")
    act = _check if options.check else _write
    return for_each(options, lambda one: act(understand(one)), lambda done: None)


def renew(options: RunOptions) -> RunOptions:
    """For `--update`: update the script's lock file for the same platforms; without one, create the environment
    again."""
    plan = understand(options)
    found = None if options.no_lock or not plan.script.is_file else _found(plan)
    if found is None:
        return options.replaced(force_env=True)
    if not found.inputs:
        raise UsageError(
            f"the lock `{found.path}` belongs to another tool",
            hint="update it with that tool; `--no-lock` runs without it",
        )
    _write(replace(plan, options=options.replaced(platform=tuple(found.inputs))))
    return options


def _found(plan: Plan) -> Lockfile | None:
    """The script's lock, or the one that was named."""
    path = plan.options.lock_file
    if path is not None:
        return lockfile.read(path) if os.path.exists(path) else None
    return lockfile.find(plan.script.path, source.read_whole(plan.script))


def _check(plan: Plan) -> dict[str, Any]:
    """Raise CreationError where the lock is missing, out of date for one of its platforms, or damaged."""
    plan = replace(plan, options=plan.options.replaced(locked=True))
    checked = plan.with_lockfile(plan.store())
    assert checked.lock is not None, "a lock that is required is there, or an error is raised"
    requests = _requests(plan, checked.lock.inputs)
    for request in requests:
        if reason := lockfile.stale(checked.lock, request, plan.script.folder):
            raise lockfile.refused(checked.lock, f"for {request.platform}, {reason}")
        lockfile.solution(checked.lock, replace(request, lock=checked.lock.digest))
    plan.voice.notice(f"the lock `{checked.lock.path}` is up to date")
    platforms = [request.platform for request in requests]
    return {
        "script": plan.script.recorded,
        "lock": os.path.abspath(checked.lock.path),
        "platforms": platforms,
        "fits": True,
    }


def packages_there(plan: Plan, requests: Sequence[Request], recipe: Recipe, engine: Backend) -> dict[str, Solution]:
    """The packages that the script uses now: those of its lock file, for platforms that it still fits, otherwise those
    of its environment."""
    if plan.options.update:
        return {}
    there: dict[str, Solution] = {}
    try:
        found = _found(plan)
    except CreationError:  # for example, truncated: the new lock replaces it
        found = None
    environment = plan.store().find(plan.name)
    for request in requests:
        if found is not None and found.inputs and lockfile.stale(found, request, plan.script.folder) is None:
            try:
                there[request.platform] = lockfile.solution(found, request)
                continue
            except CreationError as error:
                plan.voice.detail(f"{error.message}: its packages are chosen again\n")
        if environment is not None and request == plan.request and environment.marker.backend == "rattler":
            prefix = environment.prefix
            there[request.platform] = lockfile.of_environment(prefix, request, engine, recipe.options)
    return there


def _write(plan: Plan) -> dict[str, Any]:
    """Write the lock of one script. Returns what was written, for JSON."""
    options, script = plan.options, plan.script
    if not script.is_file:
        raise UsageError("`--lock` needs a script that is a file")
    if options.embed and script.notebook:
        raise UsageError(
            "a lock cannot be embedded in a notebook", hint="leave out `--embed` to write the lock file next to it"
        )
    requests = _requests(plan)
    # A script with an embedded lock gets the new one in the same place: the old one would take precedence over a file.
    embeds = options.embed or (options.lock_file is None and lockfile.opening(source.read_whole(script)) is not None)
    path = options.lock_file or script.path + SUFFIXES[0]
    if not embeds:
        _check_overwritable(path)
    home = script.folder if embeds else os.path.dirname(os.path.abspath(path))
    text = _text(plan, requests, home)
    if embeds:
        path = script.path
        rewrite(path, choice.embed(source.read_whole(script), plan.header, text, path))
    else:
        lockfile.write(path, text)
    packages = len(re.findall(r"^- (?:conda|pypi): ", text, re.MULTILINE))
    asked_for = [request.platform for request in requests]
    plan.voice.notice(f"locked {counted(packages, 'package')} for {', '.join(asked_for)} in `{path}`")
    return {"script": script.recorded, "lock": os.path.abspath(path), "platforms": asked_for, "package_count": packages}


def _text(plan: Plan, requests: Sequence[Request], home: str) -> str:
    """The text of the lock file, which will be in the directory `home`."""
    recipe = plan.recipe()
    how = recipe.options
    for request in requests:
        recipe.require_policy(request)
    if recipe.backend not in (None, "rattler"):
        raise UsageError("only the backend `rattler` writes lock files", hint="leave out `--backend`")
    engine = engines.engine("rattler")

    def accept(request: Request, found: Solution) -> None:
        recipe.accept(request, found)
        for said in found.notices:
            recipe.tell(said)

    with how.progress:
        return lockfile.make(
            engine,
            requests,
            how,
            folder=plan.script.folder,
            home=home,
            accept=accept,
            there=packages_there(plan, requests, recipe, engine),
            update=plan.options.update_package,
        )


def _requests(plan: Plan, platforms: Iterable[str] = ()) -> list[Request]:
    """The requests to solve, one for each platform."""
    requests = []
    for platform in dict.fromkeys(platforms or plan.options.platform or [plan.request.platform]):
        header = header_of(plan.script, platform, plan.options, plan.environ)
        request = resolve(
            header,
            plan.settings,
            plan.options,
            folder=plan.script.folder,
            script=plan.script.path if plan.script.is_file else "",
            environ=plan.environ,
            platform=platform,
        )
        requests.append(request)
    return requests


def _check_overwritable(path: str) -> None:
    """Raise UsageError for an existing file that is not a lock file."""
    beginning = content_of(path, 64)  # of what cannot be read, writing will say what is wrong
    if beginning and not beginning.startswith((b"# conda-execute lock", b"version:")):
        raise UsageError(f"`{path}` exists and is not a lock file", hint="name another file with `--lock-file`")
