"""Ends the wait for servers that do not answer, and counts the bytes from those that do.

py-rattler 0.28 has one time limit, for a whole request, which would end a long download as well. So we watch the
connections of this process from outside: the kernel knows when the last byte was sent or received. A connection that
has been silent for too long is closed. That does no harm to an idle one. If an answer was expected, the engine sees a
broken connection: it tries again, as often as `remote_max_retries` says, and fails. The same is done with an answer
that comes a few bytes at a time, since each of them would restart the wait.

Only Linux provides this information about sockets.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

_CONNECTIONS = "/proc/self/fd"

#: In `struct tcp_info`: the first byte is the state; these are the milliseconds since data was sent and received, and
#: the total of received bytes.
_SENT, _RECEIVED, _BYTES = 44, 52, 128
_CONNECTED, _CONNECTING = 1, 2

#: Seconds between two checks, at most.
_PAUSE = 0.25

#: Bytes a second: an answer that stays below it for as long as a server may be silent counts as silence.
_SLOWEST = 10


#: Sockets that were opened during the last watch and are still open: the engine uses its connections again.
_KEPT: set[str] = set()


class Silence:
    """Closes silent connections while it is entered. `connect` and `read` are seconds. Connections that existed before,
    such as standard input, are ignored. `received` is called with the number of bytes received so far."""

    def __init__(self, connect: float, read: float, received: Callable[[int], None]) -> None:
        self._connect, self._read = connect, read
        self._heard = received
        self._bytes: dict[str, int] = {}
        #: Of each connection: since when it is watched for slowness, and the number of bytes received by then.
        self._marks: dict[str, tuple[float, int]] = {}
        #: Why the last connection was closed, for people.
        self.why: str | None = None
        self._others: set[str] = set()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Silence:
        if sys.platform == "linux" and os.path.isdir(_CONNECTIONS):
            self._others = {name for _, name in _sockets()} - _KEPT
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            _KEPT.clear()
            _KEPT.update({name for _, name in _sockets()} - self._others)

    def _watch(self) -> None:
        pause = min(_PAUSE, self._connect / 4, self._read / 4)
        begun: dict[str, float] = {}
        while not self._over.wait(pause):
            for descriptor, name in _sockets():
                if name not in self._others:
                    try:
                        self._look_at(descriptor, name, begun.setdefault(name, time.monotonic()))
                    except OSError:
                        continue  # it was just closed, or is not a connection
            if self._bytes:
                self._heard(sum(self._bytes.values()))

    def _look_at(self, descriptor: int, name: str, begun: float) -> None:
        if sys.platform != "linux":
            raise AssertionError("Linux only")
        import fcntl
        import termios

        with socket.socket(fileno=os.dup(descriptor)) as one:
            if one.family not in (socket.AF_INET, socket.AF_INET6) or one.type != socket.SOCK_STREAM:
                return
            info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES + 8)
            if len(info) == _BYTES + 8:  # an older kernel does not count bytes
                (self._bytes[name],) = struct.unpack_from("=Q", info, _BYTES)
            sent, received = (struct.unpack_from("=I", info, place)[0] / 1000 for place in (_SENT, _RECEIVED))
            if info[0] == _CONNECTING and time.monotonic() - begun > self._connect:
                why = f"no connection within {self._connect:g} s"
            elif info[0] != _CONNECTED or sent <= self._read:
                self._marks.pop(name, None)
                return
            elif received > self._read:
                why = f"no answer for {self._read:g} s"
            elif self._crawls(name):
                why = f"less than {_SLOWEST} bytes a second for {self._read:g} s"
            else:
                return
            if info[0] == _CONNECTED and any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))):
                return  # the delay is ours
            self.why = why  # before closing, since the engine fails at once
            one.shutdown(socket.SHUT_RDWR)

    def _crawls(self, name: str) -> bool:
        """Whether too few bytes of an answer came for too long."""
        now, total = time.monotonic(), self._bytes.get(name, 0)
        since, before = self._marks.setdefault(name, (now, total))
        if now - since <= self._read:
            return False
        del self._marks[name]
        return 0 < total - before < _SLOWEST * (now - since)


def _sockets() -> Iterator[tuple[int, str]]:
    """Descriptors of this process's sockets, each with a unique name."""
    for descriptor in os.listdir(_CONNECTIONS):
        try:
            name = os.readlink(os.path.join(_CONNECTIONS, descriptor))
        except OSError:
            continue
        if name.startswith("socket:"):
            yield int(descriptor), name
