"""What the shells complete, asked of the shells themselves: keys typed on a terminal, the line run, its words read.

The programs on PATH only print their arguments, `<a> <b>`; what is completed does not depend on what they do.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conda_execute.cli import completion
from conda_execute.options import COMMANDS, CommandLine, RunOptions
from tests.conftest import World

SHELLS = RunOptions.TABLE["completion"].words

#: Seconds for one line of a shell.
PATIENCE = 15

PROMPT = rb"> (?:\x1b\[\?2004h)?$"

NAME = "ea977067a8fbeb21a594"

ECHO = "#!/bin/sh\nprintf 'ran'\nprintf ' <%s>' \"$@\"\necho .\n"
LIST = f"""\
#!/bin/sh
if [ "$*" = list ]; then
  printf 'NAME                  SIZE\\n{NAME}  12 MB\\n    4711  python\\n'
  exit
fi
{ECHO.partition("sh")[2]}"""

#: What conda's own completion may be like: a function that somebody registered before.
BASH_BEFORE = '_before() { COMPREPLY=($(compgen -W install -- "$2")); }\ncomplete -F _before conda\n'
ZSH_BEFORE = "_before() { compadd install }\ncompdef _before conda\n"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a few files in it, and programs to type the names of."""
    tmp_path = tmp_path_factory.mktemp("machine")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"conda": ECHO, "conda-execute": ECHO, "conda-tmpenv": LIST}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("plot.py", "data.csv", "environment.yml"):
        (home / name).write_text("")
    for shell in SHELLS:
        (home / f".completion.{shell}").write_text(completion.script(shell))
    (home / ".bashrc").write_text(f"{BASH_BEFORE}PS1='> '\n. ~/.completion.bash\n")
    (home / ".zshrc").write_text(
        f"PS1='> '\nautoload -Uz compinit\ncompinit -u -D\n{ZSH_BEFORE}. ~/.completion.zsh\nbindkey -e\n"
    )
    return tmp_path


def _environ(machine: Path) -> dict[str, str]:
    return {
        "PATH": f"{machine / 'programs'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(machine / "home"),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "INPUTRC": "/dev/null",
    }


STARTS = {"bash": ["bash", "--rcfile", ".bashrc", "-i"], "zsh": ["zsh", "-d", "-i"]}


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, shell: str, machine: Path) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            STARTS[shell],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=_environ(machine),
            cwd=machine / "home",
            start_new_session=True,
        )
        os.close(slave)
        self._await(PROMPT)

    def type(self, keys: str) -> str:
        """The arguments that the program got when a person typed this; `\\t` is the Tab key."""
        os.write(self.master, f"{keys}\n".encode())
        return self._await(rb"\nran ?(.*?)\.\r?\n.*" + PROMPT)

    def _await(self, pattern: bytes) -> str:
        shown, deadline = b"", time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.2)[0]:
                shown += os.read(self.master, 4096)
                if found := re.search(pattern, shown, re.DOTALL):
                    return (found[1] if found.groups() else b"").decode()
        pytest.fail(f"{pattern!r} was not shown: {shown.decode('utf-8', 'replace')}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture(scope="module")
def terminals(machine: Path) -> Iterator[Callable[[str], Terminal]]:
    """A terminal for each shell, opened once."""
    opened: dict[str, Terminal] = {}

    def terminal(shell: str) -> Terminal:
        if shell not in opened or opened[shell].process.poll() is not None:
            opened[shell] = Terminal(shell, machine)
        return opened[shell]

    yield terminal
    for each in opened.values():
        each.close()


def _suggested(line: str, machine: Path) -> list[str]:
    """What fish suggests for the end of a line, without the descriptions."""
    done = subprocess.run(
        ["fish", "--no-config", "-c", "source ~/.completion.fish; complete -C $argv[1]", "--", line],
        env=_environ(machine),
        cwd=machine / "home",
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    words = [suggestion.partition("\t")[0] for suggestion in done.stdout.splitlines()]
    return [word.removesuffix("=") for word in words]  # fish adds it to options that take a value


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


#: What is typed before the Tab key, and the arguments that come of it.
LINES = {
    "an option": ("conda-execute --ba", "<--backend>"),
    "its value": ("conda-execute --backend ra", "<--backend> <rattler>"),
    "another option after a value": ("conda-execute --with -v --ove", "<--with> <-v> <--override-channels>"),
    "the script": ("conda-execute -v pl", "<-v> <plot.py>"),
    "an argument of the script": ("conda-execute plot.py da", "<plot.py> <data.csv>"),
    "no option of ours after the script": ("conda-execute plot.py --ba", "<plot.py> <--ba>"),
    "no file for a spec": ("conda-execute --with pl", "<--with> <pl>"),
    "a command": ("conda-tmpenv cl", "<clear>"),
    "an option of a command": ("conda-tmpenv clear --dry", "<clear> <--dry-run>"),
    "no option of another command": ("conda-tmpenv list --dry", "<list> <--dry>"),
    "a value of a command": ("conda-tmpenv list --sort cr", "<list> <--sort> <created>"),
    "an environment": ("conda-tmpenv info ea", f"<info> <{NAME}>"),
    "a script in place of one": ("conda-tmpenv keep pl", "<keep> <plot.py>"),
    "a file": ("conda-tmpenv create --file env", "<create> <--file> <environment.yml>"),
    "conda's way to an option": ("conda execute --ba", "<execute> <--backend>"),
    "conda's way to a script": ("conda execute pl", "<execute> <plot.py>"),
    "conda's way to a command": ("conda tmpenv rel", "<tmpenv> <release>"),
    "conda's way to ours": ("conda exe", "<execute>"),
    "conda's own": ("conda inst", "<install>"),
}


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in STARTS])
@pytest.mark.parametrize("line", LINES)
def test_tab_completes(shell: str, line: str, terminals: Callable[[str], Terminal]) -> None:
    typed, expected = LINES[line]
    assert terminals(shell).type(f"{typed}\t") == expected


