"""Laws of how the command of a script is found."""

from __future__ import annotations

import pytest

from conda_execute.script import interpreter


def nothing(name: str) -> bool:
    return False


def python_only(name: str) -> bool:
    return name in ("python", "python3")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("#!/bin/sh", ("/bin/sh",)),
        ("#! /bin/sh -e", ("/bin/sh", "-e")),
        ("#!/usr/bin/env python", ("/usr/bin/env", "python")),
        ("#!/usr/bin/env -S python -u", ("/usr/bin/env", "-S", "python", "-u")),
        ("#!/opt/my\\ tools/x 'a b'", ("/opt/my tools/x", "a b")),
        ("#!/bin/x 'unclosed", ("/bin/x", "'unclosed")),
        ("#!/bin/sh\r", ("/bin/sh",)),
        ("#!", None),
        ("#!   ", None),
        ("print()", None),
        (" #!/bin/sh", None),
    ],
)
def test_shebang_is_split_into_words(line: str, words: tuple[str, ...] | None) -> None:
    assert interpreter.shebang(line.encode() + b"\nrest\n") == words


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("/usr/bin/env", "python"), ("python",)),
        (("/usr/bin/env", "-S", "python", "-u"), ("python", "-u")),
        (("env", "-Spython", "-u"), ("python", "-u")),
        (("/usr/bin/env", "-S", "A=1", "python"), ("/usr/bin/env", "-S", "A=1", "python")),
        (("/usr/bin/env", "-i", "python"), ("/usr/bin/env", "-i", "python")),
        (("/usr/bin/env",), ("/usr/bin/env",)),
        (("python", "-u"), ("python", "-u")),
    ],
    ids=" ".join,
)
def test_env_means_the_name_in_the_environment(words: tuple[str, ...], meant: tuple[str, ...]) -> None:
    assert interpreter.without_env(words) == meant


def test_run_with_comes_first() -> None:
    assert interpreter.choose(("lua", "-W"), b"#!/bin/sh\n", "x.py", python_only) == ("lua", "-W")


def test_shebang_comes_before_suffix() -> None:
    assert interpreter.choose(None, b"#!/usr/bin/env perl\n", "x.py", python_only) == ("/usr/bin/env", "perl")


@pytest.mark.parametrize(
    "line",
    [
        "#!/usr/bin/env conda-execute",
        "#!/opt/conda/bin/conda-execute",
        "#!/usr/bin/env -S conda execute -v",
        "#!/usr/bin/env -S uv run --script",
        "#!/usr/bin/env -S pixi run --script",
        "#!/usr/bin/env -S conda exec",
        "#!/usr/bin/env -S ce",
        "#!/usr/bin/env -S rye run",
        "#!/usr/bin/env -S UV_PYTHON=3.12 uv run -s",
        "#!/usr/bin/env -S -u PYTHONPATH A=1 B=2 uv run --script",
        "#!/usr/bin/env -S nice -n 5 conda-execute -v",
        "#!/usr/bin/nohup conda-execute",
        "#!/usr/bin/env -S timeout -k 5 20 stdbuf -oL ionice -c 3 conda-execute",
        "#!/usr/bin/env -S setsid -w env X=1 conda execute",
    ],
)
def test_a_shebang_that_names_a_runner_says_nothing_of_the_interpreter(line: str) -> None:
    assert interpreter.choose(None, line.encode() + b"\n", "x.R", python_only) == ("Rscript",)


@pytest.mark.parametrize(
    ("path", "words"),
    [("a.py", ("python",)), ("a.R", ("Rscript",)), ("a.r", ("Rscript",)), ("a.jl", ("julia",)), ("a.mjs", ("node",))],
)
def test_suffix_names_the_interpreter(path: str, words: tuple[str, ...]) -> None:
    assert interpreter.choose(None, b"", path, nothing) == words


@pytest.mark.parametrize("path", ["tool", "tool.unknown", ".py"])
def test_without_a_word_python_runs_it_where_the_environment_has_one(path: str) -> None:
    assert interpreter.choose(None, b"", path, python_only) == ("python",)
    assert interpreter.choose(None, b"", path, nothing) == ("sh",)
    command = b"# conda execute\n# env: [python]\n\npython --version\n"
    assert interpreter.choose(None, command, path, python_only) == ("sh",), "no Python could run its first line"
    assert interpreter.choose(None, command.replace(b"python -", b"len -"), path, python_only) == ("python",)
    assert interpreter.choose(None, command.replace(b"--version", b"= 1"), path, python_only) == ("python",)


def test_an_absolute_interpreter_is_the_environments_own_where_it_has_one() -> None:
    assert interpreter.effective(("/usr/bin/python3", "-u"), python_only) == ("python3", "-u")
    assert interpreter.effective(("/bin/sh", "-e"), python_only) == ("/bin/sh", "-e")


@pytest.mark.parametrize("line", ["#!/usr/bin/env -S A=1 python -u", "#!/usr/bin/env -S nice lua"])
def test_a_wrapper_around_an_interpreter_stays(line: str) -> None:
    assert interpreter.choose(None, line.encode() + b"\n", "x.R", python_only) == tuple(line[2:].split())


def test_marimo_opens_a_notebook_without_a_sandbox_of_its_own() -> None:
    line = b"#!/usr/bin/env -S marimo edit --sandbox\n"
    assert interpreter.choose(None, line, "x.py", python_only) == ("/usr/bin/env", "-S", "marimo", "edit")
