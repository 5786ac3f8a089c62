"""A script's environment is its own: nothing that is installed elsewhere reaches it, and nothing is installed in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from conda_execute.engines import records
from conda_execute.launch.activation import FOREIGN_LIBRARIES, activate
from tests.conftest import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX prefixes")

HEADER = "# conda execute\n# env:\n#  - python >=3\n#  - pip\n#  - idna =3.4\n# run_with: python\n"

#: Whether each way to start Python sees `mine`, which the user installed for this version of it.
LOOK = f"""{HEADER}
import importlib.util, multiprocessing, os, subprocess, sys

def sees(name):
    return importlib.util.find_spec(name) is not None

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print("itself", sees("mine"), "child", pool.map(sees, ["mine"]), flush=True)
    look = "import importlib.util as u; print(u.find_spec('mine') is not None)"
    for program in (os.path.join(sys.prefix, "bin", "tool"), os.environ["OTHER"]):
        subprocess.run([program, *(["-c", look] if program == os.environ["OTHER"] else [])], check=True)
"""


@pytest.fixture
def world_with_user_site(world: World) -> World:
    for minor in range(9, 20):
        site = world.home / ".local" / "lib" / f"python3.{minor}" / "site-packages"
        site.mkdir(parents=True)
        (site / "mine.py").touch()
    return world.with_(OTHER=os.path.realpath(sys.executable))


def add_tool(world: World, *options: str, **environ: str) -> Path:
    """A program of the environment, as pytest and its like are: its first line names the environment's Python."""
    script = world.script("make.py", HEADER)
    prefix = Path(world.execute("--print-prefix", script, env=environ, check=True).stdout.strip())
    tool = prefix / "bin" / "tool"
    tool.write_text(f"#!{prefix}/bin/python\nimport importlib.util as u\nprint(u.find_spec('mine') is not None)\n")
    tool.chmod(0o755)
    return prefix


def test_users_site_packages_are_seen_by_other_pythons_alone(world_with_user_site: World) -> None:
    world = world_with_user_site
    add_tool(world)
    script = world.script("look.py", LOOK)
    for _ in range(2):
        done = world.execute(script, check=True)
        assert done.stdout.split("\n")[:3] == ["itself False child [False]", "False", "True"], done.stdout


def test_setting_lets_them_in_and_makes_another_environment(world_with_user_site: World) -> None:
    world = world_with_user_site.with_(CONDA_EXECUTE_USER_LIBRARIES="true")
    prefix = add_tool(world)
    script = world.script("look.py", LOOK)
    assert world.execute(script, check=True).stdout.split("\n")[:3] == ["itself True child [True]", "True", "True"]
    assert not (prefix / records.NO_USER_SITE).exists()
    assert add_tool(world.with_(CONDA_EXECUTE_USER_LIBRARIES=None)) != prefix


def test_pip_refuses_and_info_and_packing_know(world: World) -> None:
    script = world.script("x.py", HEADER)
    prefix = Path(world.execute("--print-prefix", script, check=True).stdout.strip())
    pip = [prefix / "bin" / "python", "-m", "pip"]
    done = world.run([*pip, "install", "--no-index", "six"])
    assert done.returncode == 1
    assert "error: externally-managed-environment" in done.stderr
    assert "conda execute --add pypi:NAME SCRIPT" in done.stderr
    assert "altered" not in world.tmpenv("info", script, check=True).stdout
    world.run([*pip, "uninstall", "--yes", "--break-system-packages", "idna"], check=True)
    assert "idna 3.4 was replaced or removed" in world.tmpenv("info", script, check=True).stdout


@pytest.mark.parametrize("name", ["pip", "pip3"])
def test_pip_that_the_environment_lacks_is_never_that_of_another(furnished: World, name: str) -> None:
    other = furnished.root / "other"
    other.mkdir(exist_ok=True)
    (other / name).write_text(f"#!/bin/sh\ntouch {other}/changed\n")
    (other / name).chmod(0o755)
    text = f"# conda execute\n# env: [python]\n{name} install humanize || exit 7\n"
    script = furnished.script(f"{name}.sh", text)
    done = furnished.with_(PATH=f"{other}:{furnished.environ['PATH']}").execute(script)
    assert (done.returncode, (other / "changed").exists()) == (7, False)
    assert done.stderr.startswith("error: this environment has no pip, and ")
    assert "conda execute --add pypi:NAME SCRIPT" in done.stderr
    assert furnished.tmpenv("info", "--verify", script).returncode == 0


