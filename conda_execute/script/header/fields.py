"""Readers for single values that all formats share.

A value arrives as text with its position; the returned value is valid.
"""

from __future__ import annotations

import re

from ...errors import ExecuteError, HeaderError, Location
from ...model import COMMIT
from ...text import nearest, shown

#: Compiled when it is used: most headers have no control character.
_CONTROL = "[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]"


#: Keys of other tools and of other formats: for what a script needs, and for what runs it.
_NEEDS = ("env", "dependencies", "packages", "requirements", "requires", "environment", "enviroment", "conda", "deps",
          "specs")  # fmt: skip
_RUNS = ("run-with", "run", "command", "interpreter", "entrypoint")


def foreign(needs: str, runs: str | None = None) -> dict[str, str]:
    """The keys of others, and what a format calls them itself."""
    return dict.fromkeys(_NEEDS, needs) | (dict.fromkeys(_RUNS, runs) if runs else {})


def plain(text: str, what: str, where: Location) -> str:
    """The text without surrounding spaces; it must not be empty or contain control characters."""
    if not text.isprintable() and (found := re.search(_CONTROL, text)):
        raise HeaderError(
            f"{what} holds the control character U+{ord(found.group()):04X}", where=where, hint="remove it"
        )
    stripped = text.strip()
    if not stripped:
        raise HeaderError(f"{what} is empty", where=where, hint="remove it, or give it a value")
    return stripped


def spec(text: str, where: Location) -> str:
    """A conda match spec, checked as far as possible without an engine."""
    spec = plain(text, "a spec", where)
    if not (spec[0].isascii() and spec[0].isalnum()) and spec[0] not in "_*./~":
        raise HeaderError(
            f"`{spec}` is not a valid match spec: it must start with a package name",
            where=where,
            hint='a spec is a name and then its versions, such as `numpy >=1.20,<2`; in a list like `["...", "..."]` '
            "it needs quotes, since a comma would split it",
        )
    prefix, colon, name = spec.partition(":")
    if prefix in ("pip", "pypi") and colon and not name.startswith(":"):
        # conda's engines would read this as a conda package with a namespace before its name.
        raise HeaderError(
            f"`{shown(spec)}` is listed among conda's packages"
            + "; `pypi:` is for the command line" * (prefix == "pypi"),
            where=where,
            hint=f"`{name.strip()}` belongs under `pip:`, or into `dependencies` of a `# /// script` header",
        )
    return spec


def requirement(text: str, where: Location) -> str:
    """A PyPI requirement, checked as far as possible without an installer: PEP 508, or a URL or path of a package."""
    requirement = plain(text, "a requirement", where)
    if requirement.startswith("-"):
        hint = "name packages only, such as `rich >=13`; indexes are set in `[tool.uv]` of a `# /// script` header"
        if requirement.startswith(("-e", "--editable")):
            hint = (
                "write the path alone, such as `./lib`; `[tool.uv.sources]` of a `# /// script` header has `editable`"
            )
        raise HeaderError(f"`{requirement}` is an option of pip, not a requirement", where=where, hint=hint)
    prefix, colon, name = requirement.partition(":")
    if colon and prefix in ("pip", "pypi"):
        raise HeaderError(
            f"`{shown(requirement)}` is not a valid PyPI requirement: `{prefix}:` does not belong to its name",
            where=where,
            hint=f"write `{name.strip()}`",
        )
    # The installer reads a URL or a path with its extras and markers.
    if not re.match(r"(\.{0,2}|~)/|[A-Za-z][A-Za-z0-9+.-]*://|\.{1,2}(?:$|[\[\s;])", requirement):
        _check_pep_508(requirement, where)
    return requirement


_CLAUSE = r"\s*(?:===|==|!=|~=|<=|>=|<|>)\s*[^\s,;()<>=!~][^\s,;()<>=~]*\s*"


