"""Addresses of scripts on the web: which are allowed, what is fetched for them, and how they are shown.

- `https` to any host; plain `http` only to this machine.
- A page of GitHub, a gist or GitLab that shows a file means the file itself.
- `#sha256=...` pins the content; any other fragment is a place in a page and means nothing here.
- User and password are removed at once, so that no other module ever sees a URL with them. Values in the query that
  look like secrets are sent, but never shown.
- The host is shown in its network form: a name with similar letters of other alphabets is `xn--...`.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from ...credentials import hide_in_query
from ...errors import UsageError
from ...lean.values import dataclass, field, replace

_PIN = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Address:
    """Where a script is, without user and password."""

    #: What is fetched: scheme, host, path and query.
    url: str
    #: The page that was given, if the file itself has another address.
    page: str | None = None
    #: User and password, for this host alone.
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    #: The SHA-256 that the content must have, in lower case.
    pin: str | None = None

    def __str__(self) -> str:
        """The address as it may be shown, logged and kept."""
        parts = urlsplit(self.url)
        return parts._replace(query=hide_in_query(parts.query)).geturl()

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def suffix(self) -> str:
        """The suffix of the file's name, or nothing."""
        found = re.search(r"[^/](\.[A-Za-z0-9_]{1,12})$", urlsplit(self.url).path)
        return found[1] if found else ""

    def follow(self, location: str) -> Address:
        """Where a redirect leads to. The credentials go with it as long as the server is the same."""
        target = urljoin(self.url, location)
        if urlsplit(self.url).scheme == "https" and urlsplit(target).scheme == "http":
            raise UsageError(
                f"`{self}` redirects to an address without `https`, where the script could be changed in transit",
                hint="give an address that uses `https` throughout",
            )
        try:
            there = replace(parse(target), pin=self.pin)
        except UsageError as error:
            raise UsageError(f"`{self}` redirects to an address that cannot be used: {error.message}") from None
        if there.credentials is None and urlsplit(there.url)[:2] == urlsplit(self.url)[:2]:
            there = replace(there, credentials=self.credentials)
        return there


def parse(word: str) -> Address:
    """Parse a URL. Raises UsageError for one that is not allowed."""
    try:
        parts = urlsplit(word)
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError:  # an invalid port, address in brackets or host name
        raise UsageError("the address of the script is not a URL", hint="https://HOST/PATH") from None
    _check_scheme(parts, host)
    if not host:
        raise UsageError("the address of the script has no host", hint="https://HOST/PATH")
    clean = parts._replace(
        netloc=host if port is None else f"{host}:{port}",
        path=quoted(parts.path) or "/",
        query=quoted(parts.query),
        fragment="",
    )
    page, meant = clean.geturl(), _file_of_page(clean, parts.fragment).geturl()
    user = parts.username
    return Address(
        url=meant,
        page=None if meant == page else page,
        credentials=None if user is None else (unquote(user), unquote(parts.password or "")),
        pin=_pin(parts.fragment),
    )


def _host(name: str) -> str:
    if ":" in name:
        return f"[{ipaddress.ip_address(name)}]"
    name = name.encode("idna").decode("ascii") if name else name
    if not re.fullmatch(r"[a-z0-9._-]*", name):
        raise ValueError(name)
    return name


def _check_scheme(parts: SplitResult, host: str) -> None:
    if parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host)):
        return
    if parts.scheme == "http":
        raise UsageError(
            f"a script is not fetched from `{host}` over plain `http`: it could be changed in transit",
            hint="begin the address with `https://`",
        )
    if parts.scheme == "file":
        raise UsageError("a script on this machine is given by its path", hint=f"`conda execute {unquote(parts.path)}`")
    raise UsageError(
        f"a script cannot be fetched over `{parts.scheme}`", hint="give an address that begins with `https://`"
    )


def is_this_machine(host: str) -> bool:
    """Whether requests to this host stay on this machine.

    >>> is_this_machine("localhost"), is_this_machine("127.1.2.3"), is_this_machine("[::1]"), is_this_machine("127.org")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def quoted(text: str) -> str:
    """Spaces and letters that a request cannot carry as they are, escaped; what is escaped already stays."""
    return quote(text, safe="/%:=&?~+!$,;'()*@[]-._|")


def _pin(fragment: str) -> str | None:
    name, equals, digest = fragment.partition("=")
    kind = re.match(r"(?:sha-?\d+|md5|hash)(?=$|\W?[0-9a-f]{16,}$)", name, re.IGNORECASE)
    if kind is None or (kind[0] == name and not equals):
        return None
    if not equals or name.lower() != "sha256":
        raise UsageError(f"a script is pinned by its SHA-256 after `#sha256=`, not by `{name[:20]}`")
    digest = digest.lower()
    if not _PIN.fullmatch(digest):
        raise UsageError(f"`#sha256=` takes 64 hexadecimal digits, found `{digest[:80]}`")
    return digest


# Pages that show a file -------------------------------------------------------------------------------------------


def _file_of_page(parts: SplitResult, fragment: str) -> SplitResult:
    words = parts.path.strip("/").split("/")
    if parts.netloc in ("github.com", "www.github.com") and len(words) >= 5 and words[2] in ("blob", "raw"):
        owner, repository, _, *rest = words
        path = "/" + "/".join((owner, repository, *rest))
        return parts._replace(netloc="raw.githubusercontent.com", path=path, query="")
    if parts.netloc == "gist.github.com" and 1 <= len(words) <= 2 and re.fullmatch(r"[0-9a-f]{20,40}", words[-1]):
        return parts._replace(path="/" + "/".join((*words, "raw", *_file_of_gist(fragment))), query="")
    if "/-/blob/" in parts.path:  # GitLab, wherever it is installed
        return parts._replace(path=parts.path.replace("/-/blob/", "/-/raw/", 1), query="")
    return parts


def _file_of_gist(fragment: str) -> tuple[str, ...]:
    """`#file-plot-py`, as GitHub links to one of several files, is nearly always `plot.py`."""
    if not fragment.startswith("file-"):
        return ()
    name, _, suffix = fragment[len("file-") :].rpartition("-")
    return (f"{name}.{suffix}" if name else suffix,)


def hint_for_page(address: Address) -> str:
    """The hint for a page: the address of the file in it, as far as the address shows."""
    parts = urlsplit(address.url)
    for shown, raw in (("/blob/", "/raw/"), ("/src/branch/", "/raw/branch/"), ("/src/", "/raw/")):
        if shown in parts.path:
            meant = parts._replace(path=parts.path.replace(shown, raw, 1)).geturl()
            return f"the file itself may be `{replace(address, url=meant)}`"
    if any(name in parts.netloc for name in ("github", "gitlab", "bitbucket", "codeberg")):
        return "open the file there and take the address of its `Raw` button"
    return "give the address of the file itself; a server may also show a page for logging in"
