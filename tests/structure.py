"""The structure of the package in figures: `python -m tests.structure [REVISION ...]` prints a column for each.

Without a revision, the working tree alone. A room is the first name below the package, a module or a package; an arrow
is an import from one room by another, anywhere in it; floors count the longest chain of arrows, a circle being one.

With a revision there is a second table: the lines and statements of modules that are all of one feature which version
1.0 did not have, and of all other modules. What such a feature added to the others is counted with them.
"""

from __future__ import annotations

import ast
import functools
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "conda_execute"

#: What 1.0 (c37f5c0) did not have and now has modules of its own, and these: folders end in a slash.
FEATURES = {
    "sandbox": ("launch/sandbox/",),
    "audit, bills of materials": (
        *("audit.py", "cli/tmpenv/audit.py", "lockfiles/bill.py", "engines/inventory.py", "specs/license.py"),
    ),
    "conda and PyPI together": ("engines/pypi/joint.py", "engines/pypi/offer.py"),
    "wheels of conda channels": ("engines/pypi/channel_wheels.py", "engines/rattler/unsharded.py"),
    "older py-rattler": ("engines/rattler/bridge.py",),
    "damage in caches, --verify": (
        *("engines/verify.py", "engines/rattler/cached.py", "engines/rattler/incoming.py", "engines/pypi/cached.py"),
    ),
    "servers that say nothing": ("engines/rattler/silence.py",),
    "redrawn progress": ("terminal/live.py",),
    "a site's policy": ("engines/policy.py",),
    "Python interface": ("interface.py",),
    "-x COMMAND": ("script/command.py",),
    "other runners": ("script/runner.py",),
    "what else makes one new": ("script/history.py", "script/local_package.py", "environments/renewal.py"),
    "--outdated, --trusted, caches": ("cli/outdated.py", "cli/trusted.py", "cli/tmpenv/caches.py"),
    "slips of pip and npm users": ("specs/mistakes.py", "cli/habits.py"),
    "signals, limits, power cuts": ("interrupts.py", "limits.py", "durable.py"),
    "what others can change": ("ownership.py",),
    "shared disks' boots": ("environments/machine.py",),
    "loops": ("launch/loops.py",),
}

#: A module: its room, its syntax tree, and the names of the packages that it is in, with its own.
Module = tuple[str, ast.Module, list[str]]


@functools.cache
def modules(package: Path = PACKAGE) -> tuple[Module, ...]:
    """Each module of the package; the package's own `__init__` is the room `__init__`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found.append((parts[0], ast.parse(path.read_text(encoding="utf-8"), str(path)), list(parts)))
    return tuple(found)


def imports(tree: ast.Module, package: list[str]) -> Iterator[str]:
    """Rooms that a module imports from, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            yield from base[:1] or [alias.name for alias in node.names if not alias.name.startswith("__")]


def arrows(package: Path = PACKAGE) -> set[tuple[str, str]]:
    """Which room imports from which, the package's own face left out."""
    return {
        (room, other)
        for room, tree, names in modules(package)
        for other in imports(tree, names[:-1])
        if room not in ("__init__", other)
    }


def floors(pairs: set[tuple[str, str]]) -> int:
    """The length of the longest chain of arrows, rooms of one circle counted once."""
    graph: dict[str, set[str]] = {}
    for room, other in pairs:
        graph.setdefault(room, set()).add(other)
        graph.setdefault(other, set())
    below = {room: reachable(graph, room) for room in graph}
    circle = {
        room: frozenset(other for other in graph if other in below[room] and room in below[other]) for room in graph
    }
    depth: dict[str, int] = {}

    def deep(room: str) -> int:
        if room not in depth:
            members = circle[room] | {room}
            lower = {other for member in members for other in graph[member]} - members
            depth[room] = 1 + max(map(deep, lower), default=0)
        return depth[room]

    return max(map(deep, graph), default=0)


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """What arrows lead to from there; the start itself only in a circle."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for other in graph[todo.pop()] - found:
            found.add(other)
            todo.append(other)
    return found


def figures(package: Path) -> dict[str, str]:
    """What is counted, in the order in which it is printed."""
    trees = modules(package)
    functions = [
        node
        for _, tree, _ in trees
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    longest = max(functions, key=_length)
    widest = max(functions, key=_parameters)
    top = {room for room, _, _ in trees} - {"__init__", "__main__"}
    return {
        "names at the top level": str(len(top)),
        "modules": str(len(trees)),
        "floors": str(floors(arrows(package))),
        "arrows between rooms": str(len(arrows(package))),
        "lines of Python": str(sum(lines for _, lines, _ in sizes(package))),
        "statements": str(sum(statements for _, _, statements in sizes(package))),
        "functions": str(len(functions)),
        "longest function": f"{_length(longest)} ({longest.name})",
        "most parameters": f"{_parameters(widest)} ({widest.name})",
        "lines of the launcher": str(len(next(package.rglob("conda-execute")).read_bytes().splitlines())),
    }


def sizes(package: Path) -> Iterator[tuple[str, int, int]]:
    """Each module's path, lines and statements."""
    for path in sorted(package.rglob("*.py")):
        text = path.read_bytes()
        statements = sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(text)))
        yield path.relative_to(package).as_posix(), len(text.splitlines()), statements


def by_feature(package: Path) -> dict[str, str]:
    """Lines and statements of the modules of each feature, and of all that are of none."""
    counts = {feature: [0, 0] for feature in (*FEATURES, "all other modules")}
    for path, lines, statements in sizes(package):
        whose = (feature for feature, parts in FEATURES.items() if any(_is_in(path, part) for part in parts))
        counted = counts[next(whose, "all other modules")]
        counted[0] += lines
        counted[1] += statements
    return {feature: f"{lines} / {statements}" if lines else "-" for feature, (lines, statements) in counts.items()}


def _is_in(path: str, part: str) -> bool:
    return path.startswith(part) if part.endswith("/") else path == part


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return sum(one.arg not in ("self", "cls") for one in given)


def at(revision: str) -> tuple[dict[str, str], dict[str, str]]:
    """Both tables' figures of the package as of a revision of git."""
    archive = subprocess.run(
        ["git", "archive", revision, PACKAGE.name], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        package = Path(folder, PACKAGE.name)
        return figures(package), by_feature(package)


def main(revisions: list[str]) -> None:
    columns = {revision: at(revision) for revision in revisions} | {
        "working tree": (figures(PACKAGE), by_feature(PACKAGE))
    }
    for table in range(2 if revisions else 1):
        print(f"{'':30}" + "".join(f"{title[:26]:>28}" for title in columns))
        for row in columns["working tree"][table]:
            print(f"{row:30}" + "".join(f"{column[table][row]:>28}" for column in columns.values()))
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