def _check_pep_508(requirement: str, where: Location) -> None:
    name = re.match(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?![A-Za-z0-9._-])", requirement)
    if name is None:
        raise HeaderError(
            f"`{shown(requirement)}` is not a valid PyPI requirement: it must start with a package name",
            where=where,
            hint="write a name and then its versions, such as `rich >=13,<15`, `httpx[http2]` or `name @ https://...`",
        )
    rest = requirement[name.end() :].partition(";")[0].strip()
    if rest.startswith("["):
        extras, closing, rest = rest.partition("]")
        if not closing or not re.fullmatch(r"\[[\w\s.,-]*", extras):
            raise HeaderError(
                f"the extras of `{shown(requirement)}` cannot be read",
                where=where,
                hint="write them as `name[one,two]`",
            )
        rest = rest.strip()
    if rest.startswith("(") and rest.endswith(")"):
        rest = rest[1:-1]
    if not rest or rest.startswith("@"):
        return
    for clause in rest.rstrip(", ").split(","):
        if not re.fullmatch(_CLAUSE, clause):
            version = clause.strip(" <>=!~(")
            hint = f"write `{name.group()}=={version}`, `{name.group()}>={version}`, or the name alone"
            raise HeaderError(
                f"`{shown(requirement)}` is not a valid PyPI requirement:"
                f" `{shown(clause.strip())}` does not compare versions",
                where=where,
                hint=hint
                if re.fullmatch(r"[\w.*+!-]+", version)
                else "separate comparisons with commas: `rich >=13,<15`",
            )


def exclude_newer(text: str, key: str, where: Location) -> str:
    """A date, a date and time, or a length of time, in the form it was written."""
    from datetime import datetime, timezone

    from ...specs.moment import cutoff

    when = plain(text, f"`{key}`", where)
    if when == COMMIT:
        return when
    try:
        cutoff(when, datetime.now(timezone.utc))
    except ExecuteError as error:
        raise HeaderError(error.message, where=where, hint=error.hint) from None
    return when


def days(text: str, key: str, where: Location) -> float:
    """A positive number of days."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise HeaderError(f"`{key}` must be a number of days, found `{shown(text)}`", where=where, hint="such as `30`")
    return number


def command(text: str, key: str, where: Location) -> tuple[str, ...]:
    """The words of a command, split as a POSIX shell splits them."""
    text = plain(text, f"`{key}`", where)
    if not any(character in text for character in "\"'\\"):
        return tuple(text.split())
    import shlex

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        problem = "a quotation mark is not closed" if "quotation" in str(error) else "it ends in a backslash"
        raise HeaderError(
            f"`{key}` cannot be split into words: {problem}",
            where=where,
            hint="close every quote, or give the words as a list",
        ) from None
    if not words or not words[0]:
        raise HeaderError(
            f"`{key}` does not name a program", where=where, hint="write `python`, for example, or leave out the key"
        )
    return words


#: The properties of a machine: conda's virtual packages with a version.
_SYSTEM = ("cuda", "glibc", "linux", "osx", "win")


def overrides(said: list[tuple[str, Location, str, Location]]) -> tuple[tuple[str, str], ...]:
    """The description of a machine, as pairs of a key and a text with their places, as `CONDA_OVERRIDE_*` variables."""
    found: dict[str, str] = {}
    for name, key_where, text, where in said:
        if name not in _SYSTEM:
            raise HeaderError(
                f"`{shown(name)}` is not a property of a system",
                where=key_where,
                hint=nearest(name, _SYSTEM, {"libc": "glibc"}),
            )
        value = plain(text, f"`{name}`", where)
        if not re.fullmatch(r"\d+(\.\d+)*", value, re.ASCII):
            raise HeaderError(
                f"`{shown(value)}` is not a version of `{name}`",
                where=where,
                hint='write it in quotes, such as `"12.4"`',
            )
        found[f"CONDA_OVERRIDE_{name.upper()}"] = value
    return tuple(sorted(found.items()))


def command_words(words: list[tuple[str, Location]], key: str) -> tuple[str, ...]:
    """A command given as a list of words, each with its place; all but the program may be empty."""
    for text, where in words:
        if text:
            plain(text + ".", f"a word of `{key}`", where)
    plain(words[0][0], f"the program of `{key}`", words[0][1])
    return tuple(text for text, _ in words)
