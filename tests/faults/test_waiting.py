"""An end to waiting: a server that accepts and says nothing ends by the settings, and is named.

The servers are real, on this machine. One says nothing, one falls silent amid a package, one does not even accept.
"""

from __future__ import annotations

import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.channel import Package
from tests.conftest import World

LIMITS = "remote_connect_timeout_secs: 0.6\nremote_read_timeout_secs: 0.6\nremote_max_retries: 0\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says what its sockets wait for")

#: Of a path: all bytes that come back, or the pieces in which they slowly do, or None for silence.
Answer = Callable[[str], "bytes | Iterable[bytes] | None"]

#: Seconds between two pieces.
PACE = 0.2


def of_files(folder: Path) -> Callable[[str], bytes]:
    """What a server of these files answers."""

    def answer(path: str) -> bytes:
        file = folder / path.lstrip("/")
        if not file.is_file():
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        content = file.read_bytes()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content

    return answer


@pytest.fixture
def server() -> Iterator[Callable[[Answer], str]]:
    """A server, as `host:port`, that answers so."""
    kept: list[socket.socket] = []

    def serve(listening: socket.socket, answer: Answer) -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            kept.append(one)
            threading.Thread(target=talk, args=(one, answer), daemon=True).start()

    def talk(one: socket.socket, answer: Answer) -> None:
        with one.makefile("rb") as asked:
            while line := asked.readline():
                while asked.readline().strip():
                    pass  # its headers
                told = answer(line.split()[1].decode())
                try:
                    for piece in [told] if isinstance(told, bytes) else told or ():
                        one.sendall(piece)
                        time.sleep(0 if piece is told else PACE)
                except OSError:
                    return  # it was hung up on

    def start(answer: Answer) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        kept.append(listening)
        threading.Thread(target=serve, args=(listening, answer), daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for one in kept:
        try:
            one.shutdown(socket.SHUT_RDWR)  # who accepts or reads just now wakes up
        except OSError:
            pass
        one.close()


def from_channel(world: World, host: str) -> World:
    path = world.root / "condarc"
    path.write_text(f"channels: [quiet]\ncustom_channels:\n  quiet: http://{host}\n{LIMITS}")
    return world.with_(CONDARC=str(path), RATTLER_CACHE_DIR=str(world.root / "rattler"))


def test_a_channel_that_says_nothing(world: World, server: Callable[[Answer], str]) -> None:
    host = server(lambda path: None)
    done = from_channel(world, host).tmpenv("create", "lua")
    assert done.returncode == 125
    assert "channel `quiet` cannot be reached: no answer for 0.6 s" in done.stderr
    assert f"http://{host}/" in done.stderr
    assert "remote_read_timeout_secs" in done.stderr


def test_a_channel_that_falls_silent_amid_a_package(
    world: World, server: Callable[[Answer], str], make_channel: Callable[..., str], tmp_path: Path
) -> None:
    make_channel(Package("one", files={"share/one": "one\n"}), name="quiet")

    files = of_files(tmp_path / "channels")

    def answer(path: str) -> bytes:
        told = files(path)
        return told[:-100] if path.endswith(".conda") and told else told

    host = server(answer)
    world = from_channel(world, host)
    done = world.tmpenv("create", "one")
    assert (done.returncode, "no answer for 0.6 s" in done.stderr) == (125, True), done.stderr
    assert f"http://{host}/quiet/linux-64/one-" in done.stderr


def test_a_channel_that_does_not_accept(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # more than it lets wait: the next one is not even refused
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        done = from_channel(world, f"127.0.0.1:{full.getsockname()[1]}").tmpenv("create", "lua")
        for one in waiting:
            one.close()
    assert (done.returncode, "no connection within 0.6 s" in done.stderr) == (125, True), done.stderr


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_a_channel_that_sends_a_byte_at_a_time(world: World, server: Callable[[Answer], str], start: bytes) -> None:
    """For a minute, in its headers or in its index; nobody waits for the last one."""
    ended: list[str] = []

    def crawl(path: str) -> Iterator[bytes]:
        yield start
        yield from [b"x"] * 300
        ended.append(path)

    done = from_channel(world, server(crawl)).tmpenv("create", "lua")
    why = "channel `quiet` cannot be reached: (less than 10 bytes a second|no answer) for 0.6 s"
    assert (done.returncode, re.search(why, done.stderr) is not None) == (125, True), done.stderr
    assert ended == []


def test_an_index_of_pypi_that_says_nothing_is_asked_once(world: World, server: Callable[[Answer], str]) -> None:
    asked: list[str] = []
    host = server(asked.append)
    world = world.with_settings(LIMITS).with_(
        UV_DEFAULT_INDEX=f"http://{host}/simple", UV_INDEX=None, UV_CACHE_DIR=str(world.root / "uv")
    )
    done = world.tmpenv("create", "python", "pypi:six")
    assert (done.returncode, "PyPI cannot be reached" in done.stderr) == (125, True), done.stderr
    assert f"http://{host}/simple/six/" in done.stderr
    assert asked == ["/simple/six/"]  # and not again, by `remote_max_retries: 0`


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_a_repository_that_says_nothing(world: World, server: Callable[[Answer], str]) -> None:
    host = server(lambda path: None)
    world = world.with_settings(LIMITS).with_(UV_CACHE_DIR=str(world.root / "uv"))
    done = world.tmpenv("create", "python", f"pypi:six @ git+http://{host}/six.git")
    assert (done.returncode, "Git operation failed" in done.stderr) == (125, True), done.stderr
    assert f"http://{host}/six.git" in done.stderr


def test_a_server_that_is_slow_is_waited_for(
    world: World, server: Callable[[Answer], str], make_channel: Callable[..., str], tmp_path: Path
) -> None:
    """Each answer takes less than the limit, and all of them longer."""
    make_channel(Package("one", files={"share/one": "one\n"}), name="quiet")
    files = of_files(tmp_path / "channels")

    def answer(path: str) -> bytes:
        time.sleep(0.25)
        return files(path)

    assert from_channel(world, server(answer)).tmpenv("create", "one", check=True).returncode == 0
