"""uv's failures as errors that say what to do, and that name both sides of a conflict with conda packages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ... import credentials
from ...errors import CreationError, Location
from ...model import Request
from ...specs.match_spec import spec_name
from ...specs.requirement import canonical, requirement_name
from .. import Options
from .installed import Distribution, owners
from .project import NAME


class UnfitError(CreationError):
    """An error that other conda packages may solve: uv found no versions, or went back to one so old that it cannot be
    built."""


_UNFIT = r"No solution found|Failed to build|Build backend failed"

#: What uv prints if it ignores all of `[tool.uv]` because of a mistake in it.
UNREAD = "pyproject.toml` during settings discovery"

_UNREADABLE = rf"{UNREAD}|undeclared index|Failed to parse: \S*pyproject\.toml"

#: uv's message, what it means, and what to do about it. The first match is used.
_COMPLAINTS = (
    (
        "network was disabled|network connectivity is disabled",
        "PyPI packages are not in the cache, and `--offline` does not allow downloading them",
        "run once without `--offline`",
    ),
    (
        "lack of valid authentication credentials|401 Unauthorized|403 Forbidden",
        "an index of PyPI packages rejected the user name and password, or needs them",
        "set UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD for the index NAME, or write them into ~/.netrc",
    ),
    (
        r"(\S+) was not found in the (?:package registry|provided package locations)",
        "there is no package `{}` on PyPI",
        "check its spelling; another index is set in `[tool.uv]` of a `# /// script` header, or in UV_INDEX",
    ),
    ("No space left|os error 28", "no space left on the disk", "`conda tmpenv clear` deletes unused environments"),
    (
        "error sending request|dns error|[Cc]onnection refused|timed out|tcp connect",
        "PyPI cannot be reached",
        "check the network; `--offline` uses what is in the cache, UV_INDEX names another index",
    ),
    ("[Hh]ash mismatch", "a PyPI package does not match its hash", None),
    (
        "Building source distributions for `.*` is disabled",
        "a PyPI package has no wheel, and nothing is built for a script in a sandbox",
        "ask for a version that has wheels",
    ),
    ("Failed to build|Build backend failed", "a PyPI package cannot be built", "ask for a version that has wheels"),
    (
        "Failed to parse|Couldn't parse",
        "a PyPI requirement cannot be parsed",
        "write `NAME`, `NAME >=1.2` or `NAME[EXTRA]`",
    ),
    (
        rf"there (?:is|are) no versions? of ([\w.-]+)(?:\[[^]]*\])?(==\S+) and (?:{NAME} depends on|you require) \1",
        "PyPI has no `{}` that fits `{}`",
        "without a version, the newest one is installed",
    ),
    ("No solution found", "the PyPI packages cannot be installed together", None),
    ("", "the PyPI packages cannot be installed", None),
)

#: uv's explanation for a requirement of the script that does not exist: our message says the same.
_REPEATS = (
    r"\s*Because (?:there is no version of )?\S+(?: was not found in the \w[\w ]*)? and the script asks for \S+\.\s*"
)

#: Lines in which uv reports success.
_WENT_WELL = (
    r"\s*(Using Python|Resolved |Prepared |Installed |Downloading |Downloaded |Building |Built |warning: |[+~-] )"
)

#: Places in files that we wrote for uv.
_PLACES = r"\s*(TOML parse error|Failed to parse|\d* *\|)"


def explain(
    said: str, request: Request, prefix: str, present: Sequence[Distribution], options: Options
) -> CreationError:
    """uv's complaint as an error."""
    text = _tidy(said)
    asked = [each for each in request.pypi if requirement_name(each) in _words(text) or each in text]
    where = [place for requirement in asked if (place := options.locate(requirement)) is not None]
    if re.search(_UNREADABLE, said):
        return CreationError(
            "uv cannot read `[tool.uv]`",
            step="pypi",
            details="\n".join(line for line in text.split("\n") if not re.match(_PLACES, line)),
            where=options.locate("tool.uv") or where,
            hint="uv's documentation lists the keys and their values",
        )
    against = mentioned(present, text)
    if "No solution found" in said and against and "disabled" not in said:
        packages = owners(prefix, against)
        theirs = {f"{one.name} {one.version}": packages.get(one.name, one.name) for one in against}
        specs = (spec for spec in request.specs if spec_name(spec) in theirs.values())
        where += [place for spec in specs if (place := options.locate(spec)) is not None]
        return _conflict(text, asked, theirs, where)
    kind = UnfitError if re.search(_UNFIT, said) else CreationError
    found, message, hint = next(
        (found, message, hint) for sign, message, hint in _COMPLAINTS if (found := re.search(sign, said))
    )
    details = None if re.fullmatch(_REPEATS, text) else text
    return kind(message.format(*found.groups()), step="pypi", where=where, details=details, hint=hint)


def mentioned(present: Sequence[Distribution], text: str) -> list[Distribution]:
    """The conda packages that uv's text names with their versions."""
    return [one for one in present if re.search(rf"(?<![\w.-]){re.escape(one.name)}=={re.escape(one.version)}", text)]


def _conflict(text: str, asked: Sequence[str], theirs: dict[str, str], where: Sequence[Location]) -> CreationError:
    """A conflict with conda packages. `theirs`: Python packages with versions, and the conda packages that contain
    them."""
    both = [one if package == one.split()[0] else f"{one} of `{package}`" for one, package in theirs.items()]
    ours = " and ".join(f"`{requirement}`" for requirement in asked) or "what PyPI packages need"
    return UnfitError(
        f"{ours} does not fit {' and '.join(both)}, which conda installs",
        step="pypi",
        where=where,
        details=text,
        hint="change one of the two; PyPI packages never replace conda packages",
    )


def _words(text: str) -> set[str]:
    """The names that a text mentions, in the form in which names are compared."""
    return {canonical(word) for word in re.findall(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", text)}


def _tidy(said: str) -> str:
    """uv's output, without reports of success and without credentials."""
    lines = [line.rstrip() for line in credentials.leave_out(said).splitlines()]
    kept = [line for line in lines if line and not re.match(_WENT_WELL, line)]
    text = "\n".join(re.sub(r"^(\s*)(error: |cause: |hint: )", r"\1", line) for line in kept)
    text = re.sub(r"^\W*No solution found when resolving dependencies\b.*\n", "", text)
    text = text.replace(", we can conclude that your requirements are unsatisfiable.", ".")
    for theirs in (f"{NAME} depends on", "you require"):
        text = text.replace(theirs, "the script asks for")
    text = re.sub(r" in `\S+requirements\.txt` at position \d+", "", text)
    return text.replace(NAME, "the script")
