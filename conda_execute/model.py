"""The values that the modules hand to each other: frozen, comparable, and meaning one thing each.

`Request` is what is to be installed because of what a script says (all defaults filled in), and `Environment` what
exists on disk. `None` means "not said", an empty tuple means "said to be nothing".
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
