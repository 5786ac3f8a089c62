"""Every option of `conda execute` and `conda tmpenv`, once, for parsing, help, completion and reference.

A command line is a class whose attributes are its options; an instance has the chosen values, frozen and typed as
declared. To add an option, add it to the class and use the attribute. Tests compare the reference with `TABLE`.

This module is on the warm path, so it imports nothing that a run does not need.
"""

from __future__ import annotations

from itertools import takewhile

from .configuration.declared import BACKENDS
from .errors import UsageError
from .lean.values import dataclass
from .model import ENVIRONMENTS, WHOLE
from .specs.platforms import KNOWN
from .text import called, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, ClassVar, TypeVar

    Line = TypeVar("Line", bound="CommandLine")
    Value = TypeVar("Value")


@dataclass(frozen=True)
class Option:
    """One option: everything about it except what it does."""

    #: Short names first; the help lists them.
    names: tuple[str, ...]
    help: str
    #: The name of its value; None: it takes none.
    value: str | None
    #: False, None or (): its value if it is not given, which shows its kind.
    default: bool | tuple[str, ...] | None
    #: The allowed values; others are refused.
    words: tuple[str, ...] = ()
    #: Names of the option in other tools, which are accepted but not listed.
    also: tuple[str, ...] = ()
    #: What to do instead of running the script; options of different actions exclude each other...
    action: str = ""
    #: ... but this one may be combined with these actions, and then changes how they work.
    joins: tuple[str, ...] = ()
    #: The action can print JSON.
    json: bool = False
    #: The action takes any number of scripts.
    scripts: bool = False
    #: Options of which one must be given, too.
    needs: tuple[str, ...] = ()
    #: Its value is everything that follows.
    takes_rest: bool = False
    #: Options may still be among these words, up to `--`.
    with_options: bool = False
    #: Its value if none is given; a given value must then follow a `=`.
    bare: str | None = None

    @property
    def name(self) -> str:
        """The long name, in messages."""
        return self.names[-1]

    @property
    def takes_word(self) -> bool:
        """Whether the word after it is its value."""
        return self.value is not None and not self.takes_rest and self.bare is None

    @property
    def is_file(self) -> bool:
        return self.value in ("FILE", "PATH")

    @property
    def repeatable(self) -> bool:
        return self.default == ()


def flag(*names: str, help: str, **more: Any) -> bool:  # noqa: A002  the word for it
    return _declared(bool, Option(names, help, None, False, **more))


def task(name: str, *, help: str, **more: Any) -> bool:  # noqa: A002
    """A flag for an action of its name, which takes any number of scripts and can print JSON."""
    return flag(name, help=help, action=name[2:].replace("-", "_"), json=True, scripts=True, **more)


def text(*names: str, value: str, help: str, **more: Any) -> str | None:  # noqa: A002
    return _declared(str, Option(names, help, value, None, **more))


def many(*names: str, value: str, help: str, **more: Any) -> tuple[str, ...]:  # noqa: A002
    """An option that may be repeated."""
    return _declared(tuple, Option(names, help, value, (), **more))


def rest(*names: str, value: str, help: str, **more: Any) -> tuple[str, ...] | None:  # noqa: A002
    """An option that takes all words after it, or none."""
    return _declared(tuple, Option(names, help, value, None, takes_rest=True, **more))


def _declared(kind: type[Value], option: Option) -> Value:
    """The option, which an instance replaces with the chosen value: type checkers see only that type."""
    return option  # type: ignore[return-value]


