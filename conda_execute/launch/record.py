"""Launch records: what the POSIX launcher needs to run a script again without Python.

A record is written after a run went the long way, read by the launcher alone, and never believed without comparing.
Deleting all of them loses time and nothing else. It is shell text, one compound command, which a shell does not begin
unless it has read its end: so it is done whole or not at all. It says

- for whom it was written: launcher, its version, and the script's path as the launcher made it absolute;
- which build of which prefix it runs in, how many package records that had, when it is to be swept;
- the variables that were asked for, the settings files word for word, and what was absent; likewise the files in the
  prefix that say which variables it sets, and the names of the scripts that activate it;
- the first lines of the script, through the one after the header, which ends it;
- if all of that is so, and the launcher's `_ce_hold` has noted the use: exports and the program. What the environment
  looks like outside is compared where it matters: CONDA_PREFIX and CONDA_SHLVL always, PATH where the program was found
  there rather than in the prefix, or where an environment outside is to be deactivated by scripts of its own.

Everything of the outside world stands between single quotes. Whatever a record cannot say truly makes no record, never
a wrong one: NUL bytes, names no shell can hold, more than `LARGEST` bytes to compare (dash reads a byte per system
call), a program that only Python can judge.

Environment variables are compared by name, so `CONDA_OVERRIDE_*` are those that conda and rattler know; another one
means nothing to the solver.
"""

from __future__ import annotations

import os
import sys

from .. import __version__, credentials
from ..cache import launch_record
from ..environments import layout
from ..errors import ExecuteError
from ..files import make_directory
from ..lean.values import dataclass
from . import process, sourcing
from .activation import shell_level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..configuration.settings import Sources
    from ..model import Environment
    from .activation import Activation

#: Bytes of script and settings that a launcher compares at most.
LARGEST = 4096

#: What the launcher wants to see before it runs a record.
_FIRST_LINE = b"# conda-execute"

#: And what a whole one ends with.
_LAST_LINES = b"\n}\n}\n"

#: Variables that decide where things lie, and those that tell the solver of another machine.
_ALWAYS_COMPARED = (
    "HOME",
    "XDG_CACHE_HOME",
    "CONDA_EXECUTE_CACHE_DIR",
    "TMPDIR",
    "CONDA_PREFIX",
    "CONDA_SHLVL",
    *(f"CONDA_OVERRIDE_{name}" for name in ("ARCHSPEC", "CUDA", "CUDA_ARCH", "GLIBC", "LINUX", "OSX", "UNIX", "WIN")),
)

#: Where the packages of a prefix put what activates it.
_ACTIVATION = ("etc", "conda")

