"""What the network settings mean to the embedded engine: a client and a gateway of py-rattler.

How each setting is applied:

- `proxy_servers`: rattler's proxies. If only one scheme has a proxy, the variables decide about the other.
- `ssl_verify`: false switches verification off; `truststore` takes the system's certificates; a path, or else
  `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE` (which conda honours), becomes `SSL_CERT_FILE` or `SSL_CERT_DIR` while the
  client is being made, and never reaches the script.
- tokens of conda (`/t/TOKEN/` in a URL, or kept by anaconda-client): the channel is fetched from that URL as if it
  were a mirror, so that packages are recorded with the clean one.
- passwords in URLs: a private credentials file for rattler, deleted as soon as the client is made, with priority over
  the user's own. rattler's own storage, its `RATTLER_AUTH_FILE` and `.netrc` files are used as well.
- `mirrored_channels`: rattler's mirrors. `remote_max_retries`, `repodata_use_zst`, `repodata_use_shards`: as they are.
- `client_ssl_cert`, a proxy for one host, a SOCKS proxy that the engine cannot speak: refused, with what to do instead.
- `remote_connect_timeout_secs`, `remote_read_timeout_secs`: `rattler.silence`, since the engine's one timeout would end
  a long download as well.
"""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from ..cache import home_directory
from ..configuration import proxies
from ..configuration.declared import Settings
from ..errors import SettingsError
from ..model import Channel
from . import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rattler.networking import Client
    from rattler.repo_data import Gateway

    #: A client for downloads, and a gateway for repodata, which may be offline.
    Connection = tuple[Client, Gateway]

#: What a client raises that makes no request.
OFFLINE = "no request is made now"


def connect(channels: Sequence[Channel], options: Options, *, fresh: bool = False) -> Connection:
    """A client and a gateway; a `fresh` one has no cache of repodata. Raises `SettingsError`."""
    made = client(options.settings, channels, options.environ)
    return made, _gateway(options, made, fresh=fresh)


def unconnected() -> Client:
    """A client that makes no request."""
    from rattler.networking import AddHeadersMiddleware, Client

    def refuse(host: str, path: str) -> dict[str, str]:
        raise RuntimeError(OFFLINE)

    return Client([AddHeadersMiddleware(refuse)])


def hosts(urls: Iterable[str]) -> list[str]:
    """The hosts that must answer; none for files."""
    return list(dict.fromkeys(host for url in urls if (host := urlsplit(url).netloc.rpartition("@")[2])))


def client(settings: Settings, channels: Sequence[Channel], environ: Mapping[str, str]) -> Client:
    """A client with the credentials and settings to download from these channels. Raises `SettingsError`."""
    from rattler import Config
    from rattler.exceptions import AuthenticationStorageError
    from rattler.networking import Client

    check(settings)
    secrets = {**_stored_tokens(settings, channels, environ), **{u: s for c in channels for u, s in c.secrets}}
    config = Config.from_toml(config_toml(settings, secrets, environ))
    with _surroundings(settings, secrets, environ):
        try:
            return Client.from_config(config, max_retries=settings.remote_max_retries)
        except AuthenticationStorageError as error:
            raise SettingsError(
                f"the stored credentials of rattler cannot be read: {error}",
                hint="fix or delete that file, or name another one with RATTLER_AUTH_FILE",
            ) from None


def _gateway(options: Options, client: Client, *, fresh: bool) -> Gateway:
    """A gateway to repodata; offline, it uses the cache whatever its age; `fresh`: without the cache."""
    import rattler

    settings = options.settings
    action: Any = "force-cache-only" if options.offline else "no-cache" if fresh else "cache-or-fetch"
    source = rattler.SourceConfig(
        zstd_enabled=settings.repodata_use_zst, sharded_enabled=settings.repodata_use_shards, cache_action=action
    )
    return rattler.Gateway(cache_dir=options.repodata, default_config=source, client=client)  # type: ignore[arg-type]


def check(settings: Settings) -> None:
    """Raise `SettingsError` for settings that the engine does not support."""
    hint = "set `backend: conda`, which can, or remove it"
    proxies.refuse_client_certificate(settings, "the embedded engine cannot present a client certificate", hint)
    for scheme, url in settings.proxy_servers:
        kind = url.partition("://")[0] if url is not None and "://" in url else "http"
        if scheme not in ("http", "https", "all"):
            problem = f"the embedded engine supports one proxy for `http` and one for `https`, none for `{scheme}`"
        elif kind not in ("http", "https"):
            problem = f"the embedded engine cannot use a `{kind}` proxy"
        else:
            continue
        raise SettingsError(problem, where=settings.origin("proxy_servers", scheme), hint=hint)


