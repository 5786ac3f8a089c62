"""The program `conda-execute`, on real environments from the local channel, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.channel import Package, write_channel
from tests.conftest import CHECKOUT
from tests.tiny import wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import World

NUMPY = """\
#!/usr/bin/env python
\"\"\"
A script that uses numpy's random normal distribution to print 3 numbers.

\"\"\"

# conda execute
# env:
#  - python >=3
#  - numpy

import numpy as np

print(np.random.normal(size=3))
"""

PYTHON = "# conda execute\n# env: [python]\n"


# The seed ----------------------------------------------------------------------------------------------------------


def test_the_seeds_transcript_holds(world: World) -> None:
    """Word for word where it is ours; the script's own output alone is on standard output."""
    script = world.script("my_script.py", NUMPY)
    done = world.execute("-v", script.name, check=True)
    lines = done.stderr.splitlines()
    start = lines.index("Using specification: ")
    assert lines[start : start + 4] == [
        "Using specification: ",
        "env: [python >=3, numpy]",
        "run_with: [/usr/bin/env, python]",
        "",
    ]
    prefix = next(line for line in lines if line.startswith("Prefix: "))
    assert prefix.endswith("/tmp_envs/ea977067a8fbeb21a594")
    assert len(done.stdout.strip("[] \n").split()) == 3


def test_a_second_run_solves_nothing(world: World) -> None:
    script = world.script("my_script.py", NUMPY)
    world.execute(script.name, check=True)
    done = world.execute("-v", script.name, env={"RATTLER_CACHE_DIR": "/none"}, check=True)
    assert "solving" not in done.stderr


def test_the_shebang_runs_it(world: World) -> None:
    script = world.script("direct.py", NUMPY.replace("env python", "env conda-execute", 1))
    first = world.run([script], check=True)
    second = world.run([script], check=True)
    assert len(first.stdout.strip("[] \n").split()) == len(second.stdout.strip("[] \n").split()) == 3


def test_scripts_with_the_same_needs_share_an_environment(world: World) -> None:
    world.execute(world.script("a.py", "# conda execute\n# env: [python, six]\n"), check=True)
    world.execute(world.script("b.py", "# conda execute\n# env:\n#  - six\n#  - Python\n"), check=True)
    assert len(world.prefixes()) == 1


# As if run directly ------------------------------------------------------------------------------------------------


def test_arguments_and_working_directory_are_the_scripts_own(furnished: World) -> None:
    script = furnished.script("s.py", PYTHON + "import sys, os\nprint(sys.argv, os.getcwd())\n")
    arguments = ["", "a b", "--help", "-v", "--", "*", "é", "$HOME"]
    done = furnished.execute(script.name, *arguments, check=True)
    assert done.stdout == f"{['s.py', *arguments]} {furnished.work}\n"


@pytest.mark.parametrize("status", [0, 1, 3, 125, 255])
def test_exit_status_is_the_scripts_own(furnished: World, status: int) -> None:
    script = furnished.script("s.py", PYTHON + f"raise SystemExit({status})\n")
    assert furnished.execute(script).returncode == status


@pytest.mark.parametrize("sign", ["//", "--", "*"])
@pytest.mark.parametrize("option", [[], ["--check"], ["--dry-run"]], ids=" ".join)
def test_a_script_that_can_be_neither_python_nor_shell_is_not_tried_as_such(
    world: World, sign: str, option: list[str]
) -> None:
    text = f"{sign} conda execute\n{sign} env: [six, python]\n"
    done = world.execute(*option, world.script("s.cpp", text))
    assert done.returncode == 125
    assert "error: nothing says what runs " in done.stderr
    assert f"s.cpp:1:1\n  1 | {sign} conda execute\n" in done.stderr
    assert not world.prefixes()
    world.execute("--print-prefix", world.work / "s.cpp", check=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGSEGV], ids=lambda number: number.name)
def test_a_signal_reaches_the_script_and_its_death_the_caller(furnished: World, number: signal.Signals) -> None:
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\nprint('ready', flush=True)\n"
    code += "time.sleep(60)\n"
    running = furnished.start(["conda-execute", furnished.script("s.py", PYTHON + code)])
    assert running.stdout.readline() == "ready\n"
    running.send_signal(number)
    assert running.wait(30) == -number


def test_binary_streams_pass_untouched(furnished: World) -> None:
    code = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])\n"
    content = bytes(range(256)) * 1000
    done = furnished.execute(furnished.script("s.py", PYTHON + code), input=content, text=False)
    assert done.stdout == content[::-1]


