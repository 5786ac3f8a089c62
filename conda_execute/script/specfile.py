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

#: `name` and `prefix` say where conda would put the environment, which is not theirs to say here.
_YAML_KEYS = ("name", "prefix", "channels", "dependencies", "variables", "platforms")

_ONE_ENTRY = "write one entry per line, each after `- `"
_SAMPLE = "such a file needs at least this:\ndependencies:\n  - python >=3"


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
        return environment_yml(content, path)
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


def environment_yml(data: bytes, path: str) -> Header:
    """The `environment.yml` with these contents; `dependencies` is what `env` is in a script. Raises HeaderError."""
    from .header import fields
    from .header.yaml import Reader

    script = read_script(data, path)
    root = Reader(script, 1, [0] * max(1, len(script.lines)), _SAMPLE).tree("\n".join(script.lines))
    if root is None or not isinstance(root.value, dict):
        raise HeaderError("the file is not an environment.yml", where=Location(path), hint=_SAMPLE)
    keys = root.known(_YAML_KEYS, of="an environment.yml")
    if "dependencies" not in keys:
        raise HeaderError("the file has no `dependencies`", where=Location(path), hint=_SAMPLE)
    specs: list[tuple[str, Location]] = []
    pypi: list[tuple[str, Location]] = []
    for item in keys["dependencies"].items(_ONE_ENTRY):
        if not isinstance(item.value, dict):
            specs.append((item.string(None, "an entry of `dependencies`"), item.where))
            continue
        for value in item.known(("pip",), of="an environment.yml").values():
            pypi += value.strings("a requirement", _ONE_ENTRY)
    channels = keys["channels"].strings("a channel", _ONE_ENTRY) if "channels" in keys else None
    variables = keys["variables"].table() if "variables" in keys else {}
    return Header(
        format="environment.yml",
        specs=tuple(fields.spec(*said) for said in specs),
        pypi=tuple(fields.requirement(*said) for said in pypi),
        channels=None if channels is None else tuple(text for text, _ in channels if text != "nodefaults"),
        variables=tuple((name, value.string()) for name, value in variables.items()),
        lines=(1, len(script.lines)),
        locations=(*specs, *pypi, *(channels or ())),
    )
