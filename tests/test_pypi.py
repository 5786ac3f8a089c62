"""PyPI packages next to conda's, in one prefix: real interpreters, real wheels, real uv."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conda_execute import engines
from conda_execute.configuration.settings import load
from conda_execute.engines import Options, verify
from conda_execute.engines.pypi import installed, project
from conda_execute.engines.rattler import engine
from conda_execute.environments.name import environment_name
from conda_execute.errors import CreationError, InterruptError, Location
from conda_execute.lean.values import replace
from conda_execute.resolve import resolve
from conda_execute.script.header.keys import Header
from conda_execute.specs.requirement import is_version
from tests import tiny
from tests.channel import Package
from tests.conftest import World
from tests.serving import Quiet, Server
from tests.tiny import wheel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the local channel is made for POSIX")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheels")
    wheel(directory, "idna", "3.4")
    wheel(directory, "idna", "3.11")
    wheel(directory, "plain")
    wheel(directory, "plain", "2.0")
    wheel(directory, "needs-idna", requires=("idna>=3",))
    wheel(directory, "needs-old-idna", requires=("idna<3.5",))
    wheel(directory, "with-extra", extras={"more": "plain"})
    for path in directory.glob("*.whl"):
        page = directory / "simple" / path.name.split("-")[0].replace("_", "-") / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a") as file:
            file.write(f'<a href="{path.as_uri()}">{path.name}</a>\n')
    return directory


@pytest.fixture(scope="session")
def packages(session_directory: Path) -> str:
    """One package cache for the module, since unpacking an interpreter takes a while."""
    return str(session_directory / "pypi-packages")


@pytest.fixture
def options(wheels: Path, packages: str, tmp_path: Path) -> Options:
    """Engines whose index is made of the local wheels."""
    environ = {
        "PATH": os.defpath,
        "HOME": str(tmp_path / "home"),
        "UV_DEFAULT_INDEX": (wheels / "simple").as_uri(),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }
    return Options(environ=environ, cache=packages)


@pytest.fixture
def make(channel: Path, tmp_path: Path, options: Options):
    """Makes an environment of `python` and these conda packages and PyPI requirements; returns prefix and Built."""

    def make(conda: tuple[str, ...], *requirements: str, options: Options = options, **rest: Any):
        rest.setdefault("channels", {"conda-forge": channel})
        request = tiny.request("python", *conda, pypi=requirements, **rest)
        prefix = str(tmp_path / "prefix")
        return prefix, engines.build(engine.Rattler(), request, prefix, options)

    return make


def version(prefix: str, module: str) -> str:
    code = f"import {module}; print(getattr({module}, 'VERSION', None) or {module}.__version__, {module}.__file__)"
    run = subprocess.run([f"{prefix}/bin/python", "-I", "-c", code], capture_output=True, text=True, check=True)
    number, path = run.stdout.split()
    assert path.startswith(prefix)
    return number


def failure(work) -> CreationError:
    with pytest.raises(CreationError) as caught:
        work()
    assert caught.value.step == "pypi"
    return caught.value


class TestInstalled:
    def test_a_requirement_is_importable_and_counted(self, make):
        prefix, built = make((), "plain<2")
        assert version(prefix, "plain") == "1.0"
        assert built.packages == 1 + len(list(Path(prefix, "conda-meta").glob("*.json")))

    def test_pip_and_conda_lists_can_tell_who_installed_what(self, make):
        prefix, _ = make(("idna",), "plain")
        installers = {one.name: one.installer for one in installed.distributions(prefix)}
        assert installers["plain"] == "uv"
        assert installers["idna"] == "conda"

    def test_a_file_that_is_not_what_uv_installed_is_found(self, make):
        prefix, _ = make((), "plain")
        assert verify.damaged(prefix) == []
        (module,) = Path(prefix).glob("lib/python3*/site-packages/plain*.py")
        content = module.read_text()
        module.unlink()  # it may be one with uv's
        module.write_text(content + "#")
        assert verify.damaged(prefix) == [f"`{module.relative_to(prefix)}` has changed since it was installed"]

    def test_what_conda_installed_satisfies_requirements_and_is_not_installed_twice(self, make):
        prefix, built = make(("idna ==3.7",), "needs-idna")
        assert version(prefix, "idna") == "3.7"
        assert [one.name for one in installed.distributions(prefix)].count("idna") == 1
        assert built.packages == len(list(Path(prefix, "conda-meta").glob("*.json"))) + 1

    def test_an_extra_brings_its_packages(self, make):
        prefix, _ = make((), "with-extra[more]")
        assert version(prefix, "plain") == "2.0"

    def test_a_marker_that_does_not_hold_installs_nothing(self, make):
        prefix, _ = make((), "plain; sys_platform == 'win32'")
        assert "plain" not in [one.name for one in installed.distributions(prefix)]

    def test_a_url_with_its_hash(self, make, wheels):
        path = wheels / "plain-1.0-py3-none-any.whl"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        prefix, _ = make((), f"plain @ {path.as_uri()}#sha256={digest}")
        assert version(prefix, "plain") == "1.0"

    def test_a_url_with_another_hash_is_refused(self, make, wheels):
        url = (wheels / "plain-1.0-py3-none-any.whl").as_uri()
        error = failure(lambda: make((), f"plain @ {url}#sha256={'0' * 64}"))
        assert error.message == "a PyPI package does not match its hash"

    def test_a_local_wheel_and_a_local_project(self, make, wheels, tmp_path):
        project = tmp_path / "project with blank"
        project.mkdir()
        (project / "mine.py").write_text("VERSION = 'local'\n")
        # A build backend within the project: no index is needed to build it.
        (project / "backend.py").write_text(
            "import zipfile\n"
            "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
            "    with zipfile.ZipFile(f'{directory}/mine-7-py3-none-any.whl', 'w') as archive:\n"
            "        archive.write('mine.py')\n"
            "        for name, text in [('METADATA', 'Metadata-Version: 2.1\\nName: mine\\nVersion: 7\\n'),\n"
            "                ('WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'),\n"
            "                ('RECORD', 'mine.py,,\\nmine-7.dist-info/RECORD,,\\n')]:\n"
            "            archive.writestr(f'mine-7.dist-info/{name}', text)\n"
            "    return 'mine-7-py3-none-any.whl'\n"
        )
        (project / "pyproject.toml").write_text(
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        )
        prefix, _ = make((), str(project), str(wheels / "plain-1.0-py3-none-any.whl"))
        assert version(prefix, "mine") == "local"
        assert version(prefix, "plain") == "1.0"

    def test_settings_files_of_the_working_directory_do_not_matter(self, make, tmp_path, monkeypatch):
        stray = tmp_path / "stray"
        stray.mkdir()
        (stray / "uv.toml").write_text("no-binary = true\n[pip]\ntarget = 'elsewhere'\n")
        (stray / "pyproject.toml").write_text("[tool.uv]\nconstraint-dependencies = ['plain<2']\n")
        monkeypatch.chdir(stray)
        prefix, _ = make((), "plain")
        assert version(prefix, "plain") == "2.0"

    def test_variables_that_lead_elsewhere_do_not_matter(self, make, options, tmp_path):
        led = replace(
            options, environ={**options.environ, "UV_PYTHON": "3.4", "UV_SYSTEM_PYTHON": "1", "PYTHONHOME": "/nowhere"}
        )
        prefix, _ = make((), "plain", options=led)
        assert version(prefix, "plain") == "2.0"

    @pytest.mark.parametrize(
        ("variable", "value"),
        [("UV_RESOLUTION", "lowest"), ("UV_CONSTRAINT", "{}/old.txt"), ("UV_NO_BINARY_PACKAGE", "plain")],
        ids=["resolution", "constraint", "builds"],
    )
    def test_variables_that_choose_packages_do_not_matter(self, make, options, tmp_path, variable, value):
        """They are not part of the name, and the environment is everybody's."""
        (tmp_path / "old.txt").write_text("plain<2")
        set_here = replace(options, environ={**options.environ, variable: value.format(tmp_path)})
        prefix, _ = make((), "plain", options=set_here)
        assert version(prefix, "plain") == "2.0"

    def test_tool_uv_holds(self, make):
        prefix, _ = make((), "plain", uv=json.dumps({"constraint-dependencies": ["plain<2"]}))
        assert version(prefix, "plain") == "1.0"

    def test_sources_of_tool_uv_are_relative_to_the_script(self, make, wheels, options, tmp_path):
        (tmp_path / "scripts").mkdir()
        beside = tmp_path / "scripts" / "plain-1.0-py3-none-any.whl"
        beside.write_bytes((wheels / beside.name).read_bytes())
        script = replace(options, script=str(tmp_path / "scripts/run.py"))
        table = json.dumps({"sources": {"plain": {"path": beside.name}}})
        prefix, _ = make((), "plain", uv=table, options=script)
        assert version(prefix, "plain") == "1.0"

    def test_a_package_from_the_index_installs_for_real(self, make, options):
        registry = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "http"))}
        online = replace(
            options,
            environ={"PATH": os.defpath, "HOME": options.environ["HOME"], **registry},
        )
        prefix, _ = make((), "rich", options=online)
        assert "rich" in [one.name for one in installed.distributions(prefix)]
        prefix, _ = make((), "idna", options=online, exclude_newer="2024-01-01")
        assert version(prefix, "idna") == "3.6"


