"""What people type who come from other tools, and what to answer."""

from __future__ import annotations

from ..options import RunOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..options import CommandLine

#: The same, of the commands that list and delete environments.
_TMPENV_ANSWERS: dict[tuple[str, ...], str] = {
    ("-a", "--all"): "without names, `conda tmpenv clear` deletes every environment that no process is using",
    ("-y", "--yes", "--force"): "not needed: there is no question to answer",
    ("-n", "--name", "-p", "--prefix"): "give the name as a word: `conda tmpenv info NAME`",
    ("--older-than",): "write the age in hours: `conda tmpenv clear --min-age 48`",
}

#: Options of uv, pixi, conda and conda-exec that mean something else here, or nothing.
_ANSWERS: dict[tuple[str, ...], str] = {
    ("-p",): "`--python 3.12` chooses a Python version; the path of an environment cannot be chosen",
    ("-s", "--script"): "not needed: `conda execute SCRIPT`",
    ("--spec",): "use `--with SPEC` for one more requirement",
    ("--list", "--ls"): "`conda tmpenv list` shows the environments, `conda tmpenv info SCRIPT` the packages of one",
    ("--clean", "--clear", "--prune"): "`conda tmpenv clear` deletes the environments that no process is using",
    ("-n", "--name"): "environments are named by their contents; `conda tmpenv list` shows them",
    ("--file", "-r", "--requirements", "--with-requirements"): (
        "`conda tmpenv create --file FILE` creates an environment from a file; a script lists its own in its header"
    ),
    ("--env-file", "--env"): "set variables in the shell, before the command: `export NAME=value`",
    ("-m", "--module"): "`conda execute -x python -m MODULE` runs a module; `--with SPEC` adds a package",
    ("--no-cache",): "`--force-env` creates the environment again",
    ("--isolated", "--no-project"): "not needed: an environment contains only what the script asks for",
    (
        "-y",
        "--yes",
    ): "not needed: the only question is whether to run a script from a URL, and `--trust` answers it",
    ("--index-url", "--index", "-i", "--extra-index-url"): (
        "name an index in the script: `[[tool.uv.index]]` in inline metadata, or UV_DEFAULT_INDEX in the environment"
    ),
}


def answer(kind: type[CommandLine], name: str) -> str | None:
    """The hint for an option that we do not have and another tool does."""
    answers = _ANSWERS if kind is RunOptions else _TMPENV_ANSWERS
    return next((text for names, text in answers.items() if name in names), None)
