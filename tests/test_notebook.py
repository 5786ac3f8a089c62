"""Laws of notebooks: headers read from their first code cell, and run by the tools that are in the environment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.errors import HeaderError, NotFoundError
from conda_execute.script import notebook, source
from tests import tiny
from tests.tiny import Tiny

if TYPE_CHECKING:
    from tests.conftest import World

#: As juv writes it: the block of PEP 723 in a cell of its own, hidden.
JUV = """\
# /// script
# requires-python = ">=3.9"
# dependencies = [
#     "rich",
# ]
# ///"""


def cell(code: str, kind: str = "code") -> dict[str, Any]:
    lines = code.splitlines(keepends=True)
    hidden = {"jupyter": {"source_hidden": True}}
    more: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": f"c{len(code)}", "metadata": hidden, "source": lines, **more}


def write(path: Path, *cells: str | dict[str, Any], **metadata: Any) -> Path:
    content = {
        "cells": [cell(each) if isinstance(each, str) else each for each in cells],
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content, indent=1))
    return path


# Reading -----------------------------------------------------------------------------------------------------------


def test_the_header_is_that_of_the_first_code_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", cell("# Title\n", "markdown"), JUV, "import rich\n")
    script = source.from_file(str(path))
    assert script.head == JUV.encode()
    assert script.place == f"{path} (cell 2)"


@pytest.mark.parametrize("code", [["a\n", "b"], "a\nb", [], None, 3, ["a\n", 3, "b"]], ids=repr)
def test_source_may_be_a_text_or_its_lines(code: object) -> None:
    parsed = notebook.parse(json.dumps({"cells": [{"cell_type": "code", "source": code}]}).encode(), "n.ipynb")
    assert parsed.code in (b"a\nb", b"")


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b"", "is not JSON", 1),
        (b'{"cells": [\n  oops', "is not JSON", 2),
        (b"{\xff}", "is not JSON", None),
        (b"[" * 100_000, "is not JSON", None),
        (b"[]", "has no cells", None),
        (b'{"cells": {}}', "has no cells", None),
        (b'{"worksheets": []}', "of an old format", None),
        (b'{"cells": []}', "has no code cell", None),
        (b'{"cells": [3, {"cell_type": "markdown"}]}', "has no code cell", None),
    ],
    ids=["empty", "cut off", "bytes", "deep", "list", "mapping", "old", "no cells", "no code"],
)
def test_what_is_no_notebook_says_why(data: bytes, message: str, line: int | None) -> None:
    with pytest.raises(HeaderError, match=message) as caught:
        notebook.parse(data, "n.ipynb")
    assert caught.value.where[0].line == line


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text(max_size=5), st.lists, max_leaves=5).map(
    lambda value: json.dumps({"cells": value, "metadata": value}).encode()
))  # fmt: skip
def test_reading_never_raises_anything_else(data: bytes) -> None:
    try:
        notebook.parse(data, "n.ipynb")
    except HeaderError:
        pass


# Choosing what runs it ---------------------------------------------------------------------------------------------


