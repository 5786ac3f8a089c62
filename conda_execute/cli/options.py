"""The command line of `conda execute`: what can be said, and the page that explains it."""

from __future__ import annotations

from ..errors import UsageError
from ..text import near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import NoReturn
else:
    # argparse itself takes a warm run longer than all it has to read.
    from types import SimpleNamespace as Namespace

HELP = """\
usage: conda execute [OPTIONS] SCRIPT [ARGUMENTS...]
       conda execute [OPTIONS] -c CODE...

Run a script in the conda environment that its comments ask for:

  # conda execute
  # env:
  #  - python >=3
  #  - numpy

The environment is made on the first run and shared by every script with the
same needs; `conda tmpenv` lists and clears them. SCRIPT is a file, a URL, or
`-` for standard input; all that follows it belongs to the script. Inline
metadata of PEP 723 (`# /// script`) and conda-script blocks work as well.

what runs:
  -c CODE...             run these words, one line each; standard input when
                         no word follows
  --with SPEC            one more requirement for this run (`pypi:NAME` for a
                         PyPI package); repeatable
  --channel CHANNEL      one more channel, before those of the header;
                         repeatable
  --override-channels    only the channels given with `--channel`
  --exclude-newer WHEN   ignore packages published after this date, or within
                         this time (`2026-01-31`, `7 days`)
  --offline              use no network: only what is cached
  --backend NAME         `rattler` (built in, the default) or `conda`
  --trust                run a script from a URL without a question, now and
                         as long as it stays the same; `URL#sha256=...` needs
                         no question either
  -f, --force-env        make the environment anew; refused while it is in use

instead of running:
  --check                read the header and say what it means
  --dry-run              say what would be installed, created or reused
  --print-prefix         make the environment if needed and print its path:
                         $(conda execute --print-prefix s.py)/bin/python
  --shell                open a shell in the script's environment
  --export FORMAT        print the environment as `environment.yml`,
                         `explicit` or `pixi.lock`
  --pack FILE            write an archive of the environment (.tar.gz, .zip)
                         that runs wherever it is unpacked
  --json                 print JSON, errors too: with --check, --dry-run (also
                         where it stands alone) or --print-prefix

the header, edited in place; solved before it is written:
  --init                 write a header; the script may be missing yet
  --add SPEC             add a requirement, or change its version; repeatable
  --remove NAME          remove a requirement; repeatable

locks, which decide the packages from then on:
  --lock                 solve, and write SCRIPT.conda-execute.lock
  --embed                with --lock: at the script's end instead
  --platform PLATFORM    with --lock: for this platform (`osx-arm64`);
                         repeatable
  --locked               run only with a lock that is there and fits
  --no-lock              run without it
  --lock-file PATH       the lock is, or goes, there

what is told:
  -v, --verbose          the specification, the prefix and every step
  -q, --quiet            errors only
  --completion SHELL     what completes words in `bash`, `zsh` or `fish`:
                         eval "$(conda execute --completion bash)"
  -h, --help             this page
  --version              the version

The exit status is the script's own. 125: conda-execute failed before the
script began; 126: the program cannot be executed; 127: it was not found.
Settings stand in condarc under `plugins:` (conda_execute_env_dir, ...) or in
the environment (CONDA_EXECUTE_ENV_DIR, ...).
"""


#: Every option: its names, and the name of its value where it takes one. Those with a value marked `...` may be
#: repeated.
OPTIONS: tuple[tuple[tuple[str, ...], str | None], ...] = (
    (("--with",), "SPEC..."),
    (("--channel",), "CHANNEL..."),
    (("--override-channels",), None),
    (("--exclude-newer",), "WHEN"),
    (("--offline",), None),
    (("--backend",), "NAME"),
    (("--trust",), None),
    (("-f", "--force-env"), None),
    (("--check",), None),
    (("--dry-run",), None),
    (("--print-prefix",), None),
    (("--shell",), None),
    (("--export",), "FORMAT"),
    (("--pack",), "FILE"),
    (("--init",), None),
    (("--add",), "SPEC..."),
    (("--remove",), "NAME..."),
    (("--lock",), None),
    (("--embed",), None),
    (("--platform",), "PLATFORM..."),
    (("--locked",), None),
    (("--no-lock",), None),
    (("--lock-file",), "PATH"),
    (("--json",), None),
    (("-v", "--verbose"), None),
    (("-q", "--quiet"), None),
    (("--completion",), "SHELL"),
    (("-h", "--help"), None),
    (("--version",), None),
)

#: What `--export` writes; `export` says what each is.
FORMATS = ("environment.yml", "explicit", "pixi.lock")

NAMES = tuple(name for names, _ in OPTIONS for name in names)
_HELP_HINT = "`conda execute --help` tells what there is"


def parse(argv: Sequence[str]) -> Namespace:
    """The options of a run; `words` is the script and its arguments, `code` what follows `-c` (None without it).

    A flag is a bool, an option with a value that value or None, a repeatable one the list of its values. Raises
    UsageError for an option that does not exist or lacks its value.
    """
    said: dict[str, bool | str | list[str] | None] = {
        _destination(names): False if value is None else [] if value.endswith("...") else None
        for names, value in OPTIONS
    }
    rest = list(argv)
    code, words = None, []
    while rest:
        word = rest.pop(0)
        if word == "-c":
            code, rest = rest, []
        elif word == "--":
            words, rest = rest, []
        elif word == "-" or not word.startswith("-"):
            words, rest = [word, *rest], []
        elif word[1] != "-" and len(word) > 2:
            rest = [f"-{letter}" for letter in word[1:]] + rest if _are_flags(word) else _unknown(word)
        else:
            _take(word, rest, said)
    return Namespace(**said, code=code, words=words)


def _take(word: str, rest: list[str], said: dict[str, bool | str | list[str] | None]) -> None:
    """Note one option; its value, if it takes one, is behind `=` or the first of `rest`."""
    name, equals, given = word.partition("=")
    names, value = next(((names, value) for names, value in OPTIONS if name in names), ((), None))
    if not names or (value is None and equals):
        _unknown(word)
    destination = _destination(names)
    if value is None:
        said[destination] = True
        return
    if not equals and not rest:
        raise UsageError(f"`{name}` needs a value: {value.removesuffix('...')}", hint=_HELP_HINT)
    given = given if equals else rest.pop(0)
    already = said[destination]
    said[destination] = [*already, given] if isinstance(already, list) else given


def _are_flags(word: str) -> bool:
    return all(any(f"-{letter}" in names and value is None for names, value in OPTIONS) for letter in word[1:])


def _unknown(word: str) -> NoReturn:
    raise UsageError(
        f"there is no option `{word}`",
        hint=near(word.partition("=")[0], (*NAMES, "-c")) or f"options of the script stand after it; {_HELP_HINT}",
    )


def _destination(names: Sequence[str]) -> str:
    return names[-1].lstrip("-").replace("-", "_")
