"""What a header says of its machine, its moment and its language, and scripts written for other runners."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_execute.configuration.declared import Settings
from conda_execute.environments.name import environment_name
from conda_execute.errors import HeaderError
from conda_execute.resolve import resolve
from conda_execute.script import local_package
from conda_execute.script.editing import editor
from conda_execute.script.header import read_header
from tests.channel import Package

if TYPE_CHECKING:
    from conda_execute.model import Request
    from tests.conftest import World

Make = Callable[..., str]


def package(name: str, *depends: str, version: str = "1.0") -> Package:
    return Package(name, version, {f"share/{name}.txt": version}, depends=list(depends), noarch="generic")


# The machine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        '# conda execute\n# env: [gpu]\n# channels: ["{}"]\n# run_with: sh\n{}',
        '# /// script\n# [tool.conda]\n# dependencies = ["gpu"]\n# channels = ["{}", "conda-forge"]\n{}# ///\n',
    ],
    ids=["native", "tool.conda"],
)
def test_a_header_says_what_the_machine_of_the_run_has(header: str, world: World, make_channel: Make) -> None:
    """A login node creates the environment for GPU nodes; without a word of them it cannot."""
    channel = make_channel(package("gpu", "__cuda >=12"))
    says = '# system: {cuda: "12.4"}\n' if "conda execute" in header else '# system = { cuda = "12.4" }\n'
    plain = world.script("plain.sh", header.format(channel, "") + "echo ran\n")
    assert world.execute("--dry-run", plain.name).returncode == 125
    script = world.script("gpu.sh", header.format(channel, says) + "echo ran\n")
    said = json.loads(world.execute("--dry-run", "--json", script.name, check=True).stdout)
    assert "gpu" in [found["name"] for found in said["packages"]]


FOR_GPUS = """\
# conda execute
# env: [gpu]
# channels: ["{}"]
# run_with: sh
# system: {{cuda: "12.4"}}
echo ran
"""


def test_an_environment_for_another_machine_is_found_again(world: World, make_channel: Make) -> None:
    channel = make_channel(package("gpu", "__cuda >=12"))
    script = world.script("gpu.sh", FOR_GPUS.format(channel))
    for _ in range(2):
        assert world.execute(script.name, check=True).stdout == "ran\n"
    assert len(world.prefixes()) == 1


def test_what_the_caller_says_of_the_machine_comes_before_the_header(world: World, make_channel: Make) -> None:
    channel = make_channel(package("gpu", "__cuda >=12"))
    script = world.script("gpu.sh", FOR_GPUS.format(channel))
    assert world.with_(CONDA_OVERRIDE_CUDA="11").execute("--dry-run", script.name).returncode == 125


# Conditions that the engine judges ----------------------------------------------------------------------------------


TABLE = """\
# /// conda-script
# channels = ["{}"]
# entrypoint = "sh"
# [dependencies]
# app = "*"
# extra = {{{{ when = {} }}}}
# /// end-conda-script
"""
CONDITIONAL = {
    "native": '# conda execute\n# channels: ["{}"]\n# run_with: sh\n# env:\n#  - app\n#  - extra[when="app >={}"]\n',
    "conda-script": TABLE.format("{}", '"app >={}"'),
    "tables": TABLE.format("{}", '{{ all = ["__unix", {{ any = ["app >={}", "nothing"] }}] }}'),
}


@pytest.mark.parametrize("header", CONDITIONAL.values(), ids=CONDITIONAL)
@pytest.mark.parametrize("least", ["1", "2"])
def test_a_spec_counts_when_other_packages_are_as_it_says(
    least: str, header: str, world: World, make_channel: Make
) -> None:
    channel = make_channel(package("app"), package("extra"))
    script = world.script("s.sh", header.format(channel, least))
    said = json.loads(world.execute("--dry-run", "--json", script.name, check=True).stdout)
    names = {found["name"] for found in said["packages"]}
    assert names == ({"app", "extra"} if least == "1" else {"app"})


# The day of the last commit -----------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> None:
    identity = {f"GIT_{who}_{what}": "me@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": "2024-05-01T23:30:00-0700", "GIT_COMMITTER_DATE": "2024-05-01T23:30:00-0700"}
    subprocess.run(["git", "-C", folder, *words], env={**os.environ, **identity, **dates}, check=True, stdout=-3)


COMMITTED = "# conda execute\n# env: [python]\n# exclude-newer: commit\n"


def test_packages_are_as_old_as_the_scripts_last_commit(world: World) -> None:
    script = world.script("paper.py", COMMITTED)
    for words in (["init", "-q"], ["add", script.name], ["commit", "-qm", "a paper"]):
        git(world.work, *words)
    said = json.loads(world.execute("--check", "--json", script.name, check=True).stdout)
    assert said["exclude_newer"] == "2024-05-02", "in UTC, whatever the committer's clock"


@pytest.fixture
def paper(world: World, make_channel: Make) -> Path:
    """A script in a repository, whose package is newer today than on the day of its commit."""
    old, new = (
        Package("greet", version, {"bin/greet": f"#!/bin/sh\necho {version}\n"}, timestamp=day)
        for version, day in (("1.0", "2024-04-30"), ("2.0", "2024-05-04"))
    )
    url = make_channel(old, new)
    repository = world.work / "repository"
    repository.mkdir()
    header = f"# conda execute\n# env: [greet]\n# channels: ['{url}']\n# run_with: sh\n"
    (repository / "paper.sh").write_text(f"{header}# exclude-newer: commit\ngreet\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a paper"]):
        git(repository, *words)
    return repository / "paper.sh"


def test_old_script_runs_as_on_the_day_of_its_commit(world: World, paper: Path) -> None:
    """Also when it was changed since, through a link, and from elsewhere."""
    assert world.execute(paper, check=True).stdout == "1.0\n"
    paper.write_text(paper.read_text() + "# changed since\n")
    link = world.work / "link.sh"
    link.symlink_to(paper)
    assert world.execute(link, cwd=world.home, check=True).stdout == "1.0\n"
    paper.write_text(paper.read_text().replace("# exclude-newer: commit\n", ""))
    assert world.execute(paper, check=True).stdout == "2.0\n"


def test_day_of_a_commit_comes_before_the_setting(world: World, paper: Path) -> None:
    assert world.with_(CONDA_EXCLUDE_NEWER="2024-06-01").execute(paper, check=True).stdout == "1.0\n"


def test_shallow_clone_does_not_know_the_day(world: World, paper: Path) -> None:
    """Its only commit looks as if it had made every file."""
    git(paper.parent, "commit", "-qm", "later", "--allow-empty")
    git(world.work, "clone", "-q", "--depth=1", paper.parent.as_uri(), "clone")
    clone = world.work / "clone" / paper.name
    done = world.execute(clone)
    assert done.returncode == 125
    assert "in a shallow clone" in done.stderr
    assert "git fetch --unshallow" in done.stderr
    git(clone.parent, "fetch", "-q", "--unshallow")
    assert world.execute(clone, check=True).stdout == "1.0\n"


def test_day_of_a_commit_needs_git(world: World, paper: Path, tmp_path: Path) -> None:
    for name in ("sh", "readlink", "conda-execute"):
        found = shutil.which(name, path=world.environ["PATH"])
        assert found is not None
        (tmp_path / name).symlink_to(found)
    done = world.with_(PATH=str(tmp_path)).execute(paper)
    assert done.returncode == 125
    assert "asks git, which cannot run" in done.stderr


def test_settings_of_a_repository_run_nothing(world: World, paper: Path) -> None:
    """This one lacks a tree, and says how it is to be fetched."""
    ran = world.root / "ran"
    git(paper.parent, "commit", "-qm", "later", "--allow-empty")
    settings = {
        "core.fsmonitor": f"touch {ran}",
        "gpg.program": f"touch {ran}",
        "log.showSignature": "true",
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::touch {ran}",
        "protocol.ext.allow": "always",
    }
    for name, value in settings.items():
        git(paper.parent, "config", name, value)
    tree = subprocess.run(["git", "-C", paper.parent, "rev-parse", "HEAD^{tree}"], check=True, stdout=-1, text=True)
    hashed = tree.stdout.strip()
    (paper.parent / ".git" / "objects" / hashed[:2] / hashed[2:]).unlink()
    done = world.execute(paper)
    assert done.returncode == 125
    assert not ran.exists()


@pytest.mark.parametrize("repository", [False, True], ids=["no repository", "not committed"])
def test_a_script_without_a_commit_has_no_day_of_its_last_one(repository: bool, world: World) -> None:
    script = world.script("paper.py", COMMITTED)
    if repository:
        git(world.work, "init", "-q")
    done = world.with_(GIT_CEILING_DIRECTORIES=str(world.work.parent)).execute("--check", script.name)
    assert done.returncode == 125
    assert "finds no commit of" in done.stderr
    assert "hint: write a date" in done.stderr


def test_code_without_a_file_has_no_commit(world: World) -> None:
    done = world.execute("--check", "-", input=COMMITTED)
    assert done.returncode == 125
    assert "needs a script that is a file" in done.stderr


def test_a_file_that_git_does_not_know_was_never_committed(world: World) -> None:
    script = world.script("paper.py", COMMITTED)
    world.script("other.py", "")
    for words in (["init", "-q"], ["add", "other.py"], ["commit", "-qm", "another"]):
        git(world.work, *words)
    assert "was never committed" in world.execute("--check", script.name).stderr


# R -----------------------------------------------------------------------------------------------------------------


def test_dependencies_of_an_r_script_are_never_taken_from_pypi(world: World) -> None:
    """`jsonlite` of PyPI would be somebody else's package."""
    script = world.script("plot.R", '# /// script\n# dependencies = ["jsonlite"]\n# ///\n')
    said = json.loads(world.execute("--check", "--json", script.name, check=True).stdout)
    assert said["specs"] == ["r-base", "r-jsonlite"]
    assert "pypi" not in said
    assert said["run_with"] == ["Rscript"]


