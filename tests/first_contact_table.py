"""What another checkout and this one say of each first mistake, as Markdown: `python -m tests.first_contact_table OLD`.

The mistakes are those of `tests/test_first_contact.py`. Each checkout is run with its own `.venv`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.channel.package import Package, write_channel
from tests.conftest import CHECKOUT
from tests.test_first_contact import MISTAKES, VERSIONS


def answer(checkout: Path, home: Path, program: str, words: list[str], files: dict[str, str]) -> str:
    """What the program of this checkout says of a mistake, made in a directory of its own, and its exit status."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDA", "PYTHON", "XDG"))}
    with tempfile.TemporaryDirectory(dir=home) as directory:
        for name, text in files.items():
            Path(directory, name).write_text(text)
        done = subprocess.run(
            [checkout / ".venv/bin" / f"conda-{program}", *words],
            cwd=directory,
            env={**kept, "HOME": str(home), "NO_COLOR": "1"},
            input="print(1)\n",
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            check=False,
        )
    return f"{done.stderr.rstrip()}\n[exit status {done.returncode}]"


def main(old: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        url = write_channel(Path(directory, "made"), [Package(*each) for each in VERSIONS])
        for name, (program, words, files, _, _) in MISTAKES.items():
            given = [word.format(url=url) for word in words]
            texts = {file: text.format(url=url) for file, text in files.items()}
            print(f"## {name}: `{shlex.join([f'conda-{program}', *given])}`\n")
            for title, checkout in (("before", old), ("after", CHECKOUT)):
                home = Path(directory, title)
                home.mkdir(exist_ok=True)
                print(f"{title}:\n\n```text\n{answer(checkout, home, program, given, texts)}\n```\n", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
