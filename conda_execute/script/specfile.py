"""Files for `--file`: a list of specs, one per line, or an `environment.yml`.

Both become a `Header`, so that other modules need not know their origin.
"""

from __future__ import annotations

import os

from ..errors import HeaderError, Location, NotFoundError, UsageError
from ..lean.values import replace
from .header.keys import Header
from .header.text import ENOUGH, HEAD, read_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .header.text import Head

PYPI = "pypi:"


def from_words(words: Sequence[str]) -> Header:
    """The header of specs given on a command line, `pypi:NAME` among them."""
    for word in words:
        if word.startswith("pip:") and not word.startswith("pip::"):  # to conda's engines, a namespace and a package
            raise UsageError(
                f"`{word}` is not a valid match spec", hint=f"did you mean `{PYPI}{word.removeprefix('pip:').strip()}`?"
            )
    specs = tuple(word.strip() for word in words if not word.startswith(PYPI))
    pypi = tuple(word[len(PYPI) :].strip() for word in words if word.startswith(PYPI))
    if not all(specs) or not all(pypi):
        raise UsageError(
            "an empty spec names no package", hint="a spec is a package name, with a version if it matters: `numpy >=2`"
        )
    return Header(format="command line", specs=specs, pypi=tuple(map(_requirement, pypi)))


def _requirement(text: str) -> str:
    from .header import fields

    try:
        return fields.requirement(text, Location("command line"))
    except HeaderError as error:
        raise UsageError(error.message, hint=error.hint) from None


def read(path: str) -> Header:
    """Read the file at `path`: an `environment.yml` by its suffix, else one spec per line.

    Raises HeaderError with the line for what is wrong in it.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(ENOUGH)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file `{path}`") from None
    except OSError as error:
        raise UsageError(f"the file `{path}` cannot be read: {error.strerror}") from None
    if len(content) > HEAD:
        raise HeaderError("the file is too large to be a list of specs", where=Location(path))
    if os.path.splitext(path)[1].lower() in (".yml", ".yaml"):
        from . import environment_yml

        return environment_yml.read(content, path)
    return _lines(read_script(content, path))


def _lines(script: Head) -> Header:
    specs: list[str] = []
    locations: list[tuple[str, Location]] = []
    for number, line in enumerate(script.lines, 1):
        spec = line.partition("#")[0].strip()
        if not spec:
            continue
        where = script.at(number, line.index(spec) + 1, len(spec))
        if spec.startswith("@"):
            raise HeaderError(
                "an explicit list of packages is not a list of specs",
                where=where,
                hint="list what you need by name: one spec a line",
            )
        specs.append(spec)
        locations.append((spec, where))
    if not specs:
        raise HeaderError(
            "the file names no package", where=Location(script.path), hint="write one spec a line: `numpy >=2`"
        )
    return replace(from_words(specs), format="file", locations=tuple(locations))
