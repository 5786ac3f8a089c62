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
from ..plan import planned
from ..script import languages, source, specfile
from ..script.editing import editor
from ..script.header import ENOUGH
from ..specs.match_spec import spec_name
from ..terminal.messages import Voice, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..options import RunOptions
    from ..recipe import Recipe
    from ..script.header.keys import Header


def edit(options: RunOptions) -> int:
    """Change the header in place; with `--dry-run`, print the difference."""
    options = _with_further_specs(options)
    path = _file_to_edit(options)
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
        print_json(_as_json(header, path, difference, written=not options.dry_run))
    elif after == before:
        voice.notice(f"`{path}` already says so")
    elif options.dry_run:
        sys.stdout.write(difference)
    else:
        voice.notice(f"`{path}` now asks for {', '.join((*header.specs, *(f'pypi:{name}' for name in header.pypi)))}")
    return 0


def _as_json(header: Header, path: str, difference: str, *, written: bool) -> dict[str, Any]:
    """What the header asks for now, or would."""
    return {
        "script": os.path.abspath(path),
        "format": header.format,
        "specs": header.specs,
        "pypi": header.pypi,
        "difference": difference,
        "written": written and bool(difference),
    }


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

    resolve.solve(recipe.engine(), recipe.request, recipe.options())


def _with_further_specs(options: RunOptions) -> RunOptions:
    """`--add a b c SCRIPT`: the words before the last belong to the option, if there is only one."""
    if not options.words:
        return options
    *further, path = options.words
    if not os.path.lexists(path) and languages.of(path) is None and (wrong_order := _script_before(options)):
        raise wrong_order
    if not further:
        return options
    if options.init and not options.add:
        raise UsageError(f"unexpected argument `{path}`", hint="`--init` takes one script")
    if options.add and options.remove:
        raise UsageError(
            f"it is not clear whether `{further[0]}` is added or removed",
            hint=f"repeat the option: `--add {further[0]}` or `--remove {further[0]}`",
        )
    if options.add:
        return options.replaced(words=(path,), add=(*options.add, *further))
    return options.replaced(words=(path,), remove=(*options.remove, *further))


def _script_before(options: RunOptions) -> UsageError | None:
    """The error for words of which the script is not the last; None if none of them is a file."""
    from shlex import join

    specs = options.add or options.remove
    said = [*specs, *options.words]
    script = next((word for word in said if os.path.isfile(word)), None)
    if script is None or options.init or (options.add and options.remove):
        return None
    others = [word for word in said if word != script]
    command = join([_verb(options), *others, script])
    return UsageError(
        f"`{said[-1]}` comes after the script", hint=f"the script is the last word: `conda execute {command}`"
    )


def _verb(options: RunOptions) -> str:
    """The option that takes the specs, for a hint."""
    return "--add" if options.add else "--remove"


def _unnamed(options: RunOptions) -> UsageError:
    """The error for a command line without a script, which may have been taken for the value of an option."""
    from shlex import join

    *specs, last = options.add or options.remove or ("",)
    script = last if os.path.isfile(last) else "SCRIPT"
    if script == "SCRIPT":
        specs = [*specs, last] if last else []
    elif not specs:
        specs = ["SPEC" if options.add else "NAME"]
    words = [*(["--init"] if options.init else []), *([_verb(options), *specs] if specs else []), script]
    return UsageError("no script is named", hint=f"the script is the last word: `conda execute {join(words)}`")


def _file_to_edit(options: RunOptions) -> str:
    if options.code is None and not options.words:
        raise _unnamed(options)
    if options.code is not None or options.words[0] == "-":
        raise _no_file()
    path = options.words[0]
    if source.is_address(path):
        raise UsageError("a script on the web cannot be edited", hint="save it as a file, and edit that")
    if path.lower().endswith(".ipynb"):
        raise UsageError("the header of a notebook cannot be edited", hint="write it in the notebook's first code cell")
    return path


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
