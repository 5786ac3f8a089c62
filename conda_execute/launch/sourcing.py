"""Activation scripts that packages bring: sourced once, all by one shell, which is bash where there is one.

They cannot spoil the run: their standard output is our standard error and their input is empty, and one that ends the
shell, becomes another program, changes directory or leaves `set -e` or `-u` on is reported by its path, with the status
125 of our own errors. bash lets functions replace `exit` and `exec`, so it can be trusted to come back, and becomes
the program itself. Any other shell is a child, whose answer must be whole.
"""

from __future__ import annotations

import os
import sys

from ..errors import ExecuteError
from .activation import is_name
from .process import COERCED
from .shell import export, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import FileIO
    from subprocess import Popen

    from .activation import Activation

#: Seconds between two looks whether a shell that says nothing has ended.
_PAUSE = 0.1

_HINT = "a script sourced by `conda activate` would do that to your shell; report it to the maintainers of the package"

#: Functions of the sourcing shell. `_ce_fail` is set before. What runs in a subshell may end as it likes.
_FUNCTIONS = """\
exit() { [ "$BASH_SUBSHELL" != 0 ] || _ce_fail "ended with status ${1-$?}"; builtin exit "$@"; }
exec() { [ "$BASH_SUBSHELL" != 0 ] || [ $# = 0 ] || _ce_fail "became another program, \\`$1\\`"; builtin exec "$@"; }
"""

_SOURCE = """\
_ce_source() {
  _ce_at=$1
  shift
  command . "$_ce_at"
  case $- in *e*) set +e; _ce_fail 'left `set -e` on' ;; *u*) _ce_fail 'left `set -u` on' ;; esac
  [ "$PWD" = "$_ce_directory" ] || _ce_fail "changed the working directory to \\`$PWD\\`"
}
_ce_end() { [ "$1" -le 128 ] || { trap - 0; kill -"$(($1 - 128))" $$; }; _ce_fail "ended with status $1"; }
trap '_ce_end "$?"' 0
trap 'trap - 0 2; kill -2 $$' 2
_ce_directory=$PWD
"""


def find_shell(environ: Mapping[str, str]) -> list[str]:
    """The shell that sources activation scripts, with its options: bash where there is one, as their authors use it.

    `-p` keeps bash from running BASH_ENV and from importing functions, both of which belong to the script.
    """
    for path in (*(os.path.join(part, "bash") for part in environ.get("PATH", "").split(":") if part), "/bin/bash"):
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return [path, "-p", "-c"]
    return ["/bin/sh", "-c"]


def environ_of_shell(activation: Activation) -> dict[str, str]:
    """What the sourcing shell starts with: scripts of `deactivate.d` expect the environment outside."""
    return dict(activation.outer) if activation.outer_scripts else activation.environ


def becoming_words(activation: Activation) -> list[str] | None:
    """The words before a program that activate and then become it; None where no shell can be trusted to come back."""
    shell = find_shell(activation.environ)
    return [*shell, "\n".join(_lines(shell, activation))] if len(shell) == 3 else None


def _lines(shell: list[str], activation: Activation, report: int | None = None) -> Iterator[str]:
    """Shell text that activates and then becomes `$0` with the arguments `$@`. What a script did wrong is told on the
    descriptor `report`, else as a message.

    Within a function, so that sourced scripts see no arguments, and with `command .`, since a missing file would end
    a POSIX shell.
    """
    message = f'\'error: the activation script `%s` %s\\nhint: {_HINT}\\n\' "$_ce_at" "$1" >&2'
    told = f'\'%s\\n%s\' "$_ce_at" "$1" >/dev/fd/{report}'
    is_bash = len(shell) == 3
    leave = "builtin exit 125" if is_bash else "exit 125"
    yield f"_ce_fail() {{ trap - 0; printf {message if report is None else told}; {leave}; }}"
    if is_bash:
        yield _FUNCTIONS
    yield _SOURCE + "activate() {"
    yield from (f"_ce_source {quote(path)}" for path in activation.outer_scripts)
    if activation.outer_scripts:
        outer = activation.outer
        gone = [name for name in (*outer, *activation.unsets) if name not in activation.environ]
        changed = [name for name, value in activation.environ.items() if outer.get(name) != value]
        fixed = dict.fromkeys([*changed, *(name for name, _ in activation.exports)])
        yield from (f"unset {name}" for name in gone if is_name(name))
        yield from export({name: activation.environ[name] for name in fixed if is_name(name)})
    yield from (f"_ce_source {quote(path)}" for path in activation.scripts)
    yield ":\n}\nactivate </dev/null >&2 || activate </dev/null >/dev/null || { trap - 0; exit 125; }"
    yield "trap - 0 2\nunset -f activate _ce_source _ce_end _ce_fail" + (" exit exec" if is_bash else "")
    yield 'exec "$0" "$@"'


