"""Hand the process over to the script: on POSIX with exec, so that its signals, streams and exit status are its own.

The promises, for whatever is started here:

- the program is searched on the PATH of the environment, not on ours;
- it gets the signal dispositions and the file descriptors that we were started with (Python ignores SIGPIPE and
  SIGXFSZ for itself; they are restored to what the launcher found, or to the default), and no descriptor of ours is
  open in it;
- scripts of `activate.d` are sourced by one shell, bash if there is one, which then becomes the program;
- the process id stays, so the note that says "this process uses the environment" stays true. On Windows, which has no
  exec, we wait, pass signals on and end with the status of the child, in a job object that ends with us.

Programs that cannot be started raise the errors of `process`.
"""

from __future__ import annotations

import sys

from ..errors import NotFoundError
from .process import become, find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from .activation import Activation


def execute(argv: Sequence[str], activation: Activation) -> NoReturn:
    """Become `argv` in the activated environment. Does not return; see the module for what it raises."""
    if sys.platform == "win32":
        from .windows import spawn_and_leave

        spawn_and_leave(argv, activation)
    environ: Mapping[str, str] = activation.environ
    if activation.has_scripts:
        from .sourcing import becoming_words, environ_of_shell, sourced

        before = becoming_words(activation)
        try:
            program = find_program(argv[0], activation.environ, activation.prefix)
        except NotFoundError:
            before = None  # scripts of activate.d may add to PATH; only the shell that has run them all knows
        if before is not None:
            become(before[0], [*before, program, *argv[1:]], environ_of_shell(activation))
        environ = sourced(activation)
    program = find_program(argv[0], environ, activation.prefix)
    become(program, [program, *argv[1:]], environ)
