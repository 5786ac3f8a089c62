"""Laws of launch records: what they say is true, private and whole, and what they cannot say makes none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_execute.configuration.declared import Sources
from conda_execute.launch import record, shell
from conda_execute.launch.activation import activate
from conda_execute.launch.process import LAUNCHED, LAUNCHED_BY
from conda_execute.lean.values import replace
from tests.launching import HEADER, Place, make_place

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the launcher is a POSIX shell's")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path / "a place")


def run_of(place: Place, **changes: object) -> record.Recorded:
    run = record.Recorded(
        script="x.py",
        data=HEADER.encode() + b"\nprint()\n",
        last_line=4,
        sources=Sources(),
        environment=place.environment,
        activation=activate(str(place.prefix), place.environ),
        command=("python",),
        sweeps=True,
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def written(place: Place, **changes: object) -> Path | None:
    given = "/some/x.py"
    cache = place.root / "cache"
    record.write(run_of(place, **changes), {LAUNCHED: given, LAUNCHED_BY: "/bin/ce", **place.environ})
    path = cache / "launch" / "some" / "x.py.sh"
    return path if path.exists() else None


def test_record_and_its_folders_are_private(place: Place) -> None:
    before = os.umask(0)
    try:
        path = written(place)
    finally:
        os.umask(before)
    assert path is not None
    assert [oct(part.stat().st_mode & 0o777) for part in (path, path.parent, place.root / "cache")] == [
        "0o600", "0o700", "0o700",
    ]  # fmt: skip
    assert os.listdir(path.parent) == ["x.py.sh"]


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_nothing_of_a_record_is_done_unless_it_is_whole(place: Place, part: float) -> None:
    path = written(place)
    assert path is not None
    text = path.read_bytes().replace(b"{\ntrap - 0", b"{\necho begun", 1)
    for end in (int(part * (len(text) - 2)), len(text) - 2):
        path.write_bytes(text[:end])
        done = subprocess.run(["/bin/sh", path], capture_output=True, check=False)
        assert done.stdout == b""


def test_run_that_the_launcher_did_not_start_is_not_recorded(place: Place) -> None:
    record.write(run_of(place), place.environ)
    record.write(run_of(place), {LAUNCHED: "/x.py", LAUNCHED_BY: "/bin/ce"})
    record.write(run_of(place), {LAUNCHED: "/other.py", LAUNCHED_BY: "/bin/ce", **place.environ})
    assert not (place.root / "cache").exists()


@pytest.mark.parametrize("folder", ["../../own", "some/../../../own", "/../../own"])
def test_path_that_leads_out_of_the_folder_of_records_is_not_recorded(place: Place, folder: str) -> None:
    own = place.root / "own"
    own.mkdir()
    (own / "x.py.sh").write_text("mine\n")
    (place.root / "cache" / "launch" / "some").mkdir(parents=True)
    environ = {LAUNCHED: f"/{folder}/x.py", LAUNCHED_BY: "/bin/ce", **place.environ}
    record.write(run_of(place), environ)
    assert (own / "x.py.sh").read_text() == "mine\n"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"data": HEADER.encode() + b"\0\n"}, id="NUL after the header"),
        pytest.param({"data": b"#" * 5000}, id="long"),
        pytest.param({"sources": Sources(files=(("/etc/x", b"#" * 5000),))}, id="long settings"),
        pytest.param({"sources": Sources(files=(("relative", b""),))}, id="settings relative to the cwd"),
        pytest.param({"sources": Sources(directories=(("relative", ("a.yml",)),))}, id="folder relative to the cwd"),
        pytest.param({"sources": Sources(variables=(("A-B", None),))}, id="variable no shell holds"),
        pytest.param({"command": ("nothing-of-the-kind",)}, id="program not found"),
        pytest.param({"command": ("python", "\0")}, id="NUL in an argument"),
        pytest.param({"neighbours": (("/lock", b"#" * 5000),)}, id="long lock"),
        pytest.param({"beginnings": (("/lock", b"#" * 5000 + b"\n"),)}, id="long beginning of a lock"),
        pytest.param({"command": ("python", "https://me:secret@host.example/x")}, id="password in what is run"),
    ],
)
def test_what_cannot_be_said_makes_no_record(place: Place, changes: dict[str, object]) -> None:
    assert written(place, **changes) is None


def test_more_variables_of_the_environment_than_can_be_compared_make_no_record(place: Place) -> None:
    (place.prefix / "conda-meta" / "state").write_bytes(b"{" + b" " * 5000 + b"}")
    assert written(place) is None


@pytest.mark.parametrize("name", ["a-b", "UID", "IFS"])
def test_variable_that_shells_keep_for_themselves_makes_no_record(place: Place, name: str) -> None:
    assert written(place, activation=activate(str(place.prefix), place.environ, [(name, "1")])) is None


#: Anything but NUL: what a file can hold and a shell's word can be.
anything = st.binary().filter(lambda data: b"\0" not in data)


@settings(max_examples=50)
@given(anything)
def test_quoting_gives_every_byte_back(data: bytes) -> None:
    done = subprocess.run(
        [b"/bin/sh", b"-c", b"printf %s " + os.fsencode(shell.quote(os.fsdecode(data)))],
        capture_output=True,
        check=True,
    )
    assert done.stdout == data


@settings(max_examples=50)
@given(st.lists(st.sampled_from([b"a", b"'", b"\\", b"\n", b"\r\n", b" ", b"\xff", b"$x"]), max_size=8), st.booleans())
def test_lines_compare_with_themselves_and_nothing_shorter_or_longer(parts: list[bytes], whole: bool) -> None:
    content = b"".join(parts)
    if not whole:
        content += b"\n"
    functions = b"""\
