"""An environment as a bill of materials: CycloneDX 1.6, JSON, the same text for the same packages."""

from __future__ import annotations

import json
import re
import uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..engines.inventory import Component

#: A license expression of SPDX, as far as its form shows.
_EXPRESSION = r"\(*[A-Za-z0-9.+-]+\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*"

#: What our serial numbers are made from: they are those of the content.
_NAMESPACE = uuid.UUID("6f2c1f7e-5d0b-4f5e-9c57-0f7d2f2f9a3a")


def text(name: str, components: Sequence[Component]) -> str:
    """The document. `name` is the script's."""
    from .. import __version__

    root = "script"
    listed = sorted(components, key=lambda one: one.purl)
    needed = {purl for one in listed for purl in one.requires if purl != one.purl}
    graph = {root: sorted({one.purl for one in listed} - needed)}
    graph |= {one.purl: [purl for purl in one.requires if purl != one.purl] for one in listed}
    program = {"type": "application", "name": "conda-execute", "version": __version__}
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [program]},
            "component": {"type": "application", "bom-ref": root, "name": name},
        },
        "components": [_component(one) for one in listed],
        "dependencies": [{"ref": ref, "dependsOn": others} for ref, others in graph.items()],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
    return json.dumps({**document, "serialNumber": f"urn:uuid:{serial}"}, indent=2) + "\n"


def _component(one: Component) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "library", "bom-ref": one.purl, "name": one.name, "version": one.version}
    said["purl"] = one.purl
    hashes = [{"alg": alg, "content": value} for alg, value in (("SHA-256", one.sha256), ("MD5", one.md5)) if value]
    if hashes:
        said["hashes"] = hashes
    if re.fullmatch(_EXPRESSION, one.license):
        said["licenses"] = [{"expression": one.license}]
    elif one.license:
        said["licenses"] = [{"license": {"name": one.license}}]
    return said
