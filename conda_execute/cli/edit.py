"""`--init`, `--add` and `--remove`: the header, edited in place.

The new header is solved first, and written completely or not at all: a script is never left with a header that cannot
work.
"""

from __future__ import annotations

import os
import sys

from ..configuration.settings import load
from ..credentials import hide
from ..errors import PlaceError, UsageError
from ..files import check_folder, rewrite
from ..launch import process
from ..lean.values import replace
from ..options import RunOptions
from ..plan import planned
from ..recipe import Recipe
from ..script import languages, source, specfile
from ..script.editing import editor
from ..script.header import ENOUGH
from ..specs.match_spec import spec_name
from ..terminal.messages import Voice, print_json


def edit(options: RunOptions) -> int:
    """Change the header in place; with `--dry-run`, print the difference."""
    options, path = _arranged(options)
    before = _content(path) if os.path.lexists(path) or not options.init else b""
    after = _edited(options, path, before)
    environ = process.inherited_environ()
    script = source.Script(path, os.path.abspath(path), after[:ENOUGH], path)
    plan = planned(options, script, load(environ), environ)
    header, voice = plan.header, Voice(verbose=options.verbose and not options.quiet, quiet=options.quiet)
    recipe = replace(plan, voice=voice).recipe()
    if not options.dry_run:
        _check_solvable(recipe)
    if after != before and not options.dry_run:
        if (_content(path) if os.path.lexists(path) else b"") != before:
            raise PlaceError(
                f"`{path}` was changed by another program in the meantime", hint="nothing was written; try again"
            )
        rewrite(path, after)
    difference = hide(_difference(before, after, path))
    if options.json:
        written = bool(difference) and not options.dry_run
        said = {"script": os.path.abspath(path), "format": header.format, "specs": header.specs, "pypi": header.pypi}
        print_json(said | {"difference": difference, "written": written})
    elif after == before:
        voice.notice(f"`{path}` already says so")
    elif options.dry_run:
        sys.stdout.write(difference)
    else:
        voice.notice(f"`{path}` now asks for {', '.join((*header.specs, *(f'pypi:{name}' for name in header.pypi)))}")
    return 0


def _edited(options: RunOptions, path: str, before: bytes) -> bytes:
    """The new content of the file."""
    added, removed = specfile.from_words(options.add), specfile.from_words(options.remove)
    both = {spec_name(spec) for spec in added.specs} & {spec_name(spec) for spec in removed.specs}
    if both:
        raise UsageError(
            f"`{min(both)}` cannot be both added and removed", hint="to change its version, use `--add` alone"
        )
    if options.init:
        check_folder(path)
        return editor.initial(before, path, added.specs, added.pypi)
    # Add first: a header that is empty in between would be refused.
    after = editor.add_specs(before, path, added.specs, added.pypi)
    return editor.remove_specs(after, path, removed.specs, removed.pypi)


def _check_solvable(recipe: Recipe) -> None:
    """Solve for conda packages, and for PyPI packages if there are any."""
    if not recipe.request.pypi:
        recipe.solution()
        return
    from ..engines.pypi import resolve

    resolve.solve(recipe.engine(), recipe.request, recipe.options)


def _arranged(options: RunOptions) -> tuple[RunOptions, str]:
    """The options, and the file to edit. `--add a b c SCRIPT`: the words before the last belong to the option, if there
    is only one."""
    if options.code is not None or "-" in options.words[-1:]:
        raise _no_file()
    if not options.words:
        raise _no_script_last(options)
    *further, path = options.words
    named = [*options.add, *options.remove, *further]
    is_clear = not options.init and not (options.add and options.remove)
    if is_clear and not os.path.lexists(path) and languages.of(path) is None and any(map(os.path.isfile, named)):
        raise _no_script_last(options)
    if source.is_address(path):
        raise UsageError("a script on the web cannot be edited", hint="save it as a file, and edit that")
    if path.lower().endswith(".ipynb"):
        raise UsageError("the header of a notebook cannot be edited", hint="write it in the notebook's first code cell")
    if not further:
        return options, path
    if options.init and not options.add:
        raise UsageError(f"unexpected argument `{path}`", hint="`--init` takes one script")
    if options.add and options.remove:
        raise UsageError(
            f"it is not clear whether `{further[0]}` is added or removed",
            hint=f"repeat the option: `--add {further[0]}` or `--remove {further[0]}`",
        )
    attribute = "add" if options.add else "remove"
    return options.replaced(words=(path,), **{attribute: (*options.add, *options.remove, *further)}), path


def _no_script_last(options: RunOptions) -> UsageError:
    """The error for a command line whose last word is not a script, or was taken for the value of an option."""
    from shlex import join

    words = [*options.add, *options.remove, *options.words]
    script = next(filter(os.path.isfile, words), "SCRIPT")
    wrong = "no script is named" if script in ("SCRIPT", *words[-1:]) else f"`{words[-1]}` comes after the script"
    command = ["--init"] if options.init else []
    for name, specs, sample in (("--add", options.add, "SPEC"), ("--remove", options.remove, "NAME")):
        if specs:
            command += [name, *([one for one in (*specs, *options.words) if one != script] or [sample])]
    return UsageError(wrong, hint=f"the script is the last word: `conda execute {join([*command, script])}`")


def _content(path: str) -> bytes:
    script = source.from_file(path)
    if not script.is_file:
        raise _no_file()
    return source.read_whole(script)


def _no_file() -> UsageError:
    return UsageError("only the header of a file can be edited", hint="`conda execute --add SPEC SCRIPT`")


def _difference(before: bytes, after: bytes, path: str) -> str:
    import difflib

    old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (before, after))
    return "".join(difflib.unified_diff(old, new, path, path))
