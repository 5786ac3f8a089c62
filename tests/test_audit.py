"""Known vulnerabilities, asked of a service on loopback that answers in the form of OSV's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conda_execute.audit import Audit, as_sarif
from tests.channel import Package
from tests.conftest import World
from tests.serving import Quiet, Server
from tests.test_json import valid
from tests.tiny import wheel

#: Advisories as OSV publishes them, shortened.
ADVISORIES: dict[str, dict[str, Any]] = {
    "GHSA-jjg7-2v4v-x38h": {
        "schema_version": "1.7.3",
        "id": "GHSA-jjg7-2v4v-x38h",
        "modified": "2024-09-16T15:12:21Z",
        "published": "2024-04-11T21:32:40Z",
        "aliases": ["CVE-2024-3651", "PYSEC-2024-60"],
        "summary": "Internationalized Domain Names in Applications (IDNA) vulnerable to denial of service",
        "details": "### Impact\nA specially crafted argument to idna.encode() could consume significant resources.",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "idna", "purl": "pkg:pypi/idna"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.7"}]}],
            }
        ],
        "database_specific": {"severity": "MODERATE"},
    },
    "PYSEC-2024-60": {
        "id": "PYSEC-2024-60",
        "modified": "2024-07-11T17:42:33Z",
        "aliases": ["CVE-2024-3651", "GHSA-jjg7-2v4v-x38h"],
        "details": "A vulnerability was identified in the kjd/idna library.",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "idna", "purl": "pkg:pypi/idna"},
                "ranges": [
                    {"type": "GIT", "repo": "https://github.com/kjd/idna", "events": [{"fixed": "1d365e17e10d7"}]},
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.7"}]},
                ],
            }
        ],
    },
    "MAL-2024-1": {
        "id": "MAL-2024-1",
        "modified": "2024-05-01T00:00:00Z",
        "summary": "Malicious code in idna (PyPI)",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "idna"}, "versions": ["3.7"]}],
    },
    "RSEC-2023-9": {
        "id": "RSEC-2023-9",
        "modified": "2023-10-06T05:00:00.600Z",
        "summary": "A vulnerability of an R package",
        "affected": [
            {
                "package": {"ecosystem": "CRAN", "name": "data.table"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.14-2"}]}],
            }
        ],
    },
    "GHSA-with-draw-n000": {
        "id": "GHSA-with-draw-n000",
        "modified": "2024-05-01T00:00:00Z",
        "withdrawn": "2024-05-02T00:00:00Z",
        "summary": "Not one after all",
    },
}


class Osv(Server):
    """Says that `known` advisories are about idna, two a page."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.known = ["GHSA-jjg7-2v4v-x38h", "PYSEC-2024-60", "GHSA-with-draw-n000"]
        self.asked: list[str] = []


