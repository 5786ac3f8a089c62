"""Known vulnerabilities of what is installed, as OSV lists them: https://google.github.io/osv.dev/post-v1-querybatch/.

Answers are kept in the user's cache: an advisory for as long as the service reports it as unmodified, and the list of
advisories of a package for the next time without a network. Packages that no list covers are reported as such.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from . import __version__
from .configuration.declared import Settings
from .engines.inventory import Component, Known
from .errors import CreationError, ExecuteError
from .files import write_whole
from .lean.values import dataclass, replace
from .script.web import address, fetch
from .specs.requirement import canonical

#: Queries that the service accepts at once.
_BATCH = 1000

#: Prefix of advisories about malicious packages, as opposed to vulnerable ones.
MALICIOUS = "MAL-"


@dataclass(frozen=True)
class Finding:
    """One advisory about one package."""

    id: str
    #: Its names in other lists.
    aliases: tuple[str, ...]
    summary: str
    severity: str
    #: The first versions that contain a fix.
    fixed: tuple[str, ...]
    component: Component
    #: The environments, locks or scripts that have the package.
    places: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id, *self.aliases)


@dataclass(frozen=True)
class Audit:
    findings: tuple[Finding, ...]
    #: Advisories that were ignored on request.
    ignored: tuple[Finding, ...]
    #: Packages that no list of advisories covers.
    uncovered: tuple[Component, ...]
    #: How many packages were checked.
    asked: int


class Advisories:
    """The service, and its earlier answers."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], cache: str | None, *, offline: bool = False
    ) -> None:
        self._settings, self._environ = settings, environ
        self._folder = os.path.join(cache, "advisories") if cache else None
        self._offline = offline or settings.offline

    def of(self, packages: Sequence[Known]) -> dict[Known, list[dict[str, Any]]]:
        """The advisories for each package. Raises ExecuteError if the service cannot be asked."""
        told = self._remembered() if self._offline else self._asked(packages)
        unknown = [one for one in packages if _key(one) not in told]
        if unknown:
            raise ExecuteError(
                f"`{unknown[0].name} {unknown[0].version}` and {len(unknown) - 1} more packages were never checked"
                if len(unknown) > 1
                else f"`{unknown[0].name} {unknown[0].version}` was never checked",
                hint="run the audit once without `--offline`, which only repeats earlier answers",
            )
        return {one: [self._advisory(*pair) for pair in told[_key(one)]] for one in packages}

    def _asked(self, packages: Sequence[Known]) -> dict[str, list[list[str]]]:
        told: dict[str, list[list[str]]] = {_key(one): [] for one in packages}
        waiting = [(one, None) for one in packages]
        while waiting:
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            answer = self._post("v1/querybatch", {"queries": [_query(one, page) for one, page in batch]})
            results = answer.get("results")
            if not isinstance(results, list) or len(results) != len(batch):
                raise ExecuteError(f"`{self._settings.advisories_url}` does not answer like OSV")
            for (one, _), result in zip(batch, results, strict=True):
                told[_key(one)] += [[found["id"], found["modified"]] for found in result.get("vulns", ())]
                if result.get("next_page_token"):
                    waiting.append((one, result["next_page_token"]))
        self._write("answers.json", {**self._remembered(), **told})
        return told

    def _advisory(self, name: str, modified: str) -> dict[str, Any]:
        file = quote(name, safe="") + ".json"
        kept = self._read(file)
        if kept.get("modified") == modified or (self._offline and kept):
            return kept
        if self._offline:
            raise ExecuteError(
                f"the advisory {name} was never downloaded", hint="run the audit once without `--offline`"
            )
        said = self._post(f"v1/vulns/{quote(name, safe='')}", None)
        self._write(file, said)
        return said

    def _post(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        url = address.parse(f"{self._settings.advisories_url.rstrip('/')}/{path}")
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = json.loads(fetch.ask(url, self._settings, self._environ, data))
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ExecuteError(f"`{self._settings.advisories_url}` does not answer like OSV")
        return answer

    def _remembered(self) -> dict[str, list[list[str]]]:
        return self._read("answers.json")

    def _read(self, name: str) -> dict[str, Any]:
        try:
            with open(os.path.join(self._folder or os.devnull, name), encoding="utf-8") as file:
                read = json.load(file)
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        if self._folder is not None:
            os.makedirs(self._folder, 0o700, exist_ok=True)
            write_whole(os.path.join(self._folder, name), json.dumps(value).encode())


def _key(one: Known) -> str:
    return f"{one.ecosystem}/{one.name}/{one.version}"


def _query(one: Known, page: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {"package": {"ecosystem": one.ecosystem, "name": one.name}, "version": one.version}
    return {**query, "page_token": page} if page else query


def examine(
    places: Mapping[str, Iterable[Component]],
    advisories: Advisories,
    *,
    ignore: Collection[str] = (),
    ignore_until_fixed: Collection[str] = (),
) -> Audit:
    """Audit the packages of these environments or lock files, given by their names."""
    where: dict[str, list[str]] = {}
    components: dict[str, Component] = {}
    for place, those in places.items():
        for component in those:
            components[component.purl] = component
            where.setdefault(component.purl, []).append(place)
    packages = sorted({one for component in components.values() for one in component.known}, key=_key)
    told = advisories.of(packages)
    findings: list[Finding] = []
    for purl, component in sorted(components.items()):
        found = [_finding(said, known, component) for known in component.known for said in told[known]]
        findings += [replace(one, places=tuple(where[purl])) for one in _merged(found)]
    dropped = [one for one in findings if _is_ignored(one, ignore, ignore_until_fixed)]
    return Audit(
        findings=tuple(one for one in findings if one not in dropped),
        ignored=tuple(dropped),
        uncovered=tuple(one for _, one in sorted(components.items()) if not one.known),
        asked=len(packages),
    )


def _finding(said: Mapping[str, Any], known: Known, component: Component) -> Finding:
    affected = [
        one
        for one in said.get("affected", ())
        if one.get("package", {}).get("ecosystem") == known.ecosystem
        and canonical(one["package"].get("name", "")) == canonical(known.name)
    ]
    ranges = [span for one in affected for span in one.get("ranges", ()) if span.get("type") != "GIT"]
    fixed = {event["fixed"] for span in ranges for event in span.get("events", ()) if "fixed" in event}
    scores = [one.get("score", "") for one in said.get("severity", ())]
    return Finding(
        id="" if said.get("withdrawn") else said["id"],
        aliases=tuple(said.get("aliases", ())),
        summary=said.get("summary") or said.get("details", "").strip().partition("\n")[0],
        severity=str(said.get("database_specific", {}).get("severity") or "".join(scores[:1])),
        fixed=tuple(sorted(fixed)),
        component=component,
    )


def _merged(found: Sequence[Finding]) -> list[Finding]:
    """One finding from the entries of several lists, without withdrawn ones. The text of the first list is used."""
    merged: list[Finding] = []
    for one in sorted((one for one in found if one.id), key=lambda one: (not one.summary, one.id)):
        same = next((other for other in merged if set(other.names) & set(one.names)), None)
        if same is None:
            merged.append(one)
        else:
            aliases = tuple(sorted({*same.aliases, *one.names} - {same.id}))
            fixed = tuple(sorted({*same.fixed, *one.fixed}))
            severity = same.severity or one.severity
            merged[merged.index(same)] = replace(same, aliases=aliases, fixed=fixed, severity=severity)
    return merged


def _is_ignored(one: Finding, ignore: Collection[str], until_fixed: Collection[str]) -> bool:
    return bool({*one.names} & {*ignore}) or (not one.fixed and bool({*one.names} & {*until_fixed}))


def refuse_malicious(components: Iterable[Component], advisories: Advisories) -> None:
    """Raise CreationError for a package that an advisory calls malicious."""
    report = examine({"": components}, advisories)
    bad = [(one, name) for one in report.findings for name in one.names if name.startswith(MALICIOUS)]
    if bad:
        first, name = bad[0]
        raise CreationError(
            f"`{first.component.name} {first.component.version}` is malicious: {name}",
            step="audit",
            details=first.summary or None,
            hint="the setting `refuse-malicious` forbids such packages; nothing was run",
        )


# Said to programs ------------------------------------------------------------------------------------------------


def as_json(report: Audit) -> dict[str, Any]:
    return {
        "vulnerabilities": [_finding_as_json(one) for one in report.findings],
        "ignored": [_finding_as_json(one) for one in report.ignored],
        "not_covered": [one.purl for one in report.uncovered],
        "asked": report.asked,
    }


def _finding_as_json(one: Finding) -> dict[str, Any]:
    return {
        "id": one.id,
        "aliases": list(one.aliases),
        "package": one.component.name,
        "version": one.component.version,
        "purl": one.component.purl,
        "severity": one.severity,
        "summary": one.summary,
        "fixed": list(one.fixed),
        "places": list(one.places),
    }


def as_sarif(report: Audit) -> dict[str, Any]:
    """SARIF 2.1.0: one rule for each advisory, one result for each place that has the package."""
    rules = {one.id: one for one in report.findings}
    driver = {
        "name": "conda-execute",
        "version": __version__,
        "rules": [
            {
                "id": one.id,
                "shortDescription": {"text": one.summary or one.id},
                "helpUri": f"https://osv.dev/vulnerability/{one.id}",
            }
            for one in rules.values()
        ],
    }
    results = [
        {
            "ruleId": one.id,
            "level": "error",
            "message": {"text": f"{one.component.name} {one.component.version}: {one.summary or one.id}"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": quote(place)}}}],
        }
        for one in report.findings
        for place in one.places
    ]
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return {"$schema": schema, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
