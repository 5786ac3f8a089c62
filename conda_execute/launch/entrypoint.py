"""Entrypoints: commands of a header, run one after the other; the last one replaces this process.

Each runs only if the one before succeeded; `${SCRIPT}`, `${CACHE}` and `$(...)` are expanded just before it runs.
"""

from __future__ import annotations

import errno
import os

from ..cache import SCRIPT_LINK, in_a_cache, script_cache
from ..errors import NotFoundError
from ..files import is_full, make_directory
from ..lean.values import replace
from .execute import execute
from .sourcing import sourced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from ..model import Entrypoint, Substitution, Text, Variable, Word
    from .activation import Activation


def execute_entrypoint(
    entrypoint: Entrypoint, arguments: Sequence[str], script: str, activation: Activation
) -> NoReturn:
    """Run the commands of a conda-script entrypoint, each only if the one before succeeded.

    `arguments` go to the last command, which replaces this process. `script` is the value of `${SCRIPT}`; the directory
    of `${CACHE}` is made on first use. If a command in `$(...)` fails, the run ends with its status, like for any
    failing command.
    """
    environ = sourced(activation)
    activation = replace(activation, environ=environ, scripts=(), outer_scripts=())
    *before, last = entrypoint.commands
    for command in before:
        _run(command, script, activation)
    execute([*_expand_all(last, script, activation), *arguments], activation)


def programs(entrypoint: Entrypoint) -> list[str]:
    """The programs of its commands, as far as they are literal."""
    from ..model import Text

    firsts = [command[0].pieces for command in entrypoint.commands]
    texts = ([piece.text if isinstance(piece, Text) else "/" for piece in pieces] for pieces in firsts)
    return [text for text in map("".join, texts) if "/" not in text]


def constant_command(entrypoint: Entrypoint, script: str) -> list[str] | None:
    """The words of an entrypoint that is a single command without changing parts; None for any other.

    The directory of `${CACHE}` may be missing next time, so `${CACHE}` counts as a changing part.
    """
    from ..model import Text, Variable

    words = entrypoint.commands[0]
    moving = [piece for word in words for piece in word.pieces if not isinstance(piece, Text)]
    if len(entrypoint.commands) != 1 or any(piece != Variable("SCRIPT") for piece in moving):
        return None
    return ["".join(piece.text if isinstance(piece, Text) else script for piece in word.pieces) for word in words]


def _expand_all(command: Sequence[Word], script: str, activation: Activation) -> list[str]:
    words = [text for word in command for text in _expand(word, script, activation)]
    if not words:
        raise NotFoundError("a command of the entrypoint is empty", hint="what it substitutes has no output")
    return words


def _expand(word: Word, script: str, activation: Activation) -> list[str]:
    """Expand a word: into one word, unless the output of a bare `$(...)` contains spaces or is empty."""
    from ..model import Substitution

    words: list[str] = []
    joins = False  # whether what comes next belongs to the last word
    for piece in word.pieces:
        text = _text_of(piece, script, activation)
        if not (isinstance(piece, Substitution) and piece.split):
            parts, begins, ends = [text], False, False
        else:
            parts, begins, ends = text.split(), text[:1].isspace(), text[-1:].isspace()
        if parts and joins and not begins:
            words[-1] += parts.pop(0)
        words += parts
        joins = (joins or bool(parts)) and not ends
    return words


def _text_of(piece: Text | Variable | Substitution, script: str, activation: Activation) -> str:
    from ..model import Text, Variable

    if isinstance(piece, Text):
        return piece.text
    if isinstance(piece, Variable):
        return script if piece.name == "SCRIPT" else made_cache(script, activation.outer)
    said = b"".join(_run(command, script, activation, capture=True) for command in piece.commands)
    return os.fsdecode(said).rstrip("\n")


def _run(command: Sequence[Word], script: str, activation: Activation, *, capture: bool = False) -> bytes:
    """Run a command, and return its output if that is captured. If the command fails, the run ends with its status."""
    from .children import leave, wait

    done = wait(_expand_all(command, script, activation), activation, capture)
    if done.returncode != 0:
        leave(done.returncode)
    return done.stdout


def made_cache(script: str, environ: Mapping[str, str]) -> str:
    """Make the directory of `${CACHE}`, and a link to the script next to it, so that both can be deleted together with
    the script."""

    def make(cache: str) -> str:
        folder = script_cache(cache, script)
        make_directory(folder)
        if not os.listdir(folder) and is_full(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return folder

    folder = in_a_cache(environ, make)
    try:
        os.symlink(script, folder + SCRIPT_LINK)
    except OSError:
        pass  # exists already, or no links here: then the directory is kept
    return folder