def test_archive_holds_no_pip_that_is_none(tmp_path: Path) -> None:
    for name, text in (("pip", "of a package"), ("python3", "")):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
    (tmp_path / "lib" / "python3.12").mkdir(parents=True)
    (tmp_path / "lib" / "python3.12" / "os.py").touch()
    records.protect_python(str(tmp_path), user_libraries=False)
    assert (tmp_path / "bin" / "pip").read_text() == "of a package"
    assert records.stand_ins(str(tmp_path)) == ["bin/pip3"]


def test_marker_is_never_written_through_a_hard_link(tmp_path: Path) -> None:
    cached = tmp_path / "cached"
    cached.write_text("of a package")
    library = tmp_path / "prefix" / "lib" / "python3.12"
    library.mkdir(parents=True)
    (library / "os.py").touch()
    (library / records.MANAGED).hardlink_to(cached)
    (tmp_path / "prefix" / records.NO_USER_SITE).symlink_to(cached)
    records.protect_python(str(tmp_path / "prefix"), user_libraries=False)
    assert cached.read_text() == "of a package"
    assert (library / records.MANAGED).read_text().startswith("[externally-managed]\nError=")
    assert "include-system-site-packages = false" in (tmp_path / "prefix" / records.NO_USER_SITE).read_text()


