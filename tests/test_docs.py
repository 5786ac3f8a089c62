"""What the documentation says is true: its headers mean something, its transcripts are what the programs print, its
links lead somewhere, and no option, command, key or setting is left out.

The documents are GitHub's Markdown, and their fenced blocks are the samples:

- A block with a name after its language (` ```python plot.py `) is a file, which the commands after it find.
- A `console` block is run: each `$ command`, with `> ` before its further lines, and then what it prints. `...` stands
  for anything, and a number with a decimal point for any such number.
- An `sh` block is not run (it installs, or wants a cluster), but its options have to exist.
- A block that holds a header is checked, whatever it is called.

Each document has a world of its own, in which conda-forge is the local channel; its commands share one shell.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conda_execute import lockfiles
from conda_execute.cli.parsing import parse
from conda_execute.configuration.declared import OURS
from conda_execute.configuration.settings import load
from conda_execute.environments import layout
from conda_execute.errors import ExecuteError, NotExecutableError, NotFoundError
from conda_execute.options import COMMANDS, RunOptions
from conda_execute.script.header import find_header, native, pep723, read_header
from conda_execute.script.languages import LANGUAGES
from tests.conftest import CHECKOUT, PATIENCE, World

DOCUMENTS = sorted([CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *(CHECKOUT / "docs").rglob("*.md")])
REFERENCE = CHECKOUT / "docs" / "reference"

#: What the plugin does with the words that conda hands it: the same `main` as the program's, called by another name.
CONDA = f"""\
#!{sys.executable}
import sys
sys.path.insert(1, {str(CHECKOUT)!r})
from conda_execute.cli import execute, tmpenv
from conda_execute.terminal.messages import run
from conda_execute.text import call_by_conda
call_by_conda()
main = {{"execute": execute.main, "tmpenv": tmpenv.main}}[sys.argv[1]]
run(lambda words: main(words[1:]))
"""

#: Programs that samples want and that the local channel has on some machines only.
OPTIONAL = ("lua", "gcc", "perl", "nodejs")


def name_of(document: Path) -> str:
    return str(document.relative_to(CHECKOUT))


def every_document(having: str = "") -> pytest.MarkDecorator:
    chosen = [document for document in DOCUMENTS if having in document.read_text(encoding="utf-8")]
    return pytest.mark.parametrize("document", chosen, ids=name_of)


# Samples -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file name after it, and the line of the document that it begins in."""

    language: str
    name: str
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    text: str
    expected: str
    line: int


def blocks(document: Path) -> list[Block]:
    found = []
    opened: tuple[str, str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"( *)```+(\S*) *(.*)$", line)
        if opened is None and fence:
            opened = (fence[1], fence[2], fence[3].strip(), number)
            lines = []
        elif opened is not None and fence and not fence[2]:
            indent, language, name, first = opened
            text = "".join(f"{each.removeprefix(indent)}\n" for each in lines)
            found.append(Block(language, name, text, first))
            opened = None
        else:
            lines.append(line)
    assert opened is None, f"{document}:{opened and opened[3]}: a block is not closed"
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a console block, each with what it prints."""
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Command(line[2:], "", number))
            continue
        assert found, f"line {number}: a console block begins with `$ ` and a command"
        last = found[-1]
        if line.startswith("> ") and not last.expected:
            found[-1] = Command(f"{last.text}\n{line[2:]}", "", last.line)
        else:
            found[-1] = Command(last.text, f"{last.expected}{line}\n", last.line)
    return found


def pattern(expected: str) -> re.Pattern[str]:
    """What a transcript allows: `...` is anything, on a line of its own any lines or none; a decimal number that is no
    version is any such number; an age of `now`, in a table, may be minutes; and runs of spaces are one."""
    text = "".join(".*" if line == "..." else _line(line) + "\\n" for line in expected.strip().splitlines())
    return re.compile(text, re.DOTALL)


_NUMBER = r" *(?<![=<>~\w.])-?\d+\.\d*(?:e[-+]\d+)?(?![\w.]) *"
_NOW = r"(?<=  )now(?=  )"


def _line(expected: str) -> str:
    allowed = {"...": ".*?", "now": r"(?:now|\d+ min)"}
    parts = re.split(rf"(\.\.\.|{_NOW}|{_NUMBER})", expected.rstrip())
    return "".join(
        allowed.get(part, _NUMBER) if index % 2 else re.sub(r"(\\ )+", " +", re.escape(part))
        for index, part in enumerate(parts)
    )


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        ("removed 2, 78.8 MB", "removed 2, 1.5 MB", True),
        ("removed 2, 78.8 MB", "removed 3, 78.8 MB", False),
        ("[ 1.0  -2.5]", "[-1.25         4.5]", True),
        ("[ 1.06976755  1.23957678]", "[ 4.41132745e-01 -1.29793937e-03]", True),
        ("[ 1.0  -2.5]", "[ 1.0e  -2.5]", False),
        ("python >=3.10", "python >=3.1", False),
        ("1.5 MB    now  now  -", "1.5 MB  2 min  now  -", True),
        ("it now asks", "it 2 min asks", False),
        ("Prefix: .../ab\n\nend", "Prefix: /x/y/ab\n\nend", True),
        ("one\n...\nfour", "one\ntwo\nthree\nfour", True),
        ("one\n...\nfour", "one\nfour", True),
        ("one\n...\nfour", "one\ntwo", False),
        ("one", "one\ntwo", False),
    ],
    ids=[
        "number",
        "other number",
        "numpy",
        "exponents",
        "no exponent",
        "version",
        "age",
        "word",
        "path",
        "lines",
        "no lines",
        "other end",
        "more",
    ],
)
def test_pattern_allows_what_may_vary_and_no_more(expected: str, actual: str, fits: bool) -> None:
    assert bool(pattern(expected).fullmatch(actual + "\n")) == fits


@every_document(having="```console")
def test_transcripts_are_what_the_programs_print(document: Path, world: World, channel: Path) -> None:
    steps = [block for block in blocks(document) if block.name or block.language == "console"]
    transcripts = [each for block in steps if block.language == "console" for each in commands(block)]
    missing = _files_that_want_what_is_missing(steps, channel)
    for each, output in zip(transcripts, _run(world, steps), strict=True):
        if any(re.search(rf"(^|[\s/]){re.escape(name)}\b", each.text) for name in missing):
            continue
        actual = f"{output.strip()}\n" if output.strip() else ""
        if not pattern(each.expected).fullmatch(actual):
            text = f"--- the document says\n{each.expected}--- it prints\n{actual}"
            pytest.fail(f"{name_of(document)}:{each.line}: $ {each.text}\n{text}", pytrace=False)


def _files_that_want_what_is_missing(steps: list[Block], channel: Path) -> list[str]:
    """Files of the document whose interpreter or compiler this machine's local channel does not have."""
    missing = "|".join(name for name in OPTIONAL if not any(channel.glob(f"*/{name}-[0-9]*")))
    wants = re.compile(rf"(- |^// )({missing})\b", re.MULTILINE)
    return [block.name for block in steps if missing and block.name and wants.search(block.text)]