class Answers(Quiet):
    server: Osv

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/querybatch"
        self.server.asked.append(self.path)
        self._answer({"results": [self._result(query) for query in body["queries"]]})

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        if query["package"] == {"ecosystem": "CRAN", "name": "data.table"} and query["version"] == "1.14-0":
            return {"vulns": [{"id": "RSEC-2023-9", "modified": ADVISORIES["RSEC-2023-9"]["modified"]}]}
        if query["package"] != {"ecosystem": "PyPI", "name": "idna"}:
            return {}
        start = int(query.get("page_token", "0"))
        page = self.server.known[start : start + 2]
        result: dict[str, Any] = {"vulns": [{"id": one, "modified": ADVISORIES[one]["modified"]} for one in page]}
        more = start + 2 < len(self.server.known)
        return {**result, "next_page_token": str(start + 2)} if more else result

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._answer(ADVISORIES[self.path.removeprefix("/v1/vulns/")])

    def _answer(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def osv() -> Iterator[Osv]:
    with Osv() as server:
        yield server


@pytest.fixture
def here(world: World, osv: Osv) -> World:
    """A world that asks it."""
    return world.with_(CONDA_EXECUTE_ADVISORIES_URL=osv.url)


SCRIPT = "# conda execute\n# env: [python, idna ==3.7]\nimport idna\n"


@pytest.fixture
def script(here: World) -> str:
    path = here.script("plot.py", SCRIPT)
    here.execute(path, check=True)
    return str(path)


def test_audit_finds_what_is_known_of_a_python_package_of_condas(here: World, script: str) -> None:
    done = here.tmpenv("audit", script)
    assert done.returncode == 1
    first, *lines = done.stdout.splitlines()
    assert first == "idna 3.7: GHSA-jjg7-2v4v-x38h, CVE-2024-3651, PYSEC-2024-60"
    assert "  severity MODERATE" in lines
    assert "  fixed in 3.7" in lines
    assert "not covered by any list of advisories" in done.stderr


def test_json_says_what_is_not_covered(here: World, script: str) -> None:
    read = valid(here.tmpenv("audit", "--json", script).stdout, "audit")
    (found,) = read["vulnerabilities"]
    assert found["places"] == [script]
    assert found["purl"].startswith("pkg:conda/idna@3.7?")
    assert any(purl.startswith("pkg:conda/python@") for purl in read["not_covered"])
    assert not any("idna" in purl for purl in read["not_covered"])


def test_all_environments_are_asked_about_without_words(here: World, script: str) -> None:
    read = valid(here.tmpenv("audit", "--json").stdout, "audit")
    (found,) = read["vulnerabilities"]
    assert found["id"] == "GHSA-jjg7-2v4v-x38h"
    (name,) = found["places"]
    assert f"  in {name} ({script})\n" in here.tmpenv("audit").stdout


def test_r_package_is_asked_about_as_cran_calls_it(here: World, make_channel: Callable[..., str]) -> None:
    """conda writes `r-data.table 1.14_0`; only R's own metadata has the name and the version of the advisory."""
    said = {"lib/R/library/data.table/DESCRIPTION": "Package: data.table\nVersion: 1.14-0\n"}
    url = make_channel(Package("r-data.table", "1.14_0", said), Package("r-none", "1.0"))
    env = f"# env: [r-data.table, r-none]\n# channels: ['{url}']\n"
    script = here.script("s.sh", f"# conda execute\n{env}# run_with: sh\n")
    here.execute(script, check=True)
    read = valid(here.tmpenv("audit", "--json", script).stdout, "audit")
    assert [(one["id"], one["fixed"]) for one in read["vulnerabilities"]] == [("RSEC-2023-9", ["1.14-2"])]
    assert [purl.partition("@")[0] for purl in read["not_covered"]] == ["pkg:conda/r-none"]


@pytest.mark.parametrize("name", ["GHSA-jjg7-2v4v-x38h", "CVE-2024-3651", "PYSEC-2024-60"])
def test_advisory_is_ignored_by_any_of_its_names(here: World, script: str, name: str) -> None:
    assert here.tmpenv("audit", "--ignore", name, script).returncode == 0
    # It has a fix, so it is not waited for.
    assert here.tmpenv("audit", "--ignore-until-fixed", name, script).returncode == 1


def test_advisory_without_a_fix_is_ignored_until_it_has_one(here: World, script: str, osv: Osv) -> None:
    osv.known = ["MAL-2024-1"]
    assert here.tmpenv("audit", script).returncode == 1
    assert here.tmpenv("audit", "--ignore-until-fixed", "MAL-2024-1", script).returncode == 0


def test_audit_without_network_repeats_what_was_said(here: World, script: str, osv: Osv) -> None:
    refused = here.tmpenv("audit", "--offline", script)
    assert refused.returncode == 125
    assert "never checked" in refused.stderr
    said = here.tmpenv("audit", script).stdout
    osv.asked.clear()
    assert here.tmpenv("audit", "--offline", script).stdout == said
    assert osv.asked == []


def test_advisory_is_fetched_once(here: World, script: str, osv: Osv) -> None:
    here.tmpenv("audit", script)
    assert any(path.startswith("/v1/vulns/") for path in osv.asked)
    osv.asked.clear()
    here.tmpenv("audit", script)
    assert set(osv.asked) == {"/v1/querybatch"}


def test_service_that_is_not_there_is_an_error(here: World, script: str, osv: Osv) -> None:
    osv.shutdown()
    osv.server_close()
    assert here.with_(CONDA_REMOTE_MAX_RETRIES="0").tmpenv("audit", script).returncode == 125


def test_sarif_has_a_rule_and_a_result(here: World, script: str) -> None:
    from pydantic_sarif import model  # type: ignore[import-untyped]

    read = json.loads(here.tmpenv("audit", "--sarif", script).stdout)
    model.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(read)
    (run,) = read["runs"]
    assert read["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["GHSA-jjg7-2v4v-x38h"]
    (result,) = run["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == script
    assert as_sarif(Audit((), (), (), 0))["runs"][0]["results"] == []


def test_malicious_package_is_refused_where_a_setting_asks_for_it(here: World, osv: Osv) -> None:
    osv.known = ["MAL-2024-1"]
    path = here.script("plot.py", SCRIPT + "print('run')\n")
    refused = here.with_(CONDA_EXECUTE_REFUSE_MALICIOUS="true").execute(path)
    assert refused.returncode == 125
    assert "`idna 3.7` is malicious: MAL-2024-1" in refused.stderr
    assert here.prefixes() == []
    assert here.execute(path, check=True).stdout == "run\n"


def test_lock_without_an_environment_is_audited(here: World, osv: Osv) -> None:
    path = here.script("plot.py", SCRIPT)
    here.execute("--lock", path, check=True)
    read = valid(here.tmpenv("audit", "--json", path).stdout, "audit")
    assert {one.partition("@")[0] for one in read["not_covered"]} >= {"pkg:conda/python", "pkg:conda/idna"}
    assert here.prefixes() == []


def test_pypi_package_of_a_lock_is_audited(here: World) -> None:
    needed = f"idna @ {wheel(here.work, 'idna', '3.7').as_uri()}"
    path = here.script("plot.py", f"# conda execute\n# env: [python, pip: ['{needed}']]\n")
    here.execute("--lock", path, check=True)
    done = here.tmpenv("audit", path)
    assert done.returncode == 1
    assert done.stdout.startswith("idna 3.7: GHSA-jjg7-2v4v-x38h, CVE-2024-3651, PYSEC-2024-60\n")
    assert here.prefixes() == []


def test_malicious_package_from_pypi_is_refused_and_leaves_nothing(here: World, osv: Osv) -> None:
    """What was installed is gone, the next run asks again, and one that cannot ask makes nothing."""
    osv.known = ["MAL-2024-1"]
    careful = here.with_(CONDA_EXECUTE_REFUSE_MALICIOUS="true")
    needed = f"idna @ {wheel(here.work, 'idna', '3.7').as_uri()}"
    path = here.script("plot.py", f"# conda execute\n# env: [python, pip: ['{needed}']]\nprint('run')\n")
    for _ in range(2):
        refused = careful.execute(path)
        assert (refused.returncode, refused.stdout) == (125, "")
        assert "`idna 3.7` is malicious: MAL-2024-1" in refused.stderr
        assert here.prefixes() == []
    osv.known = []
    assert careful.execute(path, check=True).stdout == "run\n"
    osv.shutdown()
    osv.server_close()
    unasked = here.script("other.py", SCRIPT.replace("3.7", "3.10"))
    done = careful.with_(CONDA_REMOTE_MAX_RETRIES="0").execute(unasked)
    assert done.returncode == 125
    assert "never checked" in careful.execute("--offline", unasked).stderr


def test_advisory_that_was_withdrawn_or_is_of_an_alias_is_reported_once(here: World, script: str, osv: Osv) -> None:
    osv.known = ["GHSA-with-draw-n000"]
    assert here.tmpenv("audit", script).returncode == 0
    osv.known = ["PYSEC-2024-60", "GHSA-jjg7-2v4v-x38h"]
    assert here.tmpenv("audit", script).stdout.count("idna 3.7: ") == 1
