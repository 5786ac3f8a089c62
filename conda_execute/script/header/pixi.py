"""The `[tool.pixi]` table of a script: the part that describes one environment.

An unsupported key that would change what is installed is an error. Others are ignored, with a notice.
"""

from __future__ import annotations

import re

from ...errors import HeaderError, Location
from ...lean.values import replace
from ...specs import platforms
from ...specs.requirement import canonical
from ...text import shown
from . import dependencies, fields
from .dependencies import channels
from .fields import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .fields import Value
    from .keys import Header

_TARGET_KEYS = ("dependencies", "pypi-dependencies", "constraints", "activation")
_KEYS = (
    *_TARGET_KEYS,
    "workspace",
    "system-requirements",
    "target",
    "channel-priority",
    "exclude-newer",
    "pypi-exclude-newer",
    "pypi-options",
)
_WORKSPACE_KEYS = (
    *("channels", "channel-priority", "exclude-newer", "pypi-exclude-newer", "solve-strategy"),
    "pypi-options",
)
_PRIORITIES = ("strict", "flexible", "disabled")
_STRATEGIES = ("highest", "lowest", "lowest-direct")
#: And their names in uv.
_PYPI_OPTIONS = {
    "index-url": "index", "extra-index-urls": "extra-index-url", "find-links": "find-links",
    "index-strategy": "index-strategy", "no-build-isolation": "no-build-isolation", "no-build": "no-build",
    "no-binary": "no-binary", "dependency-overrides": "override-dependencies", "prerelease-mode": "prerelease",
}  # fmt: skip
#: Keys that describe a workspace and do not change what is installed for a script.
_UNREAD = ("requires-pixi", "preview", "platforms", "name", "version", "description", "authors", "conda-pypi-map")
_PYPI_KEYS = (
    "version", "extras", "env-markers", "index", "url", "git", "branch", "tag", "rev", "subdirectory", "path",
    "editable",
)  # fmt: skip
_PYPI_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


def added(header: Header, table: Value, platform: str, locations: list[tuple[str, Location]]) -> Header:
    """The header with the values of `[tool.pixi]`; a header with channels must not have others there."""
    keys = table.known(_KEYS, unread=_UNREAD)
    workspace = keys["workspace"].known(_WORKSPACE_KEYS, unread=_UNREAD) if "workspace" in keys else {}
    if "channels" in workspace and header.channels is not None:
        raise HeaderError(
            "the channels of this header are outside of `tool.pixi`",
            where=workspace["channels"].key_where,
            hint="move them to `channels` at the top",
        )
    said = {**workspace, **{name: node for name, node in keys.items() if name in _WORKSPACE_KEYS}}
    strategy = workspace["solve-strategy"].one_of(*_STRATEGIES) if "solve-strategy" in workspace else "highest"
    options = {**({} if strategy == "highest" else {"resolution": strategy}), **_pypi_options(said.get("pypi-options"))}
    found = _Layers(platform)
    for layer in (table, *_targets(keys.get("target"), platform)):
        found.add(layer, locations)
    unread = [node for name, node in (*keys.items(), *workspace.items()) if name in _UNREAD]
    names, moments = channels(workspace["channels"], locations) if "channels" in workspace else (header.channels, ())
    sources = tuple((name, source) for name, source in found.sources.items() if name in found.pypi)
    return replace(
        header,
        specs=(*header.specs, *found.specs.values()),
        pypi=(*header.pypi, *found.pypi.values()),
        uv=with_sources(header.uv, sources, options),
        solve_strategy=None if strategy == "highest" else strategy,
        constraints=tuple(found.constraints.values()),
        variables=tuple(found.variables.items()),
        activation_scripts=found.activation_scripts,
        overrides=_system(keys["system-requirements"]) if "system-requirements" in keys else (),
        channel_priority=said["channel-priority"].one_of(*_PRIORITIES) if "channel-priority" in said else None,
        exclude_newer=_when(said.get("exclude-newer")),
        pypi_exclude_newer=_when(said.get("pypi-exclude-newer")),
        exclude_newer_of=(
            *header.exclude_newer_of,
            *_of_packages(said.get("exclude-newer")),
            *_of_packages(said.get("pypi-exclude-newer")),
            *moments,
        ),
        channels=names,
        notices=tuple(f"`{node.name}` is not supported by conda-execute and is ignored" for node in unread),
    )


