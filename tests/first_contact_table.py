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
from tests.test_first_contact import MISTAKES, VERSIONS, Variables


def answer(checkout: Path, home: Path, words: list[str], *, files: dict[str, str], variables: Variables) -> str:
    """What a program of this checkout says of a mistake, made in a directory of its own, and its exit status."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDA", "PYTHON", "XDG"))}
    with tempfile.TemporaryDirectory(dir=home) as directory:
        for name, text in files.items():
            Path(directory, name).write_text(text, errors="surrogateescape")
        done = subprocess.run(
            [checkout / ".venv/bin" / words[0], *words[1:]],
            cwd=directory,
            env={**kept, "HOME": str(home), "NO_COLOR": "1", **variables},
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
        for name, (program, words, files, variables, _, _) in MISTAKES.items():
            given = [f"conda-{program}", *(word.format(url=url) for word in words)]
            texts = {file: text.format(url=url) for file, text in files.items()}
            print(f"## {name}: `{shlex.join(given)}`\n")
            for title, checkout in (("before", old), ("after", CHECKOUT)):
                home = Path(directory, title)
                home.mkdir(exist_ok=True)
                print(
                    f"{title}:\n\n```text\n{answer(checkout, home, given, files=texts, variables=variables)}\n```\n",
                    flush=True,
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
