"""What the user, the site and the environment have configured: the only reader of configuration.

`load` reads the condarc files that conda documents, in the order it documents, merges them as it documents, and lets
environment variables have the last word. It asks no conda for anything. What it promises:

- *Search order.* The files of `SEARCH_PATH`, first to last; a directory stands for its `*.yml` and `*.yaml` files by
  name. The last file that says something has its way; then come `CONDA_<SETTING>` variables.
- *Merging.* A single value: the last one, unless an earlier one is marked `#!final`; null is the default again, or
  false. A list: all of them, those of later files in front, without duplicates; items marked `#!top` or `#!bottom` go
  there; nothing after a list marked `#!final` counts. A mapping: key by key. The marks are comments at the end of the
  line.
- *Our own settings* stand below `plugins:` as `conda_execute_<setting>`, where a current conda validates them, or below
  `conda-execute:`, as the original had them; and in `CONDA_EXECUTE_<SETTING>`.
- *Errors* name file, line and column. A file that cannot be read as it was meant is an error, not a warning: a list of
  denied channels may be in it. Keys that belong to conda and mean nothing here are left alone.
- *Sources.* What was read, byte for byte, and what was looked for and absent, so that a later run can tell by content
  whether it would read the same.

The root prefix, whose condarc counts (`$CONDA_ROOT` in the search path), is `CONDA_ROOT`; else the prefix that this
Python runs in, if that is a conda installation; else the installation that `CONDA_EXE` belongs to, which every
activated shell has; else there is none. conda always takes the prefix it runs in: the same for a plugin.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

from ..credentials import hide
from ..errors import Location, SettingsError
from ..lean.values import dataclass, field
from ..ownership import is_home_of_another
from .condarc import MERGE, Files, Value, items, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

DEFAULT_CHANNELS = ("conda-forge",)
CHANNEL_ALIAS = "https://conda.anaconda.org"
BACKENDS = ("rattler", "conda")
ADVISORIES_URL = "https://api.osv.dev"
ATTESTATIONS = ("off", "warn", "require")
SANDBOXES = ("off", "urls", "always")


@dataclass(frozen=True)
class Sources:
    """What `load` looked at, in a form that can be compared by content later.

    `files`: path and content, in the order of reading; None where there is nothing at that path. Of a folder that is
    absent only the folder is listed. `directories`: every directory that was scanned, with the names that counted.
    `variables`: every environment variable that could have had a say; None where it was not set.
    """

    files: tuple[tuple[str, bytes | None], ...] = ()
    directories: tuple[tuple[str, tuple[str, ...]], ...] = ()
    variables: tuple[tuple[str, str | None], ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether comparing is enough: no path depends on the working directory."""
        return all(os.path.isabs(path) for path, _ in (*self.files, *self.directories))


