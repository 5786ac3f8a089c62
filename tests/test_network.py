"""What the network settings make the engine ask of a server: channels, tokens, passwords, proxies, certificates.

A small server on this machine serves a real channel and records every request; a package is solved, downloaded and
linked from it.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from conda_execute import engines
from conda_execute.configuration.channels import resolve_channels
from conda_execute.configuration.declared import Settings
from conda_execute.configuration.settings import load
from conda_execute.engines import Options
from conda_execute.engines.network import connect
from conda_execute.engines.rattler.engine import Rattler
from conda_execute.errors import ExecuteError, SettingsError
from conda_execute.model import Request
from conda_execute.terminal.errors import render
from tests import tiny
from tests.conftest import World
from tests.oracle import conda_program
from tests.serving import Files, Server
from tests.tiny import Tiny

TOKEN = "tk-0123-abc"


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    host: str
    authorization: str | None
    proxy_authorization: str | None


@dataclass
class Site:
    """A server, the directory it serves, and what it was asked. `/t/TOKEN/` in a path is checked and left out."""

    url: str
    port: int
    asked: list[Asked] = field(default_factory=list)
    #: Refuse requests without this Authorization header, or without the token.
    password: str | None = None
    token: str | None = None

    @property
    def paths(self) -> set[str]:
        return {asked.path for asked in self.asked}


class Handler(Files):
    def __init__(self, site: Site, *args: object, **options: object) -> None:
        self.site = site
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def send_head(self) -> Any:
        headers = self.headers
        self.site.asked.append(
            Asked(self.command, self.path, headers["Host"], headers["Authorization"], headers["Proxy-Authorization"])
        )
        self.path = urlsplit(self.path).path  # a proxy is asked for whole URLs
        if self.site.password and headers["Authorization"] != self.site.password:
            self.send_error(401)
            return None
        if self.site.token:
            before, token, after = self.path.partition(f"/t/{self.site.token}/")
            if not token:
                self.send_error(403)
                return None
            self.path = f"{before}/{after}"
        return super().send_head()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the channels `main` and `api/inner`."""
    folder = tmp_path_factory.mktemp("served")
    tiny.channel(folder / "main", Tiny("app", depends=("lib",)), Tiny("lib"), Tiny("other", subdir="linux-64"))
    tiny.channel(folder / "api" / "inner", Tiny("app"))
    return folder


@pytest.fixture
def serve(served: Path) -> Iterator[Callable[..., Site]]:
    with ExitStack() as servers:

        def start(certificate: Path | None = None) -> Site:
            site = Site("", 0)
            handler = functools.partial(Handler, site, directory=str(served))
            server = servers.enter_context(Server(handler, certificate))
            site.url, site.port = server.url, server.server_port
            return site

        yield start


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials, and an environment without proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@dataclass
class Machine:
    folder: Path

    def settings(self, text: str) -> Settings:
        (self.folder / "home" / ".condarc").write_text(text)
        return load(os.environ, search_path=["~/.condarc"], prefix=str(self.folder))

    def install(self, text: str, *names: str, spec: str = "app", offline: bool = False) -> Path:
        """Install `spec` from these channels, or the configured ones, with this condarc; return the prefix."""
        settings = self.settings(text)
        channels = resolve_channels(names or settings.channels, settings)
        request = Request(
            specs=(spec,), channels=channels, platform="linux-64", host_platform="linux-64", channel_priority="strict"
        )
        cache = self.folder / "cache"
        prefix = self.folder / "prefix"
        engines.build(
            Rattler(),
            request,
            str(prefix),
            Options(cache=str(cache), settings=settings, offline=offline or settings.offline),
        )
        return prefix


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def recorded(prefix: Path, name: str = "app") -> dict[str, str]:
    (path,) = (prefix / "conda-meta").glob(f"{name}-*.json")
    record: dict[str, str] = json.loads(path.read_text())
    return record


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# --- Where names lead


def test_a_channel_alias_is_where_names_are_fetched(machine: Machine, site: Site) -> None:
    prefix = machine.install(f"channel_alias: {site.url}\nchannels: [main]\n")
    assert "/main/noarch/app-1.0-0.tar.bz2" in site.paths
    assert recorded(prefix)["url"] == f"{site.url}/main/noarch/app-1.0-0.tar.bz2"


