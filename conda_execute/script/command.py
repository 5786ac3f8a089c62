"""A program of a package, run without a script: `conda execute -x samtools view`.

We write a script into the cache whose header asks for the package and whose name is that of the program. So it works
like any script: environments are shared and cleaned, and the launcher, which finds the script by the word after `-x`,
runs it again without Python.
"""

from __future__ import annotations

import os

from ..cache import ASKED, cache_dir, commands_folder, in_a_cache, private_path
from ..errors import NotFoundError, UsageError
from ..files import write_whole
from ..model import Entrypoint, Text, Word
from ..ownership import refuse_others
from ..specs.match_spec import normalise_spec, spec_name
from ..text import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The folder of programs whose packages `--with` names; no word after `-x` begins like this.
_WITH = ".with"

#: How many programs an error lists.
_SHOWN = 20


def script_of(word: str, environ: Mapping[str, str], *, has_package: bool) -> str:
    """The path of the script that runs the program of a package: its name, or a spec such as `samtools=1.20`.

    `has_package`: the package of the program is given elsewhere. Raises UsageError for what is not a name.
    """
    name = program(word)
    if not name or os.sep in word or word.startswith((".", "-")):
        hint = "such as `-x samtools view`, or `-x 'samtools=1.20' view` for a version"
        raise UsageError(f"`{word}` is not the name of a program", hint=hint)
    from . import specfile

    wanted = specfile.from_words([] if has_package else [word])
    lines = ["# conda execute"]
    if not has_package:
        lines += ["# env:", *(f"#  - {spec}" for spec in wanted.specs), *(f"#  - pip: [{one}]" for one in wanted.pypi)]
    text = "\n".join([*lines, "", f"# What `conda execute -x {word}` runs. May be deleted.", ""])

    def write(cache: str) -> str:
        path = os.path.join(commands_folder(cache), *([_WITH] if has_package else []), word)
        write_whole(path, text.encode())
        return path

    return in_a_cache(environ, write)


def program(word: str) -> str:
    """The program of a package to run.

    >>> program("samtools=1.20"), program("bioconda::samtools"), program("pypi:ruff")
    ('samtools', 'samtools', 'ruff')
    """
    if word.startswith("pypi:"):
        from ..specs.requirement import requirement_name

        return requirement_name(word.removeprefix("pypi:"))
    return spec_name(normalise_spec(word))


def program_at(path: str, environ: Mapping[str, str]) -> str | None:
    """The program that a script of ours is for; None: it is a script like any other. Raises PlaceError for one that
    another user may have written."""
    caches = (cache_dir(environ), private_path(environ))
    if not any(cache and path.startswith(commands_folder(cache) + os.sep) for cache in caches):
        return None
    refuse_others(path, hint=f"set `{ASKED}` to a directory of your own")
    return program(os.path.basename(path))


def lacks(name: str, specs: Sequence[str], prefix: str) -> NotFoundError:
    """The error for a program that the packages of these specs do not have, with those that they have."""
    packages = [spec_name(spec) for spec in specs]
    found = list(dict.fromkeys(each for package in packages for each in _programs(prefix, package)))
    hint = f"if another package has it: `conda execute --with PACKAGE -x {name}`"
    if len(packages) == 1 and not found:
        hint = f"it has no programs at all; in Python: `conda execute --with {packages[0]} -x python`\n{hint}"
    if found:
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        hint = f"it has {listed(found[:_SHOWN])}{more}: `conda execute --with {packages[0]} -x {found[0]}`"
    owners = listed(packages) if packages else "the environment"
    return NotFoundError(f"{owners} has no program `{name}`", hint=hint)


def _programs(prefix: str, package: str) -> list[str]:
    """The programs of a package in `bin`, by its record."""
    import glob
    import json

    for path in glob.glob(os.path.join(glob.escape(prefix), "conda-meta", f"{glob.escape(package)}-*.json")):
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        if record["name"] == package:
            return sorted(name.removeprefix("bin/") for name in record["files"] if name.startswith("bin/"))
    return []


def entrypoint(name: str) -> Entrypoint:
    """The command that runs the program; the arguments follow."""
    return Entrypoint(((Word((Text(name),)),),))
