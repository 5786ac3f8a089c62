"""Laws of the command line of `conda execute`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.cli import options
from conda_execute.errors import UsageError


@given(st.lists(st.text(max_size=8) | st.sampled_from(["--", "-v", "--with", "-c", "--help", "-", "--json"])))
def test_what_follows_the_script_is_the_scripts_own(arguments: list[str]) -> None:
    """Whatever it looks like."""
    parsed = options.parse(["-v", "--with", "numpy", "script.py", *arguments])
    assert parsed.words == ["script.py", *arguments]
    assert parsed.code is None


@given(st.lists(st.text(max_size=8) | st.sampled_from(["--", "-v", "-c", "--help"])))
def test_what_follows_c_is_code(words: list[str]) -> None:
    parsed = options.parse(["-q", "-c", *words])
    assert parsed.code == words
    assert parsed.words == []


def test_double_dash_ends_the_options() -> None:
    assert options.parse(["-v", "--", "--odd.py", "--"]).words == ["--odd.py", "--"]


def test_repeatable_options_keep_their_order() -> None:
    parsed = options.parse(["--channel", "b", "--channel=a", "--with", "x", "--with", "pypi:y", "s.py"])
    assert (parsed.channel, getattr(parsed, "with")) == (["b", "a"], ["x", "pypi:y"])


def test_flags_of_one_letter_may_stand_together() -> None:
    parsed = options.parse(["-vf", "s.py"])
    assert (parsed.verbose, parsed.force_env, parsed.quiet, parsed.words) == (True, True, False, ["s.py"])


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["--wiht", "numpy", "s.py"], "there is no option `--wiht`", "did you mean `--with`?"),
        (["--overide-channels", "s.py"], "there is no option `--overide-channels`", "`--override-channels`"),
        (["-x", "s.py"], "there is no option `-x`", "stand after it"),
        (["--with"], "`--with` needs a value: SPEC", "--help"),
        (["--check=yes", "s.py"], "there is no option `--check=yes`", "`--check`"),
        (["-vx", "s.py"], "there is no option `-vx`", ""),
        (["--off", "s.py"], "there is no option `--off`", "did you mean `--offline`?"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistyped_option_gets_the_nearest_one(argv: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        options.parse(argv)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("names", [names for names, _ in options.OPTIONS], ids=lambda names: names[-1])
def test_help_explains_every_option(names: tuple[str, ...]) -> None:
    for name in names:
        assert name in options.HELP


def test_help_fits_a_terminal_of_80_columns() -> None:
    assert max(map(len, options.HELP.splitlines())) <= 79