def test_a_custom_channel_is_fetched_from_its_own_place(machine: Machine, site: Site) -> None:
    machine.install(f"custom_channels:\n  inner: {site.url}/api\nchannels: [inner]\n")
    assert "/api/inner/noarch/app-1.0-0.tar.bz2" in site.paths


def test_a_denied_channel_is_refused_before_anything_is_asked(machine: Machine, site: Site) -> None:
    condarc = f"channel_alias: {site.url}\nchannels: [main]\ndenylist_channels: [main]\n"
    for name in ("main", f"{site.url}/main"):
        with pytest.raises(SettingsError, match="denied"):
            machine.install(condarc, name)
    with pytest.raises(SettingsError, match="allowlist"):
        machine.install(f"channel_alias: {site.url}\nallowlist_channels: [api/inner]\n", "main")
    assert site.asked == []


def test_a_mirror_stands_in(machine: Machine, site: Site) -> None:
    machine.install(f"mirrored_channels:\n  conda-forge: ['{site.url}/main']\nchannels: [conda-forge]\n")
    assert "/main/noarch/app-1.0-0.tar.bz2" in site.paths


def test_the_programs_tell_who_denies_a_channel_and_ask_nobody(world: World, site: Site) -> None:
    world = world.with_settings(f"channel_alias: {site.url}\ndenylist_channels:\n  - main\n")
    script = world.script("plot.py", "# conda execute\n# env: [app]\n# channels:\n#  - conda-forge\n#  - main\n")
    for words in (["conda-execute", script], ["conda-tmpenv", "create", "app", "--channel", "main"]):
        refused = world.run(words)
        assert refused.returncode == 125
        assert "the channel `main` is denied by `denylist_channels`" in refused.stderr
        assert f"{world.condarc}:" in refused.stderr
    assert "plot.py:5:6\n  5 | #  - main\n" in world.run(["conda-execute", script]).stderr
    assert site.asked == []
    assert world.prefixes() == []


def test_the_programs_fetch_through_a_proxy_with_its_password(world: World, site: Site) -> None:
    world = world.with_(RATTLER_CACHE_DIR=str(world.root / "packages")).with_settings(
        f"""\
        proxy_servers:
          http: http://me:hush@127.0.0.1:{site.port}
        channel_alias: http://conda.example
        """
    )
    script = world.script(
        "show.sh", "# conda execute\n# env: [app]\n# channels: [main]\ncat $CONDA_PREFIX/share/app.txt\n"
    )
    ran = world.execute("-v", script, check=True)
    assert ran.stdout == "app 1.0\n"
    assert "hush" not in ran.stderr
    assert "http://conda.example/main/noarch/app-1.0-0.tar.bz2" in site.paths
    assert {asked.proxy_authorization for asked in site.asked} == {basic("me", "hush")}


# --- Secrets


