"""The automatic sweep, at most once an hour: a run starts it silently in the background.

Each machine sweeps for itself, since only it knows which of its processes have ended. The modification time of the file
`.boots/<boot id>.due` is the time of its next sweep, and that of `.swept` the time of the last, so that the launcher
can see without a clock whether it is time.
"""

from __future__ import annotations

import os
import sys
import time

from . import files
from .cache import SCRIPT_LINK, code_folder, parsed_text, script_cache
from .environments import layout, uses
from .environments.store import Store
from .errors import PlaceError
from .launch.process import python_command
from .lean.span import timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .environments.lock import Lock

INTERVAL = timedelta(hours=1)

#: The time without use after which files that belong to no script are deleted.
_LONG = timedelta(days=30)


def start_if_due(
    store: Store, note: str, unused_for: timedelta, foreign_use_ttl: timedelta, cache: str | None = None
) -> bool:
    """Start a sweep in the background if the last one was an hour before the note that was just written.

    It removes environments unused for `unused_for`, trusts notes of other hosts for `foreign_use_ttl`, and cleans the
    directory `cache` too.

    It is fully detached: standard streams closed, its own session, the lowest priority, not a child of the caller; its
    failures are ignored.
    """
    boot = uses.boot()
    try:
        if not _is_due(store, boot, note):
            return False
        lock = _lock(store, boot)
        if lock is None:
            return False
        with lock:
            if not _is_due(store, boot, note):
                return False
            now = os.stat(note).st_mtime
            _set_due(store, boot, now)
            from .environments import machine

            # Registered by this run: the machine may die before its sweeper does this, and its next boot must know its
            # notes.
            machine.register(store.tmp_envs, now)
    except (OSError, PlaceError):
        return False  # for example, a read-only place: others clean it
    _start(store, unused_for, foreign_use_ttl, cache)
    return True


def _lock(store: Store, boot: str) -> Lock | None:
    """The lock of this machine's sweep, or None if it is held."""
    from .environments import lock

    files.make_directory(layout.boots(store.tmp_envs))
    return lock.try_to_take(layout.sweep_lock(store.tmp_envs, boot), "the automatic sweep")


def _is_due(store: Store, boot: str, note: str) -> bool:
    now = os.stat(note).st_mtime
    try:
        swept = os.stat(layout.swept(store.tmp_envs, boot)).st_mtime
        due = os.stat(layout.due(store.tmp_envs, boot)).st_mtime
    except FileNotFoundError:
        return True
    return now > due or now < swept  # the second case: the clock was set back


def _set_due(store: Store, boot: str, now: float) -> None:
    for path, moment in (
        (layout.swept(store.tmp_envs, boot), now),
        (layout.due(store.tmp_envs, boot), now + INTERVAL.total_seconds()),
    ):
        files.touch(path, moment)


def _start(store: Store, unused_for: timedelta, foreign_use_ttl: timedelta, cache: str | None) -> None:
    seconds = [str(span.total_seconds()) for span in (unused_for, foreign_use_ttl)]
    command = python_command("from conda_execute.housekeeping import main; main(sys.argv[1:])")
    _detach([*command, store.tmp_envs, *seconds, cache or "", str(os.getpid())])


def _detach(command: list[str]) -> None:
    import subprocess

    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        subprocess.Popen(command, cwd="C:\\", creationflags=flags, close_fds=True, stdin=subprocess.DEVNULL)
        return
    subprocess.run(
        # The sweeper becomes a grandchild: the script never sees it or waits for it.
        ["/bin/sh", "-c", '"$@" &', "sh", *command],
        # It must not count as a user of an activated environment.
        env={name: value for name, value in os.environ.items() if not name.startswith("CONDA_")},
        cwd="/",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def main(arguments: Sequence[str]) -> None:
    """The automatic sweeper, as a silent program."""
    from .environments.removal import Policy
    from .environments.sweep import forget, sweep

    tmp_envs, unused_for, foreign_use_ttl, cache, starter = arguments
    policy = Policy(timedelta(seconds=float(unused_for)), timedelta(seconds=float(foreign_use_ttl)))
    _lower_priority()
    store = Store(tmp_envs)
    lock = _lock(store, uses.boot())
    if lock is None:
        return
    with lock:
        sweep(store, policy)
        if cache:
            clean_cache(cache)
    if _ends(int(starter), INTERVAL):
        forget(store, policy)


def _ends(pid: int, within: timedelta) -> bool:
    """Wait for a process to end; whether it ended in this time. The run that started the sweep was in use during it: if
    nothing else ever ran here, its note would keep the environment in the eyes of all other hosts."""
    if not hasattr(os, "pidfd_open"):
        return False
    import select

    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # an old kernel, or a sandbox
    ended, _, _ = select.select([descriptor], [], [], within.total_seconds())
    return bool(ended)


def _lower_priority() -> None:
    import psutil

    try:
        process = psutil.Process()
        if sys.platform != "win32":
            os.nice(19)
        if sys.platform != "darwin" and hasattr(psutil, "IOPRIO_CLASS_IDLE"):
            process.ionice(psutil.IOPRIO_CLASS_IDLE)
    except (psutil.Error, OSError):
        pass


def clean_cache(cache: str) -> None:
    """Remove what belongs to deleted scripts and prefixes: launch records, and `${CACHE}` directories.

    Code of `-c` and of standard input belongs to no script; it is deleted if it has not been run for a month.
    Parsed YAML is deleted then, too.
    """
    from .launch import record

    record.discard_vanished(cache)
    _delete_caches_of_vanished_scripts(os.path.dirname(script_cache(cache, "")))
    now = time.time()
    for folder in (os.path.dirname(code_folder(cache, "")), os.path.dirname(parsed_text(cache, ""))):
        for name in files.listed(folder):
            path = os.path.join(folder, name)
            if now - _last_written(path) > _LONG.total_seconds():
                files.delete(path)


def _delete_caches_of_vanished_scripts(folder: str) -> None:
    for name in files.listed(folder):
        link = os.path.join(folder, name)
        # A symbolic link next to the directory leads to the script; if the link is broken, the script is gone.
        if os.path.islink(link) and not os.path.exists(link):
            files.delete(link.removesuffix(SCRIPT_LINK))
            files.try_to_unlink(link)


def _last_written(folder: str) -> float:
    times = [0.0]
    for path in (folder, *(os.path.join(folder, name) for name in files.listed(folder))):
        try:
            times.append(os.lstat(path).st_mtime)
        except OSError:
            continue
    return max(times)