def test_standard_input_may_be_closed(furnished: World) -> None:
    script = furnished.script("s.py", PYTHON + "import sys\nprint(sys.stdin)\n")
    furnished.execute(script, check=True)
    done = furnished.run(["sh", "-c", f"conda-execute {script} <&-"])
    assert (done.returncode, done.stdout) == (0, "None\n")


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no /proc here")
@pytest.mark.parametrize(
    ("streams", "closed"), [("<&-", [0]), (">&-", [1]), ("2>&-", [2]), ("<&- >&- 2>&-", [0, 1, 2])], ids=str
)
def test_closed_streams_are_closed_in_the_script_and_hinder_nothing(
    world: World, streams: str, closed: list[int]
) -> None:
    """In the run that makes the environment, and in the next ones."""
    code = """
import os
import re
closed = [number for number in range(3) if not os.path.exists(f"/proc/self/fd/{number}")]
os.write(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), f"{closed}\\n".encode())
"""
    script = world.script("s.py", "# conda execute\n# env: [python, six]\n" + code)
    loop = f"for run in 1 2 3; do conda-execute {script} {streams} || exit; done"
    assert world.run(["sh", "-c", loop]).returncode == 0
    assert (world.work / "said").read_text() == f"{closed}\n" * 3


def test_a_megabyte_of_arguments_arrives(furnished: World) -> None:
    script = furnished.script("s.py", PYTHON + "import sys\nprint(sum(map(len, sys.argv[1:])))\n")
    arguments = ["x" * 100_000] * 10
    assert furnished.execute(script, *arguments, check=True).stdout == "1000000\n"


def test_sigpipe_is_not_ignored_in_the_script(world: World) -> None:
    """Python ignores SIGPIPE for itself; a shell script started by it must not inherit that."""
    script = world.script("s.sh", "# conda execute\n# env: [six]\nkill -PIPE $$\necho survived\n")
    assert world.execute(script).returncode == -signal.SIGPIPE


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
@pytest.mark.parametrize("env", ["[six]", "[six, activated]"], ids=["plain", "with activate.d"])
def test_an_ignored_sigpipe_stays_ignored_in_the_script(world: World, env: str) -> None:
    """As services of systemd have it, in the first run and in the next ones."""
    script = world.script("s.sh", f"# conda execute\n# env: {env}\nkill -PIPE $$\necho survived\n")
    for _ in range(3):
        done = world.run(["sh", "-c", "trap '' PIPE; exec conda-execute s.sh"])
        assert (done.returncode, done.stdout) == (0, "survived\n")
    assert world.execute(script).returncode == -signal.SIGPIPE


# Tools of the environment ------------------------------------------------------------------------------------------


def test_the_activated_environment_is_what_conda_activate_gives(furnished: World) -> None:
    code = (
        "import os, sys\nprint(*[os.environ[n] for n in ('CONDA_PREFIX', 'CONDA_DEFAULT_ENV', 'PREFIX')], sys.prefix)\n"
    )
    done = furnished.execute(furnished.script("s.py", PYTHON + code), check=True)
    assert len(set(done.stdout.split())) == 1
    assert Path(done.stdout.split()[0]) == furnished.prefixes()[0]


# Code without a file -----------------------------------------------------------------------------------------------


def test_code_after_c_is_one_line_a_word(furnished: World) -> None:
    done = furnished.execute(
        "-c", "# conda execute", "# env: [python]", "import sys", "print('x', len(sys.argv))", check=True
    )
    assert done.stdout == "x 1\n"


def test_the_commands_of_the_originals_own_tests_work(world: World) -> None:
    lines = ["# conda execute", "# env:", "# - python", "# run_with: python", "print('hello')"]
    code = "\n".join(lines) + "\n"
    first = world.execute("-c", *lines, "-v", check=True)
    assert first.stdout == "hello\n"
    assert "Using specification" in first.stderr
    version = world.execute("-c", *lines[:3], "python --version", "-v", "--force-env", check=True)
    assert version.stdout.startswith("Python 3.")
    assert world.execute("-v", "-c", input=code, check=True).stdout == "hello\n"
    assert world.execute("-c", input=code, check=True).stdout == "hello\n"
    script = world.script("example.py", "#!/usr/bin/env conda-execute\n" + code + "import sys; print(sys.argv[1:])\n")
    assert world.execute(script.name, "wibble", "--arg1=123", "foobar", check=True).stdout == (
        "hello\n['wibble', '--arg1=123', 'foobar']\n"
    )
    script.chmod(0o755)
    assert world.run([f"./{script.name}"], check=True).stdout == "hello\n[]\n"


