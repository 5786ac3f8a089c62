"""An environment as a bill of materials, in JSON: CycloneDX 1.6 or SPDX 2.3; the same text for the same packages.

Only SPDX contains the time. Licenses are SPDX expressions if they are valid ones, otherwise the package's text.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..engines.inventory import Component
from ..specs.license import expression

#: The namespace of our serial numbers, which are derived from the content.
_NAMESPACE = uuid.UUID("6f2c1f7e-5d0b-4f5e-9c57-0f7d2f2f9a3a")

#: The script's own id.
_ROOT = "script"


def _graph(listed: Sequence[Component]) -> dict[str, list[str]]:
    """The dependencies of each package, by package URL; the script depends on those that nothing else needs."""
    needed = {purl for one in listed for purl in one.requires if purl != one.purl}
    graph = {_ROOT: sorted({one.purl for one in listed} - needed)}
    return graph | {one.purl: [purl for purl in one.requires if purl != one.purl] for one in listed}


def _sorted(components: Sequence[Component]) -> list[Component]:
    return sorted(components, key=lambda one: one.purl)


def _serial(document: Mapping[str, Any]) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))


def cyclonedx(name: str, components: Sequence[Component]) -> str:
    """The document. `name` is the script's."""
    from .. import __version__

    listed = _sorted(components)
    program = {"type": "application", "name": "conda-execute", "version": __version__}
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [program]},
            "component": {"type": "application", "bom-ref": _ROOT, "name": name},
        },
        "components": [_component(one) for one in listed],
        "dependencies": [{"ref": ref, "dependsOn": others} for ref, others in _graph(listed).items()],
    }
    return json.dumps({**document, "serialNumber": f"urn:uuid:{_serial(document)}"}, indent=2) + "\n"


def _component(one: Component) -> dict[str, Any]:
    always = {"type": "library", "bom-ref": one.purl, "name": one.name, "version": one.version, "purl": one.purl}
    valid = expression(one.license)
    more = {
        "hashes": [
            {"alg": alg, "content": value} for alg, value in (("SHA-256", one.sha256), ("MD5", one.md5)) if value
        ],
        "licenses": [{"expression": valid} if valid else {"license": {"name": one.license}}] if one.license else [],
    }
    return {**always, **{key: those for key, those in more.items() if those}}


def spdx(name: str, components: Sequence[Component], now: datetime) -> str:
    """The document. `now` is an aware time."""
    from .. import __version__

    listed = _sorted(components)
    ids = {_ROOT: f"SPDXRef-{_ROOT}"} | {one.purl: f"SPDXRef-Package-{count}" for count, one in enumerate(listed)}
    licenses: dict[str, str] = {}
    root = {"name": name, "SPDXID": ids[_ROOT], "primaryPackagePurpose": "APPLICATION", **_UNKNOWN}
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", ids[_ROOT])]
    relations += [(ids[ref], "DEPENDS_ON", ids[other]) for ref, others in _graph(listed).items() for other in others]
    document: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "packages": [root, *(_package(one, ids[one.purl], licenses) for one in listed)],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
        "hasExtractedLicensingInfos": [{"licenseId": id_, "extractedText": text} for id_, text in licenses.items()],
    }
    document["documentNamespace"] = f"urn:uuid:{_serial(document)}"
    created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    document["creationInfo"] = {"created": created, "creators": [f"Tool: conda-execute-{__version__}"]}
    return json.dumps(document, indent=2) + "\n"


_UNKNOWN = {"downloadLocation": "NOASSERTION", "filesAnalyzed": False}


def _package(one: Component, id_: str, licenses: dict[str, str]) -> dict[str, Any]:
    """A package; `licenses` collects license texts for which SPDX has no name."""
    declared = expression(one.license)
    if one.license and not declared:
        declared = "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", one.license)[:60].strip("-")
    licenses |= dict.fromkeys(re.findall(r"LicenseRef-[A-Za-z0-9.-]+", declared), one.license)
    hashes = {"SHA256": one.sha256, "MD5": one.md5}
    return {
        "name": one.name,
        "SPDXID": id_,
        "versionInfo": one.version,
        **_UNKNOWN,
        "licenseDeclared": declared or "NOASSERTION",
        "checksums": [{"algorithm": name, "checksumValue": value} for name, value in hashes.items() if value],
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": one.purl}
        ],
    }