@pytest.mark.parametrize(
    "table",
    [
        {"sources": {"lib": {"path": "../lib"}}},
        {"sources": {"lib": [{"path": "lib", "marker": "sys_platform == 'linux'"}]}},
        {"find-links": ["wheels"]},
        {"index": [{"name": "local", "url": "./index"}]},
    ],
    ids=["path", "list", "find-links", "index"],
)
def test_relative_paths_of_tool_uv_in_two_folders_are_two_environments(table):
    header = Header("script", specs=("python",), pypi=("lib",), uv=json.dumps(table, sort_keys=True))
    settings = load({})
    names = {environment_name(resolve(header, settings, folder=folder, environ={})) for folder in ("/a/one", "/b/two")}
    assert len(names) == 2


def test_a_table_without_local_paths_is_the_same_everywhere():
    table = {"index": [{"name": "far", "url": "https://host.example/simple"}], "sources": {"lib": {"index": "far"}}}
    header = Header("script", specs=("python",), pypi=("lib",), uv=json.dumps(table, sort_keys=True))
    settings = load({})
    names = {environment_name(resolve(header, settings, folder=folder, environ={})) for folder in ("/a/one", "/b/two")}
    assert len(names) == 1


class TestRefused:
    def test_a_conflict_with_conda_names_both_sides(self, make, options):
        places = {"idna<3.5": Location("script.py", 6), "idna ==3.7": Location("script.py", 4)}
        locating = replace(options, locate=places.get)
        error = failure(lambda: make(("idna ==3.7",), "idna<3.5", options=locating))
        assert error.message == "`idna<3.5` does not fit idna 3.7, which conda installs"
        assert error.where == tuple(places.values())
        assert "the script asks for idna<3.5" in str(error.details)

    def test_a_conflict_names_the_conda_package_whatever_it_is_called(self, make, options, make_channel, channel):
        metadata = {
            "site-packages/tables-3.9.dist-info/METADATA": "Metadata-Version: 2.1\nName: tables\nVersion: 3.9\n"
        }
        url = make_channel(Package("pytables", "3.9", metadata, depends=["python"], noarch="python"))
        places = {"tables<3": Location("script.py", 6), "pytables": Location("script.py", 4)}
        locating = replace(options, locate=places.get)
        channels = {"made": Path(url.removeprefix("file://")), "conda-forge": channel}
        error = failure(lambda: make(("pytables",), "tables<3", options=locating, channels=channels))
        assert error.message == "`tables<3` does not fit tables 3.9 of `pytables`, which conda installs"
        assert error.where == tuple(places.values())

    def test_a_conflict_of_a_dependency_names_the_requirement_that_brought_it(self, make):
        error = failure(lambda: make(("idna ==3.7",), "needs-old-idna"))
        assert error.message == "`needs-old-idna` does not fit idna 3.7, which conda installs"

    def test_a_url_for_what_conda_installs_is_refused(self, make, wheels):
        url = (wheels / "idna-3.4-py3-none-any.whl").as_uri()
        error = failure(lambda: make(("idna ==3.7",), f"idna @ {url}"))
        assert "would replace idna 3.7, which conda installs" in error.message

    def test_a_path_that_turns_out_to_be_what_conda_installs_is_refused(self, make, tmp_path):
        replacement = wheel(tmp_path, "idna", "3.7")
        error = failure(lambda: make(("idna ==3.7",), str(replacement)))
        assert "would replace idna 3.7, which conda installs" in error.message

    def test_a_package_that_does_not_exist_is_named(self, make):
        error = failure(lambda: make((), "no-such-package-anywhere"))
        assert error.message == "there is no package `no-such-package-anywhere` on PyPI"
        assert error.details is None  # the message says all of it

    def test_a_version_that_does_not_exist_is_named(self, make):
        error = failure(lambda: make((), "plain ==99"))
        assert error.message == "PyPI has no `plain` that fits `==99`"
        assert error.hint == "without a version, the newest one is installed"
        assert error.details is None

    def test_offline_says_so(self, make, options):
        offline = replace(options, offline=True, environ={"PATH": os.defpath, "HOME": options.environ["HOME"]})
        error = failure(lambda: make((), "no-such-package-anywhere", options=offline))
        assert "--offline" in error.message

    def test_an_index_that_cannot_be_reached_is_said_to_be(self, make, options):
        away = {**options.environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
        error = failure(lambda: make((), "plain", options=replace(options, environ=away)))
        assert error.message == "PyPI cannot be reached"

    def test_credentials_are_not_shown(self, make, options):
        away = {**options.environ, "UV_DEFAULT_INDEX": "http://me:secret@127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
        error = failure(lambda: make((), "plain", options=replace(options, environ=away)))
        assert "secret" not in str(error.details)

    @pytest.mark.parametrize(
        "table",
        [{"exclude-newr": "2022-01-01"}, {"exclude-newer": "soon"}, {"sources": {"plain": {"index": "nowhere"}}}],
        ids=["key", "value", "index"],
    )
    def test_a_mistake_in_tool_uv_is_never_left_out(self, make, options, table):
        locating = replace(options, locate={"tool.uv": Location("script.py", 3)}.get)
        error = failure(lambda: make((), "plain", uv=json.dumps(table), options=locating))
        assert (error.message, error.where) == ("uv cannot read `[tool.uv]`", (Location("script.py", 3),))
        assert "at line" not in str(error.details)
        assert "plain==" not in str(error.details)

    def test_a_requirement_that_uv_cannot_read_is_shown(self, make):
        error = failure(lambda: make((), "plain; pyton_version < '3'"))
        assert error.message == "a PyPI requirement cannot be parsed"
        assert "found `pyton_version`" in str(error.details)
        assert "requirements.txt" not in str(error.details)

    def test_without_python_there_is_nothing_to_install_for(self, channel, options, tmp_path):
        request = tiny.request("lua", channels={"conda-forge": channel}, pypi=("plain",))
        error = failure(lambda: engines.build(engine.Rattler(), request, str(tmp_path / "prefix"), options))
        assert "need `python`" in error.message


def test_requirements_are_not_counted_as_the_packages_that_they_need(world: World, wheels: Path) -> None:
    index = world.with_(UV_DEFAULT_INDEX=(wheels / "simple").as_uri())
    script = world.script("run.py", '# /// script\n# dependencies = ["needs-idna"]\n# ///\nimport idna\n')
    assert "\ninstalling from PyPI\n" in index.execute("-v", script, check=True).stderr
    index.execute("--lock", script, check=True)
    assert "\ninstalling 2 packages from PyPI\n" in index.execute("-v", script, check=True).stderr


def test_a_path_of_pixi_is_relative_to_the_script(world: World, wheels: Path, tmp_path: Path) -> None:
    name = "plain-1.0-py3-none-any.whl"
    (world.work / name).write_bytes((wheels / name).read_bytes())
    lines = ["# /// script", "# [tool.pixi.pypi-dependencies]", f'# plain = {{ path = "{name}" }}', "# ///"]
    script = world.script("run.py", "\n".join([*lines, "import plain", "print(plain.VERSION)", ""]))
    assert world.execute(script, cwd=tmp_path).stdout == "1.0\n"


class _Private(Quiet):
    """An index with one package, for whoever says `me:S3CRET`."""

    server: _PrivateServer

    def do_GET(self) -> None:
        name = "private-1.0-py3-none-any.whl"
        pages = {"/simple/private/": f'<a href="/{name}">{name}</a>'.encode(), f"/{name}": self.server.wheel}
        known = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:S3CRET").decode()
        if known and self.server.asked is not None:
            self.server.asked.set()
            return
        page = pages.get(self.path)
        self.send_response(401 if not known else 404 if page is None else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page or b"") if known else 0))
        self.end_headers()
        if known and page and self.command == "GET":
            self.wfile.write(page)

    do_HEAD = do_GET  # noqa: N815


