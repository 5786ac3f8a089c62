"""The samples in docstrings hold."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import conda_execute

PACKAGE = Path(conda_execute.__file__).parent
WITH_SAMPLES = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_SAMPLES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_samples_in_docstrings_hold(path: Path) -> None:
    module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