@dataclass(frozen=True)
class Conflict:
    """None of the first options can be combined with any of the second; `{0}` and `{1}` are those that were given."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    message: str
    hint: str | None = None


class CommandLine:
    """The choices of one command line."""

    help = flag("-h", "--help", help="show this page")

    #: The options by attribute, inherited ones last.
    TABLE: ClassVar[Mapping[str, Option]] = {}
    CONFLICTS: ClassVar[tuple[Conflict, ...]] = ()
    #: Options end at the first word; what follows is not parsed.
    ENDS_AT_WORD: ClassVar[bool] = False
    #: The name of its words, and how many it takes at least and at most.
    WORDS: ClassVar[tuple[str, int, int | None]] = ("", 0, None)
    #: Headings of the help page, each after the option that it begins with.
    GROUPS: ClassVar[Mapping[str, str]] = {}
    #: The help page: usage lines, description, and the text after the options. Paragraphs that are not indented are
    #: wrapped.
    USAGE: ClassVar[str] = ""
    PROSE: ClassVar[str] = ""
    EPILOGUE: ClassVar[str] = ""

    words: tuple[str, ...]

    def __init_subclass__(cls) -> None:
        cls.TABLE = {
            name: value
            for kind in cls.__mro__
            for name, value in vars(kind).items()
            if isinstance(value, Option) and getattr(cls, name) is value
        }

    def __init__(self, words: Sequence[str] = (), **chosen: Any) -> None:
        unknown = chosen.keys() - self.TABLE.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no option {min(unknown)}")
        defaults = {name: option.default for name, option in self.TABLE.items()}
        vars(self).update(defaults, words=tuple(words), **chosen)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name}")

    @classmethod
    def program(cls) -> str:
        """What a person types to call it, before any option."""
        return called(" ".join(takewhile(str.islower, cls.USAGE.split())))

    @classmethod
    def groups(cls) -> dict[str, list[Option]]:
        """The options by their headings."""
        found: dict[str, list[Option]] = {}
        heading = "Options"
        for attribute, option in cls.TABLE.items():
            heading = cls.GROUPS.get(attribute, heading)
            found.setdefault(heading, []).append(option)
        return found

    @classmethod
    def help_hint(cls) -> str:
        return f"`{cls.program()} --help` lists the options"

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the page, for lists of commands."""
        return " ".join(cls.PROSE.split()).partition(". ")[0].rstrip(".")

    def actions(self) -> list[Option]:
        """The options that ask for an action instead of a run, without those that only modify another action."""
        given = [option for option in self.given() if option.action]
        said = {option.action: option for option in reversed(given)}
        return [option for option in reversed(said.values()) if not any(one in said for one in option.joins)]

    def replaced(self: Line, **changes: Any) -> Line:
        """The same choices, except for these options."""
        return type(self)(**{**vars(self), **changes})

    def given(self, *names: str) -> list[Option]:
        """The options that were given, in the order of the table; only of these attributes, if any are named."""
        return [
            option
            for name, option in self.TABLE.items()
            if (not names or name in names) and vars(self)[name] != option.default
        ]


# conda execute -------------------------------------------------------------------------------------------------------

_ENGINES = f"{listed(BACKENDS, 'or')}; the first is built in, and the default"
#: The formats of exports; the last are bills of materials.
BILLS = ("cyclonedx", "spdx")
FORMATS = ("environment.yml", "explicit", "pixi.lock", *BILLS)
_EDITS = ("init", "add", "remove")
#: Options that change the request of one run.
_ONE_RUN = ("extra", "python", "channels", "override_channels", "exclude_newer")