@pytest.mark.parametrize("words", [["-"], ["-c"]], ids=" ".join)
def test_code_on_standard_input_leaves_it_at_its_end(furnished: World, words: list[str]) -> None:
    code = PYTHON + "import sys\nprint(repr(sys.stdin.read()))\n"
    assert furnished.execute(*words, input=code, check=True).stdout == "''\n"


def test_code_without_a_header_is_not_told_to_be_edited(world: World) -> None:
    done = world.execute("-c", "print()")
    assert done.returncode == 125
    assert "`-c` has no header" in done.stderr
    assert "--init" not in done.stderr


def test_a_traceback_shows_the_lines_of_code_without_a_file(furnished: World) -> None:
    done = furnished.execute("-c", "# conda execute", "# env: [python]", "1 / 0  # here")
    assert done.returncode == 1
    assert "1 / 0  # here" in done.stderr


def test_a_script_from_standard_input_gets_its_arguments(furnished: World) -> None:
    code = PYTHON + "import sys\nprint(sys.argv[1:])\n"
    assert furnished.execute("-", "a", "-v", input=code, check=True).stdout == "['a', '-v']\n"


# Instead of a run --------------------------------------------------------------------------------------------------


def test_check_says_what_a_header_means_and_makes_nothing(world: World) -> None:
    script = world.script("my_script.py", NUMPY)
    done = world.execute("--check", "--json", script.name, check=True)
    said = json.loads(done.stdout)
    assert said["specs"] == ["numpy", "python >=3"]
    assert said["name"] == "ea977067a8fbeb21a594"
    assert not world.prefixes()


def test_check_shows_what_a_terminal_would_act_on(world: World) -> None:
    script = world.script("a\x1b[31m.py", NUMPY)
    assert world.execute("--check", script.name, check=True).stdout.startswith("a\\x1b[31m.py: ok")
    assert world.execute("--check", "-v", script.name, check=True).stdout.startswith("script:   a\\x1b[31m.py\n")
    assert json.loads(world.execute("--check", "--json", script.name, check=True).stdout)["script"] == str(script)


def test_check_reads_every_script_and_reports_every_mistake(world: World) -> None:
    world.script("a.py", NUMPY)
    world.script("b.py", "# conda execute\n# env: [\n")
    world.script("c.py", "print('no header')\n")
    world.script("d.py", NUMPY)
    done = world.execute("--check", "a.py", "b.py", "c.py", "d.py")
    assert done.returncode == 125
    assert done.stdout == "a.py: ok (numpy, python >=3)\nd.py: ok (numpy, python >=3)\n"
    assert "b.py:2" in done.stderr
    assert "`c.py` has no header" in done.stderr
    listed = json.loads(world.execute("--check", "--json", "a.py", "b.py", "d.py").stdout)
    expected = [("a.py", False), ("b.py", True), ("d.py", False)]
    assert [(each["script"], "error" in each) for each in listed] == [(str(world.work / n), bad) for n, bad in expected]
    assert world.execute("--check", "a.py", "d.py").returncode == 0


def test_options_after_several_scripts_are_refused(world: World) -> None:
    world.script("a.py", NUMPY)
    done = world.execute("--check", "a.py", "--json")
    assert done.returncode == 125
    assert "`--json` comes after a script" in done.stderr


def test_check_says_what_is_odd_in_a_header(world: World) -> None:
    script = world.script("gap.py", "# conda execute\n# env:\n#  - python\n\n#  - numpy\n")
    done = world.execute("--check", script, check=True)
    assert (done.stdout, "line 5" in done.stderr) == (f"{script}: ok (python)\n", True), done.stderr


def test_check_refuses_a_spec_that_is_none(world: World) -> None:
    done = world.execute("--check", world.script("s.py", "# conda execute\n# env:\n#  - python >>3\n"))
    assert (done.returncode, done.stdout) == (125, "")
    assert "s.py:3:6" in done.stderr


def test_check_refuses_a_requirement_that_pep_508_does_not_know(world: World) -> None:
    text = "# conda execute\n# env:\n#  - pip:\n#     - rich\n#     - idna; python_version >\n"
    done = world.execute("--check", world.script("s.py", text))
    assert (done.returncode, done.stdout) == (125, "")
    assert "error: `idna; python_version >` is not a valid PyPI requirement\n" in done.stderr
    assert "s.py:5:9" in done.stderr
    assert "Expected a marker variable" in done.stderr


