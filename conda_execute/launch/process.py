"""This process: the environment variables that it was started with, the programs that it can become, and how it becomes
one.

A program that does not exist raises `NotFoundError` (127), one that cannot be executed `NotExecutableError` (126).
"""

from __future__ import annotations

import errno
import os
import sys

from ..cache import cache_dir, launch_records
from ..errors import ExecuteError, NotExecutableError, NotFoundError
from ..files import content_of, may_execute_on
from ..lean.signals import signal
from ..text import close

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

#: The launcher renames variables that would change our own interpreter, with this prefix.
KEPT = "CONDA_EXECUTE_KEPT_"

#: What the launcher tells its Python half: its own path, and the absolute path of the script.
LAUNCHED_BY = "CONDA_EXECUTE_LAUNCHED_BY"
LAUNCHED = "CONDA_EXECUTE_LAUNCHED"

#: And which signals were ignored before Python started: a hexadecimal mask, as in `/proc/self/status`.
IGNORING = "CONDA_EXECUTE_LAUNCHED_IGNORING"

#: The values of LC_CTYPE that Python itself sets in the C locale (PEP 538).
COERCED = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})


def python_command(code: str) -> list[str]:
    """The command of a Python process that runs this code, with `sys` imported.

    It imports from the same places as this process. `-I`: PYTHON* variables and the working directory have no effect.
    """
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = [package, *filter(os.path.isabs, sys.path)]
    return [sys.executable, "-I", "-c", f"import sys; sys.path[:] = {path!r}; {code}"]


def inherited_environ(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment variables that conda-execute was started with: those that the launcher renamed are restored, and
    those that Python set are removed.

    Entry points take the variables of the script from here, never from `os.environ`.
    """
    ours = os.environ if environ is None else environ
    private = (KEPT, LAUNCHED)
    theirs = {name: value for name, value in ours.items() if not name.startswith(private)}
    theirs |= {name[len(KEPT) :]: value for name, value in ours.items() if name.startswith(KEPT)}
    if environ is None and theirs.get("LC_CTYPE") in COERCED and not _was_set("LC_CTYPE"):
        del theirs["LC_CTYPE"]
    return theirs


def _was_set(name: str) -> bool:
    """Whether the variable was set when the process began. If the system does not tell, we guess by the rule that
    Python sets LC_CTYPE only in the C locale."""
    try:
        with open("/proc/self/environ", "rb") as file:
            return any(entry.startswith(os.fsencode(name) + b"=") for entry in file.read().split(b"\0"))
    except OSError:
        return bool(os.environ.get("LC_ALL")) or os.environ.get("LANG", "C") not in ("", "C", "POSIX")


def find_program(name: str, environ: Mapping[str, str], prefix: str) -> str:
    """The path of a program, as the kernel and shells find it: on the PATH of `environ`, unless its name contains a
    slash.

    A program of the environment is never replaced with another one from PATH, even if it cannot be executed.
    """
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
            if os.path.isfile(path) and directory.startswith(prefix + os.sep):
                break
    if refused is None:
        raise _not_found(name, prefix)
    raise _not_executable(refused)


def is_on_path(name: str, environ: Mapping[str, str]) -> bool:
    import shutil

    return shutil.which(name, path=environ.get("PATH")) is not None


def _not_executable(path: str) -> NotExecutableError:
    if os.path.isdir(path):
        return NotExecutableError(f"`{path}` is a directory")
    if not may_execute_on(path):
        return _noexec(path, "move it, or set `CONDA_EXECUTE_CACHE_DIR` if it is in `${CACHE}`")
    import shlex

    return NotExecutableError(f"`{path}` is not executable", hint=f"chmod +x {shlex.quote(path)}")


def require_executable(tmp_envs: str) -> None:
    """Raise NotExecutableError if no program of an environment can run: otherwise another one from PATH might run
    instead."""
    if not may_execute_on(tmp_envs):
        raise _noexec(tmp_envs, "set `CONDA_EXECUTE_ENV_DIR` to a directory on another file system")


def _noexec(path: str, hint: str) -> NotExecutableError:
    return NotExecutableError(f"the file system of `{path}` is mounted noexec: nothing on it can run", hint=hint)


def _not_found(name: str, prefix: str) -> NotFoundError:
    message = f"`{name}` is neither in the environment nor elsewhere on PATH"
    if "/" in name:
        message, name = f"`{name}` is not there", os.path.basename(name)
    directory = os.path.join(prefix, "Scripts" if sys.platform == "win32" else "bin")
    try:
        offered = sorted(os.listdir(directory))
    except OSError:
        offered = []
    near = close(name, offered, 5, 0.5)
    near += [other for other in offered if other.startswith(name) and other not in near][: 5 - len(near)]
    hint = "the environment has " + ", ".join(f"`{other}`" for other in near) if near else _package_of(name)
    variable, assigned, _ = name.partition("=")
    if assigned and variable.isidentifier():
        hint = f"`env {name} PROGRAM` sets a variable for a program"
    return NotFoundError(message, hint=hint)


def _package_of(program: str) -> str:
    version = program.removeprefix("python")
    if version != program and version.replace(".", "").isdecimal():
        return f"add `python {version}.*` to the header"
    return f"add the package that contains `{program}` to the header"


def become(program: str, argv: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Become the program at this path, with the signal dispositions that we were started with."""
    flush()
    restored = _restore_signals()
    try:
        os.execve(program, argv, environ)
    except OSError as error:
        if error.errno == errno.ENOEXEC and _is_text(program):
            # A script without a shebang: the kernel refuses it, but shells run it themselves.
            os.execve("/bin/sh", ["/bin/sh", program, *argv[1:]], environ)
        for number in restored:
            signal.signal(number, signal.SIG_IGN)
        raise explain(error, program) from error
    raise AssertionError("execve returned")


def hand_over(words: Sequence[str], launcher: str | None = None) -> None:
    """Become the launcher with these arguments, if it has a record of the script, which is the first of them: it
    starts one that it knows faster than Python can.

    Without a record it would only start Python again. So this process continues, and leaves a record as if the launcher
    had started it.
    """
    launcher = launcher or os.path.join(os.path.dirname(sys.executable), "conda-execute")
    if sys.platform == "win32" or not words or words[0].startswith("-") or not os.path.isfile(words[0]):
        return
    environ = inherited_environ()
    # As the launcher does it: a shell knows the working directory by the path through which it was entered.
    folder = environ.get("PWD") or os.getcwd()
    script = words[0] if words[0].startswith("/") else f"{folder}/{words[0].removeprefix('./')}"
    cache = cache_dir(environ)
    if cache is None or ".." in script.split("/") or not os.access(launcher, os.X_OK):
        return
    if any(os.path.exists(path) for path in launch_records(cache, script)):
        become(launcher, [launcher, *words], environ)
    os.environ[LAUNCHED], os.environ[LAUNCHED_BY] = script, launcher


def _restore_signals() -> list[signal.Signals]:
    """Restore the signals that Python ignores for itself: ignored signals stay ignored through exec. Returns the
    restored ones."""
    ignored = int(os.environ.get(IGNORING, "0"), 16)
    ours = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]
    restored = [number for number in ours if not ignored >> (number - 1) & 1]
    for number in restored:
        signal.signal(number, signal.SIG_DFL)
    return restored


