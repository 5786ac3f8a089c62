"""Every setting, declared once: its name, type, default, and for ours what it means.

To add one, add its field to `Settings` and its line to `OURS` or `CONDAS`. The reader of condarc files (`settings`),
the description of our settings for conda (`plugin`) and the tests use these tables.
"""

from __future__ import annotations

import os

from ..errors import Location
from ..lean.span import timedelta
from ..lean.values import dataclass, field
from ..text import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEFAULT_CHANNELS = ("conda-forge",)
ADVISORIES_URL = "https://api.osv.dev"
CHANNEL_ALIAS = "https://conda.anaconda.org"
#: Engines: each has a module of its name in `engines`. The first is built in, and the default.
BACKENDS = ("rattler", "conda")
SANDBOXES = ("off", "urls", "always")
ATTESTATIONS = ("off", "warn", "require")


@dataclass(frozen=True)
class Sources:
    """What `load` read, in a form that can be compared by content later.

    `files`: path and content, in the order of reading; None if nothing is at that path. Of an absent folder, only the
    folder is listed. `directories`: every directory that was scanned, with the names that were read. `variables`: every
    environment variable that could matter; None if it was not set.
    """

    files: tuple[tuple[str, bytes | None], ...] = ()
    directories: tuple[tuple[str, tuple[str, ...]], ...] = ()
    variables: tuple[tuple[str, str | None], ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether comparing is enough to reuse the settings: no path depends on the working directory."""
        return all(os.path.isabs(path) for path, _ in (*self.files, *self.directories))


@dataclass(frozen=True)
class Settings:
    """Everything that is configured, defaults filled in. Mappings are tuples of pairs, in order."""

    # Our own.
    #: Where environments go, absolute; None: the default places.
    env_dir: str | None = None
    remove_if_unused_for: timedelta = timedelta(hours=25)
    foreign_use_ttl: timedelta = timedelta(days=30)
    #: The age at which an environment is renewed; None: never.
    renew_after: timedelta = timedelta(0)
    #: The engine; None: the embedded one if it works here.
    backend: str | None = None
    auto_clean: bool = True
    #: Directories of unpacked packages that others keep, absolute.
    package_caches: tuple[str, ...] = ()
    trusted_urls: tuple[str, ...] = ()
    run_link_scripts: bool = True
    #: Groups whose members may write to files that decide what runs: names, numbers or "everyone".
    trusted_groups: tuple[str, ...] = ()
    #: Which scripts run in a sandbox: none, those from URLs, or all.
    sandbox: str = "off"
    #: What to do about Sigstore attestations of packages: ignore them, warn about invalid ones, or require valid ones.
    attestations: str = "off"
    #: Whether scripts can use libraries that the user installed outside of environments.
    user_libraries: bool = False
    #: The service that is asked for advisories: OSV, or a mirror of it.
    advisories_url: str = ADVISORIES_URL
    #: Whether packages that are known to be malicious are refused.
    refuse_malicious: bool = False

    # conda's.
    #: In order of priority, as written.
    channels: tuple[str, ...] = DEFAULT_CHANNELS
    #: What `defaults` means; None: what conda has built in.
    default_channels: tuple[str, ...] | None = None
    channel_alias: str = CHANNEL_ALIAS
    #: Name and the location to which the name is appended; None: conda's built-in ones.
    custom_channels: tuple[tuple[str, str], ...] | None = None
    custom_multichannels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: Channel name, and the URLs that hold the same: the first is the channel's, the others mirror it. A key of
    #: mamba's; conda has none for this.
    mirrored_channels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    allowlist_channels: tuple[str, ...] = ()
    denylist_channels: tuple[str, ...] = ()
    override_channels_enabled: bool = True
    channel_priority: str = "flexible"
    #: A channel's name or a pattern of URLs, and its settings, such as `auth`.
    channel_settings: tuple[tuple[tuple[str, str | None], ...], ...] = ()
    #: Specs that limit every environment, whether a script asks for the package or not.
    pinned_packages: tuple[str, ...] = ()
    #: Specs of packages that are not to be installed.
    disallowed_packages: tuple[str, ...] = ()
    #: A virtual package, with or without its underscores, and its version; empty: there is none.
    override_virtual_packages: tuple[tuple[str, str | None], ...] = ()
    #: Package, and its own moment; None: it is exempt.
    exclude_newer_package: tuple[tuple[str, str | None], ...] = ()
    #: Channel, and its own moment; None: it is exempt. conda has them in `channel_settings`.
    exclude_newer_channel: tuple[tuple[str, str | None], ...] = ()
    #: Whether only the time counts at which the channel added a package, not the one that the package claims.
    require_indexed_timestamp: bool = False
    repodata_fns: tuple[str, ...] = ()
    track_features: tuple[str, ...] = ()
    subdirs: tuple[str, ...] = ()
    path_conflict: str = "clobber"
    safety_checks: str = "warn"
    extra_safety_checks: bool = False
    signing_metadata_url_base: str | None = None
    non_admin_enabled: bool = True
    #: A date, a date-time or a duration: packages published later do not count.
    exclude_newer: str | None = None
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
    envvars_force_uppercase: bool = True

    #: The root prefix whose condarc counted; None: there is no conda.
    root_prefix: str | None = field(default=None, compare=False)
    sources: Sources = field(default=Sources(), compare=False, repr=False)
    #: Where each setting comes from; one entry for each item of a list and each key of a mapping.
    origins: tuple[tuple[str, str | None, Location], ...] = field(default=(), compare=False, repr=False)

    def origin(self, setting: str, item: str | None = None) -> tuple[Location, ...]:
        """Where `setting` (spelt as in a condarc), or one item of its list, was set; the decisive place last."""
        return tuple(where for name, which, where in self.origins if name == setting and which == item)


#: No value of its own.
DEFAULT = object()

# --- How each is spelt and read ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """How one setting is spelled and read. `shape` is "one", "list", "map", "map of lists" or "list of maps"."""

    name: str
    convert: Callable[[str], Any]
    shape: str = "one"
    aliases: tuple[str, ...] = ()
    #: Whether environment variables in its value are replaced.
    expands: bool = False
    #: Whether it is the path of a directory: absolute, or in the home directory.
    is_path: bool = False
    #: What separates the items of a list in an environment variable.
    separator: str = ","
    #: What an empty value or null means; `DEFAULT`: the default again.
    empty: Any = DEFAULT
    #: Whether the values of a mapping may be null.
    nullable: bool = False
    #: For our own settings, found below `plugins:` and `conda-execute:`: the description for `conda config --describe`.
    description: str = ""
    #: For a span of time: its unit.
    unit: str = ""

    @property
    def ours(self) -> bool:
        return bool(self.description)

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that set it, the one with the highest priority last."""
        if self.ours:
            name = "CONDA_EXECUTE_" + self.field.upper()
            return ("CONDA_PLUGINS_" + name, name)
        return tuple("CONDA_" + name.upper() for name in (*reversed(self.aliases), self.name))


def _text_or_none(text: str) -> str | None:
    text = text.strip()
    return None if text.lower() == "none" or not text else text


def _moment(text: str) -> str | None:
    """A date, a date and time, or a duration, as written; to conda a bare number is one of seconds."""
    text = text.strip()
    return f"{text} seconds" if text.isdecimal() else text or None


def exempt_or_moment(text: str) -> str | None:
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


def _amount(kind: Callable[[str], float], what: str) -> Callable[[str], float]:
    """A finite number from zero up."""

    def convert(text: str) -> float:
        try:
            amount = kind(text)
        except ValueError:
            amount = -1
        if not 0 <= amount < float("inf"):
            raise ValueError(what)
        return amount

    return convert


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


def _flag(name: str, **further: Any) -> Setting:
    return Setting(name, _boolean, empty=False, **further)


def _span(name: str, unit: str, **further: Any) -> Setting:
    return Setting(name, _duration(unit), unit=unit, **further)


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


def _one_of(*words: str) -> Callable[[str], str]:
    """One of these words, in any case; what is false to YAML is `off`."""

    def convert(text: str) -> str:
        word = text.strip().lower()
        word = "off" if word in _FALSE else word
        if word not in words:
            raise ValueError(listed(words, "or"))
        return word

    return convert


def _alias(text: str) -> str:
    if "://" not in text:
        raise ValueError("a URL with its scheme, such as `https://conda.example`")
    return text


OURS = (
    Setting("env-dir", str, expands=True, is_path=True, description="Directory for the environments of scripts."),
    _span("remove-if-unused-for", "hours", description="Hours without use after which an environment is deleted."),
    _span("renew-after", "days", description="Days after which an environment is renewed; 0: never."),
    _span("foreign-use-ttl", "days", description="Days for which a use on another host counts as live."),
    Setting(
        "backend",
        _one_of(*BACKENDS),
        description=f"What solves and installs: {listed(BACKENDS, 'or')}; the first is built in, and the default.",
    ),
    _flag("auto-clean", description="Delete unused environments automatically."),
    Setting(
        "package-caches",
        str,
        "list",
        expands=True,
        is_path=True,
        description="Directories of unpacked packages, such as a site's, that are read before the user's own.",
    ),
    Setting("trusted-urls", str, "list", description="Patterns of URLs whose scripts run without a confirmation."),
    Setting(
        "trusted-groups",
        str,
        "list",
        description="Groups whose members you trust not to change what your scripts run.",
    ),
    _flag("run-link-scripts", description="Run the packages' own post-link scripts."),
    Setting("sandbox", _one_of(*SANDBOXES), description="Which scripts run in a sandbox: `off`, `urls` or `always`."),
    Setting(
        "attestations",
        _one_of(*ATTESTATIONS),
        description="What to do about packages without valid attestations: `off`, `warn` or `require`.",
    ),
    _flag("user-libraries", description="Let scripts use libraries that the user installed outside of environments."),
    _flag(
        "require-indexed-timestamp",
        description="For exclude_newer, use only the time when the channel added a package.",
    ),
    Setting("advisories-url", _alias, expands=True, description="URL of the service that is asked for advisories."),
    _flag("refuse-malicious", description="Refuse packages that are known to be malicious."),
)

CONDAS = (
    Setting("channels", str, "list", ("channel",), expands=True),
    Setting("default_channels", str, "list", expands=True),
    Setting("channel_alias", _alias, expands=True),
    Setting("custom_channels", str, "map", expands=True),
    Setting("custom_multichannels", str, "map of lists", expands=True),
    Setting("mirrored_channels", str, "map of lists", expands=True),
    Setting("allowlist_channels", str, "list", ("whitelist_channels",), expands=True),
    Setting("denylist_channels", str, "list", expands=True),
    _flag("override_channels_enabled"),
    Setting("channel_priority", _priority),
    Setting("channel_settings", str, "list of maps", nullable=True),
    Setting("pinned_packages", str, "list", separator="&"),
    Setting("disallowed_packages", str, "list", ("disallow",), separator="&"),
    Setting("override_virtual_packages", str, "map", ("virtual_packages",), nullable=True),
    Setting("exclude_newer", _moment, aliases=("cooldown",)),
    Setting("exclude_newer_package", exempt_or_moment, "map"),
    Setting("repodata_fns", str, "list"),
    Setting("track_features", str, "list"),
    Setting("subdirs", str, "list"),
    Setting("path_conflict", _one_of("clobber", "warn", "prevent")),
    Setting("safety_checks", _one_of("disabled", "warn", "enabled")),
    _flag("extra_safety_checks"),
    Setting("signing_metadata_url_base", _text_or_none),
    _flag("non_admin_enabled"),
    Setting("subdir", _text_or_none, empty=None),
    _flag("offline"),
    Setting("ssl_verify", _verify, aliases=("verify_ssl",), expands=True),
    Setting("client_ssl_cert", _text_or_none, aliases=("client_cert",), expands=True),
    Setting("client_ssl_cert_key", _text_or_none, aliases=("client_cert_key",), expands=True),
    Setting("proxy_servers", _text_or_none, "map", expands=True, nullable=True),
    Setting("remote_connect_timeout_secs", _amount(float, "a number of seconds")),
    Setting("remote_read_timeout_secs", _amount(float, "a number of seconds")),
    Setting("remote_max_retries", _amount(int, "a whole number")),
    _flag("add_anaconda_token", aliases=("add_binstar_token",)),
    _flag("repodata_use_zst"),
    _flag("repodata_use_shards"),
    _flag("envvars_force_uppercase"),
)