def test_dry_run_says_what_would_be_installed_and_installs_nothing(world: World) -> None:
    script = world.script("my_script.py", NUMPY)
    said = json.loads(world.execute("--json", script.name, check=True).stdout)
    assert said["state"] == "missing"
    assert {"numpy", "python"} <= {package["name"] for package in said["packages"]}
    assert not world.prefixes()
    world.execute(script.name, check=True)
    assert json.loads(world.execute("--json", script.name, check=True).stdout)["state"] == "ready"


def test_print_prefix_makes_the_environment_and_runs_nothing(world: World) -> None:
    script = world.script("s.py", PYTHON + "print('ran')\n")
    done = world.execute("--print-prefix", script, check=True)
    assert Path(done.stdout.rstrip("\n")) == world.prefixes()[0]
    assert os.access(Path(done.stdout.strip()) / "bin" / "python", os.X_OK)


def test_shell_opens_in_the_environment(furnished: World) -> None:
    script = furnished.script("s.py", PYTHON)
    done = furnished.execute("--shell", script, input="command -v python; exit 3\n", env={"SHELL": "/bin/sh"})
    assert done.returncode == 3
    assert done.stdout.strip() == str(furnished.prefixes()[0] / "bin" / "python")


def test_a_shell_that_is_not_there_is_told_to_be_of_the_variable(furnished: World) -> None:
    done = furnished.execute("--shell", furnished.script("s.py", PYTHON), env={"SHELL": "/no/such/shell"})
    message = "error: `/no/such/shell` is not there\nhint: the variable SHELL names the shell to open\n"
    assert (done.returncode, done.stderr) == (127, message)


#: For each shell, the person's startup file, and what puts a folder first on PATH and sets a variable in it.
STARTUP = {
    "bash": (".bashrc", "export PATH={}:$PATH\nmine=here\n"),
    "zsh": (".zshrc", "export PATH={}:$PATH\nmine=here\n"),
    "fish": (".config/fish/config.fish", "set -gx PATH {} $PATH\nset -g mine here\n"),
}


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


