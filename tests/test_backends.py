"""What every engine promises, held against each one that this machine has.

The engine `conda` is there where `tests.oracle` finds a conda.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conda_execute import engines
from conda_execute.configuration.declared import BACKENDS
from conda_execute.engines import Options, Package, Solution
from conda_execute.engines.conda import find
from conda_execute.errors import CreationError, Location, SettingsError
from conda_execute.lean.values import replace
from conda_execute.model import Built, Request
from tests import tiny
from tests.conftest import CHECKOUT, World
from tests.oracle import conda_program
from tests.tiny import Tiny

TYPE_CHECKING = False
if TYPE_CHECKING:
    from conda_execute.engines import Backend


@pytest.fixture(params=BACKENDS)
def engine(request: pytest.FixtureRequest, environ: dict[str, str]) -> Backend:
    if request.param == "conda":
        environ["CONDA_EXE"] = conda_program()
    return engines.engine(request.param)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine of the test's own: no settings, and empty caches."""
    (tmp_path / "home").mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "CONDARC": "",
        "CONDA_PKGS_DIRS": str(tmp_path / "pkgs"),
        "CONDA_SOLVER": os.environ.get("CONDA_EXECUTE_TEST_CONDA_SOLVER", "classic"),
        "CONDA_EXECUTE_CACHE_DIR": str(tmp_path / "cache"),
    }


@pytest.fixture
def options(environ: dict[str, str], tmp_path: Path) -> Options:
    return Options(environ=environ, cache=str(tmp_path / "rattler"))


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.channel(
        tmp_path_factory.mktemp("channels") / "main",
        Tiny("app", depends=("lib >=2", "__glibc >=2.17", "__unix")),
        Tiny("lib", "1.0"),
        Tiny("lib", "2.0"),
        Tiny("lib", "3.0"),
        Tiny("old-app", depends=("lib <2",)),
        Tiny("scripted", files={"bin/.scripted-post-link.sh": b'#!/bin/sh\ntouch "$PREFIX/linked"\n'}),
        Tiny("slow", files={"bin/.slow-post-link.sh": b'#!/bin/sh\ntouch "$PREFIX/../linking"\nexec sleep 60\n'}),
        Tiny("placed", files={"bin/placed": f"#!{tiny.PLACEHOLDER}/bin/sh\n".encode()}),
        Tiny("native", subdir="linux-64"),
    )


@pytest.fixture
def ask(main: Path) -> Callable[..., Request]:
    """A request for packages of the channel `main`."""

    def request(*specs: str, **rest: Any) -> Request:
        return tiny.request(*specs, channels={main.as_uri(): main}, **rest)

    return request


Ask = Callable[..., Request]


def installed(prefix: str) -> list[str]:
    records = [json.loads(path.read_text()) for path in Path(prefix, "conda-meta").glob("*.json")]
    return sorted(f"{record['name']} {record['version']}" for record in records)


def _is_too_old_for(setting: str) -> bool:
    return (
        subprocess.run([conda_program(), "config", "--show", setting], capture_output=True, check=False).returncode != 0
    )


def _remove_compressed(path: Path) -> bool:
    if path.name == "repodata.json":
        return False
    path.unlink()
    return True


