"""Who controls a file or directory that decides what runs.

It can be changed by its owner, by others that may write to it according to its mode, and by anyone who can replace it:
who can write to a directory above it. All of them must be this user, root, or a group in the setting `trusted-groups`.
OpenSSH requires the same of keys, with the same two exceptions: directories above a home directory are the
administrator's concern, and a group with this user as its only member is allowed. What a user names, a directory or a
script, says itself who is trusted: nobody decides next to it who could not change it (`planted`).
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

#: The value of the setting `trusted-groups` that means every user of the machine.
EVERYONE = "everyone"

#: The kernel follows 40 links.
_MOST_STEPS = 4000

TRUST = "the setting `trusted-groups` names groups whose members you trust as yourself"


def refuse_others(path: str, trusted: Sequence[str] = (), *, hint: str | None = None) -> None:
    """Raise PlaceError for a path that another user can change or replace."""
    found = others(path, trusted)
    if found is not None:
        raise PlaceError(f"{found}, and so change what your scripts run", hint=_way_out(path, hint))


def _way_out(path: str, hint: str | None) -> str:
    import shlex

    if os.path.lexists(path) and is_own(found := os.stat(path)) and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"chmod go-w {shlex.quote(path)}"
    return f"{hint}; {TRUST}" if hint else TRUST


def others(path: str, trusted: Sequence[str] = (), *, of_home: bool = False) -> str | None:
    """Who else can change what is at this path, in a sentence; None if nobody can. If it does not exist, the directory
    counts in which it would be created.

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
    """Whether another user controls a home directory, or can create it: as with `HOME=/tmp`, or after a `sudo` that
    keeps HOME."""
    while not os.path.lexists(home) and home != os.path.dirname(home):
        home = os.path.dirname(home)
    return others(home, trusted, of_home=True) is not None


def refuse_planted(path: str, beside: str, trusted: Sequence[str] = (), *, hint: str) -> None:
    """Raise PlaceError for a file that is used because it is next to a script, if a user can change it who cannot
    change the script: in a directory like /tmp anybody can create files."""
    why = planted(path, beside, trusted)
    if why is not None:
        raise PlaceError(f"{why}, and it decides what `{beside}` runs with", hint=f"{hint}; {TRUST}")


def planted(path: str, beside: str, trusted: Sequence[str] = ()) -> str | None:
    """How a user who cannot change a script, or a named directory, can change a file next to it or in it; None if
    nobody can."""
    if sys.platform == "win32" or EVERYONE in trusted:
        return None
    near, ours = os.stat(beside), _group_ids(trusted)
    allowed, of_group = near.st_mode, ours
    if stat.S_ISDIR(near.st_mode):
        # In /tmp nobody can change files of others; elsewhere, the group of a directory may create files there.
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
    """Whether root runs with the home directory of a user, as after a `sudo` that keeps HOME."""
    if sys.platform == "win32" or home is None or os.geteuid() != 0:
        return False
    try:
        return os.stat(home).st_uid != 0
    except OSError:
        return False


def _steps(path: str) -> tuple[list[tuple[str, os.stat_result]], str]:
    """The existing directories and links that lead to a path, starting at the root, and the path without links. What
    leads to a home directory of this user is left out: that is the administrator's concern."""
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
    """Who else may write, by the mode. `alone`: whether a group with this user as its only member may write."""
    is_ours = found.st_gid in ours
    if not (is_own(found) or found.st_uid == 0 or is_ours):
        return f"`{path}` belongs to another user (uid {found.st_uid}), who can change it"
    if stat.S_ISLNK(found.st_mode):
        return None  # only its owner can change it, and anyone who can write to its directory
    if is_above and found.st_mode & stat.S_ISVTX:
        return None  # as in /tmp: users cannot rename or remove files of others
    if found.st_mode & stat.S_IWOTH:
        return f"other users can write to `{path}`"
    if found.st_mode & stat.S_IWGRP and (_has_list(path) or not (is_ours or (alone and _is_alone(found.st_gid)))):
        return f"other users can write to `{path}` (those of group {found.st_gid})"
    return None


def _has_list(path: str) -> bool:
    """Whether an access control list decides who may write. Then the group bits are the maximum for all entries of the
    list."""
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
            continue  # a group that exists only on other machines that use this setting
    return found


def _is_alone(group: int) -> bool:
    """Whether this user is the only member of the group, as is usual for a group with the name of a user."""
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
