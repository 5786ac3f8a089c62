"""The values that the modules hand to each other: frozen, comparable, and meaning one thing each.

`Header` is what a script says, `Request` what is to be installed because of it (all defaults filled in), and
`Environment` what exists on disk. `None` means "not said", an empty tuple means "said to be nothing".
"""

from __future__ import annotations

from .errors import Location
from .lean.values import dataclass, field


@dataclass(frozen=True)
class Word:
    """One word of an entrypoint command: the pieces that are joined to make it.

    A piece is literal text, the name of a variable (`SCRIPT`, `CACHE`), or commands whose output is
    substituted. Of all these, only the output of a bare `$(command)` is split into words again.
    """

    pieces: tuple[Text | Variable | Substitution, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.pieces)) or "''"


@dataclass(frozen=True)
class Text:
    text: str

    def __str__(self) -> str:
        plain = "%+,-./:=@^_" if self.text.startswith("-") else "%+,-./:@^_"
        if all(character.isalnum() or character in plain for character in self.text):
            return self.text
        return '"\'"'.join(f"'{part}'" if part else "" for part in self.text.split("'"))


@dataclass(frozen=True)
class Variable:
    name: str

    def __str__(self) -> str:
        return f"${{{self.name}}}"


@dataclass(frozen=True)
class Substitution:
    """Commands whose output, without its last line endings, takes the place of the piece.

    `split` where it stands outside of double quotes: its output is then split at spaces, as `$(pkg-config --libs x)`
    needs it.
    """

    commands: tuple[tuple[Word, ...], ...]
    split: bool = False

    def __str__(self) -> str:
        return f"$({Entrypoint(self.commands)})" if self.split else f'"$({Entrypoint(self.commands)})"'


@dataclass(frozen=True)
class Entrypoint:
    """Commands run one after the other, each only if the one before succeeded (`&&`)."""

    commands: tuple[tuple[Word, ...], ...]

    def __str__(self) -> str:
        return " && ".join(" ".join(map(str, command)) for command in self.commands)


#: In place of a moment: the day of the script's last commit.
COMMIT = "commit"

#: The kinds of sandbox: for all that a script can do, and around environments and caches alone.
WHOLE, ENVIRONMENTS = "script", "env"


@dataclass(frozen=True)
class Narrowing:
    """What a script's header says of its sandbox: less than it may do, never more."""

    net: bool = True
    #: The only folders that may be written to, relative to the working directory; None: as it is.
    write: tuple[str, ...] | None = None
    where: Location | None = field(default=None, compare=False, repr=False)


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


@dataclass(frozen=True)
class Channel:
    """A channel by its canonical name, and the base URLs (without subdir) that it means now.

    The name belongs to the identity of an environment; what it resolves to (an alias, `custom_channels`, a mirror)
    does not. A multi channel such as `defaults` has several URLs, in order of priority. URLs hold no credentials.
    """

    name: str
    urls: tuple[str, ...] = field(compare=False)
    #: A URL, and the same with its token or password in it: for `network` alone, never shown and never stored.
    secrets: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Request:
    """What is to be installed: every default filled in. The environment's name is a pure function of it.

    `key.canonical_text` says which field enters the name, and how.
    """

    #: Normalised (`key.normalise_spec`), sorted, without duplicates.
    specs: tuple[str, ...]
    #: In order of priority.
    channels: tuple[Channel, ...]
    #: The platform to install for, as a conda subdir (`linux-64`).
    platform: str
    #: The platform of this machine; another one in `platform` enters the name.
    host_platform: str
    #: Sorted, without duplicates; local paths are absolute, and URLs hold no credentials.
    pypi: tuple[str, ...] = ()
    channel_priority: str = "flexible"
    solve_strategy: str | None = None
    exclude_newer: str | None = None
    #: Of single packages (conda's and PyPI's) and channels, by `package NAME` and `channel NAME`, sorted; "no": all of
    #: them count. A package's own comes before its channel's, and that before the general one.
    exclude_newer_of: tuple[tuple[str, str], ...] = ()
    #: Only the time at which a channel took a package in counts.
    indexed_timestamps: bool = False
    pypi_exclude_newer: str | None = None
    constraints: tuple[str, ...] = ()
    uv: str | None = None
    #: Local packages of `pypi` and `uv`, each with a digest of what it is now, sorted.
    local: tuple[tuple[str, str], ...] = ()
    #: SHA-256 of the lock that decides the packages.
    lock: str | None = None
    #: Whether the packages' post-link scripts run.
    link_scripts: bool = True
    #: Whether PyPI packages may be built from source, which runs what they bring.
    builds: bool = True
    #: Whether every package must have an attestation that verifies.
    attested: bool = False
    #: Whether Python sees what the user installed for another Python of the same version.
    user_libraries: bool = False
    #: `CONDA_OVERRIDE_*` variables that change what the solver sees, sorted.
    overrides: tuple[tuple[str, str], ...] = ()
    #: Those that the header says: part of what a script asks a lock for, which a host's own are not.
    system: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    #: URLs of `pypi` and `uv`, and the same with user and password: for uv alone, never shown and never stored.
    secrets: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Marker:
    """What the marker of a ready environment says; written once, last, and never changed.

    Times are seconds since the epoch by the creating host's clock and are only shown, never compared. `size` is in
    bytes, `seconds` the time that creation took.
    """

    build: str
    name: str
    specs: tuple[str, ...]
    channels: tuple[str, ...]
    platform: str
    backend: str
    version: str
    created: float
    seconds: float
    packages: int
    size: int
    #: The script or command that it was made for first.
    script: str
    pypi: tuple[str, ...] = ()
    #: Virtual packages that the installed packages depend on, as match specs (`__cuda >=12`, `__glibc >=2.17`):
    #: a host that cannot satisfy them needs its own environment.
    virtual_packages: tuple[str, ...] = ()
    #: The canonical text whose hash is the name.
    request: str = ""
    #: Which engine `backend` was, and why it was chosen: `rattler (py-rattler 0.28.0), the default`.
    engine: str = ""
    #: How many package records (`conda-meta/*.json`) were there when it was made. Fewer later: something removed files.
    records: int = 0


@dataclass(frozen=True)
class Built:
    """What was installed. `size` is the sum of the files' sizes in bytes, whatever they share with a cache.

    `virtual_packages` are match specs that a host must satisfy to run the environment (`__glibc >=2.17`); those
    that hold on every host of the platform are left out. `!__cuda` asks for the opposite: the packages were chosen
    for a host without it, and a host that has it would have got others.

    `messages` are what post-link scripts have to say, after the name of their package. `backend` names the engine, and
    `engine` says which one that was, and why.
    """

    packages: int
    size: int
    virtual_packages: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    #: What a user should know of how the packages were chosen.
    notices: tuple[str, ...] = ()
    backend: str = ""
    engine: str = ""


@dataclass(frozen=True)
class Environment:
    """A ready environment."""

    name: str
    prefix: str
    marker: Marker


@dataclass(frozen=True)
class Use:
    """One process that runs in an environment, as its note says it.

    `start` is the process's start in clock ticks since boot (field 22 of /proc/<pid>/stat), or "0" where there is
    no /proc; `place` tells hosts, boots and pid namespaces apart.
    """

    pid: int
    start: str
    place: str

    @property
    def host(self) -> str:
        return self.place.rsplit("+", 2)[0]

    def __str__(self) -> str:
        return f"{self.pid}-{self.start}@{self.place}"
