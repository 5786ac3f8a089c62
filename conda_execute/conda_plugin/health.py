"""What `conda doctor` reports about the environments of scripts. Read-only."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from .. import engines
from ..configuration.declared import Settings
from ..configuration.settings import load
from ..engines import records
from ..environments import layout
from ..environments.place import choose_tmp_envs
from ..environments.removal import Found, Policy
from ..environments.store import Store, is_name
from ..environments.sweep import survey
from ..errors import ExecuteError
from ..lean.values import dataclass, replace
from ..specs.platforms import host


@dataclass(frozen=True)
class Findings:
    """A summary, one line for each complaint with a fix, and one line for each environment without problems."""

    summary: str
    complaints: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


def examine(prefix: str, environ: Mapping[str, str], root: str = sys.prefix) -> Findings:
    """Check the environments of scripts (only `prefix`, if that is one of them), and whether our programs in the conda
    at `root` are found while another environment is active."""
    findings = _of_environments(prefix, environ)
    return replace(findings, complaints=(*findings.complaints, *_not_in_condabin(root)))


def _not_in_condabin(root: str) -> tuple[str, ...]:
    """`conda init` puts only `condabin` on PATH. The conda package links the programs there, but pip does not."""
    condabin = os.path.join(root, "condabin")
    missing = [
        name
        for name in ("conda-execute", "conda-tmpenv")
        if os.path.exists(os.path.join(root, "bin", name)) and not os.path.exists(os.path.join(condabin, name))
    ]
    if not missing or not os.path.isdir(condabin):
        return ()
    links = " ".join(f"../bin/{name}" for name in missing)
    unfound = f"{' and '.join(missing)} cannot be found while an environment other than base is active"
    return (f"{unfound}; `ln -s {links} {shlex.quote(condabin)}` fixes this",)


def _of_environments(prefix: str, environ: Mapping[str, str]) -> Findings:
    try:
        settings = load(environ)
        tmp_envs, name = os.path.split(os.path.abspath(prefix))
        if not (is_name(name) and os.path.basename(tmp_envs) == layout.TMP_ENVS):
            tmp_envs, name = choose_tmp_envs(settings.env_dir, settings.trusted_groups, environ, host()), ""
        store = Store(tmp_envs)
        policy = Policy(unused_for=settings.remove_if_unused_for, foreign_use_ttl=settings.foreign_use_ttl)
        found = survey(store, policy, [name] if name else None)
    except ExecuteError as error:
        return Findings(f"The environments of scripts cannot be checked: {error.message}", _said(error.hint))
    findings = judge(found, store.now(), settings, tmp_envs)
    try:
        engine = engines.account(settings.backend, settings, environ)
    except ExecuteError as error:
        return replace(findings, complaints=(*findings.complaints, error.message, *_said(error.hint)))
    return replace(findings, summary=f"{findings.summary}\n\n  engine: {engine}")


def judge(environments: Sequence[Found], now: float, settings: Settings, tmp_envs: str) -> Findings:
    """Judge the environments at the moment `now` by the clock of their file system."""
    complaints, details = [], []
    for found in environments:
        problem = None if found.busy else _problem(found, now, settings)
        if problem:
            complaints.append(f"{found.name}: {problem}")
        else:
            details.append(f"{found.name}: ok" + (", being created or deleted" if found.busy else ""))
    count = len(environments)
    noun = "environment of scripts" if count == 1 else "environments of scripts"
    result = f"{len(complaints)} with a problem:" if complaints else "nothing wrong."
    return Findings(f"{count} {noun} in {tmp_envs}, {result}", tuple(complaints), tuple(details))


def _problem(found: Found, now: float, settings: Settings) -> str | None:
    if found.state == "unfinished":
        return "was left unfinished; the next run creates it again, `conda tmpenv clear` deletes it"
    if found.state == "aside":
        return "its cleaning was interrupted; the next run or cleaning repairs it"
    missing = _missing(found)
    if missing:
        return f"{missing}; `conda execute --force-env SCRIPT` creates it again"
    # Twice as long as it should be kept: something prevents the automatic cleaning.
    idle, hours = now - found.last_used, settings.remove_if_unused_for.total_seconds() / 3600
    if settings.auto_clean and not found.kept and not found.in_use and idle > max(2 * hours, 1) * 3600:
        return f"unused for {idle / 3600:.0f} hours; `conda tmpenv clear --min-age {hours:g}` deletes it"
    return None


def _missing(found: Found) -> str | None:
    """What is missing from a prefix, as far as a quick check shows."""
    assert found.marker is not None
    try:
        names = os.listdir(layout.conda_meta(found.prefix))
    except OSError as error:
        return f"its records cannot be read ({error.strerror})"
    if not any(name.endswith(".json") for name in names) and found.marker.packages:
        return f"its {found.marker.packages} package records are gone"
    programs = os.path.join(found.prefix, "bin")
    try:
        entries = [entry for entry in os.scandir(programs) if entry.is_symlink()]
    except OSError:
        return None
    dangling = sorted(entry.name for entry in entries if not os.path.exists(entry.path))
    if dangling:
        return f"`bin/{dangling[0]}` is a broken link"
    altered = records.altered(found.prefix, os.stat(layout.marker(found.prefix)).st_mtime)
    return altered[0] if altered else None


def _said(hint: str | None) -> tuple[str, ...]:
    return (hint,) if hint else ()
