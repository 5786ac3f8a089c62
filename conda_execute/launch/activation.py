"""The environment variables that a script sees: what `conda activate` would give, worked out without conda.

`activate` is pure but for reading two prefixes, this one and that of the environment outside: `conda-meta/state`,
`etc/conda/env_vars.d` and the names in `activate.d` and `deactivate.d`. It promises, for the environment of the child:

- the prefix's own directories stand first on PATH, and those of an environment activated outside are gone from it;
- `CONDA_PREFIX`, `CONDA_DEFAULT_ENV`, `CONDA_PROMPT_MODIFIER` and `PREFIX` name the prefix; `CONDA_SHLVL` counts on and
  `CONDA_PREFIX_<n>` remembers the outer environment, `__CONDA_SHLVL_<n>_<name>` a variable that is replaced, so that
  `conda deactivate` works in a shell started there;
- what belongs to another environment is gone: variables that the environment outside set and that still have its value,
  `VIRTUAL_ENV`, and where libraries of another interpreter lie, for each language that this environment has itself;
- variables that packages ask for come first, those that a person set for the environment (`conda env config vars`)
  win over them, those of the script's header over both. Names are upper-cased, unless a setting keeps them,
  `***unset***` means "leave it alone" and PATH is refused, all three as conda does it. null takes the variable away;
- next to a conda, `CONDA_EXE` and similar variables name that conda.

What scripts in `activate.d` do can only be known by running them in a shell: `sourcing` does. `front`, `exports`,
`moving` and `unsets` say the same as `environ`, for launch records: what they depend on outside is in `looked_at`.
"""

from __future__ import annotations

import os
import sys

from ..environments import layout
from ..errors import ExecuteError, Location
from ..lean.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Where PATH is not set at all; what shells and `execvp` then search.
DEFAULT_PATH = os.defpath

#: What `conda env config vars unset` leaves in place of a value.
_UNSET = "***unset***"

#: A package or a person cannot set these for an environment.
_RESERVED = frozenset({"PATH"})

#: Where another interpreter's libraries lie, by the program that would look there: None takes the variable away. R has
#: a library of the user's by default too, which `NULL` turns off. PYTHONPATH stays, which people set for a script; the
#: user's site-packages are shut out by a file in the prefix (`engines.records`).
FOREIGN_LIBRARIES: dict[str, dict[str, str | None]] = {
    "R": {"R_LIBS": None, "R_LIBS_USER": "NULL"},
    "julia": {"JULIA_LOAD_PATH": None, "JULIA_PROJECT": None},
    "node": {"NODE_PATH": None},
    "perl": {"PERL5LIB": None, "PERL_LOCAL_LIB_ROOT": None},
    "ruby": {"GEM_HOME": None, "GEM_PATH": None, "RUBYLIB": None},
}

#: Tools such as uv would change the environment that they name.
_OF_OTHERS: dict[str, str | None] = {"VIRTUAL_ENV": None, "VIRTUAL_ENV_PROMPT": None}

_WINDOWS = sys.platform == "win32"
_SCRIPT_SUFFIX = ".bat" if _WINDOWS else ".sh"


@dataclass(frozen=True)
class Customs:
    """What settings say of activation."""

    #: Whether names of variables that packages and `conda env config vars` ask for are upper-cased.
    uppercase: bool = True
    #: Whether the script may use what the user installed for interpreters of the same name elsewhere.
    user_libraries: bool = False


@dataclass(frozen=True)
class Activation:
    """What running in a prefix means for one process that was started with some environment."""

    prefix: str
    #: The whole environment of the child, before any script of `activate.d` ran.
    environ: dict[str, str]
    #: Files in `activate.d` to source, in order.
    scripts: tuple[str, ...] = ()
    #: Files in `deactivate.d` of the environment that was active outside, to source before anything is set.
    outer_scripts: tuple[str, ...] = ()
    #: Directories that stand first on PATH.
    front: tuple[str, ...] = ()
    #: Variables set because of the prefix and the header alone.
    exports: tuple[tuple[str, str], ...] = ()
    #: Variables set because of the environment outside as well: levels, and what is remembered. PATH is not among them.
    moving: Mapping[str, str] = field(default_factory=dict)
    #: Variables taken away.
    unsets: tuple[str, ...] = ()
    #: Variables outside that decided something of this, besides PATH, CONDA_PREFIX and CONDA_SHLVL.
    looked_at: tuple[str, ...] = ()
    #: What the process was started with: the scripts of `outer_scripts` belong in there.
    outer: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def outer_prefix(self) -> str:
        """The environment that is active outside; empty if there is none."""
        return self.outer.get("CONDA_PREFIX", "")

    @property
    def has_scripts(self) -> bool:
        return bool(self.scripts or self.outer_scripts)


