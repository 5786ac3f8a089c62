"""Processes of this host that live in an environment, noted or not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, TypeVar

import psutil

from ..lean.values import dataclass
from ..model import Use

#: How it is known that a process uses an environment.
Sign = Literal["noted", "program inside", "working directory inside", "activated"]
_Read = TypeVar("_Read")

#: How often the table of processes is read again for new ones: a busy machine always has some.
_PASSES = 20

#: Longest command line in a sentence; longer ones are cut.
_LONGEST_SHOWN = 100


@dataclass(frozen=True)
class Process:
    """A process of this host that uses an environment, and how that is known."""

    pid: int
    command: str
    why: Sign

    def __str__(self) -> str:
        # Of the program's path, which is long and the same for all, only the name is useful.
        program, space, rest = self.command.partition(" ")
        shown = program.rpartition("/")[2] + space + rest
        shown = shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
        return f"{self.pid} ({shown})" if shown else str(self.pid)


def sees_processes() -> bool:
    """Whether the processes of this host can be seen: not in a sandbox without /proc."""
    return sys.platform != "linux" or os.path.exists("/proc/self/stat")


def command(pid: int) -> str:
    """The command line of a process, for people; empty if it is gone or hides."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except (psutil.Error, OSError):
        return ""


def inhabitants(tmp_envs: str) -> dict[str, list[Process]]:
    """Processes of this host by the name of the environment below `tmp_envs` that they use.

    A daemonised child, a language server or an activated shell leaves no note: it is recognised by its program, its
    working directory or its `CONDA_PREFIX` (`CONDA_PREFIX_1` and so on, in a shell that activated another environment
    on top). A process whose details we cannot read belongs to another user, who cannot read `tmp_envs`.
    """
    if not sees_processes():
        return {}
    roots = tuple({os.path.join(tmp_envs, ""), os.path.join(os.path.realpath(tmp_envs), "")})
    found: dict[str, list[Process]] = {}
    seen: set[int] = set()
    veiled: list[int] = []
    for _ in range(_PASSES):
        # A daemon forks and ends while we look: a process created since the last pass is checked in the next.
        new = [pid for pid in psutil.pids() if pid not in seen]
        if not new:
            break
        seen.update(new)
        veiled += [pid for pid in new if not _look_at(pid, roots, found)]
    for pid in veiled:
        _look_at(pid, roots, found)
    return found


def together(noted: Iterable[Use], inhabitants: Iterable[Process]) -> tuple[Process, ...]:
    """Live processes that noted a use, and those that are found inside without a note, in the order of their pids."""
    processes = {process.pid: process for process in inhabitants}
    processes.update({use.pid: Process(use.pid, command(use.pid), "noted") for use in noted})
    return tuple(processes[pid] for pid in sorted(processes))


def _look_at(pid: int, roots: Iterable[str], found: dict[str, list[Process]]) -> bool:
    """Record which environments the process uses; False if it shows no variables, like one in the middle of an exec."""
    try:
        process = psutil.Process(pid)
    except (psutil.Error, OSError):
        return True
    variables = _readable(process.environ)
    for why, path in _signs(process, variables or {}):
        name = _name_below(roots, path)
        if name is not None:
            found.setdefault(name, []).append(Process(pid, command(pid), why))
            return True
    return variables is None or bool(variables)


def _signs(process: psutil.Process, variables: Mapping[str, str]) -> Iterator[tuple[Sign, str]]:
    """Paths that show which environment a process uses, each with the kind of evidence."""
    yield "program inside", _readable(process.exe) or ""
    yield "working directory inside", _readable(process.cwd) or ""
    for variable, value in variables.items():
        if variable.startswith("CONDA_PREFIX"):
            yield "activated", value
            yield "activated", os.path.realpath(value)


def _readable(read: Callable[[], _Read]) -> _Read | None:
    """What `read` returns for the process; None if it is not readable or has ended."""
    try:
        return read()
    except (psutil.Error, OSError):
        return None


def _name_below(roots: Iterable[str], path: str) -> str | None:
    for root in roots:
        if path.startswith(root):
            return path[len(root) :].split(os.sep, 1)[0]
    return None
