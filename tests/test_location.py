"""Where environments lie."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from conda_execute.environments.place import choose_tmp_envs
from conda_execute.errors import PlaceError
from conda_execute.files import is_writable
from tests.protocol import small


class TestPlace:
    def choose(self, env_dir: str | None = None, name: str | None = None, **environ: str) -> str:
        return choose_tmp_envs(env_dir, (), environ, "linux-64", name=name)

    def test_place_asked_for_comes_first(self, tmp_path: Path) -> None:
        assert self.choose(str(tmp_path / "envs"), HOME=str(tmp_path)) == str(tmp_path / "envs" / "tmp_envs")

    def test_place_asked_for_may_name_tmp_envs_itself(self, tmp_path: Path) -> None:
        assert self.choose(str(tmp_path / "tmp_envs")) == str(tmp_path / "tmp_envs")

    def test_default_is_the_cache_directory_of_the_platform(self, tmp_path: Path) -> None:
        assert self.choose(HOME=str(tmp_path)) == str(tmp_path / ".cache/conda-execute/linux-64/tmp_envs")

    @pytest.mark.parametrize(
        ("parts", "is_root"),
        [(("condabin", "conda-meta"), True), (("conda-meta",), False), ((), False)],
        ids=["root prefix", "environment", "no conda"],
    )
    def test_root_prefix_that_the_caller_owns_comes_before_the_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...], is_root: bool
    ) -> None:
        root = tmp_path / "miniconda"
        root.mkdir()
        for part in parts:
            (root / part).mkdir()
        monkeypatch.setattr(sys, "prefix", str(root))
        chosen = self.choose(HOME=str(tmp_path))
        assert (chosen == str(root / "tmp_envs")) == is_root

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_root_prefix_of_somebody_else_is_left_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        root = tmp_path / "miniconda"
        for part in ("condabin", "conda-meta"):
            (root / part).mkdir(parents=True)
        os.chown(root, 65534, 65534)
        monkeypatch.setattr(sys, "prefix", str(root))
        assert self.choose(HOME=str(tmp_path)).startswith(str(tmp_path / ".cache"))

    def test_directories_are_private(self, tmp_path: Path) -> None:
        place = Path(self.choose(HOME=str(tmp_path)))
        assert [stat.S_IMODE(path.stat().st_mode) for path in (place, *place.parents[:3])] == [0o700] * 4

    def test_place_asked_for_that_does_not_fit_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(PlaceError, match="file"):
            self.choose(str(tmp_path / "file"), HOME=str(tmp_path))

    @pytest.mark.skipif(sys.platform == "win32", reason="PATH of POSIX")
    @pytest.mark.parametrize("name", ["a:b", "a\nb"])
    def test_place_that_path_cannot_hold_is_refused_and_no_default(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(PlaceError, match="cannot contain a colon"):
            self.choose(str(tmp_path / name))
        assert self.choose(HOME=str(tmp_path / name), TMPDIR=str(tmp_path)).startswith(f"{tmp_path}/conda-execute-")

    def test_default_place_that_does_not_fit_falls_through(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("no directory")
        notices: list[str] = []
        place = choose_tmp_envs(
            None,
            (),
            {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)},
            "linux-64",
            notice=notices.append,
        )
        assert place == str(tmp_path / f"conda-execute-{os.getuid()}/linux-64/tmp_envs")
        assert place in notices[0]
        assert f"`{tmp_path}/home/.cache/conda-execute/linux-64/tmp_envs` cannot be used" in notices[0]

    def test_no_home_is_a_private_directory_with_a_notice(self, tmp_path: Path) -> None:
        notices: list[str] = []
        place = choose_tmp_envs(
            None,
            (),
            {"TMPDIR": str(tmp_path)},
            "linux-64",
            notice=notices.append,
        )
        assert place.startswith(str(tmp_path))
        assert stat.S_IMODE(os.stat(os.path.dirname(os.path.dirname(place))).st_mode) == 0o700
        assert "HOME is not set" in notices[0]

    @pytest.mark.parametrize("temporary", [".", "made"])
    def test_private_directory_stays_the_same_when_the_script_goes_elsewhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        place = self.choose(TMPDIR=temporary)
        assert place == str(tmp_path / temporary / f"conda-execute-{os.getuid()}/linux-64/tmp_envs")

    def test_link_in_place_of_the_private_directory_is_refused(self, tmp_path: Path) -> None:
        """In a directory for all, anybody could have made it."""
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (tmp_path / f"conda-execute-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PlaceError, match="symbolic link"):
            self.choose(TMPDIR=str(tmp_path))
        assert list((tmp_path / "elsewhere").iterdir()) == []

    @pytest.mark.parametrize(
        ("mode", "owner"),
        [
            (0o777, os.geteuid()),
            pytest.param(
                0o700, 65534, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
            ),
        ],
        ids=["writable", "owned"],
    )
    def test_private_directory_that_is_not_private_is_refused(self, tmp_path: Path, mode: int, owner: int) -> None:
        directory = tmp_path / f"conda-execute-{os.getuid()}"
        directory.mkdir()
        directory.chmod(mode)
        os.chown(directory, owner, -1)
        with pytest.raises(PlaceError, match="other users can write" if mode == 0o777 else "belongs to another user"):
            self.choose(TMPDIR=str(tmp_path))
        assert list(directory.iterdir()) == []

    def test_command_that_a_hint_gives_holds_for_a_path_with_blanks(self, tmp_path: Path) -> None:
        place = tmp_path / "my $HOME" / "tmp_envs"
        place.mkdir(parents=True)
        place.chmod(0o777)
        with pytest.raises(PlaceError) as caught:
            self.choose(str(place))
        assert caught.value.hint is not None
        subprocess.run(["/bin/sh", "-c", caught.value.hint], check=True)
        assert self.choose(str(place)) == str(place)

    @pytest.mark.parametrize("mode", [0o770, 0o707, 0o777], ids=oct)
    def test_place_that_another_user_can_write_to_is_refused(self, tmp_path: Path, mode: int) -> None:
        place = tmp_path / "tmp_envs"
        place.mkdir()
        place.chmod(mode)
        with pytest.raises(PlaceError, match="other users can write"):
            self.choose(str(tmp_path))

    def test_place_of_the_administrator_serves_what_it_holds(self) -> None:
        words = small.as_another_user()
        code = f"""
