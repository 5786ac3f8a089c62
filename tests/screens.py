"""What a first run shows, as text: `python -m tests.screens` prints it, at 50, 80 and 120 columns and in a pipe.

A server on this machine has a conda channel and a PyPI index, and gives so many bytes a second to all who ask together.
An environment is created from it with nothing cached, in a real terminal (tmux). Each scene has its screens in the
order in which they were seen, one for each thing that was done; in between only figures change.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.channel import Package, build, write_channel
from tests.conftest import install_programs
from tests.serving import Quiet, Server

#: Bytes a second for all connections together, and how many are sent at once.
RATE = 2_500_000
_PIECE = 16_384

WIDTHS = (50, 80, 120)

#: Longest time that one scene may take, in seconds.
_PATIENCE = 300

HEADER = """\
# conda execute
# env:
#  - python
#  - slow-link
#  - pip:
#     - large-wheel
"""


@dataclass
class Line:
    """The way to the server: all bytes of all connections take it one after the other."""

    rate: float
    #: A path that contains this gets half of what it asks for, and then nothing more.
    stalls_at: str | None = None
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_on(self, size: int) -> None:
        with self._lock:
            self.over.wait(size / self.rate)


class _Server(Server):
    line: Line
    folder: Path


class _Handler(Quiet):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.server.folder / self.path.partition("?")[0].strip("/")
        path = path / "index.html" if path.is_dir() else path
        content = path.read_bytes() if path.is_file() else None
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "text/html" if path.suffix == ".html" else "application/octet-stream")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        stalls_at = self.server.line.stalls_at
        stalls = body and stalls_at is not None and self.path.endswith((stalls_at, ".conda")) and stalls_at in self.path
        end = len(content or b"") // (2 if stalls else 1)
        for start in range(0, end if body else 0, _PIECE):
            piece = (content or b"")[start : min(start + _PIECE, end)]
            self.server.line.pass_on(len(piece))
            try:
                self.wfile.write(piece)
            except OSError:
                return  # the other side ended
        if stalls:
            self.server.line.over.wait()


@contextmanager
def serving(folder: Path, line: Line) -> Iterator[str]:
    with _Server(_Handler) as server:
        server.line, server.folder = line, folder
        try:
            yield server.url
        finally:
            line.over.set()


def fill(folder: Path, *, wheel: int = 6_000_000, others: int = 20_000) -> None:
    """A channel with the local channel's packages, one whose link script takes its time, and as many records of
    other packages as make reading the index take a while; and a PyPI index with one wheel of random bytes."""
    shutil.copytree(build.ensure(), folder / "conda-forge", ignore=shutil.ignore_patterns("*.zst", "shards"))
    noise = random.Random(0).randbytes(2_000_000)
    link = "#!/bin/sh\nsleep 4\n"
    slow = Package("slow-link", files={"share/slow-link": noise.hex(), "bin/.slow-link-post-link.sh": link})
    write_channel(folder / "slow", [slow])
    shutil.copy(folder / "slow" / slow.directory / f"{slow.stem}.conda", folder / "conda-forge" / slow.directory)
    index = folder / "conda-forge" / slow.directory / "repodata.json"
    records = json.loads(index.read_text())
    records["packages.conda"] |= json.loads((folder / "slow" / slow.directory / index.name).read_text())[
        "packages.conda"
    ]
    for number in range(others):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        record = {"name": f"other-{number}", "version": "1", "build": "0", "build_number": 0, "depends": []}
        records["packages.conda"][f"other-{number}-1-0.conda"] = {**record, "sha256": digest, "size": 1}
    index.write_text(json.dumps(records))
    _write_wheel(folder / "simple" / "large-wheel", wheel)


def _write_wheel(directory: Path, size: int) -> None:
    directory.mkdir(parents=True)
    name, info = "large_wheel-1.0-py3-none-any.whl", "large_wheel-1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: large-wheel\nVersion: 1.0\n"
    (directory / f"{name}.metadata").write_text(metadata)
    with zipfile.ZipFile(directory / name, "w") as archive:
        archive.writestr("large_wheel/data.bin", random.Random(1).randbytes(size))
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (directory / "index.html").write_text(f'<a href="{name}" data-core-metadata="true">{name}</a>\n')


def machine(root: Path, url: str) -> dict[str, str]:
    """The variables of a user on whose machine nothing is cached, and whose packages come from this server."""
    (root / "home").mkdir()
    (root / "condarc").write_text(
        f"channels: [conda-forge]\ncustom_channels:\n  conda-forge: {url}\n"
        "remote_read_timeout_secs: 14\nremote_max_retries: 0\n"
    )
    (root / "train.py").write_text(f"{HEADER}\nprint('trained')\n")
    return {
        "PATH": f"{install_programs(root / 'bin')}:{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(root / "home"),
        "LANG": "C.UTF-8",
        "CONDARC": str(root / "condarc"),
        "UV_DEFAULT_INDEX": f"{url}/simple",
        "UV_HTTP_TIMEOUT": "14",
        "UV_HTTP_RETRIES": "0",
        "CONDA_EXECUTE_AUTO_CLEAN": "no",
    }


def on_a_terminal(root: Path, environ: Mapping[str, str], command: str, columns: int) -> list[str]:
    """The screens of a command on a terminal, as a person sees them one after the other."""
    tmux = ["tmux", "-S", str(root / "tmux"), "-f", "/dev/null"]
    clean = ["env", "-i", *(f"{name}={value}" for name, value in environ.items()), "TERM=tmux-256color"]
    inside = f'cd {shlex.quote(str(root))}; {command}; echo "[status $?]"; read line'
    seen: list[str] = []
    started = time.monotonic()
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", str(columns), "-y", "12", shlex.join([*clean, "sh", "-c", inside])],
        check=True,
    )
    try:
        while time.monotonic() - started < _PATIENCE:
            shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
            screen = "\n".join(line.rstrip() for line in shown.rstrip().split("\n"))
            if screen != (seen or [""])[-1]:
                seen.append(screen)
            if "[status " in screen:
                return seen
            time.sleep(0.1)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
    raise TimeoutError("\n".join(seen[-1:]))


def in_a_pipe(root: Path, environ: Mapping[str, str], words: Sequence[str]) -> list[tuple[float, str]]:
    """The lines of standard error of a command without a terminal, each with the second at which it came."""
    started = time.monotonic()
    process = subprocess.Popen(
        words, cwd=root, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = [(time.monotonic() - started, line.rstrip("\n")) for line in process.stderr]
    process.wait(_PATIENCE)
    return said


def kind(screen: str) -> str:
    """What a screen shows but for its figures: two of a kind differ in how far the work is."""
    return re.sub(r"[\d.]+ ?(?:[kMG]?B|min|s|h)?\b|[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏━─/,]|/s\b|\b(?:of|left)\b| {2,}", "", screen).strip()


def scenes(seen: Sequence[str]) -> list[str]:
    """The last screen of each kind, in order: what was shown for as long as that went on."""
    last: list[str] = []
    for screen in seen:
        if last and (kind(last[-1]) == kind(screen) or screen.startswith(last[-1])):
            last[-1] = screen
        else:
            last.append(screen)
    return [screen for screen in last if screen]


def shown(folder: Path, columns: int, option: str = "", stalls_at: str | None = None) -> list[str]:
    """The screens of the creation of an environment; `folder` has what `fill` wrote."""
    with serving(folder / "served", Line(RATE, stalls_at)) as url:
        root = Path(tempfile.mkdtemp(dir=folder))
        return on_a_terminal(root, machine(root, url), f"conda-execute {option} train.py", columns)


def logged(folder: Path, option: str = "", stalls_at: str | None = None) -> list[str]:
    """The lines of standard error of the same, in a pipe, each with its second."""
    with serving(folder / "served", Line(RATE, stalls_at)) as url:
        root = Path(tempfile.mkdtemp(dir=folder))
        words = ["conda-execute", *option.split(), "train.py"]
        return [f"{at:6.1f} s  {text}" for at, text in in_a_pipe(root, machine(root, url), words)]


def main(words: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="screens-") as name, ThreadPoolExecutor(4) as pool:
        folder = Path(name)
        fill(folder / "served")
        running = {}
        for columns in [int(word) for word in words] or WIDTHS:
            running[f"a terminal of {columns} columns"] = pool.submit(shown, folder, columns)
        running["a terminal of 80 columns, with -v"] = pool.submit(shown, folder, 80, "-v")
        for option in ("", "-v"):
            running[f"a pipe: conda-execute {option} train.py"] = pool.submit(logged, folder, option)
        for what, place in (("index", "repodata.json"), ("package", "python-3"), ("wheel", ".whl")):
            running[f"a server that stalls amid the {what}"] = pool.submit(shown, folder, 80, "", place)
            running[f"a server that stalls amid the {what}, a pipe"] = pool.submit(logged, folder, "", place)
        for title, future in running.items():
            lines = future.result()
            print(f"\n--- {title}", *(lines if "pipe" in title else scenes(lines)), sep="\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
