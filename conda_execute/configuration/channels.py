"""From the name that people use for a channel to its canonical name and URLs.

A channel is written as a name (`conda-forge`, `conda-forge/label/dev`, `defaults`), as a URL, or as the path of a
directory. A name is looked up in `custom_multichannels` (to which `default_channels` adds `defaults`), then in
`custom_channels`, dropping its last parts one by one; otherwise it is below `channel_alias`. A URL below one of these
gets the name that leads to it. All this is conda's documented behaviour, with three deliberate differences, since the
name decides which scripts share an environment:

- A URL gets a configured name only if it is where that name leads, not if its path merely ends with it.
- A member of a multi channel that is asked for alone keeps its own name: `pkgs/main` is not all of `defaults`.
- A custom channel whose location is not a URL is an error; conda silently uses `channel_alias` instead.

Tokens (`/t/TOKEN/`) and passwords in URLs never reach a name or a URL that is shown or stored: they are handed to
`network` next to the channel, in a field that nothing prints.

Channels that a site denies, or does not allow, are refused here, before any network access.
"""

from __future__ import annotations

import os
import sys

from ..errors import SettingsError
from ..lean.values import dataclass, replace
from ..model import Channel
from ..ownership import is_foreign
from ..specs import platforms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..errors import Location
    from .declared import Settings

# What conda has built in.
_DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
_DEFAULTS_WINDOWS = (*_DEFAULTS, "https://repo.anaconda.com/pkgs/msys2")
#: Ports that need not be written.
_PORTS = {"http": "80", "https": "443"}

_CUSTOM = (("pkgs/pro", "https://repo.anaconda.com"),)


def resolve_channels(
    names: Sequence[str],
    settings: Settings,
    *,
    folder: str | None = None,
    where: Callable[[str], Location | None] = lambda name: None,
) -> tuple[Channel, ...]:
    """The channels that `names` mean, in order, without duplicates. Raises `SettingsError`.

    Relative paths start at `folder` (default: the working directory). `where` locates a name, for errors.
    """
    book = _Book(settings, folder)
    channels: dict[str, Channel] = {}
    for name in names:
        try:
            channel = book.channel(name)
            _check_allowed(name, channel, book)
        except SettingsError as error:
            place = where(name)
            if place is not None:
                error.add_places([place])
            raise
        channels.setdefault(channel.name, channel)
    return tuple(channels.values())


def split_spec(spec: str) -> tuple[str | None, str]:
    """The channel that a match spec asks for (`channel::name`), or None, and the rest of the spec.

    >>> split_spec("conda-forge::numpy >=1")
    ('conda-forge', 'numpy >=1')
    >>> split_spec("numpy")
    (None, 'numpy')
    """
    channel, colons, rest = spec.partition("::")
    # If a version or a bracket comes before the colons, they are not a channel's.
    if not colons or any(sign in channel for sign in " =<>!["):
        return None, spec
    return channel.strip(), rest.strip()


# --- Where a name leads ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """One channel URL in parts: `scheme://credentials@location/t/token/name`."""

    scheme: str
    #: Host, port and leading path; for `file`, a directory.
    location: str
    name: str
    #: `user:password`, percent-encoded as it was.
    credentials: str | None = None
    token: str | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://{_join(self.location, self.name)}"

    @property
    def secret_url(self) -> str:
        """The URL with its credentials."""
        token = f"t/{self.token}" if self.token else ""
        credentials = f"{self.credentials}@" if self.credentials else ""
        return f"{self.scheme}://{credentials}{_join(self.location, token, self.name)}"


def _join(*parts: str) -> str:
    first, *rest = parts
    return "/".join([first.rstrip("/"), *(part for part in rest if part)])


