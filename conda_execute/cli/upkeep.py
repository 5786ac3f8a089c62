"""What `conda execute` does to a script instead of running it: its header is edited, its packages are locked.

What would come out is solved first, and written whole or not at all: a script is never left with a header that cannot
work.
"""

from __future__ import annotations

import os
import re
import sys

from ..configuration.settings import load
from ..errors import PlaceError, UsageError
from ..launch import process
from ..lean.values import replace
from ..plan import asked, header_of, recipe_of
from ..recipe import Recipe, check_backend
from ..resolve import resolve
from ..script import source, specfile
from ..script.header import read_header
from ..specs import platforms
from ..specs.match_spec import spec_name
from ..terminal.voice import Voice
from ..text import near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from ..plan import Run


def edit(chosen: Namespace) -> int:
    """Change the header in place. What comes out is solved first: a script is never left with a header that cannot
    work."""
    from ..files import check_folder, rewrite
    from ..script.editing import editor

    path = _file_to_edit(chosen)
    before = _content(path) if os.path.lexists(path) or not chosen.init else b""
    added, removed = specfile.from_words(chosen.add), specfile.from_words(chosen.remove)
    both = {spec_name(spec) for spec in added.specs} & {spec_name(spec) for spec in removed.specs}
    if chosen.init and chosen.remove:
        raise UsageError("`--init` writes a first header, from which there is nothing to remove")
    if both:
        raise UsageError(f"`{min(both)}` is to be added and removed", hint="`--add` alone changes its version")
    after = before
    if chosen.init:
        check_folder(path)
        after = editor.initial(after, path, added.specs, added.pypi)
    else:
        # Added first: a header that asks for nothing, between the two, would be refused.
        after = editor.add_specs(after, path, added.specs, added.pypi)
        after = editor.remove_specs(after, path, removed.specs, removed.pypi)
    environ = process.inherited_environ()
    settings = load(environ)
    voice = Voice(verbose=chosen.verbose and not chosen.quiet, quiet=chosen.quiet)
    header = read_header(after, path, settings.subdir or platforms.host())
    folder = os.path.dirname(os.path.abspath(path))
    request = resolve(header, settings, folder=folder, environ=environ)
    backend = check_backend(chosen.backend or settings.backend)
    recipe = Recipe(request, settings, voice, environ, backend=backend, offline=chosen.offline, header=header)
    if not chosen.dry_run:
        _check_solvable(recipe)
    if after == before:
        voice.notice(f"`{path}` says so already")
    elif chosen.dry_run:
        sys.stdout.write(_difference(before, after, path))
    else:
        if (_content(path) if os.path.lexists(path) else b"") != before:
            raise PlaceError(
                f"`{path}` was changed by somebody else in the meantime", hint="nothing was written; try again"
            )
        rewrite(path, after)
        voice.notice(f"`{path}` now asks for {', '.join((*header.specs, *(f'pypi:{name}' for name in header.pypi)))}")
    return 0


def _check_solvable(recipe: Recipe) -> None:
    """Solve for conda's packages, and for those of PyPI beside them."""
    solution = recipe.solution()
    if recipe.request.pypi:
        from ..engines.pypi import resolve as pylock

        pylock.choose(recipe.engine(), recipe.request, solution, recipe.options())


def _file_to_edit(chosen: Namespace) -> str:
    if chosen.code is not None or not chosen.words or chosen.words[0] == "-":
        raise _no_file()
    if len(chosen.words) > 1:
        raise UsageError(
            f"`{chosen.words[1]}` stands after the script, and nothing is run",
            hint=f"give each spec its option: --add {chosen.words[1]}",
        )
    path: str = chosen.words[0]
    if source.is_address(path):
        raise UsageError("a script on the web is not edited", hint="save it as a file, and edit that")
    if path.lower().endswith(".ipynb"):
        raise UsageError("the header of a notebook is not edited", hint="write it in the notebook's first code cell")
    return path


def _content(path: str) -> bytes:
    script = source.from_file(path)
    if not script.is_file:
        raise _no_file()
    return source.read_whole(script)


def _no_file() -> UsageError:
    return UsageError("only the header of a file can be edited", hint="conda execute --add SPEC SCRIPT")


def _difference(before: bytes, after: bytes, path: str) -> str:
    import difflib

    old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (before, after))
    return "".join(difflib.unified_diff(old, new, path, path))


def write_lock(run: Run) -> int:
    """Solve for every platform asked for, and write the lock."""
    from ..lockfiles import choice
    from ..lockfiles import lockfile as locks

    chosen, script = run.chosen, run.script
    if not script.is_file:
        raise UsageError("`--lock` needs a script that is a file")
    if chosen.embed and script.notebook:
        raise UsageError("a lock cannot be embedded in a notebook", hint="without `--embed` it goes beside it")
    requests = []
    for platform in dict.fromkeys(chosen.platform or [run.request.platform]):
        header = header_of(script, _known_platform(platform), chosen)
        asked_for = replace(asked(chosen), platform=platform)
        requests.append(resolve(header, run.settings, asked_for, folder=script.folder, environ=run.environ))
    # A script that carries its lock gets the new one in the same place: the old one would go before any other.
    embeds = chosen.embed or (chosen.lock_file is None and locks.is_embedded(source.read_whole(script)))
    path = chosen.lock_file or script.path + locks.SUFFIXES[0]
    if not embeds:
        _check_overwritable(path)
    home = script.folder if embeds else os.path.dirname(os.path.abspath(path))
    recipe = recipe_of(run)
    how = recipe.options()
    try:
        text = choice.text(recipe.backend, requests, how, script.folder, home)
    finally:
        if how.progress is not None:
            how.progress.close()
    if embeds:
        from ..files import rewrite

        path = script.path
        rewrite(path, choice.embed(source.read_whole(script), run.header, text, path))
    else:
        locks.write(path, text)
    packages = len(re.findall(r"^- (?:conda|pypi): ", text, re.MULTILINE))
    run.voice.notice(
        f"locked {packages} package{'s' * (packages != 1)} for"
        f" {', '.join(request.platform for request in requests)} in `{path}`"
    )
    return 0


def _check_overwritable(path: str) -> None:
    """Only a lock, or nothing at all, is overwritten by a lock."""
    try:
        with open(path, "rb") as file:
            beginning = file.read(64)
    except OSError:
        return  # not there; or it cannot be written either, and that is told then
    if beginning and not beginning.startswith((b"# conda-execute lock", b"version:")):
        raise UsageError(f"`{path}` is there and is no lock", hint="name another file after `--lock-file`")


def _known_platform(name: str) -> str:
    if name not in platforms.KNOWN:
        hint = near(name, tuple(platforms.KNOWN)) or "such as `linux-64`, `osx-arm64`, `win-64`"
        raise UsageError(f"`{name}` is not a platform", hint=hint)
    return name
