"""The `Header`, and the keys that only conda-execute has, each with its reader.

In the native header these keys are at the top level, in TOML formats they are in `[tool.conda-execute]`. To add one,
add a field to `Header` and a row to `OWN`.
"""

from __future__ import annotations

from ...errors import HeaderError, Location
from ...lean.values import dataclass, field
from ...model import Narrowing
from ...text import shown
from . import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ...model import Entrypoint
    from .fields import Value


@dataclass(frozen=True)
class Header:
    """The header of one script, for one platform: conditions and platform tables are already applied.

    Specs are as they were written (spaces at the ends removed), in the order of the file, duplicates included.
    """

    #: "conda execute", "script" (PEP 723) or "conda-script".
    format: str
    specs: tuple[str, ...] = ()
    #: PyPI requirements (PEP 508), as written.
    pypi: tuple[str, ...] = ()
    #: Exactly these channels in this order; None: the configured ones.
    channels: tuple[str, ...] | None = None
    #: The words of the interpreter's command, before the script and its arguments (`run_with`, `run-with`).
    run_with: tuple[str, ...] | None = None
    #: conda-script only; never together with `run_with`.
    entrypoint: Entrypoint | None = None
    exclude_newer: str | None = None
    #: Moments of single packages and channels, by `package NAME` and `channel NAME`; "no": all versions count.
    exclude_newer_of: tuple[tuple[str, str], ...] = ()
    pypi_exclude_newer: str | None = None
    #: Match specs that limit what may be installed without asking for it (pixi's `constraints`).
    constraints: tuple[str, ...] = ()
    #: "strict", "flexible" or "disabled"; None: the configured one.
    channel_priority: str | None = None
    #: "lowest" or "lowest-direct"; None: the newest versions (pixi's `solve-strategy`).
    solve_strategy: str | None = None
    #: `CONDA_OVERRIDE_*` variables and their values, which describe the machine (`system`).
    overrides: tuple[tuple[str, str], ...] = ()
    #: Environment variables to set for the script (pixi's `activation.env`).
    variables: tuple[tuple[str, str], ...] = ()
    #: Files for a shell to source when all else is activated, relative to the script (pixi's `activation.scripts`).
    activation_scripts: tuple[str, ...] = ()
    #: The `[tool.uv]` table as canonical JSON: it changes what uv installs, so it is part of the identity.
    uv: str | None = None
    #: Days after which the environment is renewed; None: as the settings say.
    renew_after: float | None = None
    #: How the script restricts its own sandbox, or asks for one; None: it does not.
    narrowing: Narrowing | None = None
    quiet: bool = False
    verbose: bool = False
    #: Things that the reader understood and ignored, one sentence each, to be printed on creation and with `-v`.
    notices: tuple[str, ...] = ()
    #: Whether a notice is about lines that only seem to belong to the header, which every run must report.
    has_lost_lines: bool = field(default=False, compare=False)
    #: Lines of the script, counted from 1, that hold the header: first and last.
    lines: tuple[int, int] = field(default=(0, 0), compare=False)
    #: Where each spec, requirement and channel is, for errors found later, for example by the solver.
    locations: tuple[tuple[str, Location], ...] = field(default=(), compare=False, repr=False)

    def location(self, written: str) -> Location | None:
        """Where `written` (a spec, a requirement, a channel, a key) is in the script.

        A channel may occur only as part of a spec: `bioconda::samtools`.
        """
        places = [where for text, where in self.locations if text == written]
        places += [where for text, where in self.locations if text.startswith(f"{written}::")]
        return places[0] if places else None


def _renew_after(said: Value) -> float:
    text = said.scalar("a number of days", "30")
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise said.error(f"`{said.name}` must be a number of days, found `{shown(text)}`", "such as `30`")
    return number


def _sandbox(said: Value) -> Narrowing:
    """Read `true`, or a table of restrictions: a header can only reduce permissions."""
    if not isinstance(said.value, dict):
        if not said.truth():
            raise _asks_for_more(said.where)
        return Narrowing(where=said.key_where)
    keys = said.known(("net", "write"), {"network": "net"})
    if "net" in keys and keys["net"].truth():
        raise _asks_for_more(keys["net"].where)
    write = tuple(text for text, _ in keys["write"].strings("a folder")) if "write" in keys else None
    return Narrowing(net="net" not in keys, write=write, where=said.key_where)


def _asks_for_more(where: Location) -> HeaderError:
    return HeaderError(
        "a header can only narrow the sandbox that the script runs in",
        where=where,
        hint="leave it out; who runs the script may give it more: `--allow-net`, `--allow-write DIR`",
    )


#: The field of each key, and its reader.
OWN: dict[str, tuple[str, Callable[[Value], Any]]] = {
    "renew-after": ("renew_after", _renew_after),
    "sandbox": ("narrowing", _sandbox),
}

#: Keys of native headers and of `[tool.conda]`.
SHARED: dict[str, tuple[str, Callable[[Value], Any]]] = {
    "run_with": ("run_with", fields.run_with),
    "run-with": ("run_with", fields.run_with),
    "exclude-newer": ("exclude_newer", fields.moment),
    "system": ("overrides", fields.system),
}


def own(said: Mapping[str, Value], *tables: Mapping[str, tuple[str, Callable[[Value], Any]]]) -> dict[str, Any]:
    """The fields of a header that the keys of these tables set. Raises HeaderError."""
    rows = {key: row for table in tables or (OWN,) for key, row in table.items()}
    return {field: read(said[key]) for key, (field, read) in rows.items() if key in said}
