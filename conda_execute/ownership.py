"""Whose is it? One answer for every file and directory that decides what runs.

Such a thing may be changed by its owner, by others that its mode lets write, and by anyone who can put another in its
place: who can write to a directory above it. All of them must be this user, root, or a group that the setting
`trusted-groups` names. That is what OpenSSH asks of keys, with the same two allowances: what is above a home directory
is the administrator's affair, and a group of which this user is the only member is nobody else.
"""

from __future__ import annotations

import os
import stat
import sys

from .errors import PlaceError
from .files import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: In the setting `trusted-groups`: every user of the machine.
EVERYONE = "everyone"

_TRUST = "the setting `trusted-groups` names groups whose members you trust as yourself"


def refuse_others(path: str, trusted: Sequence[str] = (), *, hint: str | None = None) -> None:
    """Raise PlaceError for what somebody else can change, or put another thing in the place of."""
    found = others(path, trusted)
    if found is not None:
        raise PlaceError(f"{found}, and so change what your scripts run", hint=_way_out(path, hint))


def _way_out(path: str, hint: str | None) -> str:
    import shlex

    if os.path.lexists(path) and is_own(found := os.stat(path)) and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"chmod go-w {shlex.quote(path)}"
    return f"{hint}; {_TRUST}" if hint else _TRUST


def others(path: str, trusted: Sequence[str] = ()) -> str | None:
    """Who else can change what is at this path, in a sentence; None if nobody can. Of what is not there yet, the
    directory counts in which it would be made."""
    if sys.platform == "win32" or EVERYONE in trusted:
        return None
    ours = _group_ids(trusted)
    home = os.path.realpath(os.environ.get("HOME") or "/")
    itself = (os.path.abspath(path), os.path.realpath(path))
    for one in _steps(itself[0]):
        try:
            found = os.lstat(one)
        except OSError:
            continue
        why = _why_not(one, found, ours, is_above=one not in itself)
        if why is not None:
            return why
        if one == home and found.st_uid == os.geteuid() and one not in itself:
            return None
    return None


def refuse_planted(path: str, beside: str, trusted: Sequence[str] = (), *, hint: str) -> None:
    """Raise PlaceError for a file that counts for lying next to a script, where somebody can change it who could not
    change the script: a directory like /tmp lets anybody lay files there."""
    if sys.platform == "win32" or EVERYONE in trusted:
        return
    script, ours = os.stat(beside), _group_ids(trusted)
    for found in (os.lstat(path), os.stat(path)):
        is_ours = found.st_gid in ours
        if found.st_uid not in (os.geteuid(), 0, script.st_uid) and not is_ours:
            why = f"belongs to another user (uid {found.st_uid})"
        elif _writers(found, is_ours) & ~script.st_mode:
            why = "can be changed by other users, who cannot change the script"
        else:
            continue
        raise PlaceError(f"`{path}` {why}, and decides what `{beside}` runs with", hint=f"{hint}; {_TRUST}")


def _writers(found: os.stat_result, is_ours: bool) -> int:
    """The bits of the mode that let others write."""
    bits = stat.S_IWOTH if is_ours else stat.S_IWOTH | stat.S_IWGRP
    return 0 if stat.S_ISLNK(found.st_mode) else found.st_mode & bits


def is_home_of_another(home: str | None) -> bool:
    """Whether this is root with the home of a user, as after a `sudo` that keeps HOME: what is there is not root's."""
    if sys.platform == "win32" or home is None or os.geteuid() != 0:
        return False
    try:
        return os.stat(home).st_uid != 0
    except OSError:
        return False


def _steps(path: str) -> list[str]:
    """The path and what is above it, the nearest first; after a symbolic link, what it leads to and what is above
    that."""
    steps = [path]
    while os.path.dirname(steps[-1]) != steps[-1]:
        steps.append(os.path.dirname(steps[-1]))
    real = os.path.realpath(path)
    return steps if real == path else [*_steps(real), *(step for step in steps if os.path.islink(step))]


def _why_not(path: str, found: os.stat_result, ours: set[int], *, is_above: bool) -> str | None:
    if sys.platform == "win32":
        raise AssertionError("POSIX only")
    is_ours = found.st_gid in ours
    if found.st_uid not in (os.geteuid(), 0) and not is_ours:
        return f"`{path}` belongs to another user (uid {found.st_uid}), who can change it"
    if stat.S_ISLNK(found.st_mode):
        return None  # only its owner can change it, and who can write to its directory
    if is_above and found.st_mode & stat.S_ISVTX:
        return None  # as in /tmp: nobody can rename or remove what belongs to another user
    if found.st_mode & stat.S_IWOTH:
        return f"other users can write to `{path}`"
    if found.st_mode & stat.S_IWGRP and not is_ours and not (is_above and _is_alone(found.st_gid)):
        return f"other users can write to `{path}` (those of group {found.st_gid})"
    return None


def _group_ids(names: Sequence[str]) -> set[int]:
    if sys.platform == "win32" or not names:
        return set()
    import grp

    found = set()
    for name in names:
        try:
            found.add(int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid)
        except KeyError:
            continue  # a group of other machines that read this setting
    return found


def _is_alone(group: int) -> bool:
    """Whether this user is the only member of the group, as is usual for the group that bears a user's name."""
    if sys.platform == "win32":
        return False
    import grp
    import pwd

    if group == 0:
        return True  # root's
    try:
        user = pwd.getpwuid(os.geteuid())
        entry = grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}
