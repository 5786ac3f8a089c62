"""How `make bench` measures."""

from __future__ import annotations

import os
import sys

from benchmarks import timing


def test_commands_are_compared_in_turns_and_none_where_there_is_none() -> None:
    command = [sys.executable, "-S", "-c", "pass"]
    turns: list[str] = []
    found = timing.compare({"one": command, "two": command}, os.environ, 3, turns.append)
    assert turns == ["one", "two", "two", "one", "one", "two"]
    assert {name: len(times.values) for name, times in found.items()} == {"one": 3, "two": 3}
    assert timing.compare({}, os.environ, 3) == {}


def test_a_piece_of_work_is_measured_without_what_prepares_it() -> None:
    turns: list[str] = []

    def prepare() -> str:
        turns.append("prepared")
        return "given"

    found = timing.inside(2, prepare, turns.append)
    assert turns == ["prepared", "given"] * 2
    assert len(found.values) == len(found.processor) == 2
