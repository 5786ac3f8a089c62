"""Where a plan's command runs: as if it had been started directly, or in a sandbox."""

from __future__ import annotations

import os

from ..launch.execute import execute, execute_inside
from ..model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

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
        if self._policy is None:
            execute(argv, activation)
        from ..launch.sandbox import run_inside

        run_inside(self._policy, execute_inside, self._allowed, argv, activation)

    def execute_entrypoint(
        self, commands: Entrypoint, arguments: Sequence[str], activation: Activation, script: str
    ) -> NoReturn:
        if self._policy is None:
            from ..launch.entrypoint import execute_entrypoint

            execute_entrypoint(commands, arguments, activation, script=script)
        from ..launch.entrypoint import execute_entrypoint_inside
        from ..launch.sandbox import run_inside

        words = (script, *arguments)
        run_inside(self._policy, execute_entrypoint_inside, self._allowed, commands, activation, words)
