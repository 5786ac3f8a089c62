"""Messages of the entry points, and the end of our process.

Everything goes to standard error: standard output is for the script, and for requested output of a command.
"""

from __future__ import annotations

import errno
import os
import sys

from .. import interrupts, limits
from ..credentials import hide
from ..errors import ExecuteError, InterruptError
from ..lean.values import dataclass
from ..text import as_called, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TextIO


#: Errors of writing to a full or failing disk.
_OUTPUT_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def colourful(stream: TextIO) -> bool:
    """Whether text for `stream` may have colours: it is a terminal that supports them, and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str, *, is_rendered: bool = False) -> None:
    """Print a message without secrets to standard error, if it is open. `is_rendered`: it may contain colours, and
    comes from `render`."""
    text = text if is_rendered else "\n".join(map(printable, text.split("\n")))
    try:
        if sys.stderr is None:  # it is closed, or Python could open no more files
            os.write(2, text.encode(errors="replace") + b"\n")
        else:
            print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # no reader any more: the script must run anyway


def report(error: ExecuteError, as_json: bool = False) -> None:
    """Report a failure: as JSON on standard output if that was asked for, as text otherwise."""
    if as_json:
        print_json(failure(error))
    elif isinstance(error, InterruptError):
        say(error.message)  # the user knows: there is nothing to fix
    else:
        from .errors import render
        from .table import width_of

        colour = sys.stderr is not None and colourful(sys.stderr)
        say(render(error, colour, width_of(sys.stderr)), is_rendered=True)


def failure(error: ExecuteError) -> dict[str, Any]:
    """An error as a mapping for JSON, without empty keys."""

    def shown(text: str | None) -> str | None:
        return None if text is None else as_called(text)

    places = [
        {"path": where.path, "line": where.line, "column": where.column, "text": shown(where.text)}
        for where in error.where
    ]
    said = {
        "error": shown(error.message),
        "step": error.step,
        "where": places,
        "details": shown(error.details),
        "hint": shown(error.hint),
        "exit_status": error.exit_status,
    }
    return {name: value for name, value in said.items() if value not in (None, [])}


def can_ask() -> bool:
    """Whether there is a terminal on which a question can be asked and answered."""
    return sys.stdin is not None and sys.stderr is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask a yes-or-no question; anything but a yes is a no.

    Reads no byte beyond the line: what was typed ahead belongs to the script.
    """
    print(hide(question), end=" ", file=sys.stderr, flush=True)
    # A terminal returns one line at a time, however many bytes are requested.
    answer = os.read(sys.stdin.fileno(), 1024)
    if not answer.endswith(b"\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in (b"y", b"yes")


def print_json(value: Any) -> None:
    """Print JSON as UTF-8 in any locale. Unprintable characters are escaped, and so are bytes that are not text:
    Python's `os.fsencode` restores them."""
    import io
    import json

    text = hide(json.dumps(value, indent=2, ensure_ascii=False, default=str))
    escaped = (one if one == "\n" or one.isprintable() else json.dumps(one)[1:-1] for one in text)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    print("".join(escaped), flush=True)


def guard(work: Callable[[], int], *, as_json: bool) -> int:
    """The exit status of `work`; errors that are not bugs are reported, and determine the status."""
    try:
        interrupts.take()
        try:
            return work()
        except RuntimeError:  # until Python 3.12, this is what an exception in `__set_name__` becomes: an interrupt too
            interrupts.check()
            raise
    except ExecuteError as error:
        report(error, as_json)
        return error.exit_status
    except KeyboardInterrupt:
        say("interrupted")
        return 128 + 2  # SIGINT
    except interrupts.Terminated as signal:
        return 128 + signal.number


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """The body of an entry point: `main` with the command line, then the end of the process.

    Leaves by `os._exit`: a process that used the engine's asynchronous interface may crash while the interpreter is
    torn down, after all work is done and with its status lost (py-rattler 0.28, about one time in a hundred).
    """
    _hold_standard_streams()
    _print_all()
    try:
        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        leave(128 + 2)
    except interrupts.Terminated as signal:
        leave(128 + signal.number)
    except BrokenPipeError:
        leave(141)  # 128 + SIGPIPE: the status of a program in a pipe whose reader is gone
    except OSError as error:
        if error.errno in _OUTPUT_LOST:
            say(f"error: the output cannot be written: {error.strerror}")
        else:
            _say_all_of(error)
        leave(125)
    except BaseException as error:  # noqa: BLE001  the process must still not be torn down
        _say_all_of(error)
        status = 125
    leave(status)


def _say_all_of(error: BaseException) -> None:
    """Report an unexpected error: a limit that was reached, or a bug, with its traceback."""
    limit = limits.reached(error)
    if limit is None:
        sys.excepthook(type(error), error, error.__traceback__)
    else:
        say(f"error: {limit.message}\nhint: {limit.hint}")


def _hold_standard_streams() -> None:
    """Prevent that one of our files gets the number of a closed stream: output for that stream would go into the file.

    Only for our process: descriptors that Python opens are closed in the script.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # this gets the lowest free number, which is that of the stream


def _print_all() -> None:
    """Make sure that no character raises an error: bytes of names are printed unchanged, and characters that the locale
    lacks are escaped."""
    import codecs

    def instead(error: UnicodeError) -> tuple[str | bytes, int]:
        try:
            return codecs.lookup_error("surrogateescape")(error)
        except UnicodeError:
            return codecs.lookup_error("backslashreplace")(error)

    codecs.register_error("conda-execute", instead)
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="conda-execute")  # type: ignore[union-attr]


def leave(status: int) -> NoReturn:
    """Write out what was printed, and end the process without tearing down the interpreter."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError) as error:
            # Success would be wrong: the output is lost. A reader that closed the pipe knows.
            if stream is sys.stdout and not status and not isinstance(error, BrokenPipeError):
                say(f"error: the output cannot be written: {getattr(error, 'strerror', None) or error}")
            status = status or 125
    os._exit(status)


@dataclass(frozen=True)
class Voice:
    """How much is printed to standard error: errors only, notices, or every step."""

    verbose: bool = False
    quiet: bool = False

    def notice(self, text: str, *more: str) -> None:
        """Print a notice; line ends in names are escaped."""
        if not self.quiet:
            say("\n  ".join(map(printable, (f"conda-execute: {as_called(text)}", *more))))

    def detail(self, text: str) -> None:
        if self.verbose:
            say(text)
