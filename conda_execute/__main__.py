"""The Python half of the program `conda-execute`, and `python -m conda_execute`.

It is here and not in `execute` because it decides what happens before anything else is imported: `__future__` is a
module as well, so annotations are quoted here.
"""

import os
import sys

# The first statement: Ctrl-C ends the process like SIGTERM, at once and without a traceback, until there is something
# to clean up (`interrupts.take`). Only programs import this module.
try:
    from .lean.signals import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
except KeyboardInterrupt:
    os._exit(128 + 2)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: Garbage collection during imports finds nothing and costs a tenth of a warm run; long runs still collect.
_OBJECTS = 100_000


def program() -> "NoReturn":
    """Run the command line; never returns."""
    import gc

    gc.set_threshold(_OBJECTS)
    forget_our_folder()
    if sys.argv[1:2] == ["--tmpenv"]:  # as the script `conda-tmpenv` does
        del sys.argv[1]
        from .cli.tmpenv import program
    else:
        from .cli.execute import program

    program()


def tmpenv() -> "NoReturn":
    """The entry point `conda-tmpenv`, on systems where it is not a script."""
    sys.argv.insert(1, "--tmpenv")
    program()


def forget_our_folder() -> None:
    """Remove the directory that Python puts first on `sys.path`: the program's, or the working directory.

    We must not import a `yaml.py` from there. With `-I` and `-P` there is no such directory.
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
