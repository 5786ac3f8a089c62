"""Laws of what `--file` and the words of a command line may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from conda_execute.errors import ExecuteError, HeaderError, UsageError
from conda_execute.script import specfile


def test_words_are_conda_specs_but_for_those_that_say_pypi() -> None:
    header = specfile.from_words(["python=3", "pypi:rich >=13", "numpy"])
    assert (header.specs, header.pypi) == (("python=3", "numpy"), ("rich >=13",))


@pytest.mark.parametrize("word", ["", "  ", "pypi:", "pypi: "])
def test_an_empty_word_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        specfile.from_words([word])


def test_lines_are_specs_and_comments_are_not(tmp_path: Path) -> None:
    file = tmp_path / "specs.txt"
    file.write_bytes(b"\xef\xbb\xbf# what we need\r\npython >=3  # any\r\n\r\nnumpy\r\npypi:rich\r\n")
    header = specfile.read(str(file))
    assert (header.specs, header.pypi) == (("python >=3", "numpy"), ("rich",))
    where = header.location("numpy")
    assert where is not None
    assert (where.line, where.column) == (4, 1)


def test_environment_yml_is_read(tmp_path: Path) -> None:
    file = tmp_path / "environment.yml"
    file.write_text(
        "name: work\nchannels:\n  - bioconda\n  - nodefaults\ndependencies:\n  - python=3.12\n  - pip:\n"
        "    - rich>=13\nvariables:\n  A: 1.0\n"
    )
    header = specfile.read(str(file))
    assert (header.specs, header.pypi, header.channels) == (("python=3.12",), ("rich>=13",), ("bioconda",))
    assert header.variables == (("A", "1.0"),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.yml", "dependencies: numpy\n", "`dependencies` must be a list, found a string"),
        ("e.yml", "dependancies: [numpy]\n", "`dependancies` is not a key of an environment.yml"),
        ("e.yml", "- numpy\n", "the file is not an environment.yml"),
        ("e.yml", "name: x\n", "the file has no `dependencies`"),
        ("e.yml", "dependencies: [[numpy]]\n", "an entry of `dependencies` must be a string, found a list"),
        ("e.yml", "dependencies: [pip: rich]\n", "`pip` must be a list, found a string"),
        ("specs.txt", "# nothing\n", "the file names no package"),
        ("specs.txt", "@EXPLICIT\nhttps://x/y.conda\n", "an explicit list of packages is not a list of specs"),
        ("specs.txt", "numpy\0\n", "NUL byte"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(name: str, content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(HeaderError) as caught:
        specfile.read(str(file))
    assert message in caught.value.message
    assert caught.value.where[0].path == str(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExecuteError, match="there is no file"):
        specfile.read(str(tmp_path / "none.txt"))
