"""Failures of py-rattler as errors of ours: whatever they say, and without a secret in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.engines.rattler import explain
from conda_execute.errors import CreationError
from conda_execute.terminal.errors import render
from tests import tiny

REQUEST = tiny.request("numpy", channels={"mine": "https://host.example/mine", "other": "https://host.example/other"})


def nowhere(written: str) -> None:
    return None


#: Pieces of real messages, in any order and number.
WORDS = st.lists(
    st.sampled_from(
        ["\n", "Caused by: ", "└─ ", "numpy", " * ", "__cuda >=12, for which no candidates were found", "os error 28",
         "HTTP status client error (404 Not Found) for url (https://host.example/mine/x)", "failed to fetch a.conda",
         "hash mismatch when x: expected ab, got cd", "could not find subdir", "[", "(", "\\", "\0"]
    )
    | st.text(max_size=20)
).map("".join)  # fmt: skip


@given(WORDS)
def test_any_message_becomes_an_error_that_renders(text):
    errors = [
        explain.unsolvable(text, [("numpy", "numpy")], REQUEST, ["__glibc 2.36 0"], nowhere),
        explain.repodata_failed(text, REQUEST, False, "/cache", nowhere),
        explain.repodata_failed(text, REQUEST, True, "/cache", nowhere),
        explain.install_failed(
            text, REQUEST, {"a.conda": "https://host.example/mine/noarch/a.conda"}, "/cache", nowhere
        ),
        explain.undetected(text),
    ]
    for error in errors:
        assert isinstance(error, CreationError)
        assert render(error).startswith("error (")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host.example/mine/noarch/a.conda", "mine"),
        ("https://host.example/other", "other"),
        ("https://host.example/mine2/noarch/a.conda", None),
        (None, None),
    ],
)
def test_a_url_belongs_to_the_channel_above_it(url, name):
    found = explain.channel_of(url, REQUEST.channels)
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("numpi", "numpy"),
        ("py_yaml", "py-yaml"),
        ("yaml", "pyyaml"),
        ("ggplot2", "r-ggplot2"),
        ("python-dateutils", "python-dateutil"),
    ],
)
def test_what_someone_may_have_meant_comes_first(written, meant):
    names = ["numpy", "py-yaml", "pyyaml", "r-ggplot2", "python-dateutil", "zlib", "numexpr"]
    assert explain.near(written, names)[0] == meant


def test_nothing_is_suggested_for_what_is_like_nothing():
    assert explain.near("qqqqqq", ["numpy", "zlib"]) == []


def test_a_long_explanation_is_cut():
    tree = "\n".join(f"├─ package-{number} cannot be installed" for number in range(500))
    assert len(explain.tidy(tree).splitlines()) < 50
    assert explain.tidy(tree).endswith("460 more lines")


@pytest.mark.parametrize("between", [" ", " and ", " & "])
def test_versions_that_no_comma_parts_are_written_with_one(between):
    error = explain.missing_versions(f"numpy >=1{between}<2", "numpy", ["1.5"], REQUEST, nowhere)
    assert error.hint == "did you mean `numpy >=1,<2`? A comma separates versions\nthere is numpy 1.5"


def test_too_few_open_files_are_told_how_to_be_more():
    text = "failed to fetch a.conda\n\nCaused by:\n    Too many open files (os error 24)"
    for error in (
        explain.install_failed(text, REQUEST, {}, "/cache", nowhere),
        explain.repodata_failed(text, REQUEST, False, "/cache", nowhere),
    ):
        assert "`ulimit -n`" in (error.hint or "")