def activate(
    prefix: str, environ: Mapping[str, str], variables: Iterable[tuple[str, str]] = (), customs: Customs | None = None
) -> Activation:
    """The activation of `prefix` for a process whose environment is `environ`.

    `variables` come from the script's header. Raises `ExecuteError` for a file in the prefix that is not what conda
    would have written.
    """
    customs = customs or Customs()
    wanted = _variables_of(prefix)
    outer_prefix = environ.get("CONDA_PREFIX", "")
    level = shell_level(environ.get("CONDA_SHLVL", ""))
    left = _left_by(outer_prefix, customs) if outer_prefix not in ("", prefix) else {}
    moving = _levels(prefix, outer_prefix, level)
    if outer_prefix != prefix or not level:
        replaced = {f"__CONDA_SHLVL_{level}_{name}": environ[name] for name in wanted if name in environ}
        moving |= {_cased(name, customs): value for name, value in replaced.items()}
    exports, unsets = _fixed(prefix, wanted, variables, customs)
    gone = [name for name, value in left.items() if environ.get(name) == value and name not in exports]
    unsets = tuple(dict.fromkeys((*unsets, *gone)))
    front = path_directories(prefix)
    path = join_path(front, environ.get("PATH"), path_directories(outer_prefix) if outer_prefix else ())
    kept = {name: value for name, value in environ.items() if name not in unsets}
    return Activation(
        prefix=prefix,
        environ={**kept, **moving, "PATH": path, **exports},
        scripts=_scripts(prefix, "activate.d"),
        outer_scripts=_scripts(outer_prefix, "deactivate.d")[::-1] if level and outer_prefix else (),
        front=front,
        exports=tuple(exports.items()),
        moving={name: value for name, value in moving.items() if name not in exports},
        unsets=unsets,
        looked_at=tuple(dict.fromkeys((*wanted, *left))),
        outer=environ,
    )


def _levels(prefix: str, outer_prefix: str, level: int) -> dict[str, str]:
    """How deep it is, and what was active before: activating twice counts once."""
    if outer_prefix == prefix and level:
        return {"CONDA_SHLVL": str(level)}
    remembered = {f"CONDA_PREFIX_{level}": outer_prefix} if level and outer_prefix else {}
    return {"CONDA_SHLVL": str(level + 1), **remembered}


def shell_level(text: str) -> int:
    """CONDA_SHLVL as a number; 0 for anything that conda would not have written. The launcher has the same rule."""
    return int(text) if text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 4 else 0


def path_directories(prefix: str) -> tuple[str, ...]:
    """The directories of a prefix that belong on PATH, first one first."""
    if not _WINDOWS:
        return (prefix + "/bin",)
    library = os.path.join(prefix, "Library")
    msys2 = [os.path.join(library, name, "bin") for name in ("ucrt64", "clang64", "mingw64", "clangarm64")]
    return (
        prefix.rstrip("\\"),
        *[path for path in msys2 if os.path.isdir(os.path.dirname(path))][:1],
        *(os.path.join(library, *parts) for parts in (("mingw-w64", "bin"), ("usr", "bin"), ("bin",))),
        os.path.join(prefix, "Scripts"),
        os.path.join(prefix, "bin"),
    )


def join_path(front: Iterable[str], path: str | None, gone: Iterable[str]) -> str:
    """PATH with `front` before it and `gone` taken out of it. An empty PATH adds no entry: that would mean the
    working directory."""
    unwanted = {os.path.normcase(directory) for directory in gone}
    entries = (DEFAULT_PATH if path is None else path).split(os.pathsep) if path != "" else []
    return os.pathsep.join([*front, *(entry for entry in entries if os.path.normcase(entry) not in unwanted)])