class _Layers:
    """The values of a target replace those of a wider one for the same package or variable."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.specs: dict[str, str] = {}
        self.pypi: dict[str, str] = {}
        self.sources: dict[str, dict[str, object]] = {}
        self.constraints: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.activation_scripts: tuple[str, ...] = ()

    def add(self, table: Value, locations: list[tuple[str, Location]]) -> None:
        keys = table.table()
        if "dependencies" in keys:
            self.specs.update(dependencies.table_specs(keys["dependencies"], self.platform, locations))
        if "constraints" in keys:
            self.constraints.update(dependencies.table_specs(keys["constraints"], self.platform, locations))
        if "pypi-dependencies" in keys:
            for name, (requirement, source) in requirements(keys["pypi-dependencies"], locations).items():
                self.pypi[name] = requirement
                self.sources.pop(name, None)
                if source:
                    self.sources[name] = source
        if "activation" in keys:
            activation = keys["activation"].known(("env", "scripts"))
            if "env" in activation:
                self.variables.update(_variables(activation["env"]))
            if "scripts" in activation:
                scripts = activation["scripts"].strings("a path")
                locations.extend(scripts)
                self.activation_scripts = tuple(text for text, _ in scripts)


def _targets(node: Value | None, platform: str) -> list[Value]:
    """The targets that apply to the platform, from the widest to the narrowest; all targets are checked."""
    if node is None:
        return []
    targets = dependencies.by_platform(node, platform)
    for target in targets.values():
        target.known(_TARGET_KEYS)
    order = (*reversed(platforms.families(platform)), platform)
    return [targets[selector] for selector in order if selector in targets]


def _system(node: Value) -> tuple[tuple[str, str], ...]:
    """The description of the machine: pixi calls `__glibc` libc, and `__osx` macos."""
    versions: dict[str, Value] = {}
    for name, said in node.table().items():
        keys = said.known(("family", "version")) if isinstance(said.value, dict) else {}
        versions[{"libc": "glibc", "macos": "osx"}.get(name, name)] = keys.get("version", said)
    return fields.overrides(versions)


def _of_packages(node: Value | None) -> tuple[tuple[str, str], ...]:
    if node is None or not isinstance(node.value, dict):
        return ()
    return tuple((f"package {name}", _of_package(each)) for name, each in node.table().items())


def _of_package(node: Value) -> str:
    """A moment; `false` and a time of zero exempt the package."""
    return "no" if node.value is False or node.value in ("0d", "0s", "0h", "0m") else moment(node)


def _when(node: Value | None) -> str | None:
    """One moment for all packages; a table has those of single packages."""
    return None if node is None or isinstance(node.value, dict) else moment(node)


def _pypi_options(node: Value | None) -> dict[str, object]:
    """`pypi-options` in the words of `[tool.uv]`."""
    found: dict[str, object] = {}
    for name, option in node.known(_PYPI_OPTIONS).items() if node is not None else ():
        if name == "index-url":
            found["index"] = [{"url": option.text(), "default": True}]
        elif name == "find-links":
            places = [item.known(("path", "url")) for item in option.items()]
            found[name] = [place.text() for each in places for place in each.values()]
        elif name in ("extra-index-urls", "index-strategy", "prerelease-mode"):
            listed = name == "extra-index-urls"
            found[_PYPI_OPTIONS[name]] = [text for text, _ in option.strings("a URL")] if listed else option.text()
        elif name == "dependency-overrides":
            wanted = requirements(option, [])
            found["override-dependencies"] = [requirement for requirement, _ in wanted.values()]
        elif isinstance(option.value, list):
            found[f"{name}-package"] = [text for text, _ in option.strings("a package")]
        else:
            found[name] = option.truth()
    return found


def _variables(node: Value) -> dict[str, str]:
    """Environment variables; values that a shell would have to expand are an error."""
    variables: dict[str, str] = {}
    for name, value in node.table().items():
        if not _VARIABLE.match(name):
            raise HeaderError(
                f"`{shown(name)}` is not a name of an environment variable",
                where=value.key_where,
                hint="use letters, digits and `_`",
            )
        text = value.string('write the value in quotes: `"..."`')
        if "$" in text or "%" in text:
            raise value.error(
                f"`{value.name}` refers to another variable, which is not supported", "write the value out"
            )
        if text:
            fields.plain(text + ".", f"`{value.name}`", value.where)
        variables[name] = text
    return variables


def requirements(table: Value, locations: list[tuple[str, Location]]) -> dict[str, tuple[str, dict[str, object]]]:
    """The PyPI requirements of a table by normalised name, each with its entry in uv's `sources`, empty for most."""
    found: dict[str, tuple[str, dict[str, object]]] = {}
    for normal, name, node in dependencies.by_name(table, _PYPI_NAME, canonical):
        requirement, source = _requirement(name, node)
        found[normal] = fields.requirement(requirement, node.where), source
        locations.append((found[normal][0], node.key_where))
    return found


