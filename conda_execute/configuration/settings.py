"""What the user, the site and environment variables have configured. Only this module reads configuration.

`load` reads the condarc files that conda documents, in the order it documents, merges them as it documents, and lets
environment variables override them. It does not need conda. What it promises:

- *Search order.* The files of `SEARCH_PATH`, first to last; a directory means its `*.yml` and `*.yaml` files by
  name. Later files take precedence over earlier ones, and `CONDA_<SETTING>` variables over files.
- *Merging.* A single value: the last one, unless an earlier one is marked `#!final`; null is the default again, or
  false. A list: all items, those of later files first, without duplicates; items marked `#!top` or `#!bottom` go there;
  nothing after a list marked `#!final` is used. A mapping: key by key. The marks are comments at the end of the line.
- *Our own settings* are below `plugins:` as `conda_execute_<setting>`, where a current conda validates them, or below
  `conda-execute:`, as the original had them; and in `CONDA_EXECUTE_<SETTING>`.
- *Errors* name file, line and column. A file that cannot be read correctly is an error, not a warning: it may contain a
  list of denied channels. Keys of conda that mean nothing here are ignored.
- *Sources.* What was read, byte for byte, and which files were absent, so that a later run can compare whether it would
  read the same.

The root prefix, whose condarc counts (`$CONDA_ROOT` in the search path), is `CONDA_ROOT`; else the prefix that this
Python runs in, if that is a conda installation; else the installation that `CONDA_EXE` belongs to, which every
activated shell has; else there is none. conda always takes the prefix it runs in: the same for a plugin.
"""

from __future__ import annotations

import os
import sys

from ..cache import cache_dir
from ..errors import Location, SettingsError
from ..lean.values import dataclass
from ..ownership import TRUST, is_home_of_another, others, planted
from ..text import nearest
from .condarc import MERGE, Files, Written, items, read
from .declared import CONDAS, DEFAULT, OURS, Setting, Settings, Sources, exempt_or_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

#: Where conda looks, first to last. A name after `$` is an environment variable; the whole entry is left out where it
#: is not set. `condarc.d` are directories.
SEARCH_PATH: tuple[str, ...] = (
    *(
        ("C:/ProgramData/conda/.condarc", "C:/ProgramData/conda/condarc", "C:/ProgramData/conda/condarc.d")
        if sys.platform == "win32"
        else (
            "/etc/conda/.condarc",
            "/etc/conda/condarc",
            "/etc/conda/condarc.d",
            "/var/lib/conda/.condarc",
            "/var/lib/conda/condarc",
            "/var/lib/conda/condarc.d",
        )
    ),
    *(
        f"{folder}/{name}"
        for folder in ("$CONDA_ROOT", "$XDG_CONFIG_HOME/conda", "~/.config/conda", "~/.conda")
        for name in (".condarc", "condarc", "condarc.d")
    ),
    "~/.condarc",
    "$CONDA_PREFIX/.condarc",
    "$CONDA_PREFIX/condarc",
    "$CONDA_PREFIX/condarc.d",
    "$CONDARC",
)


def load(
    environ: Mapping[str, str],
    *,
    home: str | None = None,
    prefix: str = sys.prefix,
    search_path: Sequence[str] = SEARCH_PATH,
) -> Settings:
    """Read the settings. Raises `SettingsError`.

    `home` is what `~` means (default: `HOME`, else what the system says); `prefix` the prefix this Python runs in. Root
    with the home directory of a user does not read the settings there. A file that other users can change is an error,
    unless the setting `trusted-groups` of the other files, or its variable, says otherwise.
    """
    environment = _Environment(environ)
    home = home or _home(environment)
    root = _root_prefix(environment, prefix)
    files, cache = Files(), cache_dir(environ)
    found: list[_Found] = []
    foreign = is_home_of_another(home)
    for template in search_path:
        if foreign and template.startswith(("~", "$XDG_CONFIG_HOME")):
            continue
        path = _candidate(template, environment, home, root)
        if path is not None:
            found += [_Found(file, data, template, path) for file, data in files.find(path)]
    variables = _from_variables(environment)
    doubtful = [file for file in found if file.changed_by() is not None]
    if doubtful:
        sure = [read(file.path, file.data, cache) for file in found if file not in doubtful]
        trusted = _settle([*sure, variables], environment, home)[0].get("trusted_groups", ())
        for file in doubtful:
            file.refuse(trusted)
    layers = [read(file.path, file.data, cache) for file in found]
    settings, origins = _settle([*layers, variables], environment, home)
    return Settings(
        **settings,
        root_prefix=root,
        sources=Sources(tuple(files.files.items()), tuple(files.directories.items()), environment.consulted()),
        origins=tuple(origins),
    )


