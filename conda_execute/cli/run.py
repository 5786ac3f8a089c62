"""Run a script: the whole run, one step a line."""

from __future__ import annotations

import os

from .. import interrupts
from ..environments.ensure import ensure
from ..environments.uses import note_path, this_process
from ..errors import NotFoundError
from ..launch import process
from ..launch.loops import refuse_loop
from ..model import COMMIT
from ..plan import understand
from ..script import command, interpreter
from .ground import Ground

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from ..environments.store import Store
    from ..launch.activation import Activation
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
    if (passed_over := plan.settings.sources.passed_over) is not None:
        plan.voice.detail(f"CONDARC names `{passed_over}`, which is not a settings file and is ignored\n")
    plan.voice.detail(specification(plan))
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
    script, notebook, arguments = plan.script, plan.script.notebook, plan.options.words[1:]
    ground = Ground(plan, environment)
    activation = plan.activation(environment.prefix, ground.environ)

    def provides(name: str) -> bool:
        return os.path.exists(os.path.join(environment.prefix, "bin", name))

    if script.is_file:
        refuse_loop(environment, use, script.path, plan.environ)
    commands = plan.header.entrypoint
    if commands is not None:
        from ..launch import entrypoint

        try:
            for program in entrypoint.programs(commands):
                interpreter.require_own(program, environment.prefix, provides)
            constant = entrypoint.constant_command(commands, script.path)
            if constant is not None:
                _require_right_program(plan, environment, activation, constant, provides)
                _record(plan, environment, activation, constant, passes_script=False)
            ground.execute_entrypoint(commands, arguments, activation, script.path)
        except NotFoundError:
            if script.program is None:
                raise
            raise command.lacks(script.program, plan.request.specs, environment.prefix) from None

    words = interpreter.effective(plan.words(provides), provides)
    if notebook and plan.header.run_with is None:
        from ..script.notebook import command as jupyter

        words = jupyter(notebook, script.title, environment.prefix)
    _require_right_program(plan, environment, activation, words, provides)
    _record(plan, environment, activation, words)
    try:
        ground.execute([*words, script.given, *arguments], activation)
    except NotFoundError as error:
        error.where = plan.shebang(words[0])
        raise


def _require_right_program(
    plan: Plan,
    environment: Environment,
    activation: Activation,
    words: Sequence[str],
    provides: Callable[[str], bool],
) -> None:
    """Raise if PATH would give the script a different interpreter than its environment has; print a notice for any
    other program from PATH."""
    program = interpreter.started(words)
    interpreter.require_own(program, environment.prefix, provides)
    if provides(program) and program != words[0]:  # the program that starts it would skip a file that is not executable
        process.find_program(program, activation.environ, environment.prefix)
    if interpreter.is_elsewhere(program, provides) and process.is_on_path(program, plan.environ):
        plan.voice.notice(f"`{program}` is not in the environment: the one on PATH runs the script")


def _record(
    plan: Plan, environment: Environment, activation: Activation, words: Sequence[str], passes_script: bool = True
) -> None:
    """Let the launcher do the next run alone, if it can: a run that must print something needs Python."""
    if plan.sandbox:  # the launcher cannot enter a sandbox
        return
    if plan.request.local or plan.header.activation_scripts:
        what = "a local package" if plan.request.local else "an activation script"
        plan.voice.detail(f"No launch record: each run checks whether {what} has changed.\n")
        return
    if not plan.script.is_file or plan.script.notebook or plan.voice.verbose or process.LAUNCHED not in os.environ:
        return
    from ..launch import record
    from ..lockfiles import choice

    if plan.environ.get("CONDA_PREFIX") == environment.prefix and not interpreter.is_plain(words):
        return  # a script that starts itself again must run through Python, where the loops are counted
    watched = choice.watched(plan.script.path, plan.lock, plan.options.lock_file)
    if watched is None or plan.has_stale_lock or COMMIT in (plan.header.exclude_newer, plan.header.pypi_exclude_newer):
        return
    due = None
    if plan.renew_after:
        from ..environments import renewal

        due = renewal.file(environment, plan.renew_after)
        if due is None:
            return
    wanted = record.Recorded(
        script=plan.script.given,
        data=plan.script.head,
        last_line=plan.header.lines[1],
        sources=plan.settings.sources,
        environment=environment,
        activation=activation,
        command=words,
        passes_script=passes_script,
        sweeps=plan.settings.auto_clean,
        due=due,
        neighbours=tuple(watched[0]),
        beginnings=tuple(watched[1]),
    )
    record.write(wanted, os.environ)
