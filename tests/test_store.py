"""Environments on disk: states and markers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conda_execute.environments import layout
from conda_execute.environments import marker as markers
from conda_execute.environments.store import Store
from tests.protocol import small, steps

NAME = "ea977067a8fbeb21a594"


class TestMarker:
    def test_marker_reads_back_as_it_was_written(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs, "python >=3", "numpy")
        assert environment.name == NAME
        assert Store(tmp_envs).find(NAME) == environment
        assert environment.marker.specs == ("numpy", "python >=3")
        assert environment.marker.records == 2

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b"null", b"{}", b'{"format": 1}', b"\xff\xfe", b"[" * 100_000],
        ids=lambda content: repr(content[:20]),
    )
    def test_damaged_marker_is_no_marker(self, tmp_envs: str, content: bytes) -> None:
        environment = small.ensure(tmp_envs)
        Path(layout.marker(environment.prefix)).write_bytes(content)
        assert Store(tmp_envs).read(environment.name) is None
        assert Store(tmp_envs).state(environment.name) == "unfinished"

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("records", None), ("records", "2"), ("records", True), ("build", 5), ("build", None), ("build", ""),
            ("build", "../x"), ("specs", "numpy"),
            ("specs", [1]), ("size", [1]), ("packages", 1.5), ("created", float("nan")), ("seconds", float("inf")),
            ("script", None),
        ],
        ids=repr,
    )  # fmt: skip
    def test_marker_with_a_value_of_another_type_is_no_marker(self, tmp_envs: str, key: str, value: object) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
        assert Store(tmp_envs).state(environment.name) == "unfinished"

    def test_marker_of_an_earlier_version_that_says_less_is_believed(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        content = json.loads(path.read_text())
        del content["records"]
        path.write_text(json.dumps({**content, "created": 5}))
        marker = markers.read(str(path))
        assert marker is not None
        assert (marker.records, marker.created) == (0, 5)

    def test_marker_of_a_newer_form_is_not_believed(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "format": markers.FORMAT + 1}))
        assert markers.read(str(path)) is None

    def test_marker_of_a_later_version_that_says_more_is_believed(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        path = Path(layout.marker(environment.prefix))
        path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "blue"}))
        assert markers.read(str(path)) == environment.marker

    def test_no_file_of_ours_looks_like_a_package_record(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        Store(tmp_envs).unmark(environment.name)
        names = os.listdir(layout.conda_meta(environment.prefix))
        assert sorted(name for name in names if name.endswith(".json")) == ["package-0.json", "package-1.json"]

    def test_marker_comes_whole_and_after_the_directory_of_uses(
        self, tmp_envs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[str, list[str]]] = []

        def look() -> None:
            [name] = Store(tmp_envs).list()
            meta = os.listdir(layout.conda_meta(layout.prefix(tmp_envs, name)))
            seen.append((Store(tmp_envs).state(name), [one for one in meta if one.startswith(layout.USES)]))

        steps.at("marker written", look, monkeypatch.setattr)
        environment = small.ensure(tmp_envs)
        assert seen == [("unfinished", [layout.USES + environment.marker.build])]


class TestState:
    def test_states(self, tmp_envs: str) -> None:
        store = Store(tmp_envs)
        name = small.ensure(tmp_envs).name
        states = [store.state("0" * 20), store.state(name)]
        store.unmark(name)
        states.append(store.state(name))
        os.unlink(layout.marker_aside(store.prefix(name)))
        states.append(store.state(name))
        assert states == ["absent", "ready", "aside", "unfinished"]

    def test_discarded_prefix_goes_as_a_whole(self, tmp_envs: str) -> None:
        store = Store(tmp_envs)
        name = small.ensure(tmp_envs).name
        store.discard(name)
        assert store.state(name) == "absent"
        [trash] = os.listdir(layout.trash(tmp_envs))
        assert trash.startswith(name + "-")
        store.empty_trash(name)
        assert os.listdir(layout.trash(tmp_envs)) == []

    def test_list_names_prefixes_only(self, tmp_envs: str) -> None:
        name = small.ensure(tmp_envs).name
        for other in (".locks", ".trash", "notes.txt", "ABCDEF", name + ".x", name[:-1]):
            Path(tmp_envs, other).mkdir(exist_ok=True)
        Path(tmp_envs, name + ".1").mkdir()
        assert Store(tmp_envs).list() == [name, name + ".1"]

    def test_find_looks_beside_a_broken_prefix(self, tmp_envs: str) -> None:
        environment = small.ensure(tmp_envs)
        os.rename(environment.prefix, environment.prefix + ".1")
        os.mkdir(environment.prefix)
        found = Store(tmp_envs).find(environment.name)
        assert found is not None
        assert found.name == environment.name + ".1"