@dataclass(frozen=True)
class Settings:
    """Everything that is configured, defaults filled in. Mappings are tuples of pairs, in order."""

    # Our own.
    #: Where environments go, absolute; None: the default places.
    env_dir: str | None = None
    remove_if_unused_for: timedelta = timedelta(hours=25)
    foreign_use_ttl: timedelta = timedelta(days=30)
    #: The engine; None: the embedded one if it works here.
    backend: str | None = None
    auto_clean: bool = True
    trusted_urls: tuple[str, ...] = ()
    #: Groups whose members may write where others could change what runs: names, numbers or "everyone".
    trusted_groups: tuple[str, ...] = ()
    run_link_scripts: bool = True
    #: Whose scripts run in a sandbox: nobody's, those from URLs, or all.
    sandbox: str = "off"
    #: What is asked of packages' Sigstore attestations: nothing, a warning where they do not verify, or that they do.
    attestations: str = "off"
    #: Where advisories are asked for: OSV, or a mirror of it.
    advisories_url: str = ADVISORIES_URL
    #: Whether an environment with a package that is known to be malicious is not made.
    refuse_malicious: bool = False
    #: Whether scripts see what the user installed for other interpreters of the same kind.
    user_libraries: bool = False

    # conda's.
    #: In order of priority, as written.
    channels: tuple[str, ...] = DEFAULT_CHANNELS
    #: What `defaults` means; None: what conda has built in.
    default_channels: tuple[str, ...] | None = None
    envvars_force_uppercase: bool = True
    channel_alias: str = CHANNEL_ALIAS
    migrated_channel_aliases: tuple[str, ...] = ()
    #: Name, and the location that the name is appended to; None: what conda has built in.
    custom_channels: tuple[tuple[str, str], ...] | None = None
    migrated_custom_channels: tuple[tuple[str, str], ...] = ()
    custom_multichannels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: Channel name, and the URLs that hold the same: the first is the channel's, the others stand in for it. A key of
    #: mamba's; conda has none for this.
    mirrored_channels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    allowlist_channels: tuple[str, ...] = ()
    denylist_channels: tuple[str, ...] = ()
    override_channels_enabled: bool = True
    channel_priority: str = "flexible"
    #: A date, a date-time or a duration: packages published later do not count.
    exclude_newer: str | None = None
    #: Package, and its own moment; None: it is exempt.
    exclude_newer_package: tuple[tuple[str, str | None], ...] = ()
    #: Channel, and its own moment; None: it is exempt. conda has them in `channel_settings`.
    exclude_newer_channel: tuple[tuple[str, str | None], ...] = ()
    #: Only the time at which the channel took a package in counts, not when somebody says that it was built.
    require_indexed_timestamp: bool = False
    #: The platform to install for; None: this machine's.
    subdir: str | None = None
    offline: bool = False
    #: A path names certificates; "truststore" the operating system's.
    ssl_verify: bool | str = True
    client_ssl_cert: str | None = None
    client_ssl_cert_key: str | None = None
    #: Scheme, or scheme and host, and the proxy's URL; None: no proxy for it.
    proxy_servers: tuple[tuple[str, str | None], ...] = ()
    #: Seconds.
    remote_connect_timeout_secs: float = 9.15
    #: Seconds.
    remote_read_timeout_secs: float = 60.0
    remote_max_retries: int = 3
    add_anaconda_token: bool = True
    repodata_use_zst: bool = True
    repodata_use_shards: bool = True

    #: The root prefix whose condarc counted; None: there is no conda.
    root_prefix: str | None = field(default=None, compare=False)
    sources: Sources = field(default=Sources(), compare=False, repr=False)
    #: Which setting was said where; for the items of a list and the keys of a mapping, one entry each.
    origins: tuple[tuple[str, str | None, Location], ...] = field(default=(), compare=False, repr=False)

    def origin(self, setting: str, item: str | None = None) -> tuple[Location, ...]:
        """Where `setting` (spelt as in a condarc), or one item of its list, was said; the decisive place last."""
        return tuple(where for name, which, where in self.origins if name == setting and which == item)


def load(
    environ: Mapping[str, str],
    *,
    home: str | None = None,
    prefix: str = sys.prefix,
    search_path: Sequence[str] = SEARCH_PATH,
) -> Settings:
    """Read the settings. Raises `SettingsError`.

    `home` is what `~` means (default: `HOME`, else what the system says); `prefix` the prefix this Python runs in. Root
    with the home of a user does not read the settings there.
    """
    environment = _Environment(environ)
    home = home or _home(environment)
    root = _root_prefix(environment, prefix)
    files = Files()
    layers: list[dict[str, Value]] = []
    foreign = is_home_of_another(home)
    for template in search_path:
        if foreign and template.startswith(("~", "$XDG_CONFIG_HOME")):
            continue
        path = _candidate(template, environment, home, root)
        if path is not None:
            layers.extend(read(path, data) for path, data in files.find(path))
    layers.append(_from_variables(environment))
    settings, origins = _settle(layers, environment, home)
    return Settings(
        **settings,
        root_prefix=root,
        sources=Sources(tuple(files.files.items()), tuple(files.directories.items()), environment.consulted()),
        origins=tuple(origins),
    )


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
        """`$NAME` and `${NAME}` (and `%NAME%` on Windows) replaced where the variable is set, and left where not."""
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
    """The path that an entry of the search path means, or None where it means none."""
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


