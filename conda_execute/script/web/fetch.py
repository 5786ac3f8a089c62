"""A script from the web: fetched as the network settings say, and abandoned early if it is not a script.

What `fetch` promises:

- At most `LARGEST` bytes are taken in, packed or unpacked, whatever the server says or sends.
- Every step ends: connecting and every silence are limited by conda's `remote_connect_timeout_secs` and
  `remote_read_timeout_secs`, and so is a body that trickles (`SLOWEST`).
- Redirects are followed, a few of them, and never from `https` to `http`. User and password stay with their server.
- The whole file or nothing: a body that ends early is an error, and so is one that does not match the pin.
- A page (HTML) or a picture is not a script, whatever status it came with.
- Proxies and certificates are those of the settings and the environment, as for packages. What this module cannot do
  (a client's certificate, a SOCKS proxy) is refused.

The conversation itself is urllib3's: connections, proxies, TLS, repetitions.

Nothing here decides whether a script is trusted, and nothing runs it. The last copy of each address is kept, for
`--offline` and for pins; a copy is used only if its content still has its hash.
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
from ...cache import code_folder, fitting_cache
from ...configuration import proxies
from ...errors import ExecuteError, NotFoundError, SettingsError
from ...lean.values import dataclass, field
from ...text import printable
from .address import Address, hint_for_page, is_this_machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator, Mapping
    from typing import Any

    from urllib3 import BaseHTTPResponse, HTTPResponse, PoolManager, Retry
    from urllib3.exceptions import HTTPError

    from ...configuration.declared import Settings

#: Bytes. Scripts written by hand are far smaller; a larger file is data, or an attack.
LARGEST = 10 * 1024 * 1024

#: Bytes in a second, on average, once a body has taken longer than `remote_read_timeout_secs`.
SLOWEST = 10 * 1024

REDIRECTS = 10

_MOVED = frozenset((301, 302, 303, 307, 308))

#: Statuses of a server after which another attempt may succeed.
_PASSING = frozenset((429, 502, 503, 504))

#: Seconds before the second repetition; twice as long before each further one.
_PAUSE = 0.3

_PIECE = 64 * 1024


@dataclass(frozen=True)
class Fetched:
    """The content of a script, and where it came from."""

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
    cache = fitting_cache(environ)
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
            hint="it was changed, or the pin belongs to another file; look at it before you pin it again",
            step="fetch",
        )
    _keep_copy(fetched, cache)
    return fetched


def _fetch(asked: Address, settings: Settings, environ: Mapping[str, str]) -> Fetched:
    address, way = asked, [asked]
    while True:
        with _asked(address, settings, environ, redirect=False) as response:
            location = response.headers.get("Location") if response.status in _MOVED else None
            if not location:
                _check_status(response.status, address)
                content = _unpacked(
                    _body(response, address, settings), response.headers.get("Content-Encoding"), address
                )
                kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                break
        address = address.follow(location)
        if address.url in [passed.url for passed in way]:
            raise ExecuteError(f"`{asked}` redirects in circles", details=_told(way), step="fetch")
        if len(way) > REDIRECTS:
            raise ExecuteError(f"`{asked}` redirects too often", details=_told(way), step="fetch")
        way.append(address)
    _check_kind(kind, content, asked, address)
    return Fetched(asked, content, tuple(map(str, way)), asked.suffix or address.suffix)


def _told(way: list[Address]) -> str:
    return "\n".join(f"-> {address}" for address in way)


# What an answer may be --------------------------------------------------------------------------------------------


def _check_kind(kind: str, content: bytes, asked: Address, address: Address) -> None:
    """Check that content of this media type may be a script. The reader of headers checks whether it is text."""
    family = kind.partition("/")[0]
    shown = f"`{asked}`" if asked.url == address.url else f"`{asked}`, which redirects to `{address}`,"
    start = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    page = kind in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html"))
    if page:
        raise ExecuteError(f"{shown} is a page, not a script", hint=hint_for_page(address), step="fetch")
    if family in ("image", "audio", "video", "font") or kind == "application/pdf":
        raise ExecuteError(f"{shown} is not a script: its type is {kind!a}", step="fetch")
    if not content.strip():
        raise ExecuteError(f"{shown} is empty", step="fetch")


def _check_status(status: int, address: Address) -> None:
    if status == 200:
        return
    if status in (404, 410):
        raise NotFoundError(f"there is no script at `{address}` (status {status})", step="fetch")
    if status in (401, 403):
        raise ExecuteError(
            f"`{address.host}` does not give you access to `{address}` (status {status})",
            hint="https://USER:PASSWORD@HOST/... works too, and is never shown or stored",
            step="fetch",
        )
    raise ExecuteError(f"`{address.host}` answered with status {status} for `{address}`", step="fetch")


# The conversation -------------------------------------------------------------------------------------------------


def ask(address: Address, settings: Settings, environ: Mapping[str, str], body: bytes | None = None) -> bytes:
    """The answer of a service, to a GET, or a POST of JSON. Raises ExecuteError for any failure."""
    with _asked(address, settings, environ, body=body, method="GET" if body is None else "POST") as response:
        if response.status != 200:
            raise ExecuteError(f"`{address.host}` answered with status {response.status} for `{address}`", step="fetch")
        return response.data


@contextmanager
def _asked(
    address: Address, settings: Settings, environ: Mapping[str, str], *, method: str = "GET", **how: Any
) -> Iterator[BaseHTTPResponse]:
    """A response whose head has arrived. Failures, now or later, become an ExecuteError."""
    import urllib3

    patience = urllib3.Timeout(connect=settings.remote_connect_timeout_secs, read=settings.remote_read_timeout_secs)
    pools = _pools(address, settings, environ)
    headers = _headers(address) | ({"Content-Type": "application/json"} if how.get("body") else {})
    how |= {"preload_content": False, "headers": headers, "retries": _retries(settings), "timeout": patience}
    try:
        yield pools.urlopen(method, address.url, **how)
    except urllib3.exceptions.HTTPError as error:
        raise _failure(error, address, settings) from None
    finally:
        pools.clear()


def _retries(settings: Settings) -> Retry:
    from urllib3 import Retry
    from urllib3.exceptions import ReadTimeoutError

    class Retries(Retry):
        def increment(self, method=None, url=None, response=None, error=None, *rest, **more):  # type: ignore[no-untyped-def]
            # A server that did not answer within the timeout is not asked again.
            if isinstance(error, ReadTimeoutError):
                raise error
            return super().increment(method, url, response, error, *rest, **more)

    return Retries(
        settings.remote_max_retries,
        connect=0,
        other=0,
        status_forcelist=_PASSING,
        backoff_factor=_PAUSE,
        raise_on_status=False,
        respect_retry_after_header=False,
    )


@contextmanager
def _deadline(socket: socket.socket | None, seconds: float) -> Iterator[None]:
    """End the block with TimeoutError after this time: a head that trickles is never silent."""
    import socket as sockets
    import threading

    late = threading.Event()

    def hang_up() -> None:
        late.set()
        try:
            # Close the socket itself: the reader is in the middle of reading through TLS.
            sockets.socket.shutdown(socket, sockets.SHUT_RDWR)  # type: ignore[arg-type]
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
    if late.is_set():  # the reader may also have taken the end of the connection for the end of the head
        raise TimeoutError


def _headers(address: Address) -> dict[str, str]:
    headers = {
        "User-Agent": f"conda-execute/{__version__}",
        "Accept": "text/plain, */*;q=0.5",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if address.credentials is not None:
        headers["Authorization"] = _basic(":".join(address.credentials))
    return headers


def _basic(user: str) -> str:
    import base64

    return "Basic " + base64.b64encode(user.encode()).decode("ascii")


def _body(response: BaseHTTPResponse, address: Address, settings: Settings) -> bytes:
    """The body as it was sent. Stops reading as soon as it is too large, too slow, or at its end."""
    if response.length_remaining is not None and response.length_remaining > LARGEST:
        raise _too_large(address)
    started, size, pieces = time.monotonic(), 0, []
    while piece := response.read1(_PIECE, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise _too_large(address)
        seconds = time.monotonic() - started
        if seconds > settings.remote_read_timeout_secs and size / seconds < SLOWEST:
            raise ExecuteError(
                f"`{address.host}` sends `{address}` too slowly: {size} bytes in {seconds:.0f} seconds",
                hint="set `remote_read_timeout_secs` in condarc to wait longer",
                step="fetch",
            )
    return b"".join(pieces)


def _unpacked(body: bytes, encoding: str | None, address: Address) -> bytes:
    """The content of a body that was compressed although we did not ask for that.

    urllib3 can decompress too, but accepts a truncated body.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise ExecuteError(f"`{address}` came in an encoding that was not requested: {name!a}", step="fetch")
    import zlib

    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as the data itself says
    try:
        content = unpacker.decompress(body, LARGEST + 1)
    except zlib.error:
        raise ExecuteError(f"`{address}` arrived damaged", hint="try again", step="fetch") from None
    if len(content) > LARGEST:
        raise _too_large(address)
    if unpacker.unused_data:
        raise ExecuteError(f"there is more data after the end of `{address}`", step="fetch")
    if not unpacker.eof:
        raise ExecuteError(f"`{address.host}` sent only a part of `{address}`", hint="try again", step="fetch")
    return content


