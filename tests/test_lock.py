"""Locks: the same packages tomorrow and elsewhere, or a reason why not."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute import engines, lockfiles
from conda_execute.engines import Options
from conda_execute.engines.pypi import installed
from conda_execute.engines.rattler import engine
from conda_execute.errors import CreationError, UsageError
from conda_execute.lean.values import replace
from conda_execute.lockfiles import choice, lockfile
from conda_execute.lockfiles.lockfile import Lockfile
from conda_execute.script.header import read_header
from tests import tiny
from tests.conftest import World
from tests.serving import Files, Server
from tests.test_pypi import options, packages, wheels  # noqa: F401  # fixtures
from tests.tiny import Tiny, wheel

ENGINE = engine.Rattler()


class Channel(Server):
    """A channel served over HTTP, that notes what is asked of it, and calls `then` before it answers."""

    def __init__(self, directory: Path, then: Callable[[], object] = lambda: None, fresh: bool = True) -> None:
        self.asked: list[str] = []
        server = self

        class Handler(Files):
            def send_head(self):
                server.asked.append(self.path)
                then()
                return super().send_head()

            def end_headers(self) -> None:
                if not fresh:
                    self.send_header("Cache-Control", "max-age=0, must-revalidate")
                super().end_headers()

        super().__init__(partial(Handler, directory=str(directory)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tiny.channel(
        tmp_path / "served",
        Tiny("app", depends=("lib",)),
        Tiny("lib", "1.0"),
        Tiny("here", subdir="linux-64"),
        Tiny("here", subdir="osx-arm64", depends=("__osx >=11",)),
    )


@pytest.fixture
def served(place: Path) -> Iterator[Channel]:
    with Channel(place) as server:
        yield server


@pytest.fixture
def plain(tmp_path: Path) -> Options:
    return Options(cache=str(tmp_path / "cache"))


def text(backend, requests, how: Options, folder: Path) -> str:
    return lockfile.make(backend, requests, how, folder=str(folder), home=str(folder), accept=print)


def locked(asked, how: Options, folder: Path) -> Lockfile:
    return Lockfile(str(folder / "s.py.conda-execute.lock"), text(ENGINE, [asked], how, folder))


def refusal(work) -> str:
    with pytest.raises(CreationError) as caught:
        work()
    return caught.value.message


BY_CONDA_EXEC = b"# /// conda-exec-lock\n# version: 6\n#\n# packages: []\n# ///\nprint()\n"


class TestUsed:
    def test_the_same_packages_without_asking_for_repodata(self, served, plain, tmp_path):
        asked = tiny.request("app", channels={"mine": served.url})
        made = locked(asked, plain, tmp_path)
        shutil.rmtree(str(plain.cache))
        served.asked.clear()
        solution = lockfile.solution(made, asked)
        built = engines.build(ENGINE, asked, str(tmp_path / "prefix"), plain, solution=solution)
        assert built.packages == 2
        assert sorted(served.asked) == ["/noarch/app-1.0-0.tar.bz2", "/noarch/lib-1.0-0.tar.bz2"]

    def test_a_newer_package_of_the_channel_changes_nothing(self, place, plain, tmp_path):
        asked = tiny.request("app", channels={"mine": place})
        made = locked(asked, plain, tmp_path)
        tiny.channel(place, Tiny("lib", "2.0"))
        assert [str(package) for package in lockfile.solution(made, asked).packages] == ["app 1.0 0", "lib 1.0 0"]

    def test_what_is_cached_suffices_offline(self, served, plain, tmp_path):
        asked = tiny.request("app", channels={"mine": served.url})
        made = locked(asked, plain, tmp_path)
        engines.build(ENGINE, asked, str(tmp_path / "first"), plain, solution=lockfile.solution(made, asked))
        served.close()
        shutil.rmtree(f"{plain.cache}/repodata")
        offline = replace(plain, offline=True)
        engines.build(ENGINE, asked, str(tmp_path / "second"), offline, solution=lockfile.solution(made, asked))
        assert Path(tmp_path, "second/share/lib.txt").exists()

    def test_several_platforms_in_one_lock(self, place, plain, tmp_path):
        requests = [tiny.request("here", channels={"mine": place}, platform=p) for p in ("linux-64", "osx-arm64")]
        made = Lockfile("s.lock", text(ENGINE, requests, plain, tmp_path))
        for asked in requests:
            (package,) = lockfile.solution(made, asked).packages
            assert package.subdir == asked.platform

    def test_versions_6_and_7_of_other_tools_are_read(self, tmp_path):
        asked = tiny.request(
            "tzdata", channels={"conda-forge": "https://conda.anaconda.org/conda-forge"}, pypi=("rich",)
        )
        for version in (6, 7):
            (package,) = lockfile.solution(Lockfile("s.pixi.lock", _FOREIGN[version]), asked).packages
            assert package.sha256 == "7b" * 32
        (rich,) = lockfile.solution(Lockfile("s.pixi.lock", _FOREIGN[6]), asked).pypi or ()
        assert (rich.name, rich.version, rich.sha256) == ("rich", "15.0.0", "a" * 64)

    def test_of_several_names_for_one_platform_the_one_for_this_machine_is_taken(self, monkeypatch):
        """pixi keeps packages for machines with a GPU beside those for others."""
        asked = tiny.request("tzdata", channels={"conda-forge": "https://conda.anaconda.org/conda-forge"})
        found = Lockfile("s.pixi.lock", _TWO_MACHINES)
        for _ in range(8):  # py-rattler lists platforms in no order
            (package,) = lockfile.solution(found, asked).packages
            assert package.version == "2024a"
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
        for _ in range(8):
            (package,) = lockfile.solution(found, asked).packages
            assert package.version == "2025b"

    def test_a_spec_with_a_channel_fits_the_locked_package(self, place, plain, tmp_path):
        asked = tiny.request("mine::lib", channels={"mine": place})
        assert len(lockfile.solution(locked(asked, plain, tmp_path), asked).packages) == 1


class TestFits:
    def test_a_lock_fits_what_it_was_made_for(self, place, plain, tmp_path):
        asked = tiny.request("app", channels={"mine": place})
        assert lockfile.stale(locked(asked, plain, tmp_path), asked, str(tmp_path)) is None

    @pytest.mark.parametrize(
        "change",
        [
            {"specs": ("app", "lib")},
            {"exclude_newer": "2024-01-01"},
            {"pypi": ("rich",)},
            {"channel_priority": "strict"},
            {"system": (("CONDA_OVERRIDE_CUDA", "12"),)},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_lock_is_stale_when_something_else_is_asked_for(self, place, plain, tmp_path, change):
        asked = tiny.request("app", channels={"mine": place})
        made = locked(asked, plain, tmp_path)
        assert "requirements have changed" in str(lockfile.stale(made, replace(asked, **change), str(tmp_path)))

    def test_the_input_does_not_depend_on_the_machine(self, place):
        here = tiny.request("app", channels={"mine": place})
        there = replace(here, host_platform="osx-arm64", overrides=(("CONDA_OVERRIDE_CUDA", "12"),), lock="x")
        assert lockfile.input_digest(here, "") == lockfile.input_digest(there, "")

    def test_the_input_does_not_depend_on_where_the_folder_lies(self, place):
        digests = {
            lockfile.input_digest(tiny.request("app", channels={"mine": place}, pypi=(f"{folder}/lib",)), folder)
            for folder in ("/home/me/project", "/somewhere/else")
        }
        assert len(digests) == 1

    def test_another_platform_is_a_reason(self, place, plain, tmp_path):
        asked = tiny.request("app", channels={"mine": place})
        made = locked(asked, plain, tmp_path)
        elsewhere = replace(asked, platform="osx-arm64")
        assert "no packages for osx-arm64, only for linux-64" in str(lockfile.stale(made, elsewhere, str(tmp_path)))
        assert "no packages for osx-arm64, only for linux-64" in refusal(lambda: lockfile.solution(made, elsewhere))


class TestRefused:
    def test_a_tampered_lock(self, place, plain, tmp_path):
        asked = tiny.request("app", channels={"mine": place})
        made = locked(asked, plain, tmp_path)
        tampered = Lockfile(made.path, made.text.replace("lib-1.0", "lib-6.6"))
        assert "was changed after it was written" in refusal(lambda: lockfile.solution(tampered, asked))

    @pytest.mark.parametrize("over", ["http", "file"])
    def test_a_tampered_package(self, place, served, plain, tmp_path, over):
        asked = tiny.request("app", channels={"mine": served.url if over == "http" else place})
        made = locked(asked, plain, tmp_path)
        Tiny("lib", files={"share/lib.txt": b"evil"}).write(place)
        solution = lockfile.solution(made, asked)
        message = refusal(lambda: engines.build(ENGINE, asked, str(tmp_path / "p"), plain, solution=solution))
        assert message == "the package lib-1.0-0.tar.bz2 is broken: its sha256 does not match"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [("", "version"), ("version: 99\n", "newer"), ("not: yaml: at all", ""), ("version: 6\npackages: 3\n", "")],
        ids=["empty", "newer", "no YAML", "no packages"],
    )
    def test_what_is_no_lock(self, text, reason):
        asked = tiny.request("app", channels={"mine": "https://host.invalid/mine"})
        assert reason in refusal(lambda: lockfile.solution(Lockfile("s.lock", text), asked))

    def test_a_lock_of_another_tool_that_lacks_what_is_asked_for(self):
        asked = tiny.request("tzdata >=2025", channels={"conda-forge": "https://conda.anaconda.org/conda-forge"})
        message = refusal(lambda: lockfile.solution(Lockfile("s.pixi.lock", _FOREIGN[6]), asked))
        assert "asks for `tzdata >=2025`, but it contains tzdata 2024a" in message

    @pytest.mark.parametrize(
        ("requirement", "fits"),
        [
            ("rich", True),
            ("rich>=13,<16", True),
            ("rich[jupyter] ~=15.0", True),
            ("rich @ https://wheels.example/rich-15.0.0-py3-none-any.whl", True),
            ("rich >=16", False),
            ("rich (<15)", False),
            ("rich==15.*", True),
            ("rich !=15.0", False),
            ("poor", False),
            ("rich >=16; python_version < '3'", True),
        ],
    )
    def test_a_requirement_of_pypi_that_another_tools_lock_does_not_satisfy(self, requirement, fits):
        conda = {"conda-forge": "https://conda.anaconda.org/conda-forge"}
        asked = tiny.request("tzdata", channels=conda, pypi=(requirement,))
        found = Lockfile("s.pixi.lock", _FOREIGN[6])
        if fits:
            assert lockfile.solution(found, asked).pypi
        else:
            assert f"asks for `{requirement}` of PyPI, but it contains" in refusal(
                lambda: lockfile.solution(found, asked)
            )

    def test_a_package_without_a_hash(self):
        asked = tiny.request("tzdata", channels={"conda-forge": "https://conda.anaconda.org/conda-forge"})
        bare = re.sub(r"^  (sha256|md5): .*\n", "", _FOREIGN[6], flags=re.MULTILINE)
        assert "has no hash for tzdata" in refusal(lambda: lockfile.solution(Lockfile("s.pixi.lock", bare), asked))

    @pytest.mark.parametrize(("depends", "specs"), [(("__cuda >=12",), ("gpu",)), ((), ("gpu", "__cuda >=12"))])
    def test_a_machine_without_what_is_needed(self, plain, tmp_path, monkeypatch, depends, specs):
        place = tiny.channel(tmp_path / "gpu", Tiny("gpu", depends=depends))
        asked = tiny.request(*specs, channels={"mine": place})
        monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
        made = locked(asked, plain, tmp_path)
        lockfile.solution(made, asked)
        monkeypatch.delenv("CONDA_OVERRIDE_CUDA")
        assert "need __cuda >=12, which this machine does not have" in refusal(lambda: lockfile.solution(made, asked))


class TestFound:
    def test_ours_before_theirs(self, tmp_path):
        script = tmp_path / "s.py"
        for suffix in reversed(lockfiles.SUFFIXES):
            (tmp_path / f"s.py{suffix}").write_text(f"# {suffix}\n")
            found = lockfile.find(str(script))
            assert found is not None
            assert found.text == f"# {suffix}\n"

    def test_none_is_none(self, tmp_path):
        assert lockfile.find(str(tmp_path / "s.py"), b"print()\n") is None

    def test_one_in_the_script_before_one_beside_it(self, tmp_path):
        (tmp_path / "s.py.conda-execute.lock").write_text("beside")
        found = lockfile.find(str(tmp_path / "s.py"), lockfile.embed(b"print()\n", "within\n", "#"))
        assert found is not None
        assert (found.text, found.embedded) == ("within\n", True)

    def test_one_that_conda_exec_put_into_the_script(self):
        assert lockfile.extract(BY_CONDA_EXEC) == "version: 6\n\npackages: []\n"

    def test_ours_beside_a_script_before_one_that_conda_exec_put_into_it(self, tmp_path):
        script = str(tmp_path / "s.py")
        assert lockfile.find(script, BY_CONDA_EXEC) == lockfile.Lockfile(
            script, "version: 6\n\npackages: []\n", embedded=True
        )
        (tmp_path / "s.py.conda-execute.lock").write_text("ours\n")
        found = lockfile.find(script, BY_CONDA_EXEC)
        assert found is not None
        assert (found.text, found.embedded) == ("ours\n", False)

    def test_one_without_an_end_is_an_error(self):
        assert "no end" in refusal(lambda: lockfile.extract(b"# /// conda-execute-lock\n# version: 7\nprint()\n"))

    def test_a_lock_behind_a_link_is_written_where_the_link_leads(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "s.lock")
        lockfile.write(str(tmp_path / "link"), "text\n")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "s.lock").read_bytes() == b"text\n"

    def test_a_folder_that_cannot_be_written_to(self, tmp_path):
        path = str(tmp_path / "nowhere" / "s.lock")
        assert "cannot be written" in refusal(lambda: lockfile.write(path, "text"))


class TestEmbedded:
    TEXT = "# input linux-64: 0\nversion: 7\n\nlist:\n- a: 'x'\n"

    @pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
    @pytest.mark.parametrize("prefix", ["#", "//", "--", ";", "%%", "! "])
    def test_what_is_embedded_is_extracted_and_nothing_else_changes(self, prefix, newline):
        script = newline.join([b"#!/usr/bin/env x", b"", b"body \xff"]) + newline
        whole = lockfile.embed(script, self.TEXT, prefix)
        assert lockfile.extract(whole) == self.TEXT
        assert whole.startswith(script)
        assert whole.count(b"\n") == whole.count(newline)
        assert lockfile.remove(whole) == script

    def test_a_lock_does_not_become_part_of_a_header_that_ends_the_script(self):
        header = b"# conda execute\n# env: [python]\n"
        with pytest.raises(UsageError, match="nothing comes after the header"):
            choice.embed(header, read_header(header, "x", "linux-64"), self.TEXT, "x")
        script = header + b"print()\n"
        assert choice.unembed(choice.embed(script, read_header(script, "x", "linux-64"), self.TEXT, "x")) == script

    def test_embedding_again_replaces(self):
        once = lockfile.embed(b"print()\n", self.TEXT, "#")
        assert lockfile.embed(once, self.TEXT, "#") == once

    @given(st.binary().filter(lambda data: b"conda-ex" not in data))
    def test_any_script_keeps_its_bytes(self, script):
        whole = lockfile.embed(script, self.TEXT, "#")
        assert lockfile.extract(whole) == self.TEXT
        assert lockfile.remove(whole).startswith(script)

    def test_a_real_lock_survives_the_comment(self, place, plain, tmp_path):
        asked = tiny.request("app", channels={"mine": place})
        made = locked(asked, plain, tmp_path)
        found = lockfile.find(str(tmp_path / "s.lua"), lockfile.embed(b"print()\r\n", made.text, "--"))
        assert found is not None
        assert found.text == made.text
        assert len(lockfile.solution(found, asked).packages) == 2


class TestPyPI:
    def test_pypi_packages_are_locked_with_hashes_beside_condas(self, channel, options, tmp_path):  # noqa: F811
        asked = tiny.request("python", "idna ==3.7", channels={"conda-forge": channel}, pypi=("needs-idna", "plain<2"))
        made = locked(asked, options, tmp_path)
        solution = lockfile.solution(made, asked)
        chosen = {package.name: package for package in solution.pypi or ()}
        assert sorted(chosen) == ["needs-idna", "plain"]
        assert chosen["plain"].version == "1.0"
        assert all(package.sha256 for package in chosen.values())
        prefix = str(tmp_path / "prefix")
        nowhere = replace(options, environ={**options.environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:9"})
        engines.build(ENGINE, asked, prefix, nowhere, solution=solution)
        added = {one.name: (one.version, one.installer) for one in installed.distributions(prefix)}
        assert added["plain"] == ("1.0", "uv")
        assert added["idna"] == ("3.7", "conda")

    @pytest.mark.parametrize("offline", [True, False], ids=["offline", "online"])
    def test_nothing_is_asked_of_the_network_after_locking(self, channel, options, tmp_path, wheels, offline):  # noqa: F811
        """Not even whether a cached archive is still the same, as some servers would have it."""
        pages = tmp_path / "simple" / "plain"
        pages.mkdir(parents=True)
        name = "plain-1.0-py3-none-any.whl"
        environ = {**options.environ, "UV_DEFAULT_INDEX": (tmp_path / "simple").as_uri()}
        there = replace(options, environ=environ)
        asked = tiny.request("python", channels={"conda-forge": channel}, pypi=("plain",))
        prefix = str(tmp_path / "prefix")
        how = replace(options, offline=offline)
        with Channel(wheels, fresh=False) as server:
            (pages / "index.html").write_text(f'<a href="{server.url}/{name}">{name}</a>\n')
            made = locked(asked, there, tmp_path)
            assert server.asked
            server.asked.clear()
            engines.build(ENGINE, asked, prefix, how, solution=lockfile.solution(made, asked))
        assert "plain" in [one.name for one in installed.distributions(prefix)]
        assert not server.asked

    def test_a_tampered_wheel_is_refused(self, channel, options, tmp_path, wheels):  # noqa: F811
        asked = tiny.request("python", channels={"conda-forge": channel}, pypi=("plain<2",))
        made = locked(asked, options, tmp_path)
        wheel(wheels, "plain", "1.0", requires=("evil",))
        try:
            prefix = str(tmp_path / "prefix")
            solution = lockfile.solution(made, asked)
            message = refusal(lambda: engines.build(ENGINE, asked, prefix, options, solution=solution))
        finally:
            wheel(wheels, "plain", "1.0")
        assert message == "a PyPI package does not match its hash"

    @pytest.mark.parametrize(
        ("platform", "tag"), [("linux-64", "manylinux"), ("osx-arm64", "macosx"), ("win-64", "win_amd64")]
    )
    def test_each_platform_gets_its_own_wheels(self, options, tmp_path, platform, tag):  # noqa: F811
        registry = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "http"))}
        online = replace(options, environ={"PATH": os.defpath, "HOME": options.environ["HOME"], **registry})
        place = tiny.channel(
            tmp_path / "pythons",
            Tiny("python", "3.12.1", subdir="win-64"),
            Tiny("python", "3.12.1", subdir="osx-arm64"),
            Tiny("python", "3.12.1", subdir="linux-64"),
        )
        asked = tiny.request(
            "python", channels={"mine": place}, pypi=("markupsafe",), pypi_exclude_newer="2026-10-31", platform=platform
        )
        asked = replace(asked, host_platform="linux-aarch64")
        solution = lockfile.solution(locked(asked, online, tmp_path), asked)
        (chosen,) = solution.pypi or ()
        assert f"cp312-cp312-{tag}" in chosen.location
        assert chosen.sha256 is not None


_FOREIGN = {
    6: f"""\