def unread(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """What CONDARC names, where nothing is read from it: conda says nothing of it either."""
    environment = _Environment(environ)
    named = _candidate("$CONDARC", environment, _home(environment), None)
    there = {path for path, data in settings.sources.files if data is not None}
    return None if named is None or there & {named} or any(os.path.dirname(path) == named for path in there) else named


@dataclass(frozen=True)
class _Found:
    """A file that was found, its content, and the entry of the search path that it was found by."""

    path: str
    data: bytes
    template: str
    place: str

    def changed_by(self, trusted: Sequence[str] = ()) -> str | None:
        """Who else can change it. An installation and what CONDARC names are the user's choice, with those who can
        write to their directory. In a home, or in a directory in its place, nobody else may write."""
        if self.template.startswith("$CONDA"):
            is_folder = self.template == "$CONDARC" and os.path.isdir(self.place)
            return planted(self.path, self.place if is_folder else os.path.dirname(self.place) or os.curdir, trusted)
        return others(self.path, trusted, of_home=True)

    def refuse(self, trusted: Sequence[str]) -> None:
        why = self.changed_by(trusted)
        if why is None:
            return
        variable = "HOME" if self.template.startswith("~") else self.template.partition("/")[0].removeprefix("$")
        hint = f"set `{variable}` to a place of your own; {TRUST}" if variable else TRUST
        raise SettingsError(f"{why}, and it decides what your scripts run", where=Location(self.path), hint=hint)


# --- Where to look ---------------------------------------------------------------------------------------------------


_VARIABLE = r"\$(\w+)|\$\{([^}]*)\}"


class _Environment:
    """The environment variables, and which of them were consulted."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._consulted: dict[str, str | None] = {}

    def get(self, name: str) -> str | None:
        value = self._consulted[name] = self._environ.get(name)
        return value

    def consulted(self) -> tuple[tuple[str, str | None], ...]:
        return tuple(self._consulted.items())

    def expand(self, text: str) -> str:
        """Replace `$NAME` and `${NAME}` (and `%NAME%` on Windows) if the variable is set, and leave them if not."""
        if "$" not in text and "%" not in text:
            return text
        import re

        pattern = _VARIABLE + (r"|%([^%]+)%" if sys.platform == "win32" else "")

        def value(match: re.Match[str]) -> str:
            found = self.get(next(name for name in match.groups() if name is not None))
            return match.group() if found is None else found

        return re.sub(pattern, value, text, flags=re.ASCII)


def _home(environment: _Environment) -> str | None:
    home = environment.get("USERPROFILE" if sys.platform == "win32" else "HOME") or os.path.expanduser("~")
    return home if os.path.isabs(home) else None


def _root_prefix(environment: _Environment, prefix: str) -> str | None:
    asked = environment.get("CONDA_ROOT")
    if asked:
        return asked
    program = os.path.join(prefix, "Scripts", "conda.exe") if sys.platform == "win32" else f"{prefix}/bin/conda"
    if os.path.exists(program) and os.path.isdir(os.path.join(prefix, "conda-meta")):
        return prefix
    # PREFIX/bin/conda, PREFIX/condabin/conda or PREFIX\Scripts\conda.exe
    outer = os.path.dirname(os.path.dirname(environment.get("CONDA_EXE") or ""))
    if os.path.isabs(outer) and os.path.isdir(os.path.join(outer, "conda-meta")):
        return outer
    return None


def _candidate(template: str, environment: _Environment, home: str | None, root: str | None) -> str | None:
    """The path that an entry of the search path means, or None if its variable or the home directory is unknown."""
    first, slash, rest = template.partition("/")
    start: str | None = first
    if first == "~":
        start = home
    elif first == "$CONDA_ROOT":
        start = root
    elif first.startswith("$"):
        start = environment.get(first[1:])
    if start is None or (first and not start):
        return None
    if first == "$CONDARC" and start.startswith("~/") and home:
        start = home + start[1:]
    return os.path.normpath(start + slash + rest)


def _from_variables(environment: _Environment) -> dict[str, Written]:
    """The settings in environment variables, spelled as in a file."""
    layer: dict[str, Written] = {}
    ours: dict[str, Written] = {}
    for setting in (*CONDAS, *OURS):
        for name in setting.variables:
            text = environment.get(name)
            if text is None or (setting.ours and not text):
                continue
            where = Location(f"environment variable {name}")
            content: Any
            if setting.shape == "list":
                parts = (part.partition("!important")[0].strip() for part in text.split(setting.separator))
                content = tuple(Written(part, where) for part in parts if part)
            else:
                content = text.split("!important")[0].strip()
                if not content and setting.empty is DEFAULT:
                    continue
            (ours if setting.ours else layer)[setting.name] = Written(content, where, key=where)
    layer["conda-execute"] = Written(ours, Location("environment"))
    return layer


def _settle(
    layers: Sequence[dict[str, Written]], environment: _Environment, home: str | None
) -> tuple[dict[str, Any], list[tuple[str, str | None, Location]]]:
    """The fields of `Settings` that were configured, and where."""
    own = [_own(layer) for layer in layers]
    settled: dict[str, Any] = {}
    origins: list[tuple[str, str | None, Location]] = []
    for setting in (*CONDAS, *OURS):
        found = (
            [layer.get(setting.name) for layer in own] if setting.ours else [_said(setting, layer) for layer in layers]
        )
        single = setting.shape == "one"
        said = [value for value in found if value is not None and (single or value.content is not None)]
        if not said:
            continue
        for value in said:
            if value.content is not None:
                _check_shape(setting, value, _SHAPES[setting.shape])
        value = MERGE[setting.shape](said)
        if value.content is None and setting.empty is DEFAULT:
            continue  # the default again
        origins += _origins(setting, said)
        settled[setting.field] = _convert(setting, value, environment, home)
    cutoffs = _channel_cutoffs([layer["channel_settings"] for layer in layers if "channel_settings" in layer])
    if cutoffs:
        settled["exclude_newer_channel"] = tuple(cutoffs.items())
    if not settled.get("channels", True):
        del settled["channels"]
    return settled, origins


def _channel_cutoffs(said: Sequence[Written]) -> dict[str, str | None]:
    """`exclude_newer` of the entries of `channel_settings`, by channel; their other keys are for conda. Later entries
    take precedence."""
    found: dict[str, str | None] = {}
    for value in said:
        for entry in items(value) if isinstance(value.content, tuple) else ():
            inner = entry.content if isinstance(entry.content, dict) else {}
            if "exclude_newer" not in inner:
                continue
            when, channel = inner["exclude_newer"], inner.get("channel")
            if channel is None or not isinstance(channel.content, str) or not isinstance(when.content, str):
                raise SettingsError(
                    "`exclude_newer` of `channel_settings` needs one `channel` and one moment", where=when.where
                )
            found[channel.content] = exempt_or_moment(when.content)
    return found


def _said(setting: Setting, layer: dict[str, Written]) -> Written | None:
    """The value of one of conda's settings in one source, under any of its names."""
    found = [(name, layer[name]) for name in (setting.name, *setting.aliases) if name in layer]
    if len(found) > 1:
        raise SettingsError(
            f"`{found[0][0]}` and `{found[1][0]}` are the same setting",
            where=[value.key for _, value in found if value.key],
            hint=f"keep `{setting.name}`",
        )
    return found[0][1] if found else None


def _own(layer: dict[str, Written]) -> dict[str, Written]:
    """The values of our settings in one source, by name."""
    known = {setting.name: setting for setting in OURS}
    own: dict[str, Written] = {}
    for mapping, start in (("conda-execute", ""), ("plugins", "conda_execute_")):
        value = layer.get(mapping)
        if value is None or value.content is None:
            continue
        if not isinstance(value.content, dict):
            if mapping == "plugins":
                continue  # conda itself reports this
            raise SettingsError(f"`{mapping}` must be a mapping, found {value.kind}", where=value.where)
        for key, inner in value.content.items():
            if not key.startswith(start):
                continue
            name = key[len(start) :].replace("_", "-")
            if name not in known:
                spelt = [start + name.replace("-", "_") if start else name for name in known]
                raise SettingsError(
                    f"unknown setting `{key}`", where=inner.key or inner.where, hint=nearest(key, spelt)
                )
            if name in own:
                places = [place for place in (own[name].key, inner.key) if place]
                raise SettingsError(f"`{name}` is set twice", where=places, hint="keep one of the two")
            own[name] = inner
    return own


_TYPES: dict[type, str] = {str: "a single value", tuple: "a list", dict: "a mapping"}

#: What a value of each shape is, and what is in it.
_SHAPES: dict[str, tuple[type, ...]] = {
    "one": (str,),
    "list": (tuple, str),
    "map": (dict, str),
    "map of lists": (dict, tuple, str),
    "list of maps": (tuple, dict),
}


def _check_shape(setting: Setting, value: Written, shape: Sequence[type], of: str = "") -> None:
    """Check that a value has this shape, and so does everything in it."""
    expected, *inner = shape
    if not isinstance(value.content, expected):
        raise SettingsError(
            f"{of}`{setting.name}` must be {_TYPES[expected]}, found {value.kind}",
            where=value.where,
            hint="write one item per line, each after `- `" if expected is tuple else None,
        )
    if inner and isinstance(value.content, dict):
        for item in value.content.values():
            if item.content is not None or not setting.nullable:
                _check_shape(setting, item, inner, "a value of ")
    elif inner:
        for item in items(value):
            _check_shape(setting, item, inner, "an item of ")


def _origins(setting: Setting, said: Sequence[Written]) -> Iterator[tuple[str, str | None, Location]]:
    for value in said:
        yield setting.name, None, value.key or value.where
        parts: Iterable[tuple[Any, Written]] = ()
        if isinstance(value.content, tuple):
            parts = ((item.content, item) for item in value.content)
        elif isinstance(value.content, dict):
            parts = value.content.items()
        for name, item in parts:
            yield setting.name, name, item.key or item.where


def _convert(setting: Setting, value: Written, environment: _Environment, home: str | None) -> Any:
    def one(item: Written) -> Any:
        if item.content is None:
            return None if setting.empty is DEFAULT else setting.empty
        assert isinstance(item.content, str)
        text = environment.expand(item.content) if setting.expands else item.content
        if setting.is_path:
            return _absolute(setting.name, text, home, item.where)
        try:
            return setting.convert(text)
        except ValueError as error:
            raise SettingsError(f"`{setting.name}` must be {error}, found `{text}`", where=item.where) from None

    content = value.content
    if setting.shape == "list of maps":
        return tuple(
            tuple((key, inner.content) for key, inner in item.content.items())
            for item in items(value)
            if isinstance(item.content, dict)
        )
    if isinstance(content, tuple):
        return tuple(one(item) for item in content)
    if isinstance(content, dict):
        if setting.shape == "map of lists":
            return tuple((key, tuple(one(part) for part in items(item))) for key, item in content.items())
        return tuple((key, one(item)) for key, item in content.items())
    return one(value)


def _absolute(setting: str, path: str, home: str | None, where: Location) -> str:
    if path == "~" or path.startswith(("~/", "~\\")):
        if home is None:
            raise SettingsError(f"`{setting}` begins with `~`, but there is no home directory", where=where)
        path = home + path[1:]
    import re

    if unset := re.search(_VARIABLE, path, re.ASCII):
        # A directory with the variable's name in its path would be shared by all who lack the variable, such as cron
        # jobs and containers.
        raise SettingsError(
            f"`{setting}` holds `{unset.group()}`, which is not set",
            where=where,
            hint=f"set {unset.group().strip('${}')}, or write a variable that is set wherever scripts run",
        )
    if not os.path.isabs(path):
        raise SettingsError(
            f"`{setting}` must be an absolute path, found `{path}`",
            where=where,
            hint="begin it with `/`, `~/` or a variable such as `$HOME`",
        )
    return os.path.normpath(path)