class RunOptions(CommandLine):
    """`conda execute`; `words` are the script and its arguments."""

    USAGE = """\
conda execute [OPTIONS] SCRIPT [ARGUMENTS...]
conda execute [OPTIONS] -c CODE...
conda execute [OPTIONS] -x COMMAND [ARGUMENTS...]"""
    PROSE = """\
Run a script in the conda environment declared in its own comments:

  # conda execute
  # env:
  #  - python >=3
  #  - numpy

The environment is created on the first run and shared by every script with the same requirements; `conda tmpenv` lists
and deletes environments. SCRIPT is a file, a URL, or `-` for standard input; everything after it is passed to the
script. Inline metadata of PEP 723 (`# /// script`) and conda-script blocks work as well."""
    EPILOGUE = """\
The exit status is the script's own. 125: conda-execute failed before the script started; 126: the program cannot be
executed; 127: it was not found. Settings are read from condarc, under `plugins:` (conda_execute_env_dir, ...), and from
the environment (CONDA_EXECUTE_ENV_DIR, ...)."""
    ENDS_AT_WORD = True
    GROUPS: ClassVar[Mapping[str, str]] = {
        "code": "Run options",
        "check": "Actions, instead of running the script",
        "init": "Edit the header",
        "lock": "Lock files",
        "json": "Output",
    }
    CONFLICTS = (
        Conflict(
            _ONE_RUN,
            _EDITS,
            "`{0}` is for one run, but `{1}` changes the script",
            "write what the script needs into its header, or leave it out",
        ),
        Conflict(
            ("command",), (*_EDITS, "lock", "locked", "lock_file"), "`{1}` needs a script, but `{0}` runs a program"
        ),
        Conflict(("embed",), ("lock_file",), "`{0}` and `{1}` name different places", "use one of them"),
        Conflict(("lock", "locked"), ("no_lock",), "`{0}` and `{1}` contradict each other"),
        Conflict(("init",), ("remove",), "`{0}` writes a new header, so there is nothing to remove"),
    )

    code = rest(
        "-c",
        value="CODE...",
        help="run this code, one argument per line; without arguments, standard input",
        with_options=True,
    )
    command = rest(
        "-x",
        value="COMMAND...",
        help="run a program from the package of the same name, or from those of `--with`: `-x samtools view`, "
        "`-x 'samtools=1.20' view`",
    )
    extra = many(
        "-w", "--with", value="SPEC", help="one more requirement for this run (`pypi:NAME` for PyPI); repeatable"
    )
    python = text(
        "--python",
        also=("--python-version",),
        value="VERSION",
        help="Python version for this run: `3.12` means `--with 'python 3.12.*'`",
    )
    channels = many(
        "--channel", value="CHANNEL", help="one more channel, with priority over those of the header; repeatable"
    )
    override_channels = flag("--override-channels", help="use only the channels given with `--channel`")
    exclude_newer = text(
        "--exclude-newer",
        value="WHEN",
        help="ignore packages published after this date, or within this time (`2026-01-31`, `7 days`)",
    )
    offline = flag("--offline", help="do not use the network, only the caches")
    backend = text("--backend", value="NAME", words=BACKENDS, help=_ENGINES)
    trust = flag("--trust", help="run a script from a URL without asking, now and until it changes")
    sandbox = text(
        "--sandbox",
        value="KIND",
        words=(WHOLE, ENVIRONMENTS),
        bare=WHOLE,
        help="run without access to your files, the network and other processes; `=env`: only protect environments",
    )
    allow_net = flag("--allow-net", help="in a sandbox: allow access to the network")
    allow_write = many(
        "--allow-write",
        value="DIR",
        help="in a sandbox: allow writing to DIR instead of the working directory; repeatable",
    )
    allow_env = many("--allow-env", value="NAME", help="in a sandbox: pass on this variable (`AWS_*`); repeatable")
    trusted = flag("--trusted", action="trusted", json=True, help="list the scripts from URLs that are trusted")
    distrust = many(
        "--distrust", value="URL", action="distrust", help="no longer trust the script at this URL; repeatable"
    )
    force_env = flag(
        *("-f", "--force-env"),
        also=("--force-reinstall", "--reinstall", "--refresh"),
        help="create the environment again; refused while it is in use",
    )
    update = flag(
        "-U",
        "--update",
        also=("--upgrade",),
        help="the same, with the newest packages that fit; also updates the script's lock file",
    )

    check = task("--check", joins=("lock",), help="report mistakes in the header; with `-v`, show what it means")
    dry_run = task("--dry-run", joins=("edit",), help="show what would be installed, created or reused")
    print_prefix = task("--print-prefix", help="create the environment if needed and print its path")
    print_python = task("--print-python", help="the same, and print the path of its Python, for editors")
    outdated = task(
        "--outdated", help="show the installed, the newest allowed and the newest version of each requirement"
    )
    shell = flag("--shell", action="shell", help="open a shell in the script's environment")
    export = text(
        "--export",
        value="FORMAT",
        words=FORMATS,
        action="export",
        help=f"print {', '.join(f'`{one}`' for one in FORMATS[: -len(BILLS)])}, or a bill of materials: "
        + ", ".join(f"`{one}`" for one in BILLS),
    )
    pack = text(
        "--pack",
        value="FILE",
        action="pack",
        help="write an archive of the environment, for machines without conda or a network",
    )

    init = flag("--init", action="edit", json=True, help="write a header; create the script if it does not exist")
    add = many(
        "--add", value="SPEC", action="edit", json=True, help="add a requirement, or change its version; repeatable"
    )
    remove = many("--remove", value="NAME", action="edit", json=True, help="remove a requirement; repeatable")

    lock = task(
        "--lock",
        help="write SCRIPT.conda-execute.lock, with the packages that the script runs with now; with `--update`, the "
        "newest ones; with `--check`, only report whether it is up to date",
    )
    update_package = many(
        *("-P", "--update-package"),
        also=("--upgrade-package",),
        value="NAME",
        needs=("lock",),
        help="with `--lock`: solve again for this package alone; repeatable",
    )
    embed = flag("--embed", needs=("lock",), help="with `--lock`: write it at the end of the script instead")
    platform = many(
        "--platform",
        value="PLATFORM",
        words=tuple(sorted(KNOWN)),
        needs=("lock",),
        help="with `--lock`: for this platform (`osx-arm64`); repeatable",
    )
    locked = flag("--locked", help="fail unless there is a lock file that is up to date")
    no_lock = flag("--no-lock", help="run without the lock file")
    lock_file = text("--lock-file", value="PATH", help="path of the lock file to use or write")

    json = flag("--json", help="print JSON, also for errors; without an action, the same as `--dry-run`")
    verbose = flag("-v", "--verbose", help="show the specification, the prefix and every step")
    quiet = flag("-q", "--quiet", help="show errors only")
    completion = text(
        "--completion",
        value="SHELL",
        words=("bash", "zsh", "fish"),
        action="completion",
        help='print a completion script, to be used like this: eval "$(conda execute --completion bash)"',
    )
    help = flag("-h", "--help", action="help", help="show this page")
    version = flag("-V", "--version", action="version", help="show the version")

    @property
    def requirements(self) -> tuple[str, ...]:
        """What `--with` and `--python` ask for."""
        if self.python is None:
            return self.extra
        return (*self.extra, self.python_spec)

    @property
    def python_spec(self) -> str:
        """The spec that `--python` means: `3.12`, `python3.12`, `py312` and `3.x` mean what users expect."""
        version = (self.python or "").strip().removeprefix("c").removeprefix("py").removeprefix("thon").lstrip("@ ")
        version = version.removesuffix(".x")
        if version.isdigit() and len(version) > 1:
            version = f"{version[0]}.{version[1:]}"
        return f"python {version}{'.*' * version.replace('.', '').isdigit()}"

    def for_one_run(self) -> list[Option]:
        """The given options that change what this run asks for."""
        return self.given(*_ONE_RUN)

    @property
    def action(self) -> str:
        """The action: `run` unless something else was asked for. Who asks for help gets it."""
        if self.help:
            return "help"
        asked = self.actions()
        return asked[0].action if asked else "dry_run" if self.json else "run"

    def one(self) -> RunOptions:
        """These choices; UsageError if there are arguments, and the action takes only a script."""
        if len(self.words) > 1 and self.code is None:
            raise UsageError(
                f"unexpected argument `{self.words[1]}`", hint=f"`{self.actions()[0].name}` takes one script"
            )
        return self

    def each(self) -> list[RunOptions]:
        """The choices for each script, for actions that take several."""
        if len(self.words) < 2 or self.code is not None:
            return [self]
        for word in self.words:
            if word.startswith("-") and word != "-":
                raise UsageError(
                    f"`{word}` comes after a script", hint=f"options come first; a file of that name is `./{word}`"
                )
        return [self.replaced(words=(word,)) for word in self.words]


