"""Hand the process over to the script: on POSIX by exec, so that its signals, streams and exit status are its own.

The promises, for whatever is started here:

- the program is looked for on the PATH of the environment, not on ours;
- it gets the signal dispositions and the file descriptors that we were started with (Python ignores SIGPIPE and
  SIGXFSZ for itself; they are put back to what the launcher found, else to the default), and nothing of ours is left
  open in it;
- scripts of `activate.d` are sourced by one shell, bash where there is one, which then becomes the program;
- the process id stays, so the note that says "this process uses the environment" stays true. Where several commands
  run one after the other (`&&`), the last one takes our place; on Windows, which has no exec, we wait, pass signals on
  and end with the status of the child, in a job object that ends with us.

A program that is not there raises `NotFoundError` (127), one that cannot be executed `NotExecutableError` (126).
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from .errors import ExecuteError, NotExecutableError, NotFoundError
from .values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from io import FileIO
    from subprocess import Popen
    from typing import NoReturn

    from .activation import Activation
    from .model import Entrypoint, Word

#: The launcher puts variables that would change our own interpreter aside under this prefix.
KEPT = "CONDA_EXECUTE_KEPT_"

#: What the launcher tells its Python half: its own path, and the script's as it made it absolute.
LAUNCHED_BY = "CONDA_EXECUTE_LAUNCHED_BY"
LAUNCHED = "CONDA_EXECUTE_LAUNCHED"

#: And which signals were ignored before Python began: a mask in hexadecimal digits, as `/proc/self/status` has it.
IGNORING = "CONDA_EXECUTE_LAUNCHED_IGNORING"

#: Seconds between two looks whether a shell that says nothing has ended.
_PAUSE = 0.1

#: What Python itself sets LC_CTYPE to in the C locale (PEP 538).
_COERCED = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})


def inherited_environ(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that conda-execute was started with: without what the launcher put aside or Python set.

    Doors take the environment of the script from here, never from `os.environ`.
    """
    ours = os.environ if environ is None else environ
    private = (KEPT, LAUNCHED)
    theirs = {name: value for name, value in ours.items() if not name.startswith(private)}
    theirs |= {name[len(KEPT) :]: value for name, value in ours.items() if name.startswith(KEPT)}
    if environ is None and theirs.get("LC_CTYPE") in _COERCED and not _was_set("LC_CTYPE"):
        del theirs["LC_CTYPE"]
    return theirs


def _was_set(name: str) -> bool:
    """Whether the variable was there when the process began. Where the system does not tell: guessed from the rule
    by which Python adds LC_CTYPE, which it does only in the C locale."""
    try:
        with open("/proc/self/environ", "rb") as file:
            return any(entry.startswith(os.fsencode(name) + b"=") for entry in file.read().split(b"\0"))
    except OSError:
        return bool(os.environ.get("LC_ALL")) or os.environ.get("LANG", "C") not in ("", "C", "POSIX")


def execute(argv: Sequence[str], activation: Activation) -> NoReturn:
    """Become `argv` in the activated environment. Does not return; see the module for what it raises."""
    if sys.platform == "win32":
        _spawn_and_leave(argv, activation)
    environ = activation.environ
    if activation.scripts or activation.outer_scripts:
        try:
            program = find_program(argv[0], environ, activation.prefix)
        except NotFoundError:
            # A script of activate.d may put more on PATH; only a shell that has run them all knows.
            environ = sourced(activation)
            program = find_program(argv[0], environ, activation.prefix)
        else:
            shell = find_shell(environ)
            _exec(shell[0], [*shell, sourcing_program(activation), program, *argv[1:]], environ_of_shell(activation))
    else:
        program = find_program(argv[0], environ, activation.prefix)
    _exec(program, [program, *argv[1:]], environ)


def execute_entrypoint(
    entrypoint: Entrypoint, arguments: Sequence[str], activation: Activation, *, script: str, cache: str
) -> NoReturn:
    """Run the commands of a conda-script entrypoint, each only if the one before succeeded.

    `arguments` go to the last command, which takes our place. `script` is what `${SCRIPT}` means and `cache` the
    directory that `${CACHE}` means, made when it is first asked for. A command within `$(...)` that fails ends the
    run with its status, as a failing command does.
    """
    environ = sourced(activation)
    activation = replace(activation, environ=environ, scripts=(), outer_scripts=())
    values = {"SCRIPT": script, "CACHE": cache}
    *before, last = entrypoint.commands
    for command in before:
        _leave_unless_successful(_wait(_expand_all(command, values, activation), activation).returncode)
    execute([*_expand_all(last, values, activation), *arguments], activation)


def constant_command(entrypoint: Entrypoint, script: str) -> list[str] | None:
    """The words of an entrypoint that is one command, the same each time; None for any other.

    A directory for `${CACHE}` may be missing next time, so such an entrypoint is not the same.
    """
    from .model import Text, Variable

    words = entrypoint.commands[0]
    moving = [piece for word in words for piece in word.pieces if not isinstance(piece, Text)]
    if len(entrypoint.commands) != 1 or any(piece != Variable("SCRIPT") for piece in moving):
        return None
    return ["".join(piece.text if isinstance(piece, Text) else script for piece in word.pieces) for word in words]


