"""What users of other tools type, and what to answer."""

from __future__ import annotations

import os

from ..options import CommandLine, NameOptions, RunOptions
from ..script import languages

#: Such options of the commands that list, create and delete environments.
_TMPENV_ANSWERS: dict[tuple[str, ...], str] = {
    ("-a", "--all"): "without names, `conda tmpenv clear` deletes every environment that no process is using",
    ("-y", "--yes", "--force"): "not needed: there is no question to answer",
    ("-n", "--name", "-p", "--prefix"): "give the name as a word: `conda tmpenv info NAME`",
    ("--older-than",): "write the age in hours: `conda tmpenv clear --min-age 48`",
    ("--list",): "write it as a word: `conda tmpenv list`",
    ("--clean", "--clear"): "write it as a word: `conda tmpenv clear`",
}

#: Those of the commands that create one.
_CREATE_ANSWERS: dict[tuple[str, ...], str] = {
    **_TMPENV_ANSWERS,
    ("-n", "--name", "-p", "--prefix"): (
        "an environment is named by its contents; `conda create` makes one with a name or a path of its own"
    ),
}

#: Options of uv, pixi, conda and conda-exec that mean something else here, or nothing.
_ANSWERS: dict[tuple[str, ...], str] = {
    ("-p", "--prefix"): "`--python 3.12` chooses a Python version; the path of an environment cannot be chosen",
    ("-s", "--script"): "not needed: `conda execute SCRIPT`",
    ("--spec",): "use `--with SPEC` for one more requirement",
    ("--list", "--ls"): "`conda tmpenv list` shows the environments, `conda tmpenv info SCRIPT` the packages of one",
    ("--clean", "--clear", "--prune"): "`conda tmpenv clear` deletes the environments that no process is using",
    ("-n", "--name", "-e", "--environment"): "environments are named by their contents; `conda tmpenv list` shows them",
    ("--file", "-r", "--requirements", "--with-requirements"): (
        "`conda tmpenv create --file FILE` creates an environment from a file; a script lists its own in its header"
    ),
    ("--env-file", "--env"): "set variables in the shell, before the command: `export NAME=value`",
    ("-m", "--module"): "`conda execute -x python -m MODULE` runs a module; `--with SPEC` adds a package",
    ("--no-cache",): "`--force-env` creates the environment again",
    ("--info", "--show"): "`conda tmpenv info SCRIPT` shows a script's environment, `--check -v` what its header means",
    ("--older-than",): "`conda tmpenv clear --min-age HOURS` deletes what was not used for so long",
    ("--rm", "--delete", "--remove-env"): "`conda tmpenv clear SCRIPT` deletes a script's environment",
    ("--install",): "`--add SPEC` adds it to a script's header, `--with SPEC` has it for one run",
    ("--uninstall",): "`--remove NAME` takes it out of a script's header",
    ("--with-editable",): "`--with pypi:./DIRECTORY` installs a package from a directory, as it is now",
    ("--extra", "--group", "--dev"): "an extra belongs to a requirement: `--with 'pypi:NAME[EXTRA]'`",
    ("--frozen", "--no-sync", "--no-update"): "not needed: a run never changes a lock file; `--locked` requires one",
    ("--project", "--manifest-path", "--package"): "a script has no project: what it needs is in its own header",
    ("--directory", "--cwd", "--chdir"): "change to the directory first: `cd DIRECTORY`",
    ("--solver", "--experimental-solver"): "`--backend conda` solves and installs with conda",
    ("--strict-channel-priority",): "the setting `channel_priority` says so, or CONDA_CHANNEL_PRIORITY=strict",
    ("--no-deps", "--only-deps"): "not possible: packages come with what they need",
    ("--no-capture-output", "--live-stream"): "not needed: the script has the terminal to itself",
    ("--no-progress", "--silent"): "`--quiet` shows errors only",
    ("--debug",): "`--verbose` shows every step",
    ("--color", "--no-color"): "set NO_COLOR=1 for output without colours",
    ("--isolated", "--no-project"): "not needed: an environment contains only what the script asks for",
    (
        "-y",
        "--yes",
    ): "not needed: the only question is whether to run a script from a URL, and `--trust` answers it",
    ("--index-url", "--index", "-i", "--extra-index-url"): (
        "name an index in the script: `[[tool.uv.index]]` in inline metadata, or UV_DEFAULT_INDEX in the environment"
    ),
}


#: Words of other tools where a script is expected, with a sample of what follows, if nothing does, and the hint.
_VERBS: dict[tuple[str, ...], tuple[str, str]] = {
    ("run", "exec", "execute", "start"): ("SCRIPT", "no such word is needed: `conda execute {0}`"),
    ("install", "add"): (
        "PACKAGE",
        "`conda execute --add {0} SCRIPT` adds it to a script's header, `--with {0}` has it for one run",
    ),
    ("remove", "uninstall"): ("PACKAGE", "`conda execute --remove {0} SCRIPT` takes it out of a script's header"),
    ("update", "upgrade"): ("SCRIPT", "`conda execute --update SCRIPT` runs it with the newest packages that fit"),
    ("init", "lock", "shell", "export", "check"): ("SCRIPT", "write it as an option: `conda execute --{verb} {0}`"),
    ("activate",): ("SCRIPT", "`conda execute --shell SCRIPT` opens a shell in a script's environment"),
    ("help", "version"): ("", "write it as an option: `conda execute --{verb}`"),
}


def words(options: RunOptions) -> str | None:
    """The hint for a first word that is not the script it should be."""
    from shlex import join

    word, *rest = options.words
    if ":" in word:
        return None
    script = next((index for index, each in enumerate(options.words) if os.path.isfile(each)), None)
    if options.extra and script is not None:
        # `--with python 3.12 s.py`, `--with numpy pandas s.py`: more than one word as the value of an option.
        *before, last = options.extra
        last = f"{last} {word}.*" if word[0].isdigit() else last
        more = options.words[word[0].isdigit() : script]
        given = join(each for spec in (*before, last, *more) for each in ("--with", spec))
        return f"`--with` takes one spec: `conda execute {given} {join(options.words[script:])}`"
    if script == 1 and languages.by_program(word) is not None:
        return f"the header says what runs a script: `conda execute {join(rest)}`"
    if os.sep in word or "." in word:
        return None
    for verbs, (stands_for, hint) in _VERBS.items():
        if word in verbs:
            return hint.format(join(rest) or stands_for, verb=word).replace(f"{stands_for} SCRIPT", "SCRIPT")
    extra = [each for spec in options.extra for each in ("--with", spec)]
    return f"to run a program of a package: `conda execute {join([*extra, '-x', *options.words])}`"


def answer(kind: type[CommandLine], name: str) -> str | None:
    """The hint for an option that we do not have and another tool does."""
    answers = _ANSWERS if kind is RunOptions else _CREATE_ANSWERS if issubclass(kind, NameOptions) else _TMPENV_ANSWERS
    return next((text for names, text in answers.items() if name in names), None)
