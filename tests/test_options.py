"""Laws of the command lines of `conda execute` and `conda tmpenv`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.cli.help import page
from conda_execute.cli.parsing import parse
from conda_execute.errors import UsageError
from conda_execute.options import COMMANDS, CommandLine, Option, RunOptions, TmpenvOptions
from conda_execute.text import called

KINDS: list[type[CommandLine]] = [RunOptions, TmpenvOptions, *COMMANDS.values()]


def run(*argv: str) -> RunOptions:
    return parse(RunOptions, argv)


@given(st.lists(st.text(max_size=8) | st.sampled_from(["--", "-v", "--with", "-c", "--help", "-", "--json"])))
def test_what_follows_the_script_is_the_scripts_own(arguments: list[str]) -> None:
    """Whatever it looks like."""
    chosen = run("-v", "--with", "numpy", "script.py", *arguments)
    assert chosen.words == ("script.py", *arguments)
    assert chosen.code is None


OPTIONS = {name for option in RunOptions.TABLE.values() for name in (*option.names, *option.also)}


@given(st.lists(st.text(max_size=8) | st.sampled_from(["-c", "-vq", "--no-such", "-", "-v x"])))
def test_what_follows_c_is_code(words: list[str]) -> None:
    words = [word for word in words if word.partition("=")[0] not in OPTIONS - {"-c"} and word != "--"]
    chosen = run("-q", "-c", *words)
    assert chosen.code == tuple(words)
    assert chosen.words == ()


@given(st.lists(st.text(max_size=8) | st.sampled_from(["--", "-v", "-c", "--help"])))
def test_what_follows_c_and_a_double_dash_is_code_whatever_it_is(words: list[str]) -> None:
    assert run("-q", "-c", "--", *words).code == tuple(words)


@given(st.permutations(["# conda execute", "print(1)", "-v", "--with=numpy", "--offline"]))
def test_options_stand_anywhere_among_the_words_after_c(words: list[str]) -> None:
    """As the original's own tests write them: `-c '# conda execute' ... 'print(1)' -v`."""
    chosen = run("-c", *words)
    assert chosen.code == tuple(word for word in words if not word.startswith("-"))
    assert (chosen.verbose, chosen.offline, chosen.extra) == (True, True, ("numpy",))


def test_double_dash_ends_the_options() -> None:
    assert run("-v", "--", "--odd.py", "--").words == ("--odd.py", "--")


def test_repeatable_options_keep_their_order() -> None:
    chosen = run("--channel", "b", "--channel=a", "--with", "x", "-w", "pypi:y", "s.py")
    assert (chosen.channels, chosen.extra) == (("b", "a"), ("x", "pypi:y"))


def test_flags_of_one_letter_may_stand_together() -> None:
    chosen = run("-vf", "s.py")
    assert (chosen.verbose, chosen.force_env, chosen.quiet, chosen.words) == (True, True, False, ("s.py",))


def test_what_was_chosen_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        run("s.py").offline = True


def test_what_was_chosen_can_be_made_without_words() -> None:
    assert vars(RunOptions(("s.py",), offline=True)) == vars(run("--offline", "s.py"))
    with pytest.raises(TypeError):
        RunOptions(("s.py",), ofline=True)


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["--wiht", "numpy", "s.py"], "there is no option `--wiht`", "did you mean `--with`?"),
        (["--overide-channels", "s.py"], "there is no option `--overide-channels`", "`--override-channels`"),
        (["-z", "s.py"], "there is no option `-z`", "come after it"),
        (["--with"], "`--with` needs a value: SPEC", "such as `--with numpy`"),
        (["--check=yes", "s.py"], "there is no option `--check=yes`", "`--check`"),
        (["-vx", "s.py"], "there is no option `-vx`", ""),
        (["--off", "s.py"], "there is no option `--off`", "did you mean `--offline`?"),
        (["--forse", "s.py"], "there is no option `--forse`", "did you mean `--force-env`?"),
        (["--export", "environment.yaml", "s.py"], "`--export` does not take `environment.yaml`", "environment.yml"),
        (["--completion", "tcsh"], "`--completion` does not take `tcsh`", "it takes one of `bash`, `zsh`, `fish`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_option_gets_the_nearest_one(argv: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(*argv)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_help_explains_every_option(kind: type[CommandLine]) -> None:
    text = " ".join(page(kind, 80).split())
    for option in kind.TABLE.values():
        assert ", ".join(option.names) in text
        assert called(option.help).split("`")[0] in text


@pytest.mark.parametrize("width", [40, 50, 60, 80, 120, 200])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_help_fits_a_terminal_of_any_width(kind: type[CommandLine], width: int) -> None:
    for line in page(kind, width).splitlines():
        unbreakable = " " not in line.strip().replace(", ", "").strip("`")
        assert len(line) < width or (unbreakable and len(line.strip()) > width - 8)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_name_of_an_option_is_given_twice(kind: type[CommandLine]) -> None:
    names = [name for option in kind.TABLE.values() for name in (*option.names, *option.also)]
    assert len(names) == len(set(names))


def _given(option: Option) -> list[str]:
    if option.value is None:
        return [option.name]
    return [option.name, option.words[0] if option.words else "x"]


ACTIONS = [option for option in RunOptions.TABLE.values() if option.action and not option.takes_rest]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (one, other)
        for index, one in enumerate(ACTIONS)
        for other in ACTIONS[index + 1 :]
        if one.action != other.action and other.action not in one.joins and one.action not in other.joins
    ],
    ids=lambda option: option.name,
)
def test_actions_exclude_each_other(one: Option, other: Option) -> None:
    if "help" in (one.action, other.action):
        assert run(*_given(one), *_given(other), "s.py").action == "help"  # who asks for help gets it
        return
    with pytest.raises(UsageError, match=r"ask for different things|has no JSON output"):
        run(*_given(one), *_given(other), "s.py")
