"""The day of a script's last commit: what `exclude-newer: commit` means.

The author of the script may control the settings of the repository, so no program that they name is run.
"""

from __future__ import annotations

import os

from ..cache import for_our_work
from ..errors import ExecuteError
from ..model import COMMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A repository may name its own programs for signatures, and its own transports for missing objects.
_CAREFULLY = ("-c", "log.showSignature=false", "-c", "core.fsmonitor=false")
_ALONE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "TZ": "UTC"}


def commit_day(path: str, trusted: Sequence[str] = ()) -> str:
    """The day, in UTC, on which git last saw a change to the file at `path`. Raises ExecuteError if there is none."""
    hint = "write a date instead, such as `2026-03-31`"
    if not path:
        raise ExecuteError(f"`exclude-newer: {COMMIT}` needs a script that is a file", hint=hint)
    folder, name = os.path.split(os.path.realpath(path))
    words = ("log", "-1", "--format=%cd %P", "--date=format-local:%Y-%m-%d", "--", name)
    environ = {**for_our_work(os.environ, trusted), **_ALONE}
    status, printed, complaints = _git(folder, environ, *words)
    if status:
        raise ExecuteError(f"`exclude-newer: {COMMIT}` finds no commit of `{path}`", hint=hint, details=complaints)
    if not printed:
        raise ExecuteError(f"`{path}` was never committed, and its `exclude-newer` is `{COMMIT}`", hint=hint)
    day, _, parents = printed.partition(" ")
    if not parents and _git(folder, environ, "rev-parse", "--is-shallow-repository")[1] == "true":
        raise ExecuteError(
            f"`exclude-newer: {COMMIT}` does not find the last commit of `{path}` in a shallow clone",
            hint=f"`git fetch --unshallow` fetches the rest, or {hint}",
        )
    return day


def _git(folder: str, environ: Mapping[str, str], *words: str) -> tuple[int, str, str]:
    import subprocess

    command = ["git", "-C", folder, *_CAREFULLY, *words]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ExecuteError(
            f"`exclude-newer: {COMMIT}` asks git, which cannot run: {error.strerror}",
            hint="install git, or write a date instead, such as `2026-03-31`",
        ) from None
    return done.returncode, done.stdout.strip(), done.stderr.strip()
