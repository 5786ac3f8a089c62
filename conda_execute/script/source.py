"""Where a script comes from: a file, standard input, the words after `-c`, or a URL; classified once.

Code that has no file of its own gets one, in the cache and named by its content, so that a traceback can show its
lines and two runs of the same code share it.
"""

from __future__ import annotations

import os
import stat
import sys

from ..cache import code_folder, in_a_cache
from ..errors import ExecuteError, NotExecutableError, NotFoundError, UsageError
from ..files import write_whole
from ..lean.values import dataclass, replace
from .header import ENOUGH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from .notebook import Notebook
    from .web.fetch import Fetched


@dataclass(frozen=True)
class Script:
    """A script that is on disk and whose beginning has been read."""

    #: As the user gave it, and as the interpreter gets it: relative paths stay relative.
    given: str
    #: Absolute; symbolic links and `..` are left alone.
    path: str
    #: The first 64 KiB, and a byte more where there is one.
    head: bytes
    #: Its name in messages and in the marker.
    title: str
    #: Whether it is a file of the user: only such scripts have launch records, lock files and files next to them.
    is_file: bool = True
    #: Its address on the web: it runs only if that is trusted.
    fetched: Fetched | None = None
    #: Set for a notebook, whose `head` is its first code cell.
    notebook: Notebook | None = None
    #: The program for which `command` wrote the script.
    program: str | None = None

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)

    @property
    def recorded(self) -> str:
        """Its name for other working directories: a file by its absolute path."""
        return self.path if self.is_file and self.program is None else self.title

    @property
    def place(self) -> str:
        """The name of the file or cell whose lines the head has, in messages."""
        return f"{self.title} (cell {self.notebook.cell})" if self.notebook else self.title


def from_file(given: str) -> Script:
    """The script at the path `given`.

    Raises NotFoundError (127) or NotExecutableError (126), as a shell would for a program.
    """
    try:
        # Non-blocking, since a FIFO without a writer would block us; it makes no difference for regular files.
        descriptor = os.open(given, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise NotFoundError(f"there is no script `{given}`", hint=near(given)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "the path is not usable"
        raise NotExecutableError(f"the script `{given}` cannot be read: {reason}") from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise NotExecutableError(f"`{given}` is a directory, not a script", hint=_main_in(given))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(mode):
            # /dev/stdin, <(process substitution), a FIFO: the interpreter could not read it again.
            if sys.platform != "win32":
                os.set_blocking(descriptor, True)
            return _kept(file.read(), given)
        head = file.read(ENOUGH)
    # A first word that starts with a dash would be an option to the interpreter.
    shown = os.path.join(os.curdir, given) if given.startswith("-") else given
    path = _absolute(given)
    return _opened(Script(given=shown, path=path, head=head, title=given))


def from_standard_input(stream: BinaryIO) -> Script:
    """The script on standard input, which is read to its end."""
    return _kept(stream.read(), "-")


def from_words(words: Sequence[str]) -> Script:
    """The code given after `-c`: each word is a line, as in the original."""
    import re

    # In other tools `-c` names a channel. One word that is not a statement, followed by a file, is not code.
    if len(words) > 1 and re.fullmatch(r"[\w./:-]+", words[0]) and os.path.isfile(words[1]):
        raise UsageError(
            f"`-c` runs code, and `{words[0]} {words[1]}` looks like a channel and a script",
            hint=f"write `--channel {words[0]} {words[1]}` instead of `-c {words[0]} {words[1]}`",
        )
    return _kept("\n".join(words).encode("utf-8", "surrogateescape") + b"\n", "-c")


def is_address(word: str) -> bool:
    """Whether a word of the command line is a URL; anything else is a file, `httpd.py` for one.

    >>> is_address("https://example.org/plot.py"), is_address("httpd.py"), is_address("https:/odd.py")
    (True, False, False)
    """
    scheme, separator, _ = word.partition("://")
    return bool(separator) and scheme.isascii() and scheme.isalnum()


def from_web(fetched: Fetched) -> Script:
    """The fetched script as a file, with the suffix of its address, which may say what runs it."""
    script = _kept(fetched.content, str(fetched.address), fetched.suffix)
    return _opened(replace(script, fetched=fetched))


def _opened(script: Script) -> Script:
    """A notebook opened at its first code cell; any other script as it is."""
    if not script.path.lower().endswith(".ipynb"):
        return script
    from . import notebook

    opened = notebook.parse(read_whole(script), script.title)
    return replace(script, head=opened.code[:ENOUGH], notebook=opened)


def _absolute(given: str) -> str:
    """`given` below the working directory, with `..` kept: `a/..` is not `.` where `a` is a symbolic link."""
    try:
        return os.path.join(os.getcwd(), given) if ".." in given else os.path.abspath(given)
    except FileNotFoundError:
        raise NotFoundError("the working directory is gone", hint="change to a directory that exists") from None


def _kept(code: bytes, title: str, suffix: str = "") -> Script:
    if not code.strip():
        raise UsageError("there is no code to run", hint="give it on standard input, or as words after `-c`")
    import hashlib

    digest = hashlib.sha256(code).hexdigest()[:20]

    def keep(cache: str) -> str:
        path = os.path.join(code_folder(cache, digest), "script" + suffix)
        write_whole(path, code)
        return path

    path = in_a_cache(os.environ, keep)
    return Script(given=path, path=path, head=code[:ENOUGH], title=title, is_file=False)


def near(given: str) -> str | None:
    """A hint for a path at which there is no script."""
    from ..text import close, listed
    from . import languages

    if os.path.islink(given):
        return f"it is a link to `{os.readlink(given)}`, which is not there"
    folder, name = os.path.split(given)
    try:
        names = os.listdir(folder or os.curdir)
    except OSError:
        return f"there is no directory `{folder}` either"
    # With three letters and a suffix, names are not similar.
    written = [one for one in sorted(names) if languages.of(one) and os.path.splitext(one)[0] == name]
    if alike := written[:3] or close(name, names, 3):
        return f"did you mean {listed((os.path.join(folder, found) for found in alike), 'or')}?"
    if not folder and name in ("clear", "list", "create", "name", "info"):
        return f"`conda tmpenv {name}` is the command for environments"
    return None


def _main_in(folder: str) -> str | None:
    main = os.path.join(folder, "__main__.py")
    return f"`{main}` is one" if os.path.isfile(main) else None


def read_whole(script: Script) -> bytes:
    """All of the script's bytes, for editing and locking."""
    try:
        with open(script.path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ExecuteError(f"the script `{script.title}` cannot be read: {error.strerror}") from None


def standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise UsageError("standard input is closed, so there is no script on it")
    return sys.stdin.buffer
