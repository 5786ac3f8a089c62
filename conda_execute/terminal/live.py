"""The line on a terminal that shows the progress of an environment's creation.

It appears only after the work has taken a moment, fits the terminal at every redraw, and is the only text that is ever
erased; the cursor is never hidden, so a killed process leaves the terminal intact. Engines report from any thread; only
one thread of our own draws. Where it is cut depends only on the terminal, never on the figures, so nothing moves or
flickers while they change.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TextIO

from ..text import megabytes
from .progress import SLOW, TICK, Heard, Log, Progress, duration, sentence
from .table import cut

#: Seconds before anything is drawn.
PATIENCE = 0.25

#: Seconds over which the rate of a download is averaged, and after which an old rate is not shown.
_WINDOW = 3.0
_RECENT = 1.5

_CLEAR = "\r\x1b[K"

#: Columns: of the bar, and at most of the parts of the line, as in `999.9 of 999.9 MB`, `, 59 min 59 s left`,
#: `, 999.9 MB/s`, `, 999.9 MB, 59 min 59 s` and a package's name.
_NARROWEST_BAR, _WIDEST_BAR = 8, 24
_SHARE, _LEFT, _RATE, _FIGURES, _NAME = 17, 18, 12, 23, 24


class Terminal(Heard):
    """One line that is redrawn; with `verbose`, below the lines of a log."""

    shows_bytes = True

    def __init__(
        self, stream: TextIO, environ: Mapping[str, str], patience: float = PATIENCE, *, verbose: bool = False
    ) -> None:
        super().__init__(stream, verbose=verbose)
        self._environ = environ
        self._patience = patience
        self._is_drawn = False
        self._colour = not environ.get("NO_COLOR")
        self._unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
        self._samples: list[tuple[float, int]] = []

    def _news(self) -> str:
        seconds = time.monotonic() - self._began
        if seconds < self._patience:
            return ""
        self._is_drawn = True
        return _CLEAR + self.line(self._width(), seconds)

    def _say(self, line: str) -> None:
        super()._say(f"{_CLEAR}{line}")

    def close(self) -> None:
        super().close()
        if self._is_drawn:
            self._is_drawn = False
            self._write(_CLEAR)

    def _width(self) -> int:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        asked = self._environ.get("COLUMNS", "")
        return columns or (int(asked) if asked.isdigit() else 0) or 80

    def line(self, width: int, seconds: float) -> str:
        """The line to show now. The last column stays free, since writing to it makes some terminals wrap."""
        room = max(width - 1, 1)
        frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self._unicode else "|/-\\"
        spinner = frames[int(seconds / TICK) % len(frames)]
        words, bar = self._words(seconds, room - 2)
        text = cut(f"{spinner} {words}", room)
        space = min(room - len(text) - 1, _WIDEST_BAR)
        if bar is None or space < _NARROWEST_BAR:
            return self._dim(text.rstrip())
        return f"{self._dim(text)} {self._bar(bar, space)}"

    def _words(self, seconds: float, room: int) -> tuple[str, float | None]:
        """The text about the current work and its done share, in this many columns."""
        done, begun = self._fetched()
        if stalled := self._stalled():
            return stalled, None
        if self._doing:
            return f"{self._doing}{self._taken()}", None
        if done < begun or (done < self._expected and not self._linked and done):
            return self._downloading(done, max(begun, self._expected), seconds, room)
        if self._total and self._linked:
            package = cut(self._package, _NAME).ljust(_NAME)
            return f"linking {self._linked}/{self._total} {package}", self._linked / self._total
        if self._step == "solve" and self._hosts:
            return self._reading(room), None
        return sentence(self._step, self._total) + self._taken(), None

    def _downloading(self, done: int, size: int, seconds: float, room: int) -> tuple[str, float]:
        text = f"downloading{' from PyPI' if self._step == 'pypi' else ''} "
        width = len(text) + _SHARE
        text += _part(done, size)
        rate = self._rate(seconds, done) if time.monotonic() - self._last_byte < _RECENT else 0.0
        left = (size - done) / rate if rate else 0.0
        for part, most in (
            (f", {duration(left, 0)} left" if left >= 5 else "", _LEFT),
            (f", {megabytes(rate)}/s" if rate else "", _RATE),
        ):
            if width + most + 1 + _NARROWEST_BAR <= room:
                text, width = text + part, width + most
        return text.ljust(width), done / size

    def _reading(self, room: int) -> str:
        quiet = self._received and time.monotonic() - self._last_byte > _RECENT
        if quiet and self._last_work - self._last_byte > _RECENT / 2:
            return f"solving{self._taken()}"
        text, hosts = "reading the package index", f" of {' and '.join(self._hosts)}"
        figures = (f", {megabytes(self._received)}" if self._received else "") + self._taken()
        return text + hosts * (len(text + hosts) + _FIGURES <= room) + figures

    def _taken(self) -> str:
        taken = time.monotonic() - self._since
        return f", {duration(taken, 0)}" if taken >= SLOW else ""

    def _rate(self, seconds: float, done: int) -> float:
        kept = [one for one in self._samples if one[0] > seconds - _WINDOW and one[1] <= done]
        self._samples = [*kept, (seconds, done)]
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


def _part(done: float, size: float) -> str:
    """How much of a size is done, in the unit of the whole.

    >>> _part(1_234_567, 98_765_432), _part(12_000, 345_000)
    ('1.2 of 98.8 MB', '12 of 345 kB')
    """
    whole = megabytes(size)
    unit, digits = {"GB": (1e9, 1), "MB": (1e6, 1)}.get(whole[-2:], (1e3, 0))
    return f"{done / unit:.{digits}f} of {whole}"


def progress(
    stream: TextIO | None, environ: Mapping[str, str], *, title: str = "", quiet: bool = False, verbose: bool = False
) -> Progress:
    """The progress display for this stream: a line that is redrawn, lines of a log, or nothing."""
    if quiet or stream is None:
        return Progress()
    try:
        terminal = stream.isatty()
    except ValueError:  # closed
        return Progress()
    if terminal and environ.get("TERM") != "dumb":
        return Terminal(stream, environ, verbose=verbose)
    return Log(stream, title, verbose=verbose)