def test_prefix_without_python_gets_neither_file(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.12").mkdir(parents=True)
    records.protect_python(str(tmp_path), user_libraries=False)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("program", FOREIGN_LIBRARIES)
def test_libraries_of_another_interpreter_are_left_out_where_the_environment_has_its_own(
    tmp_path: Path, program: str
) -> None:
    names = FOREIGN_LIBRARIES[program]
    outside = {"PATH": "/bin", **dict.fromkeys(names, "/elsewhere")}
    (tmp_path / "bin").mkdir()
    assert {name: activate(str(tmp_path), outside).environ.get(name) for name in names} == dict.fromkeys(
        names, "/elsewhere"
    )
    (tmp_path / "bin" / program).touch()
    assert {name: activate(str(tmp_path), outside).environ.get(name) for name in names} == names
    theirs = activate(str(tmp_path), outside, user_libraries=True).environ
    assert {name: theirs.get(name) for name in names} == dict.fromkeys(names, "/elsewhere")


def test_interpreter_that_the_environment_lacks_is_an_error_and_a_tool_of_the_system_a_notice(world: World) -> None:
    bare = "# conda execute\n# env:\n#  - six\n"
    for text, told in (
        ("# run_with: python2\n", "error: `python2` is not in the environment"),
        ("# run_with: node\n", "hint: add `nodejs` to the header"),
        ("# run_with: [env, A=1, nice, python2]\n", "error: `python2` is not in the environment"),
    ):
        done = world.execute(world.script("x.py", HEADER.replace("# run_with: python\n", text)))
        assert done.returncode == 127
        assert told in done.stderr
    for name in ("x.sh", "y.sh"):  # also where another script made the environment that they share
        done = world.execute(world.script(name, bare + "# run_with: nice bash\necho ran\n"), check=True)
        assert done.stdout == "ran\n"
        assert "`bash` is not in the environment: the one on PATH runs the script" in done.stderr
    done = world.execute("--with", "six", "-x", "node", "-v")
    assert done.returncode == 127
    assert "error: `six` has no program `node`" in done.stderr


def test_program_that_another_one_starts_is_never_replaced_by_path(world: World) -> None:
    script = world.script("x.py", HEADER.replace("run_with: python", "run_with: nice python") + "print('ran')\n")
    prefix = world.execute("--print-prefix", script, check=True).stdout.strip()
    Path(prefix, "bin", "python").unlink()
    Path(prefix, "bin", "python").write_text("#!/bin/sh\n")
    done = world.execute(script)
    assert (done.returncode, done.stdout) == (126, "")
    assert f"`{prefix}/bin/python` is not executable" in done.stderr


@pytest.mark.usefixtures("namespaces")
def test_environment_on_a_file_system_that_lets_nothing_run_is_never_replaced_by_path(world: World) -> None:
    nice = world.script("x.py", HEADER.replace("run_with: python", "run_with: nice python") + "print('ran')\n")
    shell = world.script("y.py", HEADER.replace("run_with: python", "run_with: sh -c python") + "print('ran')\n")
    launcher = Path(world.environ["PATH"].split(":")[0]) / "conda-execute"
    # The launcher alone runs the second one.
    steps = f"""
        mkdir -p "$CONDA_EXECUTE_ENV_DIR" && mount -t tmpfs -o mode=700 none "$CONDA_EXECUTE_ENV_DIR"
        {launcher} {nice} && {launcher} {nice} && mount -o remount,noexec "$CONDA_EXECUTE_ENV_DIR"
        for script in {nice} {shell}; do {launcher} $script; echo $?; done
    """
    done = world.run(["unshare", "--mount", "/bin/sh", "-c", steps])
    assert done.stdout.split("\n") == ["ran", "ran", "126", "126", ""]
    assert done.stderr.count("is mounted noexec") == 2
    assert "hint: set `CONDA_EXECUTE_ENV_DIR`" in done.stderr


@pytest.mark.usefixtures("namespaces")
def test_home_without_room_is_left_for_a_place_with_some(world: World) -> None:
    files = {
        "x.sh": "# conda execute\n# env: [lua]\n# run_with: sh\necho $CONDA_PREFIX\n",
        "y.c": '// /// conda-script\n// channels = ["conda-forge"]\n// entrypoint = "touch ${CACHE}/made"\n'
        "// [dependencies]\n// lua = '*'\n// /// end-conda-script\n",
    }
    script, cached = (world.script(name, text) for name, text in files.items())
    launcher = Path(world.environ["PATH"].split(":")[0]) / "conda-execute"
    steps = f"""
        unset CONDA_EXECUTE_ENV_DIR CONDA_EXECUTE_CACHE_DIR RATTLER_CACHE_DIR XDG_CACHE_HOME
        mount -t tmpfs -o size=256k,mode=700 none "$HOME"; dd if=/dev/zero of="$HOME/full" bs=1k 2>&-
        {launcher} {script} && {launcher} - <{script} && {launcher} --with lua -x lua -v >&2 && {launcher} {cached}
        echo $?; ls -d "$TMPDIR"/conda-execute-*/scripts/*/made; find "$HOME" -name made
    """
    done = world.with_(TMPDIR=str(world.root)).run(["unshare", "--mount", "/bin/sh", "-c", steps])
    assert done.stdout.count("\n") == 4, done.stdout + done.stderr
    first, second, status, made, end = done.stdout.split("\n")
    assert first == second
    assert first.startswith(f"{world.root}/conda-execute-")
    assert (status, made.startswith(str(world.root)), end) == ("0", True, ""), done.stderr
    assert "no space left on the disk" in done.stderr


def test_prefix_that_is_too_long_is_reported_with_a_hint(world: World) -> None:
    long = world.root.joinpath(*("d" * 90 for _ in range(3)))
    script = world.script("p.sh", "# conda execute\n# env: [prefixed-binary]\n# run_with: sh\nprefixed-binary\n")
    done = world.execute(script, env={"CONDA_EXECUTE_ENV_DIR": str(long)})
    assert done.returncode == 125
    assert "longer than the 255 bytes" in done.stderr
    assert "hint: set `CONDA_EXECUTE_ENV_DIR` to a shorter path" in done.stderr


# The environment outside


def outer(root: Path, text: str) -> dict[str, str]:
    (root / "conda-meta").mkdir(parents=True)
    (root / "conda-meta" / "state").write_text(text)
    return {"PATH": "/bin", "CONDA_PREFIX": str(root), "CONDA_SHLVL": "1", "VIRTUAL_ENV": "/venv"}


def test_variables_that_the_environment_outside_set_go_where_they_are_still_its_own(tmp_path: Path) -> None:
    outside = outer(tmp_path / "outer", '{"env_vars": {"SAME": "1", "CHANGED": "1", "OURS": "1"}}')
    (tmp_path / "prefix").mkdir()
    outside |= {"SAME": "1", "CHANGED": "2", "OURS": "1"}
    child = activate(str(tmp_path / "prefix"), outside, [("OURS", "header")]).environ
    assert {name: child.get(name) for name in ("SAME", "CHANGED", "OURS", "VIRTUAL_ENV")} == {
        "SAME": None, "CHANGED": "2", "OURS": "header", "VIRTUAL_ENV": None,
    }  # fmt: skip


def test_environment_outside_that_cannot_be_understood_is_not_ours_to_judge(tmp_path: Path) -> None:
    outside = outer(tmp_path / "outer", "{")
    (tmp_path / "prefix").mkdir()
    assert activate(str(tmp_path / "prefix"), outside).environ["CONDA_SHLVL"] == "2"