#: How programs begin that are no scripts: ELF's, and on macOS those of Mach-O for one processor and for several.
_BINARIES = (b"\x7fELF",) if sys.platform != "darwin" else (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")

#: Shells do not let these be set, or set them themselves.
_OF_SHELLS = frozenset(
    ["BASHOPTS", "BASH_VERSINFO", "EUID", "IFS", "LINENO", "OPTIND", "PATH", "PPID", "SHELLOPTS", "SHLVL", "UID", "_"]
)


class _Unsayable(Exception):
    """The run cannot be recorded: it would not be the same, or comparing would cost more than it saves."""


@dataclass(frozen=True)
class Run:
    """One run as Python worked it out, just before it begins."""

    #: The script as given.
    script: str
    #: Its beginning, and the number of its header's last line, counted from 1.
    data: bytes
    last_line: int
    sources: Sources
    environment: Environment
    activation: Activation
    #: What stands before the script, or before its arguments where the script is not passed.
    command: Sequence[str]
    #: Whether environments are swept automatically.
    sweeps: bool
    #: Files beside the script that were asked for (a lock): absolute path, and content or None.
    neighbours: tuple[tuple[str, bytes | None], ...] = ()
    #: Files whose first lines say all about them: absolute path, and these lines.
    beginnings: tuple[tuple[str, bytes], ...] = ()
    passes_script: bool = True


def write(run: Run, cache: str | None, environ: Mapping[str, str]) -> None:
    """Record the run, if the launcher started it and it can be recorded; else do nothing. Raises nothing.

    `environ` is the environment of this process itself (`os.environ`).
    """
    given, launcher = environ.get(process.LAUNCHED, ""), environ.get(process.LAUNCHED_BY, "")
    if cache is None or not launcher or not given.endswith(run.script.removeprefix("./")):
        return
    if ".." in given.split("/"):  # the record would lie outside of launch/, perhaps in place of a file of the user's
        return
    try:
        _write(launch_record(cache, given), _text(run, launcher, given, environ))
    except (_Unsayable, OSError):
        return


def _text(run: Run, launcher: str, given: str, environ: Mapping[str, str]) -> bytes:
    environment, activation, sources = run.environment, run.activation, run.sources
    if not sources.repeatable:
        raise _Unsayable
    head = _head(run.data, run.last_line)
    if credentials.holds(head):  # the record repeats the header, and a password is not to be found in two places
        raise _Unsayable
    by_packages = _variables_by_packages(environment.prefix)
    files = [*sources.files, *run.neighbours, _variables_by_person(environment.prefix), *by_packages]
    if len(head) + sum(len(content or b"") for _, content in (*files, *run.beginnings)) > LARGEST:
        raise _Unsayable
    program, depends_on_path = _program(run.command[0], activation)
    # What deactivates the environment outside is told the new PATH word for word.
    path = ("PATH",) if depends_on_path or activation.outer_scripts else ()
    compared = dict.fromkeys((*_ALWAYS_COMPARED, *(name for name, _ in sources.variables), *path))
    theirs = process.inherited_environ(environ)
    words = _words(activation, program, run.command[1:])
    values = {"by": launcher, "for": given, **_values(run), "program": program}
    lines = [
        _FIRST_LINE,
        b"# How a script was run, for the launcher to compare. Written by Python; may be deleted.",
        b"{\ntrap - 0",
        *(b"_ce_%s=%s" % (name.encode(), _quote(value)) for name, value in values.items()),
        b"{",
        b'[ "$_ce_version" = %s ] &&' % _quote(__version__),
        b'[ "$_ce_by" = "$_ce_self" ] && [ "$_ce_for" = "$_ce_script" ] &&',
        b" &&\n".join(
            [
                *_same_variables(compared, theirs),
                *_same_activation(activation, [path for path, _ in by_packages]),
                *(_same_file(path, content) for path, content in files),
                *(_same_file(path, lines, whole=False) for path, lines in run.beginnings),
                *(command for path, names in sources.directories for command in _same_settings_in(path, names)),
                *_same_lines(head, whole=head == run.data),
                *(b"[ -x %s ]" % _quote(shell) for shell in words[:1] if shell != program),
                b"_ce_hold <&-",
            ]
        ),
        # The last exec stands outside of every redirection, since some shells would keep it.
        b'} 2>/dev/null <"$1" && {',
        *([] if run.passes_script else [b"shift"]),
        *_run(activation, words),
    ]
    return b"\n".join(lines) + _LAST_LINES


def _values(run: Run) -> dict[str, str]:
    """Which environment it is, and where it says when it is to be swept."""
    environment = run.environment
    tmp_envs = os.path.dirname(environment.prefix)
    return {
        "prefix": environment.prefix,
        "build": environment.marker.build,
        "records": str(environment.marker.records),
        "virtual": "1" if environment.marker.virtual_packages else "",
        "boots": layout.boots(tmp_envs) if run.sweeps else "",
    }


def _head(data: bytes, last_line: int) -> bytes:
    """The script through the line after its header: a header ends where the next line is not part of it."""
    end = 0
    for _ in range(last_line + 1):
        end = data.find(b"\n", end) + 1
        if end == 0:
            return data
    return data[:end]


def _program(name: str, activation: Activation) -> tuple[str, bool]:
    """The program's path, and whether it was found elsewhere on PATH than in the prefix."""
    try:
        program = process.find_program(name, activation.environ, activation.prefix)
    except ExecuteError:
        raise _Unsayable from None
    # Kernel and shells start these in the same way; a script without a shebang they do not.
    with open(program, "rb") as file:
        start = file.read(4)
    if not os.path.isabs(program) or not start.startswith((b"#!", *_BINARIES)):
        raise _Unsayable
    return program, "/" not in name and os.path.dirname(program) not in activation.front


# What is compared


def _same_variables(names: Iterable[str], environ: Mapping[str, str]) -> Iterator[bytes]:
    unset = [_name(name) for name in names if name not in environ]
    if unset:
        yield b"case %s in ?*) false ;; esac" % b"".join(b"${%s+x}" % name for name in unset)
    for name in names:
        if name in environ:
            yield b'[ "${%s+x$%s}" = %s ]' % (_name(name), _name(name), _quote("x" + environ[name]))


def _same_activation(activation: Activation, variable_files: Sequence[str]) -> Iterator[bytes]:
    """That the prefix still has the same files to activate it, and the environment outside, whose prefix was compared,
    the same scripts to deactivate it. A prefix without any takes one look."""
    folder = os.path.join(activation.prefix, *_ACTIVATION)
    if os.path.exists(folder):
        yield from _same_names(os.path.join(folder, "activate.d"), "*.sh", activation.scripts)
        yield from _same_names(os.path.join(folder, "env_vars.d"), "*.json", variable_files)
    else:
        yield _same_file(folder, None)
    outer = activation.outer.get("CONDA_PREFIX")
    if outer and shell_level(activation.outer.get("CONDA_SHLVL", "")):
        yield from _same_names(os.path.join(outer, *_ACTIVATION, "deactivate.d"), "*.sh", activation.outer_scripts)


def _same_settings_in(folder: str, names: Sequence[str]) -> Iterator[bytes]:
    """That these are all settings files in a folder; what they hold is compared like any other's."""
    for suffix in (".yml", ".yaml"):
        for pattern, hidden in ((f"*{suffix}", False), (f".*{suffix}", True)):
            these = [name for name in names if name.endswith(suffix) and name.startswith(".") is hidden]
            yield from _same_names(folder, pattern, [os.path.join(folder, name) for name in these])


def _same_names(folder: str, pattern: str, paths: Sequence[str]) -> Iterator[bytes]:
    """That these are all files of a kind in a folder that need not be there: as many, and each of them. (Comparing the
    whole list would take the shell's word for their order, which depends on the locale.)"""
    found = b"%s/%s" % (_quote(folder), pattern.encode())
    if not paths:
        yield b"[ %s = %s ]" % (found, _quote(f"{folder}/{pattern}"))
        return
    yield b"! _ce_count %d %s" % (len(paths) + 1, found)
    for path in paths:
        yield b"[ -e %s ]" % _quote(path)


def _variables_by_person(prefix: str) -> tuple[str, bytes | None]:
    """The file that `conda env config vars` writes, if there is one."""
    path = os.path.join(prefix, "conda-meta", "state")
    return path, _content(path) if os.path.exists(path) else None


def _variables_by_packages(prefix: str) -> list[tuple[str, bytes]]:
    folder = os.path.join(prefix, *_ACTIVATION, "env_vars.d")
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    paths = [os.path.join(folder, name) for name in names if name.endswith(".json")]
    return [(path, _content(path)) for path in paths]


def _content(path: str) -> bytes:
    """What is in a file, at most one byte more than can be compared."""
    with open(path, "rb") as file:
        return file.read(LARGEST + 1)


def _same_file(path: str, content: bytes | None, *, whole: bool = True) -> bytes:
    if content is None:
        return b"[ ! -e %s ]" % _quote(path)
    return b"{\n%s\n} <%s" % (b" &&\n".join(_same_lines(content, whole=whole)), _quote(path))


def _same_lines(content: bytes, *, whole: bool) -> Iterator[bytes]:
    """Commands that compare standard input with `content`; `whole`: and see that nothing follows."""
    if b"\0" in content:
        raise _Unsayable
    *lines, rest = content.split(b"\n")
    for line in lines:
        yield b"_ce_line " + _quote(line)
    if whole:
        yield b"_ce_rest " + _quote(rest)


# What is run


def _run(activation: Activation, words: Sequence[str]) -> Iterator[bytes]:
    """What is done once all was compared. PATH alone is worked out anew; what else depends on the outside was compared.

    Where the environment outside must be deactivated first, the shell that does so sets everything after that.
    """
    fixed = dict(activation.exports)
    outer = activation.outer.get("CONDA_PREFIX", "")
    for name in sorted(activation.environ):
        if name == "CONDA_SHLVL" or (name.startswith("CONDA_PREFIX_") and name not in activation.outer):
            fixed[name] = activation.environ[name]
    if not activation.outer_scripts:
        for name in activation.unsets:
            yield b"unset " + _name(name)
        if fixed:  # in two steps, since `set -k`, which SHELLOPTS may ask for, would not let `export` see values
            yield b" ".join(b"%s=%s" % (_name(name), _quote(value)) for name, value in fixed.items())
            yield b"export " + b" ".join(map(_name, fixed))
        # What has a colon in it is no entry of PATH, though the shell, which looks at the whole, might find it there.
        leaves = f"{outer}/bin" if outer and ":" not in outer else ""
        yield b"_ce_first %s %s" % (_quote(":".join(activation.front)), _quote(leaves))
    yield b"exec %s" % b" ".join([*map(_quote, words), b'"$@"'])


def _words(activation: Activation, program: str, arguments: Sequence[str]) -> list[str]:
    """The program's words, after those of the shell that sources activation scripts where there are any."""
    words = [program, *arguments]
    if activation.scripts or activation.outer_scripts:
        return [*sourcing.find_shell(activation.environ), sourcing.sourcing_program(activation), *words]
    return words


def _name(name: str) -> bytes:
    if not (name.isascii() and name.isidentifier()) or (name in _OF_SHELLS and name != "PATH"):
        raise _Unsayable
    return name.encode()


def _quote(text: str | bytes) -> bytes:
    """`text` as one word for any POSIX shell, byte for byte."""
    data = os.fsencode(text) if isinstance(text, str) else text
    if b"\0" in data:
        raise _Unsayable
    return b"'" + data.replace(b"'", b"'\\''") + b"'"


# On the disk


def _write(path: str, text: bytes) -> None:
    """Make the file hold `text`, whole or not at all, for this user alone. Raises OSError."""
    if _holds(path, text):
        return
    make_directory(os.path.dirname(path))
    temporary = os.path.join(os.path.dirname(path), f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def _holds(path: str, text: bytes) -> bool:
    """Whether the launcher would find the text there: it believes neither a link nor somebody else's file."""
    try:
        found = os.lstat(path)
        with open(path, "rb") as file:
            same = file.read() == text and not os.path.islink(path)
        return same and (sys.platform == "win32" or found.st_uid == os.geteuid())
    except OSError:
        return False


def discard_vanished(cache: str) -> int:
    """Remove the records whose script or prefix is gone (workflows have a new path per task), and directories that
    are empty then. Returns how many records went. Raises nothing for what cannot be read or removed."""
    gone = 0
    for directory, _, names in os.walk(os.path.join(cache, "launch"), topdown=False):
        for name in names:
            path = os.path.join(directory, name)
            if not all(os.path.exists(other) for other in _named_in(path)):
                try:
                    os.unlink(path)
                    gone += 1
                except OSError:
                    pass
        try:
            os.rmdir(directory)
        except OSError:
            pass  # not empty
    return gone


def _named_in(path: str) -> list[bytes]:
    """The script and the prefix that a record names; for a file that is no whole record, a path that is not there."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return []
    if not text.endswith(_LAST_LINES):
        return [b""]
    values = []
    for name in (b"for", b"prefix"):
        _, _, rest = text.partition(b"\n_ce_%s='" % name)
        values.append(rest.partition(b"'\n_ce_")[0].replace(b"'\\''", b"'"))
    return values
