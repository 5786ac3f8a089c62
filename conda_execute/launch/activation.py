"""The environment variables that a script sees: what `conda activate` would give, worked out without conda.

`activate` is pure but for reading the prefix: `conda-meta/state`, `etc/conda/env_vars.d/*.json` and the names in
`activate.d`. It promises, for the environment of the child:

- the prefix's own directories stand first on PATH, and those of an environment activated outside are gone from it;
- `CONDA_PREFIX`, `CONDA_DEFAULT_ENV`, `CONDA_PROMPT_MODIFIER` and `PREFIX` name the prefix; `CONDA_SHLVL` counts on and
  `CONDA_PREFIX_<n>` remembers the outer environment, so that `conda deactivate` works in a shell started there;
- variables that packages ask for come first, those that a person set for the environment (`conda env config vars`)
  win over them, those of the script's header over both. Names are upper-cased, `***unset***` means "leave it alone"
  and PATH is refused, all three as conda does it. null takes the variable away.

What scripts in `activate.d` do can only be known by running them in a shell: `sourcing` does. The fields
`front`, `exports` and `unsets` say the same as `environ`, independent of where the run was started, for launch records.
"""

from __future__ import annotations

import os
import sys

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

_WINDOWS = sys.platform == "win32"
_SCRIPT_SUFFIX = ".bat" if _WINDOWS else ".sh"


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
    #: Variables set because of the prefix and the header alone. PATH, CONDA_SHLVL and CONDA_PREFIX_<n>, which depend
    #: on the environment outside, are not among them.
    exports: tuple[tuple[str, str], ...] = ()
    #: Variables taken away because of the prefix alone.
    unsets: tuple[str, ...] = ()
    #: What the process was started with: the scripts of `outer_scripts` belong in there.
    outer: Mapping[str, str] = field(default_factory=dict, repr=False)


def activate(prefix: str, environ: Mapping[str, str], variables: Iterable[tuple[str, str]] = ()) -> Activation:
    """The activation of `prefix` for a process whose environment is `environ`.

    `variables` come from the script's header. Raises `ExecuteError` for a file in the prefix that is not what conda
    would have written.
    """
    exports, unsets = _fixed(prefix, variables)
    outer_prefix = environ.get("CONDA_PREFIX", "")
    level = shell_level(environ.get("CONDA_SHLVL", ""))
    child = {name: value for name, value in environ.items() if name not in unsets}
    if outer_prefix != prefix or not level:
        child["CONDA_SHLVL"] = str(level + 1)
        if level and outer_prefix:
            child[f"CONDA_PREFIX_{level}"] = outer_prefix
    front = path_directories(prefix)
    child["PATH"] = join_path(front, environ.get("PATH"), path_directories(outer_prefix) if outer_prefix else ())
    child.update(exports)
    return Activation(
        prefix=prefix,
        environ=child,
        scripts=_scripts(prefix, "activate.d"),
        outer_scripts=_scripts(outer_prefix, "deactivate.d")[::-1] if level and outer_prefix else (),
        front=front,
        exports=tuple(exports.items()),
        unsets=unsets,
        outer=environ,
    )


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


def _fixed(prefix: str, variables: Iterable[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the prefix and the header set and unset, wherever the run is started."""
    name = os.path.basename(prefix) if os.path.basename(os.path.dirname(prefix)) == "envs" else prefix
    wanted: dict[str, str | None] = {}
    for path in _variable_files(prefix):
        wanted.update(_read_variables(path))
    for path in _state_file(prefix):
        wanted.update(_read_variables(path, "env_vars"))
    exports = {
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
        "PREFIX": prefix,
    }
    exports |= {key: value for key, value in wanted.items() if value is not None}
    exports |= {key: value for key, value in variables if key not in _RESERVED}
    return exports, tuple(key for key, value in wanted.items() if value is None and key not in exports)


def _variable_files(prefix: str) -> list[str]:
    directory = os.path.join(prefix, "etc", "conda", "env_vars.d")
    try:
        return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(".json")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _state_file(prefix: str) -> list[str]:
    path = os.path.join(prefix, "conda-meta", "state")
    return [path] if os.path.exists(path) else []


def _read_variables(path: str, key: str | None = None) -> dict[str, str | None]:
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
    values = ((name.upper(), None if value is None else str(value)) for name, value in items if value != _UNSET)
    return {name: value for name, value in values if _settable(name, value)}


def _settable(name: str, value: str | None) -> bool:
    """Whether a shell could set it, as conda has one do."""
    return name.isascii() and name.isidentifier() and name not in _RESERVED and "\0" not in (value or "")


def _scripts(prefix: str, directory: str) -> tuple[str, ...]:
    path = os.path.join(prefix, "etc", "conda", directory)
    try:
        return tuple(os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(_SCRIPT_SUFFIX))
    except OSError:
        return ()