# What a shebang asks of uv ------------------------------------------------------------------------------------------

IGNORED = "`{}` in the shebang is for uv and is ignored"


@pytest.mark.parametrize(
    ("options", "pypi", "python", "ignored"),
    [
        ("--with rich --script", ("rich",), (), None),
        ("--with=rich,httpx>=0.20 -s", ("rich", "httpx>=0.20"), (), None),
        ("-w rich -w ./lib", ("rich", "./lib"), (), None),
        ("--python 3.12 --script", (), ("python 3.12.*",), None),
        ("-p 3.12.4", (), ("python ==3.12.4",), None),
        ("-p cpython@3.12", (), ("python 3.12.*",), None),
        ("--python '>=3.11, <4'", (), ("python >=3.11,<4",), None),
        ("-q --no-project --refresh", (), (), None),
        ("--python-preference only-system", (), (), None),
        ("--python pypy@3.10", (), (), "--python pypy@3.10"),
        ("--index=https://x.org/simple", (), (), "--index https://x.org/simple"),
    ],
)
def test_options_for_uv_in_a_shebang_are_honoured_or_reported(
    options: str, pypi: tuple[str, ...], python: tuple[str, ...], ignored: str | None
) -> None:
    text = f"#!/usr/bin/env -S uv run {options}\n# /// script\n# dependencies = ['six']\n# ///\n"
    header = read_header(text.encode(), "s.py", "linux-64")
    assert header.pypi == ("six", *pypi)
    assert header.specs == ("python", *python)
    assert header.notices == (() if ignored is None else (IGNORED.format(ignored),))


