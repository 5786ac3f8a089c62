"""What a person sees while an environment is created: one line on a terminal, gone when the work is done.

Elsewhere (a log, a dumb terminal) work of more than two seconds gets one line when its size is known and one at its
end, and a server that does not answer is named; with `verbose` each step and each package has a line. With `quiet`
nothing is shown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TextIO

from ..text import counted, megabytes

#: Seconds between two looks at the work, which are two redraws of a terminal's line.
TICK = 0.1

#: Seconds before a log reports long work, and how much longer that line waits for the size of the work.
SLOW = 2.0
_WAIT_FOR_FIGURES = 3.0

#: Seconds without data after which the hosts are named that must answer.
STALLED = 10.0

#: A solver that has used this share of the processor time is working, not waiting for a host.
_AT_WORK = 0.1

_SENTENCES = {
    "solve": "solving",
    "joint": "choosing conda and PyPI packages together",
    "install": "installing{packages}",
    "pypi": "installing{packages} from PyPI",
}


class Progress:
    """Receives the progress of an engine's work, and shows nothing. Methods may be called from any thread."""

    #: Whether bytes are shown while they arrive.
    shows_bytes = False

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        """A step begins (`solve`, `joint`, `install`, `pypi`), or is repeated; it handles `total` packages, if known,
        and needs answers from `hosts`."""

    def received(self, total: int) -> None:
        """The number of bytes received from hosts since the step began."""

    def packages(self, lines: Sequence[str], size: int) -> None:
        """The packages that will be installed, one line each, and how many bytes must be downloaded."""

    def done(self) -> None:
        """Everything succeeded."""

    def download(self, package: str, done: int, size: int | None) -> None:
        """`done` bytes of `size` of the archive of `package` have arrived."""

    def linked(self, package: str) -> None:
        """One more package is in the prefix."""

    def installed(self, lines: Sequence[str]) -> None:
        """The packages that a step has added, one line each."""

    def doing(self, what: str) -> None:
        """Work that may take long and needs no host has begun, as in `building numpy`; an empty text ends it."""

    def close(self) -> None:
        """Leave the terminal as it was. May be called twice; the object can be used again."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Steps(Progress):
    """A line for each step and each package, and how long each step took."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._step = ""
        self._began = 0.0

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        if name == self._step:
            return
        self.done()
        self._step, self._began = name, time.monotonic()
        self._say(sentence(name, total))

    def packages(self, lines: Sequence[str], size: int) -> None:
        self.installed(lines)

    def installed(self, lines: Sequence[str]) -> None:
        self._say("\n".join(f"  {line}" for line in lines))

    def done(self) -> None:
        if self._step:
            self._say(f"  took {duration(time.monotonic() - self._began)}")
            self._step = ""


