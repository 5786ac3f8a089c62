"""The name of an environment: a pure function of what is to be installed.

Two scripts that need the same thing get the same name and share one environment; everything that would change what
is installed changes the name. The name is the first 20 hex digits of the SHA-256 of `canonical_text`, which is:

* the conda specs, normalised, sorted, without duplicates, one a line;
* then, only where the request departs from the default, tagged lines: `channel: NAME` in order of priority (default:
  conda-forge alone), `pypi: REQUIREMENT`, `exclude-newer: WHEN`, and so on as `_tagged` lists them.

So the environment of `python >=3` and `numpy` is `ea977067a8fbeb21a594` today, and was so in 2015.
"""

from __future__ import annotations

from ..lean.digest import digest
from ..specs.match_spec import normalise_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import Request

DEFAULT_CHANNELS = ("conda-forge",)
DEFAULT_PRIORITY = "flexible"

#: 80 bits: among a million environments the chance of two with one name is 4e-13.
NAME_LENGTH = 20


def canonical_text(request: Request) -> str:
    """The text that is hashed; kept in the marker, so that a person can see what made a name."""
    return "\n".join([*sorted({normalise_spec(spec) for spec in request.specs}), *_tagged(request)])


def environment_name(request: Request) -> str:
    """The name of the environment that fits `request`: 20 hex digits."""
    return digest(canonical_text(request).encode("utf-8", "surrogateescape"))[:NAME_LENGTH]


def _tagged(request: Request) -> Iterator[str]:
    channels = tuple(channel.name for channel in request.channels)
    if channels != DEFAULT_CHANNELS:
        yield from (f"channel: {channel}" for channel in channels or ("",))
    if request.channel_priority != DEFAULT_PRIORITY:
        yield f"channel-priority: {request.channel_priority}"
    yield from (f"constraint: {constraint}" for constraint in sorted(map(normalise_spec, request.constraints)))
    yield from (f"pypi: {' '.join(requirement.split())}" for requirement in sorted(set(request.pypi)))
    if request.uv is not None:
        yield f"uv: {request.uv}"
    yield from (f"local: {path} {digest}" for path, digest in request.local)
    if request.exclude_newer is not None:
        yield f"exclude-newer: {request.exclude_newer}"
    yield from (f"exclude-newer of {what}: {when}" for what, when in sorted(request.exclude_newer_of))
    if request.indexed_timestamps and (request.exclude_newer or request.exclude_newer_of):
        yield "indexed-timestamps: yes"
    if request.pypi_exclude_newer not in (None, request.exclude_newer):
        yield f"pypi-exclude-newer: {request.pypi_exclude_newer}"
    if request.platform != request.host_platform:
        yield f"platform: {request.platform}"
    if request.lock is not None:
        yield f"lock: {request.lock}"
    yield from _conditions(request)
    yield from (f"override: {variable}={value}" for variable, value in sorted(request.overrides))


def _conditions(request: Request) -> Iterator[str]:
    """How packages may be chosen and installed, where that departs from the default."""
    if request.solve_strategy is not None:
        yield f"solve-strategy: {request.solve_strategy}"
    if not request.link_scripts:
        yield "link-scripts: no"
    if not request.builds and request.pypi:
        yield "builds: no"
    if request.attested:
        yield "attestations: require"
    if request.user_libraries:
        yield "user-libraries: yes"
