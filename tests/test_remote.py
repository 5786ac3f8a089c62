"""Laws of scripts from the web: a server on this machine behaves and misbehaves, on a real network stack."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.cache import trusted_file
from conda_execute.configuration.declared import Settings
from conda_execute.errors import ExecuteError, NotFoundError, SettingsError, UsageError
from conda_execute.lean.values import replace
from conda_execute.script import source
from conda_execute.script.header.keys import Header
from conda_execute.script.source import Script
from conda_execute.script.web import address, trust
from conda_execute.script.web import fetch as remote
from conda_execute.script.web.fetch import Fetched
from conda_execute.terminal.errors import render

if TYPE_CHECKING:
    from tests.conftest import World
from tests.serving import Quiet, Server
from tests.test_json import valid

SCRIPT = b"# conda execute\n# env: [six]\n# run_with: sh\necho it ran $*\n"
DIGEST = hashlib.sha256(SCRIPT).hexdigest()

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A server and what it answers, by path; every request is kept."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def at(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return self.url + path

    def script(self, path: str = "/s.sh", content: bytes = SCRIPT, **headers: str) -> str:
        return self.at(path, sends(content, **{"Content-Type": "text/plain", **headers}))

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


def sends(content: bytes, status: int = 200, /, **headers: str) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def leads_to(location: str, status: int = 302) -> Answer:
    return sends(b"", status, Location=location)


class Handler(Quiet):
    site: Site

    def do_GET(self) -> None:
        self.site.asked.append((self.path, self.headers["Authorization"]))
        answer = self.site.answers.get(self.path.partition("?")[0], sends(b"nothing here", 404))
        answer(self)

    def do_CONNECT(self) -> None:
        self.site.asked.append((self.path, self.headers["Proxy-Authorization"]))
        self.site.answers["CONNECT"](self)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that 127.0.0.1 signed for itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout key.pem -out cert.pem"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", *made.split(), *names], check=True, capture_output=True, cwd=folder)
    both = folder / "both.pem"
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    with ExitStack() as servers:

        def start(certificate: Path | None = None) -> Site:
            site = Site()
            site.url = servers.enter_context(Server(type("_", (Handler,), {"site": site}), certificate)).url
            return site

        yield start


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def fetch(cache: Path) -> Callable[..., Fetched]:
    def fetch(url: str, *, offline: bool = False, environ: dict[str, str] | None = None, **settings: object) -> Fetched:
        patient = {"remote_connect_timeout_secs": 2.0, "remote_read_timeout_secs": 1.0, "remote_max_retries": 1}
        chosen = Settings(**{**patient, **settings})  # type: ignore[arg-type]
        environment = {"CONDA_EXECUTE_CACHE_DIR": str(cache), **(environ or {})}
        return remote.fetch(address.parse(url), chosen, environment, offline=offline)

    return fetch


Fetch = Callable[..., Fetched]


# Addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["httpd.py", "https.py", "http:s.py", "https:/s.py", "./https://x/s.py", "a/b://c", "C:\\s.py", "://x"]
)
def test_what_only_resembles_a_url_is_a_file(word: str) -> None:
    assert not source.is_address(word)


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("https://github.com/me/it/blob/main/a/s.py", "https://raw.githubusercontent.com/me/it/main/a/s.py"),
        ("https://github.com/me/it/blob/main/s.py?plain=1#L3-L5", "https://raw.githubusercontent.com/me/it/main/s.py"),
        ("https://github.com/me/it/raw/v1/s.py", "https://raw.githubusercontent.com/me/it/v1/s.py"),
        ("https://gist.github.com/me/" + "0a" * 16, "https://gist.github.com/me/" + "0a" * 16 + "/raw"),
        (
            "https://gist.github.com/me/" + "0a" * 16 + "#file-my_plot-py",
            "https://gist.github.com/me/" + "0a" * 16 + "/raw/my_plot.py",
        ),
        ("https://gitlab.com/a/b/c/-/blob/main/s.py", "https://gitlab.com/a/b/c/-/raw/main/s.py"),
        ("https://git.example.org/a/-/blob/main/s.py", "https://git.example.org/a/-/raw/main/s.py"),
    ],
    ids=["blob", "blob with line", "raw", "gist", "file of gist", "gitlab", "gitlab elsewhere"],
)
def test_a_page_that_shows_a_file_means_the_file(page: str, file: str) -> None:
    assert address.parse(page).url == file
    assert address.parse(file).url == file


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.org/s.py", "plain `http`"),
        ("http://127.0.0.1.example.org/s.py", "plain `http`"),
        ("ftp://example.org/s.py", "over `ftp`"),
        ("file:///tmp/s.py", "by its path"),
        ("https:///s.py", "has no host"),
        ("https://example.org:port/s.py", "not a URL"),
        ("https://[::1/s.py", "not a URL"),
        ("https://ex ample.org/s.py", "not a URL"),
        (f"https://{'a' * 64}.org/s.py", "not a URL"),
        ("https://example.org/s.py#sha256=12", "64 hexadecimal digits"),
        ("https://example.org/s.py#md5=" + "0" * 32, "pinned by its SHA-256"),
        ("https://example.org/s.py#sha256:" + "0" * 64, "pinned by its SHA-256"),
        ("https://example.org/s.py#SHA-256-" + "0" * 64, "pinned by its SHA-256"),
    ],
    ids=lambda value: value[:30],
)
def test_an_address_that_is_not_fetched_says_why(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        address.parse(url)


@given(st.text(max_size=40), st.sampled_from(["https://", "http://", "https://u:p@", "x://", ""]))
def test_parsing_an_address_never_raises_anything_else(text: str, start: str) -> None:
    try:
        parsed = address.parse(start + text)
    except UsageError:
        return
    assert str(parsed).isascii()
    assert str(parsed).isprintable()
    assert "@" not in parsed.url.split("/")[2]


def test_a_host_that_looks_like_another_is_shown_as_it_is_called() -> None:
    assert address.parse("https://ex\u0430mple.org/s.py").host == "xn--exmple-4nf.org"


def test_secrets_of_an_address_are_not_in_its_text() -> None:
    parsed = address.parse("https://me:hunter2@example.org/s.py?access_token=tk-1&line=3&X-Amz-Signature=ab")
    assert str(parsed) == "https://example.org/s.py?access_token=****&line=3&X-Amz-Signature=****"
    assert "hunter2" not in repr(parsed)
    assert parsed.credentials == ("me", "hunter2")


# Fetching ----------------------------------------------------------------------------------------------------------


def test_a_script_is_fetched_as_it_is(site: Site, fetch: Fetch) -> None:
    fetched = fetch(site.script("/a/plot.R", b"\xef\xbb\xbfl\xe4tin\r\n"))
    assert (fetched.content, fetched.suffix) == (b"\xef\xbb\xbfl\xe4tin\r\n", ".R")


def test_a_redirect_is_followed_and_told(site: Site, fetch: Fetch) -> None:
    end = site.script("/deep/s.sh")
    start = site.at("/start", leads_to("/middle", 301))
    site.at("/middle", leads_to("deep/s.sh", 307))
    fetched = fetch(start)
    assert fetched.way == (start, site.url + "/middle", end)
    assert fetched.suffix == ".sh"


def test_a_redirect_in_a_circle_ends(site: Site, fetch: Fetch) -> None:
    site.at("/b", leads_to("/a"))
    with pytest.raises(ExecuteError, match="in circles"):
        fetch(site.at("/a", leads_to("/b")))
    assert len(site.asked) == 2


def test_redirects_without_end_end(site: Site, fetch: Fetch) -> None:
    def onward(request: http.server.BaseHTTPRequestHandler) -> None:
        leads_to(f"/a?{len(site.asked)}")(request)

    with pytest.raises(ExecuteError, match="redirects too often"):
        fetch(site.at("/a", onward))
    assert len(site.asked) <= remote.REDIRECTS + 1


def test_a_redirect_to_plain_http_is_refused(
    serve: Callable[..., Site], site: Site, certificate: Path, fetch: Fetch
) -> None:
    """Even to this machine: whoever asked for `https` did not ask for that."""
    secure = serve(certificate)
    with pytest.raises(UsageError, match="without `https`"):
        fetch(secure.at("/s.sh", leads_to(site.script())), ssl_verify=str(certificate))
    assert not site.asked


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://192.0.2.1/s.py", "ftp://example.org/"])
def test_a_redirect_out_of_the_web_is_refused(location: str, site: Site, fetch: Fetch) -> None:
    with pytest.raises(UsageError, match=r"/s\.sh` redirects to an address that cannot be used") as caught:
        fetch(site.at("/s.sh", leads_to(location)))
    assert caught.value.hint is None, "what to do with the address that was not asked for is no advice"


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (404, NotFoundError, "there is no script at"),
        (410, NotFoundError, "there is no script at"),
        (401, ExecuteError, "does not give you access to"),
        (403, ExecuteError, "does not give you access to"),
        (500, ExecuteError, "status 500"),
        (503, ExecuteError, "status 503"),
        (204, ExecuteError, "status 204"),
        (304, ExecuteError, "status 304"),
    ],
)
def test_only_success_is_a_script(
    status: int, kind: type[ExecuteError], message: str, site: Site, fetch: Fetch
) -> None:
    with pytest.raises(kind, match=message) as caught:
        fetch(site.at("/s.sh", sends(SCRIPT, status)))
    assert caught.value.exit_status == (127 if kind is NotFoundError else 125)


def test_a_busy_server_is_asked_again(site: Site, fetch: Fetch) -> None:
    def recovers(request: http.server.BaseHTTPRequestHandler) -> None:
        (sends(SCRIPT) if len(site.asked) > 1 else sends(b"", 503))(request)

    assert fetch(site.at("/s.sh", recovers)).content == SCRIPT


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (SCRIPT, {"Content-Type": "text/html; charset=utf-8"}),
        (b"\n\n<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/plain"}),
        (b"\xef\xbb\xbf<html>", {}),
    ],
    ids=["by type", "by content", "after a BOM"],
)
def test_a_page_is_not_a_script(content: bytes, headers: dict[str, str], site: Site, fetch: Fetch) -> None:
    with pytest.raises(ExecuteError, match="is a page, not a script"):
        fetch(site.at("/s.sh", sends(content, **headers)))


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/me/it/blob/main/s.py", "/me/it/raw/main/s.py`"),
        ("/me/it/src/branch/main/s.py", "/me/it/raw/branch/main/s.py`"),
        ("/me/it", "address of the file itself"),
    ],
    ids=["blob", "src/branch", "other"],
)
def test_a_page_comes_with_the_address_of_its_file(path: str, hint: str, site: Site, fetch: Fetch) -> None:
    with pytest.raises(ExecuteError) as caught:
        fetch(site.at(path, sends(b"<!doctype html>")))
    assert hint in (caught.value.hint or "")


def test_a_picture_is_not_a_script(site: Site, fetch: Fetch) -> None:
    with pytest.raises(ExecuteError, match="its type is 'image/png'"):
        fetch(site.at("/s.sh", sends(b"\x89PNG", **{"Content-Type": "image/png"})))


def test_an_empty_file_is_not_a_script(site: Site, fetch: Fetch) -> None:
    with pytest.raises(ExecuteError, match="is empty"):
        fetch(site.script(content=b" \n"))


# Bodies ------------------------------------------------------------------------------------------------------------

GIGABYTE = 10**9


def _endless(sent: list[int], length: int | None) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        if length is not None:
            request.send_header("Content-Length", str(length))
        request.end_headers()
        while sent[0] < GIGABYTE:
            request.wfile.write(b"#" * 65536)
            sent[0] += 65536

    return answer


@pytest.mark.parametrize("length", [GIGABYTE, None], ids=["announced", "not announced"])
def test_a_gigabyte_is_given_up_early(length: int | None, site: Site, fetch: Fetch) -> None:
    sent = [0]
    with pytest.raises(ExecuteError, match="larger than 10 MiB"):
        fetch(site.at("/s.sh", _endless(sent, length)))
    assert sent[0] < 5 * remote.LARGEST


def test_a_gigabyte_packed_small_is_given_up_early(site: Site, fetch: Fetch) -> None:
    packed = gzip.compress(b"#" * (remote.LARGEST * 10), 9)
    assert len(packed) < remote.LARGEST
    with pytest.raises(ExecuteError, match="larger than 10 MiB"):
        fetch(site.at("/s.sh", sends(packed, Content_Encoding="gzip")))


def test_a_script_of_the_largest_size_is_taken(site: Site, fetch: Fetch) -> None:
    assert len(fetch(site.script(content=b"#" * remote.LARGEST)).content) == remote.LARGEST


def test_a_packed_body_is_unpacked(site: Site, fetch: Fetch) -> None:
    """Nobody asked for it, but some servers keep only packed files."""
    assert fetch(site.at("/s.sh", sends(gzip.compress(SCRIPT), Content_Encoding="gzip"))).content == SCRIPT


@pytest.mark.parametrize(
    ("body", "encoding", "message"),
    [
        (gzip.compress(SCRIPT)[:-9], "gzip", "only a part"),
        (gzip.compress(SCRIPT[:20]) + gzip.compress(SCRIPT[20:]), "gzip", "more data after"),
        (b"not packed at all", "gzip", "damaged"),
        (SCRIPT, "br", "encoding that was not requested"),
        (SCRIPT, "gzip, \x1b[31m", r"'gzip, \\x1b\[31m'"),
    ],
    ids=["cut off", "in parts", "damaged", "unknown", "hostile"],
)
def test_a_packed_body_that_cannot_be_unpacked(
    body: bytes, encoding: str, message: str, site: Site, fetch: Fetch
) -> None:
    with pytest.raises(ExecuteError, match=message):
        fetch(site.at("/s.sh", sends(body, Content_Encoding=encoding)))


def test_a_body_that_ends_early_is_not_run(site: Site, fetch: Fetch, cache: Path) -> None:
    """`rm -rf /tmp/x` cut off after the first slash is another command."""
    with pytest.raises(ExecuteError, match=f"only {len(SCRIPT)} of 1000 bytes"):
        fetch(site.script("/s.sh", SCRIPT, **{"Content-Length": "1000"}))
    assert not cache.exists()


def test_a_chunked_body_that_ends_early_is_not_run(site: Site, fetch: Fetch) -> None:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"5\r\n# con\r\n100\r\nda")
        request.close_connection = True

    with pytest.raises(ExecuteError, match="broke off"):
        fetch(site.at("/s.sh", answer))


def _pausing(pause: float, pieces: int) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(pieces):
            request.wfile.write(b"#")
            time.sleep(pause)

    return answer


def _trickling_head(request: http.server.BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(400):
        request.wfile.write(f"X-{number}: x\r\n".encode())
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("answer", "message"),
    [(_pausing(20, 2), "took too long"), (_pausing(0.05, 400), "too slowly"), (_trickling_head, "took too long")],
    ids=["silence", "trickle", "trickle before the body"],
)
def test_a_slow_answer_is_given_up(answer: Answer, message: str, site: Site, fetch: Fetch) -> None:
    with pytest.raises(ExecuteError, match=message):
        fetch(site.at("/s.sh", answer), remote_read_timeout_secs=0.3)


def test_a_server_that_does_not_speak_http_is_named(site: Site, fetch: Fetch) -> None:
    with pytest.raises(ExecuteError, match="does not speak HTTP"):
        fetch(site.at("/s.sh", lambda request: (request.wfile.write(b"220 mail.example.org\r\n"), None)[1]))


def test_nobody_listening_is_told(fetch: Fetch) -> None:
    with pytest.raises(ExecuteError, match=r"no connection to `127\.0\.0\.1`") as caught:
        fetch("http://127.0.0.1:1/s.sh")
    assert "--offline" in (caught.value.hint or "")


# Certificates and proxies ------------------------------------------------------------------------------------------


def test_a_self_signed_certificate_is_refused(serve: Callable[..., Site], certificate: Path, fetch: Fetch) -> None:
    site = serve(certificate)
    with pytest.raises(ExecuteError, match=r"cannot be trusted: self.signed certificate") as caught:
        fetch(site.script())
    assert "ssl_verify" in (caught.value.hint or "")
    assert not site.asked


def test_a_certificate_that_the_settings_name_is_accepted(
    serve: Callable[..., Site], certificate: Path, fetch: Fetch
) -> None:
    site = serve(certificate)
    assert fetch(site.script(), ssl_verify=str(certificate)).content == SCRIPT
    assert fetch(site.script(), environ={"REQUESTS_CA_BUNDLE": str(certificate)}).content == SCRIPT
    assert fetch(site.script(), ssl_verify=False).content == SCRIPT


def test_a_certificate_for_another_host_is_refused(serve: Callable[..., Site], certificate: Path, fetch: Fetch) -> None:
    site = serve(certificate)
    with pytest.raises(ExecuteError, match="cannot be trusted"):
        fetch(site.script().replace("127.0.0.1", "localhost"), ssl_verify=str(certificate))


def test_a_client_certificate_is_refused_rather_than_ignored(fetch: Fetch) -> None:
    with pytest.raises(SettingsError, match="client_ssl_cert"):
        fetch("https://127.0.0.1:1/s.sh", client_ssl_cert="/certificate.pem")


def test_a_file_without_certificates_is_named(tmp_path: Path, fetch: Fetch) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(SettingsError, match="no certificate in it"):
        fetch("https://127.0.0.1:1/s.sh", ssl_verify=str(tmp_path / "empty.pem"))


def _tunnel_to(site: Site) -> Answer:
    import socket

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        port = int(site.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as there:
            here = request.connection
            while True:
                for ready in select.select([here, there], [], [], 10)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (there if ready is here else here).sendall(data)

    return answer


@pytest.mark.parametrize("key", ["https", "https://localhost.example", "all"])
def test_the_proxy_of_the_settings_is_used(
    key: str, serve: Callable[..., Site], site: Site, certificate: Path, fetch: Fetch
) -> None:
    """The host is known to the proxy alone, as behind a firewall; its certificate is checked through the tunnel."""
    secure = serve(certificate)
    site.answers["CONNECT"] = _tunnel_to(secure)
    port = secure.url.rpartition(":")[2]
    secure.script()
    proxy = site.url.replace("://", "://me:hunter2@")
    with pytest.raises(ExecuteError, match="cannot be trusted") as caught:
        fetch(f"https://localhost.example:{port}/s.sh", proxy_servers=((key, proxy),), ssl_verify=str(certificate))
    assert "hunter2" not in render(caught.value)
    fetched = fetch(f"https://localhost.example:{port}/s.sh", proxy_servers=((key, proxy),), ssl_verify=False)
    assert fetched.content == SCRIPT
    expected = "Basic " + base64.b64encode(b"me:hunter2").decode()
    assert site.asked[0] == (f"localhost.example:{port}", expected)


def test_the_proxy_of_the_environment_is_used_unless_it_says_no(site: Site, fetch: Fetch) -> None:
    site.answers["CONNECT"] = sends(b"", 407)
    with pytest.raises(ExecuteError, match="407"):
        fetch("https://there.example/s.sh", environ={"https_proxy": site.url})
    assert site.paths() == ["there.example:443"]
    with pytest.raises(ExecuteError):
        fetch("https://there.invalid/s.sh", environ={"https_proxy": site.url, "no_proxy": ".invalid"})
    assert len(site.asked) == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "https://127.0.0.1:1"])
def test_a_proxy_that_is_not_spoken_is_refused(proxy: str, fetch: Fetch) -> None:
    with pytest.raises(SettingsError, match="cannot be fetched through"):
        fetch("https://there.example/s.sh", proxy_servers=(("https", proxy),))


# Pins and copies ---------------------------------------------------------------------------------------------------


def test_a_wrong_hash_is_refused(site: Site, fetch: Fetch, cache: Path) -> None:
    with pytest.raises(ExecuteError, match="not the one that was pinned") as caught:
        fetch(site.script() + "#sha256=" + "0" * 64)
    assert DIGEST in (caught.value.details or "")
    assert not cache.exists()


def test_what_is_pinned_and_was_fetched_needs_no_network(site: Site, fetch: Fetch) -> None:
    url = site.script() + "#sha256=" + DIGEST.upper()
    assert fetch(url) == fetch(url)
    assert len(site.asked) == 1


def test_offline_the_last_copy_is_taken(site: Site, fetch: Fetch) -> None:
    url = site.script()
    with pytest.raises(ExecuteError, match="there is no copy of"):
        fetch(url, offline=True)
    fetch(url)
    site.script(content=SCRIPT + b"# newer\n")
    fetch(url)
    assert fetch(url, offline=True).content == SCRIPT + b"# newer\n"
    assert len(site.asked) == 2


def test_a_copy_that_was_tampered_with_is_not_believed(site: Site, fetch: Fetch, cache: Path) -> None:
    url = site.script()
    fetch(url)
    (copy,) = cache.glob("code/*/fetched")
    copy.write_bytes(copy.read_bytes().replace(b"it ran", b"it ate"))
    with pytest.raises(ExecuteError, match="there is no copy of"):
        fetch(url, offline=True)


# User and password -------------------------------------------------------------------------------------------------


def test_user_and_password_go_to_their_server_alone(serve: Callable[..., Site], site: Site, fetch: Fetch) -> None:
    other = serve()
    site.at("/s.sh", leads_to("/again"))
    site.at("/again", leads_to(other.script()))
    fetch(site.url.replace("://", "://me:hun%40ter@") + "/s.sh")
    expected = "Basic " + base64.b64encode(b"me:hun@ter").decode()
    assert site.asked == [("/s.sh", expected), ("/again", expected)]
    assert other.asked == [("/s.sh", None)]


# Trust -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("https://example.org", "https://example.org/any/s.py", True),
        ("https://example.org/me/", "https://example.org/me/s.py", True),
        ("https://example.org/me", "https://example.org/me/s.py", False),
        ("example.org/*.py", "https://example.org/a/s.py", True),
        ("https://*.example.org/", "https://a.b.example.org/s.py", True),
        ("https://*.example.org/", "https://example.org/s.py", False),
        ("https://*.example.org/", "https://evil.org/.example.org/s.py", False),
        ("https://example.org", "https://example.org.evil.org/s.py", False),
        ("https://example.org", "https://example.org:8443/s.py", False),
        ("https://example.org", "http://example.org/s.py", False),
        ("https://example.org/me/*", "https://example.org/me/../you/s.py", False),
        ("https://example.org/me/*", "https://example.org/me/%2e%2E/you/s.py", False),
        ("https://example.org/me/*", "https://example.org/me/..\\you/s.py", False),
        ("https://example.org/me/*", "https://example.org/me/..;/you/s.py", False),
        ("https://example.org/my plots/*", "https://example.org/my%20plots/s.py", True),
        ("https://example.org/a.py", "https://example.org/aXpy", False),
        ("https://example.org/a.py", "https://example.org/a.py?of=you", False),
        ("https://[", "https://example.org/a.py", False),
    ],
)
def test_a_pattern_trusts_what_it_says_and_no_more(pattern: str, url: str, fits: bool) -> None:
    assert trust.matches(pattern, url) is fits


def _fetched(url: str = "https://example.org/s.sh", *via: str, content: bytes = SCRIPT) -> Fetched:
    parsed = address.parse(url)
    return Fetched(parsed, content, (str(parsed), *via))


def test_every_address_on_the_way_must_be_trusted() -> None:
    """A trusted server with an open redirect vouches for nobody else."""
    fetched = _fetched("https://example.org/s.sh", "https://evil.org/s.sh")
    assert trust.standing(fetched, ["https://example.org/"], None) == trust.UNKNOWN
    assert trust.standing(fetched, ["https://example.org/", "https://evil.org/"], None) == trust.TRUSTED


def test_a_page_may_be_trusted_in_place_of_its_file() -> None:
    fetched = _fetched("https://github.com/me/it/blob/main/s.py")
    assert trust.standing(fetched, ["https://github.com/me/"], None) == trust.TRUSTED
    assert trust.standing(fetched, ["https://raw.githubusercontent.com/me/*"], None) == trust.TRUSTED
    assert trust.standing(fetched, ["https://github.com/you/"], None) == trust.UNKNOWN


@pytest.mark.parametrize("ref", ["1" * 40, "abcdef1", "refs/pull/7"])
@pytest.mark.parametrize("place", ["github.com/me/it/blob", "github.com/me/it/raw", "raw.githubusercontent.com/me/it"])
def test_a_pattern_for_a_repository_does_not_trust_its_forks(place: str, ref: str) -> None:
    """Anybody can make a commit that GitHub shows under the address of the repository."""
    fetched = _fetched(f"https://{place}/{ref}/s.py")
    patterns = ["https://github.com/me/", "https://raw.githubusercontent.com/me/*"]
    assert trust.standing(fetched, patterns, None) == trust.UNKNOWN
    assert trust.standing(fetched, [*patterns, f"https://{place}/{ref}/"], None) == trust.TRUSTED
    hidden = _fetched(f"https://{place}/{ref.replace('1', '%31').replace('pull', 'p%75ll')}/s.py")
    assert trust.standing(hidden, patterns, None) == trust.UNKNOWN


def test_what_was_trusted_is_this_content_at_this_address(cache: Path) -> None:
    trust.remember(_fetched(), str(cache))
    assert trust.standing(_fetched(), [], str(cache)) == trust.TRUSTED
    assert trust.standing(_fetched(content=b"other"), [], str(cache)) == trust.CHANGED
    assert trust.standing(_fetched("https://example.org/t.sh"), [], str(cache)) == trust.UNKNOWN


def test_trust_is_kept_private_and_appended_to(cache: Path) -> None:
    for url in ("https://a.example/s", "https://b.example/s?token=tk-1"):
        trust.remember(_fetched(url), str(cache))
    path = Path(trusted_file(str(cache)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == f"{DIGEST} https://a.example/s\n{DIGEST} https://b.example/s?token=****\n"


def test_a_file_of_trust_that_others_may_write_to_is_not_believed(cache: Path) -> None:
    trust.remember(_fetched(), str(cache))
    os.chmod(trusted_file(str(cache)), 0o622)
    assert trust.standing(_fetched(), [], str(cache)) == trust.UNKNOWN


@given(st.binary(max_size=200))
def test_damage_to_the_file_of_trust_trusts_nothing(damage: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(trusted_file(folder)).write_bytes(damage)
        assert trust.standing(_fetched(), [], folder) != trust.TRUSTED


def test_a_hostile_header_cannot_paint_over_the_question() -> None:
    hostile = b"# conda execute\n# env: [six]  # \x1b[2J\xe2\x80\xae harmless\n"
    header = Header("conda execute", lines=(1, 2))
    script = Script(given="s.sh", path="/s.sh", head=hostile, title="s.sh")
    shown = trust.describe(_fetched(content=hostile), trust.UNKNOWN, header, script)
    assert all(line.isprintable() for line in shown.splitlines())
    assert "\\x1b[2J\\u202e" in shown


def test_a_long_line_of_a_header_cannot_push_the_rest_out_of_sight() -> None:
    long = b"# conda execute\n# env: [six]  # " + b"x" * 60_000 + b"\n"
    script = Script(given="s.sh", path="/s.sh", head=long, title="s.sh")
    shown = trust.describe(_fetched(content=long), trust.UNKNOWN, Header("conda execute", lines=(1, 2)), script)
    assert max(map(len, shown.splitlines())) < 250
    assert "more characters" in shown


# The program -------------------------------------------------------------------------------------------------------


def test_an_unknown_script_is_refused_without_a_terminal(world: World, site: Site) -> None:
    url = site.script()
    done = world.execute(url, "-v")
    assert (done.returncode, done.stdout) == (125, "")
    assert "is not trusted, and there is no terminal to ask on" in done.stderr
    assert "--trust" in done.stderr
    assert DIGEST in done.stderr
    assert not world.prefixes()


def test_trust_is_remembered_until_the_script_changes(world: World, site: Site) -> None:
    url = site.script()
    assert world.execute("--trust", url, "a b", check=True).stdout == "it ran a b\n"
    assert world.execute(url, check=True).stdout == "it ran\n"
    site.script(content=SCRIPT.replace(b"ran", b"changed"))
    done = world.execute(url)
    assert done.returncode == 125
    assert "is no longer what was trusted" in done.stderr
    assert world.execute("--offline", url).returncode == 125  # the last copy is the changed one
    site.script()
    assert world.execute(url, check=True).stdout == "it ran\n"
    assert world.execute("--offline", url, check=True).stdout == "it ran\n"


def test_a_pin_and_a_pattern_need_no_question(world: World, site: Site) -> None:
    url = site.script()
    assert world.execute(f"{url}#sha256={DIGEST}", check=True).stdout == "it ran\n"
    assert world.execute(url).returncode == 125
    trusting = world.with_settings(f"conda-execute:\n  trusted-urls:\n    - {site.url}/*.sh\n")
    assert trusting.execute(url, check=True).stdout == "it ran\n"


def test_an_environment_may_be_named_by_the_address_of_its_script(world: World, site: Site) -> None:
    url = site.script()
    world.execute("--trust", url, check=True)
    asked = len(site.asked)
    said = json.loads(world.tmpenv("info", "--json", url, check=True).stdout)
    assert said["prefix"] == str(world.prefixes()[0])
    assert said["script"] == url
    assert len(site.asked) == asked


def test_changes_of_header_and_body_are_shown_before_trust(world: World, site: Site) -> None:
    def served(what: str) -> str:
        return site.script(content=SCRIPT.replace(b"it ran", what.encode()))

    assert world.execute("--trust", served("old"), check=True).stdout == "old\n"
    changed = SCRIPT.replace(b"it ran", b"new\x1b[2J").replace(b"# env:", b"# quiet: true\n# env:")
    done = world.execute("--trust", site.script(content=changed), check=True)
    assert "    +# quiet: true\n" in done.stderr
    assert "    -echo old $*\n" in done.stderr
    assert "\x1b" not in done.stderr
    # What is trusted now is what the next change is compared with.
    done = world.execute("--trust", site.script(content=changed.replace(b"new\x1b[2J", b"newest")), check=True)
    assert "old" not in done.stderr
    assert "newest" in done.stderr


def test_trusted_scripts_are_listed_and_trusted_no_longer(world: World, site: Site) -> None:
    url = site.script()
    assert world.execute("--distrust", url).returncode == 125
    world.execute("--trust", url, check=True)
    read = valid(world.execute("--trusted", "--json", check=True).stdout, "trusted")
    assert read == {"scripts": [{"url": url, "sha256": DIGEST}], "trusted_urls": []}
    assert world.execute("--trusted", check=True).stdout.split() == [DIGEST, url]
    world.execute("--distrust", url, check=True)
    assert world.execute("--trusted", check=True).stdout == ""
    assert world.execute(url).returncode == 125
    world.execute("--trust", url, check=True)
    assert world.execute(url, check=True).stdout == "it ran\n"


def test_checking_a_header_needs_no_trust(world: World, site: Site) -> None:
    done = world.execute("--check", "--json", site.script(), check=True)
    assert json.loads(done.stdout)["specs"] == ["six"]


def test_a_wrong_header_is_located_in_the_address(world: World, site: Site) -> None:
    done = world.execute(site.script(content=b"# conda execute\n# env: six\n"))
    assert f"{site.url}/s.sh:2:8" in done.stderr


def test_a_local_file_named_like_a_protocol_is_a_file(world: World) -> None:
    script = world.script("httpd.sh", SCRIPT)
    assert world.execute(script.name, check=True).stdout == "it ran\n"


def _on_a_terminal(world: World, url: str, answer: str) -> tuple[int, str]:
    """Exit status of a run on a terminal, and all that was shown there; the answer is typed once it is asked for."""
    master, slave = pty.openpty()
    running = world.start(["conda-execute", url], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.1)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:
                break  # the other end is closed
            if b"[y/N]" in shown and answer:
                os.write(master, answer.encode())
                answer = ""
    status = running.wait(10)
    os.close(master)
    return status, shown.decode().replace("\r\n", "\n")


def test_yes_on_a_terminal_runs_it_and_is_remembered(world: World, site: Site) -> None:
    start = site.at("/short", leads_to(site.script()))
    status, shown = _on_a_terminal(world, start, "yes\n")
    assert (status, shown.splitlines()[-1]) == (0, "it ran")
    for line in (
        f"{start}: it is not trusted yet",
        f"  by way of  {site.url}/s.sh",
        f"  size       {len(SCRIPT)} bytes, 4 lines",
        "    # env: [six]",
    ):
        assert line in shown.splitlines()
    assert world.execute(start, check=True).stdout == "it ran\n"


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "yess\n"], ids=["no", "nothing", "end of file", "mistyped"])
def test_anything_but_yes_on_a_terminal_runs_nothing(answer: str, world: World, site: Site) -> None:
    status, shown = _on_a_terminal(world, site.script(), answer)
    assert (status, shown.splitlines()[-1]) == (125, f"error: cancelled: `{site.url}/s.sh` was not run")
    assert "it ran" not in shown.replace("echo it ran", "")
    assert not world.prefixes()
    assert not Path(trusted_file(str(world.cache))).exists()


def test_what_was_typed_ahead_belongs_to_the_script(world: World, site: Site) -> None:
    url = site.script(content=SCRIPT + b"read line; echo got $line\n")
    status, shown = _on_a_terminal(world, url, "y\nfor the script\n")
    assert (status, shown.splitlines()[-1]) == (0, "got for the script")


def test_user_and_password_are_never_printed_and_never_kept(world: World, site: Site) -> None:
    """Not on success, not on failure, not in any file, not in the script's own arguments and environment."""
    script = SCRIPT + b"echo $0; env\n"
    secret = site.url.replace("://", "://me:hunter2@")
    site.script(content=script)
    site.at("/gone", sends(b"", 404))
    site.at("/page", sends(b"<html>"))
    site.at("/away", leads_to("/s.sh"))
    said = ""
    for words in (
        ["-v", "--trust", f"{secret}/s.sh"],
        ["-v", "--trust", f"{secret}/away"],
        ["--json", f"{secret}/s.sh"],
        [f"{secret}/gone"],
        [f"{secret}/page"],
        [f"{secret}/s.sh#sha256={'0' * 64}"],
        [f"{secret.replace('127.0.0.1', '127.0.0.1:x')}/s.sh"],
        ["--add", "six", f"{secret}/s.sh"],
        ["--lock", f"{secret}/s.sh"],
        [f"{secret.replace('http', 'ftp')}/s.sh"],
        [f"{secret.replace('127.0.0.1', '192.0.2.1')}/s.sh"],
    ):
        done = world.execute(*words)
        said += done.stdout + done.stderr
    for words in (["info", f"{secret}/s.sh"], ["clear", "--dry-run", f"{secret}/s.sh"], ["keep", f"{secret}/none.sh"]):
        done = world.tmpenv(*words)
        said += done.stdout + done.stderr
    assert "it ran" in said
    assert site.asked[0][1] is not None
    assert "hunter2" not in said
    files = [path for path in world.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.name == "conda-execute" for path in files)
    kept = [path for path in files if b"hunter2" in path.read_bytes()]
    assert kept == []


def test_copies_of_addresses_that_are_shown_alike_are_kept_apart() -> None:
    one, two = (address.parse(f"https://example.org/s?key={key}") for key in "ab")
    assert str(one) == str(two)
    assert remote._copy_path(one, "/c") != remote._copy_path(two, "/c")
    assert replace(one, pin="0" * 64).url == one.url