# conda tmpenv --------------------------------------------------------------------------------------------------------

_NAMES = "NAME or SCRIPT"


class TmpenvOptions(CommandLine):
    """`conda tmpenv` itself; `words` are the command and what follows it."""

    USAGE = "conda tmpenv COMMAND ..."
    PROSE = """\
The environments that `conda execute` creates, shared by all scripts with the same requirements. They are deleted
automatically after 25 hours without use.

@COMMANDS@

SPEC is a conda match spec (`python=3.12`, `numpy >=2`), or `pypi:` and a PyPI requirement. NAME may be shortened to
four digits or more, if they are unique. `conda tmpenv COMMAND --help` explains one command."""
    ENDS_AT_WORD = True

    help = flag("-h", "--help", help="show this page, or that of a command")
    version = flag("-V", "--version", help="show the version")


class PrintsJson(CommandLine):
    """A command that prints JSON if asked to."""

    json = flag("--json", help="print JSON, also for errors")


class ListOptions(PrintsJson):
    USAGE = "conda tmpenv list [OPTIONS]"
    PROSE = "Show every environment: its size, age and last use, what runs in it, its script and specs."
    WORDS = ("", 0, 0)

    sort = text(
        "--sort",
        value="KEY",
        words=("name", "size", "created", "used", "script"),
        help="sort by `name`, `size`, `created`, `used` (the default) or `script`",
    )
    verbose = flag("-v", "--verbose", help="list each process noted by other hosts and containers")