class _Book:
    """The configured names, worked out once."""

    def __init__(self, settings: Settings, folder: str | None = None) -> None:
        self.settings = settings
        self.folder = folder
        self.alias = _parse(settings.channel_alias)
        self.multi = self._multi()
        custom = settings.custom_channels if settings.custom_channels is not None else _CUSTOM
        self.custom = {place.name: place for places in self.multi.values() for place in places}
        for name, location in custom:
            self.custom[name.strip("/")] = self._custom(name, location)

    def _multi(self) -> dict[str, tuple[_Place, ...]]:
        settings = self.settings
        multi = dict(settings.custom_multichannels)
        if "defaults" not in multi:
            windows = (settings.subdir or sys.platform).startswith("win")
            built_in = _DEFAULTS_WINDOWS if windows else _DEFAULTS
            multi["defaults"] = settings.default_channels if settings.default_channels is not None else built_in
        return {name: tuple(self._member(member) for member in members) for name, members in multi.items()}

    def _member(self, text: str) -> _Place:
        """A member of a multi channel: a URL, or a name below the alias."""
        if "://" not in text:
            return replace(self.alias, name=text.strip("/"))
        place = _parse(text)
        if _below(place.location, self.alias.location):
            return replace(place, location=self.alias.location, name=_rest(place.location, self.alias.location))
        host, _, path = place.location.partition("/")
        return replace(place, location=host, name=path)

    def _custom(self, name: str, location: str) -> _Place:
        if "://" not in location:
            raise SettingsError(
                f"the location of the custom channel `{name}` must be a URL, found `{location}`",
                where=self.settings.origin("custom_channels", name),
                hint="write `file://` before the path of a directory",
            )
        return replace(_parse(location), name=name.strip("/"))

    def channel(self, text: str) -> Channel:
        text = text.strip()
        if not text or text in ("<unknown>", "None"):
            raise SettingsError(f"`{text}` is not a channel")
        _refuse_odd_bytes(text)
        if "://" not in text and not _is_path(text):
            name = _plain(text.strip("/ "), text)
            _refuse_subdir(text, name)
            if name in self.multi:
                return self._several(name, self.multi[name])
            if name == "local":
                return self._several(name, self._local())
            place = self._named(name)
        else:
            place = self._from_url(text if "://" in text else _path_to_url(text, self.folder))
        return self._several(self._canonical_name(place), (place,))

    def _named(self, name: str) -> _Place:
        start = name
        while start:
            if start in self.custom:
                return replace(self.custom[start], name=name)
            start = start.rpartition("/")[0]
        return replace(self.alias, name=name)

    def _from_url(self, text: str) -> _Place:
        """The place a URL means, split at the boundary between a configured location and a name."""
        place = _parse(text)
        _refuse_subdir(text, place.location)
        whole = place.location
        for known in sorted(self.custom.values(), key=lambda known: -len(known.name)):
            start = _join(known.location, known.name)
            if _below(whole, start):
                name = _join(known.name, _rest(whole, start)).strip("/")
                return self._with_secrets(place, known, name)
        if _below(whole, self.alias.location):
            return self._with_secrets(place, self.alias, _rest(whole, self.alias.location))
        return _split_unknown(place)

    def _with_secrets(self, place: _Place, known: _Place, name: str) -> _Place:
        """The place as asked for, opened by its own credentials or else by the configured ones."""
        return replace(
            place,
            location=known.location,
            name=name,
            credentials=place.credentials or known.credentials,
            token=place.token or known.token,
        )

    def _canonical_name(self, place: _Place) -> str:
        if not place.name:
            return place.url
        # Another scheme is another origin: what plain http brings is not what the name promises.
        origin = (place.scheme, place.location)
        if origin == (self.alias.scheme, self.alias.location):
            return place.name
        known = (custom for custom in self.custom.values() if (custom.scheme, custom.location) == origin)
        if any(_below(place.name, custom.name) for custom in known):
            return place.name
        return place.url

    def _several(self, name: str, places: Iterable[_Place]) -> Channel:
        mirrors = dict(self.settings.mirrored_channels).get(name)
        if mirrors:
            places = (_parse(mirrors[0]),)
        places = tuple(places)
        secrets = tuple((place.url, place.secret_url) for place in places if place.secret_url != place.url)
        return Channel(name, tuple(place.url for place in places), secrets)

    def _local(self) -> tuple[_Place, ...]:
        """The channels that conda-build writes into."""
        home = os.path.expanduser("~")
        homes = [self.settings.root_prefix, None if is_foreign(home, self.settings.trusted_groups) else home]
        paths = [os.path.join(home, "conda-bld") for home in homes if home]
        found = tuple(_split_unknown(_parse(_path_to_url(path, None))) for path in paths if os.path.isdir(path))
        if not found:
            raise SettingsError("`local` means the channel of conda-build, but there is none here")
        return found


# --- Text ------------------------------------------------------------------------------------------------------------


def _parse(url: str) -> _Place:
    """Parse a URL as a place with an empty name: everything after the host is the location."""
    scheme, _, rest = url.strip().partition("://")
    scheme, rest = scheme.lower(), rest.replace(" ", "%20")
    if "?" in rest or "#" in rest:
        raise SettingsError(f"a channel's URL cannot contain `?` or `#`: `{url}`")
    if scheme == "file":
        path = os.path.normpath("/" + rest.removeprefix("localhost").lstrip("/")) if "/." in rest else rest
        return _Place(scheme, "/" + _plain(path.removeprefix("localhost"), url), "")
    host, slash, path = rest.partition("/")
    credentials, _, host = host.rpartition("@")
    if not host:
        raise SettingsError(f"`{url}` is not a URL: it has no host")
    token, path = _split_token(path)
    path = _plain(path, url)
    return _Place(scheme, _origin(scheme, host) + (slash if path else "") + path, "", credentials or None, token)


