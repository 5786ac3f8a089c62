"""The local channel is real: py-rattler solves it and links it, and what was linked runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest
import rattler
import uv
from rattler.exceptions import SolverError

from conda_execute.engines.rattler.bridge import Subdir
from tests.channel import PLACEHOLDER, Package, index, interpreter
from tests.channel.interpreter import Interpreter

Link = Callable[..., Path]


def solve(url: str, specs: Sequence[str], exclude_newer: datetime | None = None) -> dict[str, rattler.RepoDataRecord]:
    records = asyncio.run(
        rattler.solve(
            [rattler.Channel(url)],
            [rattler.MatchSpec(spec) for spec in specs],
            platforms=[Subdir.current(), Subdir("noarch")],
            virtual_packages=rattler.VirtualPackage.detect(),
            exclude_newer=exclude_newer,
        )
    )
    return {record.name.normalized: record for record in records}


@pytest.fixture(scope="session")
def cache(session_directory: Path) -> Path:
    return session_directory / "rattler" / "pkgs"


@pytest.fixture
def link(channel_url: str, tmp_path: Path, cache: Path) -> Link:
    """Solve and link these specs into a new prefix."""

    def make(*specs: str, url: str = channel_url, scripts: bool = False) -> Path:
        prefix = tmp_path / "prefix"
        records = list(solve(url, specs).values())
        options = {"cache_dir": cache, "show_progress": False, "execute_link_scripts": scripts}
        asyncio.run(rattler.install(records, prefix, **options))  # type: ignore[arg-type]
        return prefix

    return make


def output(*command: str | Path) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numpy_of_the_prefix_draws_numbers(link: Link) -> None:
    prefix = link("python >=3", "numpy")
    code = "import numpy; print(numpy.__file__); print(*numpy.random.normal(size=3))"
    where, numbers = output(prefix / "bin/python", "-c", code).splitlines()
    assert where.startswith(str(prefix))
    assert len(numbers.split()) == 3


def test_there_are_two_versions_of_python_where_the_machine_has_two(channel_url: str) -> None:
    chosen = interpreter.choose(interpreter.find_all())
    for one in chosen:
        records = solve(channel_url, [f"python {one.short}.*", "numpy"])
        assert str(records["python"].version) == one.version
        assert str(records["numpy"].build) == f"py{one.tag}_0"


@pytest.mark.parametrize("program", ["python", "python3"])
def test_python_has_its_links(link: Link, program: str) -> None:
    prefix = link("python")
    assert output(prefix / "bin" / program, "-c", "import sys; print(sys.prefix)").strip() == str(prefix)


def test_entry_point_of_a_noarch_package_runs(link: Link) -> None:
    prefix = link("pygments", "pip")
    assert "Pygments version 2.18.0" in output(prefix / "bin/pygmentize", "-V")
    assert str(prefix) in output(prefix / "bin/pip", "--version")


def test_dependencies_of_repacked_wheels_are_linked_too(link: Link) -> None:
    prefix = link("jinja2")
    code = "import jinja2; print(jinja2.Template('{{ word }}!').render(word='hello'))"
    assert output(prefix / "bin/python", "-c", code) == "hello!\n"


def test_prefix_replaces_the_placeholder_in_text(link: Link) -> None:
    prefix = link("prefixed-text")
    assert output(prefix / "bin/prefixed-shell").strip() == str(prefix)
    assert output(prefix / "bin/prefixed-text").strip().startswith(str(prefix / "bin/python"))


def test_prefix_replaces_the_placeholder_in_a_binary(link: Link, channel: Path) -> None:
    if not any(channel.glob("*/prefixed-binary-*")):
        pytest.skip("no C compiler on this machine")
    prefix = link("prefixed-binary")
    assert output(prefix / "bin/prefixed-binary").strip() == str(prefix)


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [("lua", 'print("Lua " .. 1 + 1)', "Lua 2\n"), ("perl", 'print "Perl ", 1 + 1, "\\n"', "Perl 2\n")],
    ids=["lua", "perl"],
)
def test_another_interpreter_runs(link: Link, channel: Path, name: str, code: str, expected: str) -> None:
    if not any(channel.glob(f"*/{name}-*")):
        pytest.skip(f"no {name} to be had on this machine")
    assert output(link(name) / "bin" / name, "-e", code) == expected


def test_post_link_script_learns_its_prefix(link: Link) -> None:
    prefix = link("post-link", scripts=True)
    assert (prefix / "post-link-ran").read_text().splitlines() == [str(prefix), "post-link"]


def test_activation_files_are_where_conda_looks(link: Link) -> None:
    prefix = link("activated")
    assert json.loads((prefix / "etc/conda/env_vars.d/activated.json").read_text())
    assert (prefix / "etc/conda/activate.d/activated.sh").exists()


@pytest.mark.parametrize(
    ("specs", "version", "build"),
    [
        (["alpha"], "2.1", "h0_0"),
        (["alpha <2"], "1.1", "h0_0"),
        (["alpha 1.0"], "1.0", "h0_1"),
        (["alpha 1.0 h0_0"], "1.0", "h0_0"),
        (["alpha", "beta"], "1.1", "h0_0"),
        (["alpha", "gamma"], "2.1", "h0_0"),
        (["alpha", "delta"], "1.1", "h0_0"),
        (["alpha 2.1 debug_0"], "2.1", "debug_0"),
    ],
    ids=repr,
)
def test_solving_means_something(channel_url: str, specs: list[str], version: str, build: str) -> None:
    alpha = solve(channel_url, specs)["alpha"]
    assert (str(alpha.version), str(alpha.build)) == (version, build)


@pytest.mark.parametrize(
    "specs",
    [["beta", "gamma"], ["alpha >=3"], ["unsolvable"], ["needs-windows"], ["no-such-package"]],
    ids=" ".join,
)
def test_some_things_have_no_solution(channel_url: str, specs: list[str]) -> None:
    with pytest.raises(SolverError):
        solve(channel_url, specs)


@pytest.mark.parametrize(
    ("when", "version"), [("2021-03-01", "1.0"), ("2023-01-01", "1.1"), ("2024-02-01", "2.0")], ids=str
)
def test_records_know_when_they_were_published(channel_url: str, when: str, version: str) -> None:
    limit = datetime.fromisoformat(when).replace(tzinfo=timezone.utc)
    assert str(solve(channel_url, ["alpha"], exclude_newer=limit)["alpha"].version) == version


def test_virtual_packages_decide(channel_url: str) -> None:
    names = {package.into_generic().name.normalized for package in rattler.VirtualPackage.detect()}
    assert "__linux" not in names or solve(channel_url, ["needs-linux"])
    if "__cuda" not in names:
        with pytest.raises(SolverError):
            solve(channel_url, ["needs-cuda"])


def test_corrupt_archive_is_refused(link: Link) -> None:
    with pytest.raises(Exception, match="corrupt"):
        link("corrupt")


def test_package_of_a_test_is_as_real_as_any(link: Link, make_channel: Callable[..., str], tmp_path: Path) -> None:
    greet = Package("greet", "0.1", {"bin/greet": f"#!/bin/sh\necho hello from {PLACEHOLDER}\n"})
    prefix = link("greet", url=make_channel(greet))
    assert output(prefix / "bin/greet") == f"hello from {prefix}\n"


@pytest.mark.parametrize("layout", ["standalone", "local", "debian"])
def test_python_of_each_layout_is_relocated(
    layout: str, link: Link, channel: Path, tmp_path: Path, session_directory: Path
) -> None:
    """`site-packages` is on the path, both installers write to it, and nothing points back to the original."""
    one = next((one for one in interpreter.find_all() if one.layout == layout), None)
    if one is None:
        pytest.skip(f"no {layout} Python on this machine")
    prefix = link("python", "pip", url=_channel_of(one, channel, tmp_path))
    python = prefix / "bin/python"
    facts = json.loads(output(python, "-c", _FACTS))
    site_packages = f"{prefix}/lib/python{one.short}/site-packages"
    assert facts["prefix"] == facts["base_prefix"] == str(prefix)
    assert facts["path"][-1] == facts["purelib"] == facts["platlib"] == site_packages
    assert facts["scripts"] == f"{prefix}/bin"
    assert facts["configured"] == str(prefix)
    assert not [path for path in facts["path"] if not path.startswith(str(prefix))]
    assert {path.name for path in (prefix / "bin").glob("[!p]*")} == set()
    output(
        uv.find_uv_bin(), "pip", "install", "--cache-dir", session_directory / "uv", "--python", python, "six==1.17.0"
    )
    output(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "idna==3.7")
    for module in ("six", "idna"):
        assert output(python, "-c", f"import {module}; print({module}.__file__)").startswith(site_packages)


_FACTS = """
import ctypes, json, math, sqlite3, ssl, sys, sysconfig, zlib
print(json.dumps({
    "prefix": sys.prefix, "base_prefix": sys.base_prefix, "path": sys.path[1:], **sysconfig.get_paths(),
    "configured": sysconfig.get_config_var("prefix"),
}))
"""


def _channel_of(one: Interpreter, channel: Path, tmp_path: Path) -> str:
    """A channel with this interpreter, which the local one may have already, and pip from the local one."""
    workplace, own = tmp_path / "workplace", tmp_path / "layout"
    made = channel / str(Subdir.current()) / f"python-{one.version}-{one.layout}_0.conda"
    if made.exists():
        (own / made.parent.name).mkdir(parents=True)
        shutil.copy(made, own / made.parent.name)
    else:
        workplace.mkdir()
        interpreter.package(one, workplace).write(own)
    (own / "noarch").mkdir(exist_ok=True)
    shutil.copy(next(channel.glob("noarch/pip-*.conda")), own / "noarch")
    index(own)
    return own.as_uri()


@pytest.mark.stress
def test_channel_is_built_once_by_processes_that_start_together(channel: Path, tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    for archive in channel.parents[1].glob("downloads/*.*"):  # only these: other tests unpack some beside them
        if archive.suffix in (".whl", ".deb"):
            shutil.copy(archive, downloads)
    command = [sys.executable, "-m", "tests.channel.build", str(tmp_path)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[2]}
    processes = [subprocess.Popen(command, **options) for _ in range(2)]  # type: ignore[call-overload]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert len({path for path, _ in outputs}) == 1
    assert sum("built the test channel" in messages for _, messages in outputs) == 1
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.name != "downloads") == ["", ".lock"]
