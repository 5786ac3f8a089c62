"""Errors for headers that are missing or nearly right: what the author probably meant, and a sample."""

from __future__ import annotations

import os
import re
import shlex

from ...errors import HeaderError, Location
from ...text import close
from .. import languages
from ..languages import BLOCK_SIGNS, comment_sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .text import Head

#: Words that are similar to an opening line and alone after a comment sign.
_NEARLY_NATIVE = re.compile(r"[^\w\s]{1,4}[ \t]*conda[-_\s]{0,3}exec(?:ute)?\b", re.IGNORECASE)
_NEARLY_BLOCK = re.compile(r"[^\w\s]{1,4}[ \t]*/{2,4}[ \t]*(conda[-_ ]?|end-conda-)?script\b", re.IGNORECASE)

#: One or two words and nothing else after a comment sign.
_WORDS = re.compile(r"[^\w\s]{1,4}[ \t]*(/{2,4})?[ \t]*([A-Za-z]+(?:[-_ ][A-Za-z]+){0,2})[ \t]*:?")
#: How similar misspelt words must be: one letter is missing, wrong, or in the wrong place.
_ALIKE = 0.82
#: How many lines are compared with those words, letter by letter: a header is near the top.
_FIRST_LINES = 100

#: Characters that editors, mail programs and web pages insert for others, by what they look like.
_LOOKALIKES = {
    "a space": "\u00a0\u2007\u202f",
    "`-`": "\u2010\u2011\u2012\u2013\u2014\u2212",
    '`"`': "\u201c\u201d\u201e",
    "`'`": "\u2018\u2019",
    "`:`": "\uff1a",
    "`#`": "\uff03",
}


def minimal(prefix: str, spec: str = "python >=3") -> str:
    """The smallest header, with the comment sign of one language."""
    return "\n".join(f"{prefix} {line}" for line in ("conda execute", "env:", f" - {spec}"))


def no_header(script: Head) -> HeaderError:
    """The error for a script without a header."""
    for number, line in enumerate(script.lines, 1):
        stripped = line.strip()
        if len(line) > 200 or not stripped:
            continue
        if _NEARLY_NATIVE.match(stripped):
            return _nearly(script, number, _like_native(script, stripped))
        if found := _NEARLY_BLOCK.match(stripped):
            return _nearly(script, number, _like_block(stripped, (found.group(1) or "").lower()))
        words = _slip(stripped) if number <= _FIRST_LINES else None
        if words == "conda execute":
            return _nearly(script, number, _like_native(script, stripped))
        if words:
            return _nearly(script, number, _like_block(stripped, words.removesuffix("script")))
    name = os.path.basename(script.path) or script.path
    if other := _another_kind(script, name):
        return other
    first = script.lines[0] if script.lines else ""
    prefix, language = comment_sign(script.path, first), languages.of_shebang(first) or languages.of(script.path)
    searched = "" if script.whole else " in its first 64 KiB"
    # Code from `-c`, from standard input or from the web is not a file to which a header could be added.
    is_file = not script.path.startswith("-") and "://" not in script.path
    of_words = {
        "-c": "name what the code needs: `conda execute --with python -c CODE`, or begin it with a header:",
        "-": "name what the script needs: `conda execute --with python -`, or begin it with a header:",
    }
    init = f"`conda execute --init {shlex.quote(script.path)}` writes one" if is_file else ""
    say = of_words.get(script.path, f"{init}{'; or ' if init else ''}write in a comment what the script needs:")
    sample = minimal(prefix, language.package if language and language.package not in ("", "python") else "python >=3")
    # The compiler is needed, too.
    hint = init if init and language and language.entrypoint else f"{say}\n{sample}"
    return HeaderError(
        f"`{name}` has no header{searched}",
        where=Location(script.path) if is_file else (),
        hint=hint,
    )


def _slip(stripped: str) -> str | None:
    """The words of an opening line that this line nearly has: `conda execute`, `script`, `conda-script`."""
    found = _WORDS.fullmatch(stripped)
    if found is None:
        return None
    known = ("script", "conda-script", "end-conda-script") if found[1] else ("conda execute",)
    return next(iter(close(found[2].replace("-" if not found[1] else " ", " "), known, likeness=_ALIKE)), None)


def _another_kind(script: Head, name: str) -> HeaderError | None:
    """The error for a list of packages that was given as a script."""
    given = shlex.quote(script.path)
    if name.endswith((".yml", ".yaml")) and any(line.startswith("dependencies:") for line in script.lines):
        what, hint = "an environment.yml", f"`conda tmpenv create --file {given}` creates its environment"
    elif re.fullmatch(r"requirements[\w.-]*\.txt", name):
        what, hint = "a list of pip's requirements", "name each with `--with pypi:NAME`, or under `pip:` in a header"
    elif name in ("pixi.toml", "pyproject.toml", "conda-lock.yml", "pixi.lock", "uv.lock"):
        what = "a file of another tool's project"
        hint = "`conda execute SCRIPT` runs a script, `conda execute --init SCRIPT` starts its header"
    else:
        return None
    return HeaderError(f"`{name}` is {what}, not a script", where=Location(script.path), hint=hint)


def _nearly(script: Head, number: int, hint: str) -> HeaderError:
    """The error for a line that is nearly the beginning of a header."""
    problem = ", only a line that looks almost like the beginning of one"
    if script.lines[number - 1] == "# /// script":
        problem = ": this line is within a block of another type"
        hint = "separate the two blocks with a line that is not a comment"
    return HeaderError(f"the script has no header{problem}", where=script.line(number), hint=hint)


def _like_native(script: Head, stripped: str) -> str:
    from .native import opening

    sign = re.match(r"[^\w\s]+", stripped)
    prefix = sign.group() if sign else "#"
    if prefix.startswith(BLOCK_SIGNS):
        inner = " *" if "*" in prefix else comment_sign(script.path)
        return f"give the header lines of its own within the comment:\n{minimal(inner)}"
    if opening(f"{prefix} conda execute") is None:
        prefix = comment_sign(script.path)
    return f"the line must be `{prefix} conda execute` and nothing else; what is needed follows in the next lines"


def _like_block(stripped: str, kind: str) -> str:
    first, last = ("# /// conda-script", "# /// end-conda-script") if kind else ("# /// script", "# ///")
    hint = f"the first line must be exactly `{first}`, and the last one exactly `{last}`, without spaces at the end"
    if not kind and not stripped.startswith("#"):
        hint += "\nthis format is for Python; other languages write `/// conda-script` or `conda execute` in a comment"
    return hint


def told(error: HeaderError) -> HeaderError:
    """The error with a hint to the first lookalike character in its lines, which is the cause of the rest."""
    found = (
        (where.line, character, meant)
        for where in error.where
        for character in where.text or ""
        for meant, characters in _LOOKALIKES.items()
        if character in characters
    )
    for line, character, meant in found:
        error.hint = f"line {line} contains U+{ord(character):04X}, which only looks like {meant}: write {meant}"
        break
    return error
