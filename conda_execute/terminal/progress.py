"""What a person sees while an environment is created: one line on a terminal, gone when the work is done.

Elsewhere (a log, a dumb terminal) work of more than two seconds gets one line when its size is known and one at its
end, and a server that does not answer is named; with `verbose` each step and each package has a line. With `quiet`
nothing is shown.
"""

from __future__ import annotations

import threading
import time

from ..text import counted, megabytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Protocol

    class Lines(Protocol):
        """The output of a log."""

        def write(self, text: str, /) -> object: ...

        def flush(self) -> None: ...


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

    def __init__(self, stream: Lines) -> None:
        self._stream = stream
        self._step = ""
        self._began = 0.0

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        if name == self._step:
            return
        self.done()
        self._step, self._began = name, time.monotonic()
        write(self._stream, sentence(name, total))

    def packages(self, lines: Sequence[str], size: int) -> None:
        write(self._stream, "\n".join(f"  {line}" for line in lines))

    def installed(self, lines: Sequence[str]) -> None:
        self.packages(lines, 0)

    def done(self) -> None:
        if self._step:
            write(self._stream, f"  took {duration(time.monotonic() - self._began)}")
            self._step = ""


class Heard(Progress):
    """Stores the reported progress and its time; a thread checks it from the first step until `close`."""

    def __init__(self, steps: Steps | None) -> None:
        self._steps = steps
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._step = ""
        self._since = time.monotonic()
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

    def _works(self) -> bool:
        """Whether the processor has been busy since."""
        return time.process_time() - self._worked > max(0.1, _AT_WORK * (time.monotonic() - self._heard))

    def step(self, name: str, total: int = 0, hosts: Sequence[str] = ()) -> None:
        if self._steps is not None:
            self._steps.step(name, total)
        with self._lock:
            if name != self._step:
                self._step, self._since = name, time.monotonic()
            self._forget(total, hosts)
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        """What the thread does until `_over` is set, for each kind of output."""
        raise NotImplementedError

    def packages(self, lines: Sequence[str], size: int) -> None:
        if self._steps is not None:
            self._steps.packages(lines, size)
        self._expected = size

    def done(self) -> None:
        if self._steps is not None:
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
        if self._steps is not None:
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
        if self._works():
            self._hear()
            self._last_work = self._heard
        silent = time.monotonic() - self._heard
        return f"no data from {' and '.join(self._hosts)} for {duration(silent, 0)}" if silent >= STALLED else None


class Log(Heard):
    """Lines where nothing is redrawn: the beginning and the end of slow work, and hosts that do not answer."""

    def __init__(self, stream: Lines, title: str = "", *, verbose: bool = False, slow: float = SLOW) -> None:
        super().__init__(Steps(stream) if verbose else None)
        self._stream = stream
        self._title = title or "the script"
        self._slow = slow
        self._first = time.monotonic()
        self._figures = ""
        self._known = threading.Event()
        self._announced = verbose  # every step is

    def packages(self, lines: Sequence[str], size: int) -> None:
        super().packages(lines, size)
        with self._lock:
            self._figures = f": {counted(len(lines), 'package')}" + (f", {megabytes(size)} to download" if size else "")
            if self._announced and self._steps is None:
                self._announce()
        self._known.set()

    def done(self) -> None:
        super().done()
        if self._announced and self._steps is None:
            self._say(f"created in {duration(time.monotonic() - self._first)}")

    def close(self) -> None:
        self._over.set()
        self._known.set()
        super().close()
        self._known.clear()

    def _watch(self) -> None:
        if not self._announced:
            if self._over.wait(self._slow):
                return
            self._known.wait(_WAIT_FOR_FIGURES)
            with self._lock:
                if not self._over.is_set() or self._figures:
                    self._announce()
        named = False
        while not self._over.wait(1):
            with self._lock:
                stalled = self._stalled()
            if stalled and not named:
                self._say(stalled)
            named = stalled is not None

    def _announce(self) -> None:
        self._announced = True
        solves = self._step == "solve" and not self._figures
        self._say(f"{'solving' if solves else 'creating environment'} for {self._title}{self._figures}")

    def _say(self, text: str) -> None:
        write(self._stream, f"conda-execute: {text}")


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


def write(stream: Lines, line: str) -> None:
    try:
        stream.write(f"{line}\n")
        stream.flush()
    except (OSError, ValueError):
        pass  # no reader any more; the work continues
