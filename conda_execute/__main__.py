"""The Python half of the program `conda-execute`, and `python -m conda_execute`.

Here and not in `execute`, because it is about what is imported before anything else is.
"""

from __future__ import annotations

import os
import sys

# Our first statement: Ctrl-C ends us as SIGTERM does, at once and without a traceback, until there is something to
# unwind (`interrupts.take`). Only programs import this module.
try:
    from .lean.signals import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
except KeyboardInterrupt:
    os._exit(128 + 2)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: Collecting while modules are imported finds nothing and costs a tenth of a warm run; a long one still collects.
_OBJECTS = 100_000


def program() -> NoReturn:
    """Run the command line; never returns."""
    import gc

    gc.set_threshold(_OBJECTS)
    forget_our_folder()
    if sys.argv[1:2] == ["--tmpenv"]:  # as the script `conda-tmpenv` says it
        del sys.argv[1]
        from .cli.tmpenv import program
    else:
        from .cli.execute import program

    program()


def tmpenv() -> NoReturn:
    """The entry point `conda-tmpenv` where it is not a script."""
    sys.argv.insert(1, "--tmpenv")
    program()


def forget_our_folder() -> None:
    """Take the directory that Python puts first on `sys.path` off it: that of the program, or the working directory.

    A `yaml.py` that lies there is not ours to import. `-I` and `-P` put none there.
    """
    if sys.flags.isolated or getattr(sys.flags, "safe_path", False):
        return
    program = sys.argv[0]
    if not os.path.isabs(program) and not _working_directory():
        return
    folders = (os.path.dirname(os.path.abspath(program)), os.path.dirname(os.path.realpath(program)))
    if sys.path[0] in ("", *_working_directory(), *folders):
        del sys.path[0]


def _working_directory() -> tuple[str, ...]:
    try:
        return (os.getcwd(),)
    except FileNotFoundError:
        return ()


if __name__ == "__main__":
    program()