# --- The settings and their types ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Setting:
    """How one setting is spelt and read. `shape` is "one", "list", "map" or "map of lists"."""

    name: str
    convert: Callable[[str], Any]
    shape: str = "one"
    aliases: tuple[str, ...] = ()
    #: Whether environment variables in its value are replaced.
    expands: bool = False
    #: One of ours: found below `plugins:` and `conda-execute:`.
    ours: bool = False

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that set it, the one that counts most last."""
        if self.ours:
            name = "CONDA_EXECUTE_" + self.field.upper()
            return ("CONDA_PLUGINS_" + name, name)
        return tuple("CONDA_" + name.upper() for name in (*reversed(self.aliases), self.name))


def _text(text: str) -> str:
    return text


def _text_or_none(text: str) -> str | None:
    text = text.strip()
    return None if text.lower() == "none" or not text else text


def _text_if_any(text: str) -> str | None:
    return text or None


def _moment(text: str) -> str | None:
    """A date, a date and time, or a duration, as written; to conda a bare number is one of seconds."""
    text = text.strip()
    return f"{text} seconds" if text.isdecimal() else text or None


def _exempt_or_moment(text: str) -> str | None:
    """None: every version counts, however new."""
    return None if text.strip().lower() in ("false", "no", "off") else _moment(text)


_TRUE = ("true", "yes", "on", "y")
_FALSE = ("false", "no", "off", "n", "non", "none", "")


def _boolean(text: str) -> bool:
    """true, yes, on, y, or a number other than 0; false, no, off, n, or 0."""
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    try:
        return float(word) != 0
    except ValueError:
        raise ValueError("`true` or `false`") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError("a number of seconds")
    return number


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise ValueError("a whole number")
    return count


def _duration(unit: str) -> Callable[[str], timedelta]:
    def convert(text: str) -> timedelta:
        try:
            number = float(text)
            if number >= 0:
                return timedelta(**{unit: number})
        except (ValueError, OverflowError):
            pass
        raise ValueError(f"a number of {unit}, such as `25` or `0.5`")

    return convert


def _priority(text: str) -> str:
    word = text.strip().lower()
    if word in ("strict", "flexible", "disabled"):
        return word
    if word in ("true", "yes", "on"):
        return "flexible"
    if word in ("false", "no", "off"):
        return "disabled"
    raise ValueError("`strict`, `flexible` or `disabled`")


def _verify(text: str) -> bool | str:
    try:
        return _boolean(text)
    except ValueError:
        pass
    if text != "truststore" and not os.path.exists(text):
        raise ValueError("`true`, `false`, `truststore` or the path of a file or directory of certificates")
    return text


def _backend(text: str) -> str:
    if text not in BACKENDS:
        raise ValueError(" or ".join(f"`{name}`" for name in BACKENDS))
    return text


def _sandbox(text: str) -> str:
    return _one_of(SANDBOXES, text)


def _attestations(text: str) -> str:
    return _one_of(ATTESTATIONS, text)


def _one_of(words: tuple[str, ...], text: str) -> str:
    """One of these words; what is false to YAML is `off`."""
    word = "off" if text.strip().lower() in _FALSE else text
    if word not in words:
        raise ValueError(" or ".join(f"`{name}`" for name in words))
    return word


def _alias(text: str) -> str:
    if "://" not in text:
        raise ValueError("a URL with its scheme, such as `https://conda.example`")
    return text


OURS = (
    _Setting("env-dir", _text, expands=True, ours=True),
    _Setting("remove-if-unused-for", _duration("hours"), ours=True),
    _Setting("foreign-use-ttl", _duration("days"), ours=True),
    _Setting("backend", _backend, ours=True),
    _Setting("auto-clean", _boolean, ours=True),
    _Setting("trusted-urls", _text, "list", ours=True),
    _Setting("trusted-groups", _text, "list", ours=True),
    _Setting("run-link-scripts", _boolean, ours=True),
    _Setting("sandbox", _sandbox, ours=True),
    _Setting("require-indexed-timestamp", _boolean, ours=True),
    _Setting("attestations", _attestations, ours=True),
    _Setting("advisories-url", _alias, expands=True, ours=True),
    _Setting("refuse-malicious", _boolean, ours=True),
    _Setting("user-libraries", _boolean, ours=True),
)

CONDAS = (
    _Setting("channels", _text, "list", ("channel",), expands=True),
    _Setting("default_channels", _text, "list", expands=True),
    _Setting("channel_alias", _alias, expands=True),
    _Setting("migrated_channel_aliases", _text, "list"),
    _Setting("custom_channels", _text, "map", expands=True),
    _Setting("migrated_custom_channels", _text, "map", expands=True),
    _Setting("custom_multichannels", _text, "map of lists", expands=True),
    _Setting("mirrored_channels", _text, "map of lists", expands=True),
    _Setting("allowlist_channels", _text, "list", ("whitelist_channels",), expands=True),
    _Setting("denylist_channels", _text, "list", expands=True),
    _Setting("override_channels_enabled", _boolean),
    _Setting("channel_priority", _priority),
    _Setting("exclude_newer", _moment, aliases=("cooldown",)),
    _Setting("exclude_newer_package", _exempt_or_moment, "map"),
    _Setting("subdir", _text_if_any),
    _Setting("envvars_force_uppercase", _boolean),
    _Setting("offline", _boolean),
    _Setting("ssl_verify", _verify, aliases=("verify_ssl",), expands=True),
    _Setting("client_ssl_cert", _text_or_none, aliases=("client_cert",), expands=True),
    _Setting("client_ssl_cert_key", _text_or_none, aliases=("client_cert_key",), expands=True),
    _Setting("proxy_servers", _text_or_none, "map", expands=True),
    _Setting("remote_connect_timeout_secs", _number),
    _Setting("remote_read_timeout_secs", _number),
    _Setting("remote_max_retries", _count),
    _Setting("add_anaconda_token", _boolean, aliases=("add_binstar_token",)),
    _Setting("repodata_use_zst", _boolean),
    _Setting("repodata_use_shards", _boolean),
)


def _from_variables(environment: _Environment) -> dict[str, Value]:
    """What the environment says, spelt as a file would."""
    layer: dict[str, Value] = {}
    ours: dict[str, Value] = {}
    for setting in (*CONDAS, *OURS):
        for name in setting.variables:
            text = environment.get(name)
            if text is None or (setting.ours and not text):
                continue
            where = Location(f"environment variable {name}")
            content: Any
            if setting.shape == "list":
                parts = (part.partition("!important")[0].strip() for part in text.split(","))
                content = tuple(Value(part, where) for part in parts if part)
            else:
                content = text.split("!important")[0].strip()
                if not content and setting.convert is not _boolean:
                    continue
            (ours if setting.ours else layer)[setting.name] = Value(content, where, key=where)
    layer["conda-execute"] = Value(ours, Location("environment"))
    return layer


def _settle(
    layers: Sequence[dict[str, Value]], environment: _Environment, home: str | None
) -> tuple[dict[str, Any], list[tuple[str, str | None, Location]]]:
    """The fields of `Settings` that somebody said something about, and who did."""
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
            _check_shape(setting, value)
        value = MERGE[setting.shape](said)
        if value.content is None and setting.convert is not _boolean:
            continue  # the default again
        origins += _origins(setting, said)
        settled[setting.field] = _convert(setting, value, environment)
    cutoffs = _channel_cutoffs([layer["channel_settings"] for layer in layers if "channel_settings" in layer])
    if cutoffs:
        settled["exclude_newer_channel"] = tuple(cutoffs.items())
    if not settled.get("channels", True):
        del settled["channels"]
    if "env_dir" in settled:
        settled["env_dir"] = _absolute(settled["env_dir"], home, next(w for n, _, w in origins if n == "env-dir"))
    return settled, origins


def _channel_cutoffs(said: Sequence[Value]) -> dict[str, str | None]:
    """`exclude_newer` of the entries of `channel_settings`, by channel; the rest of it is conda's own. What comes later
    has the last word."""
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
            found[channel.content] = _exempt_or_moment(when.content)
    return found


def _said(setting: _Setting, layer: dict[str, Value]) -> Value | None:
    """What one source says about one of conda's settings, under whichever name."""
    found = [(name, layer[name]) for name in (setting.name, *setting.aliases) if name in layer]
    if len(found) > 1:
        raise SettingsError(
            f"`{found[0][0]}` and `{found[1][0]}` are the same setting",
            where=[value.key for _, value in found if value.key],
            hint=f"keep `{setting.name}`",
        )
    return found[0][1] if found else None