def _origin(scheme: str, host: str) -> str:
    """One spelling of a host: without the dot at its end, and without the port that the scheme has anyway."""
    name, _, port = host.lower().rpartition(":")
    if not port.isdecimal():
        name, port = host.lower(), ""
    return name.rstrip(".") + ("" if port in ("", _PORTS.get(scheme)) else f":{port}")


def _plain(path: str, written: str) -> str:
    """One spelling of a path: servers take the others for the same, so that one would pass `denylist_channels`."""
    if "%" in path:
        path = _unescaped(path)
    parts = [part for part in path.split("/") if part]
    if "." in parts or ".." in parts:
        raise SettingsError(f"a channel must not have `.` or `..` in its path: `{written}`")
    return "/".join(parts)


def _unescaped(path: str) -> str:
    """With letters, digits and signs that need no percent sign as they are."""
    import re
    from urllib.parse import unquote

    def decoded(found: re.Match[str]) -> str:
        character = unquote(found[0])
        return character if re.fullmatch(r"[A-Za-z0-9._~-]", character) else found[0].upper()

    return re.sub("%[0-9A-Fa-f]{2}", decoded, path)


def _split_token(path: str) -> tuple[str | None, str]:
    """A conda token (`t/TOKEN`) anywhere in a path, and the path without it."""
    parts = path.split("/")
    for index, part in enumerate(parts[:-1]):
        if part == "t" and all(sign.isalnum() or sign in "-_" for sign in parts[index + 1]):
            return parts[index + 1] or None, "/".join(parts[:index] + parts[index + 2 :])
    return None, path


def _split_unknown(place: _Place) -> _Place:
    """Split a URL that no configured location matches: the name begins after the host, or is the last part of a
    path."""
    if place.scheme == "file":
        location, _, name = place.location.rpartition("/")
        return replace(place, location=location or "/", name=name)
    host, _, path = place.location.partition("/")
    # The path `/conda` belongs to the server in older repository software.
    if path.startswith("conda/"):
        host, path = f"{host}/conda", path.removeprefix("conda/")
    return replace(place, location=host, name=path)


def _below(path: str, start: str) -> bool:
    """Whether `path` is `start`, or continues after it with a slash."""
    start = start.rstrip("/")
    return path == start or path.startswith(start + "/")


def _rest(path: str, start: str) -> str:
    return path[len(start) :].strip("/")


def _is_path(text: str) -> bool:
    return text.startswith(("./", "..", "~", "/", "\\\\", ".\\")) or (text[1:2] == ":" and text[2:3] in ("/", "\\"))


def _path_to_url(path: str, folder: str | None) -> str:
    from urllib.parse import quote

    path = os.path.abspath(os.path.join(folder or "", os.path.expanduser(path))).replace("\\", "/")
    _refuse_odd_bytes(path)
    return "file://" + ("" if path.startswith("/") else "/") + quote(path, safe="/:!'()*-._~")


def _refuse_odd_bytes(text: str) -> None:
    """Refuse what no engine accepts, but an argument, a variable or a folder name may contain: invalid UTF-8 and
    control characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SettingsError(f"the channel `{text}` is not UTF-8", hint="rename it, or a folder above it") from None
    if not text.isprintable():
        raise SettingsError(f"the channel {text!r} contains a character that cannot be printed", hint="remove it")


def _refuse_subdir(text: str, path: str) -> None:
    last = path.rpartition("/")[2]
    if last in ("noarch", *platforms.KNOWN):
        raise SettingsError(f"`{text}` names one platform of a channel", hint=f"leave out `/{last}`")
    if last.endswith((".conda", ".tar.bz2", ".json", ".json.zst")):
        raise SettingsError(f"`{text}` is a file, not a channel", hint="name the channel that the file is in")


# --- What a site allows ----------------------------------------------------------------------------------------------


def _check_allowed(name: str, channel: Channel, book: _Book) -> None:
    settings = book.settings
    for denied in settings.denylist_channels:
        # Without the scheme: what is denied by https must not be available by http.
        locations = {url.partition("://")[2] for url in book.channel(denied).urls}
        if any(url.partition("://")[2] in locations for url in channel.urls):
            raise SettingsError(
                f"the channel `{name}` is denied by `denylist_channels`",
                where=settings.origin("denylist_channels", denied) or settings.origin("denylist_channels"),
                hint="use another channel, or ask the person who maintains that file",
            )
    if settings.allowlist_channels:
        allowed = {url for entry in settings.allowlist_channels for url in book.channel(entry).urls}
        if not all(url in allowed for url in channel.urls):
            known = ", ".join(f"`{entry}`" for entry in settings.allowlist_channels)
            raise SettingsError(
                f"the channel `{name}` is not among the `allowlist_channels`",
                where=settings.origin("allowlist_channels"),
                hint=f"allowed: {known}",
            )
