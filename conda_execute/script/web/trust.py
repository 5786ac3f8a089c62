"""Which scripts from the web may run: only trusted ones.

A script is trusted if

- its address was given with the hash of its content (`URL#sha256=...`); or
- every address of its redirects matches one of the patterns in the setting `trusted-urls`; or
- the user agreed before, on a terminal or with `--trust`, to this content at this address. If the content changes, the
  user is asked again.

The file `cache.trusted_file` has a line for each trusted script, SHA-256 and address; a line with `forget` and an
address cancels earlier ones. Lines are only appended, and the file is used only if it belongs to this user and nobody
else may write to it. The trusted content is kept next to it, to show later changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from urllib.parse import unquote, urlsplit

from ...cache import trusted_copy, trusted_file
from ...errors import ExecuteError, PlaceError
from ...files import content_of, make_directory, write_whole
from ...text import counted, printable
from .address import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..header.keys import Header
    from ..source import Script
    from .fetch import Fetched

TRUSTED = "trusted"
#: Another content was trusted at this address.
CHANGED = "changed"
UNKNOWN = "unknown"

#: GitHub shows commits of forks and of pull requests, which anybody can make, under the address of the repository.
_FORK = re.compile(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/([0-9a-f]{7,40}|refs/pull/[^/]+)/", re.IGNORECASE)

#: How many lines of a header are shown with the question, and how many characters of each.
_LINES = 40
_CHARACTERS = 200

#: How many changed lines are shown.
_CHANGES = 200

#: Begins a line that cancels trust.
_FORGET = "forget"


def standing(fetched: Fetched, patterns: Sequence[str], cache: str | None) -> str:
    """`TRUSTED`, `CHANGED` or `UNKNOWN`."""
    if fetched.address.pin == fetched.digest or _fits(fetched, patterns):
        return TRUSTED
    said = [digest for digest, address in trusted(cache) if address == str(fetched.address)]
    if fetched.digest in said:
        return TRUSTED
    return CHANGED if said else UNKNOWN


def _fits(fetched: Fetched, patterns: Sequence[str]) -> bool:
    forks = [found[1] for found in (_FORK.match(unquote(address)) for address in fetched.way) if found]

    def fits(*addresses: str | None) -> bool:
        said = (pattern for pattern in patterns if all(fork in pattern for fork in forks))
        return any(matches(pattern, address) for pattern in said for address in addresses if address)

    first, *rest = fetched.way
    return fits(first, fetched.address.page) and all(fits(address) for address in rest)


def matches(pattern: str, address: str) -> bool:
    """Whether an address matches a pattern of `trusted-urls`.

    `*` means anything, but within the host for no slash; a pattern without a path, or whose path ends with a
    slash, means all that is below. Without a scheme it means `https`.

    >>> matches("https://github.com/me/*", "https://github.com/me/repo/raw/main/plot.py")
    True
    >>> matches("*.example.org", "https://evil.org/.example.org")
    False
    >>> matches("https://example.org/mine/", "https://example.org/mine/../yours/plot.py")
    False
    """
    try:
        wanted = urlsplit(pattern if "://" in pattern else f"https://{pattern}")
        found = urlsplit(address)
    except ValueError:
        return False
    if wanted.scheme != found.scheme or _leaves_its_folder(found.path):
        return False
    host = wanted.netloc.rpartition("@")[2].lower()
    path = quoted(wanted.path) + (f"?{quoted(wanted.query)}" if wanted.query else "")
    if path == "" or path.endswith("/"):
        path += "*"
    target = found.path + (f"?{found.query}" if found.query else "")
    return _like(host, found.netloc, "[^/]*") and _like(path, target, ".*")


def _like(pattern: str, text: str, anything: str) -> bool:
    return re.fullmatch(anything.join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _leaves_its_folder(path: str) -> bool:
    """Whether a path may lead out of its folder: servers and proxies may read `me/../you` as `you`, and some read `..;`
    as `..`."""
    plain = unquote(path).replace("\\", "/")
    return any(part.partition(";")[0] == ".." for part in plain.split("/"))


# What was said ----------------------------------------------------------------------------------------------------


def trusted(cache: str | None) -> list[tuple[str, str]]:
    """SHA-256 and address of every script that the user trusted; other lines are ignored."""
    if cache is None:
        return []
    try:
        with open(trusted_file(cache), encoding="utf-8", errors="replace") as file:
            if not _private(file.fileno()):
                return []
            found = re.findall(rf"^([0-9a-f]{{64}}|{_FORGET}) (\S+)$", file.read(), re.MULTILINE)
    except OSError:
        return []
    said: list[tuple[str, str]] = []
    for digest, address in found:
        if digest == _FORGET:
            said = [one for one in said if one[1] != address]
        elif (digest, address) not in said:
            said.append((digest, address))
    return said


def _private(descriptor: int) -> bool:
    if not hasattr(os, "getuid"):
        return True
    status = os.fstat(descriptor)
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def remember(fetched: Fetched, cache: str | None) -> None:
    """Record that this content at this address is trusted. Raises PlaceError if that cannot be recorded."""
    if cache is None:
        return
    with contextlib.suppress(OSError):  # without it, later changes cannot be shown
        write_whole(trusted_copy(cache, fetched.digest), fetched.content)
    _append(f"{fetched.digest} {fetched.address}", cache)


def forget(address: str, cache: str | None) -> bool:
    """Cancel the trust in this address; False if there was none. Raises PlaceError."""
    digests = [digest for digest, other in trusted(cache) if other == address]
    if cache is None or not digests:
        return False
    _append(f"{_FORGET} {address}", cache)
    for digest in digests:
        with contextlib.suppress(OSError):
            os.unlink(trusted_copy(cache, digest))
    return True


def _append(line: str, cache: str) -> None:
    path = trusted_file(cache)
    try:
        make_directory(cache)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "ab", buffering=0) as file:
            file.write(f"{line}\n".encode())
    except OSError as error:
        raise PlaceError(
            f"trust could not be recorded in `{path}`: {error.strerror}",
            hint="set CONDA_EXECUTE_CACHE_DIR to a directory that you can write to",
        ) from None


# What is asked ----------------------------------------------------------------------------------------------------


def refusal(fetched: Fetched, standing: str) -> ExecuteError:
    """The error if there is nobody to ask."""
    address, changed = fetched.address, "is no longer what was trusted" if standing == CHANGED else "is not trusted"
    via = "".join(f"\nby way of {passed}" for passed in fetched.way[1:])
    return ExecuteError(
        f"`{address}` {changed}, and there is no terminal to ask on",
        details=f"sha256 {fetched.digest}{via}",
        hint="look at it, then run it with `--trust`, or as URL#sha256=... with this hash",
    )


def changes(fetched: Fetched, cache: str | None) -> list[str]:
    """The lines that differ from what was trusted last at this address, those of the header among them: as `diff -u`
    shows them. None if that is not known any more."""
    import difflib

    digests = [digest for digest, address in trusted(cache) if address == str(fetched.address)]
    if cache is None or not digests or digests[-1] == fetched.digest:
        return []
    before = content_of(trusted_copy(cache, digests[-1]))
    if before is None or hashlib.sha256(before).hexdigest() != digests[-1]:
        return []
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (before, fetched.content))
    lines = difflib.unified_diff(old, new, "what was trusted", "what it is now", lineterm="")
    return [_shown(printable(line)) for line in lines]


def describe(fetched: Fetched, standing: str, header: Header, script: Script, changed_lines: Sequence[str] = ()) -> str:
    """What a person should know before saying yes."""
    changed = "it is no longer what was trusted" if standing == CHANGED else "it is not trusted yet"
    lines = [f"{fetched.address}: {changed}"]
    lines += [f"  by way of  {address}" for address in fetched.way[1:]]
    count = fetched.content.count(b"\n") + (not fetched.content.endswith(b"\n"))
    lines.append(f"  size       {len(fetched.content)} bytes, {counted(count, 'line')}")
    lines.append(f"  sha256     {fetched.digest}")
    lines.append(f"  file       {script.path}")
    if changed_lines:
        lines += ["  changes", *(f"    {line}" for line in changed_lines[:_CHANGES])]
        if len(changed_lines) > _CHANGES:
            lines.append(f"    ... and {len(changed_lines) - _CHANGES} more lines")
        return "\n".join(lines)
    first, last = header.lines
    if not last:
        return "\n".join([*lines, "  header     none"])
    lines.append(f"  header     lines {first} to {last}")
    written = script.head.decode("utf-8", "replace").split("\n")[first - 1 : last]
    lines += [f"    {_shown(printable(line.rstrip()))}" for line in written[:_LINES]]
    if len(written) > _LINES:
        lines.append(f"    ... and {len(written) - _LINES} more lines")
    return "\n".join(lines)


def _shown(line: str) -> str:
    more = len(line) - _CHARACTERS
    return f"{line[:_CHARACTERS]} ... and {more} more characters" if more > 0 else line