class _PrivateServer(Server):
    wheel: bytes
    #: Set by a test that wants to know of a request, and no answer.
    asked: threading.Event | None = None


class TestPrivate:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[_PrivateServer]:
        with _PrivateServer(_Private) as server:
            server.wheel = wheel(tmp_path / "private", "private").read_bytes()
            yield server

    @pytest.fixture
    def index(self, server: _PrivateServer) -> str:
        """The address of a private index, without its scheme."""
        return server.address

    @pytest.fixture(params=["requirement", "index", "pixi"])
    def script(self, request: pytest.FixtureRequest, world: World, index: str) -> Path:
        """A script that asks for the private package, with the password in its header."""
        lines = [f'# dependencies = ["private @ http://me:S3CRET@{index}/private-1.0-py3-none-any.whl"]']
        if request.param == "index":
            lines = ['# dependencies = ["private"]', "# [[tool.uv.index]]", '# name = "ours"', "# explicit = true"]
            lines += [f'# url = "http://me:S3CRET@{index}/simple"', "# [tool.uv.sources]"]
            lines += ['# private = { index = "ours" }']
        if request.param == "pixi":
            lines = ["# [tool.pixi.pypi-dependencies]"]
            lines += [f'# private = {{ index = "http://me:S3CRET@{index}/simple" }}']
        return world.script(
            "run.py", "\n".join(["# /// script", *lines, "# ///", "import private", "print('ran')", ""])
        )

    def test_a_password_of_the_header_opens_the_index_and_is_shown_and_stored_nowhere(
        self, world: World, script: Path
    ) -> None:
        said = [world.execute("-v", script), world.execute(script), world.execute(script)]
        assert [run.stdout for run in said] == ["ran\n"] * 3
        said += [world.execute("--check", script), world.execute("--dry-run", "--json", script)]
        said += [world.tmpenv("list"), world.tmpenv("info", "--json", script), world.execute("--lock", script)]
        assert [run.returncode for run in said] == [0] * len(said)
        assert not [run.args for run in said if "S3CRET" in run.stdout + run.stderr]
        for folder in (world.cache, world.work, *(prefix / "conda-meta" for prefix in world.prefixes())):
            holding = [path for path in folder.rglob("*") if path.is_file() and b"S3CRET" in path.read_bytes()]
            assert holding == [script] * (folder == world.work)

    def test_a_lock_of_a_private_package_installs(self, world: World, script: Path) -> None:
        assert world.execute("--lock", script).returncode == 0
        assert world.execute("--locked", script).stdout == "ran\n"

    def test_a_wrong_password_is_said_to_be_wrong_and_is_not_shown(self, world: World, script: Path) -> None:
        script.write_text(script.read_text().replace("S3CRET", "WR0NG"))
        run = world.execute(script)
        assert (run.returncode, "rejected the user name and password" in run.stderr) == (125, True)
        assert "WR0NG" not in run.stderr

    def test_a_killed_creation_leaves_a_password_in_the_prefix_alone_and_goes_with_it(
        self, world: World, script: Path, server: _PrivateServer
    ) -> None:
        server.asked = threading.Event()
        running = world.start(["conda-execute", script], start_new_session=True)
        assert server.asked.wait(60)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        (prefix,) = world.prefixes()
        left = [path for path in Path(world.environ["TMPDIR"]).rglob("*") if path.is_file()]
        assert not [path for path in left if b"S3CRET" in path.read_bytes()]
        server.asked = None
        assert world.execute(script).stdout == "ran\n"
        assert not (prefix / "conda-meta" / "conda-execute-script").exists()