@pytest.mark.parametrize("typed", ["--backend=ra", "--backend=rat"])
@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in STARTS])
def test_tab_completes_a_value_behind_an_equals_sign(
    shell: str, typed: str, terminals: Callable[[str], Terminal]
) -> None:
    """bash parts words there."""
    assert terminals(shell).type(f"conda-execute {typed}\t") == "<--backend=rattler>"


@needs("fish")
@pytest.mark.parametrize("line", [line for line in LINES if line != "conda's own"])
def test_fish_suggests(line: str, machine: Path) -> None:
    typed, expected = LINES[line]
    suggested = _suggested(typed, machine)
    last = expected.rpartition("<")[2].rstrip(">")
    if last == typed.rpartition(" ")[2]:
        assert suggested == []
    else:
        assert suggested == [last]


@needs("zsh")
def test_zsh_loads_it_from_a_directory_of_functions(machine: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "programs").symlink_to(machine / "programs")
    (tmp_path / "home" / "_conda-execute").write_text((machine / "home" / ".completion.zsh").read_text())
    (tmp_path / "home" / ".zshrc").write_text("PS1='> '\nfpath=(~ $fpath)\nautoload -Uz compinit\ncompinit -u -D\n")
    terminal = Terminal("zsh", tmp_path)
    try:
        assert terminal.type("conda-execute --ba\t") == "<--backend>"
        assert terminal.type("conda-tmpenv cl\t") == "<clear>"
    finally:
        terminal.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_and_command_is_offered(shell: str) -> None:
    text = completion.script(shell)
    for option in RunOptions.TABLE.values():
        long = option.name
        assert (f"-l {long[2:]}" if shell == "fish" and long.startswith("--") else long) in text
    for command in COMMANDS:
        assert command in text
    assert "@" not in re.sub(r'"\$@"|\$\{?\w+\[@\]\}?|\[@\]', "", text)


def test_every_option_and_command_is_explained() -> None:
    kinds: list[type[CommandLine]] = [RunOptions, *COMMANDS.values()]
    assert [option.name for kind in kinds for option in kind.TABLE.values() if not option.help] == []
    assert [kind for kind in kinds if not kind.PROSE] == []


def test_the_program_prints_it(world: World) -> None:
    assert world.execute("--completion", "bash", check=True).stdout == completion.script("bash")
    done = world.execute("--completion", "tcsh")
    assert (done.returncode, done.stdout) == (125, "")
    assert "`--completion` does not take `tcsh`" in done.stderr