def _fixed(
    prefix: str, wanted: Mapping[str, str | None], variables: Iterable[tuple[str, str]], customs: Customs
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the prefix and the header set and unset, wherever the run is started."""
    name = os.path.basename(prefix) if os.path.basename(os.path.dirname(prefix)) == "envs" else prefix
    all_of: dict[str, str | None] = {**_OF_OTHERS, **_of_conda()}
    if not customs.user_libraries:
        for program, foreign in FOREIGN_LIBRARIES.items():
            if os.path.exists(os.path.join(path_directories(prefix)[0], program)):
                all_of |= foreign
    all_of |= {
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
        "PREFIX": prefix,
    }
    all_of |= {_cased(key, customs): value for key, value in wanted.items()}
    all_of |= {key: value for key, value in variables if key not in _RESERVED}
    exports = {key: value for key, value in all_of.items() if value is not None}
    return exports, tuple(key for key in all_of if key not in exports)


def _of_conda() -> dict[str, str | None]:
    """What conda's own activation says of conda, where this copy is installed next to one."""
    conda = os.path.join(sys.prefix, "Scripts" if _WINDOWS else "bin", "conda.exe" if _WINDOWS else "conda")
    if not (os.path.isdir(layout.conda_meta(sys.prefix)) and os.path.exists(conda)):
        return {}
    names: dict[str, str | None] = {"_CE_M": None, "_CE_CONDA": None, "CONDA_PYTHON_EXE": sys.executable}
    return {**names, "CONDA_EXE": conda, "_CONDA_EXE": conda, "_CONDA_ROOT": sys.prefix}


def _cased(name: str, customs: Customs) -> str:
    return name.upper() if customs.uppercase else name


def _left_by(prefix: str, customs: Customs) -> dict[str, str]:
    """What an environment sets; nothing for one whose files cannot be understood, which is not ours to judge."""
    try:
        wanted = _variables_of(prefix)
    except ExecuteError:
        return {}
    return {_cased(name, customs): value for name, value in wanted.items() if value is not None}


def activation_folder(prefix: str) -> str:
    """Where the packages of a prefix put what activates it."""
    return os.path.join(prefix, "etc", "conda")


def variable_files(prefix: str) -> list[str]:
    """The files of a prefix that say which variables it sets, in the order in which they count; every name does."""
    directory, state = os.path.join(activation_folder(prefix), "env_vars.d"), layout.state(prefix)
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        names = []
    return [*(os.path.join(directory, name) for name in names), *([state] if os.path.exists(state) else [])]


def _variables_of(prefix: str) -> dict[str, str | None]:
    wanted: dict[str, str | None] = {}
    for path in variable_files(prefix):
        wanted.update(_read_variables(path, "env_vars" if path == layout.state(prefix) else None))
    return {name: value for name, value in wanted.items() if value != _UNSET and _settable(name, value)}


def _read_variables(path: str, key: str | None) -> dict[str, str | None]:
    import json

    try:
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
        if key is not None:
            table = table.get(key, {})
        items = list(table.items())
    except OSError as error:
        raise ExecuteError(
            f"cannot read the environment's variables: {error.strerror}", where=Location(path)
        ) from error
    except (ValueError, AttributeError) as error:
        raise ExecuteError(
            "the environment's variables must be a JSON object",
            where=Location(path),
            hint="`--force-env` creates the environment again",
        ) from error
    return {name: None if value is None else str(value) for name, value in items}


def is_name(text: str) -> bool:
    """Whether shells can hold a variable of this name."""
    return text.isascii() and text.isidentifier()


def _settable(name: str, value: str | None) -> bool:
    """Whether a shell could set it, as conda has one do."""
    return is_name(name) and name.upper() not in _RESERVED and "\0" not in (value or "")


def _scripts(prefix: str, directory: str) -> tuple[str, ...]:
    path = os.path.join(activation_folder(prefix), directory)
    try:
        return tuple(os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(_SCRIPT_SUFFIX))
    except OSError:
        return ()