def test_an_editable_package_of_a_shebang_is_installed_as_it_is_with_a_notice() -> None:
    text = b"#!/usr/bin/env -S uv run --with-editable lib --script\n# /// script\n# ///\n"
    header = read_header(text, "s.py", "linux-64")
    assert header.pypi == ("./lib",)
    (notice,) = header.notices
    assert notice == "`--with-editable lib` in the shebang is for uv: here the package is installed as it is now"


def test_a_python_of_the_shebang_and_one_of_the_header_both_count() -> None:
    text = b"#!/usr/bin/env -S uv run -p 3.12\n# /// script\n# requires-python = '>=3.11'\n# ///\n"
    assert read_header(text, "s.py", "linux-64").specs == ("python >=3.11", "python 3.12.*")


def test_options_of_other_programs_are_none_of_uv() -> None:
    text = b"#!/usr/bin/env -S python --with rich\n# /// script\n# ///\n"
    assert read_header(text, "s.py", "linux-64").pypi == ()


def test_a_lock_of_uv_is_reported(world: World) -> None:
    script = world.script("s.py", "# /// script\n# ///\n")
    assert "lock of uv" not in world.execute("--check", "--json", script.name, check=True).stdout
    world.script("s.py.lock", "version = 1\n")
    said = json.loads(world.execute("--check", "--json", script.name, check=True).stdout)
    assert said["notices"][0].startswith("`s.py.lock` is a lock file of uv, which is not read here")


