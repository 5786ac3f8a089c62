"""The program `conda-tmpenv`, on real environments from the local channel, as a user runs it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_execute.environments import layout
from conda_execute.environments.lock import take
from tests.protocol import small

if TYPE_CHECKING:
    from tests.conftest import World

SIX = "# conda execute\n# env: [six]\n# run_with: sh\n"


@pytest.fixture
def used(world: World) -> World:
    """A world in which a script has run."""
    world.execute(world.script("s.sh", SIX), check=True)
    return world


def name_of(world: World) -> str:
    (prefix,) = world.prefixes()
    return prefix.name


# create, name ------------------------------------------------------------------------------------------------------


def test_create_prints_the_prefix_and_nothing_else(world: World) -> None:
    done = world.tmpenv("create", "six", check=True)
    assert done.stdout == f"{world.prefixes()[0]}\n"
    assert done.stderr == ""


def test_create_finds_what_is_there(world: World) -> None:
    first = world.tmpenv("create", "six", check=True)
    second = world.tmpenv("create", "Six", check=True)
    assert first.stdout == second.stdout


def test_name_is_where_create_puts_it(world: World) -> None:
    named = world.tmpenv("name", "python=3", "six", check=True).stdout
    assert not world.prefixes()
    assert world.tmpenv("create", "six", "python=3", check=True).stdout == named


def test_create_and_name_take_a_script(used: World) -> None:
    """A file without a header is not a script, and its name is a spec."""
    prefix = f"{used.tmp_envs / name_of(used)}\n"
    assert used.tmpenv("name", "s.sh", check=True).stdout == prefix
    assert used.tmpenv("create", "-q", "./s.sh", check=True).stdout == prefix
    used.script("six", "no header\n")
    assert used.tmpenv("create", "six", check=True).stdout == prefix


def test_options_may_come_before_the_command(used: World) -> None:
    assert json.loads(used.tmpenv("--json", "list", check=True).stdout)[0]["name"] == name_of(used)
    assert "conda tmpenv list" in used.tmpenv("--help", "list", check=True).stdout.replace("conda-", "conda ")
    assert used.tmpenv("-V", check=True).stdout == used.execute("-V", check=True).stdout
    assert "no option" in used.tmpenv("--compile", "list").stderr


def test_name_of_the_seeds_environment(world: World) -> None:
    done = world.tmpenv("name", "python >=3", "numpy", check=True)
    assert done.stdout.endswith("/tmp_envs/ea977067a8fbeb21a594\n")


def test_a_script_and_the_command_line_share_an_environment(used: World) -> None:
    assert used.tmpenv("name", "six", check=True).stdout.strip() == str(used.prefixes()[0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("specs.txt", "# ours\nsix\n"),
        ("environment.yml", "name: x\nchannels: [conda-forge]\ndependencies:\n  - six\n"),
    ],
)
def test_file_names_the_same_environment_as_words(world: World, name: str, text: str) -> None:
    (world.work / name).write_text(text)
    by_file = world.tmpenv("name", "--file", name, check=True).stdout
    assert by_file == world.tmpenv("name", "six", check=True).stdout


def test_words_and_files_add_up(world: World) -> None:
    (world.work / "more.txt").write_text("six\n")
    together = world.tmpenv("name", "python", "--file", "more.txt", check=True).stdout
    assert together == world.tmpenv("name", "six", "python", check=True).stdout


def test_channels_change_the_name(world: World) -> None:
    plain = world.tmpenv("name", "six", check=True).stdout
    assert world.tmpenv("name", "six", "--channel", "bioconda", check=True).stdout != plain


def test_compile_makes_what_the_engine_leaves_out(world: World) -> None:
    """Noarch packages are linked uncompiled; five hundred tasks would each compile them."""
    prefix = Path(world.tmpenv("create", "python", "six", "--compile", check=True).stdout.strip())
    assert list(prefix.glob("lib/python3*/site-packages/__pycache__/six.*.pyc"))


# list --------------------------------------------------------------------------------------------------------------


def test_list_shows_idle_environments(used: World) -> None:
    header, row = used.tmpenv("list", check=True).stdout.splitlines()
    assert header.split() == ["NAME", "STATE", "SIZE", "CREATED", "USED", "RUNNING", "SCRIPT", "SPECS"]
    assert row.split()[0] == name_of(used)
    assert row.rstrip().endswith("six")


def test_list_shows_what_runs(world: World) -> None:
    script = world.script("wait.sh", SIX + "echo ready\nread line\n")
    running = world.start(["conda-execute", script])
    assert running.stdout.readline() == "ready\n"
    lines = world.tmpenv("list", check=True).stdout.splitlines()
    (found,) = json.loads(world.tmpenv("list", "--json", check=True).stdout)
    running.communicate("go\n")
    assert any(line.split()[:1] == [str(running.pid)] and "wait.sh" in line for line in lines)
    assert [process["pid"] for process in found["processes"]] == [running.pid]


def test_list_as_json_is_a_list_of_all_that_is_known(used: World) -> None:
    (found,) = json.loads(used.tmpenv("list", "--json", check=True).stdout)
    assert found["specs"] == ["six"]
    assert found["state"] == "ready"
    assert found["size"] > 0
    assert Path(found["prefix"]) == used.prefixes()[0]


def test_list_that_nobody_reads_is_no_error(used: World) -> None:
    done = used.run(["sh", "-c", "conda-tmpenv list >&-"])
    assert (done.returncode, done.stderr) == (0, "")


def test_list_of_nothing_is_no_error(world: World) -> None:
    done = world.tmpenv("list", check=True)
    assert done.stdout == ""
    assert "there are no environments" in done.stderr
    assert json.loads(world.tmpenv("list", "--json", check=True).stdout) == []


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_list_fits_the_terminal(used: World, columns: int) -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            ["conda-tmpenv", "list"],
            env={**used.environ, "COLUMNS": str(columns)},
            cwd=used.work,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=True,
        )
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    lines = shown.replace("\r\n", "\n").splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[1].startswith(name_of(used)[:8])


# clear -------------------------------------------------------------------------------------------------------------


def test_clear_removes_what_is_unused_and_says_so(used: World) -> None:
    name = name_of(used)
    done = used.tmpenv("clear", check=True)
    assert f"removed {name}" in done.stdout
    assert "removed 1 environment" in done.stdout
    assert not used.prefixes()


def test_clear_frees_the_caches_where_it_is_asked_to(used: World, tmp_path: Path) -> None:
    """What was trusted stays; scripts run afterwards as before; packages go only while nobody installs them."""
    used = used.with_(RATTLER_CACHE_DIR=str(tmp_path / "rattler"))
    used.execute("-f", "s.sh", check=True)
    used.execute("-c", "# conda execute", "# env: [six]", "# run_with: sh", "true", check=True)
    (used.cache / "trusted").write_text("kept\n")
    would = json.loads(used.tmpenv("clear", "--caches", "--packages", "--dry-run", "--json", check=True).stdout)
    assert {os.path.basename(one["path"]): one["size"] > 0 for one in would["caches"]} == {
        "launch": True,
        "code": True,
        "parsed": True,
        "rattler": True,
    }
    assert "so they take no names" in used.tmpenv("clear", "--caches", "s.sh").stderr
    with open(tmp_path / "rattler" / "pkgs" / ".cache.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "are being installed right now" in used.tmpenv("clear", "--packages").stderr
    done = used.tmpenv("clear", "--caches", "--packages", check=True).stdout
    assert f"removed {used.cache / 'launch'} (" in done
    assert sorted(path.name for path in used.cache.iterdir()) == ["trusted"]
    assert [path.name for path in (tmp_path / "rattler" / "pkgs").iterdir()] == [".cache.lock"]
    used.execute("s.sh", check=True)


def test_clear_names_what_came_from_pypi_too(world: World) -> None:
    world.tmp_envs.mkdir(mode=0o700)
    environment = small.ensure(str(world.tmp_envs), "python")
    small.forget(environment)
    marker = Path(layout.marker(environment.prefix))
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "pypi": ["idna"]}))
    assert world.tmpenv("clear", check=True).stdout.splitlines()[0].endswith(": python, pypi:idna")


def test_clear_keeps_what_runs_and_says_why(world: World) -> None:
    script = world.script("wait.sh", SIX + "echo ready\nread line\necho done\n")
    running = world.start(["conda-execute", script])
    running.stdout.readline()
    done = world.tmpenv("clear", check=True)
    out, _ = running.communicate("go\n")
    assert f"in use by process {running.pid}" in done.stdout
    assert (out, running.returncode) == ("done\n", 0)
    assert world.prefixes()


def test_clear_by_name_tells_by_its_status_that_it_could_not(world: World) -> None:
    script = world.script("wait.sh", SIX + "echo ready\nread line\n")
    running = world.start(["conda-execute", script])
    running.stdout.readline()
    assert world.tmpenv("clear", script).returncode == 1
    running.communicate("go\n")
    assert world.tmpenv("clear", script).returncode == 0


def test_clear_with_an_age_keeps_what_is_younger(used: World) -> None:
    used.tmpenv("clear", "--min-age", "0.5", check=True)
    assert used.prefixes()


def test_clear_dry_run_removes_nothing(used: World) -> None:
    done = used.tmpenv("clear", "--dry-run", check=True)
    assert f"would remove {name_of(used)}" in done.stdout
    assert used.prefixes()


@pytest.mark.parametrize("by", ["name", "beginning", "prefix", "script"])
def test_clear_takes_names_prefixes_and_scripts(used: World, by: str) -> None:
    used.tmpenv("create", "lua", check=True)
    name = next(prefix.name for prefix in used.prefixes() if list((prefix / "conda-meta").glob("six-*.json")))
    word = {"name": name, "beginning": name[:6], "prefix": f"{used.tmp_envs}/{name}/", "script": "s.sh"}[by]
    used.tmpenv("clear", word, check=True)
    assert [prefix.name == name for prefix in used.prefixes()] == [False]


def test_keep_outlives_clear_until_release(used: World) -> None:
    used.tmpenv("keep", "s.sh", check=True)
    assert "kept on request" in used.tmpenv("clear", check=True).stdout
    used.tmpenv("release", "s.sh", check=True)
    used.tmpenv("clear", check=True)
    assert not used.prefixes()


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("kept", [False, True], ids=["", "kept"])
def test_what_is_kept_in_a_read_only_place_is_not_ours_to_change(used: World, kept: bool) -> None:
    if kept:
        used.tmpenv("keep", "s.sh", check=True)
    code = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    command = "release" if kept else "keep"
    done = used.run(["unshare", "--mount", "sh", "-c", code, "sh", used.tmp_envs, "conda-tmpenv", command, "s.sh"])
    assert done.stderr.startswith(f"error: `{used.prefixes()[0]}` cannot be used: Read-only file system\n")
    assert done.returncode == 125


# info --------------------------------------------------------------------------------------------------------------


def test_prune_deletes_only_what_has_expired(used: World) -> None:
    prefix = used.prefixes()[0]
    assert used.tmpenv("prune", check=True).stdout.startswith("kept")
    assert used.prefixes() == [prefix]
    expired = used.with_(CONDA_EXECUTE_REMOVE_IF_UNUSED_FOR="0")
    assert json.loads(expired.tmpenv("prune", "--dry-run", "--json", check=True).stdout)["removed"]
    assert used.prefixes() == [prefix]
    expired.tmpenv("prune", check=True)
    assert not used.prefixes()


def test_dir_is_where_environments_are(used: World) -> None:
    assert Path(used.tmpenv("dir", check=True).stdout.strip()) == used.prefixes()[0].parent


@pytest.mark.parametrize("how", ["--lock", "--embed"])
def test_a_script_with_a_lock_names_its_environment(world: World, how: str) -> None:
    """As a run of it does, whose environment is another than that of the header alone."""
    script = world.script("s.sh", SIX + "true\n")
    world.execute("--lock", *(["--embed"] if how == "--embed" else []), script, check=True)
    world.execute(script, check=True)
    name = name_of(world)
    assert json.loads(world.tmpenv("info", "--json", script, check=True).stdout)["name"] == name
    world.tmpenv("keep", script, check=True)
    assert json.loads(world.tmpenv("list", "--json", check=True).stdout)[0]["kept"]
    world.tmpenv("release", script, check=True)
    world.tmpenv("clear", script, check=True)
    assert not world.prefixes()


def test_info_tells_all(used: World) -> None:
    said = json.loads(used.tmpenv("info", "s.sh", "--json", check=True).stdout)
    assert said["name"] == name_of(used)
    assert "six" in [package["name"] for package in said["packages"]]
    assert said["request"] == "six"
    assert said["package_count"] == len(said["packages"])
    [listed] = json.loads(used.tmpenv("list", "--json", check=True).stdout)
    assert {key: value for key, value in said.items() if key in listed and not key.startswith("unused")} == {
        key: value for key, value in listed.items() if not key.startswith("unused")
    }, "what both tell they tell alike"
    assert "six" in used.tmpenv("info", said["name"][:8], check=True).stdout


# What goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["lst"], "did you mean `list`?"),
        (["list", "--jsn"], "did you mean `--json`?"),
        (["list", "--sort", "colour"], "`--sort` does not take `colour`"),
        (["clear", "--min-age", "soon"], "`soon` is not a number of hours"),
        (["clear", "--min-age", "-1"], "not a number of hours"),
        (["clear", "deadbeef"], "neither an environment nor a script"),
        (["info"], "NAME"),
        (["info", "a", "b"], "unexpected argument"),
        (["rm"], "did you mean `clear`?"),
        (["create", "pypi:idna=3"], "write `idna==3`"),
        (["create"], "no spec is given"),
        (["create", "--file", "none.txt"], "there is no file"),
        (["create", "python >>3"], "python >>3"),
        (["name", "six", "--file", "bad.yml"], "bad.yml:1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_one_message(world: World, argv: list[str], words: str) -> None:
    (world.work / "bad.yml").write_text("dependencies: six\n")
    done = world.tmpenv(*argv)
    assert done.returncode in (125, 127)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not world.prefixes()


def test_help_and_no_words_are_the_same_page(world: World) -> None:
    page = world.tmpenv("--help", check=True).stdout
    assert page == world.tmpenv(check=True).stdout
    for command in ("list", "clear", "create", "name", "info", "keep", "release"):
        assert f"  {command}" in page or f", {command}" in page
    assert max(map(len, page.splitlines())) <= 80


VARIABLES = {
    "PYTHONPATH": "{bad}", "PYTHONHOME": "/no/such", "PYTHONUSERBASE": "{bad}", "PYTHONHASHSEED": "bad",
    "PYTHONMALLOC": "bad", "PYTHONINTMAXSTRDIGITS": "1", "PYTHONWARNINGS": "error", "PYTHONEXECUTABLE": "/no/such",
    "PYTHONPLATLIBDIR": "no", "PYTHONINSPECT": "1", "PYTHONOPTIMIZE": "2",
    "PYTHONUTF8": "7", "PYTHONTRACEMALLOC": "no", "PYTHONPROFILEIMPORTTIME": "1",
    "PYTHON_GIL": "no", "PYTHON_CPU_COUNT": "no",
}  # fmt: skip


@pytest.mark.parametrize("program", ["conda-execute", "conda-tmpenv"])
def test_no_variable_of_python_and_no_module_nearby_changes_our_interpreter(world: World, program: str) -> None:
    bad = world.root / "bad"
    for folder in (bad, world.work):
        folder.mkdir(exist_ok=True)
        for name in ("json", "yaml", "sitecustomize", "usercustomize", "conda_execute"):
            (folder / f"{name}.py").write_text("raise SystemExit(f'imported {__name__}')\n")
    variables = {name: value.format(bad=bad) for name, value in VARIABLES.items()}
    (world.work / "s.lua").write_text("# conda execute\n# env: [lua]\n# run_with: lua\n")
    words = {"conda-execute": ["--check", "--json", "s.lua"], "conda-tmpenv": ["list", "--json"]}[program]
    done = world.run([program, *words], env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) is not None


def test_conda_tmpenv_finds_the_launcher_through_links(world: World, programs: Path) -> None:
    (world.work / "mine").symlink_to(programs / "conda-tmpenv")
    (world.work / "yours").symlink_to("mine")
    assert world.run(["./yours", "--version"], check=True).stdout == world.execute("--version").stdout


def test_a_lock_that_cannot_be_opened_is_named(used: World) -> None:
    (prefix,) = used.prefixes()
    lock = used.tmp_envs / layout.LOCKS / f"{prefix.name}.lock"
    lock.unlink()
    lock.mkdir()
    done = used.execute("--force-env", "s.sh")
    assert (done.returncode, f"`{lock}`" in done.stderr) == (125, True), done.stderr


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (layout.CLEANER, "(conda tmpenv clear), which is deleting this environment"),
        ("train.py", "(train.py), which is creating this environment"),
    ],
    ids=["cleaner", "creator"],
)
def test_who_waits_hears_for_what(used: World, holder: str, said: str) -> None:
    (prefix,) = used.prefixes()
    held = take(str(used.tmp_envs / layout.LOCKS / f"{prefix.name}.lock"), holder)
    running = used.start(["conda-execute", "--force-env", "s.sh"])
    line = next(line for line in running.stderr if "waiting" in line)
    running.terminate()
    running.communicate()
    held.release()
    assert line.startswith(f"conda-execute: waiting for process {os.getpid()} on ")
    assert line.endswith(f" {said}\n")
