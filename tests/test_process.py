"""Laws of handing over: what runs is as if it had been run directly, in the activated environment."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from shlex import quote

import pytest

from conda_execute.errors import ExecuteError, NotExecutableError, NotFoundError
from conda_execute.launch.activation import Activation, activate
from conda_execute.launch.entrypoint import constant_command
from conda_execute.launch.execute import execute
from conda_execute.launch.process import KEPT, find_program, inherited_environ
from conda_execute.launch.sourcing import sourced
from conda_execute.model import Entrypoint, Substitution, Text, Variable, Word

ROOT = str(Path(__file__).parent.parent)

#: Becomes its arguments in the prefix named first, as the doors do; prints errors as a door would.
RUN = f"""
import sys
sys.path.insert(0, {ROOT!r})
from conda_execute.launch.activation import activate
from conda_execute.errors import ExecuteError
from conda_execute.launch.process import inherited_environ
from conda_execute.launch.execute import execute
try:
    execute(sys.argv[2:], activate(sys.argv[1], inherited_environ()))
except ExecuteError as error:
    print(error, "|", error.hint, file=sys.stderr)
    sys.exit(error.exit_status)
"""


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    path = tmp_path / "a prefix"
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").symlink_to(sys.executable)
    return path


def command(prefix: Path, *argv: str) -> list[str]:
    return [sys.executable, "-I", "-c", RUN, str(prefix), *argv]


def run(prefix: Path, *argv: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    options.setdefault("check", False)
    return subprocess.run(command(prefix, *argv), capture_output=True, **options)  # type: ignore[call-overload] # noqa: PLW1510


def tool(prefix: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = prefix / "bin" / name
    path.write_text(text)
    path.chmod(mode)
    return path


def script(prefix: Path, name: str, text: str, folder: str = "activate.d") -> None:
    directory = prefix / "etc" / "conda" / folder
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)


@pytest.mark.parametrize("status", [0, 1, 125, 255])
def test_exit_status_is_the_scripts(prefix: Path, status: int) -> None:
    assert run(prefix, "sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGSEGV", "SIGPIPE", "SIGXFSZ", "SIGKILL"])
def test_signals_are_at_their_default_and_end_it_as_they_would(prefix: Path, name: str) -> None:
    number = getattr(signal, name)
    directly = subprocess.run(["/bin/sh", "-c", f"kill -{int(number)} $$"], check=False)
    assert run(prefix, "sh", "-c", f"kill -{int(number)} $$").returncode == directly.returncode == -number


def test_signals_that_the_caller_ignores_stay_ignored(prefix: Path) -> None:
    shell = ["/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "sh"]
    done = subprocess.run([*shell, *command(prefix, "sh", "-c", "kill -2 $$; kill -1 $$; exit 7")], check=False)
    assert done.returncode == 7


def test_pid_stays(prefix: Path) -> None:
    child = subprocess.Popen(command(prefix, "sh", "-c", "echo $$"), stdout=subprocess.PIPE)
    assert int(child.communicate()[0]) == child.pid


def test_streams_pass_bytes_through(prefix: Path) -> None:
    data = bytes(range(256)) * 1000
    assert run(prefix, "cat", input=data).stdout == data


def test_closed_standard_input_stays_closed(prefix: Path) -> None:
    look = "import os\ntry: os.fstat(0)\nexcept OSError: print('closed')"
    closed = ["/bin/sh", "-c", 'exec "$@" <&-', "sh"]
    # A measurement of coverage opens a file of its own there.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    words = [*closed, *command(prefix, "python", "-c", look)]
    assert subprocess.run(words, capture_output=True, env=environ, check=False).stdout == b"closed\n"


def test_no_file_descriptor_of_ours_is_left_open_and_those_of_the_caller_are(prefix: Path, tmp_path: Path) -> None:
    with open(tmp_path / "given", "w") as given:
        look = "import os; print([n for n in range(99) if os.path.exists(f'/dev/fd/{n}')])"
        done = run(prefix, "python", "-c", look, pass_fds=(given.fileno(),))
        assert json.loads(done.stdout) == [0, 1, 2, given.fileno()]


def test_a_megabyte_of_arguments_arrives(prefix: Path) -> None:
    words = ["x" * 1000] * 1000
    done = run(prefix, "python", "-c", "import sys; print(len(sys.argv), sum(map(len, sys.argv)))", *words)
    assert done.stdout == b"1001 1000002\n"


def test_too_long_arguments_are_refused_with_a_reason(prefix: Path) -> None:
    with pytest.raises(NotExecutableError, match="too long"):
        execute(["sh", "-c", ":", "x" * (resource.getpagesize() * 64)], activate(str(prefix), os.environ))


def test_program_of_the_prefix_wins(prefix: Path) -> None:
    tool(prefix, "ls", "#!/bin/sh\necho mine\n")
    assert run(prefix, "ls").stdout == b"mine\n"


def test_missing_program_lists_what_is_close(prefix: Path) -> None:
    done = run(prefix, "pyhton", "x")
    assert done.returncode == 127
    assert b"`pyhton` is neither in the environment nor elsewhere on PATH | the environment has `python`" in done.stderr


def test_missing_program_that_sets_a_variable_is_told_how(prefix: Path) -> None:
    done = run(prefix, "A=1", "python")
    assert done.returncode == 127
    assert b"| `env A=1 PROGRAM` sets a variable for a program" in done.stderr


@pytest.mark.parametrize(
    ("text", "mode", "status", "message"),
    [
        pytest.param("#!/bin/sh\n", 0o644, 126, b"is not executable", id="mode"),
        pytest.param(
            "#!/no/such/python -x\n", 0o755, 127, b"its interpreter `/no/such/python` is not there", id="dead"
        ),
        pytest.param("\x7fELF\0\0", 0o755, 126, b"is not a program for this machine", id="binary"),
        pytest.param("", 0o755, 126, b"is not a program for this machine", id="empty"),
        pytest.param("\n\n", 0o755, 126, b"is not a program for this machine", id="as good as empty"),
        pytest.param("\0" * 5000, 0o755, 126, b"is not a program for this machine", id="zeros"),
        pytest.param("echo \x01\x02\n", 0o755, 126, b"is not a program for this machine", id="random"),
    ],
)
def test_what_cannot_be_executed_is_said(prefix: Path, text: str, mode: int, status: int, message: bytes) -> None:
    tool(prefix, "tool", text, mode)
    done = run(prefix, "tool")
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr


def test_command_that_a_hint_gives_holds_for_a_path_with_blanks(prefix: Path) -> None:
    path = tool(prefix, "my tool", "#!/bin/sh\n", 0o644)
    with pytest.raises(NotExecutableError) as caught:
        find_program(str(path), os.environ, str(prefix))
    assert caught.value.hint is not None
    subprocess.run(["/bin/sh", "-c", caught.value.hint], check=True)
    assert find_program(str(path), os.environ, str(prefix)) == str(path)


def test_directory_is_no_program(prefix: Path) -> None:
    with pytest.raises(NotExecutableError, match="is a directory"):
        find_program(str(prefix), os.environ, str(prefix))
    with pytest.raises(NotFoundError):
        find_program("", os.environ, str(prefix))


def test_program_without_shebang_is_run_by_the_shell(prefix: Path) -> None:
    tool(prefix, "tool", "echo from $1\n")
    assert run(prefix, "tool", "sh").stdout == b"from sh\n"


def test_activation_scripts_are_sourced_once_in_order_and_see_no_arguments(prefix: Path) -> None:
    script(prefix, "a.sh", 'A="${A}a$#"; export A; [[ $BASH ]] && export IN=bash; other() { :; }\n')
    script(prefix, "b.sh", 'export A="${A}b$CONDA_PREFIX"; echo sourced\n')
    done = run(
        prefix, "python", "-c", "import os, sys; print(os.environ['A'], os.environ['IN'], sys.argv[1:])", "'x y'"
    )
    assert done.stdout.decode() == f"a0b{prefix} bash [\"'x y'\"]\n"
    assert done.stderr == b"sourced\n"


def test_activation_script_may_put_more_on_path(prefix: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "tool").write_text("#!/bin/sh\necho found\n")
    (more / "tool").chmod(0o755)
    script(prefix, "a.sh", f"export PATH=$PATH:{quote(str(more))}")
    assert run(prefix, "tool").stdout == b"found\n"


def test_shell_that_sources_runs_nothing_of_the_users(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("echo rc; export FROM_RC=1")
    script(prefix, "a.sh", "export A=1")
    environ = {**os.environ, "BASH_ENV": str(tmp_path / "rc"), "ENV": str(tmp_path / "rc"), "a-b": "odd"}
    environ["BASH_FUNC_ls%%"] = "() { echo function; }"
    look = "import os, json; print(json.dumps(dict(os.environ)))"
    seen = json.loads(run(prefix, "python", "-c", look, env=environ).stdout)
    assert "FROM_RC" not in seen
    assert {name: seen.get(name) for name in ("BASH_ENV", "a-b", "A", "BASH_FUNC_ls%%")} == {
        "BASH_ENV": environ["BASH_ENV"], "a-b": "odd", "A": "1", "BASH_FUNC_ls%%": environ["BASH_FUNC_ls%%"]
    }  # fmt: skip


def test_outer_environment_is_deactivated_as_itself_before_anything_is_set(prefix: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    script(outer, "x.sh", 'export SEEN="$CONDA_PREFIX"; unset OF_OUTER; unset A', "deactivate.d")
    script(prefix, "a.sh", 'export SEEN="$SEEN then $CONDA_PREFIX"')
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "state").write_text('{"env_vars": {"A": "kept"}}')
    environ = {**os.environ, "CONDA_PREFIX": str(outer), "CONDA_SHLVL": "1", "OF_OUTER": "1", "A": "kept"}
    got = sourced(activate(str(prefix), environ))
    assert got["SEEN"] == f"{outer} then {prefix}"
    assert "OF_OUTER" not in got
    assert (got["A"], got["CONDA_PREFIX_1"]) == ("kept", str(outer))


def test_activation_scripts_that_fail_are_named(prefix: Path) -> None:
    script(prefix, "a.sh", "exit 3")
    with pytest.raises(ExecuteError, match="ended with status 3"):
        sourced(activate(str(prefix), os.environ))


@pytest.mark.parametrize("end", ["", "exit 3"], ids=["success", "failure"])
def test_what_an_activation_script_left_running_is_not_waited_for(prefix: Path, tmp_path: Path, end: str) -> None:
    script(prefix, "a.sh", f"export BIG={'x' * 100_000}\nsleep 600 & echo $! > {quote(str(tmp_path / 'pid'))}\n{end}\n")
    try:
        if end:
            with pytest.raises(ExecuteError, match="ended with status 3"):
                sourced(activate(str(prefix), os.environ))
        else:
            assert len(sourced(activate(str(prefix), os.environ))["BIG"]) == 100_000
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # an error if it has ended


def test_what_the_launcher_put_aside_comes_back() -> None:
    ours = {"PATH": "/bin", KEPT + "PYTHONPATH": "/mine", KEPT + "PYTHONHOME": ""}
    assert inherited_environ(ours) == {"PATH": "/bin", "PYTHONPATH": "/mine", "PYTHONHOME": ""}


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C.UTF-8"}], ids=["absent", "given"])
def test_locale_that_python_sets_for_itself_does_not_reach_the_script(prefix: Path, given: dict[str, str]) -> None:
    environ = {"PATH": os.environ["PATH"], **given}
    assert (b"LC_CTYPE" in run(prefix, "env", env=environ).stdout) == bool(given)


class TestEntrypoint:
    """Chains of commands, substitution, and signals while we wait."""

    DRIVER = (
        RUN.split("try:", 1)[0]
        + """
