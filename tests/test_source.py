"""Laws of where a script comes from."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from conda_execute.errors import ExecuteError, HeaderError, NotExecutableError, NotFoundError, UsageError
from conda_execute.script import source
from conda_execute.script.header import ENOUGH, HEAD, read_header


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONDA_EXECUTE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_relative_path_stays_relative_for_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.py").write_text("pass\n")
    monkeypatch.chdir(tmp_path)
    script = source.from_file("s.py")
    assert (script.given, script.path, script.head) == ("s.py", str(tmp_path / "s.py"), b"pass\n")


def test_a_symbolic_link_is_not_followed_in_the_path(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("pass\n")
    (tmp_path / "link.py").symlink_to("s.py")
    assert source.from_file(str(tmp_path / "link.py")).path == str(tmp_path / "link.py")


def test_dot_dot_after_a_symbolic_link_is_left_to_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`link/..` is the parent of what the link names."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "s.py").write_text("deep\n")
    (tmp_path / "s.py").write_text("shallow\n")
    (tmp_path / "link").symlink_to("deep/er")
    monkeypatch.chdir(tmp_path)
    script = source.from_file("link/../s.py")
    assert script.head == b"deep\n"
    assert Path(script.path).read_text() == "deep\n"


def test_a_name_that_starts_with_a_dash_is_no_option_to_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "-s.py").write_text("pass\n")
    monkeypatch.chdir(tmp_path)
    assert source.from_file("-s.py").given == "./-s.py"


def test_only_the_beginning_is_read(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_bytes(b"#" * 200_000)
    assert len(source.from_file(str(tmp_path / "s.py")).head) == ENOUGH


def test_a_header_that_is_cut_where_reading_ends_is_refused(tmp_path: Path) -> None:
    """`python >=3.1` is no `python >=3.11`, and both are specs."""
    header = "# conda execute\n# env:\n#  - python >=3.1"
    script = tmp_path / "s.py"
    script.write_text("\n" * (HEAD - len(header)) + header + "1,<3.12\n")
    read = source.from_file(str(script))
    with pytest.raises(HeaderError, match="does not end within the first 64 KiB"):
        read_header(read.head, read.path, "linux-64")


def test_a_character_that_is_cut_where_reading_ends_is_no_mistake(tmp_path: Path) -> None:
    header = "# conda execute\n# env: [python]\n\n"
    script = tmp_path / "s.py"
    script.write_text(header + "x" * (HEAD - len(header) - 1) + "é\n", encoding="utf-8")
    read = source.from_file(str(script))
    assert read_header(read.head, read.path, "linux-64").specs == ("python",)


def test_a_header_after_what_is_read_is_reported(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("x = 1\n" * HEAD + "# conda execute\n# env: [python]\n")
    read = source.from_file(str(script))
    with pytest.raises(HeaderError, match="no header in its first 64 KiB"):
        read_header(read.head, read.path, "linux-64")


@pytest.mark.parametrize("room", [0, 10, 17, 22, 30])
@pytest.mark.parametrize(
    "header",
    [
        b"# conda execute\n# env:\n#  - python\n#  - numpy\n",
        b"# /// script\n# dependencies = ['rich']\n# ///\n",
        b"# /// conda-script\n# channels = ['conda-forge']\n# entrypoint = 'python'\n# /// end-conda-script\n",
    ],
    ids=["native", "script", "conda-script"],
)
def test_a_header_that_goes_on_behind_what_is_looked_at_is_refused(room: int, header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_bytes(b"x" * (HEAD - len(header) + room) + b"\n" + header)
    with pytest.raises(HeaderError, match=r"does not end within the first 64 KiB|no header in its first 64 KiB"):
        read_header(source.from_file(str(path)).head, "s.py", "linux-64")


def test_a_missing_script_is_127_and_names_its_neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "analyse.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError) as caught:
        source.from_file("analise.py")
    assert caught.value.exit_status == 127
    assert caught.value.hint == "did you mean `analyse.py`?"


def test_a_link_that_leads_nowhere_says_where(tmp_path: Path) -> None:
    (tmp_path / "s.py").symlink_to("gone.py")
    with pytest.raises(NotFoundError) as caught:
        source.from_file(str(tmp_path / "s.py"))
    assert caught.value.hint == "it is a link to `gone.py`, which is not there"


def test_a_directory_is_126(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("")
    with pytest.raises(NotExecutableError) as caught:
        source.from_file(str(tmp_path))
    assert caught.value.exit_status == 126
    assert "is a directory" in caught.value.message
    assert "__main__.py" in (caught.value.hint or "")


@pytest.mark.parametrize("given", ["s\0.py", "s.py/below", "x" * 5000], ids=["nul", "below a file", "too long"])
def test_an_impossible_path_is_our_error(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExecuteError):
        source.from_file(given)


def test_a_pipe_is_kept_as_a_file(tmp_path: Path, cache: Path) -> None:
    """`conda execute <(generate)`: what was read from a pipe is gone for the interpreter."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR)
    try:
        writer = threading.Thread(target=fifo.write_bytes, args=(b"print(1)\n",))
        writer.start()
        writer.join()
        os.set_blocking(reader, True)
        copy = os.open(f"/dev/fd/{reader}", os.O_RDONLY | os.O_NONBLOCK)
        os.close(reader)
        script = source.from_file(f"/dev/fd/{copy}")
    finally:
        os.close(copy)
    assert Path(script.path).read_bytes() == b"print(1)\n"
    assert not script.is_file


def test_words_after_c_are_lines(cache: Path) -> None:
    script = source.from_words(["# conda execute", "# env: [python]", "print('x')"])
    assert Path(script.path).read_text() == "# conda execute\n# env: [python]\nprint('x')\n"


def test_the_same_code_is_kept_once(cache: Path) -> None:
    first = source.from_words(["print(1)"])
    second = source.from_standard_input(io.BytesIO(b"print(1)\n"))
    assert first.path == second.path
    assert len(list((cache / "code").iterdir())) == 1


def test_code_that_was_tampered_with_is_written_again(cache: Path) -> None:
    script = source.from_words(["print(1)"])
    Path(script.path).write_text("print(2)\n")
    assert Path(source.from_words(["print(1)"]).path).read_text() == "print(1)\n"


def test_kept_code_is_for_its_user_alone(cache: Path) -> None:
    script = source.from_words(["print(1)"])
    assert os.stat(script.path).st_mode & 0o077 == 0
    assert os.stat(script.folder).st_mode & 0o077 == 0


@pytest.mark.parametrize("code", [b"", b" \n\t\n"], ids=["empty", "blank"])
def test_no_code_is_an_error(code: bytes, cache: Path) -> None:
    with pytest.raises(UsageError):
        source.from_standard_input(io.BytesIO(code))


def test_an_unwritable_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONDA_EXECUTE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(ExecuteError) as caught:
        source.from_words(["print(1)"])
    assert "CONDA_EXECUTE_CACHE_DIR" in (caught.value.hint or "")