@pytest.mark.parametrize("where", ["alias", "custom channel", "channel", "anaconda-client"])
def test_a_token_opens_a_channel_and_is_recorded_nowhere(
    machine: Machine, site: Site, home: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.token = TOKEN
    secret = f"{site.url}/t/{TOKEN}"
    condarc = {
        "alias": f"channel_alias: {secret}\nchannels: [main]\n",
        "custom channel": f"custom_channels:\n  main: {secret}\nchannels: [main]\n",
        "channel": f"channels: ['{secret}/main']\n",
        "anaconda-client": f"channels: ['{site.url}/main']\n",
    }[where]
    if where == "anaconda-client":
        monkeypatch.setenv("BINSTAR_CONFIG_DIR", str(home))
        (home / "data").mkdir()
        (home / "data" / f"http%3A%2F%2F127.0.0.1%3A{site.port}.token").write_text(TOKEN)
    prefix = machine.install(condarc)
    assert f"/t/{TOKEN}/main/noarch/app-1.0-0.tar.bz2" in site.paths
    assert all(f"/t/{TOKEN}/" in path for path in site.paths)
    for file in (prefix / "conda-meta").iterdir():
        assert TOKEN not in file.read_text()


def test_the_token_of_a_site_below_a_path_comes_after_the_path(machine: Machine, site: Site) -> None:
    site.token = TOKEN
    machine.install(f"channel_alias: {site.url}/t/{TOKEN}/api\nchannels: [inner]\n")
    assert f"/api/t/{TOKEN}/inner/noarch/app-1.0-0.tar.bz2" in site.paths


def test_a_password_in_a_url_is_sent_and_recorded_nowhere(machine: Machine, site: Site) -> None:
    site.password = basic("me", "p@ss word")
    prefix = machine.install(f"channels: ['http://me:p%40ss%20word@127.0.0.1:{site.port}/main']\n")
    assert {asked.authorization for asked in site.asked} == {site.password}
    record = recorded(prefix)
    assert record["url"] == f"{site.url}/main/noarch/app-1.0-0.tar.bz2"
    assert "ss word" not in json.dumps(record)


def test_no_file_with_a_password_is_left(machine: Machine, site: Site, tmp_path: Path) -> None:
    machine.install(f"channels: ['http://me:hushhush@127.0.0.1:{site.port}/main']\n")
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".condarc"]
    assert not [path for path in kept if b"hushhush" in path.read_bytes()]
    assert "RATTLER_AUTH_FILE" not in os.environ


@pytest.mark.parametrize("engine", ["rattler", "conda"])
def test_a_password_in_a_header_is_neither_told_nor_kept_in_the_environment(
    world: World, site: Site, engine: str
) -> None:
    if engine == "conda":
        solver = os.environ.get("CONDA_EXECUTE_TEST_CONDA_SOLVER", "classic")
        world = world.with_(CONDA_EXE=conda_program(), CONDA_SOLVER=solver, CONDA_PKGS_DIRS=str(world.root / "pkgs"))
    site.password = basic("me", "hushhush")
    channel = f"http://me:hushhush@127.0.0.1:{site.port}/main"
    script = world.script("show.sh", f"# conda execute\n# env: [app]\n# channels: ['{channel}']\n# run_with: echo\n")
    ran = world.execute("-v", "--backend", engine, script, check=True)
    assert f"channels: [http://***********@127.0.0.1:{site.port}/main]" in ran.stderr
    assert "hushhush" not in ran.stderr
    files = [path for path in world.tmp_envs.rglob("*") if path.is_file()]
    assert [path.name for path in files if path.name == "history"]
    assert not [path for path in files if b"hushhush" in path.read_bytes()]