def _own(layer: dict[str, Value]) -> dict[str, Value]:
    """What one source says about our settings, by their names."""
    known = {setting.name: setting for setting in OURS}
    own: dict[str, Value] = {}
    for mapping, start in (("conda-execute", ""), ("plugins", "conda_execute_")):
        value = layer.get(mapping)
        if value is None or value.content is None:
            continue
        if not isinstance(value.content, dict):
            if mapping == "plugins":
                continue  # conda's own complaint to make
            raise SettingsError(f"`{mapping}` must be a mapping, found {value.kind}", where=value.where)
        for key, inner in value.content.items():
            if not key.startswith(start):
                continue
            name = key[len(start) :].replace("_", "-")
            if name not in known:
                raise _unknown(key, start, inner, known)
            if name in own:
                places = [place for place in (own[name].key, inner.key) if place]
                raise SettingsError(f"`{name}` is set twice", where=places, hint="keep one of the two")
            own[name] = inner
    return own


def _unknown(key: str, start: str, value: Value, known: Iterable[str]) -> SettingsError:
    import difflib

    spelt = [start + name.replace("-", "_") if start else name for name in known]
    near = difflib.get_close_matches(key.replace("_", "-") if not start else key, spelt, 1, 0.5)
    hint = f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(f"`{name}`" for name in spelt)
    return SettingsError(f"unknown setting `{key}`", where=value.key or value.where, hint=hint)


