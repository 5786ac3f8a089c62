"""Laws of credentials in URLs."""

from __future__ import annotations

import pytest

from conda_execute import credentials
from conda_execute.errors import ExecuteError, Location
from conda_execute.terminal.errors import render
from conda_execute.terminal.messages import failure


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("see https://me:secret@host.example/c/noarch", "see https://host.example/c/noarch"),
        ("https://host.example/t/to-12-secret/c/noarch", "https://host.example/c/noarch"),
        ("https://host.example/c/noarch", "https://host.example/c/noarch"),
    ],
    ids=["password", "token", "none"],
)
def test_credentials_are_left_out(text: str, clean: str) -> None:
    assert credentials.leave_out(text) == clean


def test_an_error_keeps_its_carets_and_shows_no_password() -> None:
    """Neither for a person nor for a program."""
    line = "#  - lib @ https://me:secret@host.example/lib.whl"
    error = ExecuteError("`https://me:secret@host.example/t/x` is wrong", where=Location("s.py", 3, 6, 3, line))
    assert render(error) == (
        "error: `https://*********@host.example/t/x` is wrong\n"
        "  s.py:3:6\n"
        "  3 | #  - lib @ https://*********@host.example/lib.whl\n"
        "           ^^^"
    )
    said = failure(error)
    assert said["error"] == "`https://*********@host.example/t/x` is wrong"
    assert said["where"][0]["text"] == "#  - lib @ https://*********@host.example/lib.whl"


def test_what_is_no_credential_is_shown() -> None:
    for text in ("git+ssh://git@host.example/lib", "/srv/t/me@host/s.py", "https://host.example/@scope/lib"):
        assert credentials.hide_in_any(text) == text
