"""The recipe, built by a real builder for both systems, installed from a local channel, and tried there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from conda_execute import __version__, engines
from conda_execute.engines import Options
from tests import tiny
from tests.channel import File, Package, build, index, interpreter, wheels
from tests.channel.interpreter import Interpreter
from tests.channel.wheels import Wheel
from tests.conftest import CHECKOUT, World
from tests.oracle import conda_program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="builds the packages of both systems on POSIX"),
]

PURE = (
    *(Wheel("setuptools"), Wheel("filelock"), Wheel("tomli", "2.0.1"), Wheel("pip", "24.2")),
    *(Wheel("urllib3"), Wheel("packaging")),
)
COMPILED = ("pyyaml", "psutil", "py-rattler", "uv")


@pytest.fixture(scope="module")
def stocked(channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with one Python and everything that building and running conda-execute takes."""
    folder = tmp_path_factory.mktemp("stocked")
    chosen = _python()
    for path in channel.glob(f"*/python-{chosen.short}.*.conda"):
        (folder / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, folder / path.parent.name)
    downloads = build.default_destination() / "wheels"
    pairs = zip(PURE, wheels.download(list(PURE), downloads, chosen), strict=True)
    packages = [wheels.pure(wheel, path) for wheel, path in pairs]
    packages += [_compiled(name, chosen, folder / "unpacked" / name) for name in COMPILED]
    for package in packages:
        package.write(folder)
    shutil.rmtree(folder / "unpacked")
    index(folder)
    return folder


def _python() -> Interpreter:
    return interpreter.choose(interpreter.find_all())[-1]


def _compiled(name: str, python: Interpreter, workplace: Path) -> Package:
    """A package of what uv installs from the wheel, whichever of this interpreter's many tags that has."""
    site_packages = workplace / "lib" / f"python{python.short}" / "site-packages"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*uv, "--python", python.executable, "--target", site_packages, name], check=True)
    if (site_packages / "bin").is_dir():
        (site_packages / "bin").rename(workplace / "bin")
    (metadata,) = site_packages.glob("*.dist-info")
    files = {
        str(path.relative_to(workplace)): File(path, executable=os.access(path, os.X_OK))
        for path in workplace.rglob("*")
        if path.is_file()
    }
    version = metadata.name.removesuffix(".dist-info").rpartition("-")[2]
    return Package(name, version, files, depends=[python.requirement], build=f"py{python.tag}_0")


