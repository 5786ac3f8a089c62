"""What several modules do to files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from conda_execute import files
from tests.protocol import small


def test_delete_takes_write_protected_directories() -> None:
    """Root may do everything: somebody else deletes."""
    words = small.as_another_user()
    with small.place_of_another_user() as place:
        below, outside = place / "tree" / "protected" / "below", place / "outside"
        below.mkdir(parents=True)
        outside.mkdir()
        (outside / "cached").write_text("x")
        os.link(outside / "cached", below / "file")
        linked = below.with_name("linked")
        linked.mkdir()
        (linked / "link").symlink_to(outside)
        for path in (outside / "cached", outside, below, linked, below.parent, below.parent.parent):
            path.chmod(0o500)
            os.chown(path, 65534, 65534)
        code = f"import sys; sys.path.insert(0, {str(small.ROOT)!r})\n"
        code += "from conda_execute import files; files.delete(sys.argv[1])"
        subprocess.run([*words, sys.executable, "-c", code, str(place / "tree")], check=True, cwd="/")
        assert list(place.iterdir()) == [outside]
        assert [stat.S_IMODE(path.stat().st_mode) for path in (outside, outside / "cached")] == [0o500] * 2


def test_delete_takes_a_link_and_not_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    files.delete(str(tmp_path / "link"))
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_directory_that_somebody_makes_meanwhile_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = os.mkdir
    monkeypatch.setattr(os, "mkdir", lambda path, mode: (mkdir(path, mode), mkdir(path, mode)))
    files.make_directory(str(tmp_path / "a"))
    assert (tmp_path / "a").is_dir()


def test_directories_are_for_this_user_alone_all_the_way(tmp_path: Path) -> None:
    made = tmp_path / "a" / "b" / "c"
    files.make_directory(str(made))
    files.make_directory(str(made))
    assert {stat.S_IMODE(path.stat().st_mode) for path in (made, made.parent, made.parent.parent)} == {0o700}


def test_directories_are_made_below_the_working_directory_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.make_directory("a/b")
    assert (tmp_path / "a" / "b").is_dir()


def test_file_in_place_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for path in ("a", "a/b"):
        with pytest.raises(FileExistsError, match="a'"):
            files.make_directory(str(tmp_path / path))


def test_unlink_minds_nothing_but_what_stays(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for path in ("a/b", "a", "a", "b/c"):
        files.unlink(str(tmp_path / path))
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError, match="d"):
        files.unlink(str(tmp_path / "d"))


def test_a_directory_that_the_disk_fails_to_describe_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with EIO for a stat: `isdir` then says no."""
    (tmp_path / "tree" / "below").mkdir(parents=True)
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    files.delete(str(tmp_path / "tree"))
    assert not os.path.lexists(tmp_path / "tree")


def test_what_is_written_replaces_a_link_and_never_follows_it(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "code").symlink_to("theirs")
    files.write_whole(str(tmp_path / "code"), b"mine")
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "code").is_symlink()
    assert (tmp_path / "code").read_bytes() == b"mine"


def test_a_signal_while_a_tree_is_deleted_stays_that_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rmtree` may be interrupted when it has closed a directory and not noted that yet, and closes it again."""
    (tmp_path / "tree" / "below").mkdir(parents=True)
    close = os.close

    def interrupted(descriptor: int) -> None:
        monkeypatch.setattr(os, "close", close)
        close(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.delete(str(tmp_path / "tree"))
