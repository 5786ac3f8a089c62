"""Where the user's cache is: Python and the launcher say the same, under the rules of each platform."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_execute.cache import cache_dir, fitting_cache, launch_records, private_path
from conda_execute.configuration import condarc
from conda_execute.errors import PlaceError, SettingsError
from conda_execute.script import command
from tests.launching import LAUNCHER

#: The launcher up to where it knows the cache, then the paths at which it would look for records.
LAUNCHER_TEXT = LAUNCHER.read_text().partition("\n# Read the records")[0] + '\nprintf %s "$_ce_cache"\n'

paths = st.none() | st.sampled_from(["", "/", "/home/me", "relative", "/a::/b", "~", "/with blank/*"])


def by_launcher(environ: dict[str, str], platform: str) -> str:
    """What the launcher takes for the cache; on macOS there is one file more."""
    text = LAUNCHER_TEXT
    if platform == "darwin":
        assert "[ ! -e /usr/libexec/path_helper ]" in text
        text = text.replace("/usr/libexec/path_helper", "/")
    words = ["/bin/sh", "-c", text, "conda-execute", "/x.py"]
    return subprocess.run(words, env=environ, capture_output=True, check=True, text=True).stdout


@pytest.mark.skipif(os.name != "posix", reason="the launcher is a POSIX shell's")
@pytest.mark.parametrize("platform", ["linux", "darwin"])
@given(asked=paths, xdg=paths, home=paths)
def test_launcher_looks_where_python_writes(
    platform: str, asked: str | None, xdg: str | None, home: str | None
) -> None:
    named = {"CONDA_EXECUTE_CACHE_DIR": asked, "XDG_CACHE_HOME": xdg, "HOME": home}
    environ = {name: value for name, value in named.items() if value is not None}
    assert by_launcher(environ, platform).replace("//", "/") == (cache_dir(environ, platform) or "").replace("//", "/")


@pytest.mark.usefixtures("namespaces")
@pytest.mark.skipif(not os.path.isdir("/usr/libexec"), reason="there is no /usr/libexec")
def test_macos_is_known_by_a_file_that_only_it_has() -> None:
    macos = ["unshare", "--mount", "/bin/sh", "-c"]
    shown = 'mount -t tmpfs none /usr/libexec && : >/usr/libexec/path_helper && exec "$@"'
    words = [*macos, shown, "sh", "/bin/sh", "-c", LAUNCHER_TEXT, "conda-execute", "/x.py"]
    environ = {"HOME": "/home/me", "XDG_CACHE_HOME": "/xdg", "PATH": os.environ["PATH"]}
    done = subprocess.run(words, env=environ, capture_output=True, check=True, text=True)
    assert done.stdout == cache_dir(environ, "darwin") == "/home/me/Library/Caches/conda-execute"


def test_records_of_one_script_are_at_most_eight_and_no_script_has_those_of_another() -> None:
    records = launch_records("/cache", "/x.py")
    assert len(set(records)) == len(records) == 8
    assert not set(records) & set(launch_records("/cache", "/x.py.2"))


@pytest.mark.skipif(os.name != "posix", reason="homes of POSIX systems")
class TestOddHome:
    @pytest.mark.parametrize("home", [None, "", "/proc/nowhere", "/dev/null"], ids=str)
    def test_cache_is_a_private_directory_then(self, tmp_path: Path, home: str | None) -> None:
        environ = {"TMPDIR": str(tmp_path)} | ({} if home is None else {"HOME": home})
        cache = fitting_cache(environ)
        assert cache == str(tmp_path / f"conda-execute-{os.getuid()}")
        assert stat.S_IMODE(os.stat(cache).st_mode) == 0o700

    def test_temporary_directory_that_is_not_there_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert private_path({"TMPDIR": str(tmp_path / "file" / "job.1")}) == f"/tmp/conda-execute-{os.getuid()}"

    def test_program_of_a_package_runs_there_too(self, tmp_path: Path) -> None:
        environ = {"TMPDIR": str(tmp_path)}
        assert command.program_at(command.script_of("lua", environ, has_package=True), environ) == "lua"

    def test_cache_that_others_can_write_to_is_not_used(self, tmp_path: Path) -> None:
        cache = tmp_path / "home" / ".cache" / "conda-execute"
        cache.mkdir(parents=True)
        cache.chmod(0o777)
        environ = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path / "home")}
        assert fitting_cache(environ) == str(tmp_path / f"conda-execute-{os.getuid()}")

    def test_private_directory_that_is_not_private_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / f"conda-execute-{os.getuid()}").symlink_to(tmp_path)
        with pytest.raises(PlaceError, match="symbolic link"):
            fitting_cache({"TMPDIR": str(tmp_path)})

    def test_cache_that_was_asked_for_is_taken_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "asked").mkdir(mode=0o777)
        environ = {"CONDA_EXECUTE_CACHE_DIR": str(tmp_path / "asked"), "HOME": str(tmp_path)}
        assert fitting_cache(environ) == str(tmp_path / "asked")

    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root is meant")
    def test_root_leaves_nothing_in_the_home_of_another_user(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        home.mkdir()
        os.chown(home, 54399, 54399)
        assert fitting_cache({"TMPDIR": str(tmp_path), "HOME": str(home)}) == str(tmp_path / "conda-execute-0")
        assert list(home.iterdir()) == []


# What PyYAML found in a text ----------------------------------------------------------------------------------------

#: Every kind of event and of quotation, a comment, an alias and a mark that condarc files have.
CONDARC = b"""\
channels: &all [conda-forge, 'a b']  #!final
denylist_channels: *all
proxy_servers:
  http: "http://proxy\\x2e example"
  https:
channel_alias: >
  https://folded.example
"""


def read_through(cache: Path) -> dict[str, condarc.Written]:
    return condarc.read("/home/me/.condarc", CONDARC, str(cache))


def kept_in(cache: Path) -> Path:
    (file,) = (cache / "parsed").iterdir()
    return file


def test_a_text_that_was_read_before_means_the_same(tmp_path: Path) -> None:
    fresh = condarc.read("/home/me/.condarc", CONDARC)
    assert read_through(tmp_path) == fresh
    before = kept_in(tmp_path).stat().st_mtime_ns
    assert read_through(tmp_path) == fresh
    assert kept_in(tmp_path).stat().st_mtime_ns == before


def test_a_text_that_is_refused_is_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(SettingsError, match="not valid YAML"):
            condarc.read("/home/me/.condarc", b"channels: [a\n", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
@pytest.mark.parametrize("how", ["cut off", "of another text", "others write", "a link", "no list"])
def test_what_nobody_of_ours_wrote_is_not_believed(tmp_path: Path, how: str) -> None:
    fresh = read_through(tmp_path)
    file = kept_in(tmp_path)
    changed = file.read_text().replace("conda-forge", "evil")
    if how == "cut off":
        file.write_text(changed[:-2])
    elif how == "of another text":
        file.write_text(changed.replace(file.name, "0" * 64))
    elif how == "others write":
        file.write_text(changed)
        file.chmod(0o622)
    elif how == "a link":
        (tmp_path / "other").write_text(changed)
        file.unlink()
        file.symlink_to(tmp_path / "other")
    else:
        file.write_text(f'["{file.name}", 1]')
    assert read_through(tmp_path) == fresh


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_where_others_can_write_nothing_is_kept(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    assert read_through(cache)
    assert list(cache.iterdir()) == []


def test_cache_that_cannot_be_made_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert read_through(tmp_path / "file" / "cache")
