"""The command line of `conda execute`: what can be said, and the page that explains it."""

from __future__ import annotations

import argparse

from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

HELP = """\
usage: conda execute [OPTIONS] SCRIPT [ARGUMENTS...]
       conda execute [OPTIONS] -c CODE...

Run a script in the conda environment that its comments ask for:

  # conda execute
  # env:
  #  - python >=3
  #  - numpy

The environment is made on the first run and shared by every script with the
same needs; `conda tmpenv` lists and clears them. SCRIPT is a file or `-` for
standard input, and all that follows it belongs to the script. Inline metadata
of PEP 723 (`# /// script`) and conda-script blocks are understood as well.

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
  -f, --force-env        make the environment anew; refused while it is in use

instead of running:
  --check                read the header and say what it means
  --dry-run              say what would be installed, created or reused
  --print-prefix         make the environment if needed and print its path:
                         $(conda execute --print-prefix s.py)/bin/python
  --shell                open a shell in the script's environment
  --json                 with one of these: print JSON (alone: `--dry-run`)

what is told:
  -v, --verbose          the specification, the prefix and every step
  -q, --quiet            errors only
  -h, --help             this page
  --version              the version

The exit status is the script's own. 125: conda-execute failed before the
script began; 126: the program cannot be executed; 127: it was not found.
Settings stand in condarc under `plugins:` (conda_execute_env_dir, ...) or in
the environment (CONDA_EXECUTE_ENV_DIR, ...).
"""


class _Parser(argparse.ArgumentParser):
    """argparse that tells of mistakes in our own form."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` tells what there is")


def near(word: str, known: Sequence[str]) -> str | None:
    """A hint with the known word that is nearest to a mistyped one, if any is near."""
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean `{close[0]}`?" if close else None


#: Every option: its names, and the name of its value where it takes one. Those with a value marked `...` may be
#: repeated.
OPTIONS: tuple[tuple[tuple[str, ...], str | None], ...] = (
    (("--with",), "SPEC..."),
    (("--channel",), "CHANNEL..."),
    (("--override-channels",), None),
    (("--exclude-newer",), "WHEN"),
    (("--offline",), None),
    (("--backend",), "NAME"),
    (("-f", "--force-env"), None),
    (("--check",), None),
    (("--dry-run",), None),
    (("--print-prefix",), None),
    (("--shell",), None),
    (("--json",), None),
    (("-v", "--verbose"), None),
    (("-q", "--quiet"), None),
    (("-h", "--help"), None),
    (("--version",), None),
)

NAMES = tuple(name for names, _ in OPTIONS for name in names)
_WITH_VALUE = frozenset(name for names, value in OPTIONS if value is not None for name in names)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of a run; `words` is the script and its arguments, `code` what follows `-c` (None without it).

    Raises UsageError for an option that does not exist or lacks its value.
    """
    ours, code, words = _split(argv)
    options, unknown = _parser().parse_known_args(ours)
    if unknown:
        raise UsageError(
            f"there is no option `{unknown[0]}`",
            hint=near(unknown[0].partition("=")[0], (*NAMES, "-c"))
            or "options of the script stand after it; `conda execute --help` tells what there is",
        )
    options.code, options.words = code, words
    return options


def _split(argv: Sequence[str]) -> tuple[list[str], list[str] | None, list[str]]:
    """Our options, the words after `-c` or None, and the script with its arguments.

    argparse would do, but for what it does to `--` among a script's arguments, which differs between versions.
    """
    index = 0
    while index < len(argv):
        word = argv[index]
        if word == "--":
            return list(argv[:index]), None, list(argv[index + 1 :])
        if word == "-" or not word.startswith("-"):
            return list(argv[:index]), None, list(argv[index:])
        if word == "-c":
            return list(argv[:index]), list(argv[index + 1 :]), []
        index += 2 if word in _WITH_VALUE else 1
    return list(argv), None, []


def _parser() -> argparse.ArgumentParser:
    made = _Parser(prog="conda execute", add_help=False, allow_abbrev=False)
    for names, value in OPTIONS:
        destination = names[-1].lstrip("-").replace("-", "_")
        if value is None:
            made.add_argument(*names, dest=destination, action="store_true")
        elif value.endswith("..."):
            made.add_argument(*names, dest=destination, action="append", default=[], metavar=value[:-3])
        else:
            made.add_argument(*names, dest=destination, metavar=value)
    return made
