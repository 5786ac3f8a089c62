"""`conda tmpenv audit`: known vulnerabilities of the packages in environments and lock files."""

from __future__ import annotations

import os
import sys
from typing import Any

from ... import audit as advisories
from ...cache import fitting_cache
from ...engines.inventory import Component, components
from ...environments.store import Store, is_name
from ...errors import UsageError
from ...launch.process import inherited_environ
from ...lockfiles import lockfile
from ...options import AuditOptions
from ...plan import open_store
from ...terminal.messages import print_json, say
from ...text import counted, printable
from .which import names_of


def audit(options: AuditOptions) -> int:
    settings, store = open_store(say)
    environ = inherited_environ()
    asked = advisories.Advisories(settings, environ, fitting_cache(environ), offline=options.offline)
    report = advisories.examine(
        _places(options, store), asked, ignore=options.ignore, ignore_until_fixed=options.ignore_until_fixed
    )
    if options.json:
        print_json(advisories.as_json(report))
    elif options.sarif:
        print_json(advisories.as_sarif(report))
    else:
        _print(report, store)
    return 1 if report.findings else 0


def _places(options: AuditOptions, store: Store) -> dict[str, list[Component]]:
    """The packages of each environment or lock file to check, by the name that the user gave."""
    found: dict[str, list[Component]] = {}
    for word in options.words or tuple(store.list()):
        lock = lockfile.find(word) if os.path.isfile(word) else None
        try:
            names = names_of([word], store)
        except UsageError:
            if lock is None:
                raise
            found[lock.path] = lockfile.components(lock)
            continue
        for name in names:
            environment = store.read(name)
            if environment is not None:
                place = word if os.path.exists(word) else name
                found.setdefault(place, []).extend(components(environment.prefix))
    return found


def _print(report: advisories.Audit, store: Store) -> None:
    for one in report.findings:
        names = ", ".join((one.id, *one.aliases))
        print(printable(f"{one.component.name} {one.component.version}: {names}"))
        lines: list[Any] = [one.summary, one.severity and f"severity {one.severity}"]
        lines.append(f"fixed in {', '.join(one.fixed)}" if one.fixed else "no version has a fix")
        lines.append(f"in {', '.join(_shown(place, store) for place in one.places)}")
        print(*(f"  {printable(str(line))}" for line in lines if line), sep="\n")
    sys.stdout.flush()
    count = len(report.findings)
    said = [f"{count or 'no'} known {'vulnerability' if count == 1 else 'vulnerabilities'}"]
    if report.ignored:
        said.append(f"{len(report.ignored)} ignored")
    said.append(f"{counted(report.asked, 'package')} checked")
    if report.uncovered:
        said.append(f"{len(report.uncovered)} not covered by any list of advisories")
    say("; ".join(said))


def _shown(place: str, store: Store) -> str:
    """The name of an environment with the script that it was created for."""
    environment = store.read(place) if is_name(place) else None
    return f"{place} ({environment.marker.script})" if environment and environment.marker.script else place
