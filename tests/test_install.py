"""However it is installed, the program is the launcher, and the launcher finds its Python half."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conda_execute import __version__
from tests.conftest import CHECKOUT

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="the launcher is for POSIX"),
    pytest.mark.slow,
]

#: The dependencies are those of the interpreter that runs the tests; only our own package is installed.
QUIET = ("--quiet", "--disable-pip-version-check", "--no-deps")
#: Built by the setuptools of the same interpreter: to fetch them for each takes longer than all the rest.
HERE = ("--no-build-isolation",)


def run(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **environ}, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged: building writes beside the sources."""
    folder = tmp_path_factory.mktemp("source") / "conda-execute"
    folder.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        if (CHECKOUT / name).exists():
            shutil.copy(CHECKOUT / name, folder)
    shutil.copytree(CHECKOUT / "conda_execute", folder / "conda_execute", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def build(source: Path, folder: Path, **environ: str) -> Path:
    words = (sys.executable, "-m", "pip", "wheel", *QUIET, *HERE, "--wheel-dir", folder, source)
    run(*words, **environ)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("wheel"))


def make_venv(folder: Path) -> Path:
    """A virtual environment without pip that sees the packages of the interpreter that runs the tests."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    here = [path for path in sys.path if path.endswith("-packages") and Path(path) != Path(site)]
    # Behind its own packages, so that ours is the one that is installed there.
    Path(site, "tests.pth").write_text("\n".join(here) + "\n")
    return python


def check(program: Path, **environ: str) -> None:
    """The program is the launcher, and what it cannot do alone, its Python half does."""
    assert program.read_bytes().startswith(b"#!/bin/sh\n# conda-execute SCRIPT")
    assert os.access(program, os.X_OK)
    for each in (program, program.with_name("conda-tmpenv")):
        assert run(each, "--version", **environ).stdout == f"conda-execute {__version__}\n"


def with_pip(folder: Path, wheel: Path, source: Path) -> Path:
    python = make_venv(folder)
    run(sys.executable, "-m", "pip", "--python", python, "install", *QUIET, wheel)
    return folder / "bin"


def with_pip_editable(folder: Path, wheel: Path, source: Path) -> Path:
    python = make_venv(folder)
    run(sys.executable, "-m", "pip", "--python", python, "install", *QUIET, *HERE, "--editable", source)
    return folder / "bin"


def with_uv(folder: Path, wheel: Path, source: Path) -> Path:
    python = make_venv(folder)
    run(uv(), "pip", "install", "--quiet", "--no-deps", "--offline", "--python", python, wheel)
    return folder / "bin"


def uv() -> str:
    try:
        import uv as package
    except ImportError:
        pytest.skip("uv is not installed")
    return str(package.find_uv_bin())


@pytest.mark.parametrize("install", [with_pip, with_pip_editable, with_uv], ids=lambda install: install.__name__)
@pytest.mark.parametrize("place", ["plain", "with blanks and 'quotes'", "long" * 60], ids=["plain", "blanks", "long"])
def test_program_is_the_launcher(
    install: Callable[[Path, Path, Path], Path], place: str, wheel: Path, source: Path, tmp_path: Path
) -> None:
    """Also where the path is too long for a shebang, or has spaces in it."""
    folder = tmp_path / place
    try:
        programs = install(folder, wheel, source)
    except OSError as error:
        pytest.skip(f"no virtual environment there: {error}")
    check(programs / "conda-execute")
    link = tmp_path / "else where" / "conda-execute"
    link.parent.mkdir()
    link.symlink_to(programs / "conda-execute")
    assert run(link, "--version").stdout == f"conda-execute {__version__}\n"


def test_program_of_the_users_own_packages_is_the_launcher(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = (
        sys.base_prefix + "/bin/python3",
        "-m",
        "pip",
        "install",
        *QUIET,
        "--user",
        "--break-system-packages",
        wheel,
    )
    environ = {"HOME": str(home), "PYTHONUSERBASE": str(home / ".local"), "PIP_USER": "1"}
    try:
        run(*words, **environ)
    except (AssertionError, FileNotFoundError):
        pytest.skip("the interpreter below this virtual environment has no pip")
    here = os.pathsep.join(path for path in sys.path if path.endswith("-packages"))
    site = next((home / ".local" / "lib").glob("python*/site-packages"))
    (site / "tests.pth").write_text(here.replace(os.pathsep, "\n") + "\n")
    check(home / ".local" / "bin" / "conda-execute", **environ)


def test_program_of_a_tool_is_the_launcher(wheel: Path, tmp_path: Path) -> None:
    """`uv tool` and pipx put a virtual environment somewhere and a link to its programs on PATH."""
    environ = {
        "HOME": str(tmp_path), "UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }  # fmt: skip
    words = (uv(), "tool", "install", "--quiet", "--python", sys.executable, wheel)
    try:
        run(*words, **environ)
    except AssertionError as error:
        pytest.skip(f"uv cannot install the dependencies here: {str(error)[-300:]}")
    assert (tmp_path / "bin" / "conda-execute").is_symlink()
    check(tmp_path / "bin" / "conda-execute", **environ)


def test_program_of_pipx_is_the_launcher(wheel: Path, tmp_path: Path) -> None:
    pipx = shutil.which("pipx") or str(Path(sys.executable).with_name("pipx"))
    if not os.access(pipx, os.X_OK):
        pytest.skip("pipx is not installed")
    environ = {"HOME": str(tmp_path), "PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    run(pipx, "install", "--quiet", "--python", sys.executable, "--system-site-packages", wheel, **environ)
    assert (tmp_path / "bin" / "conda-execute").is_symlink()
    check(tmp_path / "bin" / "conda-execute", **environ)


def contents(wheel: Path) -> tuple[list[str], str]:
    with zipfile.ZipFile(wheel) as archive:
        points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        return archive.namelist(), archive.read(points).decode()


def test_wheel_for_posix_carries_the_launcher_and_no_entry_point_of_its_name(wheel: Path) -> None:
    names, points = contents(wheel)
    assert wheel.name == f"conda_execute-{__version__}-py3-none-any.whl"
    assert any(name.endswith(".data/scripts/conda-execute") for name in names)
    assert "conda-execute-py = " in points
    assert "conda-execute = conda_execute.__main__" not in points


def test_page_of_the_package_has_full_links_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        page = archive.read(name).decode()
    targets = re.findall(r"\]\(([^)#]*)", page.partition("\n\n")[2])
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert len(targets) == len(re.findall(r"\]\(([^)#]*)", readme)) > 10
    assert [target for target in targets if target and not target.startswith("https://")] == []
    assert "Project-URL: Changelog, https://" in page


@pytest.mark.parametrize("tag", ["win_amd64", "win_arm64"])
def test_wheel_for_windows_carries_the_entry_point_and_no_script(source: Path, tmp_path: Path, tag: str) -> None:
    wheel = build(source, tmp_path, CONDA_EXECUTE_WHEEL=tag)
    names, points = contents(wheel)
    assert wheel.name == f"conda_execute-{__version__}-py3-none-{tag}.whl"
    assert not any(".data/scripts" in name for name in names)
    assert "conda-execute = conda_execute.__main__:program" in points
    assert "conda-tmpenv = conda_execute.__main__:tmpenv" in points
