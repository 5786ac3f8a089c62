"""What a header can say: a `Header`, and the keys that only conda-execute knows, each with its reader.

The native header has those keys among its others, the TOML formats in `[tool.conda-execute]`. To add one, add a field
to `Header` and a row to `OWN`.
"""

from __future__ import annotations

from ...errors import HeaderError, Location
from ...lean.values import dataclass, field
from ...model import Narrowing
from . import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from ...model import Entrypoint

    class Said(Protocol):
        """A value of a header with its place, of YAML or of TOML. What is asked of it is so, or a HeaderError."""

        @property
        def name(self) -> str:
            """What messages call it."""

        @property
        def kind(self) -> str:
            """What it is, for messages: `a table`."""

        @property
        def where(self) -> Location: ...

        @property
        def key_where(self) -> Location: ...

        def known(self, keys: Iterable[str], foreign: Mapping[str, str] | None = None) -> Mapping[str, Said]:
            """What the table holds, where it may hold only these keys; `foreign` are those of others for them."""

        def strings(self, what: str) -> list[tuple[str, Location]]:
            """A list of strings, with their places; it may be empty."""

        def scalar(self, what: str, sample: str) -> str:
            """The text of a string or a number; anything else should be `what`."""

        def truth(self) -> bool: ...


@dataclass(frozen=True)
class Header:
    """What one script says in its comments, for one platform: conditions and platform tables are already applied.

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
    #: Of single packages and channels, by `package NAME` and `channel NAME`; "no": all of them count.
    exclude_newer_of: tuple[tuple[str, str], ...] = ()
    pypi_exclude_newer: str | None = None
    #: Match specs that limit what may be installed without asking for it (pixi's `constraints`).
    constraints: tuple[str, ...] = ()
    #: "strict", "flexible" or "disabled"; None: the configured one.
    channel_priority: str | None = None
    #: "lowest" or "lowest-direct"; None: the newest versions (pixi's `solve-strategy`).
    solve_strategy: str | None = None
    #: `CONDA_OVERRIDE_*` variables and what they say of the machine (`system`).
    overrides: tuple[tuple[str, str], ...] = ()
    #: Environment variables to set for the script (pixi's `activation.env`).
    variables: tuple[tuple[str, str], ...] = ()
    #: Files for a shell to source when all else is activated, relative to the script (pixi's `activation.scripts`).
    activation_scripts: tuple[str, ...] = ()
    #: The `[tool.uv]` table as canonical JSON: it changes what uv installs, so it is part of the identity.
    uv: str | None = None
    #: Days after which the environment is made again; None: as the settings say.
    renew_after: float | None = None
    #: How the script narrows its own sandbox, or asks for one; None: it does not.
    narrowing: Narrowing | None = None
    quiet: bool = False
    verbose: bool = False
    #: Things the reader understood and left out, one sentence each, to be told once on creation.
    notices: tuple[str, ...] = ()
    #: Lines of the script, counted from 1, that hold the header: first and last.
    lines: tuple[int, int] = field(default=(0, 0), compare=False)
    #: Where each spec, requirement and channel stands, for errors found later (by the solver, say).
    locations: tuple[tuple[str, Location], ...] = field(default=(), compare=False, repr=False)

    def location(self, written: str) -> Location | None:
        """Where `written` (a spec, a requirement, a channel, a key) is in the script.

        A channel may be before a spec only: `bioconda::samtools`.
        """
        places = [where for text, where in self.locations if text == written]
        places += [where for text, where in self.locations if text.startswith(f"{written}::")]
        return places[0] if places else None


def _renew_after(said: Said) -> float:
    return fields.days(said.scalar("a number of days", "30"), said.name, said.where)


def _sandbox(said: Said) -> Narrowing:
    """`true`, or what the script does without: it can ask for less than it may do, never for more."""
    if said.kind not in ("a mapping", "a table"):
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
OWN: dict[str, tuple[str, Callable[[Said], Any]]] = {
    "renew-after": ("renew_after", _renew_after),
    "sandbox": ("narrowing", _sandbox),
}


def own(said: Mapping[str, Said]) -> dict[str, Any]:
    """The fields of a header that these keys set. Raises HeaderError."""
    return {field: read(said[key]) for key, (field, read) in OWN.items() if key in said}