@pytest.mark.parametrize("name", STARTUP)
def test_a_startup_file_does_not_hide_the_environment(furnished: World, name: str) -> None:
    """That of many people puts something first on PATH."""
    (furnished.work / "mine").mkdir()
    fake = furnished.script("mine/python", "#!/bin/sh\necho mine\n")
    startup, text = STARTUP[name]
    (furnished.home / startup).parent.mkdir(parents=True, exist_ok=True)
    (furnished.home / startup).write_text(text.format(fake.parent))
    script = furnished.script("s.py", PYTHON)
    done = furnished.execute(
        "--shell", script, input="command -v python; echo $mine; exit 3\n", env={"SHELL": shell(name)}
    )
    assert done.returncode == 3
    assert done.stdout.split() == [str(furnished.prefixes()[0] / "bin" / "python"), "here"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_prompt_of_the_shell_shows_the_script_and_runs_nothing_of_its_name(furnished: World, name: str) -> None:
    script = furnished.script("a $(touch ran).py", PYTHON)
    show = "fish_prompt" if name == "fish" else "echo $PS1"
    done = furnished.execute(
        "--shell", script, input=f"{show}; env | grep EXECUTE_PROMPT\n", env={"SHELL": shell(name)}
    )
    assert "(a---touch-ran-.py) " in done.stdout
    assert "EXECUTE_PROMPT" not in done.stdout
    assert not (furnished.work / "ran").exists()


def test_zsh_finds_the_files_of_a_person_who_keeps_them_elsewhere(furnished: World) -> None:
    """And what is started from that shell finds no file of ours."""
    elsewhere = furnished.home / "z files"
    elsewhere.mkdir()
    (furnished.home / ".zshenv").write_text(f"export ZDOTDIR='{elsewhere}'\n")
    (elsewhere / ".zshrc").write_text("mine=here\nHISTFILE=$ZDOTDIR/.history\n")
    script = furnished.script("s.py", PYTHON)
    done = furnished.execute(
        "--shell",
        script,
        input="echo $mine $ZDOTDIR; env | grep -i conda_execute_z; exit 3\n",
        env={"SHELL": shell("zsh")},
    )
    assert done.returncode == 3
    assert done.stdout == f"here {elsewhere}\n"


# Options -----------------------------------------------------------------------------------------------------------


def test_with_adds_a_requirement_for_one_run(world: World) -> None:
    script = world.script("s.py", PYTHON + "import importlib.util as u\nprint(u.find_spec('six') is not None)\n")
    assert world.execute(script, check=True).stdout == "False\n"
    assert world.execute("--with", "six", script, check=True).stdout == "True\n"


def test_with_is_enough_where_there_is_no_header(world: World) -> None:
    script = world.script("s.py", "import six\nprint(six.__name__)\n")
    assert world.execute(script).returncode == 125
    assert world.execute("--with", "python", "--with", "six", script, check=True).stdout == "six\n"


def test_quiet_in_a_header_says_nothing(world: World) -> None:
    script = world.script("s.py", "# conda execute\n# env: [python]\n# quiet: true\n")
    assert world.execute(script, check=True).stderr == ""


def test_an_absolute_shebang_means_the_environments_python(furnished: World) -> None:
    script = furnished.script("s.py", "#!/usr/bin/python3\n" + PYTHON + "import sys\nprint(sys.prefix)\n")
    assert Path(furnished.execute(script, check=True).stdout.strip()) == furnished.prefixes()[0]


# What goes wrong ---------------------------------------------------------------------------------------------------

BAD = [
    pytest.param("s.py", "print()\n", 125, "no header", id="no header"),
    pytest.param("s.py", "# conda execute\n# env: []\n", 125, "s.py:2:", id="empty env"),
    pytest.param("s.py", "# conda execute\n# env: [python\n", 125, "s.py:", id="bad YAML"),
    pytest.param("s.py", "# conda execute\n# env:\n#  - python >>3\n", 125, "s.py:3:6", id="bad spec"),
    pytest.param("s.py", "# conda execute\n# env:\n#  - python*\n", 125, "s.py:3:6", id="glob for a name"),
    pytest.param(
        "s.py", "# conda execute\n# env: [python=>3]\n", 125, "did you mean `python >=3`?", id="turned operator"
    ),
    pytest.param("s.py", "# conda execute\n# env:\n#  - pythn\n", 125, "did you mean `python`?", id="missing package"),
    pytest.param("s.py", "# conda execute\n# env:\n#  - python >99\n", 125, "s.py:3:6", id="unsolvable"),
    pytest.param("s.py", "# conda execute\n# env: [beta, gamma]\n", 125, "hint: ask for other", id="conflict"),
    pytest.param(
        "s.py",
        "# conda execute\n# env: [python >=3 <4]\n",
        125,
        "did you mean `python >=3,<4`?",
        id="blank for a comma",
    ),
    pytest.param(
        "s.py",
        "# conda execute\n# env: [python]\n# channels: [file:///nowhere]\n",
        125,
        "s.py:3:14",
        id="missing channel",
    ),
    pytest.param(
        "s.py",
        "# conda execute\n# env: [python]\n# channels: [file:///no where/]\n",
        125,
        "s.py:3:14",
        id="missing channel with a blank",
    ),
    pytest.param(
        "s.py", "# conda execute\n# env: [python]\n# channels: [./none]\n", 125, "s.py:3:14", id="missing folder"
    ),
    pytest.param("s.py", "# conda execute\n# env: [python]\n# run_with: pyhton\n", 127, "`python", id="no interpreter"),
    pytest.param("s.py", "#!/no/bin/pyton3\n# conda execute\n# env: [python]\n", 127, "`python3`", id="no path"),
    pytest.param("s.py", b"\x7fELF\x00\x01\x02", 125, "binary", id="binary"),
]


@pytest.mark.parametrize(("name", "text", "status", "words"), BAD)
def test_bad_input_is_one_message_and_nothing_is_made(
    world: World, name: str, text: str | bytes, status: int, words: str
) -> None:
    done = world.execute(world.script(name, text))
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith("error")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    if status == 125:
        assert not world.prefixes()


@pytest.mark.parametrize(
    "argv",
    [
        ["--json", "--nonsense", "s.py"],
        ["--nonsense", "--json", "s.py"],
        *(["--json", option, "s.py"] for option in ("--shell", "--init", "--add=", "--export=explicit")),
        ["--json", "--pack=x.zip", "s.py"],
        ["--json", "--remove=six", "--dry-run", "s.py"],
    ],
    ids=" ".join,
)
def test_json_is_printed_where_it_was_asked_for_or_an_error_as_json(world: World, argv: list[str]) -> None:
    script = world.script("s.py", PYTHON)
    done = world.execute(*argv)
    assert done.returncode == 125
    assert json.loads(done.stdout)["exit_status"] == 125
    assert not done.stderr
    assert script.read_text() == PYTHON
    assert not world.prefixes()


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["none.py"], 127, "there is no script `none.py`"),
        (["."], 126, "is a directory"),
        ([], 125, "there is no script to run"),
        (["--nonsense", "s.py"], 125, "there is no option `--nonsense`"),
        (["--check", "--shell", "s.py"], 125, "ask for different things"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_one_message(world: World, argv: list[str], status: int, words: str) -> None:
    done = world.execute(*argv)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr


@pytest.mark.parametrize("words", [[], ["--dry-run"], ["--check"], ["--backend", "conda"]], ids=str)
def test_where_the_working_directory_is_gone_nothing_is_made_and_that_is_said(world: World, words: list[str]) -> None:
    script = world.script("s.sh", "# conda execute\n# env: [six]\n# run_with: sh\necho ran\n")
    gone = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = world.run(["sh", "-c", gone, "sh", "conda-execute", *words, script])
    assert done.returncode == 125
    assert "error: the working directory is gone" in done.stderr
    assert "hint: change to another directory" in done.stderr
    assert world.prefixes() == []


def test_a_working_directory_that_is_gone_is_no_traceback(furnished: World, programs: Path) -> None:
    """Scratch directories vanish under jobs: a script elsewhere runs, one below the lost directory is an error."""
    script = furnished.script("s.py", PYTHON + "print('ran')\n")
    furnished.execute(script, check=True)
    gone = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    half = programs / "conda-execute-py"
    for program in ("conda-execute", half):
        done = furnished.run(["sh", "-c", gone, "sh", program, script])
        assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    done = furnished.run(["sh", "-c", gone, "sh", half, "../s.py"])
    assert done.returncode in (0, 127)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["--help"], ["--check", "s.py"], ["--print-prefix", "s.py"]], ids=" ".join)
