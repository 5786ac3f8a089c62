"""Laws of credentials in URLs."""

from __future__ import annotations

import re

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
        "error: `https://*********@host.example/t/*` is wrong\n"
        "  s.py:3:6\n"
        "  3 | #  - lib @ https://*********@host.example/lib.whl\n"
        "           ^^^"
    )
    said = failure(error)
    assert said["error"] == "`https://*********@host.example/t/*` is wrong"
    assert said["where"][0]["text"] == "#  - lib @ https://*********@host.example/lib.whl"


def test_what_is_no_credential_is_shown() -> None:
    for text in (
        "git+ssh://git@host.example/lib",
        "/srv/t/me@host/s.py",
        "perl.project/t/basic.t",
        "https://host.example/@scope/lib",
        "https://host.example:8080/@scope/lib",
        "https://host.example/t/script.py?line=3",
    ):
        assert credentials.hide(text) == text
        assert not credentials.holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://me:p@ss@host.example/x",
        "https://me:pa/ss@host.example/x",
        "s3://me:pass@bucket/x",
        "conda.example/t/pass-12-ab/main",
        "channel_alias: conda.example:80/t/pass-12-ab",
        "['https://conda.example/t/pass']",
        "https://host.example/x?line=3&X-Amz-Signature=pass",
        "[https://me:pass@one.example/x,https://me:pass@two.example/y]",
    ],
)
def test_secrets_are_found_where_they_are(text: str) -> None:
    hidden = credentials.hide(text)
    assert len(hidden) == len(text)
    for shown in (hidden, credentials.leave_out(text), "".join(credentials.around(text))):
        assert "p" not in re.sub("https?|example", "", shown)
        assert "ss" not in shown


def test_what_was_separated_can_be_joined() -> None:
    for text in ("lib @ https://me:secret@host.example/t/tk-1/lib.whl?a=b&token=x", "https://host.example/x"):
        bare, secrets = credentials.separated(text)
        assert "secret" not in bare
        assert "tk-1" not in bare
        assert credentials.joined(bare, secrets) == text
    _, secrets = credentials.separated("https://host.example/t/tk-1/simple")
    assert credentials.joined("https://host.example/lib.whl", secrets) == "https://host.example/t/tk-1/lib.whl"
