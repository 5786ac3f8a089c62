"""What every test may ask for: the local channel, and a world of its own to run the programs in.

A test that asks for `world` gets a private home, private environments and caches, and a condarc in which conda-forge
is the local channel. Programs are run as a user runs them, as processes with a clean environment. ::

    def test_script_runs(world):
        script = world.script("hello.py", "# conda execute\\n# env: [python]\\nprint('hello')\\n")
        assert world.execute(script).stdout == "hello\\n"

Only the package cache is shared by the whole session, since linking from it is fast and unpacking is not.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from conda_execute.launch.sandbox.kernel import lack, look
from tests.channel import Package, build, write_channel
from tests.faults.disk import unmount

CHECKOUT = Path(__file__).parents[1]

#: What a program needs from outside to reach a package registry, or to count coverage; nothing else of this process's
#: environment is kept.
_PASSED_ON = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX",
    "SYSTEMROOT", "COMSPEC", "PATHEXT", "COVERAGE_PROCESS_CONFIG",
)  # fmt: skip

#: The certificates that the administrator of a Debian machine trusts. uv has its own and, unlike pip, no file in /etc
#: that names others, so that behind a company's proxy only this variable lets it reach the package index.
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
if os.path.exists(_CERTIFICATES):
    os.environ.setdefault("SSL_CERT_FILE", _CERTIFICATES)

# How long an example takes says more of what else the machine is doing than of the code. The examples are the same each
# time; new ones are tried with `make test TESTS=--hypothesis-profile=search`.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("conda-execute", settings.get_profile("search"), derandomize=True)
settings.load_profile("conda-execute")

#: Programs of the project, as an installation would put them on PATH.
_PROGRAMS = {
    "conda-execute": "conda_execute.__main__",
    "conda-execute-py": "conda_execute.__main__",
    "conda-tmpenv": "conda_execute.cli.tmpenv",
}

_PROGRAM = """\
#!{python}
import sys
sys.path.insert(1, {checkout!r})
from {module} import program
sys.exit(program())
"""

#: Longest time that one program of a test may take, in seconds.
PATIENCE = 180


def pytest_configure() -> None:
    """Programs of the tests get signals as from a terminal, also where the suite itself runs in the background, which
    a shell starts with SIGINT ignored, or under nohup."""
    for name in ("SIGINT", "SIGQUIT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a test that waits for a process, a lock or the disk leaves a core idle."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture
def tmp_envs(tmp_path: Path) -> str:
    """A directory for environments, without one."""
    place = tmp_path / "tmp_envs"
    place.mkdir(mode=0o700)
    return str(place)


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """Where an environment can be created."""
    return str(tmp_path / "prefix")


@pytest.fixture(scope="session")
def session_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of a parallel session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def channel() -> Path:
    """The local channel, built once for this machine. Read it only; `make_channel` makes one to write to."""
    return build.ensure()


@pytest.fixture(scope="session")
def channel_url(channel: Path) -> str:
    return channel.as_uri()


@pytest.fixture
def make_channel(tmp_path: Path) -> Callable[..., str]:
    """A function that writes a throw-away channel of the packages it is given and returns its URL."""

    def make(*packages: Package, name: str = "made") -> str:
        return write_channel(tmp_path / "channels" / name, packages)

    return make


@pytest.fixture(scope="session")
def condarc(session_directory: Path, channel: Path) -> Path:
    """A condarc in which the name conda-forge means the local channel, and the network is not needed for packages."""
    path = session_directory / "condarc"
    text = f"""\
        channels:
          - conda-forge
        custom_channels:
          conda-forge: {channel.parent.as_uri()}
        """
    _write_once(path, textwrap.dedent(text))
    return path


@pytest.fixture(scope="session")
def programs(session_directory: Path) -> Path:
    """A directory with the project's programs as an installation makes them, run by this interpreter."""
    return install_programs(session_directory / "programs")


def install_programs(
    directory: Path,
    checkout: Path = CHECKOUT,
    launchers: str = "launch/posix",
    tmpenv: str = "conda_execute.cli.tmpenv",
) -> Path:
    """Put the programs of this or another checkout into this directory, as an installation does."""
    directory.mkdir(exist_ok=True)
    for name, module in {**_PROGRAMS, "conda-tmpenv": tmpenv}.items():
        text = _PROGRAM.format(python=sys.executable, checkout=str(checkout), module=module)
        launcher = checkout / "conda_execute" / launchers / name
        _write_once(directory / name, launcher.read_text() if launcher.exists() else text, executable=True)
    return directory


def _without_progress(said: Any) -> Any:
    """Output without the lines that slow work gets: how fast this machine is just now is no matter of most tests."""
    if isinstance(said, str):
        return re.sub(
            r"^conda-execute: (?:(?:creating environment|solving) for .*|created in .*|no news .*)\n",
            "",
            said,
            flags=re.MULTILINE,
        )
    return said


