"""`conda tmpenv info`: one environment in full."""

from __future__ import annotations

import json
import os
import time

from ...engines import records
from ...environments import layout
from ...environments.sweep import Policy, survey
from ...terminal.messages import print_json
from ...text import age, printable
from .list import as_json, elsewhere, size
from .which import one, opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...model import Environment
    from ...options import InfoOptions


def info(options: InfoOptions) -> int:
    settings, store = opened()
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
    if options.json:
        print_json(said)
    else:
        _print(said | {"elsewhere": elsewhere(found, now, verbose=options.verbose)})
    return 0


def _packages(environment: Environment) -> list[dict[str, str | None]]:
    """What conda's records and the metadata of PyPI's packages say is there, in the form of `--dry-run --json`."""
    meta = layout.conda_meta(environment.prefix)
    packages: list[dict[str, str | None]] = []
    for file in sorted(name for name in os.listdir(meta) if name.endswith(".json")):
        with open(os.path.join(meta, file), encoding="utf-8") as stream:
            record = json.load(stream)
        packages.append({key: record.get(key) for key in ("name", "version", "build", "url")})
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
    width = max(map(len, said)) + 2
    for name, value in said.items():
        if value in (None, [], ()):
            continue
        texts = map(printable, value if isinstance(value, (list, tuple)) else [str(value)])
        text = ("\n" + " " * width).join(texts)
        print(f"{name.replace('_', ' ') + ':':{width}}{text}")
