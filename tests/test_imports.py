"""The rooms hold: imports go down only, and a warm run imports only what it needs."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import World
from tests.structure import PACKAGE, arrows, modules, reachable

#: Floors from the top down. A module or package may import what is on a lower floor, lazily too, or its own package.
FLOORS = (
    {"__main__", "plugin"},
    {"cli", "interface"},
    {"plan", "recipe"},
    {"lockfiles", "conda_plugin", "resolve", "housekeeping", "audit"},
    {"engines"},
    {"script", "launch", "terminal", "options"},
    {"environments", "configuration"},
    {"specs"},
    {
        "model",
        "errors",
        "files",
        "durable",
        "ownership",
        "cache",
        "text",
        "credentials",
        "interrupts",
        "limits",
        "lean",
    },
)
#: Arrows within a floor.
NEIGHBOURS = {
    ("plan", "recipe"),
    ("model", "errors"),
    ("files", "errors"),
    ("files", "durable"),
    ("ownership", "errors"),
    ("ownership", "files"),
    ("cache", "ownership"),
    ("model", "lean"),
    ("errors", "credentials"),
    ("text", "credentials"),
    ("errors", "lean"),
    ("interrupts", "lean"),
    ("limits", "errors"),
    ("cache", "lean"),
    ("cache", "files"),
    ("cache", "errors"),
}


def test_no_two_classes_share_a_name() -> None:
    """But for a protocol, which is called as what implements it."""
    names = [
        node.name
        for _, tree, _ in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if not any("Protocol" in ast.unparse(base) for base in node.bases)
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []


#: Third-party packages, and the rooms that may import them.
HOMES = {
    "filelock": {"environments"},
    "psutil": {"environments", "housekeeping"},
    "urllib3": {"script"},
    "packaging": {"specs"},
    "yaml": {"specs", "script", "configuration", "lockfiles"},
    "rattler": {"engines", "lockfiles"},
    "conda": {"plugin", "conda_plugin", "engines"},
}


@functools.cache
def outside() -> frozenset[tuple[str, str]]:
    """Rooms, and the packages of others that they import."""
    found = set()
    for room, tree, _ in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {(room, alias.name.split(".")[0]) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add((room, node.module.split(".")[0]))
    return frozenset(found)


FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def test_each_module_is_in_a_room_of_the_plan() -> None:
    assert {room for room, _, _ in modules()} - {"__init__"} == set(FLOOR)


def test_the_map_has_each_room_on_its_floor() -> None:
    page = (PACKAGE.parent / "docs" / "explanation" / "code.md").read_text(encoding="utf-8")
    on_page: list[set[str]] = []
    for floor, rooms in re.findall(r"(?m)^\| (\d?) *\| (`[^|]+) \|", page):
        if floor:
            on_page.append(set())
        on_page[-1].update(re.findall(r"`(\w+)`", rooms))
    assert on_page == list(FLOORS)


@pytest.mark.parametrize(("room", "other"), sorted(arrows()))
def test_imports_go_down(room: str, other: str) -> None:
    assert FLOOR[room] < FLOOR[other] or (room, other) in NEIGHBOURS


def test_no_module_needs_itself() -> None:
    """Not by way of others either: what two need is in a third. Packages' own modules, which hand on, are left out."""
    names = {".".join(parts) for _, _, parts in modules()}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for _, tree, parts in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = [*parts[: len(parts) - node.level], *(node.module or "").split(".")]
                start = ".".join(filter(None, base))
                graph[".".join(parts)] |= {
                    start,
                    *(f"{start}.{alias.name}".lstrip(".") for alias in node.names),
                } & names
    assert {name for name in names if name in reachable(graph, name)} == set()


@pytest.mark.parametrize("package", sorted(HOMES))
def test_third_party_package_has_its_home(package: str) -> None:
    assert {room for room, other in outside() if other == package} <= HOMES[package]


#: Modules that cost milliseconds and that nothing needs which only finds an environment and becomes a program.
HEAVY = {
    "argparse", "asyncio", "concurrent.futures", "dataclasses", "difflib", "email", "filelock", "hashlib",
    "importlib", "importlib.metadata", "inspect", "locale", "logging", "multiprocessing", "packaging", "pathlib",
    "platform", "psutil", "rattler",
    "shlex", "shutil", "socket", "ssl", "subprocess", "tempfile", "tomlkit", "typing", "unittest", "urllib.request",
    "uuid", "yaml",
}  # fmt: skip

#: What tomli imports, where it is compiled.
COMPILED_TOMLI = {"importlib"}

#: For each kind of header: a script, and what a warm run of it imports none of.
SCRIPTS = {
    "native": ("# conda execute\n# env:\n#  - python\n# run_with: python\n", HEAVY | {"tomli"}),
    "pep 723": ("# /// script\n# [tool.conda]\n# dependencies = ['python']\n# ///\n", HEAVY - COMPILED_TOMLI),
    "conda-script": (
        """\
# /// conda-script
# channels = ['conda-forge']
# entrypoint = 'python ${SCRIPT}'
# dependencies.python = '*'
# /// end-conda-script
""",
        HEAVY - COMPILED_TOMLI,
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
    text, never = SCRIPTS[kind]
    script = world.script("x.py", text + "\nprint('run')\n")
    world.execute(script, check=True)
    imported = imported_by(world, "conda-execute-py", script)
    assert imported & never == set()
    assert "conda_execute.environments.ensure" in imported


#: Modules that a warm run imports for nothing, where the script does not ask for what they know.
IDLE = (
    "environments.machine", "launch.entrypoint", "launch.shell", "launch.sourcing", "lockfiles.choice",
    "lockfiles.lockfile", "script.history", "script.runner", "script.specfile", "specs.requirement",
)  # fmt: skip


def test_warm_run_through_python_compiles_and_imports_what_it_uses(world: World) -> None:
    """A module costs 0.1 ms and a pattern as much, so what is for some scripts alone is left to them."""
    script = world.script("x.py", SCRIPTS["native"][0])
    world.execute(script, check=True)
    imported = imported_by(world, "conda-execute-py", script)
    assert imported & {f"conda_execute.{name}" for name in IDLE} == set()
    assert compiled_when_imported(imported) <= {"match_spec"}
    assert imported & {"datetime", "signal"} == set()


def compiled_when_imported(names: set[str]) -> set[str]:
    """The modules of ours among these that compile a pattern as they are imported."""
    return {
        parts[-1]
        for _, tree, parts in modules()
        if ".".join(("conda_execute", *parts)) in names and any(map(compiles, tree.body))
    }


def compiles(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile" for node in ast.walk(statement)
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["name", "python"]], ids=" ".join)
def test_question_to_tmpenv_imports_no_engine(world: World, words: list[str]) -> None:
    heavy = {
        "rattler", "psutil", "filelock", "asyncio", "ssl", "urllib.request", "importlib.metadata", "tomlkit",
        "dataclasses", "inspect",
    }  # fmt: skip
    assert imported_by(world, "conda-execute-py", "--tmpenv", *words) & heavy == set()
