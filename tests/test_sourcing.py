"""Laws of activation scripts: whatever a package's script does, the run is the script's own, or fails by its name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.launching import HEADER, make_place
from tests.test_process import TestEntrypoint as Entrypoints
from tests.test_process import command, prefix, script

__all__ = ["prefix"]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX shells source them")

#: What each activation script does, and what is said of it.
OFFENCES = {
    "exit": ("exit 3", "ended with status 3"),
    "exit without a status": ("false; exit", "ended with status 1"),
    "exit 0": ("exit 0", "ended with status 0"),
    "builtin exit": ("command exit 4", "ended with status 4"),
    "exit within a function": ("leave() { exit 5; }; leave", "ended with status 5"),
    "exec": ("exec true", "became another program, `true`"),
    "cd": ("cd /", "changed the working directory to `/`"),
    "set -e": ("set -e", "left `set -e` on"),
    "set -u": ("set -u", "left `set -u` on"),
    "an unset variable": ("set -u; : $_ce_no_such", "ended with status"),
    "${x?}": (": ${_ce_no_such?}", "ended with status"),
}

#: What scripts of packages may do.
CUSTOMS = {
    "a subshell that ends": "(exit 3); (exec false); x=$(exit 4); export A=1",
    "return": "export A=1; return 3",
    "a failing command": "false; export A=1; false",
    "set -e and back": "set -e; export A=1; set +e",
    "cd and back": 'cd / && cd "$OLDPWD"; export A=1',
    "exec of a redirection": "exec 3>/dev/null; export A=1",
    "a trap of its own": "trap 'echo mine' EXIT; export A=1",
    "standard input": "read -r line; export A=1$line",
    "a syntax error": "export A=1\nif then",
}


def run(prefix: Path, *argv: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "SEEN": "outside", **({} if path is None else {"PATH": path})}
    return subprocess.run(
        command(prefix, *argv), env=environ, input="mine\n", capture_output=True, text=True, check=False
    )


SHOW = ["python", "-c", "import os, sys; print(os.environ.get('A'), sys.stdin.read().strip())"]


@pytest.mark.parametrize("offence", OFFENCES)
def test_script_that_would_end_the_run_is_reported_by_its_path(prefix: Path, offence: str) -> None:
    text, told = OFFENCES[offence]
    script(prefix, "a.sh", "export A=1")
    script(prefix, "b.sh", text)
    done = run(prefix, *SHOW)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert f"error: the activation script `{prefix}/etc/conda/activate.d/b.sh` {told}" in done.stderr


@pytest.mark.parametrize("offence", OFFENCES)
def test_entrypoint_of_two_commands_never_runs_with_half_an_environment(prefix: Path, offence: str) -> None:
    text, told = OFFENCES[offence]
    script(prefix, "b.sh", text)
    chain = "Entrypoint(((word('sh'), word('-c'), word('echo one')), (word('echo'), word('two'))))"
    done = Entrypoints().run(prefix, chain)
    assert (done.returncode, done.stdout) == (1, ""), "the driver prints a traceback"
    assert f"b.sh` {told}" in done.stderr


@pytest.mark.parametrize("custom", CUSTOMS)
def test_what_packages_do_is_theirs_and_the_streams_are_the_scripts(prefix: Path, custom: str) -> None:
    script(prefix, "a.sh", f"echo told\n{CUSTOMS[custom]}")
    done = run(prefix, *SHOW)
    assert (done.returncode, done.stdout) == (0, "1 mine\n"), done.stderr
    assert "told\n" in done.stderr


@pytest.mark.parametrize("stream", ["1", "2"])
def test_closed_stream_keeps_no_script_from_running(prefix: Path, stream: str) -> None:
    script(prefix, "a.sh", "echo told; export A=1")
    look = "import os; open(os.environ['OUT'], 'w').write(os.environ['A'])"
    out = prefix.parent / "out"
    words = ["/bin/sh", "-c", f'exec "$@" {stream}>&-', "sh", *command(prefix, "python", "-c", look)]
    subprocess.run(words, env={**os.environ, "OUT": str(out)}, check=True)
    assert out.read_text() == "1"


def test_signal_while_scripts_are_sourced_ends_the_run_as_a_signal(prefix: Path) -> None:
    script(prefix, "a.sh", "kill -TERM $$; sleep 5")
    assert run(prefix, *SHOW).returncode == -signal.SIGTERM


@pytest.mark.skipif(os.path.exists("/bin/bash") and not os.path.exists("/usr/bin/unshare"), reason="bash is found")
@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("offence", ["exit", "exec", "cd", "set -e"])
def test_shell_that_is_no_bash_is_a_child_whose_answer_must_be_whole(prefix: Path, offence: str) -> None:
    """`exec` cannot be told from an end there, so all scripts are named."""
    script(prefix, "b.sh", OFFENCES[offence][0])
    hidden = 'for f in /bin/bash /usr/bin/bash; do [ ! -e $f ] || mount --bind /dev/null $f; done; exec "$@"'
    words = ["unshare", "--mount", "/bin/sh", "-c", hidden, "sh", *command(prefix, *SHOW)]
    done = subprocess.run(
        words, env={**os.environ, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert "b.sh`" in done.stderr


def test_launcher_reports_it_as_python_does(tmp_path: Path) -> None:
    place = make_place(tmp_path / "a place")
    folder = place.prefix / "etc" / "conda" / "activate.d"
    folder.mkdir(parents=True)
    (folder / "a.sh").write_text('[ -z "$LEAVE" ] || exit 3\necho told\n')
    file = place.script("x.py", HEADER + "\nimport json, sys; print(json.dumps(sys.stdin.read()))\n")
    for _ in range(2):
        done = place.run(file, input=b"mine")
        assert (json.loads(done.stdout), done.stderr) == ("mine", b"told\n")
    leaving = place.with_(LEAVE="1")
    done = leaving.run(file)
    assert place.asked == 1
    assert (done.returncode, done.stdout) == (125, b"")
    assert f"error: the activation script `{folder}/a.sh` ended with status 3\nhint: ".encode() in done.stderr
