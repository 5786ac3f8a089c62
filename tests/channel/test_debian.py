"""Laws of fetched programs: they run as they are, and what cannot be had holds up nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.channel import debian
from tests.channel.build import default_destination
from tests.launching import SHELLS


@pytest.mark.parametrize("shell", ["busybox", "zsh"])
def test_shell_that_a_machine_lacks_runs_where_it_was_unpacked(shell: str) -> None:
    program = debian.program(*SHELLS[shell], default_destination() / "downloads")
    if program is None:
        pytest.skip("no package archive of Debian can be reached")
    words: list[str | Path] = [program, *(["sh"] if shell == "busybox" else []), "-c", "echo $((6 * 7))"]
    assert subprocess.run(words, capture_output=True, check=True).stdout == b"42\n"


def test_package_that_cannot_be_had_is_asked_for_once_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without_apt:
        without_apt.setenv("PATH", str(tmp_path))
        assert debian.program("busybox-static", "bin/busybox", tmp_path) is None
    assert debian.program("busybox-static", "bin/busybox", tmp_path) is None
    assert not list(tmp_path.glob("*.deb"))
