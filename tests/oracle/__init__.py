"""conda as an oracle, and as the host of our plugin: where tests find one."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

WHY = "no conda here: install it beside pytest, or set CONDA_EXECUTE_TEST_CONDA_PYTHON to the interpreter of one"


def conda_python() -> str:
    """An interpreter that can import conda; skips the test where there is none.

    Hosted CI sets CONDA_EXECUTE_TEST_REQUIRE_CONDA: there a skip would be a failure that nobody sees.
    """
    named = os.environ.get("CONDA_EXECUTE_TEST_CONDA_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("conda") is not None:
        return sys.executable
    if os.environ.get("CONDA_EXECUTE_TEST_REQUIRE_CONDA"):
        pytest.fail(WHY, pytrace=False)
    pytest.skip(WHY)


def conda_program() -> str:
    """The program of that conda."""
    name = ("Scripts", "conda.exe") if sys.platform == "win32" else ("bin", "conda")
    python = conda_python()
    prefix = os.path.dirname(python) if sys.platform == "win32" else os.path.dirname(os.path.dirname(python))
    program = os.path.join(prefix, *name)
    if not os.access(program, os.X_OK):
        pytest.skip(f"that conda has no program: {program}")
    return program
