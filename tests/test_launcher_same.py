"""Whatever the script, its header, its path and the way it is called: the launcher runs what Python runs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.launching import SHELLS, Place, find_shell, make_place, shell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names that only Linux lets be")

BODY = """
import json, os, sys
seen = [sys.argv, sorted((k, v) for k, v in os.environ.items() if k != "_"), os.getcwd(), sys.stdin.read()]
print(json.dumps(seen))
sys.exit(len(sys.argv) * 7 % 256)
"""

#: Any character but NUL, with those more often that shells, Python or file systems treat in their own ways.
letters = st.sampled_from("'\"\\$`!*?[]{}()<>|&;~#%=- \t\n.é\u2028ü\x7f\x01\x81\udcff") | st.characters(
    blacklist_characters="\0", blacklist_categories=["Cs"]
)
words = st.text(letters, max_size=12)
#: A name in a folder; `~x` makes it neither `.` nor `..`, and short enough for any file system.
short = st.text(letters.filter(lambda letter: letter != "/"), max_size=12)
#: Up to 200 bytes, and at most 4 of them a letter.
names = st.builds(lambda text, times: f"{(text * times)[:49]}~x", short, st.sampled_from([1, 1, 1, 50]))
#: A comment before the header, on one line for Python, for us and for the shell.
comments = st.text(
    letters.filter(lambda letter: letter not in "\n\r\f\v\x1c\x1d\x1e\x85\u2028\u2029\udcff"), max_size=20
)
identifiers = st.from_regex(r"[A-Z_a-z][A-Z_a-z0-9]{2,8}", fullmatch=True)
variables = st.dictionaries(
    identifiers.filter(lambda name: not name.upper().startswith(("_CE_", "CONDA", "PYTHON", "LC_"))), words, max_size=4
)


@dataclass(frozen=True)
class Case:
    """One script and one way to call it."""

    folder: list[str]
    name: str
    before: list[str]
    ending: str
    specs: list[str]
    after: str
    arguments: list[str]
    variables: dict[str, str]
    #: How the path is given; see `given_path`.
    way: str
    #: The CONDA_PREFIX of an environment that is activated outside.
    outer: str | None
    stdin: bytes
    shell: str
    #: Which character of the beginning to change afterwards, as a part of all of them.
    change: float

    def text(self) -> str:
        header = ["# conda execute", "# env:", *(f"#  - {spec}" for spec in self.specs), "# run_with: [python, -I, -S]"]
        return self.ending.join([*(f"#{line} ~" for line in self.before), *header, self.after, ""]) + BODY


cases = st.builds(
    Case,
    folder=st.lists(names, max_size=3),
    name=names,
    before=st.lists(comments, max_size=4),
    ending=st.sampled_from(["\n", "\n", "\r\n"]),
    specs=st.lists(
        st.sampled_from(["python", "numpy >=1", "x[build='a*']", "y  # [linux]", "z <2,>1 # é'"]),
        min_size=1,
        max_size=3,
    ),
    after=st.sampled_from(["", "pass", "'''it's'''", "x = 1 # - numpy"]),
    arguments=st.lists(words, max_size=4),
    variables=variables,
    way=st.sampled_from(["absolute", "relative", "dotted", "doubled", "linked"]),
    outer=st.none() | words.map(lambda text: f"/outer{text}"),
    stdin=st.binary(max_size=20).filter(lambda data: data.isascii() and b"\r" not in data),
    shell=st.deferred(lambda: st.sampled_from([name for name in SHELLS if find_shell(name)])),  # looked for when needed
    change=st.floats(0, 1, exclude_max=True),
)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        yield make_place(Path(folder) / "place")


def check(place: Place, case: Case) -> None:
    shells = place.root / "shells"
    shells.mkdir(exist_ok=True)
    place = replace(place.with_(**case.variables), shell=tuple(shell(case.shell, shells)))
    if case.outer is not None:
        path = f"/a:{case.outer}/bin:{place.environ['PATH']}"
        place = place.with_(CONDA_PREFIX=case.outer, CONDA_SHLVL="1", PATH=path)
    shutil.rmtree(place.work)
    shutil.rmtree(place.root / "cache", ignore_errors=True)
    place.work.mkdir()
    try:
        script = place.script(os.path.join(*case.folder, case.name), case.text().encode())
    except OSError:
        return  # a file system that refuses the name
    given = given_path(case.way, script, place.work)
    asked = place.asked
    first, second = (place.run(given, *case.arguments, input=case.stdin) for _ in range(2))
    assert first.returncode == (len(case.arguments) + 1) * 7 % 256, first.stderr
    assert place.asked == asked + 1, "the launcher did not do it alone"
    assert (second.returncode, second.stderr) == (first.returncode, first.stderr)
    assert json.loads(second.stdout) == json.loads(first.stdout)
    change(script, case)
    place.run(given, *case.arguments, input=case.stdin)
    assert place.asked == asked + 2, "the launcher believed a record of another header"


def given_path(way: str, script: Path, work: Path) -> str:
    """One of the ways to write where the script is."""
    relative = os.path.relpath(script, work)
    if way == "linked":
        (work / "a link").symlink_to(work)
        return f"a link/{relative}"
    if way == "relative" and not relative.startswith("-"):
        return relative
    return {"absolute": str(script), "doubled": f"/{str(script).replace('/', '//')}"}.get(way, f"./{relative}")


def change(script: Path, case: Case) -> None:
    """Change one character up to the end of the header, and neither size nor time."""
    before, text = script.stat(), script.read_bytes()
    end = text.index(b"-S]") + 3
    place = int(case.change * end)
    script.write_bytes(text[:place] + (b"!" if text[place : place + 1] != b"!" else b"?") + text[place + 1 :])
    os.utime(script, ns=(before.st_atime_ns, before.st_mtime_ns))


#: A case takes a tenth of a second, so a failing one is shown as it is.
rounds = settings(suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])


@settings(rounds, max_examples=25)
@given(case=cases)
def test_launcher_runs_what_python_runs(place: Place, case: Case) -> None:
    check(place, case)


@pytest.mark.stress
@settings(rounds, max_examples=1000)
@given(case=cases)
def test_launcher_runs_what_python_runs_a_thousand_times(place: Place, case: Case) -> None:
    check(place, case)