def test_output_that_cannot_be_written_is_one_message(world: World, words: list[str]) -> None:
    world.script("s.py", PYTHON)
    with open("/dev/full", "w") as full:
        done = world.execute(*words, stdout=full)
    assert done.returncode == 125
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


def test_a_wrong_requirement_after_with_is_one_message(world: World) -> None:
    done = world.execute("--with", "pypi:idna=3", world.script("s.py", PYTHON))
    assert done.returncode == 125
    assert "write `idna==3`" in done.stderr
    assert not world.prefixes()


def test_what_a_terminal_would_act_on_is_spelled_out(world: World) -> None:
    done = world.execute("no\x1b[31m\nscript.py")
    assert done.returncode == 127
    assert "\x1b" not in done.stderr
    assert "there is no script `no\\x1b[31m\\nscript.py`" in done.stderr


def test_link_scripts_left_out_make_another_environment(world: World) -> None:
    script = world.script("s.sh", "# conda execute\n# env: [post-link]\n# run_with: sh\necho $PREFIX\n")
    without = world.execute(script, env={"CONDA_EXECUTE_RUN_LINK_SCRIPTS": "false"}, check=True).stdout
    assert world.execute(script, check=True).stdout != without


@pytest.mark.parametrize("status", [0, 3])
def test_what_a_post_link_script_says_is_shown(world: World, make_channel: Callable[..., str], status: int) -> None:
    """As conda does: in `.messages.txt` some say what to do before they are of use, or why they failed."""
    says = f'#!/bin/sh\nprintf "fetch the data\\nof %s" $PKG_NAME >>"$PREFIX/.messages.txt"\nexit {status}\n'
    packages = [Package(name, "1.0", {f"bin/.{name}-post-link.sh": says}) for name in ("one", "two")]
    script = world.script(
        "s.sh", f"# conda execute\n# env: [one, two]\n# channels: ['{make_channel(*packages)}']\n# run_with: sh\n"
    )
    done = world.execute(script)
    assert done.returncode == (125 if status else 0)
    assert done.stdout == ""
    for name in ("one", "two"):
        assert done.stderr.count(f"  fetch the data\n  of {name}\n") == 1


def test_errors_are_json_where_json_was_asked_for(world: World) -> None:
    done = world.execute("--json", world.script("s.py", "# conda execute\n# env:\n#  - python >>3\n"))
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_status"] == 125
    assert said["where"][0]["line"] == 3


#: Somebody else, whom this machine does not know, as in a container of `docker run --user`.
_NOBODY_KNOWN = ["unshare", "--user", "--map-user=54321", "--"]


@pytest.fixture
def homeless(world: World) -> World:
    """A world in which nothing says where anything belongs but the directory for temporary files."""
    places = ("CONDA_EXECUTE_ENV_DIR", "CONDA_EXECUTE_CACHE_DIR", "RATTLER_CACHE_DIR", "UV_CACHE_DIR")
    return world.with_(**dict.fromkeys(places))


