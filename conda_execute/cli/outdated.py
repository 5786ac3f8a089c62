"""`--outdated`: the installed, the newest allowed and the newest version of each requirement."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from ..engines import Backend, Options, Solution
from ..engines.pypi import resolve
from ..errors import CreationError
from ..lean.values import replace
from ..model import Request
from ..options import RunOptions
from ..plan import Plan, understand
from ..specs.match_spec import spec_name
from ..specs.requirement import canonical, requirement_name
from .lock import packages_there
from .several import for_each

#: Versions by source (`conda` or `pypi`) and name.
Versions = dict[tuple[str, str], str]


def outdated(options: RunOptions) -> int:
    return for_each(options, lambda one: _compare(understand(one)), _print)


def _compare(plan: Plan) -> dict[str, Any]:
    """The comparison for one script. Without an environment or a lock nothing is `current`."""
    plan.require_trust()
    recipe = plan.recipe()
    engine, how = recipe.engine(), recipe.options
    there = packages_there(plan, [plan.request], recipe, engine).get(plan.request.platform)
    current = _versions(there) if there is not None else {}
    solution = resolve.solve(engine, plan.request, how)
    allowed, newest = _versions(solution), _newest(engine, plan.request, how, solution)
    written = [("conda", spec_name(text), text) for text in plan.request.specs]
    written += [("pypi", requirement_name(text), text) for text in plan.request.pypi]
    versions = {"current": current, "allowed": allowed, "newest": newest}
    rows = [
        {
            "name": name,
            "source": source,
            "requirement": text,
            **{when: each.get((source, name)) for when, each in versions.items()},
        }
        for source, name, text in written
        if name and not name.startswith("__")
    ]
    return {"script": plan.script.recorded, "requirements": rows}


def _newest(engine: Backend, request: Request, how: Options, like: Solution) -> Versions:
    """The newest version of each conda package, and the newest PyPI packages that fit together."""
    from ..engines.rattler.engine import available

    bare = _without_versions(request)
    found = available(bare, how, bare.specs, like) if like.state is not None else {}
    newest = {("conda", name): str(records[0].version) for name, records in found.items() if records}
    if bare.pypi:
        with suppress(CreationError):  # the newest ones may not fit together
            solution = resolve.solve(engine, bare, how)
            newest |= {key: version for key, version in _versions(solution).items() if key[0] == "pypi"}
    return newest


def _versions(solution: Solution) -> Versions:
    conda = {("conda", package.name): package.version for package in solution.packages}
    return conda | {("pypi", canonical(package.name)): package.version for package in solution.pypi or ()}


def _without_versions(request: Request) -> Request:
    """The same packages from the same channels, in any version, published at any time."""
    pypi = (requirement_name(each) or each for each in request.pypi)
    return replace(
        request,
        specs=tuple(sorted({spec_name(spec) for spec in request.specs if not spec.startswith("__")})),
        pypi=tuple(sorted(set(pypi))),
        constraints=(),
        exclude_newer=None,
        pypi_exclude_newer=None,
        lock=None,
    )


def _print(said: dict[str, Any]) -> None:
    from ..terminal.table import Column, layout, width_of

    columns = [Column(title) for title in ("requirement", "current", "allowed", "newest")]
    rows = [
        [row["requirement"], *(row[key] or "-" for key in ("current", "allowed", "newest"))]
        for row in said["requirements"]
    ]
    print("\n".join(layout(columns, rows, width_of(sys.stdout))), flush=True)
