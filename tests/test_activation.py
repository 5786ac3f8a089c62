"""Laws of activation: what the environment variables of a script are, given a prefix and the environment outside."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.errors import ExecuteError
from conda_execute.launch.activation import activate, join_path, shell_level

OUTSIDE = {"PATH": "/usr/bin:/bin", "HOME": "/home/me", "LANG": "C.UTF-8"}


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    (tmp_path / "tmp_envs" / "ea97" / "conda-meta").mkdir(parents=True)
    return str(tmp_path / "tmp_envs" / "ea97")


def write_json(prefix: str, path: str, content: object) -> None:
    file = Path(prefix, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def test_prefix_comes_first_on_path_and_is_named(prefix: str) -> None:
    child = activate(prefix, OUTSIDE).environ
    assert child["PATH"] == f"{prefix}/bin:/usr/bin:/bin"
    assert {child[name] for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PREFIX")} == {prefix}
    assert child["CONDA_SHLVL"] == "1"
    assert child["CONDA_PROMPT_MODIFIER"] == f"({prefix}) "
    assert {name: child[name] for name in ("HOME", "LANG")} == {"HOME": "/home/me", "LANG": "C.UTF-8"}


def test_environment_in_a_folder_of_named_ones_goes_by_its_name(tmp_path: Path) -> None:
    assert activate(str(tmp_path / "envs" / "plots"), OUTSIDE).environ["CONDA_DEFAULT_ENV"] == "plots"


def test_outer_environment_leaves_path_and_is_remembered(prefix: str) -> None:
    outside = {"PATH": "/opt/c/bin:/opt/c/condabin:/usr/bin:/opt/c/bin", "CONDA_PREFIX": "/opt/c", "CONDA_SHLVL": "1"}
    child = activate(prefix, outside).environ
    assert child["PATH"] == f"{prefix}/bin:/opt/c/condabin:/usr/bin"
    assert (child["CONDA_SHLVL"], child["CONDA_PREFIX_1"], child["CONDA_PREFIX"]) == ("2", "/opt/c", prefix)


def test_activating_twice_counts_once(prefix: str) -> None:
    once = activate(prefix, OUTSIDE).environ
    assert activate(prefix, once).environ == once


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(None, "/p/bin:" + os.defpath, id="unset"),
        pytest.param("", "/p/bin", id="empty adds no working directory"),
        pytest.param(":/bin:", "/p/bin::/bin:", id="empty entries stay"),
    ],
)
def test_path_is_made_from(path: str | None, expected: str) -> None:
    assert join_path(["/p/bin"], path, ()) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", " 1", "01", "x", "1x", "²", "1000"])
def test_shell_level_that_conda_did_not_write_counts_as_none(text: str) -> None:
    assert shell_level(text) == 0


def test_variables_of_packages_then_of_the_environment_then_of_the_header(prefix: str) -> None:
    write_json(prefix, "etc/conda/env_vars.d/a.json", {"A": "package a", "B": "package a", "C": "package a"})
    write_json(prefix, "etc/conda/env_vars.d/b.json", {"B": "package b", "C": "package b"})
    write_json(prefix, "conda-meta/state", {"env_vars": {"C": "state", "D": "state"}})
    child = activate(prefix, OUTSIDE, [("D", "header")]).environ
    assert [child[name] for name in "ABCD"] == ["package a", "package b", "state", "header"]


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        pytest.param({"A": "***unset***"}, "A", "outside", id="unset marker leaves it alone"),
        pytest.param({"A": None}, "A", None, id="null takes it away"),
        pytest.param({"A": 3}, "A", "3", id="number"),
        pytest.param({"a": "x"}, "A", "x", id="upper-cased"),
        pytest.param({"PATH": "/evil"}, "PATH", "{prefix}/bin:/usr/bin:/bin", id="PATH is refused"),
        pytest.param({"A": "$HOME 'q' \"d\" \\ `c`\n"}, "A", "$HOME 'q' \"d\" \\ `c`\n", id="taken as it is"),
        pytest.param({"A B": "x", "1": "x", "A": "y"}, "A B", None, id="names no shell can hold"),
        pytest.param({"A": "nul\0"}, "A", "outside", id="NUL"),
    ],
)
def test_values_are_handled_as_conda_does(prefix: str, content: object, name: str, expected: str | None) -> None:
    write_json(prefix, "conda-meta/state", {"env_vars": content})
    child = activate(prefix, {**OUTSIDE, "A": "outside"}).environ
    assert child.get(name) == (expected.format(prefix=prefix) if expected and "{" in expected else expected)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"env_vars": []}', "\xff"])
def test_broken_state_names_its_file(prefix: str, content: str) -> None:
    write_json(prefix, "conda-meta/state", content)
    with pytest.raises(ExecuteError, match="must be a JSON object") as caught:
        activate(prefix, OUTSIDE)
    assert caught.value.where[0].path == f"{prefix}/conda-meta/state"


def test_scripts_come_in_the_order_of_their_names_and_only_those_of_this_shell(prefix: str) -> None:
    for name in ("b.sh", "a.sh", "c.fish", "d.bat", "e.sh.orig", "10.sh"):
        write_json(prefix, f"etc/conda/activate.d/{name}", "")
    assert [os.path.basename(path) for path in activate(prefix, OUTSIDE).scripts] == ["10.sh", "a.sh", "b.sh"]


def test_outer_environment_is_deactivated_in_reverse_order(prefix: str, tmp_path: Path) -> None:
    outer = str(tmp_path / "outer")
    for name in ("a.sh", "b.sh"):
        write_json(outer, f"etc/conda/deactivate.d/{name}", "")
    scripts = activate(prefix, {**OUTSIDE, "CONDA_PREFIX": outer, "CONDA_SHLVL": "1"}).outer_scripts
    assert [os.path.basename(path) for path in scripts] == ["b.sh", "a.sh"]
    assert activate(prefix, {**OUTSIDE, "CONDA_PREFIX": outer}).outer_scripts == ()


@given(st.dictionaries(st.text(string.ascii_uppercase, min_size=1), st.text().filter(lambda text: "\0" not in text)))
def test_fixed_parts_and_the_whole_say_the_same(environ: dict[str, str]) -> None:
    """What a launch record is written from gives the environment that Python gives."""
    activation = activate("/p", environ)
    moving = {"PATH", "CONDA_SHLVL"} | {name for name in activation.environ if name.startswith("CONDA_PREFIX_")}
    expected = {name: value for name, value in environ.items() if name not in activation.unsets}
    expected |= dict(activation.exports)
    assert {name: value for name, value in activation.environ.items() if name not in moving} == {
        name: value for name, value in expected.items() if name not in moving
    }