def test_a_home_that_cannot_be_written_to_is_no_obstacle(homeless: World) -> None:
    (homeless.root / "file").write_text("")
    world = homeless.with_(HOME=str(homeless.root / "file" / "home"))
    requirement = f"little @ {wheel(world.work, 'little').as_uri()}"
    text = f"# conda execute\n# env: [python, pip: ['{requirement}']]\nimport little\nprint(little.VERSION)\n"
    done = world.execute(world.script("s.py", text))
    assert (done.returncode, done.stdout) == (0, "1.0\n"), done.stderr
    assert done.stderr.count("which may not last") == 2


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*_NOBODY_KNOWN, "true"], check=False).returncode != 0,
    reason="no user namespaces here",
)
def test_a_user_without_any_home_is_no_obstacle(homeless: World) -> None:
    world = homeless.with_(HOME=None)
    script = world.script("s.sh", "# conda execute\n# env: [alpha]\n# run_with: sh\necho ${HOME-none}\n")
    for _ in range(2):
        done = world.run([*_NOBODY_KNOWN, "conda-execute", script])
        assert (done.returncode, done.stdout) == (0, "none\n"), done.stderr
    assert os.listdir(world.work) == ["s.sh"]


def test_credentials_that_cannot_be_read_are_named(world: World) -> None:
    (world.home / ".rattler").mkdir()
    (world.home / ".rattler" / "credentials.json").write_text("{bad")
    done = world.execute(world.script("s.sh", "# conda execute\n# env: [alpha]\n"))
    assert done.returncode == 125
    assert done.stderr.startswith("error: ")
    assert "credentials.json" in done.stderr


def test_a_disk_that_fills_up_at_any_moment_is_named_and_left_clean(world: World, small_disk: Path) -> None:
    """One block more at a time: linking fails, then a record, the history, the marker, until there is room."""
    script = world.script("s.sh", "# conda execute\n# env: [alpha]\n# run_with: sh\necho ran\n")
    world.execute("--print-prefix", script, check=True)  # the package is in the cache now
    for size in range(4, 64, 4):
        subprocess.run(["mount", "-o", f"remount,size={size}k", small_disk], check=True)
        done = world.execute(script, env={"CONDA_EXECUTE_ENV_DIR": str(small_disk / "envs")})
        if done.returncode == 0:
            break
        assert done.returncode == 125
        assert "disk" in done.stderr
        assert "hint: " in done.stderr
        left = [path.name for path in (small_disk / "envs" / "tmp_envs").iterdir()]
        assert set(left) <= {".locks", ".trash"}
        shutil.rmtree(small_disk / "envs")
    assert done.stdout == "ran\n"
    assert size > 12, "the disk was never full"


def test_interrupting_a_creation_leaves_nothing(world: World, tmp_path: Path) -> None:
    """SIGTERM while the packages are being linked."""
    script = world.script("my_script.py", NUMPY)
    running = world.start(["conda-execute", script], env={"RATTLER_CACHE_DIR": str(tmp_path / "cold")})
    deadline = time.monotonic() + 60
    while not world.prefixes() and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 143
    assert not world.prefixes()
    world.execute(script, check=True)


def test_standard_output_that_nobody_reads_is_no_traceback(world: World) -> None:
    done = world.run(["sh", "-c", "conda-execute --help | true"])
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_modules_beside_the_script_are_not_ours(world: World) -> None:
    """A `yaml.py` next to a script, or on PYTHONPATH, must not be imported by conda-execute; the script sees both."""
    (world.work / "yaml.py").write_text("raise SystemExit('wrong yaml')\n")
    code = "import os\nprint(os.environ['PYTHONPATH'])\n"
    done = world.execute(world.script("s.py", PYTHON + code), env={"PYTHONPATH": str(world.work)}, check=True)
    assert done.stdout == f"{world.work}\n"


def test_help_needs_no_environment(world: World) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conda_execute", "--help"],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.startswith("usage: conda-execute")


def test_a_platform_that_is_none_is_refused(world: World) -> None:
    script = world.script("hello.py", "# conda execute\n# env: [python]\nprint('hello')\n")
    refused = world.with_(CONDA_SUBDIR="linux64").execute(script)
    assert refused.returncode == 125
    assert "`subdir` is not a platform: `linux64`\n  environment variable CONDA_SUBDIR" in refused.stderr


@pytest.mark.parametrize("option", ["--with", "--add"])
def test_a_mistake_in_an_option_names_the_option(world: World, option: str) -> None:
    """And no line of the script, though one has the same word."""
    text = "# conda execute\n# env:\n#  - python\n#  - pip:\n#     - nosuchpackage\n"
    script = world.script("s.py", text)
    done = world.execute(option, "nosuchpackage", script)
    assert done.returncode == 125
    assert (
        f"\n  {option} nosuchpackage\nhint: `--channel CHANNEL` adds another channel; `pypi:nosuchpackage`"
        in done.stderr
    )
    assert "s.py:" not in done.stderr
    assert script.read_text() == text


