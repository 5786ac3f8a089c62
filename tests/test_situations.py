"""The table of situations names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROWS = re.findall(r"^\| (.+?) \| .+? \| `(\w+\.py)::(\w+)` \|$", (HERE / "situations.md").read_text(), re.MULTILINE)


def test_every_row_of_the_table_is_read() -> None:
    lines = [line for line in (HERE / "situations.md").read_text().splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(lines) - 1 >= 60


@pytest.mark.parametrize(("situation", "file", "name"), ROWS, ids=[row[0] for row in ROWS])
def test_each_situation_has_its_test(situation: str, file: str, name: str) -> None:
    assert re.search(rf"^\s*def {name}\(", (HERE / file).read_text(), re.MULTILINE), situation
