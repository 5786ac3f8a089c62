"""What the doors say to a person, and how a process of ours ends.

Everything goes to standard error: standard output belongs to the script, and to what a command was asked to print.
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


#: What writing to a full disk, or to one that fails, ends in.
_OUTPUT_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def colourful(stream: TextIO) -> bool:
    """Whether text for `stream` may carry colour: a terminal that can show it, and nobody said NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str, *, is_rendered: bool = False) -> None:
    """One message for the person, without secrets, on standard error where there is one. `is_rendered`: may hold
    colours, and came from `render`."""
    text = text if is_rendered else "\n".join(map(printable, text.split("\n")))
    try:
        if sys.stderr is None:  # it is closed, or Python could open no more files
            os.write(2, text.encode(errors="replace") + b"\n")
        else:
            print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody listens any more: the script must run all the same


def report(error: ExecuteError, as_json: bool = False) -> None:
    """Tell of a failure: as JSON on standard output where that was asked for, as text otherwise."""
    if as_json:
        print_json(failure(error))
    elif isinstance(error, InterruptError):
        say(error.message)  # the person knows: it is no mistake to fix
    else:
        from .errors import render
        from .table import width_of

        colour = sys.stderr is not None and colourful(sys.stderr)
        say(render(error, colour, width_of(sys.stderr)), is_rendered=True)


def failure(error: ExecuteError) -> dict[str, Any]:
    """An error as a mapping for JSON; keys that have nothing to say are left out."""

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
    """Whether there is a person who sees a question and can answer it."""
    return sys.stdin is not None and sys.stderr is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """A question that is answered with yes or no; whatever is not a yes is a no.

    Reads no byte beyond the line: what was typed ahead belongs to the script.
    """
    print(hide(question), end=" ", file=sys.stderr, flush=True)
    # A terminal hands out one line at a time, however much is asked for.
    answer = os.read(sys.stdin.fileno(), 1024)
    if not answer.endswith(b"\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in (b"y", b"yes")


def print_json(value: Any) -> None:
    """As UTF-8, whatever the locale. What no terminal prints is escaped, and so is a byte that no text has: Python's
    `os.fsencode` makes it of what JSON says."""
    import io
    import json

    text = hide(json.dumps(value, indent=2, ensure_ascii=False, default=str))
    escaped = (one if one == "\n" or one.isprintable() else json.dumps(one)[1:-1] for one in text)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    print("".join(escaped), flush=True)


def guard(work: Callable[[], int], *, as_json: bool) -> int:
    """The exit status of `work`; an error that is not a bug is reported, and becomes the status it means."""
    try:
        interrupts.take()
        return _work_or_signal(work)
    except ExecuteError as error:
        report(error, as_json)
        return error.exit_status
    except KeyboardInterrupt:
        say("interrupted")
        return 128 + 2  # SIGINT
    except interrupts.Terminated as signal:
        return 128 + signal.number


def _work_or_signal(work: Callable[[], int]) -> int:
    """An interrupt may arrive as another error: until Python 3.12, what `__set_name__` raises is a RuntimeError."""
    try:
        return work()
    except RuntimeError:
        interrupts.check()
        raise


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """The body of an entry point: `main` with the command line, then the end of the process.

    Leaves by `os._exit`: a process that used the engine's asynchronous interface may crash while the interpreter is
    torn down, after all work is done and with its status lost (py-rattler 0.28, about one time in a hundred).
    """
    _hold_standard_streams()
    _print_all()
    try:
        status = main(sys.argv[1:])
    except SystemExit as request:
        status = request.code if isinstance(request.code, int) else 0 if request.code is None else 1
    except KeyboardInterrupt:
        leave(128 + 2)
    except interrupts.Terminated as signal:
        leave(128 + signal.number)
    except BrokenPipeError:
        leave(141)  # 128 + SIGPIPE: what a program in a pipe ends with when its reader is gone
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
    """What is not one of our errors: a limit that was reached, or a bug, which must be seen whole."""
    limit = limits.reached(error)
    if limit is None:
        sys.excepthook(type(error), error, error.__traceback__)
    else:
        say(f"error: {limit.message}\nhint: {limit.hint}")


def _hold_standard_streams() -> None:
    """Let no file of ours take the number of a stream that is closed: what is written to that stream would end in it.

    For us alone: what Python opens is closed in the script, as it was.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one


def _print_all() -> None:
    """Let no character end us: a byte of a name is printed as it is, and what the locale lacks is escaped."""
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
    """End the process with what was printed written out, and no interpreter to tear down."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError) as error:
            # Success would be a lie: the output is lost. A reader that went away knows.
            if stream is sys.stdout and not status and not isinstance(error, BrokenPipeError):
                say(f"error: the output cannot be written: {getattr(error, 'strerror', None) or error}")
            status = status or 125
    os._exit(status)


@dataclass(frozen=True)
class Voice:
    """How much is told, on standard error: errors only, what matters, or every step."""

    verbose: bool = False
    quiet: bool = False

    def notice(self, text: str, *more: str) -> None:
        """Lines, however many a name in them seems to have."""
        if not self.quiet:
            say("\n  ".join(map(printable, (f"conda-execute: {as_called(text)}", *more))))

    def detail(self, text: str) -> None:
        if self.verbose:
            say(text)
