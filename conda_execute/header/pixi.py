"""The `[tool.pixi]` table of a script: the part that describes one environment.

A key that would change what is installed and is not understood is an error. One that would not is left out, and
named in a notice.
"""

from __future__ import annotations

import re

from ..errors import HeaderError, Location
from ..values import dataclass
from . import condition, specs, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .toml_values import Node

_TARGET_KEYS = ("dependencies", "pypi-dependencies", "constraints", "activation")
_KEYS = (*_TARGET_KEYS, "workspace", "target", "channel-priority", "exclude-newer", "pypi-exclude-newer")
_WORKSPACE_KEYS = ("channels", "channel-priority", "exclude-newer", "pypi-exclude-newer", "solve-strategy")
#: Keys that describe a workspace and change nothing of what is installed for one script.
_UNREAD = ("requires-pixi", "preview", "platforms", "name", "version", "description", "authors", "conda-pypi-map")
_PYPI_KEYS = ("version", "extras", "env-markers", "url", "git", "branch", "tag", "rev", "subdirectory", "path")
_PYPI_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


@dataclass(frozen=True)
class Pixi:
    """What the table asks for on one platform."""

    specs: tuple[str, ...] = ()
    pypi: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    channels: tuple[str, ...] | None = None
    channel_priority: str | None = None
    exclude_newer: str | None = None
    pypi_exclude_newer: str | None = None
    notices: tuple[str, ...] = ()


def read(table: Node, platform: str, locations: list[tuple[str, Location]], *, with_channels: bool = True) -> Pixi:
    """What `[tool.pixi]` says; `with_channels` where channels belong into it."""
    keys = table.known(_KEYS, unread=_UNREAD)
    workspace = keys["workspace"].known(_WORKSPACE_KEYS, unread=_UNREAD) if "workspace" in keys else {}
    if "channels" in workspace and not with_channels:
        raise HeaderError(
            "the channels of this header stand outside of `tool.pixi`",
            where=workspace["channels"].key_where,
            hint="move them to `channels` at the top",
        )
    _check_strategy(workspace)
    found = _Layers(platform)
    for layer in (table, *_targets(keys.get("target"), platform)):
        found.add(layer, locations)
    unread = [node for name, node in (*keys.items(), *workspace.items()) if name in _UNREAD]
    said = {**workspace, **{name: node for name, node in keys.items() if name in _WORKSPACE_KEYS}}
    return Pixi(
        specs=tuple(found.specs.values()),
        pypi=tuple(found.pypi.values()),
        constraints=tuple(found.constraints.values()),
        variables=tuple(found.variables.items()),
        channels=_channels(workspace["channels"], locations) if "channels" in workspace else None,
        channel_priority=_priority(said["channel-priority"]) if "channel-priority" in said else None,
        exclude_newer=_when(said.get("exclude-newer")),
        pypi_exclude_newer=_when(said.get("pypi-exclude-newer")),
        notices=tuple(f"`{node.name}` means nothing to conda-execute and is left out" for node in unread),
    )


