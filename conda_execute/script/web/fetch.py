"""A script from the web: fetched as the network settings say, and given up early when it is not one.

What `fetch` promises:

- At most `LARGEST` bytes are taken in, packed or unpacked, whatever the server says or sends.
- No step takes for ever: connecting and every silence are limited by conda's `remote_connect_timeout_secs` and
  `remote_read_timeout_secs`, and so is a body that trickles (`SLOWEST`).
- Redirects are followed, a few of them, and never from `https` to `http`. User and password stay with their server.
- The whole file or nothing: a body that ends early is an error, and so is one that is not what the pin says.
- A page (HTML) or a picture is not a script, whatever status it came with.
- Proxies and certificates are those of the settings and the environment, as for packages. What this module cannot do
  (a client's certificate, a SOCKS proxy) is refused.

Nothing here decides whether a script is trusted, and nothing runs it. The last copy of each address is kept, for
`--offline` and for pins; a copy is believed only when its content still has its hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import contextmanager
from http.client import HTTPException

from ... import __version__
from ...cache import cache_dir, code_folder, home_directory
from ...errors import ExecuteError, NotFoundError, SettingsError
from ...lean.values import dataclass, field
from .address import Address, hint_for_page, is_this_machine, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from http.client import HTTPConnection, HTTPResponse

    from ...configuration.settings import Settings

#: Bytes. The largest script that anybody wrote by hand is far smaller; what is larger is data, or an attack.
LARGEST = 10 * 1024 * 1024

#: Bytes in a second, on average, once a body has taken longer than `remote_read_timeout_secs`.
SLOWEST = 10 * 1024

REDIRECTS = 10

#: Statuses of a server that may do better in a moment.
_PASSING = frozenset((429, 502, 503, 504))

#: Seconds before the first repetition; twice as long before each further one.
_PAUSE = 0.3

_PIECE = 64 * 1024


@dataclass(frozen=True)
class Fetched:
    """The content of a script, and how it was come by."""

    #: What was asked for.
    address: Address
    content: bytes = field(repr=False)
    #: Every address on the way, as it may be shown: the one that was asked first, the one that answered last.
    way: tuple[str, ...]
    #: From the name of the file: it may say what runs the script.
    suffix: str = ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def fetch(address: Address, settings: Settings, environ: Mapping[str, str], *, offline: bool = False) -> Fetched:
    """The script at this address; what is pinned and was fetched before needs no network.

    Raises ExecuteError, or NotFoundError where the server says that there is no such file.
    """
    cache = cache_dir(environ, home_directory())
    if offline or address.pin is not None:
        copy = _last_copy(address, cache)
        if copy is not None and address.pin in (None, copy.digest):
            return copy
    if offline:
        raise ExecuteError(
            f"there is no copy of `{address}` here, and nothing is fetched now",
            hint="run it once with the network",
            step="fetch",
        )
    fetched = _fetch(address, settings, environ)
    if address.pin not in (None, fetched.digest):
        raise ExecuteError(
            f"the script at `{address}` is not the one that was pinned",
            details=f"pinned  sha256 {address.pin}\nfetched sha256 {fetched.digest}",
            hint="it was changed, or the pin belongs to another file; look at it before you pin it anew",
            step="fetch",
        )
    _keep_copy(fetched, cache)
    return fetched


def _fetch(asked: Address, settings: Settings, environ: Mapping[str, str]) -> Fetched:
    address, way = asked, [asked]
    while True:
        answer = _answer(address, settings, environ)
        if answer.location is None:
            break
        address = address.follow(answer.location)
        if address.url in [passed.url for passed in way]:
            raise ExecuteError(f"`{asked}` leads round in circles", details=_told(way), step="fetch")
        if len(way) > REDIRECTS:
            raise ExecuteError(f"`{asked}` leads from one address to the next", details=_told(way), step="fetch")
        way.append(address)
    _check_kind(answer, asked, address)
    return Fetched(asked, answer.content, tuple(map(str, way)), asked.suffix or address.suffix)


def _told(way: list[Address]) -> str:
    return "\n".join(f"-> {address}" for address in way)


# What an answer may be --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Answer:
    """What a server said, understood: where to look instead, or the content."""

    location: str | None = None
    #: The media type, in lower case and without parameters.
    kind: str = ""
    content: bytes = field(default=b"", repr=False)


def _check_kind(answer: _Answer, asked: Address, address: Address) -> None:
    """That the content may be a script. Whether it is text the reader of headers will say."""
    family = answer.kind.partition("/")[0]
    shown = f"`{asked}`" if asked.url == address.url else f"`{asked}`, which leads to `{address}`,"
    start = answer.content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    page = answer.kind in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html"))
    if page:
        raise ExecuteError(f"{shown} is a page, not a script", hint=hint_for_page(address), step="fetch")
    if family in ("image", "audio", "video", "font") or answer.kind == "application/pdf":
        raise ExecuteError(f"{shown} is no script: its type is {answer.kind!a}", step="fetch")
    if not answer.content.strip():
        raise ExecuteError(f"{shown} is empty", step="fetch")


def _check_status(status: int, address: Address) -> None:
    if status == 200:
        return
    if status in (404, 410):
        raise NotFoundError(f"there is no script at `{address}` (status {status})", step="fetch")
    if status in (401, 403):
        raise ExecuteError(
            f"`{address.host}` does not let you have `{address}` (status {status})",
            hint="https://USER:PASSWORD@HOST/... is understood, and never shown or kept",
            step="fetch",
        )
    raise ExecuteError(f"`{address.host}` answered with status {status} for `{address}`", step="fetch")


# The conversation -------------------------------------------------------------------------------------------------


def _answer(address: Address, settings: Settings, environ: Mapping[str, str]) -> _Answer:
    """One address asked, again where the connection broke or the server was busy."""
    for attempt in range(settings.remote_max_retries + 1):
        last = attempt == settings.remote_max_retries
        try:
            return _ask(address, settings, environ, last=last)
        except _Again:
            time.sleep(_PAUSE * 2**attempt)
    raise AssertionError("the last attempt does not ask for another")


class _Again(Exception):
    """It went wrong in a way that may pass."""


def _ask(address: Address, settings: Settings, environ: Mapping[str, str], *, last: bool) -> _Answer:
    connection = _connection(address, settings, environ)
    try:
        connection.connect()
        connection.sock.settimeout(settings.remote_read_timeout_secs)
        connection.putrequest("GET", _target(address.url), skip_accept_encoding=True)
        for name, value in _headers(address).items():
            connection.putheader(name, value)
        connection.endheaders()
        with _deadline(connection, settings.remote_read_timeout_secs):
            response = connection.getresponse()
        if response.status in _PASSING and not last:
            raise _Again
        return _understood(response, address, settings)
    except (OSError, HTTPException) as error:
        if isinstance(error, ConnectionResetError) and not last:  # RemoteDisconnected is one
            raise _Again from None
        raise _failure(error, address, settings) from None
    finally:
        connection.close()


@contextmanager
def _deadline(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """End what is done within by TimeoutError after this time: a head that trickles never falls silent."""
    import socket
    import threading

    late = threading.Event()

    def hang_up() -> None:
        late.set()
        try:
            # Of the socket itself: the reader is in the midst of what TLS makes of it.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():  # the reader may also have taken the end for that of the head
        raise TimeoutError


def _headers(address: Address) -> dict[str, str]:
    headers = {
        "User-Agent": f"conda-execute/{__version__}",
        "Accept": "text/plain, */*;q=0.5",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if address.credentials is not None:
        import base64

        plain = ":".join(address.credentials).encode()
        headers["Authorization"] = "Basic " + base64.b64encode(plain).decode("ascii")
    return headers


def _target(url: str) -> str:
    """What a request line names: path and query."""
    return "/" + url.split("://", 1)[1].partition("/")[2]


def _understood(response: HTTPResponse, address: Address, settings: Settings) -> _Answer:
    if response.status in (301, 302, 303, 307, 308):
        location = response.getheader("Location")
        if location:
            return _Answer(location=location)
    _check_status(response.status, address)
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    body = _body(response, address, settings)
    return _Answer(kind=kind, content=_unpacked(body, response.getheader("Content-Encoding"), address))


def _body(response: HTTPResponse, address: Address, settings: Settings) -> bytes:
    """The body as it was sent. Stops reading as soon as it is too large, too slow, or at its end."""
    remaining = response.length
    if remaining is not None and remaining > LARGEST:
        raise _too_large(address)
    started, size, pieces = time.monotonic(), 0, []
    while remaining is None or remaining > 0:
        piece = response.read1(_PIECE if remaining is None else min(_PIECE, remaining))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise _too_large(address)
        if remaining is not None:
            remaining -= len(piece)
        seconds = time.monotonic() - started
        if seconds > settings.remote_read_timeout_secs and size / seconds < SLOWEST:
            raise ExecuteError(
                f"`{address.host}` sends `{address}` too slowly: {size} bytes in {seconds:.0f} seconds",
                hint="set `remote_read_timeout_secs` in condarc to wait longer",
                step="fetch",
            )
    if remaining:
        raise ExecuteError(
            f"`{address.host}` sent only {size} of {size + remaining} bytes of `{address}`",
            hint="try again",
            step="fetch",
        )
    return b"".join(pieces)


def _unpacked(body: bytes, encoding: str | None, address: Address) -> bytes:
    """The content of a body that was packed for the way although nobody asked for that."""
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise ExecuteError(f"`{address}` came packed in a way that nobody asked for: {name!a}", step="fetch")
    import zlib

    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as the data itself says
    try:
        content = unpacker.decompress(body, LARGEST + 1)
    except zlib.error:
        raise ExecuteError(f"`{address}` arrived damaged", hint="try again", step="fetch") from None
    if len(content) > LARGEST:
        raise _too_large(address)
    if unpacker.unused_data:
        raise ExecuteError(f"more follows behind the end of `{address}`", step="fetch")
    if not unpacker.eof:
        raise ExecuteError(f"`{address.host}` sent only a part of `{address}`", hint="try again", step="fetch")
    return content


def _too_large(address: Address) -> ExecuteError:
    return ExecuteError(f"`{address}` is larger than {LARGEST >> 20} MiB: that is no script", step="fetch")


def _failure(error: Exception, address: Address, settings: Settings) -> ExecuteError:
    """What broke a conversation, in words that hold nothing but host and reason."""
    import socket
    import ssl

    host = address.host
    if isinstance(error, ssl.SSLCertVerificationError):
        return ExecuteError(
            f"the certificate of `{host}` cannot be trusted: {error.verify_message}",
            hint="set `ssl_verify` in condarc to the file of the certificates that vouch for it",
            step="fetch",
        )
    if isinstance(error, ssl.SSLError):
        return ExecuteError(f"no secure connection to `{host}`: {error.reason or 'it broke off'}", step="fetch")
    if isinstance(error, TimeoutError):
        return ExecuteError(
            f"`{host}` took too long to answer",
            hint="the limits are `remote_connect_timeout_secs` and `remote_read_timeout_secs` in condarc, now"
            f" {settings.remote_connect_timeout_secs:g} and {settings.remote_read_timeout_secs:g}",
            step="fetch",
        )
    if isinstance(error, socket.gaierror):
        return ExecuteError(
            f"the host `{host}` is not known: {error.strerror}",
            hint="without a network, `--offline` runs the last copy that was fetched",
            step="fetch",
        )
    if isinstance(error, OSError):
        return ExecuteError(
            f"no connection to `{host}`: {printable(error.strerror or str(error))}",
            hint="without a network, `--offline` runs the last copy that was fetched",
            step="fetch",
        )
    return ExecuteError(f"`{host}` broke off, or does not speak HTTP ({type(error).__name__})", step="fetch")


# Proxies and certificates -----------------------------------------------------------------------------------------


def _connection(address: Address, settings: Settings, environ: Mapping[str, str]) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection
    from urllib.parse import urlsplit

    parts = urlsplit(address.url)
    host, patience = parts.hostname or "", settings.remote_connect_timeout_secs
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=patience)
    tls = _tls(settings, environ)
    proxy = _proxy(host, parts.port, settings, environ)
    if proxy is None:
        return HTTPSConnection(host, parts.port, timeout=patience, context=tls)
    connection = HTTPSConnection(proxy.host, proxy.port, timeout=patience, context=tls)
    connection.set_tunnel(host, parts.port, proxy.headers)
    return connection


@dataclass(frozen=True)
class _Proxy:
    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def _proxy(host: str, port: int | None, settings: Settings, environ: Mapping[str, str]) -> _Proxy | None:
    """The proxy for an `https` address: what the settings say for it, most particular first, else the environment."""
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    exceptions = {"no": environ.get("no_proxy") or environ.get("NO_PROXY") or ""}
    if is_this_machine(host) or proxy_bypass_environment(f"{host}:{port}" if port else host, exceptions):
        return None
    configured = dict(settings.proxy_servers)
    for name in (f"https://{host}", "https", f"all://{host}", "all"):
        if name in configured:
            return _parsed_proxy(configured[name], settings, name)
    inherited = (environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"))
    return _parsed_proxy(next(filter(None, inherited), None), settings, None)


def _parsed_proxy(url: str | None, settings: Settings, name: str | None) -> _Proxy | None:
    import base64
    from urllib.parse import unquote, urlsplit

    if not url:
        return None
    where = settings.origin("proxy_servers", name) if name else ()
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        raise SettingsError("the proxy for `https` is not a URL", where=where) from None
    if parts.scheme != "http" or not parts.hostname:
        raise SettingsError(
            f"scripts cannot be fetched through a `{parts.scheme}` proxy",
            where=where,
            hint="give one that is spoken to over `http://`, or fetch the script first and run the file",
        )
    headers = {}
    if parts.username is not None:
        plain = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(plain).decode("ascii")
    return _Proxy(parts.hostname, port or 8080, headers)


def _tls(settings: Settings, environ: Mapping[str, str]) -> ssl.SSLContext:
    import ssl

    for name in ("client_ssl_cert", "client_ssl_cert_key"):
        if getattr(settings, name) is not None:
            raise SettingsError(
                f"scripts cannot be fetched with a client certificate (`{name}`)",
                where=settings.origin(name),
                hint="fetch the script with another program and run the file",
            )
    verify = settings.ssl_verify
    if verify is True:
        verify = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
    if isinstance(verify, str) and verify != "truststore":
        return _with_certificates(verify, settings)
    made = ssl.create_default_context()
    if verify is False:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _with_certificates(path: str, settings: Settings) -> ssl.SSLContext:
    import ssl

    folder = os.path.isdir(path)
    try:
        return ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    except (OSError, ssl.SSLError) as error:
        reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(
            f"the certificates in `{path}` cannot be used: {reason}", where=settings.origin("ssl_verify")
        ) from None


# The last copy ----------------------------------------------------------------------------------------------------


def _copy_path(address: Address, cache: str) -> str:
    """Beside the code that runs, and cleaned with it when it has not been fetched or run for long."""
    digest = hashlib.sha256(address.url.encode()).hexdigest()[:20]
    return os.path.join(code_folder(cache, digest), "fetched")


def _keep_copy(fetched: Fetched, cache: str | None) -> None:
    from ...files import write_whole

    if cache is None:
        return
    about = {"way": fetched.way, "suffix": fetched.suffix, "sha256": fetched.digest}
    try:
        write_whole(_copy_path(fetched.address, cache), json.dumps(about).encode() + b"\n" + fetched.content)
    except OSError:
        pass  # a later `--offline` will say that there is none


def _last_copy(address: Address, cache: str | None) -> Fetched | None:
    if cache is None:
        return None
    try:
        with open(_copy_path(address, cache), "rb") as file:
            first, _, content = file.read().partition(b"\n")
        about = json.loads(first)
        copy = Fetched(address, content, tuple(map(str, about["way"])), str(about["suffix"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    sound = about.get("sha256") == copy.digest and re.fullmatch(r"(\.\w+)?", copy.suffix)
    return copy if sound else None
