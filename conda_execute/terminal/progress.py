"""What a person sees while an environment is created: one line on a terminal, gone when the work is done.

Elsewhere (a log, a dumb terminal) work of more than two seconds gets one line when that is clear and one at its end;
with `verbose` each step has its line, and each package. When asked to be quiet nothing is shown.

The line on a terminal appears only when the work has taken a moment, fits the terminal at every redraw, and is the only
thing that is ever erased; the cursor is never hidden, so that no kind of death leaves a terminal to repair. Engines
report from any thread; only one thread of our own draws.
"""

from __future__ import annotations

import os
import threading
import time

from ..text import megabytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import TextIO

#: Seconds before anything is drawn, and between two redraws.
PATIENCE = 0.25
TICK = 0.1

#: Seconds before a log says that something takes time, and how much longer that line waits for the size of the work.
SLOW = 2.0
_WAIT_FOR_FIGURES = 8.0

#: Seconds without news after which the hosts are named that have to answer.
_STALLED = 10.0

#: Seconds over which the rate of a download is averaged.
_WINDOW = 3.0

_SENTENCES = {"solve": "solving", "install": "installing{packages}", "pypi": "installing{packages} from PyPI"}
_CLEAR = "\r\x1b[K"
_WIDEST_BAR = 24


class Progress:
    """Takes the news of an engine's work and shows nothing. Methods may be called from any thread."""

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        """A step begins (`solve`, `install`, `pypi`); it deals with `total` packages, where that is known, and needs
        answers from `hosts`."""

    def packages(self, lines: Sequence[str], size: int) -> None:
        """What is installed, one line a package, and how many bytes of it are still to be downloaded."""

    def done(self) -> None:
        """All of it worked."""

    def download(self, package: str, done: int, size: int | None) -> None:
        """Of the archive of `package`, `done` bytes of `size` are here."""

    def linked(self, package: str) -> None:
        """One more package is in the prefix."""

    def close(self) -> None:
        """Leave the terminal as it was. May be called twice; the object can be used again."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Log(Progress):
    """Lines: the slow work's beginning and end, or every step."""

    def __init__(self, stream: TextIO, title: str = "", *, verbose: bool = False, slow: float = SLOW) -> None:
        self._stream = stream
        self._title = title
        self._verbose = verbose
        self._slow = slow
        self._began = time.monotonic()
        self._step_began = 0.0
        self._figures = ""
        self._known = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._announced = False

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        if self._verbose:
            self._end_step()
            self._step_began = time.monotonic()
            self._write(_sentence(name, total))
        elif self._thread is None and not self._announced:
            self._over.clear()
            self._thread = threading.Thread(target=self._announce, name="progress", daemon=True)
            self._thread.start()

    def packages(self, lines: Sequence[str], size: int) -> None:
        if self._verbose:
            self._write("\n".join(f"  {line}" for line in lines))
        self._figures = f": {_counted(len(lines))}" + (f", {megabytes(size)} to download" if size else "")
        self._known.set()

    def done(self) -> None:
        if self._verbose:
            self._end_step()
        if self._announced:
            self._write(f"conda-execute: created in {duration(time.monotonic() - self._began)}")

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            self._known.set()
            thread.join(1)
            self._known.clear()

    def _end_step(self) -> None:
        seconds = time.monotonic() - self._step_began
        if self._step_began and seconds >= 1:
            self._write(f"  took {duration(seconds)}")

    def _announce(self) -> None:
        if self._over.wait(self._slow):
            return
        self._known.wait(_WAIT_FOR_FIGURES)
        if not self._over.is_set() or self._figures:
            self._announced = True
            self._write(f"conda-execute: creating environment for {self._title or 'the script'}{self._figures}")

    def _write(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more; the work goes on


class Terminal(Progress):
    """One line that is redrawn."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], patience: float = PATIENCE) -> None:
        self._stream = stream
        self._environ = environ
        self._patience = patience
        self._colour = not environ.get("NO_COLOR")
        self._unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._step = ""
        self._hosts: Sequence[str] = ()
        self._began = self._news = time.monotonic()
        self._reset(0)

    def _reset(self, total: int) -> None:
        self._total = total
        self._linked = 0
        self._package = ""
        self._downloads: dict[str, tuple[int, int]] = {}
        self._samples: list[tuple[float, int]] = []

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        with self._lock:
            self._step, self._hosts = name, hosts
            self._began = self._news = time.monotonic()
            self._reset(total)
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._draw_until_over, name="progress", daemon=True)
            self._thread.start()

    def download(self, package: str, done: int, size: int | None) -> None:
        with self._lock:
            self._downloads[package] = (done, max(size or 0, done))
            self._news = time.monotonic()

    def linked(self, package: str) -> None:
        with self._lock:
            self._linked += 1
            self._package = package
            self._news = time.monotonic()

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            thread.join(1)

    def _draw_until_over(self) -> None:
        drawn = False
        beginning = time.monotonic()
        wait = self._patience
        try:
            while not self._over.wait(wait):
                self._write(_CLEAR + self.line(self._width(), time.monotonic() - beginning))
                drawn, wait = True, TICK
            if drawn:
                self._write(_CLEAR)
        except (OSError, ValueError):
            return  # the terminal went away; the work goes on

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _width(self) -> int:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        asked = self._environ.get("COLUMNS", "")
        return columns or (int(asked) if asked.isdigit() else 0) or 80

    def line(self, width: int, seconds: float) -> str:
        """The line as it is to look now. The last column stays free, since writing to it makes some terminals wrap."""
        room = max(width - 1, 1)
        frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self._unicode else "|/-\\"
        spinner = frames[int(seconds / TICK) % len(frames)]
        with self._lock:
            words, bar = self._words(seconds, room - 2)
        text = f"{spinner} {words}"[:room]
        if bar is None:
            return self._dim(text)
        space = min(room - len(text) - 1, _WIDEST_BAR)
        return self._dim(text) + (" " + self._bar(bar, space) if space >= 8 else "")

    def _words(self, seconds: float, room: int) -> tuple[str, float | None]:
        done = sum(done for done, _ in self._downloads.values())
        size = sum(size for _, size in self._downloads.values())
        silent = time.monotonic() - self._news
        if silent >= _STALLED and self._hosts and (self._step != "install" or done < size):
            return f"no news from {' and '.join(self._hosts)} for {duration(silent)}", None
        if done < size:
            rate = self._rate(seconds, done)
            speed = f", {_bytes(rate)}/s" if rate else ""
            left = (size - done) / rate if rate else 0
            text = f"downloading {_bytes(done)} of {_bytes(size)}{speed}"
            remaining = f", {duration(round(left))} left" if left >= 5 else ""
            return text + remaining * (len(text + remaining) <= room), done / size
        if self._total and self._linked:
            return f"linking {self._linked}/{self._total} {self._package}", self._linked / self._total
        taken = time.monotonic() - self._began
        doing = "reading the package index, solving" if self._step == "solve" else _sentence(self._step, self._total)
        return doing + (f", {taken:.0f} s" if taken >= SLOW else ""), None

    def _rate(self, seconds: float, done: int) -> float:
        self._samples = [sample for sample in self._samples if sample[0] > seconds - _WINDOW] + [(seconds, done)]
        (first, had), (last, has) = self._samples[0], self._samples[-1]
        return (has - had) / (last - first) if last > first else 0.0

    def _bar(self, share: float, width: int) -> str:
        full, empty = ("━", "─") if self._unicode else ("#", "-")
        filled = int(width * min(share, 1.0))
        if not self._colour:
            return full * filled + empty * (width - filled)
        return f"\x1b[32m{full * filled}\x1b[0m\x1b[2m{empty * (width - filled)}\x1b[0m"

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text


def progress(
    stream: TextIO | None, environ: Mapping[str, str], *, title: str = "", quiet: bool = False, verbose: bool = False
) -> Progress:
    """What suits this stream: a line that is redrawn, lines of a log, or nothing."""
    if quiet or stream is None:
        return Progress()
    try:
        terminal = stream.isatty()
    except ValueError:  # closed
        return Progress()
    if terminal and environ.get("TERM") != "dumb" and not verbose:
        return Terminal(stream, environ)
    return Log(stream, title, verbose=verbose)


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(0.4), duration(59), duration(192), duration(7300)
    ('0.4 s', '59 s', '3 min 12 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _counted(total: int) -> str:
    return f"{total} package{'s' if total != 1 else ''}"


def _sentence(step: str, total: int) -> str:
    return _SENTENCES.get(step, step).format(packages=f" {_counted(total)}" if total else "")


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
