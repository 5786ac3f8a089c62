"""What `execute` and `entrypoint` do, once a sandbox is entered: its temporary files and its home are its own."""

from __future__ import annotations

import os

from ..lean.values import replace
from .execute import execute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from ..model import Entrypoint
    from .activation import Activation


def execute_inside(tmp: str, allowed: Sequence[str], argv: Sequence[str], activation: Activation) -> NoReturn:
    """`tmp` is the sandbox's temporary directory, if it has one; `allowed` are variables that stay as outside."""
    execute(argv, _inside(tmp, allowed, activation))


def execute_entrypoint_inside(
    tmp: str,
    allowed: Sequence[str],
    commands: Entrypoint,
    arguments: Sequence[str],
    activation: Activation,
    *script: str,
) -> NoReturn:
    from .entrypoint import execute_entrypoint

    execute_entrypoint(commands, arguments, _inside(tmp, allowed, activation), script=script[0])


def _inside(tmp: str, allowed: Sequence[str], activation: Activation) -> Activation:
    if not tmp:
        return activation
    environ = {**activation.environ, "TMPDIR": tmp}
    if "HOME" not in allowed:
        environ["HOME"] = os.path.join(tmp, "home")
        os.makedirs(environ["HOME"], 0o700, exist_ok=True)
    return replace(activation, environ=environ)
