"""Dependencies given as `name = "version"` or `name = { version = "...", ... }`, as match specs in one line.

`zlib = { version = ">=1.3", channel = "conda-forge" }` becomes `zlib[version=">=1.3",channel="conda-forge"]`,
the bracket form that every conda engine reads.
"""

from __future__ import annotations

import re

from ...errors import HeaderError, Location
from ...specs import condition, platforms
from ...specs.match_spec import spec_name
from ...specs.requirement import requirement_name
from ...text import nearest, shown
from . import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .fields import Value

#: Compiled when they are used.
_NAME = r"(?ai)[a-z0-9_][a-z0-9_.-]*\Z"
_VERSION = r"[A-Za-z0-9.*!+_<>=|,~()^$-]+\Z"
_HASHES = {"md5": r"[0-9a-fA-F]{32}\Z", "sha256": r"[0-9a-fA-F]{64}\Z"}
_BUILD_NUMBER = r"(?a)(==|!=|<=|>=|<|>|=)?\s*\d{1,9}\Z"

#: The keys of a dependency, and their names in the bracket form.
KEYS = {
    "version": "version",
    "build": "build",
    "build-number": "build_number",
    "channel": "channel",
    "subdir": "subdir",
    "extras": "extras",
    "flags": "flags",
    "md5": "md5",
    "sha256": "sha256",
    "url": "url",
    "when": "",
}
_SOURCES = ("git", "path", "branch", "tag", "rev", "subdirectory")


def named(text: str, kind: str) -> str:
    """The name of a spec or a PyPI requirement (`kind` is "spec" or "pypi"); its text if it has no name."""
    return (spec_name if kind == "spec" else requirement_name)(text) or text.strip()


def with_python(specs: Iterable[str], version: str = "") -> tuple[str, ...]:
    """The specs, and python with this version unless one of them is named exactly `python`."""
    specs = tuple(specs)
    if any(spec_name(spec) == "python" for spec in specs):
        return specs
    return (*specs, f"python {version}".strip())


def table_specs(table: Value, platform: str, locations: list[tuple[str, Location]]) -> dict[str, str]:
    """The specs of a table of dependencies by package name, without those whose `when` is false."""
    specs: dict[str, str] = {}
    for name, _, node in by_name(table, _NAME, str.lower, ": upper and lower case are the same in package names"):
        spec = _spec(name, node, platform)
        if spec is not None:
            specs[name] = spec
            locations.append((spec, node.key_where))
    return specs


def by_name(
    table: Value, pattern: str, normalise: Callable[[str], str], why_the_same: str = ""
) -> Iterator[tuple[str, str, Value]]:
    """The entries of a table of packages: the normalised name, the name as written, and the value."""
    seen: dict[str, Location] = {}
    for written, node in table.table().items():
        if not re.match(pattern, written):
            raise HeaderError(
                f"`{shown(written)}` is not a package name",
                where=node.key_where,
                hint='write `name = "version"`, and `"*"` for any version',
            )
        name = normalise(written)
        if name in seen:
            places = (seen[name], node.key_where)
            raise HeaderError(f"`{name}` appears twice{why_the_same}", where=places, hint="keep one of them")
        seen[name] = node.key_where
        yield name, written, node


def _spec(name: str, node: Value, platform: str) -> str | None:
    if isinstance(node.value, str):
        version = _version(node)
        return f"{name} {version}" if version else name
    if not isinstance(node.value, dict):
        raise node.error(f"`{node.name}` must be a version or a table, found {node.kind}", f'write `{node.key} = "*"`')
    for source in _SOURCES:
        if source in node.value:
            raise HeaderError(
                f"`{node.name}` is to be built from source, which is not supported",
                where=node.table()[source].key_where,
                hint="name a package of a channel, or a `url` of one",
            )
    fields = node.known(KEYS)
    if "url" in fields:
        for key in fields:
            if key not in ("url", "md5", "sha256", "when"):
                raise HeaderError(
                    f"`url` decides everything, and `{key}` cannot be combined with it",
                    where=fields[key].key_where,
                    hint="keep only `md5`, `sha256` and `when` next to `url`",
                )
    holds = _condition(fields["when"], platform) if "when" in fields else True
    if holds is False:
        return None
    return _bracket_form(name, fields, holds if isinstance(holds, str) else "")


def _bracket_form(name: str, fields: dict[str, Value], when: str) -> str:
    parts: list[str] = []
    for key, written in KEYS.items():
        if key not in fields or not written:
            continue
        node = fields[key]
        if key == "version":
            if version := _version(node):
                parts.append(f'version="{version}"')
        elif key in ("extras", "flags"):
            if values := [_plain(value, node, where) for value, where in node.strings(f"an entry of `{key}`")]:
                parts.append(f"{written}=[{','.join(values)}]")
        else:
            parts.append(f'{written}="{_field(key, node)}"')
    if when:
        parts.append(f'when="{when}"')
    if len(parts) == 1 and parts[0].startswith("version="):
        return f"{name} {parts[0][9:-1]}"
    return f"{name}[{','.join(parts)}]" if parts else name