def _too_large(address: Address) -> ExecuteError:
    return ExecuteError(f"`{address}` is larger than {LARGEST >> 20} MiB: that is not a script", step="fetch")


def _causes(error: object) -> Iterator[BaseException]:
    """An error of urllib3 and those that it wraps, the nearest first."""
    while isinstance(error, BaseException):
        yield error
        wrapped = (one for one in error.args if isinstance(one, BaseException))
        error = getattr(error, "reason", None) or error.__cause__ or next(wrapped, None)


def _failure(broken: HTTPError, address: Address, settings: Settings) -> ExecuteError:
    """The error for a broken connection, which mentions only the host and the reason."""
    import socket
    import ssl

    from urllib3.exceptions import IncompleteRead
    from urllib3.exceptions import TimeoutError as LateError

    host = address.host
    causes = list(_causes(broken))
    kinds = (IncompleteRead, ssl.SSLError, OSError, LateError)
    error = next((cause for kind in kinds for cause in causes if isinstance(cause, kind)), broken)
    if isinstance(error, IncompleteRead) and isinstance(error.expected, int):
        sent = int(error.partial)
        return ExecuteError(
            f"`{host}` sent only {sent} of {sent + error.expected} bytes of `{address}`", hint="try again", step="fetch"
        )
    without = "without a network, `--offline` runs the last copy that was fetched"
    if isinstance(error, ssl.SSLCertVerificationError):
        message = f"the certificate of `{host}` cannot be trusted: {error.verify_message}"
        hint = "set `ssl_verify` in condarc to the file of the certificates that it is signed with"
    elif isinstance(error, ssl.SSLError):
        message, hint = f"no secure connection to `{host}`: {error.reason or 'it broke off'}", ""
    elif isinstance(error, (TimeoutError, LateError)):
        message = f"`{host}` took too long to answer"
        hint = (
            "the limits are `remote_connect_timeout_secs` and `remote_read_timeout_secs` in condarc, now"
            f" {settings.remote_connect_timeout_secs:g} and {settings.remote_read_timeout_secs:g}"
        )
    elif isinstance(error, socket.gaierror):
        message, hint = f"the host `{host}` is not known: {error.strerror}", without
    elif isinstance(error, OSError) and not isinstance(error, ConnectionResetError):
        message, hint = f"no connection to `{host}`: {printable(error.strerror or str(error))}", without
    else:
        message, hint = f"`{host}` broke off, or does not speak HTTP ({type(error).__name__})", ""
    return ExecuteError(message, hint=hint or None, step="fetch")