import sys
sys.path.insert(0, {str(small.ROOT)!r})
from conda_execute import errors
from conda_execute.environments import place as location
for name in sys.argv[2:]:
    try:
        print(location.choose_tmp_envs(sys.argv[1], (), {{}}, "linux-64", name=name))
    except errors.PlaceError as error:
        print(error)
"""
        with small.place_of_another_user() as place:
            place.chmod(0o755)
            (place / "tmp_envs").mkdir(mode=0o755)
            there = small.ensure(str(place / "tmp_envs")).name
            command = [*words, sys.executable, "-c", code, str(place), there, "0" * 20]
            done = subprocess.run(command, cwd="/", check=True, stdout=subprocess.PIPE, text=True)
        assert done.stdout.splitlines() == [
            f"{place}/tmp_envs",
            f"no environment can be created in `{place}/tmp_envs`: it is read-only",
        ]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_place_of_another_user_is_refused(self, tmp_path: Path) -> None:
        place = tmp_path / "tmp_envs"
        place.mkdir()
        os.chown(place, 65534, 65534)
        with pytest.raises(PlaceError, match="belongs to another user"):
            self.choose(str(tmp_path))


def test_directory_that_is_not_there_yet_is_as_writable_as_the_one_above_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    writable = {name: is_writable(str(tmp_path / name)) for name in (".", "a/b", "file", "file/b")}
    assert writable == {".": True, "a/b": True, "file": False, "file/b": False}