def flush() -> None:
    """Write out what was printed: after exec nothing else does it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass


def _is_text(program: str) -> bool:
    """Whether this is text, which may be a script. Shells are less strict: they run an empty file, successfully, and
    random bytes."""
    try:
        with open(program, "rb") as file:
            text = file.read(4096).decode("utf-8", "ignore" if os.path.getsize(program) > 4096 else "strict")
    except (OSError, ValueError):
        return False
    return bool(text.strip()) and all(character.isprintable() or character in "\t\n\r\f\x1b" for character in text)


def explain(error: OSError, program: str) -> ExecuteError:
    """Why the system does not start a program."""
    if error.errno == errno.E2BIG:
        return NotExecutableError(
            "the arguments and the environment together are too long for this system",
            hint="`getconf ARG_MAX` shows the limit; pass long lists through a file or standard input",
        )
    if error.errno == errno.ENOEXEC:
        return NotExecutableError(
            f"`{program}` is not a program for this machine",
            hint="if it was one, it is damaged: `--force-env` creates the environment again",
        )
    if error.errno == errno.ENOENT and os.path.exists(program):
        return NotFoundError(f"`{program}` cannot start: {_missing_interpreter(program)} is not there")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFoundError(f"`{program}` is not there")
    if error.errno == errno.EACCES and not may_execute_on(program):
        return _noexec(program, "move it elsewhere")
    return NotExecutableError(f"`{program}` cannot be executed: {error.strerror}")


def _missing_interpreter(program: str) -> str:
    first = (content_of(program, 4096) or b"").partition(b"\n")[0]
    words = os.fsdecode(first[2:]).split(maxsplit=1) if first.startswith(b"#!") else []
    return f"its interpreter `{words[0]}`" if words else "the loader that it asks for"