def test_activation_scripts_of_pixi_are_sourced_last_at_each_run(world: World) -> None:
    said = '[ -d "$CONDA_PREFIX" ] && export GREETING="$WORD $1"\necho to standard error\n'
    header = (
        "# /// script\n# [tool.pixi.dependencies]\n# lua = '*'\n"
        "# [tool.pixi.activation]\n# scripts = ['env.sh']\n# env = { WORD = 'hello' }\n# ///\n"
    )
    script = world.script("s.sh", header + 'echo "$GREETING"\n')
    refused = world.execute(script)
    assert (refused.returncode, refused.stdout) == (125, "")
    assert f"the activation script `{world.work}/env.sh` is not there\n  {script}:5:14" in refused.stderr
    for word in ("hello", "hallo"):
        world.script("env.sh", said.replace("$WORD", word))
        done = world.execute(script, "argument", check=True)
        assert done.stdout == f"{word} \n"
        assert "to standard error" in done.stderr
    world.script("env.sh", "exit 3\n")
    done = world.execute(script)
    assert (done.returncode, done.stdout) == (125, "")
    assert f"the activation script `{world.work}/env.sh` ended with status 3" in done.stderr


# Local packages ----------------------------------------------------------------------------------------------------

PROJECT = """\
[project]
name = "mylib"
version = "1.0"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
ASKING = {
    "path": "# conda execute\n# env:\n#  - python\n#  - pip: [./lib]\n",
    "source": '# /// script\n# dependencies = ["mylib"]\n# [tool.uv.sources]\n# mylib = { path = "lib" }\n# ///\n',
    "url": '# /// script\n# dependencies = ["mylib @ ./lib"]\n# ///\n',
}


def request_of(world: World, header: str) -> Request:
    data = header.encode()
    return resolve(read_header(data, "s.py", "linux-64"), Settings(), folder=str(world.work), environ={})


@pytest.mark.parametrize("header", ASKING.values(), ids=ASKING)
@pytest.mark.parametrize("file", ["pyproject.toml", "setup.py", "setup.cfg"])
def test_a_local_package_that_changed_is_another_environment(file: str, header: str, world: World) -> None:
    (world.work / "lib").mkdir()
    world.script("lib/pyproject.toml", PROJECT)
    before = environment_name(request_of(world, header))
    assert environment_name(request_of(world, header)) == before
    world.script("lib/mylib.py", "V = 2\n")
    assert environment_name(request_of(world, header)) == before, "uv does not look at these either"
    path = world.script(f"lib/{file}", PROJECT.replace("1.0", "2.0"))
    after = environment_name(request_of(world, header))
    assert after != before
    os.utime(path, (0, 0))
    assert environment_name(request_of(world, header)) == after, "by content, never by time"


@pytest.mark.parametrize(
    ("keys", "change"),
    [
        ('["mylib.py"]', lambda lib: (lib / "mylib.py").write_text("V = 2\n")),
        ('[{ file = "**/*.txt" }]', lambda lib: (lib / "data" / "x.txt").write_text("2\n")),
        ('[{ dir = "data" }]', lambda lib: (lib / "data" / "y.txt").write_text("2\n")),
        ("[{ git = { commit = true } }]", lambda lib: (git(lib, "add", "."), git(lib, "commit", "-qm", "x"))),
    ],
    ids=["text", "pattern", "directory", "commit"],
)
def test_what_a_local_package_is_keyed_by_is_its_own_to_say(
    keys: str, change: Callable[[Path], object], world: World
) -> None:
    lib = world.work / "lib"
    (lib / "data").mkdir(parents=True)
    git(lib, "init", "-q")
    world.script("lib/pyproject.toml", f"{PROJECT}[tool.uv]\ncache-keys = {keys}\n")
    before = environment_name(request_of(world, ASKING["path"]))
    assert environment_name(request_of(world, ASKING["path"])) == before
    change(lib)
    assert environment_name(request_of(world, ASKING["path"])) != before


def test_a_local_archive_is_keyed_by_its_content(world: World) -> None:
    wheel = world.script("mylib-1.0-py3-none-any.whl", "first")
    header = ASKING["path"].replace("./lib", f"./{wheel.name}")
    before = environment_name(request_of(world, header))
    os.utime(wheel, (0, 0))
    assert environment_name(request_of(world, header)) == before
    wheel.write_text("other")
    os.utime(wheel, (0, 0))
    assert environment_name(request_of(world, header)) != before


def test_a_local_package_keyed_by_a_variable_changes_with_it(world: World) -> None:
    (world.work / "lib").mkdir()
    world.script("lib/pyproject.toml", f'{PROJECT}[tool.uv]\ncache-keys = [{{ env = "FLAVOUR" }}]\n')
    pypi = [str(world.work / "lib")]
    assert len({local_package.keys(pypi, None, {"FLAVOUR": one}) for one in ("a", "b", "a")}) == 2


# Links -------------------------------------------------------------------------------------------------------------


def linked(world: World, text: str) -> Path:
    """A script elsewhere, and a link to it in the working directory."""
    (world.work / "kept").mkdir()
    script = world.script("kept/tool.py", text)
    link = world.work / "tool.py"
    link.symlink_to(script)
    return link


def test_a_lock_is_found_beside_a_link_and_then_beside_its_target(world: World) -> None:
    link = linked(world, "# conda execute\n# env: [python]\nprint('ran')\n")
    world.execute("--lock", "kept/tool.py", check=True)
    assert world.execute("--locked", link.name, check=True).stdout == "ran\n"
    beside = world.work / "tool.py.conda-execute.lock"
    beside.write_text("# conda-execute lock, and nothing in it\n")
    assert f"`{beside}`" in world.execute("--locked", link.name).stderr, "the one beside the link comes first"
    beside.unlink()
    assert world.execute("--locked", link.name, check=True).stdout == "ran\n"


def test_a_lock_that_appears_beside_a_links_target_counts_from_then_on(world: World) -> None:
    """The launcher's record watches for it."""
    link = linked(world, "# conda execute\n# env: [python]\nprint('ran')\n")
    for _ in range(2):
        world.execute(link.name, check=True)
    world.script("kept/tool.py.conda-execute.lock", "# conda-execute lock, and nothing in it\n")
    assert "tool.py.conda-execute.lock" in world.execute(link.name).stderr


