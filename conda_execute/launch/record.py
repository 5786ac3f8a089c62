"""Launch records: what the POSIX launcher needs to run a script again without Python.

Python writes a record after a run without one. Only the launcher reads it, and never trusts it without comparing.
Deleting all records only costs time. A record is shell text (see `shell`), one compound command, which a shell does not
start before it has read its end: so it is executed completely or not at all. It says

- the caller that it is for: the launcher, its version, the absolute path of the script, and the variables that matter;
- what must be true: which build of which prefix the script runs in, how many package records that has, when a sweep is
  due;
  the settings files, literally, and which were absent; the same for files in the prefix that say which variables it
  sets, and the names of its activation scripts; the first lines of the script, up to and including the line after the
  header, which ends it;
- what to run if all of that is true and the launcher's `_ce_hold` has noted the use: a function that exports variables
  and becomes the program, which the launcher calls after closing the record.

Outside variables are compared if they matter: CONDA_PREFIX and CONDA_SHLVL always; PATH if the program was found there
rather than in the prefix, or if scripts must deactivate an environment outside. Callers that differ in these have a
record each, at most as many as there are folders of records (`cache.launch_records`); the launcher tries them one after
the other.

Secrets are left out of a record, and any value in their place is accepted: they give access to a channel, but do not
change its content.

If a record cannot be exact, none is written: for NUL bytes, names that shells cannot have, more than `LARGEST` bytes to
compare (dash reads a byte per system call), a program that only Python can judge, or a secret in what is run.

Environment variables are compared by name, so only the `CONDA_OVERRIDE_*` variables that conda and rattler know are
compared; others have no effect on the solver.
"""

from __future__ import annotations

import os
import sys

from .. import __version__
from ..cache import cache_dir, fitting_cache, launch_folders, launch_records
from ..credentials import holds as holds_secret
from ..environments import layout
from ..errors import ExecuteError
from ..files import content_of, holds, make_directory, try_to_unlink, write_atomically
from ..lean.digest import digest
from ..lean.values import dataclass
from . import process, shell, sourcing
from .activation import activation_folder, shell_level, variable_files
from .shell import UnsayableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..configuration.declared import Sources
    from ..model import Environment
    from .activation import Activation

#: The largest number of bytes of script and settings that the launcher compares.
LARGEST = 4096

#: The first line that the launcher requires before it runs a record.
_FIRST_LINE = "# conda-execute"

#: The last line of a complete record.
_LAST_LINES = b"\n}\n}\n"

#: Bytes of a record that contain its first three lines.
_BEGINNING = 256

#: Variables that decide where things are, and those that describe another machine to the solver.
_ALWAYS_COMPARED = (
    "HOME",
    "XDG_CACHE_HOME",
    "CONDA_EXECUTE_CACHE_DIR",
    "TMPDIR",
    "CONDA_PREFIX",
    "CONDA_SHLVL",
    *(f"CONDA_OVERRIDE_{name}" for name in ("ARCHSPEC", "CUDA", "CUDA_ARCH", "GLIBC", "LINUX", "OSX", "UNIX", "WIN")),
)