from conda_execute.model import *
from conda_execute.launch.entrypoint import execute_entrypoint
def word(*pieces):
    return Word(tuple(Text(p) if isinstance(p, str) else p for p in pieces))
entrypoint = eval(sys.argv[2])
arguments = sys.argv[4:]
activation = activate(sys.argv[1], inherited_environ())
execute_entrypoint(entrypoint, arguments, sys.argv[3], activation)
"""
    )

    def command(self, prefix: Path, entrypoint: str, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-c", self.DRIVER, str(prefix), entrypoint, "/the script", *arguments]

    def run(self, prefix: Path, entrypoint: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self.command(prefix, entrypoint, *arguments)
        environ = {**os.environ, "CONDA_EXECUTE_CACHE_DIR": str(prefix.parent / "cache")}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)

    def test_commands_run_in_order_and_the_last_takes_our_place(self, prefix: Path) -> None:
        one = "word('sh'), word('-c'), word('echo one $PPID')"
        two = "word('sh'), word('-c'), word('echo two $$ $1 $2'), word('-')"
        chain = f"Entrypoint((({one}), ({two})))"
        done = self.run(prefix, chain, "a b", "c")
        first, second = done.stdout.splitlines()
        assert first.split() == ["one", second.split()[1]]
        assert second.split()[2:] == ["a", "b", "c"]

    @pytest.mark.parametrize(("code", "status"), [("exit 3", 3), ("kill -15 $$", -15), ("kill -9 $$", -9)])
    def test_status_is_that_of_the_first_failing_command(self, prefix: Path, code: str, status: int) -> None:
        done = self.run(prefix, f"Entrypoint(((word('sh'), word('-c'), word({code!r})), (word('echo'), word('no'))))")
        assert (done.returncode, done.stdout) == (status, "")

    @pytest.mark.parametrize(
        ("output", "words"),
        [
            ("-I/a  -lb\\n", "[<-I/a][-lb>]"),
            ("one", "[<one>]"),
            (" a b ", "[<][a][b][>]"),
            ("", "[<>]"),
            (" \\n", "[<][>]"),
        ],
    )
    def test_bare_output_is_split_at_blanks(self, prefix: Path, output: str, words: str) -> None:
        substitution = f"Substitution(((word('printf'), word('{output}')),), True)"
        done = self.run(prefix, f"Entrypoint(((word('printf'), word('[%s]'), word('<', {substitution}, '>')),))")
        assert done.stdout == words

    def test_bare_output_without_words_is_no_word(self, prefix: Path) -> None:
        substitution = "word(Substitution(((word('true'),),), True))"
        assert (
            self.run(prefix, f"Entrypoint(((word('printf'), word('[%s]'), {substitution}, word('a')),))").stdout
            == "[a]"
        )

    @pytest.mark.parametrize(("first", "status", "words"), [("true", 0, "[ab]"), ("false", 1, "")])
    def test_commands_of_a_substitution_run_until_one_fails(
        self, prefix: Path, first: str, status: int, words: str
    ) -> None:
        commands = f"((word('printf'), word('a')), (word('{first}'),), (word('printf'), word('b')))"
        chain = f"Entrypoint(((word('printf'), word('[%s]'), word(Substitution({commands}, True))),))"
        done = self.run(prefix, chain)
        assert (done.returncode, done.stdout) == (status, words)

    def test_variables_and_output_in_quotes_are_substituted_and_never_split(self, prefix: Path) -> None:
        command = (
            "(word('printf'), word('[%s]'), word(Variable('SCRIPT')), word('x', Variable('CACHE')),"
            "word('<', Substitution(((word('printf'), word('a b\\n\\n')),)), '>'))"
        )
        done = self.run(prefix, f"Entrypoint(({command},))", "more")
        [cache] = (path for path in (prefix.parent / "cache" / "scripts").iterdir() if not path.is_symlink())
        assert done.stdout == f"[/the script][x{cache}][<a b>][more]"
        assert cache.is_dir()

    def test_signal_sent_to_us_reaches_the_command_we_wait_for(self, prefix: Path, tmp_path: Path) -> None:
        code = f"trap 'exit 9' TERM; : > '{tmp_path}/ready'; while :; do sleep 0.05; done"
        entrypoint = f"Entrypoint(((word('sh'), word('-c'), word({code!r})), (word('echo'), word('no'))))"
        child = subprocess.Popen(self.command(prefix, entrypoint), stdout=subprocess.PIPE)
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        assert child.communicate(timeout=60) == (b"", None)
        assert child.returncode == 9

    def test_signal_that_comes_as_soon_as_the_command_starts_reaches_it(self, prefix: Path) -> None:
        code = "trap 'exit 9' TERM; kill -TERM $PPID; i=0; while [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done"
        entrypoint = f"Entrypoint(((word('sh'), word('-c'), word({code!r})), (word('echo'), word('no'))))"
        statuses = [self.run(prefix, entrypoint).returncode for _ in range(20)]
        assert statuses == [9] * 20

    def test_activation_scripts_are_sourced_once_for_the_whole_chain(self, prefix: Path) -> None:
        script(prefix, "a.sh", "echo sourced; export A=a")
        chain = "Entrypoint(((word('sh'), word('-c'), word('echo $A')), (word('sh'), word('-c'), word('echo $A'))))"
        done = self.run(prefix, chain)
        assert (done.stdout, done.stderr) == ("a\na\n", "sourced\n")


def test_entrypoint_that_is_the_same_each_time_is_known() -> None:
    script = Word((Text("x"), Variable("SCRIPT")))
    assert constant_command(Entrypoint(((script, Word((Text("a b"),))),)), "/s") == ["x/s", "a b"]
    for other in (Variable("CACHE"), Substitution(((script,),))):
        assert constant_command(Entrypoint(((script, Word((other,))),)), "/s") is None
    assert constant_command(Entrypoint(((script,), (script,))), "/s") is None


def test_activation_without_scripts_needs_no_shell(prefix: Path) -> None:
    environ = {"PATH": str(prefix / "bin")}
    assert sourced(Activation(str(prefix), environ)) is environ
