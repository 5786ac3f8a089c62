"""An `environment.yml` as a header: `dependencies` is what `env` is in a script, `pip:` list included.

`name` and `prefix` say where conda would put the environment, which is not theirs to say here; `variables` are set for
what runs in it. Not a header format: only `--file` reads it.
"""

from __future__ import annotations

from ..errors import HeaderError, Location
from .header import fields
from .header.keys import Header
from .header.text import read_script
from .header.yaml import Reader, Value

FORMAT = "environment.yml"

_KEYS = ("name", "prefix", "channels", "dependencies", "variables", "platforms")

_SAMPLE = "such a file needs at least this:\ndependencies:\n  - python >=3"


def read(data: bytes, path: str) -> Header:
    """The file with these contents. Raises HeaderError with the line and the column of what is wrong."""
    script = read_script(data, path)
    root = Reader(script, 1, [0] * max(1, len(script.lines)), _SAMPLE).tree("\n".join(script.lines))
    if root is None or root.kind != "a mapping":
        raise HeaderError("the file is not an environment.yml", where=Location(path), hint=_SAMPLE)
    keys = root.known(_KEYS, of="an environment.yml", ends=True)
    if "dependencies" not in keys:
        raise HeaderError("the file has no `dependencies`", where=Location(path), hint=_SAMPLE)
    specs: list[Value] = []
    pypi: list[Value] = []
    for item in keys["dependencies"].items():
        if item.kind != "a mapping":
            specs.append(_text("dependencies", item))
            continue
        for name, value in item.known(("pip",), of="an environment.yml", ends=True).items():
            pypi += [_text(name, entry) for entry in value.items()]
    channels = [_text("channels", item) for item in keys["channels"].items()] if "channels" in keys else None
    return Header(
        format=FORMAT,
        specs=tuple(fields.spec(item.text, item.where) for item in specs),
        pypi=tuple(fields.requirement(item.text, item.where) for item in pypi),
        channels=None if channels is None else tuple(item.text for item in channels if item.text != "nodefaults"),
        variables=tuple((name.text, _text(name.text, value).text) for name, value in keys["variables"].pairs())
        if "variables" in keys
        else (),
        lines=(1, len(script.lines)),
        locations=tuple((item.text, item.where) for item in (*specs, *pypi, *(channels or ()))),
    )


def _text(key: str, value: Value) -> Value:
    value.string(f"an entry of `{key}`", "a string", None)
    return value