def config_toml(settings: Settings, secrets: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The settings as rattler's configuration. JSON's strings are TOML's, so every value is quoted as JSON."""
    lines = []
    if settings.ssl_verify is False:
        lines.append("tls-no-verify = true")
    elif settings.ssl_verify == "truststore":
        lines.append('tls-root-certs = "system"')
    mirrors = _mirrors(settings, secrets)
    if mirrors:
        lines += ["[mirrors]", *(f"{json.dumps(url)} = {json.dumps(urls)}" for url, urls in mirrors.items())]
    by_scheme = _proxies(settings, environ)
    if by_scheme:
        lines += ["[proxy-config]", *(f"{name} = {json.dumps(value)}" for name, value in by_scheme.items())]
    return "\n".join(lines) + "\n"


def _mirrors(settings: Settings, secrets: Mapping[str, str]) -> dict[str, list[str]]:
    """Channel URL, and the URLs to fetch it from: those of its mirrors, with their tokens, but without passwords."""
    mirrors = {urls[0]: list(urls) for _, urls in settings.mirrored_channels if urls}
    for url, secret in secrets.items():
        parts = urlsplit(secret)
        opened = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if opened != url:
            mirrors[url] = [opened if mirror == url else mirror for mirror in mirrors.get(url, [url])]
    return mirrors


def _proxies(settings: Settings, environ: Mapping[str, str]) -> dict[str, str | list[str]]:
    """rattler's proxies; empty if none is configured, so that rattler follows the variables by itself."""
    if not settings.proxy_servers:
        return {}
    by_scheme = {scheme: proxies.proxy(settings, environ, scheme)[0] for scheme in ("http", "https")}
    found: dict[str, str | list[str]] = {scheme: url for scheme, url in by_scheme.items() if url}
    exceptions = proxies.variable(environ, "no_proxy")
    if found and exceptions:
        found["non-proxy-hosts"] = [host.strip() for host in exceptions.split(",") if host.strip()]
    return found


# --- What only the making of a client reads --------------------------------------------------------------------------


@contextmanager
def _surroundings(settings: Settings, secrets: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[None]:
    """The variables and the file that rattler reads when it makes a client, for that moment only."""
    variables: dict[str, str | None] = dict(_certificates(settings, environ))
    if settings.proxy_servers and not _proxies(settings, environ):
        # `http: ~` means no proxy, whatever the environment says.
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            variables[name] = variables[name.upper()] = None
    home = home_directory(environ)
    if home is None or not os.access(home, os.X_OK):
        # rattler searches credentials there, and fails if it cannot read it.
        variables["HOME"] = os.sep
    with _private_file(_credentials(secrets, environ)) as named, environment({**variables, **named}):
        yield


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set these variables in this process, since rattler and its children read them only there; None: not set."""
    before = {name: os.environ.get(name) for name in variables}
    try:
        _set(variables)
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        elif os.environ.get(name) != value:
            os.environ[name] = value


def _certificates(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    path = proxies.certificates(settings, environ)
    if isinstance(path, bool) or path == "truststore":
        return {}
    return {"SSL_CERT_DIR" if os.path.isdir(path) else "SSL_CERT_FILE": os.path.abspath(path)}


def _credentials(secrets: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """rattler's credentials by host: those in URLs, then those of the user's `RATTLER_AUTH_FILE`."""
    ours = {}
    for secret in secrets.values():
        parts = urlsplit(secret)
        if parts.hostname and parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            ours[parts.hostname] = {"BasicHTTP": {"username": user, "password": password}}
    if not ours:
        return None
    theirs = environ.get("RATTLER_AUTH_FILE")
    return {**(_json_file(theirs) if theirs else {}), **ours}


def _json_file(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}  # rattler itself reports this, if it is the only file
    return found if isinstance(found, dict) else {}


@contextmanager
def _private_file(content: dict[str, Any] | None) -> Iterator[dict[str, str]]:
    """The variable that names a file with this content, if there is any."""
    if content is None:
        yield {}
        return
    import tempfile

    handle, path = tempfile.mkstemp(prefix="conda-execute-", suffix=".json")  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
        yield {"RATTLER_AUTH_FILE": path}
    finally:
        os.unlink(path)


# --- Tokens kept by anaconda-client ----------------------------------------------------------------------------------


def _stored_tokens(settings: Settings, channels: Sequence[Channel], environ: Mapping[str, str]) -> dict[str, str]:
    """For each channel URL that a stored token opens, the URL with the token in it."""
    tokens = _read_tokens(environ) if settings.add_anaconda_token else {}
    return {
        url: f"{start}/t/{token}{url[len(start) :]}"
        for channel in channels
        for url in channel.urls
        for start, token in tokens.items()
        if url == start or url.startswith(start + "/")
    }


def _read_tokens(environ: Mapping[str, str]) -> dict[str, str]:
    """Site, without a slash at its end, and token. anaconda-client writes one file for each site it is logged in to."""
    tokens = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(_token_directory(environ)), "*.token"))):
        site = unquote(os.path.basename(path).removesuffix(".token").replace("+", " ")).rstrip("/")
        try:
            with open(path, encoding="utf-8") as stream:
                token = stream.read().strip()
        except (OSError, UnicodeDecodeError):
            continue
        # The token of the site's interface (api.anaconda.org) opens its channels (conda.anaconda.org) too.
        scheme, _, rest = site.partition("://")
        tokens[site] = token
        if rest.startswith("api."):
            tokens[f"{scheme}://conda.{rest[4:]}"] = token
    return tokens


def _token_directory(environ: Mapping[str, str]) -> str:
    if environ.get("BINSTAR_CONFIG_DIR"):
        return os.path.join(environ["BINSTAR_CONFIG_DIR"], "data")
    home = environ.get("HOME") or os.path.expanduser("~")
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(base, "ContinuumIO", "binstar")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "binstar")
    xdg = environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(xdg if os.path.isabs(xdg) else os.path.join(home, ".config"), "binstar")
