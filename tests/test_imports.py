"""The picture of the modules holds: arrows point one way, and a warm run imports only what it needs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import World

PACKAGE = Path(__file__).parents[1] / "conda_execute"

#: What parses a command line, prints and exits.
DOORS = {"__main__", "execute", "instead", "upkeep", "tmpenv", "plugin", "doctor"}
#: What doors share among themselves.
OF_DOORS = {"run", "terminal", "options", "create", "table", "progress"}

#: All that these may import of the package, also within functions. What is not listed is free but for the doors.
ALLOWED = {
    "values": set(),
    "digest": set(),
    "platforms": set(),
    "progress": set(),
    "credentials": set(),
    "files": set(),
    "errors": {"credentials", "values"},
    "model": {"errors", "values"},
    "layout": {"digest"},
    "markers": {"errors", "model"},
    "key": {"digest", "model"},
    "condarc": {"credentials", "errors", "values"},
    "settings": {"condarc", "credentials", "errors", "values"},
    "channels": {"credentials", "errors", "model", "settings", "values"},
    "header": {"errors", "model", "values"},
    "activation": {"errors", "values"},
    "process": {"errors"},
    "sourcing": {"activation", "errors", "process"},
    "children": {"activation", "process"},
    "windows": {"activation", "children", "sourcing", "values"},
    "start": {
        "activation", "children", "errors", "files", "layout", "model", "process", "sourcing", "values", "windows",
    },
    "record": {
        "activation", "credentials", "errors", "files", "layout", "model", "process", "settings", "sourcing", "values",
    },
    "usage": {"errors", "layout", "markers", "model", "values"},
    "mutex": {"files", "usage"},
    "store": {"errors", "files", "layout", "markers", "model", "mutex"},
    "location": {"errors", "files", "layout", "store"},
    "hourly": {"errors", "files", "layout", "record", "store", "sweep", "usage"},
    "backend": {"credentials", "errors", "files", "key", "layout", "model", "mutex", "progress", "values"},
    "command": set(),
}  # fmt: skip

#: Third-party packages, and the modules that may import them.
HOMES = {
    "filelock": {"mutex"},
    "psutil": {"usage", "sweep", "hourly"},
    "yaml": {"header", "condarc", "lock"},
    "rattler": {"backend", "export", "lock", "network"},
    "conda": {"plugin", "script_spec", "backend"},
}  # fmt: skip


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Each module by its first name below the package (`header` for all of it), and its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield "" if parts == ("__init__",) else parts[0], ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module, depth: int) -> Iterator[str]:
    """First names below the package that a module imports, wherever it does. `depth`: 0 in the package itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == depth + 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.split(".")[0] for name in names if name != "__version__")


def depth_of(name: str) -> int:
    return 1 if (PACKAGE / name).is_dir() and name else 0


GRAPH: dict[str, set[str]] = {}
for _name, _tree in modules():
    GRAPH.setdefault(_name, set()).update(imports(_tree, depth_of(_name)))


@pytest.mark.parametrize("name", sorted(GRAPH.keys() - DOORS - {""}))
def test_no_core_module_imports_a_door(name: str) -> None:
    assert GRAPH[name] & DOORS == set()
    if name not in OF_DOORS:
        assert GRAPH[name] & {"terminal", "options", "create", "table"} == set()


@pytest.mark.parametrize("name", sorted(ALLOWED.keys() & GRAPH.keys()))
def test_module_imports_only_what_stands_below_it(name: str) -> None:
    assert GRAPH[name] - ALLOWED[name] - {name} == set()


@pytest.mark.parametrize("package", sorted(HOMES))
def test_third_party_package_has_its_home(package: str) -> None:
    for name, tree in modules():
        imported = {
            alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        imported |= {
            (node.module or "").split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and not node.level
        }
        assert package not in imported or name in HOMES[package], f"{name} imports {package}"


#: Modules that cost milliseconds and that nothing needs which only finds an environment and becomes a program.
HEAVY = {
    "argparse", "asyncio", "concurrent.futures", "dataclasses", "difflib", "email", "filelock", "hashlib",
    "importlib.metadata", "inspect", "locale", "logging", "multiprocessing", "pathlib", "platform", "psutil", "rattler",
    "shlex", "shutil", "socket", "ssl", "subprocess", "tempfile", "tomlkit", "typing", "unittest", "urllib.request",
    "uuid",
}  # fmt: skip

SCRIPTS = {
    "native": ("# conda execute\n# env:\n#  - python\n# run_with: python\n", {"tomli"}),
    "pep 723": ("# /// script\n# [tool.conda]\n# dependencies = ['python']\n# ///\n", set()),
    "conda-script": (
        """\
# /// conda-script
# channels = ['conda-forge']
# entrypoint = 'python ${SCRIPT}'
# dependencies.python = '*'
# /// end-conda-script
""",
        set(),
    ),
}


def imported_by(world: World, *argv: str | Path) -> set[str]:
    """What a run of our programs imports that a bare interpreter does not, as it says itself."""
    programs = Path(world.environ["PATH"].split(os.pathsep)[0])
    words = [sys.executable, "-X", "importtime", programs / argv[0], *argv[1:]]
    done = world.run([str(word) for word in words], check=True)
    return told(done.stderr) - bare()


def told(importtime: str) -> set[str]:
    return {line.rsplit("|", 1)[1].strip() for line in importtime.splitlines() if line.startswith("import time:")}


def bare() -> set[str]:
    words = [sys.executable, "-X", "importtime", "-c", "pass"]
    return told(subprocess.run(words, capture_output=True, text=True, check=True).stderr)


@pytest.mark.parametrize("kind", sorted(SCRIPTS))
def test_warm_run_through_python_imports_nothing_heavy(world: World, kind: str) -> None:
    text, more = SCRIPTS[kind]
    script = world.script("x.py", text + "\nprint('run')\n")
    world.execute(script, check=True)
    imported = imported_by(world, "conda-execute-py", script)
    assert imported & (HEAVY | more) == set()
    assert "conda_execute.prepare" in imported


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["name", "python"]], ids=" ".join)
def test_question_to_tmpenv_imports_no_engine(world: World, words: list[str]) -> None:
    heavy = {
        "rattler", "psutil", "filelock", "asyncio", "ssl", "urllib.request", "importlib.metadata", "tomlkit",
        "dataclasses", "inspect",
    }  # fmt: skip
    assert imported_by(world, "conda-tmpenv", *words) & heavy == set()