class ClearOptions(PrintsJson):
    USAGE = "conda tmpenv clear [OPTIONS] [NAME or SCRIPT...]"
    PROSE = """\
Delete the given environments, or all that no process is using right now. Kept ones (`conda tmpenv keep`) are deleted by
name only. Shows what was freed, and why the others were not deleted."""

    min_age = text("--min-age", value="HOURS", help="only those unused for this many hours")
    foreign = flag("--foreign", help="also what other hosts or containers may be using; make sure that they are not")
    caches = flag("--caches", help="also launch records, code of `-c` and of URLs, and the `${CACHE}` of scripts")
    packages = flag("--packages", help="also downloaded packages, which pixi and rattler-build also use")
    dry_run = flag("--dry-run", help="show what would be deleted")


class PruneOptions(PrintsJson):
    USAGE = "conda tmpenv prune [OPTIONS]"
    PROSE = """\
Delete expired environments: those unused for the time in the setting `remove-if-unused-for` (25 hours unless
set). This also happens automatically; `conda tmpenv clear` deletes the others too."""
    WORDS = ("", 0, 0)

    dry_run = flag("--dry-run", help="show what would be deleted")


class DirOptions(CommandLine):
    USAGE = "conda tmpenv dir"
    PROSE = "Print the directory of the environments."
    WORDS = ("", 0, 0)


class NameOptions(PrintsJson):
    USAGE = "conda tmpenv name [OPTIONS] SPEC... or SCRIPT"
    PROSE = "Print the path that an environment with these specs, or the environment of this script, has or would have."

    file = many("--file", value="FILE", help="a file of specs, one per line, or an environment.yml; repeatable")
    channels = many("-c", "--channel", value="CHANNEL", help="one more channel; repeatable")
    override_channels = flag("--override-channels", help="use only the channels given with `--channel`")
    exclude_newer = text("--exclude-newer", value="WHEN", help="ignore packages published after this date")


class CreateOptions(NameOptions):
    USAGE = "conda tmpenv create [OPTIONS] SPEC... or SCRIPT"
    PROSE = "Create or find an environment with these specs, or the environment of this script, and print its path."

    offline = flag("--offline", help="do not use the network, only the caches")
    backend = text("--backend", value="NAME", words=BACKENDS, help=_ENGINES)
    compile = flag("--compile", help="byte-compile its Python modules")
    force_env = flag("-f", "--force-env", help="create it again; refused while it is in use")
    verbose = flag("-v", "--verbose", help="show every step")
    quiet = flag("-q", "--quiet", help="show errors only")


class InfoOptions(PrintsJson):
    USAGE = "conda tmpenv info [OPTIONS] NAME or SCRIPT"
    PROSE = "Show one environment in full: its packages and channels, how it was created, who is using it."
    WORDS = (_NAMES, 1, 1)

    verbose = flag("-v", "--verbose", help="list each process noted by other hosts and containers")
    verify = flag(
        "--verify", help="compare the hashes of all files; exit status 1 if one has changed since it was installed"
    )


class AuditOptions(PrintsJson):
    USAGE = "conda tmpenv audit [OPTIONS] [NAME or SCRIPT...]"
    PROSE = """\
Ask OSV which packages have known vulnerabilities, in the given environments or lock files, or in all environments."""
    EPILOGUE = "The exit status is 1 if there are any that are not ignored."
    CONFLICTS = (Conflict(("json",), ("sarif",), "`{0}` and `{1}` ask for different things", "use one of them"),)
    WORDS = (_NAMES, 0, None)

    ignore = many("--ignore", value="ID", help="ignore this advisory, by any of its names; repeatable")
    ignore_until_fixed = many(
        "--ignore-until-fixed", value="ID", help="the same, while no version has a fix; repeatable"
    )
    offline = flag("--offline", help="use earlier answers only")
    sarif = flag("--sarif", help="print SARIF 2.1.0, for code scanning")


class KeepOptions(CommandLine):
    USAGE = "conda tmpenv keep NAME or SCRIPT"
    PROSE = "Never delete this environment automatically. `conda tmpenv release` undoes it."
    WORDS = (_NAMES, 1, 1)


class ReleaseOptions(CommandLine):
    USAGE = "conda tmpenv release NAME or SCRIPT"
    PROSE = "Let this environment be deleted automatically again."
    WORDS = (_NAMES, 1, 1)


#: The commands, in the order of the help page.
COMMANDS: dict[str, type[CommandLine]] = {
    "list": ListOptions,
    "info": InfoOptions,
    "audit": AuditOptions,
    "create": CreateOptions,
    "name": NameOptions,
    "keep": KeepOptions,
    "release": ReleaseOptions,
    "clear": ClearOptions,
    "prune": PruneOptions,
    "dir": DirOptions,
}
