"""Progress: one line that fits, leaves nothing behind, and is not there where nobody looks."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator

import pytest

from conda_execute.engines.pypi.project import Bars
from conda_execute.terminal import live
from conda_execute.terminal import progress as progress_module
from conda_execute.terminal.live import Terminal, progress
from conda_execute.terminal.progress import Log, Progress
from tests.conftest import CHECKOUT

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Pty:
    """A pseudo-terminal of a given width: `stream` writes to it, `written` is what came out."""

    def __init__(self, columns: int) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = io.TextIOWrapper(io.FileIO(slave, "w"), encoding="utf-8")
        os.set_blocking(self._master, False)

    def written(self) -> str:
        self.stream.flush()
        collected = b""
        while True:
            try:
                collected += os.read(self._master, 65536)
            except BlockingIOError:
                return collected.decode()


@pytest.fixture
def pseudo_terminal():
    return Pty(60)


def shown(line: str) -> str:
    return _ESCAPES.sub("", line)


def test_a_pipe_gets_nothing_for_quick_work() -> None:
    stream = io.StringIO()
    with progress(stream, {}, title="s.py") as chosen:
        chosen.step("solve")
        chosen.packages(["python 3.12.1 0 (12 MB)"], 12_000_000)
        chosen.done()
    assert stream.getvalue() == ""


def test_a_pipe_gets_one_line_at_the_beginning_of_slow_work_and_one_at_its_end() -> None:
    stream = io.StringIO()
    with Log(stream, "s.py", slow=0.1) as chosen:
        chosen.step("solve")
        time.sleep(0.3)
        chosen.step("install", 2)
        chosen.packages(["python 3.12.1 0 (12 MB)", "numpy 2.1.0 0 (8 MB)"], 20_000_000)
        time.sleep(0.2)
        chosen.step("pypi")
        chosen.done()
    first, last = stream.getvalue().splitlines()
    assert first == "conda-execute: creating environment for s.py: 2 packages, 20.0 MB to download"
    assert re.fullmatch(r"conda-execute: created in \d+\.\d s", last)


def test_a_failure_after_slow_work_is_not_called_a_success() -> None:
    stream = io.StringIO()
    with Log(stream, "s.py", slow=0.05) as chosen:
        chosen.step("install", 1)
        chosen.packages(["python 3.12.1 0 (12 MB)"], 0)
        time.sleep(0.2)
    assert stream.getvalue() == "conda-execute: creating environment for s.py: 1 package\n"


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Without colours, and on nothing."""
    terminal = Terminal(io.StringIO(), {"NO_COLOR": "1"})
    yield terminal
    terminal.close()


def test_hosts_that_do_not_answer_are_named(terminal: Terminal) -> None:
    terminal.step("solve", hosts=["conda.example.org"])
    terminal._heard -= 11
    assert "no data from conda.example.org for 11 s" in terminal.line(80, 11.0)


def test_a_long_download_shows_the_time_left(terminal: Terminal) -> None:
    terminal.step("install", 1)
    terminal.download("python", 0, 100_000_000)
    terminal.line(80, 1.0)
    terminal.download("python", 1_000_000, 100_000_000)
    assert "1 min 39 s left" in terminal.line(80, 2.0)


def test_a_pipe_gets_a_line_for_each_step_when_asked_for_more():
    stream = io.StringIO()
    chosen = progress(stream, {}, verbose=True)
    with chosen:
        chosen.step("solve")
        chosen.step("install", 3)
        chosen.packages(["python 3.12.1 0 (12.0 MB)"], 0)
        chosen.linked("python")
        chosen.step("pypi", 1)
        chosen.installed(["humanize 4.9.0 (0.1 MB)"])
        chosen.done()
    assert (
        stream.getvalue() == "solving\n  took 0.0 s\ninstalling 3 packages\n  python 3.12.1 0 (12.0 MB)\n  took 0.0 s\n"
        "installing 1 package from PyPI\n  humanize 4.9.0 (0.1 MB)\n  took 0.0 s\n"
    )


@pytest.mark.parametrize(
    ("environ", "quiet"), [({"TERM": "dumb"}, False), ({"TERM": "xterm"}, True)], ids=["dumb", "quiet"]
)
def test_no_line_on(pseudo_terminal, environ, quiet):
    assert not isinstance(progress(pseudo_terminal.stream, environ, quiet=quiet), Terminal)


def test_a_terminal_is_left_as_it_was(pseudo_terminal):
    chosen = progress(pseudo_terminal.stream, {"TERM": "xterm"})
    with chosen:
        chosen.step("solve")
        time.sleep(0.5)
    written = pseudo_terminal.written()
    assert "solving" in written
    assert written.endswith("\r\x1b[K")
    assert "\n" not in written


