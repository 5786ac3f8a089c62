"""How a plan's command starts: as if it had been started directly, or in a sandbox; and the record for the launcher."""

from __future__ import annotations

import os

from ..errors import NotFoundError
from ..launch import process
from ..launch.execute import execute
from ..model import COMMIT, WHOLE
from ..script import command, interpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from ..launch.activation import Activation
    from ..model import Entrypoint, Environment
    from ..plan import Plan


class Ground:
    """What the command sees of this process's variables, and how it is started."""

    def __init__(self, plan: Plan, environment: Environment) -> None:
        self.environ: Mapping[str, str] = plan.environ
        self._policy = plan.policy(environment.prefix) if plan.sandbox else None
        self._allowed = plan.options.allow_env
        if plan.sandbox == WHOLE and self._policy is not None:
            from ..launch.sandbox.policy import visible

            for folder in self._policy.write:  # a folder that the header names may not exist yet
                os.makedirs(folder, exist_ok=True)
            self.environ = visible(plan.environ, self._allowed)

    def execute(self, argv: Sequence[str], activation: Activation) -> NoReturn:
        self._become(activation, execute, argv)

    def execute_entrypoint(
        self, commands: Entrypoint, arguments: Sequence[str], activation: Activation, script: str
    ) -> NoReturn:
        from ..launch.entrypoint import execute_entrypoint

        self._become(activation, execute_entrypoint, commands, arguments, script)

    def _become(self, activation: Activation, go_on: Callable[..., NoReturn], *arguments: Any) -> NoReturn:
        if self._policy is None:
            go_on(*arguments, activation)
        from ..launch.sandbox import run_inside

        run_inside(self._policy, self._allowed, activation, go_on, *arguments)


class Start:
    """The start of a plan's command in its environment."""

    def __init__(self, plan: Plan, environment: Environment) -> None:
        self.plan, self.environment = plan, environment
        self.ground = Ground(plan, environment)
        self.activation = plan.activation(environment.prefix, self.ground.environ)

    def provides(self, name: str) -> bool:
        """Whether the environment has this program."""
        return os.path.exists(os.path.join(self.environment.prefix, "bin", name))

    def entrypoint(self, commands: Entrypoint) -> NoReturn:
        """Become the last of these commands."""
        from ..launch import entrypoint

        script = self.plan.script
        try:
            for program in entrypoint.programs(commands):
                interpreter.require_own(program, self.environment.prefix, self.provides)
            constant = entrypoint.constant_command(commands, script.path)
            if constant is not None:
                self._require_right_program(constant)
                self._record(constant, passes_script=False)
            self.ground.execute_entrypoint(commands, self.plan.options.words[1:], self.activation, script.path)
        except NotFoundError:
            if script.program is None:
                raise
            raise command.lacks(script.program, self.plan.request.specs, self.environment.prefix) from None

    def command(self) -> NoReturn:
        """Become what runs the script."""
        plan, script = self.plan, self.plan.script
        words = interpreter.effective(plan.words(self.provides), self.provides)
        if script.notebook and plan.header.run_with is None:
            from ..script.notebook import command as jupyter

            words = jupyter(script.notebook, script.title, self.environment.prefix)
        self._require_right_program(words)
        self._record(words)
        try:
            self.ground.execute([*words, script.given, *plan.options.words[1:]], self.activation)
        except NotFoundError as error:
            error.where = plan.shebang(words[0])
            raise

    def _require_right_program(self, words: Sequence[str]) -> None:
        """Raise if PATH would give the script a different interpreter than its environment has; print a notice for any
        other program from PATH."""
        program, prefix = interpreter.started(words), self.environment.prefix
        interpreter.require_own(program, prefix, self.provides)
        if self.provides(program) and program != words[0]:  # what starts it would skip one that is not executable
            process.find_program(program, self.activation.environ, prefix)
        if interpreter.is_elsewhere(program, self.provides) and process.is_on_path(program, self.plan.environ):
            self.plan.voice.notice(f"`{program}` is not in the environment: the one on PATH runs the script")

    def _record(self, words: Sequence[str], *, passes_script: bool = True) -> None:
        """Let the launcher do the next run alone, if it can: a run that must print something needs Python."""
        plan, environment = self.plan, self.environment
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
        if (
            watched is None
            or plan.has_stale_lock
            or plan.header.has_lost_lines
            or COMMIT in (plan.header.exclude_newer, plan.header.pypi_exclude_newer)
        ):
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
            activation=self.activation,
            command=words,
            passes_script=passes_script,
            sweeps=plan.settings.auto_clean,
            due=due,
            neighbours=tuple(watched[0]),
            beginnings=tuple(watched[1]),
        )
        record.write(wanted, os.environ)