# For editors and updates -------------------------------------------------------------------------------------------


def test_print_python_prints_a_python_or_nothing(world: World) -> None:
    world.script("s.py", "# conda execute\n# env: [python]\n")
    world.script("r.sh", "# conda execute\n# env: [prefixed-binary]\n# run_with: sh\n")
    python = world.execute("--print-python", "s.py", check=True).stdout.strip()
    assert world.run([python, "-c", "print('ran')"], check=True).stdout == "ran\n"
    done = world.execute("--print-python", "r.sh")
    assert (done.returncode, done.stdout) == (127, "")
    assert "the environment of `r.sh` has no Python" in done.stderr


@pytest.mark.parametrize(
    ("version", "spec"),
    [("3.12", "python 3.12.*"), ("3", "python 3.*"), (">=3.10", "python >=3.10"), ("3.12.*", "python 3.12.*")],
)
def test_python_asks_for_one_more_spec(world: World, version: str, spec: str) -> None:
    world.script("s.py", NUMPY)
    done = world.execute("--check", "--json", "--python", version, "s.py", check=True)
    assert spec in json.loads(done.stdout)["specs"]


def test_update_takes_the_newest_that_fits(world: World, make_channel: Callable[..., str]) -> None:
    """For the lock, too, where the script has one."""
    echo = "#!/bin/sh\necho {}\n"
    url = make_channel(Package("greet", "1.0", {"bin/greet": echo.format("old")}))
    header = f"# conda execute\n# env: [greet]\n# channels: ['{url}']\n# run_with: sh\ngreet\n"
    plain, locked = world.script("plain.sh", header), world.script("locked.sh", header + "# more\n")
    world.execute("--lock", locked, check=True)
    for script in (plain, locked):
        assert world.execute(script, check=True).stdout == "old\n"
    newer = Package("greet", "2.0", {"bin/greet": echo.format("new")})
    write_channel(
        Path(url.removeprefix("file://")), [Package("greet", "1.0", {"bin/greet": echo.format("old")}), newer]
    )
    for script in (plain, locked):
        assert world.execute(script, check=True).stdout == "old\n"
        assert world.execute("--update", script, check=True).stdout == "new\n"
        assert world.execute(script, check=True).stdout == "new\n"
    assert "greet-2.0" in Path(f"{locked}.conda-execute.lock").read_text()


# What it is called ---------------------------------------------------------------------------------------------------

#: What conda's plugin does with the words after `conda execute`.
AS_PLUGIN = """\
import sys
from conda_execute.cli import execute, tmpenv
from conda_execute.text import call_by_conda
call_by_conda()
main = {"execute": execute.main, "tmpenv": tmpenv.main}[sys.argv[1]]
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    "argv",
    [
        ["execute", "none.py", "--help"],
        ["execute", "headless.py"],
        ["execute", "--nonsense", "s.py"],
        ["execute"],
        ["execute", "--help"],
        ["execute", "--json", "headless.py"],
        ["tmpenv", "--help"],
        ["tmpenv", "info", "nothing"],
        ["tmpenv", "clear", "--help"],
    ],
    ids=" ".join,
)
def test_commands_in_texts_have_the_name_that_was_called(world: World, argv: list[str]) -> None:
    world.script("headless.py", "print('no header')\n")
    by_program = world.run([f"conda-{argv[0]}", *argv[1:]])
    by_conda = world.run([sys.executable, "-c", AS_PLUGIN, *argv], cwd=world.work, env={"PYTHONPATH": str(CHECKOUT)})
    assert not re.search(r"(?<!# )conda (execute|tmpenv)", by_program.stdout + by_program.stderr)
    assert "conda-execute -" not in by_conda.stdout + by_conda.stderr
    assert re.search(r"conda (execute|tmpenv)", by_conda.stdout + by_conda.stderr) or argv[1:2] == ["none.py"]


def test_every_run_reports_an_entry_that_an_empty_line_separates_from_its_header(world: World) -> None:
    script = world.script("lost.py", "# conda execute\n# env:\n#  - python\n\n#  - numpy\nprint('ran')\n")
    for words in ([], [], [], ["-v"]):
        done = world.execute(*words, script)
        assert done.stdout == "ran\n"
        assert done.stderr.count("does not count: an empty line ends the header before it") == 1
    assert world.execute("--quiet", script).stderr == ""
