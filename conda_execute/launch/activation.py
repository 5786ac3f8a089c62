"""The environment variables that a script sees: those that `conda activate` would set, computed without conda.

`activate` is pure, except that it reads two prefixes, this one and that of the environment outside: `conda-meta/state`,
`etc/conda/env_vars.d` and the names in `activate.d` and `deactivate.d`. It promises, for the environment of the child:

- the prefix's own directories come first on PATH, and those of an environment activated outside are removed from it;
- `CONDA_PREFIX`, `CONDA_DEFAULT_ENV`, `CONDA_PROMPT_MODIFIER` and `PREFIX` name the prefix; `CONDA_SHLVL` is increased,
  `CONDA_PREFIX_<n>` has the outer environment and `__CONDA_SHLVL_<n>_<name>` a variable that is replaced, so that
  `conda deactivate` works in a shell started there;
- what belongs to another environment is removed: variables that the environment outside set and that still have its
  value, `VIRTUAL_ENV`, and library paths of other interpreters, for each language that this environment has itself;
- variables that packages ask for come first, those that a person set for the environment (`conda env config vars`)
  override them, and those of the script's header override both. Names are upper-cased, unless a setting keeps them,
  `***unset***` means "leave it alone" and PATH is refused, all three as in conda. null removes the variable;
- next to a conda, `CONDA_EXE` and similar variables name that conda.

The effect of scripts in `activate.d` is only known after running them in a shell: `sourcing` does that. `front`,
`exports`, `moving` and `unsets` describe the same as `environ`, for launch records; the outside variables that they
depend on are in `looked_at`.
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

#: What shells and `execvp` search if PATH is not set.
DEFAULT_PATH = os.defpath

#: What `conda env config vars unset` writes instead of a value.
_UNSET = "***unset***"

#: A package or a person cannot set these for an environment.
_RESERVED = frozenset({"PATH"})

#: Variables with library paths of other interpreters, by the program that would use them: None removes the variable. R
#: also has a user library by default, which `NULL` turns off. PYTHONPATH stays, since people set it for scripts; a file
#: in the prefix excludes the user's site-packages (`engines.records`).
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
class Activation:
    """The activation of a prefix for one process, which was started with some environment."""

    prefix: str
    #: All variables of the child, before any script of `activate.d` ran.
    environ: dict[str, str]
    #: Files in `activate.d` to source, in order.
    scripts: tuple[str, ...] = ()
    #: Files in `deactivate.d` of the environment that was active outside, to source before anything is set.
    outer_scripts: tuple[str, ...] = ()
    #: Directories that come first on PATH.
    front: tuple[str, ...] = ()
    #: Variables that depend only on the prefix and the header.
    exports: tuple[tuple[str, str], ...] = ()
    #: Variables that also depend on the environment outside: levels and saved values. PATH is not among them.
    moving: Mapping[str, str] = field(default_factory=dict)
    #: Variables that are removed.
    unsets: tuple[str, ...] = ()
    #: Outside variables that influenced this, besides PATH, CONDA_PREFIX and CONDA_SHLVL.
    looked_at: tuple[str, ...] = ()
    #: The environment that the process was started with: the scripts of `outer_scripts` run in it.
    outer: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def outer_prefix(self) -> str:
        """The environment that is active outside; empty if there is none."""
        return self.outer.get("CONDA_PREFIX", "")

    @property
    def has_scripts(self) -> bool:
        return bool(self.scripts or self.outer_scripts)


def activate(
    prefix: str,
    environ: Mapping[str, str],
    variables: Iterable[tuple[str, str]] = (),
    *,
    uppercase: bool = True,
    user_libraries: bool = False,
) -> Activation:
    """The activation of `prefix` for a process whose environment is `environ`.

    `variables` come from the script's header. `uppercase`: names of variables from packages and `conda env config vars`
    are upper-cased; `user_libraries`: the script may use libraries that the user installed outside of environments.
    Raises `ExecuteError` for a file in the prefix that is not what conda would have written.
    """
    cased = str.upper if uppercase else str
    wanted = _variables_of(prefix)
    outer_prefix = environ.get("CONDA_PREFIX", "")
    level = shell_level(environ.get("CONDA_SHLVL", ""))
    left = _left_by(outer_prefix) if outer_prefix not in ("", prefix) else {}
    left = {cased(name): value for name, value in left.items()}
    moving = _levels(prefix, outer_prefix, level)
    if outer_prefix != prefix or not level:
        replaced = {f"__CONDA_SHLVL_{level}_{name}": environ[name] for name in wanted if name in environ}
        moving |= {cased(name): value for name, value in replaced.items()}
    own = {cased(name): value for name, value in wanted.items()}
    exports, unsets = _fixed(prefix, own, variables, user_libraries)
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
    """The variables for nesting: the level, and what was active before. Activating twice counts once."""
    if outer_prefix == prefix and level:
        return {"CONDA_SHLVL": str(level)}
    remembered = {f"CONDA_PREFIX_{level}": outer_prefix} if level and outer_prefix else {}
    return {"CONDA_SHLVL": str(level + 1), **remembered}


def shell_level(text: str) -> int:
    """CONDA_SHLVL as a number; 0 for a value that conda would not write. The launcher has the same rule."""
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
    """PATH with `front` before it and `gone` removed from it. An empty PATH adds no entry: that would mean the working
    directory."""
    unwanted = {os.path.normcase(directory) for directory in gone}
    entries = (DEFAULT_PATH if path is None else path).split(os.pathsep) if path != "" else []
    return os.pathsep.join([*front, *(entry for entry in entries if os.path.normcase(entry) not in unwanted)])


def _fixed(
    prefix: str, wanted: Mapping[str, str | None], variables: Iterable[tuple[str, str]], user_libraries: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the prefix and the header set and unset, wherever the run starts."""
    name = os.path.basename(prefix) if os.path.basename(os.path.dirname(prefix)) == "envs" else prefix
    all_of: dict[str, str | None] = {**_OF_OTHERS, **_of_conda()}
    if not user_libraries:
        for program, foreign in FOREIGN_LIBRARIES.items():
            if os.path.exists(os.path.join(path_directories(prefix)[0], program)):
                all_of |= foreign
    all_of |= {
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
        "PREFIX": prefix,
    }
    all_of |= wanted
    all_of |= {key: value for key, value in variables if key not in _RESERVED}
    exports = {key: value for key, value in all_of.items() if value is not None}
    return exports, tuple(key for key in all_of if key not in exports)