def find_program(name: str, environ: Mapping[str, str], prefix: str) -> str:
    """The path of a program, as the kernel and shells find it: on the PATH of `environ` unless it holds a slash."""
    if sys.platform == "win32":
        import shutil

        found = shutil.which(name, path=environ.get("PATH", ""))
        if found:
            return found
        raise _not_found(name, prefix)
    directories = [""] if "/" in name else environ.get("PATH", os.defpath).split(os.pathsep)
    refused = None
    for directory in directories:
        # An empty entry of PATH means the working directory.
        path = name if "/" in name else os.path.join(directory or ".", name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
        if refused is None and name and os.path.exists(path):
            refused = path
    if refused is None:
        raise _not_found(name, prefix)
    if os.path.isdir(refused):
        raise NotExecutableError(f"`{refused}` is a directory")
    import shlex

    raise NotExecutableError(f"`{refused}` is not executable", hint=f"chmod +x {shlex.quote(refused)}")


def _not_found(name: str, prefix: str) -> NotFoundError:
    import difflib

    message = f"`{name}` is neither in the environment nor elsewhere on PATH"
    if "/" in name:
        message, name = f"`{name}` is not there", os.path.basename(name)
    directory = os.path.join(prefix, "Scripts" if sys.platform == "win32" else "bin")
    try:
        offered = sorted(os.listdir(directory))
    except OSError:
        offered = []
    close = difflib.get_close_matches(name, offered, n=5, cutoff=0.5)
    close += [other for other in offered if other.startswith(name) and other not in close][: 5 - len(close)]
    names = ", ".join(f"`{other}`" for other in close)
    return NotFoundError(
        message,
        hint=f"the environment has {names}" if close else "add the package that brings it to the header",
    )


# Activation scripts


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
    if environ.get("LC_CTYPE") in _COERCED and "LC_CTYPE" not in activation.environ:
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


# Entrypoints


def _expand_all(command: Sequence[Word], values: Mapping[str, str], activation: Activation) -> list[str]:
    words = [text for word in command for text in _expand(word, values, activation)]
    if not words:
        raise NotFoundError("a command of the entrypoint is empty", hint="what it substitutes has no output")
    return words


def _expand(word: Word, values: Mapping[str, str], activation: Activation) -> list[str]:
    """The words that a word stands for: one, unless the output of a bare `$(...)` has blanks in it or is empty."""
    from .model import Text, Variable

    words: list[str] = []
    text: str | None = None
    for piece in word.pieces:
        if isinstance(piece, Text):
            text = (text or "") + piece.text
        elif isinstance(piece, Variable):
            if piece.name == "CACHE":
                _make_cache(values["CACHE"], values["SCRIPT"])
            text = (text or "") + values[piece.name]
        else:
            output = _output(piece.commands, values, activation)
            if not piece.split:
                text = (text or "") + output
                continue
            # What touches the output at either end is one word with it; a blank at that end parts them.
            for index, part in enumerate(output.split()):
                if text is not None and (index or output[0].isspace()):
                    words.append(text)
                    text = None
                text = (text or "") + part
            if text is not None and output[-1:].isspace():
                words.append(text)
                text = None
    return words if text is None else [*words, text]


def _output(commands: Sequence[Sequence[Word]], values: Mapping[str, str], activation: Activation) -> str:
    """What the commands print one after the other; with the first that fails, everything ends."""
    output = b""
    for command in commands:
        done = _wait(_expand_all(command, values, activation), activation, capture=True)
        _leave_unless_successful(done.returncode)
        output += done.output
    return os.fsdecode(output).rstrip("\n")


def _make_cache(folder: str, script: str) -> None:
    """The directory that `${CACHE}` means, and a link to the script beside it, so that both can go with it."""
    from . import layout
    from .files import make_directory

    make_directory(folder)
    try:
        os.symlink(script, folder + layout.SCRIPT_LINK)
    except OSError:
        pass  # there already, or no links here: then the directory stays


class _Done:
    """How a command that we waited for ended, and what it wrote where that was asked for."""

    def __init__(self, returncode: int, output: bytes) -> None:
        self.returncode = returncode
        self.output = output


def _wait(argv: Sequence[str], activation: Activation, capture: bool = False) -> _Done:
    """Run a command of an entrypoint as a child, with signals passed on to it."""
    import subprocess

    program = find_program(argv[0], activation.environ, activation.prefix)
    _flush()
    with _SignalsPassedOn() as signals:
        try:
            child = subprocess.Popen(
                [program, *argv[1:]],
                env=activation.environ,
                stdout=subprocess.PIPE if capture else None,
                close_fds=False,
            )
        except OSError as error:
            raise _explain(error, program) from error
        signals.to(child.pid)
        output = child.stdout.read() if child.stdout else b""
        while True:
            try:
                return _Done(child.wait(), output)
            except KeyboardInterrupt:
                continue


class _SignalsPassedOn:
    """While we wait for a child: what is sent to us goes to it; Ctrl-C reaches it from the terminal by itself.

    Begins before the child does, so that none of them ends us and leaves the child behind.
    """

    def __init__(self) -> None:
        self.pid: int | None = None
        self.waiting: list[int] = []
        self.before: dict[int, object] = {}

    def __enter__(self) -> _SignalsPassedOn:
        names = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            # A signal that our caller ignores stays ignored; a handler of ours would be lost on the child anyway.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.before[number] = signal.signal(number, self._pass_on)
        return self

    def to(self, pid: int) -> None:
        """The child is there: it gets what came before, and what comes from now on."""
        self.pid = pid
        for number in self.waiting:
            self._send(pid, number)

    def __exit__(self, *failure: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _pass_on(self, number: int, _frame: object) -> None:
        if number in (signal.SIGINT, getattr(signal, "SIGQUIT", None), getattr(signal, "SIGBREAK", None)):
            return
        if self.pid is None:
            self.waiting.append(number)
        else:
            self._send(self.pid, number)

    @staticmethod
    def _send(pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _leave_unless_successful(returncode: int) -> None:
    if returncode != 0:
        leave(returncode)


def leave(returncode: int) -> NoReturn:
    """End as a child ended: with its status, or by the signal that ended it (a negative number, as in subprocess)."""
    _flush()
    if sys.platform != "win32" and returncode < 0:
        if -returncode not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -returncode)
        os._exit(128 - returncode)
    # Statuses of Windows are unsigned 32 bit numbers, and os._exit takes a signed one.
    os._exit(returncode - (1 << 32) if returncode >= 1 << 31 else returncode)


# The system's exec


def _exec(program: str, argv: list[str], environ: Mapping[str, str]) -> NoReturn:
    _flush()
    restored = _restore_signals()
    try:
        os.execve(program, argv, environ)
    except OSError as error:
        if error.errno == errno.ENOEXEC and _is_text(program):
            # A script without a shebang; the kernel leaves it to shells, which run it themselves.
            os.execve("/bin/sh", ["/bin/sh", program, *argv[1:]], environ)
        for number in restored:
            signal.signal(number, signal.SIG_IGN)
        raise _explain(error, program) from error
    raise AssertionError("execve returned")


def _restore_signals() -> list[signal.Signals]:
    """Python ignores these for itself, and what is ignored stays ignored through exec. Returns those put back."""
    ignored = int(os.environ.get(IGNORING, "0"), 16)
    ours = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]
    restored = [number for number in ours if not ignored >> (number - 1) & 1]
    for number in restored:
        signal.signal(number, signal.SIG_DFL)
    return restored


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass


def _is_text(program: str) -> bool:
    """Whether shells would take the file for a script: no NUL byte in its beginning."""
    try:
        with open(program, "rb") as file:
            return b"\0" not in file.read(128)
    except OSError:
        return False


def _explain(error: OSError, program: str) -> ExecuteError:
    if error.errno == errno.E2BIG:
        return NotExecutableError(
            "the arguments and the environment together are too long for this system",
            hint="`getconf ARG_MAX` tells the limit; pass long lists through a file or standard input",
        )
    if error.errno == errno.ENOEXEC:
        return NotExecutableError(f"`{program}` is not a program for this machine")
    if error.errno == errno.ENOENT and os.path.exists(program):
        return NotFoundError(f"`{program}` cannot start: {_missing_interpreter(program)} is not there")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFoundError(f"`{program}` is not there")
    return NotExecutableError(f"`{program}` cannot be executed: {error.strerror}")


def _missing_interpreter(program: str) -> str:
    try:
        with open(program, "rb") as file:
            first = file.readline(4096)
    except OSError:
        first = b""
    words = os.fsdecode(first[2:]).split(maxsplit=1) if first.startswith(b"#!") else []
    return f"its interpreter `{words[0]}`" if words else "the loader that it asks for"


# Windows


if sys.platform == "win32":

    def _spawn_and_leave(argv: Sequence[str], activation: Activation) -> NoReturn:
        environ = sourced(activation)
        activation = replace(activation, environ=environ, scripts=(), outer_scripts=())
        release = _enter_job()
        returncode = _wait(argv, activation).returncode
        # What the script left running on purpose outlives us, as it does where exec exists.
        release()
        leave(returncode)

    def _enter_job() -> Callable[[], None]:
        """Join a job object whose processes end when we are killed; returns what lifts that again."""
        import ctypes
        from ctypes import wintypes

        kill_on_close, extended_limits = 0x2000, 9
        # JOBOBJECT_EXTENDED_LIMIT_INFORMATION: LimitFlags stands after two 64 bit times.
        size = 144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
        kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
        job = kernel.CreateJobObjectW(None, None)

        def limit(flags: int) -> None:
            limits = ctypes.create_string_buffer(size)
            ctypes.c_uint32.from_buffer(limits, 16).value = flags
            kernel.SetInformationJobObject(job, extended_limits, limits, size)

        if job:
            limit(kill_on_close)
            kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())
        return (lambda: limit(0)) if job else (lambda: None)

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
