"""The Python interface: what an editor plugin, a notebook or a workflow engine needs from conda-execute.

Nothing here prints, reads standard input, ends the process, or changes its signals, variables or working directory.
Environments are created by a child process, since a process that used py-rattler may crash when it exits. Failures are
`ExecuteError`s: `str(error)` is the text for people, `error.hint` and `error.where` add to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from .environments import ensure, sweep, uses
from .environments.removal import Found, Policy
from .environments.sweep import Report
from .errors import CreationError, ExecuteError, InterruptError, Location, NotExecutableError, NotFoundError
from .launch.process import python_command
from .model import Environment
from .options import RunOptions
from .plan import open_store, understand
from .script.header.keys import Header

Notice = Callable[[str], object]


def read_header(script: str | os.PathLike[str], platform: str | None = None) -> Header:
    """Return what the script's comments ask for, on `platform` (such as `linux-64`; default: this one). Reads nothing
    else.

    Raises HeaderError if there is no header or a mistake in it, NotFoundError if there is no script.
    """
    from .script import header, source
    from .specs import platforms

    found = source.from_file(os.fspath(script))
    return header.read_header(found.head, found.place, platform or platforms.host())


def find(script: str | os.PathLike[str]) -> Environment | None:
    """Return the environment that a run of the script would use now, with its lock file; None if it is missing.

    Of a script from the web (an `https://` address), the last copy is used. Creates nothing and notes no use: use
    `prepare` for an environment that must stay.
    """
    return _find(os.fspath(script), hold=False)


def prepare(
    script: str | os.PathLike[str], *, offline: bool = False, locked: bool = False, notice: Notice | None = None
) -> Environment:
    """Return the environment of the script, created if it is missing, and in use by this process until it ends.

    `offline` uses caches only; `locked` requires a lock file that is up to date. `notice` is called with each line that
    a run would print to standard error, while it is printed. A script from the web must be trusted already. Several
    processes and threads may prepare the same script at once: one creates the environment.

    Raises the errors of `read_header`, and CreationError if the environment cannot be created; then nothing is left
    behind.
    """
    from .script.source import is_address

    given = os.fspath(script)
    for attempt in range(3):
        if attempt or not (is_address(given) or locked):
            environment = _find(given, hold=True)
            if environment is not None:
                return environment
        flags = [flag for flag, wanted in (("--offline", offline), ("--locked", locked)) if wanted]
        _create([*flags, "--print-prefix", "--json", given], notice)
    raise CreationError(f"the environment of `{given}` was deleted as soon as it was created")


def list_environments() -> list[Found]:
    """Return every environment, in any state, with the processes that use it."""
    settings, store = open_store(notice=lambda text: None)
    return sweep.survey(store, Policy(foreign_use_ttl=settings.foreign_use_ttl))


def clear(
    names: Sequence[str] | None = None,
    *,
    min_age: timedelta = timedelta(0),
    dry_run: bool = False,
    notice: Notice | None = None,
) -> Report:
    """Delete environments that no process is using: all, or those with these names (`Found.name`).

    With `min_age`, only those unused for this long. `dry_run` deletes nothing and reports what would be deleted.
    """
    settings, store = open_store(notice=lambda text: None)
    return sweep.clear(
        store,
        names,
        min_age=min_age,
        foreign_use_ttl=settings.foreign_use_ttl,
        dry_run=dry_run,
        notice=notice,
    )


def _find(script: str, hold: bool) -> Environment | None:
    plan = understand(RunOptions((script,), offline=True, quiet=True))
    store = plan.store()
    plan = plan.with_lockfile(store)
    use = uses.this_process() if hold else None
    return ensure.find(plan.request, store, plan.recipe(), use)


def _create(words: Sequence[str], notice: Notice | None) -> None:
    """Run the program in a child process. Its errors are raised here."""
    import json
    import subprocess
    import tempfile

    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            [*python_command("from conda_execute.__main__ import program; program()"), *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE if notice else subprocess.DEVNULL,
        )
        try:
            for line in child.stderr or ():
                if notice is not None:
                    notice(line.decode("utf-8", "replace").rstrip("\n"))
            status = child.wait()
        except BaseException:
            child.terminate()  # it deletes the unfinished environment, and ends
            child.wait()
            raise
        output.seek(0)
        text = output.read()
    if status:
        try:
            told = json.loads(text)
        except ValueError:
            if status < 0:
                raise InterruptError(f"the creation was ended by signal {-status}", signal=-status) from None
            raise ExecuteError(f"the creation ended with status {status}, and said nothing") from None
        raise _error(told)


def _error(told: dict[str, Any]) -> ExecuteError:
    """The error that the child printed as JSON."""
    kind: type[ExecuteError] = {126: NotExecutableError, 127: NotFoundError}.get(told["exit_status"], ExecuteError)
    if told.get("step"):
        kind = CreationError
    where = [
        Location(place["path"], place["line"], place["column"], text=place["text"]) for place in told.get("where", ())
    ]
    return kind(told["error"], hint=told.get("hint"), where=where, step=told.get("step"), details=told.get("details"))