class TestProcess:
    def test_uv_and_its_builds_inherit_the_lock(self, make, options, tmp_path, channel):
        lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
        fake = tmp_path / "seen"
        with tempfile_program(f'import os; open({str(fake)!r}, "w").write(os.readlink("/proc/self/fd/{lock}"))') as uv:
            project.run([str(uv)], tiny.request(channels={}), replace(options, inherited=(lock,)), ())
        os.close(lock)
        assert fake.read_text() == str(tmp_path / "lock")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
    def test_a_signal_ends_uv_and_the_step(self, options, number):
        threading.Timer(0.5, os.kill, (os.getpid(), number)).start()
        with tempfile_program("import time; time.sleep(600)") as uv, pytest.raises(InterruptError) as caught:
            project.run([str(uv)], tiny.request(channels={}), options, ())
        assert caught.value.message == f"interrupted by {number.name}"


class tempfile_program:  # noqa: N801
    """A program of a few lines of Python, at a path of its own for a while."""

    def __init__(self, code: str) -> None:
        import tempfile

        self._directory = tempfile.TemporaryDirectory()
        self.path = Path(self._directory.name, "uv")
        self.path.write_text(f"#!{sys.executable}\n{code}\n")
        self.path.chmod(0o755)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self._directory.cleanup()


@pytest.mark.parametrize(
    ("version_text", "valid"),
    [
        ("1.0", True),
        ("2.0rc1", True),
        ("1!2.0.post1+cu12", True),
        ("2024a", True),
        ("unknown", False),
        ("1.0 beta x", False),
    ],
)
def test_only_versions_that_uv_can_read_become_constraints(version_text, valid):
    assert is_version(version_text) == valid