class _Layers:
    """What one target says replaces what a wider one says of the same package or variable."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.specs: dict[str, str] = {}
        self.pypi: dict[str, str] = {}
        self.constraints: dict[str, str] = {}
        self.variables: dict[str, str] = {}

    def add(self, table: Node, locations: list[tuple[str, Location]]) -> None:
        keys = table.table()
        if "dependencies" in keys:
            self.specs.update(specs.table_specs(keys["dependencies"], self.platform, locations))
        if "constraints" in keys:
            self.constraints.update(specs.table_specs(keys["constraints"], self.platform, locations))
        if "pypi-dependencies" in keys:
            self.pypi.update(requirements(keys["pypi-dependencies"], locations))
        if "activation" in keys:
            self.variables.update(_variables(keys["activation"]))


def _targets(node: Node | None, platform: str) -> list[Node]:
    """The targets that hold for the platform, from the widest to the narrowest; all of them are checked."""
    if node is None:
        return []
    targets = node.table()
    for selector, target in targets.items():
        if selector not in condition.SUBDIRS and selector not in condition.FAMILIES:
            raise HeaderError(
                f"`{words.shown(selector)}` is not a platform",
                where=target.key_where,
                hint=words.nearest(selector, (*condition.FAMILIES, platform)),
            )
        target.known(_TARGET_KEYS)
    order = (*reversed(condition.families(platform)), platform)
    return [targets[selector] for selector in order if selector in targets]


def _channels(node: Node, locations: list[tuple[str, Location]]) -> tuple[str, ...]:
    channels: list[str] = []
    for item in node.items():
        if isinstance(item.value, dict):
            channel = item.known(("channel",)).get("channel")
            if channel is None:
                raise item.error("a channel is given as a table without `channel`", 'write `"conda-forge"`')
            item = channel  # noqa: PLW2901
        channels.append(item.text("a channel", 'write it in quotes: `"conda-forge"`'))
        locations.append((channels[-1], item.where))
    if not channels:
        raise node.error(f"`{node.name}` is an empty list", "name a channel, or leave the key out")
    return tuple(channels)


def _priority(node: Node) -> str:
    priority = node.text()
    if priority not in ("strict", "flexible", "disabled"):
        raise node.error(
            f"`{node.name}` must be `strict`, `flexible` or `disabled`, found `{words.shown(priority)}`",
            words.nearest(priority, ("strict", "flexible", "disabled")),
        )
    return priority


def _when(node: Node | None) -> str | None:
    if node is None:
        return None
    return moment(node)


def moment(node: Node) -> str:
    """A date, a date-time or a duration; TOML has dates of its own, which count as if they were in quotes."""
    from datetime import date

    if isinstance(node.value, date):
        text = node.value.isoformat()
    else:
        text = node.string('write `"2026-03-31"` or `"7 days"`')
    return words.exclude_newer(text, node.name, node.where)


def _check_strategy(workspace: dict[str, Node]) -> None:
    strategy = workspace.get("solve-strategy")
    if strategy is not None and strategy.text() != "highest":
        raise strategy.error(
            f"`{strategy.name}` can only be `highest` here", "leave it out, and pin versions where they matter"
        )


def _variables(node: Node) -> dict[str, str]:
    """Environment variables; anything that a shell would have to work out is an error."""
    table = node.known(("env",))
    variables: dict[str, str] = {}
    for name, value in table["env"].table().items() if "env" in table else ():
        if not _VARIABLE.match(name):
            raise HeaderError(
                f"`{words.shown(name)}` is no name of an environment variable",
                where=value.key_where,
                hint="use letters, digits and `_`",
            )
        text = value.string('write the value in quotes: `"..."`')
        if "$" in text or "%" in text:
            raise value.error(
                f"`{value.name}` refers to another variable, which is not supported", "write the value out"
            )
        if text:
            words.plain(text + ".", f"`{value.name}`", value.where)
        variables[name] = text
    return variables


def requirements(table: Node, locations: list[tuple[str, Location]]) -> dict[str, str]:
    """The PyPI requirements of a table by normalised name."""
    found: dict[str, str] = {}
    seen: dict[str, Location] = {}
    for name, node in table.table().items():
        if not _PYPI_NAME.match(name):
            raise HeaderError(
                f"`{words.shown(name)}` is no package name",
                where=node.key_where,
                hint='write `name = "version"`, and `"*"` for any version',
            )
        normal = re.sub(r"[-_.]+", "-", name).lower()
        if normal in seen:
            raise HeaderError(
                f"`{normal}` is there twice", where=(seen[normal], node.key_where), hint="keep one of them"
            )
        seen[normal] = node.key_where
        found[normal] = words.requirement(_requirement(name, node), node.where)
        locations.append((found[normal], node.key_where))
    return found


def _requirement(name: str, node: Node) -> str:
    if isinstance(node.value, str):
        return _versioned(name, node)
    if not isinstance(node.value, dict):
        raise node.error(
            f"`{node.name}` must be a version or a table, found {node.kind}", f'write `{node.path[-1]} = "*"`'
        )
    fields = node.known(_PYPI_KEYS)
    extras = (
        [_word(extra, where) for extra, where in fields["extras"].strings("an extra")] if "extras" in fields else []
    )
    named = f"{name}[{','.join(extras)}]" if extras else name
    sources = [key for key in ("version", "url", "git", "path") if key in fields]
    if len(sources) > 1:
        raise HeaderError(
            f"`{node.name}` has both `{sources[0]}` and `{sources[1]}`",
            where=(fields[sources[0]].key_where, fields[sources[1]].key_where),
            hint="keep one of them",
        )
    if sources in ([], ["version"]):
        text = _versioned(named, fields["version"]) if sources else named
    elif sources == ["git"]:
        text = f"{named} @ {_git(fields)}"
    else:
        text = f"{named} @ {_word(fields[sources[0]].text(), fields[sources[0]].where)}"
    _check_git_only(fields, sources)
    if "env-markers" in fields:
        text += f" ; {fields['env-markers'].text()}"
    return text


def _versioned(name: str, node: Node) -> str:
    version = node.text()
    if version == "*":
        return name
    if not re.match(r"[<>=!~]", version):
        raise node.error(
            f"`{node.name}` begins with no comparison", f'write `"=={version}"` or `">={version}"`, and `"*"` for any'
        )
    if any(character in version for character in ";@#[]\"'"):
        raise node.error(f"`{node.name}` is no version", 'write `">=1.20,<2"`; extras and markers have their own keys')
    return f"{name} {version}"


def _git(fields: dict[str, Node]) -> str:
    url = _word(fields["git"].text(), fields["git"].where)
    url = url if url.startswith("git+") else f"git+{url}"
    revisions = [key for key in ("rev", "tag", "branch") if key in fields]
    if len(revisions) > 1:
        raise HeaderError(
            f"`{revisions[0]}` and `{revisions[1]}` contradict each other",
            where=(fields[revisions[0]].key_where, fields[revisions[1]].key_where),
            hint="keep one of them",
        )
    for key in revisions:
        url += f"@{_word(fields[key].text(), fields[key].where)}"
    if "subdirectory" in fields:
        url += f"#subdirectory={_word(fields['subdirectory'].text(), fields['subdirectory'].where)}"
    return url


def _check_git_only(fields: dict[str, Node], sources: Sequence[str]) -> None:
    for key in ("branch", "tag", "rev", "subdirectory"):
        if key in fields and sources != ["git"]:
            raise HeaderError(
                f"`{key}` goes with `git` alone", where=fields[key].key_where, hint="add `git`, or remove it"
            )


def _word(text: str, where: Location) -> str:
    if any(character.isspace() or character in "[]," for character in text):
        raise HeaderError(f"`{words.shown(text)}` holds a blank, a bracket or a comma", where=where, hint="remove it")
    return text
