"""`conda execute`: which action its arguments ask for, and which module performs it."""

from __future__ import annotations

import os
import sys
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
    if action in ("check", "dry run"):
        from . import inspect

        return inspect.check(options) if action == "check" else inspect.dry_run(options)
    if action in ("lock", "outdated"):
        from . import lock, outdated

        return lock.lock(options) if action == "lock" else outdated.outdated(options)
    if action == "edit":
        from .edit import edit

        return edit(options)
    if action in ("help", "version", "completion"):
        from .help import show_own

        return show_own(options)
    if action in ("trusted", "distrust"):
        from . import trusted

        return trusted.ACTIONS[action](options)
    from . import environment

    return environment.ACTIONS[action](options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