@dataclass(frozen=True)
class World:
    """One user's machine: a home, environments, caches, settings, and the programs on PATH."""

    root: Path
    environ: Mapping[str, str] = field(repr=False)

    @property
    def home(self) -> Path:
        return Path(self.environ["HOME"])

    @property
    def tmp_envs(self) -> Path:
        return Path(self.environ["CONDA_EXECUTE_ENV_DIR"])

    @property
    def cache(self) -> Path:
        return Path(self.environ["CONDA_EXECUTE_CACHE_DIR"])

    @property
    def condarc(self) -> Path:
        return Path(self.environ["CONDARC"])

    @property
    def work(self) -> Path:
        """The working directory of what is run here."""
        return self.root / "work"

    def prefixes(self) -> list[Path]:
        """The environments on disk, whatever their state."""
        if not self.tmp_envs.is_dir():
            return []
        return sorted(path for path in self.tmp_envs.iterdir() if not path.name.startswith("."))

    def script(self, name: str, text: str | bytes) -> Path:
        """An executable file in the working directory; a text is dedented first."""
        path = self.work / name
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        path.chmod(0o755)
        return path

    def with_(self, **variables: str | None) -> World:
        """The same world with these environment variables set, or unset where the value is None."""
        environ = {**self.environ, **{name: value for name, value in variables.items() if value is not None}}
        for name in [name for name, value in variables.items() if value is None]:
            environ.pop(name, None)
        return replace(self, environ=environ)

    def with_settings(self, text: str) -> World:
        """The same world with these lines added to a condarc of its own."""
        path = self.root / "condarc"
        path.write_text(self.condarc.read_text() + textwrap.dedent(text))
        return self.with_(CONDARC=str(path))

    def run(self, args: Sequence[object], *, check: bool = False, **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a program to its end, text streams captured. `env` adds variables; the rest goes to `subprocess.run`."""
        options = self._options(options)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("timeout", PATIENCE)
        done = subprocess.run([str(arg) for arg in args], check=False, **options)
        done.stderr = _without_progress(done.stderr)
        done.stdout = _without_progress(done.stdout) if options.get("stderr") == subprocess.STDOUT else done.stdout
        if check and done.returncode != 0:
            pytest.fail(f"{args} ended with status {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)
        return done

    def start(self, args: Sequence[object], **options: Any) -> subprocess.Popen[Any]:
        """Start a program, streams piped, and leave it running; the test waits for it or ends it."""
        options = self._options(options)
        options.setdefault("stdin", subprocess.PIPE)
        return subprocess.Popen([str(arg) for arg in args], **options)

    def execute(self, *args: str | Path, **options: Any) -> subprocess.CompletedProcess[Any]:
        return self.run(["conda-execute", *args], **options)

    def tmpenv(self, *args: str | Path, **options: Any) -> subprocess.CompletedProcess[Any]:
        return self.run(["conda-tmpenv", *args], **options)

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        environ = {**self.environ, **options.pop("env", {})}
        defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": self.work}
        return {**defaults, **options, "env": environ}


@pytest.fixture
def world(tmp_path: Path, session_directory: Path, condarc: Path, programs: Path) -> Iterator[World]:
    """A machine of the test's own, on which conda-forge is the local channel and nothing is installed yet."""
    root = tmp_path / "world"
    for name in ("home", "work"):
        (root / name).mkdir(parents=True)
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # Short, as a name of a Unix socket there must be.
    with tempfile.TemporaryDirectory(prefix="world-", ignore_cleanup_errors=True) as temporary:
        environ = {
            **kept,
            "PATH": os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(root / "home"),
            "TMPDIR": temporary,
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "CONDARC": str(condarc),
            "CONDA_EXECUTE_ENV_DIR": str(root / "tmp_envs"),
            "CONDA_EXECUTE_CACHE_DIR": str(root / "cache"),
            "RATTLER_CACHE_DIR": str(session_directory / "rattler"),
            "UV_CACHE_DIR": str(session_directory / "uv"),
        }
        yield World(root, environ)


@pytest.fixture
def furnished(world: World, session_directory: Path) -> World:
    """The same, with environments that tests share: for those that only look at what runs in `env: [python]`.

    The first one creates it. No other is created there, and nothing is changed or removed.
    """
    return world.with_(CONDA_EXECUTE_ENV_DIR=str(session_directory / "tmp_envs"))


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skips the test where we may have no processes, mounts and host name of our own: root of a container may not."""
    words = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "sh", "-c", "umount -l /proc"]
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can make namespaces and mounts")
    made = subprocess.run(words, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no namespaces and mounts here: {made.stderr}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "none", place], check=False, capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"no small disk: {made.stderr.decode()}")
    yield place
    unmount(place)


def _write_once(path: Path, text: str, *, executable: bool = False) -> None:
    """Write a file that other workers of the session may be writing too, with the same content."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    if executable:
        temporary.chmod(temporary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    shutil.move(temporary, path)


needs_kernel = pytest.mark.skipif(
    sys.platform != "linux" or lack(look()) is not None, reason="this kernel cannot provide a sandbox"
)


@pytest.fixture
def project(world: World) -> Path:
    """A folder to work in, and a secret at home."""
    (world.home / "secret").write_text("secret\n")
    folder = world.home / "project"
    folder.mkdir()
    return folder
