"""Each promise of the page about trust has its test; each file that decides what runs says who is asked about it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "explanation" / "security.md"


def rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1:]]


def named_in(cell: str) -> list[str]:
    """The tests that a cell names, as `file.py` and then `function` or `Class`, below `tests/`."""
    found, file = [], ""
    for word in re.findall(r"`([^`]+)`", cell):
        if word.endswith(".py"):
            file = word
        elif word.startswith(("test_", "Test")):
            found.append(f"{file}::{word}")
    return found


def defined(file: str) -> set[str]:
    """The tests of a file, and its classes that have some."""
    found = set()
    for node in ast.walk(ast.parse((CHECKOUT / "tests" / file).read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def test_each_promise_names_tests_that_exist() -> None:
    promises = rows("What is promised")
    assert len(promises) >= 15
    for promise, cell in promises:
        named = named_in(cell)
        assert named, promise
        for test in named:
            file, _, name = test.partition("::")
            assert name in defined(file), f"{promise}: {test}"


def test_each_file_that_decides_names_its_rule_and_a_test() -> None:
    for what, asked, *rest in rows("Whose is it?"):
        assert asked.startswith(("yes", "no")), what
        assert asked.startswith("no") or named_in(rest[-1]), what
        for test in named_in(rest[-1]):
            file, _, name = test.partition("::")
            assert name in defined(file), f"{what}: {test}"
