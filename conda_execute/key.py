"""The name of an environment: a pure function of what is to be installed.

Two scripts that need the same thing get the same name and share one environment; everything that would change what
is installed changes the name. The name is the first 20 hex digits of the SHA-256 of `canonical_text`, which is:

* the conda specs, normalised, sorted, without duplicates, one a line;
* then, only where the request departs from the default, tagged lines: `channel: NAME` in order of priority (default:
  conda-forge alone), `pypi: REQUIREMENT`, `exclude-newer: WHEN`, and so on as `_tagged` lists them.

So the environment of `python >=3` and `numpy` is `ea977067a8fbeb21a594` today, and was so in 2015.
"""

from __future__ import annotations

import re

from .digest import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Request

DEFAULT_CHANNELS = ("conda-forge",)
DEFAULT_PRIORITY = "flexible"

#: 80 bits: among a million environments the chance of two with one name is 4e-13.
NAME_LENGTH = 20

#: What touches the name ends it or belongs to it: `python*` is no `python *`.
_SPEC = re.compile(
    r"(?P<channel>[^\s\[\]=<>!~,|]*::)?(?P<name>[A-Za-z0-9_.-]+)(?P<rest>(?:[\s\[=<>!~:].*)?)", re.DOTALL
)
_BLANKS = re.compile(r"\s+")
_AROUND_LISTS = re.compile(r"\s*([,|])\s*")
_AFTER_OPERATORS = re.compile(r"([<>=!~])\s+")


def normalise_spec(spec: str) -> str:
    """A match spec with its name in lower case, one blank after the name, and no blanks within its version.

    Textual: specs that mean the same may stay different (`python 3.9.*` and `python=3.9`), but those that become
    equal are equal to conda. What stands in square brackets, and URLs, are left as they are.

    >>> normalise_spec("Python>= 3.9 , <4")
    'python >=3.9,<4'
    >>> normalise_spec("conda-forge::NumPy = 1.26 = py39_0")
    'conda-forge::numpy =1.26=py39_0'
    """
    spec = spec.strip()
    match = _SPEC.fullmatch(spec)
    if match is None or spec.startswith((".", "/", "~")) or "://" in spec:
        return spec
    version, bracket, options = match["rest"].partition("[")
    if version.startswith(":"):
        return spec
    version = _AFTER_OPERATORS.sub(r"\1", _AROUND_LISTS.sub(r"\1", _BLANKS.sub(" ", version))).strip()
    version = _attach_build(version)
    name = (match["channel"] or "") + match["name"].lower()
    return (f"{name} {version}" if version else name) + bracket + options


def _attach_build(version: str) -> str:
    """`=1.26 =py39_0` as `=1.26=py39_0`: in a version that starts with an operator, a lone `=` opens the build."""
    head, blank, build = version.partition(" =")
    return f"{head}={build}" if blank and not build.startswith("=") and " " not in head else version


def spec_name(spec: str) -> str:
    """The package that a normalised match spec is about, without channel and version.

    >>> spec_name("conda-forge::python >=3")
    'python'
    """
    match = _SPEC.fullmatch(spec)
    return match["name"].lower() if match is not None else spec


def canonical_text(request: Request) -> str:
    """The text that is hashed; kept in the marker, so that a person can see what made a name."""
    return "\n".join([*sorted({normalise_spec(spec) for spec in request.specs}), *_tagged(request)])


def name(request: Request) -> str:
    """The name of the environment that fits `request`: 20 hex digits."""
    return digest(canonical_text(request).encode("utf-8", "surrogateescape"))[:NAME_LENGTH]


def _tagged(request: Request) -> Iterator[str]:
    channels = tuple(channel.name for channel in request.channels)
    if channels != DEFAULT_CHANNELS:
        yield from (f"channel: {channel}" for channel in channels or ("",))
    if request.channel_priority != DEFAULT_PRIORITY:
        yield f"channel-priority: {request.channel_priority}"
    yield from (f"constraint: {constraint}" for constraint in sorted(map(normalise_spec, request.constraints)))
    yield from (f"pypi: {_BLANKS.sub(' ', requirement).strip()}" for requirement in sorted(set(request.pypi)))
    if request.uv is not None:
        yield f"uv: {request.uv}"
    if request.exclude_newer is not None:
        yield f"exclude-newer: {request.exclude_newer}"
    if request.pypi_exclude_newer not in (None, request.exclude_newer):
        yield f"pypi-exclude-newer: {request.pypi_exclude_newer}"
    if request.platform != request.host_platform:
        yield f"platform: {request.platform}"
    if request.lock is not None:
        yield f"lock: {request.lock}"
    if not request.link_scripts:
        yield "link-scripts: no"
    yield from (f"override: {variable}={value}" for variable, value in sorted(request.overrides))
