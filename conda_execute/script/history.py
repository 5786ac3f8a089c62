"""The day of a script's last commit: what `exclude-newer: commit` means."""

from __future__ import annotations

import os

from ..cache import for_our_work
from ..errors import ExecuteError
from ..model import COMMIT


def commit_day(path: str) -> str:
    """The day, in UTC, on which git last saw a change to the file at `path`. Raises ExecuteError where it saw none."""
    import subprocess

    hint = "write a date instead, such as `2026-03-31`"
    if not path:
        raise ExecuteError(f"`exclude-newer: {COMMIT}` needs a script that is a file", hint=hint)
    folder, name = os.path.split(os.path.realpath(path))
    # A repository may be set to have a program of its own verify signatures.
    command = ["git", "-C", folder, "-c", "log.showSignature=false", "log", "-1", "--format=%cd"]
    command += ["--date=format-local:%Y-%m-%d", "--", name]
    environ = {**for_our_work(os.environ), "TZ": "UTC"}
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ExecuteError(
            f"`exclude-newer: {COMMIT}` asks git, which cannot run: {error.strerror}", hint=hint
        ) from None
    if done.returncode:
        raise ExecuteError(
            f"`exclude-newer: {COMMIT}` finds no commit of `{path}`", hint=hint, details=done.stderr.strip()
        )
    if not done.stdout.strip():
        raise ExecuteError(f"`{path}` was never committed, and its `exclude-newer` is `{COMMIT}`", hint=hint)
    return done.stdout.strip()
