"""Choosing locks: which one decides a run, what a launch record must compare, and how a lock is embedded.

`lockfile` reads the files; this module decides whether one is used. A lock that does not fit any more (the header was
changed) is ignored with a notice, or refused if it was required. A faulty one (edited by hand, nothing for this
platform) is always refused: a lock exists to prevent that packages are silently solved again.
"""

from __future__ import annotations

import os
import re

from ..errors import CreationError, UsageError
from ..ownership import refuse_planted
from . import POINTER, candidates
from . import lockfile as locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..engines import Solution
    from ..model import Request
    from ..options import RunOptions
    from ..script.header.keys import Header
    from ..script.source import Script
    from .lockfile import Lockfile

_BESIDE = "leave out `--embed` to write the lock file next to the script"

#: The beginning of our own locks: title, inputs, and the digest of the rest.
_BEGINNING = r"(?:#[^\n]*\n)+"


def deciding(
    script: Script,
    data: bytes | None,
    request: Request,
    options: RunOptions,
    *,
    trusted: Sequence[str],
    notice: Callable[[str], None],
) -> tuple[Lockfile | None, bool]:
    """Return the lock that decides the packages of this run, if any, and whether one was ignored.

    `data` is the whole script. Raises CreationError for a lock that is required (`--locked`) and missing or stale, or
    faulty; PlaceError for one that another user put next to the script. `trusted` are groups whose members may.
    """
    path, required = options.lock_file, options.locked
    lock = locks.read(path) if path is not None and os.path.exists(path) else None
    if lock is None and path is None and data is not None:
        lock = locks.find(script.path, data)
        if lock is not None and not lock.embedded:
            refuse_planted(lock.path, script.path, trusted, hint="`--no-lock` runs without it")
    if path is None and data is not None:
        _check_pointer(data, script, lock)
    if lock is None:
        if required or path is not None:
            where = f"at `{path}`" if path is not None else f"for `{script.title}`"
            raise CreationError(f"there is no lock {where}", step="lock", hint=f"{_again(script, path)} writes it")
        return None, False
    stale = locks.stale(lock, request, script.folder)
    if stale is None:
        return lock, False
    lacks_platform = request.platform not in lock.inputs
    remedy = "; `--lock` updates it"
    hint = f"{_again(script, path)} updates it; `--no-lock` runs without it"
    changed_by = options.for_one_run()
    if changed_by and not lacks_platform:
        stale, remedy = f"`{changed_by[0].name}` asks for something that it does not contain", ""
        hint = f"leave out `{changed_by[0].name}` or `--locked`"
    if required or lacks_platform:
        raise CreationError(f"the lock `{lock.path}` cannot be used: {stale}", step="lock", hint=hint)
    notice(f"the lock `{lock.path}` is ignored: {stale}{remedy}")
    return None, True


def _check_pointer(data: bytes, script: Script, lock: Lockfile | None) -> None:
    """Check that the script contains the lock that its header names: a truncated file has lost its end."""
    named = re.search(_pointer(), data, re.MULTILINE) if POINTER.encode() in data else None
    if named is None or (lock is not None and lock.embedded and lock.digest.startswith(named[1].decode())):
        return
    if lock is not None and lock.embedded:
        reason = f"the lock in `{script.title}` was changed: it is not the one that the header names"
    else:
        reason = f"the lock in `{script.title}` is gone: the header names one at the script's end"
    raise CreationError(
        reason,
        step="lock",
        hint=f"`conda execute --lock --embed {script.title}` updates it; without that line the script needs none",
    )


def _pointer() -> bytes:
    return f"^{locks.MARK}{re.escape(POINTER)}([0-9a-f]{{16}})(?:\\r?\\n|\\Z)".encode()


def _again(script: Script, path: str | None) -> str:
    """The command that writes this lock."""
    from shlex import quote

    return f"`conda execute --lock {f'--lock-file {quote(path)} ' if path is not None else ''}{quote(script.title)}`"


