"""Environments passed on: files that make them again, and archives that run elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conda_execute import engines
from conda_execute.cli.parsing import parse
from conda_execute.engines import Options
from conda_execute.engines.rattler import engine
from conda_execute.engines.rattler.packages import installed
from conda_execute.errors import CreationError, PlaceError, UsageError
from conda_execute.lean.values import replace
from conda_execute.lockfiles import bill, export, lockfile
from conda_execute.lockfiles.lockfile import Lockfile
from conda_execute.options import FORMATS, RunOptions
from tests import tiny
from tests.test_pypi import options, packages, wheels  # noqa: F401  # fixtures

ENGINE = engine.Rattler()


@pytest.fixture
def made(channel: Path, tmp_path: Path, options: Options):  # noqa: F811
    """An environment of conda and PyPI packages: its prefix and its request."""
    request = tiny.request("python", "idna ==3.7", channels={"conda-forge": channel}, pypi=("plain<2", "needs-idna"))
    prefix = str(tmp_path / "prefix")
    engines.build(ENGINE, request, prefix, options)
    return prefix, request


def exported(made, form: str, how: Options) -> str:
    prefix, request = made
    return export.export(prefix, form, request, name="plot", backend=ENGINE, options=how)


def test_environment_yml_pins_conda_and_pypi_packages(made, options):  # noqa: F811
    read = yaml.safe_load(exported(made, "environment.yml", options))
    assert read["name"] == "plot"
    assert read["channels"] == ["conda-forge"]
    assert "idna=3.7=pyh_0" in read["dependencies"]
    assert read["dependencies"][-1] == {"pip": ["needs-idna==1.0", "plain==1.0"]}
    assert any(str(one).partition("=")[0] == "pip" for one in read["dependencies"])


def test_explicit_is_read_by_its_own_reader(made, options, tmp_path):  # noqa: F811
    from rattler.explicit_environment import ExplicitEnvironmentSpec

    path = tmp_path / "explicit.txt"
    path.write_text(exported(made, "explicit", options))
    read = ExplicitEnvironmentSpec.from_path(path)
    urls = {record.url for record in installed(made[0])}
    assert {str(package.url).partition("#")[0] for package in read.packages} == urls
    assert "# from PyPI, to be installed afterwards: plain==1.0" in path.read_text()


def test_explicit_lists_what_others_need_first(made, options):  # noqa: F811
    lines = exported(made, "explicit", options).splitlines()
    (python,) = [number for number, line in enumerate(lines) if "/python-3" in line]
    (idna,) = [number for number, line in enumerate(lines) if "/idna-" in line]
    assert python < idna


def test_pixi_lock_makes_the_same_environment(made, options, tmp_path):  # noqa: F811
    prefix, request = made
    found = lockfile.solution(Lockfile("s.pixi.lock", exported(made, "pixi.lock", options)), request)
    assert {package.url for package in found.packages} == {record.url for record in installed(prefix)}
    assert [(package.name, package.version) for package in found.pypi or ()] == [
        ("needs-idna", "1.0"),
        ("plain", "1.0"),
    ]
    assert all(package.sha256 for package in found.pypi or ())


def test_an_unknown_format_lists_those_there_are():
    with pytest.raises(UsageError) as caught:
        parse(RunOptions, ["--export", "conda-lock", "s.py"])
    assert all(f"`{each}`" in str(caught.value.hint) for each in FORMATS)


@pytest.mark.slow
def test_an_archive_runs_elsewhere_with_the_original_gone(made, tmp_path):
    prefix, _ = made
    tool = Path(prefix, "bin/tool")
    archive = tmp_path / "archive.tar.gz"
    tool.write_text(f"#!{prefix}/bin/python\nimport plain, idna, sys\nprint(plain.VERSION, sys.prefix)\n")
    tool.chmod(0o755)
    export.pack(prefix, str(archive))
    shutil.rmtree(prefix)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", elsewhere], check=True)
    subprocess.run([elsewhere / "bin/python", elsewhere / "bin/conda-unpack"], check=True)
    # conda-pack gives tools the first `python` on PATH, as its `bin/activate` sets it.
    path = f"{elsewhere}/bin{os.pathsep}{os.defpath}"
    run = subprocess.run([elsewhere / "bin/tool"], check=True, capture_output=True, text=True, env={"PATH": path})
    assert run.stdout.split() == ["1.0", str(elsewhere)]
    assert not list(elsewhere.glob("conda-meta/conda-execute*"))
    assert not (elsewhere / "conda-meta/frozen").exists()


def test_an_archive_of_an_unknown_kind_is_an_error(made, tmp_path):
    with pytest.raises(CreationError) as caught:
        export.pack(made[0], str(tmp_path / "archive.rar"))
    assert "archive.rar" in caught.value.message


@pytest.mark.parametrize(
    ("name", "message"),
    [("archive.tar.zst", "without the Python package zstandard"), ("archive.squashfs", "mksquashfs")],
)
def test_a_kind_of_archive_whose_maker_is_missing_is_an_error(made, tmp_path, monkeypatch, name, message):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CreationError, match=message):
        export.pack(made[0], str(tmp_path / name))


def test_an_archive_is_as_readable_as_other_files_and_its_folder_is_there(made, tmp_path):
    archive = tmp_path / "archive.zip"
    export.pack(made[0], str(archive))
    archive.with_suffix(".txt").write_text("")
    assert archive.stat().st_mode == archive.with_suffix(".txt").stat().st_mode
    with pytest.raises(PlaceError, match="there is no folder"):
        export.check_archive(str(tmp_path / "typo" / "archive.zip"))
    assert not (tmp_path / "typo").exists()


def test_a_request_with_other_channels_keeps_their_order(made, options):  # noqa: F811
    prefix, request = made
    from conda_execute.model import Channel

    two = replace(request, channels=(Channel("bioconda", ("https://host.invalid/b",)), *request.channels))
    read = yaml.safe_load(exported((prefix, two), "environment.yml", options))
    assert read["channels"] == ["bioconda", "conda-forge"]


# A bill of materials


def test_cyclonedx_is_valid_and_has_every_package(made, options):  # noqa: F811
    import json

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = exported(made, "cyclonedx", options)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    read = json.loads(text)
    components = {one["name"]: one for one in read["components"]}
    assert {str(record.name.normalized) for record in installed(made[0])} <= set(components)
    assert components["plain"]["purl"] == "pkg:pypi/plain@1.0"
    assert components["idna"]["purl"].startswith("pkg:conda/idna@3.7?build=pyh_0&channel=conda-forge&subdir=noarch")
    assert {one["alg"] for one in components["idna"]["hashes"]} == {"SHA-256", "MD5"}
    references = {one["bom-ref"] for one in read["components"]} | {"script"}
    graph = {one["ref"]: one["dependsOn"] for one in read["dependencies"]}
    assert set(graph) == references
    assert all(set(others) <= references for others in graph.values())
    # What PyPI needs of conda's is an arrow too.
    assert components["idna"]["purl"] in graph["pkg:pypi/needs-idna@1.0"]


def test_spdx_is_valid_and_says_the_same(made, options, tmp_path):  # noqa: F811
    from spdx_tools.spdx.model.relationship import RelationshipType
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    path = tmp_path / "plot.spdx.json"
    path.write_text(exported(made, "spdx", options))
    document = parse_file(str(path))
    assert validate_full_spdx_document(document) == []
    listed = {one.name: one for one in document.packages}
    assert {str(record.name.normalized) for record in installed(made[0])} | {"plain", "plot"} <= set(listed)
    (reference,) = listed["idna"].external_references
    assert reference.locator.startswith("pkg:conda/idna@3.7?build=pyh_0")
    assert {one.algorithm.name for one in listed["idna"].checksums} == {"SHA256", "MD5"}
    names = {one.spdx_id: one.name for one in document.packages}
    needs = {
        (names[one.spdx_element_id], names[str(one.related_spdx_element_id)])
        for one in document.relationships
        if one.relationship_type == RelationshipType.DEPENDS_ON
    }
    assert ("needs-idna", "idna") in needs
    assert ("plot", "needs-idna") in needs


@pytest.mark.parametrize(
    ("said", "declared"),
    [
        ("mit OR apache-2.0", "MIT OR Apache-2.0"),
        ("BSD", "LicenseRef-BSD"),
        ("GPL (>= 2) | file LICENSE", "LicenseRef-GPL-2-file-LICENSE"),
        ("", "NOASSERTION"),
    ],
)
def test_license_is_an_expression_or_what_the_package_says(said, declared):
    import json
    from datetime import datetime, timezone

    from conda_execute.engines.inventory import Component

    one = Component("lib", "1.0", "pkg:conda/lib@1.0", license=said)
    read = json.loads(bill.spdx("plot", [one], datetime.now(timezone.utc)))
    assert read["packages"][1]["licenseDeclared"] == declared
    assert [one["extractedText"] for one in read["hasExtractedLicensingInfos"]] == [said] * declared.startswith("Lic")
    (other,) = json.loads(bill.cyclonedx("plot", [one]))["components"]
    expression = {"expression": declared}
    assert other.get("licenses") == (
        (said and [{"license": {"name": said}} if "Ref" in declared else expression]) or None
    )


@pytest.mark.parametrize("form", ["cyclonedx", "spdx"])
def test_bill_is_the_same_text_for_the_same_packages(made, options, form):  # noqa: F811
    """But for the time that SPDX asks for."""
    one, other = (exported(made, form, options).splitlines() for _ in range(2))
    assert all('"created"' in line for line in {*one} ^ {*other})


def test_purls_are_read_by_their_own_library(made):
    from packageurl import PackageURL

    from conda_execute.engines.inventory import components

    for one in components(made[0]):
        read = PackageURL.from_string(one.purl)
        assert (read.name, read.version) == (one.name, one.version)