_ce_line() { IFS= read -r _ce_text && [ "$_ce_text" = "$1" ]; }
_ce_rest() { ! IFS= read -r _ce_text && [ "$_ce_text" = "$1" ]; }
"""
    program = functions + os.fsencode(shell.all_of(shell.same_lines(content, whole=whole)))

    def same(data: bytes) -> bool:
        return subprocess.run([b"/bin/sh", b"-c", program], input=data, check=False).returncode == 0

    assert same(content)
    assert same(content + b"x") is not whole
    assert not same(content[:-1]) or not content


def test_records_of_what_is_gone_are_discarded_and_others_stay(place: Place) -> None:
    scripts = {name: place.script(name) for name in ("it's here.py", "it's gone.py", "deep/er/gone.py")}
    for script in scripts.values():
        place.run(script)
    half_written = place.record(scripts["it's here.py"]).with_name("half.sh")
    half_written.write_text("_ce_by='")
    for name in ("it's gone.py", "deep/er/gone.py"):
        scripts[name].unlink()
    cache = place.environ["CONDA_EXECUTE_CACHE_DIR"]
    record.discard_vanished(cache)
    assert [path for path in Path(cache).rglob("*") if path.is_file()] == [place.record(scripts["it's here.py"])]
    assert not place.record(scripts["deep/er/gone.py"]).parent.exists()
    place.prefix.rename(place.prefix.with_name("gone"))
    record.discard_vanished(cache)
    assert not [path for path in Path(cache).rglob("*") if path.is_file()]
    record.discard_vanished(str(place.root / "no cache"))


def test_any_secret_will_do_where_one_is_compared_and_nothing_else() -> None:
    """The record does not know it; what opens a channel decides nothing of what is in it."""
    line = "channels: ['https://me:%s@host.example/t/%s/main'] # it's"
    commands = [*shell.same_lines((line % ("old", "tk-1")).encode(), whole=True)]
    commands += shell.same_variables(["CHANNELS"], {"CHANNELS": line % ("old", "tk-1")})
    program = shell.all_of(commands)
    assert "old" not in program
    assert "tk-1" not in program

    def same(given: str, variable: str) -> bool:
        words = ["/bin/sh", "-c", program]
        return subprocess.run(words, input=given.encode(), check=False, env={"CHANNELS": variable}).returncode == 0

    known = line % ("old", "tk-1")
    assert same(known, known)
    assert same(line % ("new", "tk-22"), line % ("newer", "x"))
    for other in (
        line % ("old", "tk-1") + "\n",
        line.replace("main", "free") % ("old", "tk-1"),
        line % ("x@other.example/a", "tk-1"),
        line % ("old", "tk-1/sub"),
    ):
        assert not same(other, known)
        assert not same(known, other) or other.endswith("\n")