@pytest.fixture(scope="module")
def packages(stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The package of each system, built from a copy of what is under version control."""
    folder = tmp_path_factory.mktemp("recipe")
    source = folder / "source"
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    if names.returncode:
        pytest.skip("no git, or no checkout: what belongs to the package is not known")
    for name in filter(None, names.stdout.split("\0")):
        if not name.startswith("tests/") and (CHECKOUT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, source / name)
    found = {}
    for system, platform in (("unix", "linux-64"), ("win", "win-64")):
        output = folder / system
        _build(source / "recipe" / "recipe.yaml", stocked, output, platform, folder)
        (found[system],) = output.glob("noarch/conda-execute-*.conda")
    return found


def _build(recipe: Path, stocked: Path, output: Path, platform: str, folder: Path) -> None:
    """Build with py-rattler-build, in a process of its own: it uses py-rattler's threads."""
    program = (
        "import os, sys\n"
        "from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, ToolConfiguration, VariantConfig\n"
        "recipe, channel, output, platform, python = sys.argv[1:]\n"
        "platforms = PlatformConfig(target_platform=platform, build_platform='linux-64')\n"
        "chosen = VariantConfig({'python_min': [python]})\n"
        "variants = Stage0Recipe.from_file(recipe).render(chosen, RenderConfig(platforms))\n"
        "[variant.run_build(ToolConfiguration(), output, [channel]) for variant in variants]\n"
        "os._exit(0)"
    )
    pytest.importorskip("rattler_build")
    done = subprocess.run(
        [sys.executable, "-c", program, recipe, stocked.as_uri(), output, platform, _python().short],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def contents(package: Path, part: str) -> dict[str, bytes]:
    """The files of a package: `pkg` or `info`."""
    from conda_package_streaming.package_streaming import stream_conda_component

    found = {}
    with open(package, "rb") as file:
        for tar, member in stream_conda_component(package.name, file, component=part):
            stream = tar.extractfile(member) if member.isfile() else None
            found[member.name] = stream.read() if stream else b""
    return found


def test_the_recipe_has_the_version_of_the_package() -> None:
    assert f'version: "{__version__}"' in (CHECKOUT / "recipe" / "recipe.yaml").read_text()


def test_the_recipe_asks_for_what_setup_asks_for() -> None:
    recipe = (CHECKOUT / "recipe" / "recipe.yaml").read_text()
    setup = (CHECKOUT / "setup.py").read_text()
    required = setup.partition("install_requires=[")[2].partition("]")[0]
    names = {line.strip().strip('",').replace(">=", " >=") for line in required.strip().splitlines()}
    runs = recipe.partition("  run:\n")[2].partition("  run_constraints:")[0]
    assert {line.strip().removeprefix("- ") for line in runs.splitlines()} - names == {
        "python >=${{ python_min }}",
        "__${{ system }}",
    }
    assert all(f"    - {name}\n" in runs for name in names)
    (python_min,) = yaml.safe_load((CHECKOUT / "recipe" / "variants.yaml").read_text())["python_min"]
    assert f'python_requires=">={python_min}"' in setup


def test_the_recipe_is_as_the_linter_of_conda_forge_asks() -> None:
    """Its rules for recipes of this kind (conda-smithy, `lint_recipe`), those that are hints too."""
    text = (CHECKOUT / "recipe" / "recipe.yaml").read_text()
    recipe = yaml.safe_load(text)
    sections = ["schema_version", "context", "package", "source", "build", "requirements", "tests", "about", "extra"]
    assert list(recipe) == sections
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", recipe["package"]["name"])
    for item in ("homepage", "license", "license_file", "summary", "documentation"):
        assert recipe["about"][item]
    assert "license" not in recipe["about"]["license"].lower()
    assert isinstance(recipe["extra"]["recipe-maintainers"], list)
    assert recipe["build"]["number"] == "${{ number }}"
    assert "${{ number }}" in recipe["build"]["string"]
    assert "${{ PYTHON }} -m pip install . --no-deps --no-build-isolation -vv" in recipe["build"]["script"]
    assert recipe["build"]["noarch"] == "python"
    assert "skip" not in recipe["build"]
    assert "python ${{ python_min }}.*" in recipe["requirements"]["host"]
    assert "python >=${{ python_min }}" in recipe["requirements"]["run"]
    for part in recipe["requirements"].values():
        for requirement in part:
            assert isinstance(requirement, str), "a selector is for packages of one platform"
            assert re.fullmatch(r"[\w.-]+( \S+)?", re.sub(r"\$\{\{ \w+ \}\}", "x", requirement))
    python = recipe["tests"][0]["python"]
    assert python["pip_check"] is True
    assert python["python_version"] == ["${{ python_min }}.*", "*"]
    assert any("conda execute --version" in test.get("script", ()) for test in recipe["tests"])
    assert all(name == f" {name.strip()} " for name in re.findall(r"\$\{\{(.*?)\}\}", text))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    feedstock = yaml.safe_load((CHECKOUT / "recipe" / "conda-forge.yml").read_text())
    assert feedstock == {"noarch_platforms": ["linux_64", "win_64"]}


def test_there_is_one_package_for_each_system(packages: dict[str, Path]) -> None:
    assert len({path.name for path in packages.values()}) == 2
    for system, path in packages.items():
        record = json.loads(contents(path, "info")["info/index.json"])
        assert record["noarch"] == "python"
        assert f"__{system}" in record["depends"]
        assert record["build"].startswith(f"{system}_pyh")
        assert "conda >=23.11" in record["constrains"]
        assert not zipfile.ZipFile(path).testzip()


def test_posix_gets_the_launcher_and_windows_an_entry_point(packages: dict[str, Path]) -> None:
    launcher = (CHECKOUT / "conda_execute" / "launch" / "posix" / "conda-execute").read_bytes()
    unix = contents(packages["unix"], "pkg")
    assert unix["python-scripts/conda-execute"] == launcher
    entry_points = json.loads(contents(packages["unix"], "info")["info/link.json"])["noarch"]["entry_points"]
    names = {line.partition(" ")[0] for line in entry_points}
    assert names == {"conda-execute-py"}
    windows = contents(packages["win"], "pkg")
    assert "python-scripts/conda-execute" not in windows
    entry_points = json.loads(contents(packages["win"], "info")["info/link.json"])["noarch"]["entry_points"]
    assert {line.partition(" ")[0] for line in entry_points} == {"conda-execute-py", "conda-execute", "conda-tmpenv"}


@pytest.fixture(scope="module")
def installed(packages: dict[str, Path], stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with conda-execute from a channel that has the packages of both systems."""
    folder = tmp_path_factory.mktemp("installed")
    channel = shutil.copytree(stocked, folder / "channel")
    for path in packages.values():
        shutil.copy(path, channel / "noarch")
    index(channel)
    request = tiny.request("conda-execute", channels={"local": channel})
    prefix = folder / "prefix with a blank"
    engines.build(engines.engine("rattler"), request, str(prefix), Options(cache=str(folder / "cache")))
    return prefix


def test_the_solver_takes_the_package_of_this_system(installed: Path) -> None:
    (record,) = installed.glob("conda-meta/conda-execute-*.json")
    assert json.loads(record.read_text())["build"].startswith("unix_pyh")


def test_the_installed_programs_run_a_script(installed: Path, world: World) -> None:
    world = world.with_(PATH=f"{installed / 'bin'}:/usr/bin:/bin")
    script = world.script(
        "hello.py", "#!/usr/bin/env conda-execute\n# conda execute\n# env: [python]\nprint('hello')\n"
    )
    assert world.run(["conda-execute", "--version"], check=True).stdout == f"conda-execute {__version__}\n"
    assert world.run([script], check=True).stdout == "hello\n"
    assert world.run([script], check=True).stdout == "hello\n"
    assert "hello.py" in world.run(["conda-tmpenv", "list"], check=True).stdout


def test_condabin_has_the_programs_for_every_active_environment(installed: Path, world: World) -> None:
    """`conda init` puts only this directory on PATH, and it stays there when another environment is activated."""
    world = world.with_(PATH=f"/nowhere/envs/other/bin:{installed / 'condabin'}:/usr/bin:/bin")
    script = world.script("hi.py", "#!/usr/bin/env conda-execute\n# conda execute\n# env: [python]\nprint('hi')\n")
    assert [world.run([script], check=True).stdout for _ in range(2)] == ["hi\n"] * 2
    assert "hi.py" in world.run(["conda-tmpenv", "list"], check=True).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_runs_while_another_environment_is_active(installed: Path, world: World, shell: str) -> None:
    """`conda activate` of a real conda, with that package in its base: `condabin` stays on PATH, `bin` does not."""
    program, conda = shutil.which(shell), conda_program()
    if program is None:
        pytest.skip(f"no {shell} here")
    other = world.root / "other"
    for folder in ("bin", "conda-meta"):
        (other / folder).mkdir(parents=True)
    (other / "conda-meta" / "history").touch()
    world.script(
        "hi.sh",
        """\
        #!/usr/bin/env conda-execute
        # conda execute
        # env: [six]
        # run_with: sh
        echo hi
        """,
    )
    hook = f"{conda} shell.fish hook | source" if shell == "fish" else f'eval "$({conda} shell.{shell} hook)"'
    world = world.with_(PATH=f"{installed / 'condabin'}:/usr/bin:/bin")
    lines = [hook, f"conda activate {other}", 'echo "$CONDA_PREFIX"', "./hi.sh", "./hi.sh"]
    ran = world.run([program, "-c", "\n".join(lines)], check=True)
    assert ran.stdout == f"{other}\nhi\nhi\n"


def test_the_installed_launcher_is_the_shell_script(installed: Path) -> None:
    launcher = installed / "bin" / "conda-execute"
    assert launcher.read_bytes().startswith(b"#!/bin/sh")
    assert launcher.stat().st_mode & 0o111


def test_the_plugin_is_found_by_conda(installed: Path) -> None:
    """conda looks for the entry-point group `conda` in the metadata of what is installed."""
    (metadata,) = installed.glob("lib/python*/site-packages/conda_execute-*.dist-info/entry_points.txt")
    assert "[conda]\nconda-execute = conda_execute.plugin" in metadata.read_text()
