"""What is printed with `--json` is valid by the schema in the reference, which knows one type for each key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import CHECKOUT, World

SCHEMA = json.loads((CHECKOUT / "docs" / "reference" / "json.schema.json").read_text(encoding="utf-8"))


def schemas() -> Any:
    """The library, which is imported where it is used: it takes seconds, and each worker imports this module."""
    return pytest.importorskip("jsonschema")


def valid(text: str, kind: str) -> Any:
    """What the text says, once it is valid as a whole and as what it is called."""
    value = json.loads(text)
    jsonschema = schemas()
    jsonschema.validate(value, SCHEMA)
    for one in value if isinstance(value, list) else [value]:
        jsonschema.validate(one, {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{kind}"})
    return value


def test_json_is_valid_by_the_schema(world: World) -> None:
    world.script("s.py", "# conda execute\n# env: [python, six]\n# channels: [conda-forge]\n")
    world.script("wrong.py", "# conda execute\n# env: [\n")
    valid(world.execute("--check", "--json", "s.py", check=True).stdout, "script")
    planned = valid(world.execute("--json", "s.py", check=True).stdout, "script")
    valid(world.execute("--check", "--json", "wrong.py").stdout, "error")
    world.script("kept_in.py", "# conda execute\n# env: [python]\n# renew-after: 2\n# sandbox: {net: false}\n")
    kept_in = valid(world.execute("--check", "--json", "kept_in.py", check=True).stdout, "script")
    assert (kept_in["renew_after"], kept_in["sandbox"]["network"]) == (2, False)
    world.execute("s.py", check=True)
    valid(world.execute("--json", "s.py", check=True).stdout, "script")
    valid(world.tmpenv("list", "--json", check=True).stdout, "environment")
    made = valid(world.tmpenv("info", "--json", "s.py", check=True).stdout, "environment")
    assert {one["name"] for one in made["packages"]} == {one["name"] for one in planned["packages"]}
    valid(world.tmpenv("info", "--json", "nothing").stdout, "error")
    assert made["script"] == planned["script"] == str(world.work / "s.py")
    found = valid(world.execute("--print-python", "--json", "s.py", check=True).stdout, "path")
    assert found["prefix"] == made["prefix"]
    locked = valid(world.execute("--lock", "--json", "s.py", check=True).stdout, "lock")
    assert locked["lock"].startswith(locked["script"])
    assert valid(world.execute("--lock", "--check", "--json", "s.py", check=True).stdout, "lock")["fits"] is True
    valid(world.execute("--outdated", "--json", "s.py", check=True).stdout, "outdated")
    cleared = valid(world.tmpenv("clear", "--json", check=True).stdout, "clear")
    assert [one["name"] for one in cleared["removed"]] == [made["name"]]


def test_json_of_edits_and_creations_is_valid_by_the_schema(world: World) -> None:
    world.script("s.py", "# conda execute\n# env: [six]\n# channels: [conda-forge]\n")
    planned = valid(world.execute("--add", "idna", "--dry-run", "--json", "s.py", check=True).stdout, "edit")
    assert (planned["written"], planned["specs"]) == (False, ["six", "idna"])
    assert "+# env: [six, idna]" in planned["difference"]
    edited = valid(world.execute("--add", "idna", "--json", "s.py", check=True).stdout, "edit")
    assert edited == planned | {"written": True}
    again = valid(world.execute("--add", "idna", "--json", "s.py", check=True).stdout, "edit")
    assert (again["written"], again["difference"]) == (False, "")
    named = valid(world.tmpenv("name", "--json", "lua", check=True).stdout, "path")
    assert valid(world.tmpenv("create", "--json", "lua", check=True).stdout, "path") == named
    valid(world.tmpenv("create", "--json", check=False).stdout, "error")


def test_the_schema_is_one() -> None:
    schemas().Draft202012Validator.check_schema(SCHEMA)
