"""Hand the process over to the script: on POSIX by exec, so that its signals, streams and exit status are its own.

The promises, for whatever is started here:

- the program is looked for on the PATH of the environment, not on ours;
- it gets the signal dispositions and the file descriptors that we were started with (Python ignores SIGPIPE and
  SIGXFSZ for itself; they are put back to what the launcher found, else to the default), and nothing of ours is left
  open in it;
- scripts of `activate.d` are sourced by one shell, bash where there is one, which then becomes the program;
- the process id stays, so the note that says "this process uses the environment" stays true. Where several commands
  run one after the other (`&&`), the last one takes our place; on Windows, which has no exec, we wait, pass signals on
  and end with the status of the child, in a job object that ends with us.

What cannot be started raises what `process` says.
"""

from __future__ import annotations

import os
import sys

from ..errors import NotFoundError
from ..lean.values import replace
from .process import become, find_program
from .sourcing import environ_of_shell, find_shell, sourced, sourcing_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from ..model import Entrypoint, Word
    from .activation import Activation


def execute(argv: Sequence[str], activation: Activation) -> NoReturn:
    """Become `argv` in the activated environment. Does not return; see the module for what it raises."""
    if sys.platform == "win32":
        from .windows import spawn_and_leave

        spawn_and_leave(argv, activation)
    environ = activation.environ
    if activation.scripts or activation.outer_scripts:
        try:
            program = find_program(argv[0], environ, activation.prefix)
        except NotFoundError:
            # A script of activate.d may put more on PATH; only a shell that has run them all knows.
            environ = sourced(activation)
            program = find_program(argv[0], environ, activation.prefix)
        else:
            shell = find_shell(environ)
            become(shell[0], [*shell, sourcing_program(activation), program, *argv[1:]], environ_of_shell(activation))
    else:
        program = find_program(argv[0], environ, activation.prefix)
    become(program, [program, *argv[1:]], environ)


def execute_entrypoint(
    entrypoint: Entrypoint, arguments: Sequence[str], activation: Activation, *, script: str, cache: str
) -> NoReturn:
    """Run the commands of a conda-script entrypoint, each only if the one before succeeded.

    `arguments` go to the last command, which takes our place. `script` is what `${SCRIPT}` means and `cache` the
    directory that `${CACHE}` means, made when it is first asked for. A command within `$(...)` that fails ends the
    run with its status, as a failing command does.
    """
    from .children import leave_unless_successful, wait

    environ = sourced(activation)
    activation = replace(activation, environ=environ, scripts=(), outer_scripts=())
    values = {"SCRIPT": script, "CACHE": cache}
    *before, last = entrypoint.commands
    for command in before:
        leave_unless_successful(wait(_expand_all(command, values, activation), activation).returncode)
    execute([*_expand_all(last, values, activation), *arguments], activation)


def constant_command(entrypoint: Entrypoint, script: str) -> list[str] | None:
    """The words of an entrypoint that is one command, the same each time; None for any other.

    A directory for `${CACHE}` may be missing next time, so such an entrypoint is not the same.
    """
    from ..model import Text, Variable

    words = entrypoint.commands[0]
    moving = [piece for word in words for piece in word.pieces if not isinstance(piece, Text)]
    if len(entrypoint.commands) != 1 or any(piece != Variable("SCRIPT") for piece in moving):
        return None
    return ["".join(piece.text if isinstance(piece, Text) else script for piece in word.pieces) for word in words]


# Entrypoints


def _expand_all(command: Sequence[Word], values: Mapping[str, str], activation: Activation) -> list[str]:
    words = [text for word in command for text in _expand(word, values, activation)]
    if not words:
        raise NotFoundError("a command of the entrypoint is empty", hint="what it substitutes has no output")
    return words


def _expand(word: Word, values: Mapping[str, str], activation: Activation) -> list[str]:
    """The words that a word stands for: one, unless the output of a bare `$(...)` has blanks in it or is empty."""
    from ..model import Text, Variable

    words: list[str] = []
    text: str | None = None
    for piece in word.pieces:
        if isinstance(piece, Text):
            text = (text or "") + piece.text
        elif isinstance(piece, Variable):
            if piece.name == "CACHE":
                _make_cache(values["CACHE"], values["SCRIPT"])
            text = (text or "") + values[piece.name]
        else:
            output = _output(piece.commands, values, activation)
            if not piece.split:
                text = (text or "") + output
                continue
            # What touches the output at either end is one word with it; a blank at that end parts them.
            for index, part in enumerate(output.split()):
                if text is not None and (index or output[0].isspace()):
                    words.append(text)
                    text = None
                text = (text or "") + part
            if text is not None and output[-1:].isspace():
                words.append(text)
                text = None
    return words if text is None else [*words, text]


def _output(commands: Sequence[Sequence[Word]], values: Mapping[str, str], activation: Activation) -> str:
    """What the commands print one after the other; with the first that fails, everything ends."""
    from .children import leave_unless_successful, wait

    output = b""
    for command in commands:
        done = wait(_expand_all(command, values, activation), activation, capture=True)
        leave_unless_successful(done.returncode)
        output += done.output
    return os.fsdecode(output).rstrip("\n")


def _make_cache(folder: str, script: str) -> None:
    """The directory that `${CACHE}` means, and a link to the script beside it, so that both can go with it."""
    from ..cache import SCRIPT_LINK
    from ..files import make_directory

    make_directory(folder)
    try:
        os.symlink(script, folder + SCRIPT_LINK)
    except OSError:
        pass  # there already, or no links here: then the directory stays