def test_quick_work_shows_nothing(pseudo_terminal):
    with progress(pseudo_terminal.stream, {"TERM": "xterm"}) as chosen:
        chosen.step("solve")
    assert pseudo_terminal.written() == ""


def test_the_line_is_cleared_when_interrupted(pseudo_terminal):
    def work() -> None:
        with Terminal(pseudo_terminal.stream, {}, patience=0) as chosen:
            chosen.step("solve")
            time.sleep(0.2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert pseudo_terminal.written().endswith("\r\x1b[K")


@pytest.mark.parametrize("width", [1, 2, 10, 20, 40, 80, 200])
def test_the_line_fits_the_terminal(width):
    terminal = Terminal(io.StringIO(), {})
    terminal.step("install", 120)
    terminal.download("a-package-with-a-long-name", 12_345_678, 98_765_432)
    assert len(shown(terminal.line(width, 1.0))) < max(width, 2)
    terminal.download("a-package-with-a-long-name", 98_765_432, 98_765_432)
    terminal.linked("a-package-with-a-long-name" * 4)
    assert len(shown(terminal.line(width, 1.0))) < max(width, 2)
    terminal.close()


def test_a_download_shows_bytes_and_rate(terminal: Terminal):
    terminal.step("install", 2)
    terminal.download("python", 1_000_000, 10_000_000)
    terminal.line(80, 1.0)
    terminal.download("python", 3_000_000, 10_000_000)
    assert "downloading 3.0 of 10.0 MB, 2.0 MB/s" in terminal.line(80, 2.0)


def test_no_colour_where_asked_for_none(terminal: Terminal):
    terminal.step("install", 2)
    terminal.linked("python")
    assert "\x1b" not in terminal.line(80, 1.0)


def test_a_download_that_hangs_is_not_given_a_rate_or_a_time(terminal: Terminal) -> None:
    terminal.step("install", 1)
    terminal.download("python", 0, 100_000_000)
    terminal.line(80, 1.0)
    terminal.download("python", 1_000_000, 100_000_000)
    terminal._last_byte -= 2
    assert terminal.line(80, 2.0).rstrip("#- ").endswith(" downloading 1.0 of 100.0 MB")


def test_what_is_still_to_be_downloaded_counts_before_it_has_begun(terminal: Terminal) -> None:
    terminal.step("install", 2)
    terminal.packages(["python 3.12.1 0 (12.0 MB)", "numpy 2.1.0 0 (8.0 MB)"], 20_000_000)
    terminal.download("numpy", 8_000_000, 8_000_000)
    assert "downloading 8.0 of 20.0 MB" in terminal.line(80, 1.0)


def test_the_package_index_shows_its_bytes_and_its_host(terminal: Terminal) -> None:
    terminal.step("solve", hosts=["conda.example.org"])
    terminal.received(3_400_000)
    assert "reading the package index of conda.example.org, 3.4 MB" in terminal.line(80, 1.0)
    assert "reading the package index, 3.4 MB" in terminal.line(50, 1.0)


@pytest.mark.parametrize("width", [30, 50, 80, 120])
def test_no_part_of_a_download_moves_while_its_figures_grow(terminal: Terminal, width: int) -> None:
    terminal.step("install", 1)
    ends = set()
    for done in (1, 9_000_000, 20_000_000, 800_000_000, 2_000_000_000):
        terminal.download("cuda", done, 2_100_000_000)
        line = terminal.line(width, done / 1e7)
        bar = re.search("[#-]{8,}", line)
        ends.add(bar and bar.start())
    assert len(ends) == 1


def test_a_link_script_is_named_while_it_runs(terminal: Terminal) -> None:
    terminal.step("install", 1, ["conda.example.org"])
    terminal.linked("fonts")
    terminal.doing("running the link script of fonts")
    terminal._heard -= 60
    assert "running the link script of fonts" in terminal.line(80, 61.0)


def test_a_log_names_hosts_that_do_not_answer() -> None:
    stream = io.StringIO()
    log = Log(stream, "s.py", slow=0)
    with log:
        log.step("solve", hosts=["conda.example.org"])
        log._heard -= 11
        for _ in range(100):  # it looks once a second
            if "no data" in stream.getvalue():
                break
            time.sleep(0.1)
            log._worked = time.process_time()
    assert "conda-execute: no data from conda.example.org for 1" in stream.getvalue()


def test_steps_stay_above_the_line_of_a_terminal(pseudo_terminal: Pty) -> None:
    with progress(pseudo_terminal.stream, {"TERM": "xterm"}, verbose=True) as chosen:
        chosen.step("install", 1)
        chosen.packages(["python 3.12.1 0 (12.0 MB)"], 12_000_000)
        chosen.download("python", 1_000_000, 12_000_000)
        time.sleep(0.5)
        chosen.done()
    lines = re.sub(r"[^\n]*\r\x1b\[K", "", pseudo_terminal.written().replace("\r\n", "\n")).splitlines()
    assert lines[:2] == ["installing 1 package", "  python 3.12.1 0 (12.0 MB)"]
    assert re.fullmatch(r"  took \d\.\d s", lines[2])


def test_a_step_that_is_repeated_has_one_line() -> None:
    stream = io.StringIO()
    with progress(stream, {}, verbose=True) as chosen:
        for _ in range(3):
            chosen.step("joint")
    assert stream.getvalue() == "choosing conda and PyPI packages together\n"


def test_what_uv_draws_is_read() -> None:
    class Noted(Progress):
        def __init__(self) -> None:
            self.seen: list[object] = []

        def download(self, package: str, done: int, size: int | None) -> None:
            self.seen.append((package, done, size))

        def doing(self, what: str) -> None:
            self.seen.append(what)

    noted = Noted()
    bars = Bars(noted)
    bars.look("⠙ Preparing packages... (0/2)   numpy                ------    10.50 MiB/16.00 MiB   ")
    bars.look("   Building slowb @ file:///tmp/sd   ⠹ Preparing packages... (1/2)  ")
    numpy = ("numpy", 11_010_048, 16_777_216)
    assert noted.seen == [numpy, "", ("numpy", 16_777_216, 16_777_216), "building slowb from PyPI"]


class Clock:
    """The time of a progress line, which goes on only when it is told to; a slow machine shows the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        for module in (live, progress_module):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return 0.0


def seen(width: int, clock: Clock) -> str:
    """What a terminal of this width shows while an environment is created, one line for each thing that is done."""
    host, lines = "conda.anaconda.org", []
    terminal = Terminal(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), {"NO_COLOR": "1"}, patience=1000)

    def look(after: float = 0.0) -> None:
        clock.now += after
        lines.append(terminal.line(width, clock.now).rstrip())

    terminal.step("solve", hosts=[host])
    terminal.received(3_400_000)
    look()
    terminal.step("install", 67, hosts=[host])
    terminal.download("all", 33_200_000, 140_700_000)
    terminal.line(width, clock.now)
    terminal.download("all", 45_200_000, 140_700_000)
    look(after=1)
    look(after=14)
    terminal.download("all", 140_700_000, 140_700_000)
    for _ in range(41):
        terminal.linked("pandas")
    look()
    terminal.doing("running the link script of glib")
    look(after=4)
    terminal.step("pypi", hosts=["pypi.org"])
    terminal.doing("")
    terminal.download("humanize", 5_700_000, 6_000_000)
    look()
    terminal.close()
    return "\n".join(lines)


def logged(clock: Clock) -> str:
    stream = io.StringIO()
    log = Log(stream, "weather.py", slow=1000)
    log.step("solve")
    log.packages(["python"] * 67, 140_700_000)
    log._say(log._beginning())
    clock.now += 42
    log.done()
    log.close()
    return stream.getvalue().strip()


def test_the_page_about_the_first_run_shows_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (CHECKOUT / "docs" / "how-to" / "first-run.md").read_text(encoding="utf-8")
    samples = re.findall(r"```text\n(.*?)\n```", page, re.DOTALL)
    clock = Clock(monkeypatch)
    assert samples == [seen(80, clock), logged(clock)]


WIDE = """\
⠋ reading the package index of conda.anaconda.org, 3.4 MB
⠋ downloading 45.2 of 140.7 MB, 8 s left, 12.0 MB/s           ━━━━━━━─────────────────
⠋ no data from conda.anaconda.org for 15 s
⠋ linking 41/67 pandas                   ━━━━━━━━━━━━━━──────────
⠋ running the link script of glib, 4 s
⠋ downloading from PyPI 5.7 of 6.0 MB                                   ━━━━━━━━━━━━━━━━━━━━━━──"""

NARROW = """\
⠋ reading the package index, 3.4 MB
⠋ downloading 45.2 of 140.7 MB  ━━━━━────────────
⠋ no data from conda.anaconda.org for 15 s
⠋ linking 41/67 pandas                   ━━━━────
⠋ running the link script of glib, 4 s
⠋ downloading from PyPI 5.7 of 6.0 MB"""


@pytest.mark.parametrize(("width", "expected"), [(120, WIDE), (50, NARROW)])
def test_the_line_adapts_to_the_width_of_the_terminal(
    width: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seen(width, Clock(monkeypatch)) == expected
    assert all(len(line) < width for line in expected.splitlines())
