"""`exclude-newer`: what is written, and the moment that it means."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.errors import ExecuteError, HeaderError, Location
from conda_execute.script.header import fields, read_header
from conda_execute.specs.moment import cutoff

NOW = datetime(2026, 3, 31, 12, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-05-01", "2024-05-01T23:59:59.999+00:00"),
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01T12:00:00", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01 12:00", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01t12:00:00.123456789+02:00", "2024-05-01T10:00:00+00:00"),
        ("7 days", "2026-03-24T10:00:00+00:00"),
        ("7d", "2026-03-24T10:00:00+00:00"),
        ("1 week", "2026-03-24T10:00:00+00:00"),
        ("1 week, 2 days ago", "2026-03-22T10:00:00+00:00"),
        ("36 hours", "2026-03-29T22:00:00+00:00"),
        ("90 minutes", "2026-03-31T08:30:00+00:00"),
        ("P1W2D", "2026-03-22T10:00:00+00:00"),
        ("999999 weeks", "1970-01-01T00:00:00+00:00"),
        ("PT36H", "2026-03-29T22:00:00+00:00"),
    ],
)
def test_the_moment_in_utc(written, meant):
    assert cutoff(written, NOW) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    "written",
    ["", "tomorrow", "2024-13-01", "2024-02-30", "7", "7 months", "P", "P7", "-7 days", "2024-05-01T25:00:00"],
)
def test_anything_else_is_an_error_that_shows_it(written):
    with pytest.raises(ExecuteError) as caught:
        cutoff(written, NOW)
    assert f"`{written}`" in caught.value.message


@given(st.text())
def test_no_text_raises_anything_but_our_error(text):
    try:
        assert cutoff(text, NOW).tzinfo is timezone.utc
    except ExecuteError:
        pass


FORMS = [
    *("2026-03-31", "2026-03-31T12:00", "2026-03-31 12:00:00", "2026-03-31T12:00:00Z", "2026-03-31T12:00:00+0200"),
    *("7 days", "90 minutes", "1 week 2 days", "1 week, 2 days ago", "24 HOURS", "30 seconds", "36h"),
    *("P7D", "PT30M", "p1w"),
]


@pytest.mark.parametrize("when", FORMS)
@pytest.mark.parametrize(
    "header",
    [
        "# conda execute\n# env: [a]\n# exclude-newer: {}\n",
        '# /// script\n# [tool.conda]\n# exclude-newer = "{}"\n# ///\n',
        '# /// script\n# [tool.pixi]\n# pypi-exclude-newer = "{}"\n# ///\n',
    ],
    ids=["native", "tool.conda", "tool.pixi"],
)
def test_a_header_takes_every_form_that_the_option_takes(header: str, when: str) -> None:
    """Nine of these fifteen were refused in a header."""
    read = read_header(header.format(when).encode(), "s.py", "linux-64")
    assert (read.exclude_newer or read.pypi_exclude_newer) == when
    cutoff(when, NOW)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_a_header_takes_nothing_that_the_option_refuses(text: str) -> None:
    try:
        when = fields.moment(fields.Value(text, Location("s.py", 1), "exclude-newer"))
    except HeaderError:
        return
    cutoff(when, NOW)
