"""Notebooks as scripts: the header is in the first code cell, and jupyter's own tools run the notebook.

The cell has one of the headers that a script may have; juv writes PEP 723. The notebook is not changed: `jupyter
execute` runs it, `--inplace` after the notebook keeps the outputs, and if the environment only has nbconvert, the
notebook with its outputs goes to standard output.

The kernel is the environment's own. A notebook names the one that it was last opened with, which may be unknown here,
or worse, known, but of another environment.
"""

from __future__ import annotations

import os
import re

from ..errors import HeaderError, Location, NotFoundError
from ..lean.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from json import JSONDecodeError
    from typing import Any

#: Bytes. Outputs may be large, but nobody can work with a notebook larger than this.
LARGEST = 256 * 1024 * 1024

_SAVED = "give the file that Jupyter saved; a Python script has a name in `.py`"

#: The package with the kernel for a language.
_KERNELS = {"python": "ipykernel", "r": "r-irkernel"}


@dataclass(frozen=True)
class Notebook:
    """The parts of a notebook that matter for running it."""

    #: The text of the first code cell, and which cell that is, counted from 1.
    code: bytes
    cell: int
    #: The kernel that it was last opened with, and its language in lower case.
    kernel: str = "python3"
    language: str = "python"

    @property
    def variables(self) -> tuple[tuple[str, str], ...]:
        """Variables without which jupyter may search kernels in the user's directory before the environment's."""
        return (("JUPYTER_PREFER_ENV_PATH", "1"),)


def parse(data: bytes, path: str) -> Notebook:
    """Parse a notebook. Raises HeaderError if the text is not a notebook, or has no code."""
    content = _content(data, path)
    cells = content.get("cells")
    if not isinstance(cells, list):
        old = isinstance(content.get("worksheets"), list)
        raise HeaderError(
            f"`{path}` is a notebook of an old format" if old else f"`{path}` is not a notebook: it has no cells",
            where=Location(path),
            hint="`jupyter nbconvert --to notebook --inplace` brings it up to date" if old else None,
        )
    metadata = _mapping(content.get("metadata"))
    kernel, language = _mapping(metadata.get("kernelspec")), _mapping(metadata.get("language_info"))
    for number, cell in enumerate(cells, 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            return Notebook(
                _text(cell.get("source")).encode("utf-8", "replace"),
                number,
                str(kernel.get("name") or "python3"),
                str(kernel.get("language") or language.get("name") or "python").lower(),
            )
    raise HeaderError(f"`{path}` has no code cell", where=Location(path), hint=_hint())


def _content(data: bytes, path: str) -> Mapping[str, Any]:
    import json

    if len(data) > LARGEST:
        raise HeaderError(f"`{path}` is larger than {LARGEST >> 20} MiB", where=Location(path))
    try:
        content = json.loads(data)
    except json.JSONDecodeError as error:
        line = error.doc.split("\n")[error.lineno - 1]
        where = Location(path, error.lineno, error.colno, 1, line)
        hint = "it ends too early: get it again, or restore an older version" if _is_cut(error) else _SAVED
        raise HeaderError(f"`{path}` is not a notebook: it is not JSON", where=where, hint=hint) from None
    except (UnicodeDecodeError, RecursionError):
        where = Location(path)
        raise HeaderError(f"`{path}` is not a notebook: it is not JSON", where=where, hint=_SAVED) from None
    return _mapping(content)


def _is_cut(error: JSONDecodeError) -> bool:
    """Whether the file ends where JSON goes on."""
    return error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(source: object) -> str:
    """A cell's source is one text, or a list of its lines."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def no_header(place: str) -> HeaderError:
    """The error for a notebook whose first code cell has no header."""
    return HeaderError("the notebook's first code cell has no header", where=Location(place), hint=_hint())


def _hint() -> str:
    lines = ("# conda execute", "# env:", "#  - python >=3", "#  - nbclient", "#  - ipykernel")
    return "write in the first code cell what the notebook needs:\n" + "\n".join(lines)


def command(notebook: Notebook, title: str, prefix: str) -> tuple[str, ...]:
    """The words that run the notebook in this environment. Raises NotFoundError that says what to add to it."""
    paths = {name: os.path.join(prefix, "bin", name) for name in ("jupyter-execute", "jupyter-nbconvert")}
    programs = [name for name, path in paths.items() if os.access(path, os.X_OK)]
    if not programs:
        raise NotFoundError(
            f"nothing in the environment of `{title}` runs notebooks",
            hint="add `nbclient` to the header, which brings `jupyter execute`",
        )
    kernel = _kernel(notebook, title, prefix)
    if programs[0] == "jupyter-execute":
        return (programs[0], f"--kernel_name={kernel}")
    execute = ("--execute", f"--ExecutePreprocessor.kernel_name={kernel}")
    return (programs[0], "--to", "notebook", "--stdout", "--log-level=WARN", *execute)


def _kernel(notebook: Notebook, title: str, prefix: str) -> str:
    """The notebook's kernel if the environment has it, else the usual one of its language."""
    folder = os.path.join(prefix, "share", "jupyter", "kernels")
    usual = {"python": "python3", "r": "ir"}.get(notebook.language)
    for name in (notebook.kernel, usual):
        known = name is not None and re.fullmatch(r"[\w.-]+", name, re.ASCII)
        if name and known and os.path.isfile(os.path.join(folder, name, "kernel.json")):
            return name
    package = _KERNELS.get(notebook.language)
    raise NotFoundError(
        f"the environment of `{title}` has no kernel for {notebook.language!a}",
        hint=f"add `{package}` to the header" if package else f"add what brings the kernel {notebook.kernel!a}",
    )