def satisfied(lock: Lockfile, request: Request, *, required: bool, notice: Callable[[str], None]) -> Solution | None:
    """The packages of another tool's lock, which does not say what it was written for; None if they do not fit.

    One of our own locks without that information is damaged, and never ignored.
    """
    try:
        return locks.solution(lock, request)
    except CreationError as error:
        if required or lock.is_ours:
            raise
        notice(f"the lock is ignored: {error.message}")
        return None


def watched(
    script: str, lock: Lockfile | None, path: str | None
) -> tuple[list[tuple[str, bytes | None]], list[tuple[str, bytes]]] | None:
    """What a launch record must compare: absent files, and first lines of files. None: it cannot be compared.

    The first lines of our own locks contain the digest of the rest, and an embedded one has its digest in the header.
    """
    asked = [path] if path is not None else candidates(script)
    if lock is not None and lock.embedded and not lock.inputs:
        return None  # another tool's, whose digest is not in the header
    if lock is not None and not lock.embedded:
        beginning = re.match(_BEGINNING, lock.text)
        if not lock.inputs or beginning is None:
            return None
        earlier = asked[: asked.index(lock.path)] if lock.path in asked else []
        return [(one, None) for one in earlier], [(lock.path, beginning[0].encode())]
    return [(one, None) for one in asked], []


def embed(data: bytes, header: Header, text: str, path: str) -> bytes:
    """The script with the lock at its end and a line in its header that names it; every other byte stays."""
    from ..script.header import extent, find_header

    data = unembed(data)
    if re.search(rb"^__(?:END|DATA)__\r?$", data, re.MULTILINE):
        raise UsageError(
            "the end of this script is data (`__END__`, `__DATA__`), and a lock there would be read as such",
            hint=_BESIDE,
        )
    found = find_header(data, "")
    assert found is not None, "the header is still there without the line that names the lock"
    newline = b"\r\n" if b"\r\n" in data[:4096] else b"\n"
    prefix = _prefix(data, header)
    digest = locks.Lockfile("", text).digest
    line = f"{prefix}{POINTER}{digest[:16]}".encode() + newline
    at = extent(data, found)
    if header.format == "conda execute" and at == len(data):
        raise UsageError("nothing comes after the header, and a lock there would become part of it", hint=_BESIDE)
    if header.format != "conda execute":
        # TOML blocks end with a closing line, which must stay the last one.
        at = data.rindex(b"\n", 0, at - 1) + 1
    elif not data[:at].endswith(b"\n"):
        line = newline + line.rstrip(b"\r\n")
    return locks.embed(data[:at] + line + data[at:], text, _prefix_at_end(data, prefix, path))


def _prefix_at_end(data: bytes, prefix: str, path: str) -> str:
    """The comment prefix for the end of the script: lines within `/*` and `*/` are comments only there."""
    from ..script import languages

    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".php" and data.rstrip().endswith(b"?>"):
        raise UsageError("PHP prints what follows the last `?>` of this script, and would print a lock", hint=_BESIDE)
    if not prefix.startswith("*"):
        return prefix
    language = languages.of(path)
    if language is None or language.comment == "#":
        raise UsageError(
            f"a line that begins with `{prefix.rstrip()}` might not be a comment at the end of this script",
            hint=_BESIDE,
        )
    return languages.comment_sign(path) + " "


def unembed(data: bytes) -> bytes:
    """The script as it was before `embed`."""
    return re.sub(_pointer(), b"", locks.remove(data), flags=re.MULTILINE)


def _prefix(data: bytes, header: Header) -> str:
    """The comment prefix of this script, from the first line of its header."""
    line = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[header.lines[0] - 1].decode("utf-8").rstrip()
    if header.format == "conda execute":
        from ..script.header.native import opening

        return (opening(line) or "#") + " "
    return line[: line.index("///")]
