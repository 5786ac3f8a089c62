"""How a POSIX shell says what a launch record has to say: the same as Python knows it, as text.

Everything of the outside world stands between single quotes, byte for byte. What no shell can say raises
`UnsayableError`. The texts use the launcher's own functions, `_ce_line` and similar ones, and builtins alone.
"""

from __future__ import annotations

import os

from ..credentials import around, holds
from .activation import is_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: Shells do not let these be set, or set them themselves.
_OF_SHELLS = frozenset(
    ["BASHOPTS", "BASH_VERSINFO", "EUID", "IFS", "LINENO", "OPTIND", "PATH", "PPID", "SHELLOPTS", "SHLVL", "UID", "_"]
)


class UnsayableError(Exception):
    """A shell could not say it, or it would cost more than it saves."""


def quote(text: str) -> str:
    """`text` as one word for any POSIX shell."""
    if "\0" in text:
        raise UnsayableError
    return "'" + text.replace("'", "'\\''") + "'"


def name(text: str) -> str:
    """A variable's name, if a shell leaves the variable to its caller."""
    if not is_name(text) or (text in _OF_SHELLS and text != "PATH"):
        raise UnsayableError
    return text


def same_variables(names: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """That these variables are what they are in `environ`, or not set."""
    unset = [name(text) for text in names if text not in environ]
    if unset:
        yield f"case {''.join(f'${{{text}+x}}' for text in unset)} in ?*) false ;; esac"
    for text in names:
        if text in environ:
            yield _same(f"${{{name(text)}+x${text}}}", "x" + environ[text])


def same_names(folder: str, pattern: str, paths: Sequence[str]) -> Iterator[str]:
    """That these are all files of a kind in a folder that need not be there: as many, and each of them. (Comparing the
    whole list would take the shell's word for their order, which depends on the locale.)"""
    found = f"{quote(folder)}/{pattern}"
    if not paths:
        yield f"[ {found} = {quote(f'{folder}/{pattern}')} ]"
        return
    yield f"! _ce_count {len(paths) + 1} {found}"
    for path in paths:
        yield f"[ -e {quote(path)} ]"


def same_file(path: str, content: bytes | None, *, whole: bool = True) -> str:
    """That a file holds this, or begins with it, or is not there."""
    if content is None:
        return f"[ ! -e {quote(path)} ]"
    return "{\n" + all_of(same_lines(content, whole=whole)) + "\n} <" + quote(path)


def same_lines(content: bytes, *, whole: bool) -> Iterator[str]:
    """Commands that compare standard input with `content`; `whole`: and see that nothing follows."""
    *lines, rest = os.fsdecode(content).split("\n")
    for line in lines:
        yield f"IFS= read -r _ce_text && {_same('$_ce_text', line)}" if holds(line) else "_ce_line " + quote(line)
    if whole:
        yield f"! IFS= read -r _ce_text && {_same('$_ce_text', rest)}" if holds(rest) else "_ce_rest " + quote(rest)


def _same(value: str, text: str) -> str:
    """That a value is this text, but for a secret in it: what opens a channel decides nothing of what is in it."""
    parts = around(text)
    if len(parts) == 1:
        return f'[ "{value}" = {quote(text)} ]'
    first, *others = map(quote, parts)
    same = first + "".join("?*" + part for part in others)
    # A secret has no slash; what does is another text that begins and ends in the same way.
    longer = "|".join(
        first + "".join(("*/*" if part is slashed else "?*") + part for part in others) for slashed in others
    )
    return f'case "{value}" in {longer}) false ;; {same}) ;; *) false ;; esac'


def all_of(commands: Iterable[str]) -> str:
    return " &&\n".join(commands)


def export(variables: Mapping[str, str]) -> Iterator[str]:
    """In two steps, since `set -k`, which SHELLOPTS may ask for, would not let `export` see values."""
    if variables:
        yield " ".join(f"{name(text)}={quote(value)}" for text, value in variables.items())
        yield "export " + " ".join(variables)
