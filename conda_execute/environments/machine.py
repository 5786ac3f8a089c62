"""Which boots belong to the same machine. This decides about notes of earlier boots on a disk that hosts share.

Each machine writes down once per boot who it is (`.boots/<boot id>`), when that boot began by the clock of the file
system, and which earlier boots were its own. A host name alone says nothing: two virtual machines that are called
`ubuntu` share a disk; cloned images share a machine id too, and sometimes the addresses of their cards. So all of this
must match, and the machine must remember that boot on a disk of its own, which a clone does only if it was cloned
later. Containers write nothing, since none of this is certain for them; their boot id is that of the machine, whose
entry counts.

If two machines are the same in all that, one shows signs of life after the boot of the other began: then they are two
machines, and neither judges the notes of the other.
"""

from __future__ import annotations

import os
import sys

from .. import files
from ..lean.digest import digest
from . import layout, uses

#: Host names that many machines share.
_NAMES_OF_NO_HOST = ("", "localhost", "localhost.localdomain", "(none)", uses.UNKNOWN)

_CARDS = "/sys/class/net"

#: Where a machine keeps files of any user until after its next boot.
_LASTING = "/var/tmp"

#: How many of its earlier boots a machine remembers.
_REMEMBERED = 50


def register(tmp_envs: str, now: float) -> None:
    """Write down who this machine is, once per boot; `now` is the file system's clock. Raises OSError."""
    host, boot, first = uses.place().rsplit("+", 2)
    identity = _identity(host) if first == uses.MACHINE and boot != uses.UNKNOWN else None
    path = layout.machine(tmp_envs, boot)
    if identity is None or os.path.exists(path):
        return
    lines = [identity, f"{now - _uptime():.0f}", *_former_boots(boot)]
    files.write_whole(path, ("\n".join(lines) + "\n").encode())


def forget_former(tmp_envs: str, now: float, unused_for: float) -> None:
    """Remove the entries of boots that have shown no sign of life for `unused_for` seconds."""
    by_boot: dict[str, list[str]] = {}
    for name in files.listed(layout.boots(tmp_envs)):
        by_boot.setdefault(name.partition(".")[0], []).append(os.path.join(layout.boots(tmp_envs), name))
    for paths in by_boot.values():
        if now - max(map(files.changed, paths)) > unused_for:
            for path in paths:
                files.try_to_unlink(path)


class _Entry:
    """What a machine wrote down about a boot."""

    def __init__(self, text: str) -> None:
        self.identity, began, *self.former = text.split()
        self.began = float(began)


class Boots:
    """What is known of the boots that left notes."""

    def __init__(self, tmp_envs: str, here: str) -> None:
        self._tmp_envs = tmp_envs
        self._mine = self._read(here)
        self._last_signs: dict[str, float | None] = {}

    def was_before(self, boot: str, moment: float) -> bool:
        """Whether a note of that boot, made or renewed at that moment, comes from an earlier boot of this machine."""
        if self._mine is None:
            return False
        if boot not in self._last_signs:
            self._last_signs[boot] = self._last_sign(boot, self._mine)
        last = self._last_signs[boot]
        return last is not None and max(last, moment) < self._mine.began

    def _last_sign(self, boot: str, mine: _Entry) -> float | None:
        """When this machine last showed a sign of life in that boot; None if it may have been another machine."""
        entry = self._read(boot)
        if entry is None or boot not in mine.former or entry.identity != mine.identity:
            return None
        return max(files.changed(path(self._tmp_envs, boot)) for path in (layout.machine, layout.swept))

    def _read(self, boot: str) -> _Entry | None:
        try:
            with open(layout.machine(self._tmp_envs, boot), encoding="ascii") as stream:
                return _Entry(stream.read())
        except (OSError, ValueError):
            return None


def _identity(host: str) -> str | None:
    """What distinguishes this machine from all others; None if that is not certain."""
    machine_id = uses.line("/etc/machine-id")
    if len(machine_id) != 32 or host in _NAMES_OF_NO_HOST:
        return None
    cards = [card for card in files.listed(_CARDS) if os.path.exists(os.path.join(_CARDS, card, "device"))]
    addresses = sorted(uses.line(os.path.join(_CARDS, card, "address")) for card in cards)
    # Hashed, since a machine's id is confidential (machine-id(5)).
    return digest("\n".join(("conda-execute", machine_id, host, *addresses)).encode())


def _former_boots(boot: str) -> list[str]:
    """The boots that this machine remembers on its own disk. The current one is added."""
    from .filesystem import is_network

    if sys.platform == "win32" or is_network(_LASTING):
        return []
    path = os.path.join(_LASTING, f".conda-execute-{os.geteuid()}.boots")
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        with open(os.open(path, flags, 0o600), "r+", encoding="ascii") as stream:
            status = os.fstat(stream.fileno())
            if status.st_uid != os.geteuid() or status.st_nlink != 1:
                return []  # another user's
            former = [line for line in stream.read().split() if line != boot][-_REMEMBERED:]
            stream.seek(0)
            stream.write("\n".join([*former, boot]) + "\n")
            stream.truncate()
    except (OSError, ValueError):
        return []
    return former


def _uptime() -> float:
    try:
        return float(uses.line("/proc/uptime").split()[0])
    except ValueError:
        return 0.0