version: 6
environments:
  default:
    channels:
    - url: https://conda.anaconda.org/conda-forge/
    packages:
      linux-64:
      - conda: https://conda.anaconda.org/conda-forge/noarch/tzdata-2024a-h0c530f3_0.conda
      - pypi: https://wheels.example/packages/82/3b/rich-15.0.0-py3-none-any.whl
packages:
- conda: https://conda.anaconda.org/conda-forge/noarch/tzdata-2024a-h0c530f3_0.conda
  sha256: {"7b" * 32}
  md5: 161081fc7cec0bfda0d86d7cb595f8d8
  size: 119815
  timestamp: 1706886945727
- pypi: https://wheels.example/packages/82/3b/rich-15.0.0-py3-none-any.whl
  name: rich
  version: 15.0.0
  sha256: {"a" * 64}
  requires_python: '>=3.8'
""",
}
_FOREIGN[7] = re.sub("version: 6\n", "version: 7\nplatforms:\n- name: linux-64\n", _FOREIGN[6], count=1)

_TWO_MACHINES = f"""\
version: 7
platforms:
- name: gpu
  subdir: linux-64
  virtual-packages:
  - __cuda=12.0
- name: linux-64-system
  subdir: linux-64
environments:
  default:
    channels:
    - url: https://conda.anaconda.org/conda-forge/
    packages:
      gpu:
      - conda: https://conda.anaconda.org/conda-forge/noarch/tzdata-2025b-0.conda
      linux-64-system:
      - conda: https://conda.anaconda.org/conda-forge/noarch/tzdata-2024a-0.conda
packages:
- conda: https://conda.anaconda.org/conda-forge/noarch/tzdata-2025b-0.conda
  sha256: {"7b" * 32}
  depends:
  - __cuda >=12
- conda: https://conda.anaconda.org/conda-forge/noarch/tzdata-2024a-0.conda
  sha256: {"7c" * 32}
"""


def test_locked_run_links_nothing_that_was_changed_in_the_cache(world: World) -> None:
    """Its size and time are what they were; the hash that the package has for the file is not."""
    world = world.with_(RATTLER_CACHE_DIR=str(world.root / "packages"))
    script = world.script("s.lua", "-- conda execute\n-- env: [lua]\nprint(6 * 7)\n")
    world.execute("--lock", script, check=True)
    world.execute("--locked", script, check=True)
    (cached,) = Path(world.environ["RATTLER_CACHE_DIR"]).glob("pkgs/lua-*/bin/lua")
    before, data = cached.stat(), cached.read_bytes()
    world.tmpenv("clear", check=True)
    cached.unlink()  # else it would be that of the prefix
    cached.write_bytes(data[::-1])
    cached.chmod(before.st_mode)
    os.utime(cached, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.execute("--locked", script, check=True).stdout == "42\n"
    assert cached.read_bytes() == data
