"""What a first run over a slow network shows, in a real terminal and in a pipe: `python -m tests.screens` prints it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests import screens

pytestmark = [pytest.mark.stress, pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    screens.fill(folder / "served")
    return folder


@pytest.mark.parametrize("columns", screens.WIDTHS)
def test_each_phase_has_one_line_that_fits_and_leaves_nothing(served: Path, columns: int) -> None:
    seen = screens.shown(served, columns)
    text = "\n".join(seen)
    for phase in (
        r"reading the package index.*, [\d.]+ MB",
        r"downloading [\d.]+ of 12.0 MB",
        "running the link script of slow-link",
        r"downloading from PyPI [\d.]+ of 6.0 MB",
    ):
        assert re.search(phase, text), phase
    assert [screen for screen in seen[:-2] if screen.count("\n")] == []
    assert seen[-1] == "trained\n[status 0]"


def test_a_pipe_has_a_line_at_the_beginning_and_one_at_the_end(served: Path) -> None:
    said = [re.sub(r"^[\d. ]*s  ", "", line) for line in screens.logged(served)]
    assert said[-2] == "conda-execute: creating environment for train.py: 2 packages, 12.0 MB to download"
    assert re.fullmatch(r"conda-execute: created in \d+ s", said[-1])
    assert said[:-2] in ([], ["conda-execute: solving for train.py"])


@pytest.mark.parametrize(("place", "host"), [("repodata.json", "127"), ("python-3", "127"), (".whl", "PyPI")])
def test_a_server_that_says_nothing_is_named(served: Path, place: str, host: str) -> None:
    for said in (screens.logged(served, "", place), screens.shown(served, 80, "", place)):
        assert f"no data from {host}" in "\n".join(said)
