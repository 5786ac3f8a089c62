"""`conda tmpenv list`: every environment, for people and as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ...environments.removal import Found, Policy
from ...environments.store import Store
from ...environments.sweep import foreign_notes, survey
from ...model import Marker
from ...options import ListOptions
from ...plan import open_store
from ...terminal import table
from ...terminal.messages import print_json, say
from ...text import age, counted, megabytes, printable


def list(options: ListOptions) -> int:  # noqa: A001  the command's name
    settings, store = open_store(say)
    environments = sorted(
        survey(store, Policy(foreign_use_ttl=settings.foreign_use_ttl)), key=_KEYS[options.sort or "used"]
    )
    now = store.now()
    if options.json:
        print_json([as_json(found, now) for found in environments])
    elif not environments:
        say(f"there are no environments in `{store.tmp_envs}`")
    else:
        _print_table(environments, now, store, verbose=options.verbose)
    return 0


_KEYS: dict[str, Callable[[Found], Any]] = {
    "name": lambda found: found.name,
    "size": lambda found: (-(found.size or 0), found.name),
    "created": lambda found: (-(found.marker.created if found.marker else 0), found.name),
    "used": lambda found: (-found.last_used, found.name),
    "script": lambda found: (found.marker.script if found.marker else "", found.name),
}

#: Digits of a name on a terminal: each command accepts them instead of the whole name.
_DIGITS = 8

_COLUMNS = (
    table.Column("NAME"),
    table.Column("STATE", gives_way=3),
    table.Column("SIZE", right=True, gives_way=2),
    table.Column("CREATED", right=True, gives_way=6),
    table.Column("USED", right=True, gives_way=4),
    table.Column("RUNNING", gives_way=5),
    table.Column("SCRIPT", gives_way=1, shrinks=True),
    table.Column("SPECS", gives_way=7, shrinks=True),
)


def _print_table(environments: Sequence[Found], now: float, store: Store, *, verbose: bool) -> None:
    width = table.width_of(sys.stdout)
    rows = [_row(found, now, short=width is not None) for found in environments]
    header, *lines = table.layout(_COLUMNS, rows, width)
    print(header)
    for found, row in zip(environments, lines, strict=True):
        print(row)
        for running in found.processes:
            command = running.command if width is None else _within(running.command, found.prefix)
            print(table.cut(f"    {running.pid}  {printable(command)}", width))
        for line in elsewhere(found, now, verbose=verbose):
            print(table.cut(f"    {line}", width))
    if width is not None:
        total = size(sum(found.size or 0 for found in environments))
        print(table.cut(f"{counted(len(environments), 'environment')}, {total}, in {store.tmp_envs}", width))


def _from_here(script: str) -> str:
    """The path of a script relative to the working directory, if it is below that."""
    return os.path.relpath(script) if script.startswith(os.path.join(os.getcwd(), "")) else script


def _within(command: str, prefix: str) -> str:
    """The command without the path of its environment: `python plot.py`."""
    return command.replace(f"{prefix}/bin/", "").replace(f"{prefix}/", "")


def _row(found: Found, now: float, *, short: bool) -> Sequence[str]:
    marker = found.marker
    return (
        found.name[:_DIGITS] if short else found.name,
        _state(found),
        size(found.size),
        age(now - marker.created) if marker else "-",
        age(now - found.last_used) if found.last_used else "-",
        str(len(found.processes) or "-"),
        printable(_from_here(marker.script)) if marker else "-",
        specs(marker) if marker else "-",
    )


def specs(marker: Marker) -> str:
    return printable(", ".join((*marker.specs, *(f"pypi:{requirement}" for requirement in marker.pypi))))


def _state(found: Found) -> str:
    return "creating" if found.busy else "kept" if found.kept else found.state


def elsewhere(found: Found, now: float, *, verbose: bool) -> Sequence[str]:
    """What is known about runs on other hosts and in containers: that they left notes, not that they are still
    running."""
    if not found.foreign:
        return []
    if not verbose:
        return [foreign_notes(found.foreign, now)]
    return [f"{note.use.pid} on {note.use.host}" if note.use else note.path for note in found.foreign]


def size(number: int | None) -> str:
    return "-" if number is None else megabytes(number)


def as_json(found: Found, now: float) -> dict[str, Any]:
    """An environment for JSON. Times are seconds since the epoch, sizes are bytes, ages are hours."""
    marker = found.marker
    said: dict[str, Any] = {
        "name": found.name,
        "prefix": found.prefix,
        "state": "being created" if found.busy else found.state,
        "size": found.size,
        "created": marker.created if marker else None,
        "last_used": found.last_used or None,
        "unused_hours": round(max(0.0, now - found.last_used) / 3600, 3) if found.last_used else None,
        "kept": found.kept,
        "processes": [
            {"pid": running.pid, "command": running.command, "why": running.why} for running in found.processes
        ],
        "elsewhere": [
            {"pid": note.use.pid if note.use else None, "host": note.use.host if note.use else None}
            for note in found.foreign
        ],
    }
    if marker is not None:
        said |= {
            "script": marker.script,
            "specs": marker.specs,
            "pypi": marker.pypi,
            "channels": marker.channels,
            "platform": marker.platform,
            "package_count": marker.packages,
            "backend": marker.backend,
            "engine": marker.engine,
        }
    return said