class Heard(Progress):
    """Stores the reported progress and its time; a thread shows it from the first step until `close`. With `verbose`,
    steps have lines too."""

    def __init__(self, stream: TextIO, *, verbose: bool) -> None:
        self._stream = stream
        self._verbose = verbose
        self._steps = Steps(self._say) if verbose else Progress()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._step = ""
        self._began = self._since = time.monotonic()
        self._forget(0, ())

    def _forget(self, total: int, hosts: Sequence[str]) -> None:
        self._total, self._hosts = total, hosts
        self._last_byte = self._last_work = time.monotonic()
        self._received = self._linked = self._expected = 0
        self._package = self._doing = ""
        self._downloads: dict[str, tuple[int, int]] = {}
        self._hear()

    def _hear(self) -> None:
        self._heard, self._worked = time.monotonic(), time.process_time()

    def _watch(self) -> None:
        while not self._over.wait(TICK):
            with self._lock:
                text = self._news()
            self._write(text)  # a terminal may be stopped, but the work continues

    def _news(self) -> str:
        """What to write now about the work, for each kind of output."""
        raise NotImplementedError

    def _say(self, line: str) -> None:
        """Print a line that stays."""
        self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass  # no reader any more, or the terminal is gone; the work continues

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        self._steps.step(name, total)
        with self._lock:
            if name != self._step:
                self._step, self._since = name, time.monotonic()
            self._forget(total, hosts)
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
            self._thread.start()

    def packages(self, lines: Sequence[str], size: int) -> None:
        self._steps.packages(lines, size)
        self._expected = size

    def done(self) -> None:
        self._steps.done()

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            thread.join(1)

    def received(self, total: int) -> None:
        with self._lock:
            if total != self._received:
                self._received, self._last_byte = total, time.monotonic()
                self._hear()

    def download(self, package: str, done: int, size: int | None) -> None:
        new = (done, max(size or 0, done))
        with self._lock:
            if new != self._downloads.get(package):
                self._downloads[package] = new
                self._last_byte = time.monotonic()
                self._hear()

    def linked(self, package: str) -> None:
        with self._lock:
            self._linked += 1
            self._package = package
            self._hear()

    def installed(self, lines: Sequence[str]) -> None:
        self._steps.installed(lines)

    def doing(self, what: str) -> None:
        with self._lock:
            if what != self._doing:
                self._doing, self._since = what, time.monotonic()
                self._hear()

    def _fetched(self) -> tuple[int, int]:
        """The received bytes, and the size of all downloads that have begun."""
        return sum(done for done, _ in self._downloads.values()), sum(size for _, size in self._downloads.values())

    def _stalled(self) -> str | None:
        """The message about hosts that must answer but do not."""
        done, begun = self._fetched()
        awaits = done < begun or (self._step != "install" and not self._downloads)
        if not self._hosts or not awaits or self._doing:
            return None
        silent = time.monotonic() - self._heard
        if time.process_time() - self._worked > max(0.1, _AT_WORK * silent):
            self._hear()
            self._last_work = self._heard
            return None
        return f"no data from {' and '.join(self._hosts)} for {duration(silent, 0)}" if silent >= STALLED else None


class Log(Heard):
    """Lines where nothing is redrawn: the beginning and the end of slow work, and hosts that do not answer."""

    def __init__(self, stream: TextIO, title: str = "", *, verbose: bool = False, slow: float = SLOW) -> None:
        super().__init__(stream, verbose=verbose)
        self._title = title or "the script"
        self._slow = slow
        self._figures = ""
        self._is_announced = self._is_stalled = False

    def packages(self, lines: Sequence[str], size: int) -> None:
        super().packages(lines, size)
        self._figures = f": {counted(len(lines), 'package')}" + (f", {megabytes(size)} to download" if size else "")
        if self._is_announced:
            self._say(self._beginning())

    def done(self) -> None:
        super().done()
        if self._is_announced:
            self._say(f"conda-execute: created in {duration(time.monotonic() - self._began)}")

    def _news(self) -> str:
        lines = []
        taken = time.monotonic() - self._began - self._slow
        if taken > (0 if self._figures else _WAIT_FOR_FIGURES) and not self._verbose and not self._is_announced:
            lines.append(self._beginning())
        stalled = self._stalled()
        if stalled and not self._is_stalled:
            lines.append(f"conda-execute: {stalled}")
        self._is_stalled = stalled is not None
        return "".join(f"{line}\n" for line in lines)

    def _beginning(self) -> str:
        """The line about the work, from which on its end has one too."""
        self._is_announced = True
        work = "solving" if self._step == "solve" and not self._figures else "creating environment"
        return f"conda-execute: {work} for {self._title}{self._figures}"


def duration(seconds: float, digits: int = 1) -> str:
    """A duration for people; short ones with this many decimals.

    >>> duration(0.4), duration(4.2, 0), duration(59), duration(192), duration(7300)
    ('0.4 s', '4 s', '59 s', '3 min 12 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.{digits}f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def sentence(step: str, total: int) -> str:
    return _SENTENCES.get(step, step).format(packages=f" {counted(total, 'package')}" if total else "")
