"""The values that modules pass to each other: frozen, comparable, and each with one meaning.

`Request` is what will be installed because of what a script says (all defaults filled in), and `Environment` what
exists on disk. `None` means "not given", an empty tuple means "given as empty".
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
    """Commands whose output, without trailing line ends, replaces the piece.

    `split` if it is outside of double quotes: its output is then split at spaces, as `$(pkg-config --libs x)` needs it.
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


#: Instead of a moment: the day of the script's last commit.
COMMIT = "commit"

#: The kinds of sandbox: for everything that a script can do, or only around environments and caches.
WHOLE, ENVIRONMENTS = "script", "env"


@dataclass(frozen=True)
class Narrowing:
    """What a script's header says about its sandbox. It can only reduce permissions."""

    net: bool = True
    #: The only folders that may be written to, relative to the working directory; None: no restriction.
    write: tuple[str, ...] | None = None
    where: Location | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Channel:
    """A channel by its canonical name, and the base URLs (without subdir) that it means now.

    The name belongs to the identity of an environment; what it resolves to (an alias, `custom_channels`, a mirror)
    does not. A multi channel such as `defaults` has several URLs, in order of priority. URLs contain no credentials.
    """

    name: str
    urls: tuple[str, ...] = field(compare=False)
    #: Pairs of a URL and the same URL with its token or password: only for `network`, never shown and never stored.
    secrets: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Request:
    """What will be installed: every default filled in. The environment's name is a pure function of it.

    `key.canonical_text` says which field enters the name, and how.
    """

    #: Normalised (`key.normalise_spec`), sorted, without duplicates.
    specs: tuple[str, ...]
    #: In order of priority.
    channels: tuple[Channel, ...]
    #: The platform to install for, as a conda subdir (`linux-64`).
    platform: str
    #: The platform of this machine; if `platform` differs, it enters the name.
    host_platform: str
    #: Sorted, without duplicates; local paths are absolute, and URLs contain no credentials.
    pypi: tuple[str, ...] = ()
    channel_priority: str = "flexible"
    solve_strategy: str | None = None
    exclude_newer: str | None = None
    #: Moments of single packages (conda and PyPI) and channels, by `package NAME` and `channel NAME`, sorted; "no": all
    #: versions count. A package's own moment takes precedence over its channel's, and that over the general one.
    exclude_newer_of: tuple[tuple[str, str], ...] = ()
    #: Whether only the time counts at which a channel added a package.
    indexed_timestamps: bool = False
    pypi_exclude_newer: str | None = None
    constraints: tuple[str, ...] = ()
    uv: str | None = None
    #: Local packages of `pypi` and `uv`, each with a digest of its content now, sorted.
    local: tuple[tuple[str, str], ...] = ()
    #: SHA-256 of the lock that decides the packages.
    lock: str | None = None
    #: Whether the packages' post-link scripts run.
    link_scripts: bool = True
    #: Whether PyPI packages may be built from source, which runs their code.
    builds: bool = True
    #: Whether every package must have a valid attestation.
    attested: bool = False
    #: Whether scripts can use libraries that the user installed outside of environments.
    user_libraries: bool = False
    #: `CONDA_OVERRIDE_*` variables that change what the solver sees, sorted.
    overrides: tuple[tuple[str, str], ...] = ()
    #: Those that the header sets. A lock file depends on them, but not on those of the host.
    system: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    #: Pairs of URLs of `pypi` and `uv`, without and with user and password: only for uv, never shown and never stored.
    secrets: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Marker:
    """The content of the marker of a ready environment; written once, as the last step, and never changed.

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
    #: The script or command that it was created for.
    script: str
    pypi: tuple[str, ...] = ()
    #: Virtual packages that the installed packages depend on, as match specs (`__cuda >=12`, `__glibc >=2.17`):
    #: a host that cannot satisfy them needs its own environment.
    virtual_packages: tuple[str, ...] = ()
    #: The canonical text whose hash is the name.
    request: str = ""
    #: Which engine `backend` means, and why it was chosen: `rattler (py-rattler 0.28.0), the default`.
    engine: str = ""
    #: How many package records (`conda-meta/*.json`) it had when it was created. If there are fewer now, files were
    #: removed.
    records: int = 0


@dataclass(frozen=True)
class Built:
    """What was installed. `size` is the sum of the files' sizes in bytes, including those shared with a cache.

    `virtual_packages` are match specs that a host must satisfy to run the environment (`__glibc >=2.17`); those
    that hold on every host of the platform are left out. `!__cuda` means the opposite: the packages were chosen for a
    host without it, and a host with it would have got different ones.

    `messages` is the output of post-link scripts, after the name of their package. `backend` names the engine, and
    `engine` says which one that was, and why.
    """

    packages: int
    size: int
    virtual_packages: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()
    #: Notices about how the packages were chosen.
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
    """One process that runs in an environment, as its note describes it.

    `start` is the process's start in clock ticks since boot (field 22 of /proc/<pid>/stat), or "0" where there is
    no /proc; `place` identifies host, boot and pid namespace.
    """

    pid: int
    start: str
    place: str

    @property
    def host(self) -> str:
        return self.place.rsplit("+", 2)[0]

    def __str__(self) -> str:
        return f"{self.pid}-{self.start}@{self.place}"