def _field(key: str, node: Value) -> str:
    if key == "build-number":
        number = str(node.value) if isinstance(node.value, int) and not isinstance(node.value, bool) else node.text()
        if not re.match(_BUILD_NUMBER, number):
            raise node.error(
                f"`{node.name}` is not a build number", "write `build-number = 3`, or a comparison in quotes"
            )
        return number
    text = node.text()
    if key in _HASHES and not re.match(_HASHES[key], text):
        raise node.error(
            f"`{node.name}` is no {key} hash",
            f"{'an' if key == 'md5' else 'a'} {key} hash has {32 if key == 'md5' else 64} digits from 0 to f",
        )
    if key == "url" and not re.match(r"(https?|file)://[^\s]+\.(conda|tar\.bz2)\Z", text):
        raise node.error(
            f"`{node.name}` is not the URL of a conda package", "such a URL ends in `.conda` or `.tar.bz2`"
        )
    return _plain(text, node, node.where)


def _plain(text: str, node: Value, where: Location) -> str:
    if any(character in text for character in "\"'[],"):
        raise HeaderError(
            f"`{node.name}` holds a quotation mark, a bracket or a comma", where=where, hint="write it without"
        )
    return text


def _version(node: Value) -> str:
    """A version spec without spaces; empty for any version."""
    version = re.sub(r"\s*([,|<>=!~]+)\s*", r"\1", node.text())
    if " " in version or re.search(r"[\w.*]\s+[<>=!~]", node.text()):
        raise node.error(
            f"`{node.name}` has a space within its version",
            'separate versions with a comma; a build has a key: `build = "..."`',
        )
    if not re.match(_VERSION, version):
        raise node.error(f"`{node.name}` is not a version", 'write `">=1.20,<2"`, `"1.20.*"`, or `"*"` for any version')
    return "" if version == "*" else version


def _condition(node: Value, platform: str) -> bool | str:
    """A `when`: its truth if it is only about the platform; otherwise the condition, which the engine evaluates.

    It is text, or a table with `all` or `any` of several.
    """
    if isinstance(node.value, dict):
        values = node.known(("all", "any"))
        if len(values) != 1:
            raise node.error(f"`{node.name}` must have either `all` or `any`", 'write `when = "__unix"`')
        [(word, conditions)] = values.items()
        decisive = word == "any"
        said = [_condition(item, platform) for item in conditions.items()]
        if any(one is decisive for one in said):
            return decisive
        undecided = [f"({one})" for one in said if isinstance(one, str)]
        return (" or " if decisive else " and ").join(undecided) or not decisive
    text = node.text(hint='write a condition, such as `when = "__unix"`')
    names = condition.virtual_package_names(platform)
    try:
        return condition.holds(text, names)
    except condition.ConditionError as error:
        hint = nearest(error.name, names) if error.name and error.name.startswith("__") else ""
        if error.name and not hint.startswith("did"):
            return _for_the_engine(text, node)
        if not hint.startswith("did"):
            hint = "write virtual packages or match specs, with `and`, `or` and `not`: `__unix and python >=3.12`"
        raise node.error(f"`{node.name}` cannot be read: {error.problem}", hint) from None


def _for_the_engine(text: str, node: Value) -> str:
    if any(character in text for character in "\"'[]"):
        raise node.error(f"`{node.name}` contains a quotation mark or a bracket", "write it without")
    return text


def by_platform(table: Value, platform: str) -> dict[str, Value]:
    """The entries of a table whose keys are platforms, or families of them."""
    entries = table.table()
    for selector, node in entries.items():
        if selector not in platforms.KNOWN and selector not in platforms.FAMILIES:
            hint = nearest(selector, (*platforms.FAMILIES, platform))
            raise HeaderError(f"`{shown(selector)}` is not a platform", where=node.key_where, hint=hint)
    return entries


def channels(node: Value, locations: list[tuple[str, Location]]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Channels in order of priority, and the `exclude-newer` of those given as pixi's tables with `channel` in them."""
    found: list[str] = []
    moments: list[tuple[str, str]] = []
    for item in node.items(empty='name a channel: `channels = ["conda-forge"]`'):
        table = item.known(("channel", "exclude-newer")) if isinstance(item.value, dict) else {"channel": item}
        if "channel" not in table:
            raise item.error("a channel is given as a table without `channel`", 'write `"conda-forge"`')
        found.append(table["channel"].text("a channel", 'write it in quotes: `"conda-forge"`'))
        locations.append((found[-1], table["channel"].where))
        if "exclude-newer" in table:
            moments.append((f"channel {found[-1]}", fields.moment(table["exclude-newer"])))
    return tuple(found), tuple(moments)