def _run(world: World, steps: list[Block]) -> list[str]:
    """What each command prints, on either stream; one shell for all, which goes on after a failure."""
    programs = world.root / "programs"
    files = world.root / "files"
    for directory in (programs, files):
        directory.mkdir()
    # `python3` is the one that conda-execute is installed in.
    for name, text in (("conda", CONDA), ("python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    mark = "--- the next command ---"
    lines = ["status=0"]
    for number, block in enumerate(steps):
        if block.language == "console":
            for each in commands(block):
                lines += [f"echo; echo '{mark}'", f"(exit $status); eval {shlex.quote(each.text)}", "status=$?"]
        else:
            (files / str(number)).write_text(block.text, encoding="utf-8")
            (files / str(number)).chmod(0o755)
            lines.append(f'mkdir -p "$(dirname {block.name})" && cp {files / str(number)} {block.name}')
    script = world.root / "commands"
    script.write_text("\n".join(lines) + "\n")
    path = f"{programs}:{world.environ['PATH']}"
    done = world.run(["bash", script], env={"PATH": path}, stderr=subprocess.STDOUT, timeout=PATIENCE)
    printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    return printed.split(f"\n{mark}\n")[1:]


def has_header(block: Block) -> bool:
    return block.language != "console" and find_header(block.text.encode(), block.name or "sample") is not None


@every_document()
def test_headers_parse(document: Path) -> None:
    for block in blocks(document):
        if not block.name.startswith("wrong") and has_header(block):
            for platform in ("linux-64", "osx-arm64", "win-64"):
                header = read_header(block.text.encode(), block.name or "sample", platform)
                assert header.specs or header.pypi, f"{name_of(document)}:{block.line}"


@every_document()
def test_files_are_accepted_by_check(document: Path, world: World) -> None:
    files = [block for block in blocks(document) if block.name and not block.name.startswith("wrong")]
    for block in filter(has_header, files):
        path = world.script(Path(block.name).name, block.text)
        done = world.execute("--check", path)
        assert done.returncode == 0, f"{name_of(document)}:{block.line}\n{done.stderr}"


@every_document()
def test_options_of_commands_that_are_not_run_exist(document: Path) -> None:
    for block in blocks(document):
        for number, line in enumerate(block.text.splitlines() if block.language == "sh" else [], block.line + 1):
            for words in _calls(line):
                try:
                    if words[0] == "execute":
                        parse(RunOptions, words[1:])
                    else:
                        parse(COMMANDS[words[1]], words[2:])
                except ExecuteError as error:
                    pytest.fail(f"{name_of(document)}:{number}: {line}\n{error.message}", pytrace=False)


@every_document()
def test_condarc_files_are_understood(document: Path, tmp_path: Path) -> None:
    for block in blocks(document):
        if Path(block.name).name == "condarc":
            (tmp_path / "condarc").write_text(block.text)
            environ = {"CONDARC": str(tmp_path / "condarc"), "HOME": str(tmp_path), "USER": "somebody"}
            load(environ)


@every_document()
def test_samples_are_in_their_language(document: Path) -> None:
    for block in blocks(document):
        if block.language == "python":
            compile(block.text, f"{name_of(document)}:{block.line}", "exec")
        elif block.language in ("sh", "console"):
            text = block.text if block.language == "sh" else "\n".join(each.text for each in commands(block))
            done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name_of(document)}:{block.line}\n{done.stderr}"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_targets_of_make_exist(document: str) -> None:
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\$ )?make (\w+)", text, re.MULTILINE)) | set(re.findall(r"`make (\w+)", text))
    targets = set(re.findall(r"^(\w+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named
    assert named <= targets


def _calls(line: str) -> list[list[str]]:
    """The words of each call of our programs in a line of shell, the subcommand first."""
    lexer = shlex.shlex(line.replace("'", " ").replace("$(", " ( "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    current: list[str] | None = None
    previous = ""
    for word in lexer:
        if re.fullmatch(r"[();<>|&]+", word):
            current = None
        elif word in ("conda-execute", "conda-tmpenv") or (previous == "conda" and word in ("execute", "tmpenv")):
            current = [word.removeprefix("conda-")]
            found.append(current)
        elif current is not None:
            current.append(word)
        previous = word
    return found


# Links ---------------------------------------------------------------------------------------------------------------


def anchors(document: Path) -> set[str]:
    """The names that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ +(.+?) *$", _prose(document), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return set(plain)


def _prose(document: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@every_document()
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(document)):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), f"{name_of(document)}: {target}"
        if anchor:
            assert anchor in anchors(linked), f"{name_of(document)}: {target}"


@every_document()
def test_every_document_is_reached_from_the_readme(document: Path) -> None:
    if document.name == "README.md":
        return
    seen, waiting = set(), [CHECKOUT / "README.md"]
    while waiting:
        current = waiting.pop()
        if current in seen or not current.exists():
            continue
        seen.add(current)
        targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", _prose(current))
        waiting += [(current.parent / target).resolve() for target in targets if target.endswith(".md")]
    assert document in seen


# Completeness --------------------------------------------------------------------------------------------------------


def reference(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", [name for option in RunOptions.TABLE.values() for name in option.names])
def test_option_is_in_the_reference(option: str) -> None:
    assert re.search(rf"`{option}[ `]", reference("command-line"))


def test_the_index_has_every_option_and_command() -> None:
    named = set(re.findall(r"`([^` ]+)`", reference("terms")))
    options = {name for option in RunOptions.TABLE.values() for name in (*option.names, *option.also)}
    assert options | set(COMMANDS) <= named


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_of_tmpenv_is_in_the_reference(name: str) -> None:
    assert f"`conda tmpenv {name}" in reference("command-line")


@pytest.mark.parametrize("setting", [setting.name for setting in OURS])
def test_setting_is_in_the_reference(setting: str) -> None:
    assert f"`CONDA_EXECUTE_{setting.upper().replace('-', '_')}`" in reference("environment-variables")
    assert setting.replace("-", "_") in reference("settings").replace("-", "_")


@pytest.mark.parametrize("key", [*native._KEYS, *pep723._KEYS, *pep723._CONDA_KEYS])
def test_key_of_a_header_is_in_the_reference(key: str) -> None:
    assert (
        f"`{key}`" in reference("headers") or f".{key}`" in reference("headers") or f"] {key}`" in reference("headers")
    )


@pytest.mark.parametrize(
    "name",
    [
        *(layout.MARKER, layout.MARKER_ASIDE, layout.USES, layout.HOSTS, layout.KEEP),
        *(layout.LOCKS, layout.TRASH, layout.BOOTS),
        *lockfiles.SUFFIXES,
    ],
)
def test_file_is_in_the_reference(name: str) -> None:
    assert name in reference("files")


@pytest.mark.parametrize("kind", [ExecuteError, NotExecutableError, NotFoundError], ids=lambda kind: kind.__name__)
def test_exit_status_is_in_the_reference(kind: type[ExecuteError]) -> None:
    assert f"| {kind.exit_status} |" in reference("exit-status")


@pytest.mark.parametrize("suffix", sorted(suffix for each in LANGUAGES if each.command for suffix in each.suffixes))
def test_suffix_is_in_the_reference(suffix: str) -> None:
    assert f"`{suffix}`" in reference("headers")
