"""Whose is it? One answer for every file and directory that decides what runs.

Such a thing may be changed by its owner, by others that its mode lets write, and by anyone who can put another in its
place: who can write to a directory above it. All of them must be this user, root, or a group that the setting
`trusted-groups` names. That is what OpenSSH asks of keys, with the same two allowances: what is above a home directory
is the administrator's affair, and a group of which this user is the only member is nobody else. What a user names, a
directory or a script, says itself who is trusted: nobody decides next to it who could not change it (`planted`).
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

#: The kernel follows 40 links.
_MOST_STEPS = 4000

TRUST = "the setting `trusted-groups` names groups whose members you trust as yourself"


def refuse_others(path: str, trusted: Sequence[str] = (), *, hint: str | None = None) -> None:
    """Raise PlaceError for what somebody else can change, or put another thing in the place of."""
    found = others(path, trusted)
    if found is not None:
        raise PlaceError(f"{found}, and so change what your scripts run", hint=_way_out(path, hint))


def _way_out(path: str, hint: str | None) -> str:
    import shlex

    if os.path.lexists(path) and is_own(found := os.stat(path)) and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"chmod go-w {shlex.quote(path)}"
    return f"{hint}; {TRUST}" if hint else TRUST


def others(path: str, trusted: Sequence[str] = (), *, of_home: bool = False) -> str | None:
    """Who else can change what is at this path, in a sentence; None if nobody can. Of what is not there yet, the
    directory counts in which it would be made.

    `of_home`: it is no place that we made, and may belong to the group of which this user is the only member.
    """
    if sys.platform == "win32" or EVERYONE in trusted:
        return None
    ours = _group_ids(trusted)
    absolute = os.path.abspath(path)
    steps, real = _steps(absolute)
    for step, found in reversed(steps):
        itself = step in (absolute, real)
        why = _why_not(step, found, ours, is_above=not itself, alone=of_home or not itself)
        if why is not None:
            return why
    return None


def is_foreign(home: str, trusted: Sequence[str] = ()) -> bool:
    """Whether somebody else decides what is in a home, or can make it: as with `HOME=/tmp`, and after a `sudo` that
    keeps HOME."""
    while not os.path.lexists(home) and home != os.path.dirname(home):
        home = os.path.dirname(home)
    return others(home, trusted, of_home=True) is not None


def refuse_planted(path: str, beside: str, trusted: Sequence[str] = (), *, hint: str) -> None:
    """Raise PlaceError for a file that counts for lying next to a script, where somebody can change it who could not
    change the script: a directory like /tmp lets anybody lay files there."""
    why = planted(path, beside, trusted)
    if why is not None:
        raise PlaceError(f"{why}, and it decides what `{beside}` runs with", hint=f"{hint}; {TRUST}")


def planted(path: str, beside: str, trusted: Sequence[str] = ()) -> str | None:
    """How somebody can change a file that counts for lying next to a script, or in a directory that was named, who
    could not change that."""
    if sys.platform == "win32" or EVERYONE in trusted:
        return None
    near, ours = os.stat(beside), _group_ids(trusted)
    allowed, of_group = near.st_mode, ours
    if stat.S_ISDIR(near.st_mode):
        # In /tmp nobody can change what is another's; elsewhere, the group of a directory may lay files there.
        allowed &= 0 if near.st_mode & stat.S_ISVTX else ~stat.S_IWOTH
        of_group = {*ours, near.st_gid} if allowed & stat.S_IWGRP else ours
    for found in (os.lstat(path), os.stat(path)):
        if found.st_uid not in (os.geteuid(), 0, near.st_uid) and found.st_gid not in of_group:
            return f"`{path}` belongs to another user (uid {found.st_uid})"
        bits = stat.S_IWOTH if found.st_gid in ours else stat.S_IWOTH | stat.S_IWGRP
        if not stat.S_ISLNK(found.st_mode) and found.st_mode & bits & ~allowed:
            return f"`{path}` can be changed by other users, who cannot change `{beside}`"
    return None


def is_home_of_another(home: str | None) -> bool:
    """Whether this is root with the home of a user, as after a `sudo` that keeps HOME: what is there is not root's."""
    if sys.platform == "win32" or home is None or os.geteuid() != 0:
        return False
    try:
        return os.stat(home).st_uid != 0
    except OSError:
        return False


def _steps(path: str) -> tuple[list[tuple[str, os.stat_result]], str]:
    """The directories and links that lead to a path, from the root on, as far as they are there; and the path without
    links. What leads to a home of this user is left out: it is the administrator's affair."""
    home = os.path.realpath(os.environ.get("HOME") or "/")
    steps: list[tuple[str, os.stat_result]] = []
    begin, current, rest = 0, "/", path.split("/")
    for _ in range(_MOST_STEPS):
        if not rest:
            break
        part = rest.pop(0)
        if part == "..":
            current = os.path.dirname(current)
            continue
        step = os.path.join(current, part) if part not in ("", ".") else current
        try:
            found = os.lstat(step)
        except OSError:
            current = step
            continue
        if step != current or not steps:
            steps.append((step, found))
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(step)
            rest = target.split("/") + rest
            begin, current = len(steps), "/" if target.startswith("/") else current
            continue
        current = step
        if step == home and is_own(found):
            del steps[begin:-1]
            begin = len(steps) - 1
    return steps, current


def _why_not(path: str, found: os.stat_result, ours: set[int], *, is_above: bool, alone: bool) -> str | None:
    """`alone`: whether the group of which this user is the only member may write."""
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
    if found.st_mode & stat.S_IWGRP and (_has_list(path) or not (is_ours or (alone and _is_alone(found.st_gid)))):
        return f"other users can write to `{path}` (those of group {found.st_gid})"
    return None


def _has_list(path: str) -> bool:
    """Whether an access control list says who may write. Then the bits of the group are the most that anybody in the
    list may."""
    if sys.platform != "linux":
        return False
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except OSError:
        return False


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