class TestInstalls:
    def test_what_was_asked_for_with_what_it_needs(
        self, engine: Backend, ask: Ask, options: Options, prefix: str
    ) -> None:
        built = engines.build(engine, ask("app", "lib <3"), prefix, options)
        assert installed(prefix) == ["app 1.0", "lib 2.0"]
        assert built == Built(2, len("app 1.0\nlib 2.0\n"), ("__glibc >=2.17",), backend=engine.name)
        assert Path(prefix, "share", "lib.txt").read_text() == "lib 2.0\n"

    def test_nothing_for_a_virtual_package(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        built = engines.build(engine, ask("lib", "__glibc >=2.17", "__unix"), prefix, options)
        assert installed(prefix) == ["lib 3.0"]
        assert built.virtual_packages == ("__glibc >=2.17",)

    def test_the_newest_but_what_is_too_new(
        self, engine: Backend, options: Options, prefix: str, tmp_path: Path
    ) -> None:
        if engine.name == "conda" and options.environ["CONDA_SOLVER"] == "rattler":
            pytest.skip("conda-rattler-solver 0.2 refuses to do it, with a message of its own")
        channel = tiny.channel(
            tmp_path / "dated",
            Tiny("lib", "2.0", timestamp=1_600_000_000_000),
            Tiny("lib", "3.0", timestamp=1_750_000_000_000),
        )
        # The indexer's own time, which counts before that of the build, is today.
        (plain,) = (path for path in channel.glob("noarch/repodata*") if not _remove_compressed(path))
        repodata = json.loads(plain.read_text())
        for entry in repodata["packages"].values():
            entry.pop("indexed_timestamp", None)
        plain.write_text(json.dumps(repodata))
        request = tiny.request("lib", channels={channel.as_uri(): channel}, exclude_newer="2025-01-01")
        if engine.name == "conda" and _is_too_old_for("exclude_newer"):
            with pytest.raises(CreationError, match="too old for `exclude-newer`"):
                engines.build(engine, request, prefix, options)
            return
        engines.build(engine, request, prefix, options)
        assert installed(prefix) == ["lib 2.0"]

    def test_nothing_in_the_prefix_is_lost_with_the_package_cache(
        self, engine: Backend, ask: Ask, options: Options, prefix: str
    ) -> None:
        environ = {**options.environ, "CONDA_ALLOW_SOFTLINKS": "true", "CONDA_ALWAYS_SOFTLINK": "true"}
        engines.build(engine, ask("lib"), prefix, replace(options, environ=environ))
        shutil.rmtree(environ["CONDA_PKGS_DIRS"], ignore_errors=True)
        shutil.rmtree(str(options.cache), ignore_errors=True)
        assert Path(prefix, "share", "lib.txt").read_text() == "lib 3.0\n"

    def test_the_prefix_is_written_into_files(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        engines.build(engine, ask("placed"), prefix, options)
        assert Path(prefix, "bin", "placed").read_text() == f"#!{prefix}/bin/sh\n"

    @pytest.mark.parametrize(("spec", "hint"), [("__win", "# [win]"), ("__cuda >=12.4", "CONDA_OVERRIDE_CUDA=12.4")])
    def test_a_virtual_package_of_another_machine_is_named(
        self, engine: Backend, ask: Ask, options: Options, *, prefix: str, spec: str, hint: str
    ) -> None:
        with pytest.raises(CreationError) as caught:
            engines.build(engine, ask("lib", spec), prefix, options)
        assert re.fullmatch(rf"this machine \(\S+\) has no `{spec.partition(' ')[0]}`", caught.value.message)
        assert hint in str(caught.value.hint)

    def test_link_scripts_run(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        engines.build(engine, ask("scripted"), prefix, options)
        assert Path(prefix, "linked").exists()

    def test_the_prefix_has_a_history_and_is_frozen(
        self, engine: Backend, ask: Ask, options: Options, prefix: str
    ) -> None:
        engines.build(engine, ask("lib <3"), prefix, options)
        history = Path(prefix, "conda-meta", "history").read_text()
        assert "::lib-2.0-0" in history
        assert re.search(r"# update specs: \[['\"]lib", history)
        assert "conda-execute" in json.loads(Path(prefix, "conda-meta", "frozen").read_text())["message"]

    def test_the_prefix_is_registered_nowhere(
        self, engine: Backend, ask: Ask, options: Options, prefix: str, tmp_path: Path
    ) -> None:
        engines.build(engine, ask("lib"), prefix, options)
        registry = tmp_path / "home" / ".conda" / "environments.txt"
        assert prefix not in (registry.read_text() if registry.exists() else "")

    def test_packages_of_the_platform_asked_for(
        self, engine: Backend, options: Options, prefix: str, tmp_path: Path
    ) -> None:
        channel = tiny.channel(
            tmp_path / "c", Tiny("native", "1.0", subdir="linux-64"), Tiny("native", "2.0", subdir="osx-arm64")
        )
        request = tiny.request("native", channels={channel.as_uri(): channel}, platform="osx-arm64")
        engines.build(engine, request, prefix, options)
        assert installed(prefix) == ["native 2.0"]

    def test_the_first_channel_first(self, engine: Backend, options: Options, prefix: str, tmp_path: Path) -> None:
        old = tiny.channel(tmp_path / "old", Tiny("lib", "1.0"))
        new = tiny.channel(tmp_path / "new", Tiny("lib", "2.0"))
        channels = {old.as_uri(): old, new.as_uri(): new}
        engines.build(engine, tiny.request("lib", channels=channels), prefix, options)
        assert installed(prefix) == ["lib 1.0"]

    def test_only_what_is_cached_when_offline(
        self, engine: Backend, ask: Ask, options: Options, prefix: str, tmp_path: Path
    ) -> None:
        engines.build(engine, ask("app"), prefix, options)
        again = str(tmp_path / "again")
        engines.build(engine, ask("app"), again, replace(options, offline=True))
        assert installed(again) == installed(prefix)

    def test_the_packages_of_a_lock(self, engine: Backend, ask: Ask, main: Path, options: Options, prefix: str) -> None:
        if engine.name == "rattler":
            solution = engine.solve(ask("old-app"), options)
        else:
            solution = Solution(
                tuple(
                    Package(name, "1.0", "0", main.as_uri(), "noarch", f"{main.as_uri()}/noarch/{name}-1.0-0.tar.bz2")
                    for name in ("lib", "old-app")
                )
            )
        request = ask("old-app", lock="0" * 64)
        engines.build(engine, request, prefix, options, solution=solution)
        assert installed(prefix) == ["lib 1.0", "old-app 1.0"]


class TestSolves:
    def test_without_installing(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        solution = engine.solve(ask("app", "lib <3"), options)
        assert [str(package) for package in solution.packages] == ["app 1.0 0", "lib 2.0 0"]
        assert {package.subdir for package in solution.packages} == {"noarch"}
        assert not os.path.exists(prefix)


class TestFails:
    """Each failure names the step, and the place of the spec that it is about."""

    def failure(self, engine: Backend, request: Request, prefix: str, options: Options) -> CreationError:
        options = replace(
            options, locate=lambda written: Location("script.py", 3, 5) if written in request.specs else None
        )
        with pytest.raises(CreationError) as caught:
            engines.build(engine, request, prefix, options)
        assert not os.path.exists(os.path.join(prefix, "conda-meta", "frozen"))
        return caught.value

    def test_a_package_that_is_not_there(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        error = self.failure(engine, ask("lib", "nosuch"), prefix, options)
        assert error.step == "solve"
        assert "nosuch" in error.message
        assert [str(where) for where in error.where] == ["script.py:3:5"]

    def test_a_version_that_is_not_there(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        error = self.failure(engine, ask("lib >=9"), prefix, options)
        assert (error.step, [str(where) for where in error.where]) == ("solve", ["script.py:3:5"])
        assert "lib >=9" in error.message

    def test_specs_that_contradict_each_other(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        error = self.failure(engine, ask("app", "old-app"), prefix, options)
        assert error.step == "solve"
        assert "lib" in (error.details or "")

    def test_a_spec_that_does_not_parse(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        assert self.failure(engine, ask("lib >=>2"), prefix, options).step == "solve"

    def test_a_condition_counts_or_is_refused(self, engine: Backend, ask: Ask, options: Options, prefix: str) -> None:
        request = ask("lib", 'app[when="lib <2"]')
        if engine.name == "conda" and options.environ["CONDA_SOLVER"] != "rattler":
            assert "ignores the condition of" in self.failure(engine, request, prefix, options).message
        else:
            engine.create(request, prefix, options)
            assert installed(prefix) == ["lib 3.0"]

    def test_a_channel_that_is_not_there(self, engine: Backend, options: Options, prefix: str, tmp_path: Path) -> None:
        url = (tmp_path / "nowhere").as_uri()
        error = self.failure(engine, tiny.request("lib", channels={url: url}), prefix, options)
        assert error.step == "solve"

    def test_a_broken_archive(self, engine: Backend, options: Options, prefix: str, tmp_path: Path) -> None:
        channel = tiny.channel(tmp_path / "broken", Tiny("lib"))
        (channel / "noarch" / "lib-1.0-0.tar.bz2").write_bytes(b"BZh9 this is no archive")
        error = self.failure(engine, tiny.request("lib", channels={channel.as_uri(): channel}), prefix, options)
        assert error.step == "download"
        assert "lib" in error.message + (error.details or "")


PROGRAM = """\
import os, sys
sys.path.insert(0, {checkout!r})
from conda_execute import engines as backend
from conda_execute.engines import Options
from conda_execute.errors import InterruptError
from tests import tiny
lock = os.open({lock!r}, os.O_RDWR | os.O_CREAT)
import fcntl
fcntl.flock(lock, fcntl.LOCK_EX)
request = tiny.request({spec!r}, channels={{{url!r}: {url!r}}})
try:
    backend.build(backend.engine({engine!r}), request, {prefix!r}, Options(cache={cache!r}, inherited=(lock,)))
except InterruptError as error:
    print("interrupted", error.step, flush=True)
    os._exit(130)
os._exit(0)
"""


@pytest.fixture
def start(
    engine: Backend, main: Path, environ: dict[str, str], tmp_path: Path
) -> Callable[[str, str], subprocess.Popen[str]]:
    """A process that creates an environment of one package below this directory, holding a lock."""

    def run(spec: str, prefix: str) -> subprocess.Popen[str]:
        names = {
            "checkout": str(CHECKOUT),
            "lock": str(tmp_path / "lock"),
            "spec": spec,
            "url": main.as_uri(),
            "engine": engine.name,
            "prefix": prefix,
            "cache": str(tmp_path / "rattler"),
        }
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM).format(**names)],
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )

    return run


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_locked(path: Path) -> bool:
    with open(path, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_the_work(
        self, start: Callable[[str, str], subprocess.Popen[str]], prefix: str, tmp_path: Path, number: signal.Signals
    ) -> None:
        process = start("slow", prefix)
        wait_for((tmp_path / "linking").exists)
        process.send_signal(number)
        said, _ = process.communicate(timeout=40)
        assert process.returncode == 130
        assert said.startswith("interrupted")

    def test_an_orphan_keeps_the_lock(
        self,
        engine: Backend,
        start: Callable[[str, str], subprocess.Popen[str]],
        prefix: str,
        tmp_path: Path,
    ) -> None:
        process = start("slow", prefix)
        wait_for((tmp_path / "linking").exists)
        process.kill()
        process.wait()
        assert is_locked(tmp_path / "lock")
        assert engine.name != "conda" or is_locked(tmp_path / "cache" / "conda.lock"), "its turn is not over"
        for pid in _writers(prefix):
            with suppress(ProcessLookupError):  # one may end when another does
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_locked(tmp_path / "lock"))


def _writers(prefix: str) -> list[int]:
    """Processes with the prefix in their environment or on their command line."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            mine = prefix in " ".join(process.cmdline()) or prefix in process.environ().get("PREFIX", "")
        except psutil.Error:
            continue
        if mine and process.pid != os.getpid():
            found.append(process.pid)
    return found


def test_creations_at_once_all_succeed(
    start: Callable[[str, str], subprocess.Popen[str]], tmp_path: Path, environ: dict[str, str]
) -> None:
    """conda locks neither its package cache nor its transactions: its creations take turns."""
    prefixes = [str(tmp_path / f"prefix{number}") for number in range(3)]
    processes = []
    for number, prefix in enumerate(prefixes):
        environ["LOCK"] = str(number)
        processes.append(start("app", prefix))
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert [installed(prefix) for prefix in prefixes] == [["app 1.0", "lib 3.0"]] * 3


def test_without_a_conda_the_engine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(SettingsError, match="which is not on PATH"):
        find({"PATH": str(tmp_path)})


def older_rattler(version: str, folder: Path) -> str:
    """A directory with this version of py-rattler, to be put before the one that is installed."""
    install = ["install", "--quiet", "--no-deps", "--target", str(folder), f"py-rattler=={version}"]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    return str(folder)


@pytest.fixture(scope="module")
def rattler_26(tmp_path_factory: pytest.TempPathFactory) -> str:
    return older_rattler("0.26.0", tmp_path_factory.mktemp("older"))


@pytest.mark.slow
class TestOlderRattler:
    """conda-rattler-solver keeps 0.26 in the base environment; `make older` runs the engine's whole suite with it."""

    PROGRAM = (sys.executable, "-m", "conda_execute")

    @pytest.fixture
    def older(self, world: World, rattler_26: str) -> World:
        return world.with_(PYTHONPATH=os.pathsep.join([rattler_26, str(CHECKOUT)]))

    @pytest.fixture
    def script(self, world: World) -> Path:
        return world.script("hello.py", "# conda execute\n# env: [python]\nprint('hello')\n")

    def test_the_embedded_engine_serves_every_option(self, older: World, script: Path) -> None:
        first = older.run([*self.PROGRAM, "-v", script], check=True)
        assert first.stdout == "hello\n"
        assert "engine: rattler (py-rattler 0.26.0), the default" in first.stderr
        [prefix] = older.prefixes()
        assert json.loads((prefix / "conda-meta" / "conda-execute").read_text())["engine"].startswith("rattler (py-rat")
        for options in (["--dry-run"], ["--lock"], ["--locked"], ["--offline", "--force-env"]):
            older.run([*self.PROGRAM, *options, script], check=True)
        past = older.run([*self.PROGRAM, "--no-lock", "--exclude-newer", "2001-01-01", script])
        assert (past.returncode, "exclude-newer" in past.stderr) == (125, True)

    def test_a_lock_has_damaged_packages_fetched_again(self, older: World, script: Path) -> None:
        older = older.with_(RATTLER_CACHE_DIR=str(older.root / "rattler"))
        older.run([*self.PROGRAM, "--lock", script], check=True)
        older.run([*self.PROGRAM, "--locked", script], check=True)
        cached = next((older.root / "rattler").glob("pkgs/python-*/lib/python3*/os.py"))
        whole = cached.read_bytes()
        cached.unlink()
        cached.write_bytes(b"raise SystemExit('damaged')\n")
        done = older.run([*self.PROGRAM, "--locked", "--force-env", script], check=True)
        assert done.stdout == "hello\n"
        assert cached.read_bytes() == whole

    def test_what_is_too_old_is_refused_in_words(self, world: World, script: Path, tmp_path: Path) -> None:
        old = world.with_(PYTHONPATH=os.pathsep.join([older_rattler("0.25.0", tmp_path / "old"), str(CHECKOUT)]))
        for options in ([], ["--dry-run"], ["--print-prefix"], ["--lock"], ["--add", "lua"]):
            refused = old.run([*self.PROGRAM, *options, script])
            assert refused.returncode == 125
            assert refused.stderr.startswith(
                "error: the embedded engine needs py-rattler 0.26 or later, but 0.25.0 is installed\n"
                "hint: update py-rattler"
            )
        assert old.prefixes() == []
        assert old.run([*self.PROGRAM, "--check", script]).returncode == 0
        other = old.run([*self.PROGRAM, "--backend", "conda", "--dry-run", script])
        assert "Traceback" not in other.stderr
        assert "py-rattler" not in other.stderr
