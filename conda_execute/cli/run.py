"""Run a script: the whole run, one step a line."""

from __future__ import annotations

from .. import interrupts
from ..environments.ensure import ensure
from ..environments.uses import note_path, this_process
from ..launch.loops import refuse_loop
from ..plan import understand
from .ground import Start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ..environments.store import Store
    from ..model import Environment, Use
    from ..options import RunOptions
    from ..plan import Plan


def run(options: RunOptions) -> NoReturn:
    """Become the script."""
    plan = understand(options)
    plan.require_all()
    store = plan.store_to_run_in()
    plan = plan.with_lockfile(store)
    use = this_process()
    environment = prepare(plan, store, use)
    sweep_if_due(plan, store, note_path(environment, use))
    become(plan, environment, use)


def prepare(plan: Plan, store: Store, use: Use) -> Environment:
    """The environment, created if it is missing, and held by this use."""
    plan.voice.detail(specification(plan))
    tells = plan.header.has_lost_lines or plan.voice.verbose
    if tells and plan.header.notices and not plan.options.force_env and store.find(plan.name):
        for notice in plan.header.notices:  # creation would print them
            plan.voice.notice(notice)
    environment = ensure(plan.request, store, plan.recipe(), use, force=plan.options.force_env)
    plan.voice.detail(f"Prefix: {environment.prefix}\n")
    return environment


def specification(plan: Plan) -> str:
    """The specification as `-v` shows it, in the form of the original conda-execute."""
    header = plan.header
    lines = ["Using specification: ", f"env: [{', '.join(header.specs)}]"]
    if plan.request.pypi:
        lines.append(f"pip: [{', '.join(plan.request.pypi)}]")
    if header.channels is not None:
        lines.append(f"channels: [{', '.join(header.channels)}]")
    if header.entrypoint is not None:
        lines.append(f"entrypoint: {header.entrypoint}")
    else:
        lines.append(f"run_with: [{', '.join(plan.words())}]")
    return "\n".join(lines) + "\n"


def sweep_if_due(plan: Plan, store: Store, note: str) -> None:
    """Start the hourly sweep, in the background, if it is time."""
    if not plan.settings.auto_clean:
        return
    from .. import housekeeping

    unused_for, foreign_use_ttl = plan.settings.remove_if_unused_for, plan.settings.foreign_use_ttl
    housekeeping.start_if_due(store, note, unused_for, foreign_use_ttl, plan.cache)


def become(plan: Plan, environment: Environment, use: Use) -> NoReturn:
    """Become the script's command, and leave a record so that the launcher can do the next run alone."""
    interrupts.release()
    if plan.script.is_file:
        refuse_loop(environment, use, plan.script.path, plan.environ)
    start = Start(plan, environment)
    if plan.header.entrypoint is not None:
        start.entrypoint(plan.header.entrypoint)
    start.command()