def test_a_path_that_a_linked_script_names_is_found_beside_the_link_and_then_beside_its_target(world: World) -> None:
    link = linked(world, ASKING["path"])
    data, folder = link.read_bytes(), str(world.work)

    def wanted() -> tuple[str, ...]:
        header = read_header(data, "tool.py", "linux-64")
        return resolve(header, Settings(), folder=folder, script=str(link), environ={}).pypi

    (world.work / "kept" / "lib").mkdir()
    assert wanted() == (str(world.work / "kept" / "lib"),)
    (world.work / "lib").mkdir()
    assert wanted() == (str(world.work / "lib"),)


# Files that are no scripts, and encodings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "message", "hint"),
    [
        ("environment.yml", "name: x\ndependencies:\n  - numpy\n", "an environment.yml", "--file environment.yml"),
        ("requirements-dev.txt", "rich>=13\n", "a list of pip's requirements", "--with pypi:NAME"),
        ("pixi.toml", "[workspace]\n", "another tool's project", "conda-execute SCRIPT"),
    ],
)
def test_a_list_of_packages_given_as_a_script_is_named_as_what_it_is(
    name: str, text: str, message: str, hint: str, world: World
) -> None:
    done = world.execute(world.script(name, text).name)
    assert done.returncode == 125
    assert message in done.stderr
    assert hint in done.stderr


def test_a_script_in_the_encoding_that_it_declares_runs(world: World) -> None:
    text = "# -*- coding: latin-1 -*-\n# conda execute\n# env: [python]\nprint(ascii('caf\u00e9'))\n"
    script = world.script("s.py", text.encode("latin-1"))
    assert world.execute(script.name, check=True).stdout == "'caf\\xe9'\n"


@pytest.mark.parametrize("encoding", ["ascii", "no-such", "utf-16"])
def test_an_encoding_that_does_not_fit_is_an_error(encoding: str) -> None:
    data = f"# coding: {encoding}\n# conda execute\n# env: [python]\n".encode() + b"# caf\xe9\n"
    with pytest.raises(HeaderError, match="not UTF-8"):
        read_header(data, "s.py", "linux-64")


def test_a_header_beside_lines_of_another_encoding_is_edited_and_they_stay() -> None:
    data = b"# coding: latin-1\n# caf\xe9\n\n# conda execute\n# env:\n#  - python\n'caf\xe9'\n"
    edited = editor.add_specs(data, "s.py", ["numpy"], platform="linux-64")
    assert b"#  - numpy\n" in edited
    assert edited.replace(b"#  - numpy\n", b"") == data


# pixi --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("strategy", "version"), [("highest", "2.0"), ("lowest", "1.0"), ("lowest-direct", "1.0")])
def test_the_solve_strategy_of_pixi_is_the_solvers(
    strategy: str, version: str, world: World, make_channel: Make
) -> None:
    channel = make_channel(package("app"), package("app", version="2.0"))
    text = (
        f'# /// conda-script\n# channels = ["{channel}"]\n# entrypoint = "sh"\n# [dependencies]\n# app = "*"\n'
        f'# [tool.pixi.workspace]\n# solve-strategy = "{strategy}"\n# /// end-conda-script\n'
    )
    said = json.loads(world.execute("--dry-run", "--json", world.script("s.sh", text).name, check=True).stdout)
    assert [found["version"] for found in said["packages"] if found["name"] == "app"] == [version]