def _check_shape(setting: _Setting, value: Value) -> None:
    """That a value is one text, a list of them, a mapping to them or a mapping to lists of them, as it should be."""
    if setting.shape == "one":
        if value.content is not None:
            _require(setting, value, str)
    elif setting.shape == "list":
        _require(setting, value, tuple)
        for item in items(value):
            _require(setting, item, str, "an item of ")
    else:
        _require(setting, value, dict)
        assert isinstance(value.content, dict)
        for item in value.content.values():
            if setting.shape == "map of lists":
                _require(setting, item, tuple, "a value of ")
                for part in items(item):
                    _require(setting, part, str, "an item of ")
            elif setting.convert is not _text_or_none or item.content is not None:
                _require(setting, item, str, "a value of ")


_TYPES: dict[type, str] = {str: "a single value", tuple: "a list", dict: "a mapping"}


def _require(setting: _Setting, value: Value, expected: type, of: str = "") -> None:
    if not isinstance(value.content, expected):
        raise SettingsError(
            f"{of}`{setting.name}` must be {_TYPES[expected]}, found {value.kind}",
            where=value.where,
            hint="write one item per line, each after `- `" if expected is tuple else None,
        )


def _origins(setting: _Setting, said: Sequence[Value]) -> Iterator[tuple[str, str | None, Location]]:
    for value in said:
        yield setting.name, None, value.key or value.where
        parts: Iterable[tuple[Any, Value]] = ()
        if isinstance(value.content, tuple):
            parts = ((item.content, item) for item in value.content)
        elif isinstance(value.content, dict):
            parts = value.content.items()
        for name, item in parts:
            yield setting.name, name, item.key or item.where


def _convert(setting: _Setting, value: Value, environment: _Environment) -> Any:
    def one(item: Value) -> Any:
        if item.content is None:
            return False if setting.convert is _boolean else None
        assert isinstance(item.content, str)
        text = environment.expand(item.content) if setting.expands else item.content
        try:
            return setting.convert(text)
        except ValueError as error:
            raise SettingsError(f"`{setting.name}` must be {error}, found `{hide(text)}`", where=item.where) from None

    content = value.content
    if isinstance(content, tuple):
        return tuple(one(item) for item in content)
    if isinstance(content, dict):
        if setting.shape == "map of lists":
            return tuple((key, tuple(one(part) for part in items(item))) for key, item in content.items())
        return tuple((key, one(item)) for key, item in content.items())
    return one(value)


def _absolute(path: str, home: str | None, where: Location) -> str:
    if path == "~" or path.startswith(("~/", "~\\")):
        if home is None:
            raise SettingsError("`env-dir` begins with `~`, and there is no home directory", where=where)
        path = home + path[1:]
    import re

    if unset := re.search(_VARIABLE, path, re.ASCII):
        # A directory of that very name would be everybody's who lacks the variable: a job of cron, a container.
        raise SettingsError(
            f"`env-dir` holds `{unset.group()}`, which is not set here",
            where=where,
            hint=f"set {unset.group().strip('${}')}, or write a variable that is set wherever scripts run",
        )
    if not os.path.isabs(path):
        raise SettingsError(
            f"`env-dir` must be an absolute path, found `{path}`",
            where=where,
            hint="begin it with `/`, `~/` or a variable such as `$HOME`",
        )
    return os.path.normpath(path)
