"""Web servers of the tests, on 127.0.0.1: of a directory, or with answers of a test's own."""

from __future__ import annotations

import http.server
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any


class Quiet(http.server.BaseHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *args: object) -> None:
        pass


class Files(Quiet, http.server.SimpleHTTPRequestHandler):
    """Sends the files of a directory."""


class Server(http.server.ThreadingHTTPServer):
    """A server on a free port, until the end of its `with` block."""

    def __init__(self, handler: Callable[..., Any], certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.address}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.url = f"https://{self.address}"

    def __enter__(self) -> Any:
        # It looks so often whether it should end: half a second, the default, would be added to each test.
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of many tests, and nothing to report."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serving(directory: Path, handler: Callable[..., Any] = Files) -> Iterator[str]:
    """The URL of a server of this directory."""
    with Server(partial(handler, directory=str(directory))) as server:
        yield server.url