@pytest.fixture
def prefix(tmp_path: Path) -> Callable[..., str]:
    def make(*programs: str, kernels: tuple[str, ...] = ()) -> str:
        (tmp_path / "bin").mkdir(exist_ok=True)
        for name in programs:
            (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
            (tmp_path / "bin" / name).chmod(0o755)
        for name in kernels:
            folder = tmp_path / "share" / "jupyter" / "kernels" / name
            folder.mkdir(parents=True)
            (folder / "kernel.json").write_text("{}")
        return str(tmp_path)

    return make


def _of(kernel: str = "python3", language: str = "python") -> notebook.Notebook:
    return notebook.Notebook(b"", 1, kernel, language)


def test_the_notebooks_own_kernel_is_taken_where_the_environment_has_it(prefix: Callable[..., str]) -> None:
    place = prefix("jupyter-execute", kernels=("python3", "mine"))
    assert notebook.command(_of("mine"), "n", place) == ("jupyter-execute", "--kernel_name=mine")


@pytest.mark.parametrize("name", ["theirs", "../../../kernels/python3", "", "."])
def test_a_kernel_of_somebody_elses_environment_is_replaced(name: str, prefix: Callable[..., str]) -> None:
    place = prefix("jupyter-execute", "jupyter-nbconvert", kernels=("python3",))
    assert notebook.command(_of(name), "n", place) == ("jupyter-execute", "--kernel_name=python3")


def test_nbconvert_writes_the_outputs_to_standard_output(prefix: Callable[..., str]) -> None:
    words = notebook.command(_of("ir", "r"), "n", prefix("jupyter-nbconvert", kernels=("ir",)))
    assert words[:4] == ("jupyter-nbconvert", "--to", "notebook", "--stdout")
    assert words[-1] == "--ExecutePreprocessor.kernel_name=ir"


@pytest.mark.parametrize(
    ("programs", "language", "hint"),
    [
        ((), "python", "`nbclient`"),
        (("jupyter-execute",), "python", "`ipykernel`"),
        (("jupyter-execute",), "r", "`r-irkernel`"),
        (("jupyter-execute",), "julia", "kernel 'python3'"),
    ],
    ids=["nothing", "python", "r", "other"],
)
def test_what_is_missing_is_named(
    programs: tuple[str, ...], language: str, hint: str, prefix: Callable[..., str]
) -> None:
    with pytest.raises(NotFoundError) as caught:
        notebook.command(_of(language=language), "n.ipynb", prefix(*programs))
    assert hint in (caught.value.hint or "")


# The program -------------------------------------------------------------------------------------------------------

TOOL = b'#!/bin/sh\necho "$0" | sed "s|.*/||"\nprintf "<%s>" "$@"\necho " $JUPYTER_PREFER_ENV_PATH"\n'


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A channel with a stand-in for nbclient, which says how it was called, and a kernel."""
    kernel = {"share/jupyter/kernels/python3/kernel.json": b"{}"}
    return tiny.channel(
        tmp_path / "tools", Tiny("nbclient", files={"bin/jupyter-execute": TOOL}), Tiny("ipykernel", files=kernel)
    ).as_uri()


def header(channel: str, *specs: str) -> str:
    return "\n".join(["# conda execute", f"# channels: ['{channel}']", "# env:", *(f"#  - {spec}" for spec in specs)])


def test_a_notebook_is_run_by_its_environments_tools(world: World, tools: str) -> None:
    path = write(world.work / "n.ipynb", header(tools, "nbclient", "ipykernel"), "1 + 1")
    for _ in range(2):
        done = world.execute(path.name, "--inplace", check=True)
        assert done.stdout == "jupyter-execute\n<--kernel_name=python3><n.ipynb><--inplace> 1\n"
    assert len(world.prefixes()) == 1


def test_run_with_decides_for_notebooks_too(world: World, tools: str) -> None:
    path = write(world.work / "n.ipynb", header(tools, "nbclient") + "\n# run_with: echo papermill")
    assert world.execute(path.name, check=True).stdout == "papermill n.ipynb\n"


def test_a_missing_tool_is_named(world: World, tools: str) -> None:
    done = world.execute(write(world.work / "n.ipynb", header(tools, "ipykernel")))
    assert done.returncode == 127
    assert "hint: add `nbclient` to the header" in done.stderr


def test_an_error_is_located_in_the_cell(world: World) -> None:
    path = write(world.work / "n.ipynb", cell("text", "markdown"), "# conda execute\n# env: numpy\n")
    done = world.execute(path.name)
    assert done.returncode == 125
    assert "  n.ipynb (cell 2):2:8\n  2 | # env: numpy\n" in done.stderr


def test_a_notebook_without_a_header_is_told_what_one_looks_like(world: World) -> None:
    done = world.execute(write(world.work / "n.ipynb", "import numpy\n"))
    assert done.returncode == 125
    assert "the notebook's first code cell has no header" in done.stderr
    assert "#  - ipykernel" in done.stderr


@pytest.mark.parametrize("words", [["--add", "six"], ["--init"], ["--lock", "--embed"]], ids=" ".join)
def test_a_notebook_is_never_edited_as_if_it_were_text(words: list[str], world: World, tools: str) -> None:
    path = write(world.work / "n.ipynb", header(tools, "nbclient"))
    before = path.read_bytes()
    done = world.execute(*words, path.name)
    assert (done.returncode, path.read_bytes()) == (125, before)
    assert "notebook" in done.stderr


def test_a_notebook_of_juv_runs_for_real(world: World) -> None:
    """nbclient and ipykernel from PyPI, although the user has a kernel of the same name that is somebody else's."""
    theirs = world.home / ".local" / "share" / "jupyter" / "kernels" / "python3"
    theirs.mkdir(parents=True)
    wrong = {"argv": ["/bin/false", "{connection_file}"], "display_name": "wrong", "language": "python"}
    (theirs / "kernel.json").write_text(json.dumps(wrong))
    block = JUV.replace('"rich",', '"nbclient", "ipykernel",')
    code = "import pathlib, sys\npathlib.Path('prefix').write_text(sys.prefix)\n"
    theirs_too = {"name": "my-old-env", "language": "python", "display_name": "my-old-env"}
    path = write(world.work / "n.ipynb", block, code, kernelspec=theirs_too)
    world.execute(path.name, check=True)
    assert (world.work / "prefix").read_text() == str(world.prefixes()[0])
    failing = write(world.work / "f.ipynb", block, "raise ValueError('seen')", kernelspec=theirs_too)
    done = world.execute(failing.name)
    assert done.returncode != 0
    assert re.search(r"ValueError\S*: seen", done.stderr)
