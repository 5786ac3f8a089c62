"""What another checkout and this one say of each first mistake, as Markdown: `python -m tests.first_contact_table OLD`.

The mistakes are those of `tests/test_first_contact.py`, and two that take a server and a second process. Each checkout
is run with its own `.venv`.
"""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.channel.package import Package, write_channel
from tests.conftest import CHECKOUT
from tests.serving import Files, serving
from tests.test_first_contact import MISTAKES, PLAIN, VERSIONS, Variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Slow(Files):
    """Keeps the creator of an environment busy for a while."""

    def do_GET(self) -> None:
        if self.path.endswith((".tar.bz2", ".conda")):
            time.sleep(5)
        super().do_GET()


def start(checkout: Path, home: Path, words: list[str], **options: Any) -> subprocess.Popen[str]:
    """A program of a checkout, for a user with this home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDA", "PYTHON", "XDG"))}
    variables = {**kept, "HOME": str(home), "NO_COLOR": "1", **options.pop("variables", {})}
    program = checkout / ".venv/bin" / words[0]
    return subprocess.Popen([program, *words[1:]], env=variables, text=True, **options)


def answer(checkout: Path, home: Path, words: list[str], *, files: dict[str, str], variables: Variables) -> str:
    """What a program of this checkout says of a mistake, made in a directory of its own, and its exit status."""
    with tempfile.TemporaryDirectory(dir=home) as directory:
        for name, text in files.items():
            Path(directory, name).write_text(text, errors="surrogateescape")
        piped = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
        running = start(checkout, home, words, cwd=directory, variables=variables, **piped)
        _, said = running.communicate("print(1)\n")
    return f"{said.rstrip()}\n[exit status {running.returncode}]"


def waiting(checkout: Path, home: Path, url: str) -> str:
    """What the second of two says that want the same environment."""
    Path(home, "s.py").write_text(PLAIN.format(url=f"{url}/made"))
    words = ["conda-execute", "--print-prefix", "s.py"]
    piped = {"cwd": home, "stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    first = start(checkout, home, words, **piped)
    time.sleep(3)
    second = start(checkout, home, words, **piped)
    said = second.communicate()[1]
    first.communicate()
    return f"{said.rstrip()}\n[exit status {second.returncode}]"


def refused(checkout: Path, home: Path, url: str) -> str:
    """What is said to who does not trust a script from the web."""
    master, terminal = pty.openpty()
    running = start(
        checkout, home, ["conda-execute", f"{url}/s.py"], stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(master, 4096)
        except OSError:
            break  # the other end is closed
        if shown.endswith(b"[y/N] "):
            os.write(master, b"n\n")
    os.close(master)
    return f"{shown.decode().replace(chr(13), '').rstrip()}\n[exit status {running.wait()}]"


def show(title: str, old: Path, homes: Path, ask: Callable[[Path, Path], str]) -> None:
    print(f"## {title}\n")
    for name, checkout in (("before", old), ("after", CHECKOUT)):
        home = homes / name
        home.mkdir(exist_ok=True)
        print(f"{name}:\n\n```text\n{ask(checkout, home)}\n```\n", flush=True)


def main(old: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        url = write_channel(folder / "made", [Package(*each) for each in VERSIONS])
        (folder / "s.py").write_text(PLAIN.format(url=url))
        for name, (program, words, files, variables, _, _) in MISTAKES.items():
            given = [f"conda-{program}", *(word.format(url=url) for word in words)]
            texts = {file: text.format(url=url) for file, text in files.items()}
            ask = partial(answer, words=given, files=texts, variables=variables)
            show(f"{name}: `{shlex.join(given)}`", old, folder, ask)
        with serving(folder, Slow) as address:
            show("waiting: the same environment twice", old, folder, partial(waiting, url=address))
            show("refused: no to a script from the web", old, folder, partial(refused, url=address))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
