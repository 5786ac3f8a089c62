"""How the engine reaches channels, and where it keeps downloads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import urlsplit

import rattler
from rattler.networking import Client
from rattler.repo_data import Gateway

from ...cache import rattler_cache
from ...configuration.declared import Settings
from .. import Options, network
from . import explain

#: What `Options.connect` returns: a client for downloads, and a gateway for repodata, which may be offline.
Connection = tuple[Client, Gateway]


def cache_dir(options: Options) -> str:
    """Where rattler, and tools that use it, keep packages and repodata."""
    return options.cache or rattler_cache(options.environ)


def connect(options: Options, *, fresh: bool = False) -> Connection:
    """A client and a gateway; a `fresh` one has no cache of repodata."""
    repodata = os.path.join(cache_dir(options), "repodata")
    plain = network.connector(Settings(), (), options.environ, repodata=repodata, offline=options.offline)
    connection: Connection = (options.connect or plain)(fresh)
    return connection


def unconnected() -> Client:
    """A client that makes no request."""

    def refuse(host: str, path: str) -> dict[str, str]:
        raise RuntimeError(explain.OFFLINE)

    return rattler.networking.Client([rattler.networking.AddHeadersMiddleware(refuse)])


def hosts(urls: Iterable[str]) -> list[str]:
    """The hosts that must answer; none for files."""
    return list(dict.fromkeys(host for url in urls if (host := urlsplit(url).netloc.rpartition("@")[2])))