def with_sources(
    uv: str | None, sources: Sequence[tuple[str, dict[str, object]]], options: dict[str, object]
) -> str | None:
    """A `[tool.uv]` table as JSON, with the sources of these packages and pixi's options added; its own entries take
    precedence."""
    if not sources and not options:
        return uv
    import json

    settings: dict[str, Any] = {**options, **(json.loads(uv) if uv else {})}
    theirs: dict[str, object] = {}
    for name, source in sorted(sources, key=lambda pair: pair[0]):
        theirs[name] = source
        if "index" in source:
            theirs[name] = {"index": index_of(name)}
            index = {"name": index_of(name), "url": source["index"], "explicit": True}
            settings["index"] = [*settings.get("index", []), index]
    if theirs:
        settings["sources"] = {**theirs, **settings.get("sources", {})}
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def without_source(uv: str | None, name: str) -> str | None:
    """The same table without the source of this package."""
    if uv is None:
        return None
    import json

    settings: dict[str, Any] = json.loads(uv)
    settings["index"] = [one for one in settings.get("index", []) if one.get("name") != index_of(name)]
    settings["sources"] = {other: one for other, one in settings.get("sources", {}).items() if other != name}
    left = {key: value for key, value in settings.items() if value or key not in ("index", "sources")}
    return json.dumps(left, sort_keys=True, separators=(",", ":")) if left else None


def index_of(name: str) -> str:
    """The name for uv of the index of one package."""
    return f"pixi-{name}"


def _requirement(name: str, node: Value) -> tuple[str, dict[str, object]]:
    if isinstance(node.value, str):
        return _versioned(name, node), {}
    if not isinstance(node.value, dict):
        raise node.error(f"`{node.name}` must be a version or a table, found {node.kind}", f'write `{node.key} = "*"`')
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
        address = _word(fields[sources[0]].text(), fields[sources[0]].where)
        relative = sources == ["path"] and not address.startswith((".", "/", "~"))
        text = f"{named} @ {'./' if relative else ''}{address}"
    _check_company(fields, sources)
    source: dict[str, object] = {}
    if "index" in fields:
        source = {"index": _word(fields["index"].text(), fields["index"].where)}
    elif "editable" in fields and fields["editable"].truth():
        text, source = named, {"path": fields["path"].text(), "editable": True}
    if "env-markers" in fields:
        text += f" ; {fields['env-markers'].text()}"
    return text, source


def _versioned(name: str, node: Value) -> str:
    version = node.text()
    if version == "*":
        return name
    if not re.match(r"[<>=!~]", version):
        raise node.error(
            f"`{node.name}` does not begin with a comparison",
            f'write `"=={version}"` or `">={version}"`, and `"*"` for any',
        )
    if any(character in version for character in ";@#[]\"'"):
        raise node.error(
            f"`{node.name}` is not a version", 'write `">=1.20,<2"`; extras and markers have their own keys'
        )
    return f"{name} {version}"


def _git(fields: dict[str, Value]) -> str:
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


def _check_company(fields: dict[str, Value], sources: Sequence[str]) -> None:
    """Refuse keys that describe a source that is not given."""
    for key in ("branch", "tag", "rev", "subdirectory", "editable"):
        source = "path" if key == "editable" else "git"
        if key in fields and sources != [source]:
            raise HeaderError(
                f"`{key}` is only valid with `{source}`",
                where=fields[key].key_where,
                hint=f"add `{source}`, or remove it",
            )
    if "index" in fields and sources not in ([], ["version"]):
        raise HeaderError(
            f"`index` and `{sources[0]}` contradict each other",
            where=(fields["index"].key_where, fields[sources[0]].key_where),
            hint="keep one of them",
        )


def _word(text: str, where: Location) -> str:
    if any(character.isspace() or character in "[]," for character in text):
        raise HeaderError(f"`{shown(text)}` contains a space, a bracket or a comma", where=where, hint="remove it")
    return text