#: Run by our interpreter at the end of a sourcing shell: writes what the environment has become: variables separated by
#: one NUL, and two at the end.
_TELL = """\
import os, sys
with open(int(sys.argv[1]), "wb") as file:
    file.write(b"\\0".join(k + b"=" + v for k, v in os.environb.items()) + b"\\0\\0")
"""


def sourced(activation: Activation) -> dict[str, str]:
    """The environment once the activation scripts have run, for where it is needed without becoming a program."""
    if not activation.scripts and not activation.outer_scripts:
        return activation.environ
    if sys.platform == "win32":
        return _sourced_by_cmd(activation)
    import subprocess

    shell = find_shell(activation.environ)
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as answer:
        try:
            program = "\n".join(_lines(shell, activation, writing))
            command = [*shell, program, sys.executable, "-I", "-S", "-c", _TELL, str(writing)]
            child = subprocess.Popen(command, env=environ_of_shell(activation), pass_fds=(writing,))
        finally:
            os.close(writing)
        told = _told(answer, child)
    child.wait()
    if not told.endswith(b"\0\0"):
        raise _failure(activation, os.fsdecode(told))
    pairs = (os.fsdecode(entry).partition("=") for entry in told.split(b"\0") if entry)
    environ = {name: value for name, _, value in pairs}
    if environ.get("LC_CTYPE") in COERCED and "LC_CTYPE" not in activation.environ:
        del environ["LC_CTYPE"]
    return environ


def _failure(activation: Activation, told: str) -> ExecuteError:
    path, separator, why = told.partition("\n")
    if separator:
        return ExecuteError(f"the activation script `{path}` {why}", hint=_HINT)
    scripts = ", ".join(f"`{path}`" for path in (*activation.outer_scripts, *activation.scripts))
    return ExecuteError(f"an activation script became another program: {scripts}", hint=_HINT)


def _told(answer: FileIO, child: Popen[bytes]) -> bytes:
    """What `_TELL` wrote, or what there is of it when the shell has ended.

    The end of the pipe may be far: what scripts left running in the background has it open too.
    """
    import selectors

    told = b""
    with selectors.DefaultSelector() as selector:
        selector.register(answer, selectors.EVENT_READ)
        while not told.endswith(b"\0\0"):
            ended = child.poll() is not None
            if selector.select(0 if ended else _PAUSE):
                more = answer.read(1 << 16)
                if not more:
                    break
                told += more
            elif ended:
                break
    return told


if sys.platform == "win32":

    def _sourced_by_cmd(activation: Activation) -> dict[str, str]:
        import subprocess
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            batch, answer = os.path.join(directory, "activate.bat"), os.path.join(directory, "environ")
            told = "open(os.environ['CONDA_EXECUTE_ANSWER'], 'w', encoding='utf-8')"
            told += ".write(chr(0).join(k + '=' + v for k, v in os.environ.items()))"
            tell = f'"{sys.executable}" -I -S -c "import os; {told}"'
            calls = [f'@CALL "{path}"' for path in (*activation.outer_scripts, *activation.scripts)]
            with open(batch, "w", encoding="utf-8", newline="\r\n") as file:
                file.write("\n".join(["@CHCP 65001 >NUL", *calls, "@" + tell.replace("%", "%%"), ""]))
            command = [os.environ.get("COMSPEC", "cmd.exe"), "/d", "/c", batch]
            environ = {**activation.environ, "CONDA_EXECUTE_ANSWER": answer}
            returncode = subprocess.call(command, env=environ)
            if returncode != 0 or not os.path.exists(answer):
                raise ExecuteError(f"the environment's activation scripts ended with status {returncode}")
            with open(answer, encoding="utf-8") as file:
                pairs = (entry.partition("=") for entry in file.read().split("\0"))
                return {name: value for name, _, value in pairs if name != "CONDA_EXECUTE_ANSWER"}
