"""`conda tmpenv info`: one environment in full."""

from __future__ import annotations

import os
import time
from typing import Any

from ...engines import records
from ...environments import layout
from ...environments.removal import Policy
from ...environments.sweep import survey
from ...model import Environment
from ...options import InfoOptions
from ...plan import open_store
from ...terminal.messages import print_json, say
from ...terminal.table import described
from ...text import age, as_called
from .list import as_json, elsewhere, size
from .which import one


def info(options: InfoOptions) -> int:
    settings, store = open_store(say)
    environment = one(options.words[0], store)
    (found,) = survey(store, Policy(foreign_use_ttl=settings.foreign_use_ttl), [environment.name])
    marker = environment.marker
    now = store.now()
    said = as_json(found, now) | {
        "packages": _packages(environment),
        "altered": records.altered(environment.prefix, os.stat(layout.marker(environment.prefix)).st_mtime),
        "virtual_packages": marker.virtual_packages,
        "seconds": round(marker.seconds, 1),
        "version": marker.version,
        "request": marker.request,
    }
    if options.verify:
        from ...engines.verify import damaged

        said["damaged"] = damaged(environment.prefix)
    if options.json:
        print_json(said)
    else:
        _print(said | {"elsewhere": elsewhere(found, now, verbose=options.verbose)})
    if not said.get("damaged"):
        return 0
    say(as_called("hint: `conda execute --force-env SCRIPT` creates it again"))
    return 1


def _packages(environment: Environment) -> list[dict[str, str | None]]:
    """The packages by conda's records and the metadata of PyPI packages, in the format of `--dry-run --json`."""
    keys = ("name", "version", "build", "url")
    packages = [{key: record.get(key) for key in keys} for _, record in records.each(environment.prefix) if record]
    return packages + (_pypi_packages(environment.prefix) if environment.marker.pypi else [])


def _pypi_packages(prefix: str) -> list[dict[str, str | None]]:
    from ...engines.pypi.installed import from_pypi

    return [{"name": one.name, "version": one.version, "build": "pypi", "url": None} for one in from_pypi(prefix)]


def _print(said: dict[str, Any]) -> None:
    said = dict(said)
    if said["created"] is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(said["created"]))
        said["created"] = f"{when}, in {said.pop('seconds')} s"
    said["size"] = size(said["size"])
    said["last_used"] = f"{age((said.pop('unused_hours') or 0) * 3600)} ago".replace("now ago", "now")
    said["processes"] = [f"{running['pid']}  {running['command']}" for running in said["processes"]]
    said["packages"] = [f"{one['name']} {one['version']} {one['build']}" for one in said["packages"]]
    said["kept"] = "yes" if said["kept"] else None
    said["request"] = said["request"].splitlines()
    shown = {name: value for name, value in said.items() if value not in (None, [], ())}
    print(
        described({name: value if isinstance(value, (list, tuple)) else [str(value)] for name, value in shown.items()})
    )
