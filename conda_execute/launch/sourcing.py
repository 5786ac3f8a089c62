"""Activation scripts that packages bring: sourced once, all by one shell, which is bash where there is one."""

from __future__ import annotations

import os
import sys

from ..errors import ExecuteError
from .process import COERCED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO
    from subprocess import Popen

    from .activation import Activation

#: Seconds between two looks whether a shell that says nothing has ended.
_PAUSE = 0.1


def find_shell(environ: Mapping[str, str]) -> list[str]:
    """The shell that sources activation scripts, with its options: bash where there is one, as their authors use it.

    `-p` keeps bash from running BASH_ENV and from importing functions, both of which belong to the script.
    """
    for path in (*(os.path.join(part, "bash") for part in environ.get("PATH", "").split(":") if part), "/bin/bash"):
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return [path, "-p", "-c"]
    return ["/bin/sh", "-c"]


def quote(text: str) -> str:
    """`text` as one word for any POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def environ_of_shell(activation: Activation) -> dict[str, str]:
    """What the sourcing shell starts with: scripts of `deactivate.d` expect the environment outside."""
    return dict(activation.outer) if activation.outer_scripts else activation.environ


def sourcing_program(activation: Activation) -> str:
    """Shell text that activates and then becomes `$0` with the arguments `$@`.

    Within a function, so that sourced scripts see no arguments, and with `command .`, since a missing file would end
    a POSIX shell.
    """
    lines = ["activate() {", *(f"command . {quote(path)}" for path in activation.outer_scripts)]
    if activation.outer_scripts:
        outer = activation.outer
        gone = [name for name in (*outer, *activation.unsets) if name not in activation.environ]
        changed = [name for name, value in activation.environ.items() if outer.get(name) != value]
        fixed = [*changed, *(name for name, _ in activation.exports if name not in changed)]
        lines += [f"unset {name}" for name in gone if name.isidentifier()]
        lines += [f"export {name}={quote(activation.environ[name])}" for name in fixed if name.isidentifier()]
    lines += [*(f"command . {quote(path)}" for path in activation.scripts), ":", "}"]
    return "\n".join([*lines, "activate", "unset -f activate", 'exec "$0" "$@"'])


#: Run by our interpreter at the end of a sourcing shell: says what the environment has become: variables parted by
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
    program = sourcing_program(activation)
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as answer:
        try:
            command = [*shell, program, sys.executable, "-I", "-S", "-c", _TELL, str(writing)]
            child = subprocess.Popen(command, env=environ_of_shell(activation), pass_fds=(writing,))
        finally:
            os.close(writing)
        told = _told(answer, child)
    if child.wait() != 0:
        raise ExecuteError(
            f"the environment's activation scripts ended with status {child.returncode}",
            hint="they are " + ", ".join(f"`{path}`" for path in (*activation.outer_scripts, *activation.scripts)),
        )
    pairs = (os.fsdecode(entry).partition("=") for entry in told.split(b"\0") if entry)
    environ = {name: value for name, _, value in pairs}
    if environ.get("LC_CTYPE") in COERCED and "LC_CTYPE" not in activation.environ:
        del environ["LC_CTYPE"]
    return environ


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
