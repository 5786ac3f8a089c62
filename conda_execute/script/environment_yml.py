"""An `environment.yml` as a header: `dependencies` is what `env` is in a script, `pip:` list included.

`name` and `prefix` say where conda would put the environment, which is not theirs to say here; `variables` are set for
what runs in it. Not a header format: only `--file` reads it.
"""

from __future__ import annotations

from ..errors import HeaderError, Location
from ..model import Header
from ..text import nearest, shown
from .header import fields
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
    keys = dict(_pairs(root))
    if "dependencies" not in keys:
        raise HeaderError("the file has no `dependencies`", where=Location(path), hint=_SAMPLE)
    specs: list[Value] = []
    pypi: list[Value] = []
    for item in _items("dependencies", keys["dependencies"]):
        if item.kind != "a mapping":
            specs.append(_text("dependencies", item))
            continue
        for name, value in _pairs(item, ("pip",)):
            pypi += [_text(name, entry) for entry in _items(name, value)]
    channels = (
        [_text("channels", item) for item in _items("channels", keys["channels"])] if "channels" in keys else None
    )
    return Header(
        format=FORMAT,
        specs=tuple(fields.spec(item.text, item.where) for item in specs),
        pypi=tuple(fields.requirement(item.text, item.where) for item in pypi),
        channels=None if channels is None else tuple(item.text for item in channels if item.text != "nodefaults"),
        variables=tuple((name, _text(name, value).text) for name, value in _pairs(keys["variables"], None))
        if "variables" in keys
        else (),
        lines=(1, len(script.lines)),
        locations=tuple((item.text, item.where) for item in (*specs, *pypi, *(channels or ()))),
    )


def _pairs(value: Value, known: tuple[str, ...] | None = _KEYS) -> list[tuple[str, Value]]:
    if value.kind != "a mapping":
        raise HeaderError(f"expected keys and values, found {value.kind}", where=value.where)
    pairs = []
    for pair in value.content:
        assert isinstance(pair, tuple)
        name = pair[0].text
        if known is not None and name not in known:
            raise HeaderError(
                f"`{shown(name)}` is not a key of an environment.yml",
                where=pair[0].where,
                hint=nearest(name, known),
            )
        pairs.append((name, pair[1]))
    return pairs


def _items(key: str, value: Value) -> list[Value]:
    if value.kind != "a list":
        hint = "write one entry per line, each after `- `"
        raise HeaderError(f"`{key}` must be a list, found {value.kind}", where=value.where, hint=hint)
    return [item for item in value.content if isinstance(item, Value)]


def _text(key: str, value: Value) -> Value:
    if value.kind != "a string":
        raise HeaderError(f"an entry of `{key}` must be a string, found {value.kind}", where=value.where)
    return value
