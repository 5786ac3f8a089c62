"""Power cuts at random moments, and what is found afterwards: `python -m tests.faults.powercuts [KIND...]`.

A user's whole home lies on a disk of its own. While environments are made, used and removed, scripts edited and
locked, caches thrown away, the disk's state is kept at random moments, each of which is a cut. Then the machine
"starts again" with each of them: another boot id, no process left. What must hold then:

- a script is as it was before or after an edit, and never anything else; a lock likewise;
- every environment that is believed has every file that its packages list, with the right content;
- every script runs, and prints what it should; a second time as well (the launcher's way).

Prints a table; what does not hold goes to standard error, with status 1.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.channel import build
from tests.conftest import install_programs
from tests.faults.disk import FILE_SYSTEMS, Disk, missing
from tests.serving import serving

#: Scripts by name: text, and what they print.
SCRIPTS = {
    "a.py": ("# conda execute\n# env:\n#  - python\n#  - six\nimport six, json\nprint('six', 6 * 7)\n", "six 42\n"),
    "b.sh": ("# conda execute\n# env:\n#  - lua\n# run_with: sh\nlua -e 'print(\"lua \" .. 6 * 7)'\n", "lua 42\n"),
    "c.py": ("# conda execute\n# env: [python, click, idna]\nimport click, idna\nprint('click')\n", "click\n"),
    "d.py": ("# conda execute\n# env: [python]\nprint('edited')\n", "edited\n"),
    "e.py": (
        "# conda execute\n# env: [python, {pip: [pygments, attrs]}]\nimport attr, pygments\nprint('PyPI')\n",
        "PyPI\n",
    ),
}
LOCKED, EDITED = ("a.py", "e.py"), "d.py"

#: Longest pause between two pieces of work, in seconds: by then a disk that is left alone has written what it had.
PAUSE = 9.0

#: Longest time that one program may take, in seconds.
PATIENCE = 300


class User:
    """Somebody whose home is on the disk."""

    def __init__(self, disk: Disk, programs: Path, index: str) -> None:
        self.home = disk.place / "home"
        self.work = self.home / "work"
        self.environ = {
            "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "LANG": "C.UTF-8",
            "CONDARC": str(disk.folder / "condarc"),
            "CONDA_EXECUTE_AUTO_CLEAN": "false",
            "UV_DEFAULT_INDEX": index,
        }
        (disk.folder / "condarc").write_text(
            f"channels: [conda-forge]\ncustom_channels:\n  conda-forge: {build.ensure().parent.as_uri()}\n"
        )

    def settle(self) -> None:
        """Scripts that were there long before."""
        self.work.mkdir(parents=True)
        for name, (text, _) in SCRIPTS.items():
            (self.work / name).write_text(text)
        os.sync()

    def call(self, *words: str, boot: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = list(words)
        if boot is not None:  # as after a restart: this machine bears another boot id
            bind = f'mount --bind {boot} /proc/sys/kernel/random/boot_id && exec "$@"'
            command = ["unshare", "--mount", "sh", "-c", bind, "sh", *command]
        return subprocess.run(
            command, check=False, cwd=self.work, env=self.environ, timeout=PATIENCE,
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
        )  # fmt: skip


def work(user: User, ended: threading.Event, seed: int) -> None:
    """What the user does until it is over, each thing in the middle of what the cuts may hit."""
    dice = random.Random(seed)
    caches = [user.home / ".cache" / name for name in ("rattler", "rattler/cache/repodata", "uv")]
    while not ended.is_set():
        act = dice.choice(["run", "run", "force", "clear", "lock", "edit", "drop"])
        name = dice.choice(sorted(SCRIPTS))
        if act == "drop":
            shutil.rmtree(dice.choice(caches), ignore_errors=True)
        elif act == "clear":
            user.call("conda-tmpenv", "clear")
        else:
            words = {
                "run": [name],
                "force": ["--force-env", name],
                "lock": ["--lock", dice.choice(LOCKED)],
                "edit": ["--" + dice.choice(["add", "remove"]), "click", EDITED],
            }[act]
            user.call("conda-execute", *words)
        ended.wait(dice.choice([0, 0, dice.uniform(0, PAUSE)]))


def cut_at_random(disk: Disk, user: User, cuts: int, seed: int) -> None:
    ended = threading.Event()
    worker = threading.Thread(target=work, args=(user, ended, seed))
    worker.start()
    dice = random.Random(seed + 1)
    try:
        for number in range(cuts):
            time.sleep(dice.uniform(0.05, 2.0))
            disk.cut(f"cut{number}")
    finally:
        ended.set()
        worker.join()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """An index of Python packages, with the wheels that the channel is made of; its address."""
    for wheel in (build.default_destination() / "downloads").glob("*.whl"):
        page = folder / wheel.name.partition("-")[0]
        page.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, page)
    with serving(folder) as url:
        yield url


def wrong_files(prefix: Path) -> Iterator[str]:
    """Files that a package lists and that are not as it says: conda's in its record, PyPI's in its RECORD."""
    for record in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            paths = json.loads(record.read_bytes())["paths_data"]["paths"]
        except (ValueError, KeyError):
            yield f"{record.name} is no record"
            continue
        for path in paths:
            file = prefix / path["_path"]
            if file.is_symlink() or path.get("path_type") == "softlink":
                if not file.is_symlink():
                    yield f"{path['_path']} is gone"
            else:
                yield from wrong_file(file, path.get("sha256_in_prefix") or path.get("sha256"))
    for listed in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info/RECORD")):
        if "uv" not in (listed.parent / "INSTALLER").read_text():
            continue  # conda's
        lines = list(csv.reader(listed.read_text().splitlines()))
        if not lines:
            yield f"{listed} lists nothing"
        for name, digest, _ in lines:
            coded = digest.partition("=")[2]
            expected = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).hex() if coded else None
            yield from wrong_file(listed.parents[1] / name, expected)


def wrong_file(file: Path, expected: str | None) -> Iterator[str]:
    """What is wrong with a file of this SHA-256, where it is known."""
    if not file.is_file():
        yield f"{file} is gone"
    elif expected and hashlib.sha256(file.read_bytes()).hexdigest() != expected:
        yield f"{file} has {file.stat().st_size} bytes that are not its own"


def after(user: User, boot: Path, found: Counter[str]) -> Iterator[str]:
    """What does not hold when the machine starts again."""
    for name, (text, _) in SCRIPTS.items():
        now = (user.work / name).read_text()
        good = {text, text.replace("[python]", "[python, click]")} if name == EDITED else {text}
        if now not in good:
            yield f"{name} is neither the old nor the new: {now!r}"
    for lock in user.work.glob("*.lock"):
        if not lock.read_text().startswith("#"):
            yield f"{lock.name} is {lock.read_bytes()[:40]!r}"
    places = sorted(user.home.glob(".cache/conda-execute/*/tmp_envs/*"))
    ready = [place for place in places if (place / "conda-meta" / "conda-execute").exists()]
    found["prefixes"] += len(places)
    found["ready"] += len(ready)
    for name, (_, expected) in sorted(SCRIPTS.items()):
        for way in ("first", "again"):
            done = user.call("conda-execute", name, boot=boot)
            if (done.returncode, done.stdout) != (0, expected):
                yield f"{name}, {way}: status {done.returncode}, {done.stdout!r}, {done.stderr.strip()[-300:]!r}"
            elif done.stderr:
                found["told"] += 1
    for prefix in sorted(user.home.glob(".cache/conda-execute/*/tmp_envs/*")):
        if (prefix / "conda-meta" / "conda-execute").exists():
            for problem in list(wrong_files(prefix))[:3]:
                yield f"{prefix.name}{' (was ready)' if prefix in ready else ''}: {problem}"


def trial(kind: str, cuts: int, seed: int, folder: Path, index: str) -> bool:
    """One file system; whether all held. Prints a line of the table."""
    found: Counter[str] = Counter()
    programs = install_programs(folder / "programs")
    boot = folder / "boot_id"
    with Disk(kind, folder / kind) as disk:
        user = User(disk, programs, index)
        user.settle()
        cut_at_random(disk, user, cuts, seed)
        disk.unmount()
        for number in range(cuts):
            boot.write_text(f"00000000-0000-4000-8000-{number:012}\n")
            disk.restore(f"cut{number}")
            try:
                problems = list(after(user, boot, found))
            finally:
                disk.unmount()
                disk.forget(f"cut{number}")
            found["cuts"] += 1
            found["failed"] += bool(problems)
            for problem in problems:
                print(f"{kind}, cut {number} (seed {seed}): {problem}", file=sys.stderr, flush=True)
    columns = (kind, *(str(found[name]) for name in ("cuts", "prefixes", "ready", "failed")))
    print("| " + " | ".join(columns) + " |", flush=True)
    return not found["failed"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Power cuts at random moments.")
    parser.add_argument("--cuts", type=int, default=100, help="for each file system")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" ".join(FILE_SYSTEMS))
    chosen = parser.parse_args()
    why_not = missing()
    if why_not is not None:
        print(f"no power cuts here: {why_not}", file=sys.stderr)
        return 125
    print("| file system | cuts | prefixes then | of these ready | cuts after which something did not hold |")
    print("|---|---:|---:|---:|---:|")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="powercuts-")))
        index = stack.enter_context(served(folder / "index"))
        held = [trial(kind, chosen.cuts, chosen.seed, folder, index) for kind in chosen.kinds or FILE_SYSTEMS]
        return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