def _of_conda() -> dict[str, str | None]:
    """The variables that conda's own activation sets about conda, if conda-execute is installed next to one."""
    conda = os.path.join(sys.prefix, "Scripts" if _WINDOWS else "bin", "conda.exe" if _WINDOWS else "conda")
    if not (os.path.isdir(layout.conda_meta(sys.prefix)) and os.path.exists(conda)):
        return {}
    names: dict[str, str | None] = {"_CE_M": None, "_CE_CONDA": None, "CONDA_PYTHON_EXE": sys.executable}
    return {**names, "CONDA_EXE": conda, "_CONDA_EXE": conda, "_CONDA_ROOT": sys.prefix}


def _left_by(prefix: str) -> dict[str, str]:
    """The variables that an environment sets; none if its files cannot be parsed, since it need not be ours."""
    try:
        wanted = _variables_of(prefix)
    except ExecuteError:
        return {}
    return {name: value for name, value in wanted.items() if value is not None}


def activation_folder(prefix: str) -> str:
    """Where the packages of a prefix put activation scripts."""
    return os.path.join(prefix, "etc", "conda")


def variable_files(prefix: str) -> list[str]:
    """The files of a prefix that say which variables it sets, in the order in which they apply; all names are read."""
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
    """Whether shells can have a variable of this name."""
    return text.isascii() and text.isidentifier()


def _settable(name: str, value: str | None) -> bool:
    """Whether a shell could set it, as with `conda activate`."""
    return is_name(name) and name.upper() not in _RESERVED and "\0" not in (value or "")


def _scripts(prefix: str, directory: str) -> tuple[str, ...]:
    path = os.path.join(activation_folder(prefix), directory)
    try:
        return tuple(os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(_SCRIPT_SUFFIX))
    except OSError:
        return ()
