"""`conda execute`: which action its arguments ask for, and which module performs it."""

from __future__ import annotations

import os
from itertools import takewhile

from ..errors import NotFoundError, UsageError
from ..options import RunOptions
from ..terminal.messages import guard, report
from .parsing import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def program() -> NoReturn:
    """The entry point `conda-execute`."""
    from ..terminal.messages import run

    run(main)


def main(argv: Sequence[str]) -> int:
    """Run `conda execute` with these arguments. Returns an exit status only if no script was run."""
    try:
        options = parse(RunOptions, argv)
    except UsageError as error:
        report(error, as_json="--json" in takewhile(lambda word: word.startswith("-"), argv))
        return error.exit_status
    return guard(lambda: _act(options), as_json=options.json)


#: The modules of actions that are not alone in a module of their name. The function is called like the action.
_MODULES = {
    "version": "help",
    "check": "inspect",
    "dry_run": "inspect",
    "distrust": "trusted",
    **dict.fromkeys(("print_prefix", "print_python", "export", "pack", "shell"), "environment"),
}


def _act(options: RunOptions) -> int:
    try:
        return act(options)
    except NotFoundError as error:
        if error.hint is None and options.words and not os.path.lexists(options.words[0]):
            from . import habits

            error.hint = habits.words(options)
        raise


def act(options: RunOptions) -> int:
    """Perform the action that was asked for. Each action imports only what it needs."""
    if options.command is not None:
        from ..plan import as_script

        options = as_script(options)
    action = options.action
    if options.update and action != "lock":
        from .lock import renew

        options = renew(options)
    if action == "run":
        from .run import run

        run(options)
    from importlib import import_module

    done: int = getattr(import_module(f".{_MODULES.get(action, action)}", __package__), action)(options)
    return done