# Proxies and certificates -----------------------------------------------------------------------------------------


def _pools(address: Address, settings: Settings, environ: Mapping[str, str]) -> PoolManager:
    """Connections to an address, through the proxy for it, that give up a head which trickles."""
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Prompt(HTTPConnection):
        def getresponse(self) -> HTTPResponse:  # type: ignore[override]
            with _deadline(self.sock, settings.remote_read_timeout_secs):
                return super().getresponse()

    class PromptTLS(HTTPSConnection, Prompt):
        pass

    parts = urllib3.util.parse_url(address.url)
    if parts.scheme == "http":
        pools = urllib3.PoolManager()
    else:
        tls = _tls(settings, environ)
        proxy = _proxy(address.host, parts.port, settings, environ)
        pools = urllib3.PoolManager(ssl_context=tls)
        if proxy is not None:
            pools = urllib3.ProxyManager(proxy[0], proxy_headers=proxy[1], ssl_context=tls)
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the user asked for it
    plain = type("Plain", (urllib3.HTTPConnectionPool,), {"ConnectionCls": Prompt})
    secure = type("Secure", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": PromptTLS})
    pools.pool_classes_by_scheme = {"http": plain, "https": secure}
    return pools


def _proxy(
    host: str, port: int | None, settings: Settings, environ: Mapping[str, str]
) -> tuple[str, dict[str, str]] | None:
    """The proxy for an `https` address and the headers that it wants."""
    from urllib.parse import unquote, urlsplit
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    exceptions = {"no": proxies.variable(environ, "no_proxy") or ""}
    if is_this_machine(host) or proxy_bypass_environment(f"{host}:{port}" if port else host, exceptions):
        return None
    url, key = proxies.proxy(settings, environ, "https", host)
    if not url:
        return None
    where = settings.origin("proxy_servers", key) if key else ()
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises what a wrong one deserves
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
        headers["Proxy-Authorization"] = _basic(f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    return f"http://{parts.netloc.rpartition('@')[2]}", headers


def _tls(settings: Settings, environ: Mapping[str, str]) -> ssl.SSLContext:
    import ssl

    hint = "fetch the script with another program and run the file"
    proxies.refuse_client_certificate(settings, "scripts cannot be fetched with a client certificate", hint)
    verify = proxies.certificates(settings, environ)
    path = verify if isinstance(verify, str) and verify != "truststore" else None
    folder = path is not None and os.path.isdir(path)
    try:
        made = ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    except (OSError, ssl.SSLError) as error:
        reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(
            f"the certificates in `{path}` cannot be used: {reason}", where=settings.origin("ssl_verify")
        ) from None
    if verify is False:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


# The last copy ----------------------------------------------------------------------------------------------------


def _copy_path(address: Address, cache: str) -> str:
    """Next to cached code, and deleted like it if it was not fetched or run for long."""
    digest = hashlib.sha256(address.url.encode()).hexdigest()[:20]
    return os.path.join(code_folder(cache, digest), "fetched")


def _keep_copy(fetched: Fetched, cache: str) -> None:
    from ...files import write_whole

    about = {"way": fetched.way, "suffix": fetched.suffix, "sha256": fetched.digest}
    try:
        write_whole(_copy_path(fetched.address, cache), json.dumps(about).encode() + b"\n" + fetched.content)
    except OSError:
        pass  # a later `--offline` will say that there is none


def _last_copy(address: Address, cache: str) -> Fetched | None:
    try:
        with open(_copy_path(address, cache), "rb") as file:
            first, _, content = file.read().partition(b"\n")
        about = json.loads(first)
        copy = Fetched(address, content, tuple(map(str, about["way"])), str(about["suffix"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    sound = about.get("sha256") == copy.digest and re.fullmatch(r"(\.\w+)?", copy.suffix)
    return copy if sound else None