#: The first bytes of binary programs: ELF, and on macOS Mach-O for one processor and for several.
_BINARIES = (b"\x7fELF",) if sys.platform != "darwin" else (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


@dataclass(frozen=True)
class Recorded:
    """One run as Python planned it, just before it begins."""

    #: The script as the user gave it.
    script: str
    #: Its beginning, and the number of its header's last line, counted from 1.
    data: bytes
    last_line: int
    sources: Sources
    environment: Environment
    activation: Activation
    #: The words before the script, or before its arguments if the script is not passed.
    command: Sequence[str]
    #: Whether environments are swept automatically.
    sweeps: bool
    #: A file whose modification time must be in the future.
    due: str | None = None
    #: Files next to the script that matter (a lock file): absolute path, and content or None.
    neighbours: tuple[tuple[str, bytes | None], ...] = ()
    #: Files of which only the first lines matter: absolute path, and these lines.
    beginnings: tuple[tuple[str, bytes], ...] = ()
    passes_script: bool = True


def write(run: Recorded, environ: Mapping[str, str]) -> None:
    """Record the run, if the launcher started it and it can be recorded; otherwise do nothing. Raises nothing.

    `environ` is the environment of this process itself (`os.environ`).
    """
    given, launcher = environ.get(process.LAUNCHED, ""), environ.get(process.LAUNCHED_BY, "")
    if not launcher or not given.endswith(run.script.removeprefix("./")):
        return
    if ".." in given.split("/"):  # the record would be outside of launch/, and might replace a file of the user
        return
    theirs = process.inherited_environ(environ)
    cache = cache_dir(theirs)
    if cache is None or cache != fitting_cache(theirs):
        return
    try:
        head = _head(run)
        program, depends_on_path = _program(run.command[0], run.activation)
        callers = list(_same_caller(run, theirs, depends_on_path=depends_on_path))
        # Two digests: records of another version or header are of no use any more, and one for the same callers is
        # replaced.
        what, who = (digest(os.fsencode("\n".join(parts)))[:20] for parts in ((__version__, head), callers))
        text = [
            *(_FIRST_LINE, "# How a script was run, for the launcher to compare. Written by Python; may be deleted."),
            *(f"# {what} {who}", "{\ntrap - 0"),
            *_for_whom(run, launcher, given, program),
            *(
                "{",
                shell.all_of([*callers, *_what_must_be_true(run, head, program)]),
                '} 2>/dev/null <"$1" && _ce_run() {',
            ),
            *_what_is_run(run, program),
        ]
        said = "\n".join(text)
        if holds_secret(said):
            return
        _write_among(launch_records(cache, given), os.fsencode(said) + _LAST_LINES, what, who)
    except (UnsayableError, OSError):
        return


# Who it is for


def _for_whom(run: Recorded, launcher: str, given: str, program: str) -> Iterator[str]:
    """Values for the launcher: the script, the environment, and the file that says when a sweep is due."""
    environment = run.environment
    tmp_envs = os.path.dirname(environment.prefix)
    values = {
        "by": launcher,
        "for": given,
        "prefix": environment.prefix,
        "build": environment.marker.build,
        "records": str(environment.marker.records),
        "virtual": "1" if environment.marker.virtual_packages else "",
        "boots": layout.boots(tmp_envs) if run.sweeps else "",
        "program": program,
    }
    return (f"_ce_{name}={shell.quote(value)}" for name, value in values.items())


def _same_caller(run: Recorded, theirs: Mapping[str, str], *, depends_on_path: bool) -> Iterator[str]:
    yield f'[ "$_ce_version" = {shell.quote(__version__)} ]'
    yield '[ "$_ce_by" = "$_ce_self" ] && [ "$_ce_for" = "$_ce_script" ]'
    # The scripts that deactivate the environment outside get the new PATH literally.
    path = ("PATH",) if depends_on_path or run.activation.outer_scripts else ()
    names = (*_ALWAYS_COMPARED, *(name for name, _ in run.sources.variables), *path, *run.activation.looked_at)
    yield from shell.same_variables(dict.fromkeys(names), theirs)


# What must be true


def _what_must_be_true(run: Recorded, head: str, program: str) -> Iterator[str]:
    """Comparisons of everything that was read, by content; then holding the environment."""
    activation, sources = run.activation, run.sources
    if not sources.repeatable:
        raise UnsayableError
    own = variable_files(activation.prefix)
    outer = variable_files(activation.outer_prefix) if activation.outer_prefix else []
    files = [*sources.files, *run.neighbours, *((path, _content(path)) for path in (*own, *outer))]
    if len(os.fsencode(head)) + sum(len(content or b"") for _, content in (*files, *run.beginnings)) > LARGEST:
        raise UnsayableError
    yield from _same_activation(activation)
    yield from (shell.same_file(path, content) for path, content in files)
    yield from (shell.same_file(path, lines, whole=False) for path, lines in run.beginnings)
    for path, names in sources.directories:
        yield from _same_settings_in(path, names)
    yield from shell.same_lines(os.fsencode(head), whole=os.fsencode(head) == run.data)
    yield from (f"[ -x {shell.quote(path)} ]" for path in (*_words(run, program)[:1], *_own(run)) if path != program)
    yield "_ce_hold <&-"
    if run.due is not None:
        yield f'[ {shell.quote(run.due)} -nt "$_ce_note" ]'


def _own(run: Recorded) -> list[str]:
    """A program of the environment that the command starts in turn, such as `python` in `nice python`: if it cannot be
    executed any more, PATH would provide another one."""
    folder = os.path.join(run.environment.prefix, "bin")
    named = [os.path.join(folder, word) for word in run.command[1:] if os.sep not in word]
    return [path for path in named if os.path.isfile(path)][:1]


def _head(run: Recorded) -> str:
    """The script up to and including the line after its header: a header ends where the next line does not belong to
    it."""
    data, end = run.data, 0
    for _ in range(run.last_line + 1):
        end = data.find(b"\n", end) + 1
        if end == 0:
            end = len(data)
            break
    return os.fsdecode(data[:end])


def _program(name: str, activation: Activation) -> tuple[str, bool]:
    """The program's path, and whether it was found elsewhere on PATH than in the prefix."""
    try:
        program = process.find_program(name, activation.environ, activation.prefix)
    except ExecuteError:
        raise UnsayableError from None
    # The kernel and shells start these in the same way, unlike a script without a shebang.
    with open(program, "rb") as file:
        start = file.read(4)
    if not os.path.isabs(program) or not start.startswith((b"#!", *_BINARIES)):
        raise UnsayableError
    return program, "/" not in name and os.path.dirname(program) not in activation.front


def _same_activation(activation: Activation) -> Iterator[str]:
    """Check that the prefix still has the same activation scripts, and the environment outside, whose prefix was
    compared, the same deactivation scripts. A prefix without any needs one check."""
    yield from _same_files_in(activation.prefix, "activate.d", activation.scripts)
    if activation.outer_prefix:
        scripts = activation.outer_scripts if shell_level(activation.outer.get("CONDA_SHLVL", "")) else None
        yield from _same_files_in(activation.outer_prefix, "deactivate.d", scripts)


def _same_files_in(prefix: str, scripts_in: str, scripts: Sequence[str] | None) -> Iterator[str]:
    folder, variables = activation_folder(prefix), variable_files(prefix)
    if not os.path.exists(folder):
        yield shell.same_file(folder, None)
    else:
        if scripts is not None:
            yield from shell.same_names(os.path.join(folder, scripts_in), "*.sh", scripts)
        below = os.path.join(folder, "env_vars.d")
        yield from shell.same_names(below, "*", [path for path in variables if os.path.dirname(path) == below])
    state = layout.state(prefix)
    if state not in variables:
        yield shell.same_file(state, None)


def _same_settings_in(folder: str, names: Sequence[str]) -> Iterator[str]:
    """Check that these are all settings files in a folder; their content is compared like that of other files."""
    for suffix in (".yml", ".yaml"):
        for pattern, hidden in ((f"*{suffix}", False), (f".*{suffix}", True)):
            these = [name for name in names if name.endswith(suffix) and name.startswith(".") is hidden]
            yield from shell.same_names(folder, pattern, [os.path.join(folder, name) for name in these])


def _content(path: str) -> bytes:
    """The content of a file, at most one byte more than can be compared."""
    with open(path, "rb") as file:
        return file.read(LARGEST + 1)


# What is run


def _what_is_run(run: Recorded, program: str) -> Iterator[str]:
    """Only PATH is computed again; everything else that depends on the outside was compared.

    If the environment outside must be deactivated first, the shell that does so sets everything afterwards.
    """
    activation = run.activation
    if not run.passes_script:
        yield "shift"
    if not activation.outer_scripts:
        yield from (f"unset {shell.name(name)}" for name in activation.unsets)
        yield from shell.export({**dict(activation.exports), **activation.moving})
        # A path with a colon cannot be an entry of PATH, but the shell, which searches the whole text, might find it
        # there.
        leaves = (
            f"{activation.outer_prefix}/bin" if activation.outer_prefix and ":" not in activation.outer_prefix else ""
        )
        yield f"_ce_first {shell.quote(':'.join(activation.front))} {shell.quote(leaves)}"
    yield f'exec {" ".join(map(shell.quote, _words(run, program)))} "$@"'


def _words(run: Recorded, program: str) -> list[str]:
    """The program's words, after those of the shell that sources activation scripts, if there are any."""
    words = [program, *run.command[1:]]
    if not run.activation.has_scripts:
        return words
    before = sourcing.becoming_words(run.activation)
    if before is None:
        raise UnsayableError
    return [*before, *words]


# On the disk


def _write_among(paths: Sequence[str], text: bytes, what: str, who: str) -> None:
    """Replace the record for the same callers; otherwise use the first place that is free or has a useless record, or
    else the place of the oldest. Raises OSError."""
    found = [_digests(path) for path in paths]
    same = [path for path, digests in zip(paths, found, strict=True) if digests == (what, who)]
    free = [path for path, digests in zip(paths, found, strict=True) if digests is None or digests[0] != what]
    _write(next(iter((*same, *free)), None) or min(paths, key=os.path.getmtime), text)


def _digests(path: str) -> tuple[str, str] | None:
    """The digests in the third line of a record; None for a file that is not a record."""
    lines = (content_of(path, _BEGINNING) or b"").split(b"\n")
    words = lines[2].decode("ascii", "replace").split() if len(lines) > 3 else []
    return (words[1], words[2]) if lines[0] == _FIRST_LINE.encode() and len(words) == 3 else None


def _write(path: str, text: bytes) -> None:
    """Write `text` to the file, completely or not at all, for this user only. Raises OSError."""
    if holds(path, text):
        return
    make_directory(os.path.dirname(path))
    write_atomically(path, text)


def discard_vanished(cache: str) -> None:
    """Remove the records whose script or prefix is gone (workflows use a new path per task), and directories that
    become empty. Ignores what cannot be read or removed."""
    for folder in launch_folders(cache):
        for directory, _, names in os.walk(folder, topdown=False):
            for name in names:
                path = os.path.join(directory, name)
                if not all(os.path.exists(other) for other in _named_in(path)):
                    try_to_unlink(path)
            try:
                os.rmdir(directory)
            except OSError:
                pass  # not empty


def _named_in(path: str) -> list[bytes]:
    """The script and the prefix that a record names; for an incomplete record, a path that does not exist."""
    text = content_of(path)
    if text is None:
        return []
    if not text.endswith(_LAST_LINES):
        return [b""]
    values = []
    for name in (b"for", b"prefix"):
        _, _, rest = text.partition(b"\n_ce_%s='" % name)
        values.append(rest.partition(b"'\n_ce_")[0].replace(b"'\\''", b"'"))
    return values