@pytest.mark.parametrize("where", ["netrc", "rattler", "variable", "variable and url of another host"])
def test_stored_credentials_are_used(
    machine: Machine, site: Site, home: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.password = basic("stored", "secret")
    entry = json.dumps({"127.0.0.1": {"BasicHTTP": {"username": "stored", "password": "secret"}}})
    channels = [f"{site.url}/main"]
    if where == "netrc":
        (home / ".netrc").write_text("machine 127.0.0.1 login stored password secret\n")
        (home / ".netrc").chmod(0o600)
    elif where == "rattler":
        (home / ".rattler").mkdir()
        (home / ".rattler" / "credentials.json").write_text(entry)
    else:
        (home / "auth.json").write_text(entry)
        monkeypatch.setenv("RATTLER_AUTH_FILE", str(home / "auth.json"))
        if where != "variable":
            channels.append("file://u:p@localhost/nowhere")
    if where == "variable and url of another host":
        settings = machine.settings("")
        (other,) = resolve_channels(["https://u:p@other.example/x"], settings)
        request_channels = (*resolve_channels(channels[:1], settings), other)
        client, _ = connect(request_channels, Options(cache=str(home / "r"), settings=settings))
        assert os.environ["RATTLER_AUTH_FILE"] == str(home / "auth.json")
        assert client is not None
    machine.install("", *channels[:1])
    assert {asked.authorization for asked in site.asked} == {site.password}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be other users")
@pytest.mark.parametrize("owner", [0, 61234])
def test_root_takes_no_credentials_from_the_home_of_a_user(world: World, site: Site, owner: int) -> None:
    site.password = basic("stored", "secret")
    (world.home / ".netrc").write_text("machine 127.0.0.1 login stored password secret\n")
    (world.home / ".rattler").mkdir()
    entry = json.dumps({"127.0.0.1": {"BasicHTTP": {"username": "stored", "password": "secret"}}})
    (world.home / ".rattler" / "credentials.json").write_text(entry)
    os.chown(world.home, owner, owner)
    done = world.with_settings("remote_max_retries: 0\n").tmpenv("create", "-c", f"{site.url}/main", "app")
    sent = {asked.authorization for asked in site.asked}
    assert (done.returncode, sent) == ((0, {site.password}) if owner == 0 else (125, {None})), done.stderr


def test_a_refused_password_is_not_shown(machine: Machine, site: Site) -> None:
    site.password = basic("me", "right")
    with pytest.raises(ExecuteError) as caught:
        machine.install(f"remote_max_retries: 0\nchannels: ['http://me:wrongword@127.0.0.1:{site.port}/main']\n")
    assert "wrongword" not in render(caught.value)


@dataclass(frozen=True)
class Planted:
    """A world with a secret in every place that can hold one. All secrets have `hush` in them."""

    world: World
    #: What opens the site.
    site: str
    script: Path
    #: All that was said.
    said: list[str] = field(default_factory=list)

    def run(self, *words: str | Path, program: str = "conda-execute", status: int = 0) -> str:
        done = self.world.run([program, *words])
        assert done.returncode == status, done.stderr
        self.said.extend((done.stdout, done.stderr))
        return str(done.stdout)

    def leaks(self) -> list[str]:
        """What was said, or is kept below the world or in the directory for temporary files, and has a secret in it."""
        planted = {self.script, self.world.root / "condarc", self.world.home / ".netrc", self.world.root / "auth.json"}
        kept = [path for top in (self.world.root, Path(self.world.environ["TMPDIR"])) for path in top.rglob("*")]
        # A note of a process that sweeps comes and goes.
        files = [path for path in kept if path.is_file() and "conda-execute.uses-" not in str(path)]
        return [text for text in self.said if "hush" in text] + [
            str(path)
            for path in files
            if path not in planted and path.suffix != ".planted" and b"hush" in path.read_bytes()
        ]


@pytest.fixture
def planted(world: World, site: Site, served: Path) -> Planted:
    site.password, site.token = basic("hushme", "hush word"), "tk-hush-1"
    opened = f"http://hushme:hush%20word@127.0.0.1:{site.port}/t/{site.token}"
    if not (served / "wheels").exists():
        tiny.wheel(served / "wheels", "tool")
        tiny.wheel(served / "simple" / "indexed", "indexed")
    auth = world.root / "auth.json"
    auth.write_text(json.dumps({"other.example": {"BearerToken": "hush-bearer"}}))
    (world.home / ".netrc").write_text("machine other.example login hushme password hushhush\n")
    (world.home / ".netrc").chmod(0o600)
    world = world.with_settings(
        f"""\
          private: {opened}
        channel_alias: {opened}
        default_channels: ['{opened}/main']
        """
    ).with_(
        RATTLER_AUTH_FILE=str(auth),
        CONDA_CHANNELS=f"{opened}/main",
        UV_INDEX=f"{opened}/simple",
        PIP_INDEX_URL=f"{opened}/simple",
        RATTLER_CACHE_DIR=str(world.root / "packages"),
        UV_CACHE_DIR=str(served.parent / f"uv-{site.port}"),
    )
    script = world.script(
        "plot.py",
        f"""\
        # conda execute
        # env:
        #  - python
        #  - app
        #  - pip:
        #    - tool @ {opened}/wheels/tool-1.0-py3-none-any.whl?sig=hush&a=b
        #    - indexed
        # channels: [conda-forge, '{opened}/main']
        # run_with: python
        import tool, indexed
        print(tool.VERSION, indexed.VERSION)
        """,
    )
    return Planted(world, opened, script)


def test_no_secret_is_said_or_kept_by_a_run(planted: Planted) -> None:
    """Wherever it was planted: in the header, the settings, variables, stored credentials, options."""
    plot = planted.script
    for words in (["-v"], [], [], ["--check", "-v"], ["--check", "--json"], ["--dry-run", "--json"], ["-v", "--lock"]):
        planted.run(*words, plot)
    assert planted.run("--locked", "--offline", plot) == "1.0 1.0\n"
    assert list((planted.world.cache / "launch").rglob("plot.py.sh")), "what is secret is compared as anything"
    for form in ("environment.yml", "explicit", "pixi.lock", "cyclonedx", "spdx"):
        planted.run("--export", form, plot)
    for command in ("list", "info"):
        for words in ([], ["--json"], ["-v"]):
            planted.run(command, *words, *([plot] if command == "info" else []), program="conda-tmpenv")
    planted.run("create", "app", "--channel", f"{planted.site}/main", program="conda-tmpenv")
    planted.run("--add", f"pypi:more @ {planted.site}/wheels/more-1.0-py3-none-any.whl", "--dry-run", plot)
    assert not planted.leaks(), planted.leaks()


def test_no_secret_is_said_in_an_error(planted: Planted, site: Site) -> None:
    world, opened = planted.world, planted.site
    wrong = {
        "spec": f"# env: [app, '{opened}/main::app >=']\n",
        "missing": f"# env: [app, nowhere]\n# channels: ['{opened}/main']\n",
        "query": f"# env: [app]\n# channels: ['{opened}/main?token=hush']\n",
        "password": f"# env: [app]\n# channels: ['{opened.replace('word', 'hush')}/main']\n",
        "token": f"# env: [app]\n# channels: ['{opened.replace('tk-', 'tk-hush-')}/main']\n",
        "bare": "# env: [app]\n# channels: conda.example/t/tk-hush-1/main: x\n",
        "pip": f"# env: [python, {{pip: ['gone @ {opened}/gone-1.0-py3-none-any.whl?key=hush']}}]\n",
        "key": f"# env: [app]\n# chanels: ['{opened}/main']\n",
    }
    world = world.with_settings("remote_max_retries: 0\n").with_(CONDA_CHANNELS=None, UV_HTTP_RETRIES="0")
    one = replace(planted, world=world)
    for name, header in wrong.items():
        script = world.script(f"{name}.planted", f"# conda execute\n{header}# run_with: cat\n")
        one.run(script, status=125)
    one.said.append(world.execute("--json", world.work / "spec.planted", world.work / "query.planted").stdout)
    for words in (
        ("--with", f"pypi:gone @ {opened}/gone.whl", planted.script),
        ("--channel", f"{opened}/main?token=hush", planted.script),
        ("--chanel", f"{opened}/main", planted.script),
        ("--trust", f"{opened}/gone.py?auth=hush"),
    ):
        done = world.execute(*words)
        assert done.returncode != 0
        one.said.append(done.stderr)
    assert not one.leaks(), one.leaks()


@pytest.mark.parametrize("locked", [False, True])
def test_conda_gets_no_secret_in_its_arguments(planted: Planted, world: World, tmp_path: Path, locked: bool) -> None:
    """Everyone on the machine can read them, and conda writes them into the history of the environment."""
    solver = os.environ.get("CONDA_EXECUTE_TEST_CONDA_SOLVER", "classic")
    # Settings that do not know the channel: the header alone says what opens it.
    world = planted.world.with_(CONDARC=str(world.condarc), CONDA_CHANNELS=None)
    conda = world.root / "conda"
    conda.write_text(f'#!/bin/sh\necho "$@" >>{world.root}/words\nexec {conda_program()} "$@"\n')
    conda.chmod(0o755)
    world = world.with_(CONDA_EXE=str(conda), CONDA_SOLVER=solver, CONDA_PKGS_DIRS=str(tmp_path / "pkgs"))
    planted = replace(planted, world=world)
    if locked:
        planted.run("--lock", planted.script)
    planted.run("-v", "--backend", "conda", "--force-env", planted.script)
    assert "create" in (world.root / "words").read_text()
    assert not planted.leaks(), planted.leaks()


# --- Proxies


def test_a_proxy_is_asked_for_everything(machine: Machine, site: Site) -> None:
    condarc = f"proxy_servers:\n  http: http://me:word@127.0.0.1:{site.port}\nchannels: ['http://conda.example/main']\n"
    machine.install(condarc)
    assert "http://conda.example/main/noarch/app-1.0-0.tar.bz2" in site.paths
    assert {asked.proxy_authorization for asked in site.asked} == {basic("me", "word")}


def test_a_configured_proxy_comes_before_the_environments(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    machine.install(f"proxy_servers:\n  http: 127.0.0.1:{site.port}\nchannels: ['http://conda.example/main']\n")
    assert site.asked
    site.asked.clear()
    shutil.rmtree(machine.folder / "cache")
    shutil.rmtree(machine.folder / "prefix")
    machine.install(f"proxy_servers:\n  http: ~\nchannels: ['{site.url}/main']\n")
    assert "/main/noarch/app-1.0-0.tar.bz2" in site.paths, "no proxy means none"


def test_no_proxy_for_all_schemes_means_none(machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for scripts from the web."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    machine.install(f"proxy_servers:\n  all: ~\nchannels: ['{site.url}/main']\n")
    assert "/main/noarch/app-1.0-0.tar.bz2" in site.paths


@pytest.mark.parametrize(
    ("condarc", "message"),
    [
        ("client_ssl_cert: /c.pem\n", "cannot present a client certificate"),
        ("proxy_servers:\n  'http://one.example': http://p\n", "none for `http://one.example`"),
        ("proxy_servers:\n  http: socks5://p\n", "cannot use a `socks5` proxy"),
    ],
    ids=["certificate", "proxy-for-one-host", "socks"],
)
def test_what_cannot_be_honoured_is_refused(machine: Machine, condarc: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        machine.install(condarc)
    assert caught.value.where[0].path.endswith(".condarc")
    assert "backend: conda" in (caught.value.hint or "")


# --- Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority `ca.pem`, and `server.pem` that it signed for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("making a certificate needs the program `openssl`")
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    ca = "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test"
    request = "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=127.0.0.1"
    sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.crt"
    for line in (f"{ca} -addext basicConstraints=critical,CA:TRUE", request, sign):
        subprocess.run([openssl, *line.split()], cwd=folder, check=True, capture_output=True)
    (folder / "server.pem").write_text((folder / "server.crt").read_text() + (folder / "server.key").read_text())
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="other systems verify with their own store")
@pytest.mark.parametrize("how", ["file", "directory", "off", "variable"])
def test_certificates_are_trusted_as_configured(
    machine: Machine, serve: Callable[..., Site], certificates: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve(certificates / "server.pem")
    authority = certificates / "ca.pem"
    verify = {"file": authority, "directory": machine.folder / "trusted", "off": "false", "variable": "true"}[how]
    if how == "directory":
        (machine.folder / "trusted").mkdir()
        hashed = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", authority], capture_output=True, text=True, check=True
        )
        shutil.copy(authority, machine.folder / "trusted" / f"{hashed.stdout.strip()}.0")
    if how == "variable":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    machine.install(f"ssl_verify: {verify}\nchannels: ['{site.url}/main']\n")
    assert "/main/noarch/app-1.0-0.tar.bz2" in site.paths
    assert str(authority) not in (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def test_an_unknown_certificate_is_refused(machine: Machine, serve: Callable[..., Site], certificates: Path) -> None:
    site = serve(certificates / "server.pem")
    with pytest.raises(ExecuteError) as caught:
        machine.install(f"remote_max_retries: 0\nchannels: ['{site.url}/main']\n")
    assert "certificate" in render(caught.value)
    assert site.asked == []


# --- Repodata


def test_offline_nothing_is_asked(machine: Machine, site: Site) -> None:
    condarc = f"channel_alias: {site.url}\nchannels: [main]\n"
    machine.install(condarc)
    site.asked.clear()
    shutil.rmtree(machine.folder / "prefix")
    machine.install(condarc, offline=True)
    shutil.rmtree(machine.folder / "prefix")
    machine.install(condarc + "offline: true\n")
    assert site.asked == []


def test_repodata_formats_can_be_switched_off(machine: Machine, site: Site) -> None:
    machine.install(f"repodata_use_zst: false\nrepodata_use_shards: false\nchannels: ['{site.url}/main']\n")
    assert not [path for path in site.paths if path.endswith((".zst", ".msgpack"))]
