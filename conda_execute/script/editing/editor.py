"""Editing the header of a script in place, in its own format, and giving a script its first one.

Pure functions from bytes to bytes: the caller checks and solves the result, and only then lets `rewrite` replace the
script. Line endings, encoding, shebang and every byte outside of the header stay as they are, and so does every line of
the header that need not change. If the result would not read as requested, HeaderError is raised.
"""

from __future__ import annotations

import os
import re

from ...errors import HeaderError, Location, UsageError
from ...lean.values import replace
from ...specs import platforms
from ...specs.match_spec import spec_name
from .. import languages
from ..header import fields, find_header, missing, read_header
from ..header.dependencies import named
from ..header.native import FORMAT
from ..header.pixi import without_source
from ..header.text import read_script
from . import native, toml
from .lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..header import FoundHeader
    from ..header.keys import Header
    from ..header.text import Head


#: Lines that only have a meaning at their position.
_PHP = r"<\?(?:php)?(?:[ \t](?!.*\?>)|$)"
_OPENING = rf"{_PHP}|<\?xml|@echo off"
_CODING = r"[ \t\f]*#.*?coding[:=]"
_MODELINE = r"[ \t]*[^\w\s\"'].*(?:-\*-.*-\*-|\b(?:vim?|ex):)"


def add_specs(
    data: bytes, path: str, specs: Sequence[str] = (), pypi: Sequence[str] = (), *, platform: str | None = None
) -> bytes:
    """The script with these specs and PyPI requirements in its header; each replaces one of the same name.

    Raises HeaderError if the script has no header, or one that cannot be edited automatically.
    """
    return _each(_add, data, path, specs, pypi, platform=platform)


def remove_specs(
    data: bytes, path: str, specs: Sequence[str] = (), pypi: Sequence[str] = (), *, platform: str | None = None
) -> bytes:
    """The script without the specs and PyPI requirements of these names, on any platform.

    Raises HeaderError if there is no header, nothing of that name, or if nothing would be left.
    """
    return _each(_remove, data, path, specs, pypi, platform=platform)


def _each(
    change: Callable[[bytes, str, str, str, str], bytes],
    data: bytes,
    path: str,
    specs: Sequence[str],
    pypi: Sequence[str],
    *,
    platform: str | None,
) -> bytes:
    platform = platform or platforms.host()
    for kind, text in (*(("spec", text) for text in specs), *(("pypi", text) for text in pypi)):
        valid = _valid(text, kind)
        changed = change(data, path, valid, kind, platform)
        data = _checked(data, changed, path, text=valid, kind=kind, platform=platform)
    return data


def initial(
    data: bytes, path: str, specs: Sequence[str] = (), pypi: Sequence[str] = (), *, platform: str | None = None
) -> bytes:
    """The script with a first header for its language, after the shebang and what else must come first.

    Raises HeaderError if the script has one already, or cannot have one.
    """
    platform = platform or platforms.host()
    found = find_header(data, path)
    script = read_script(data, path)
    if found is not None:
        raise HeaderError(
            "the script has a header already", where=script.line(found.first), hint="`--add` and `--remove` change it"
        )
    if os.path.splitext(path)[1].lower() == ".ipynb":
        raise HeaderError(
            "a notebook has no comments for a header", where=Location(path), hint="write it into the first code cell"
        )
    wanted = [_valid(text, "spec") for text in specs]
    needed = [_valid(text, "pypi") for text in pypi]
    header = _first_header(script, wanted, needed)
    content = _put_in(data, script, header)
    language = languages.of(path)
    if language is not None and language.entrypoint:
        for text in wanted:
            content = _add(content, path, text, "spec", platform)
    for text in needed:
        content = _add(content, path, text, "pypi", platform)
    read_header(content, path, platform)
    return content


# Reading before and after


def _valid(text: str, kind: str) -> str:
    """A spec or a requirement from the command line, as it will be in the header. Raises UsageError."""
    try:
        return (fields.spec if kind == "spec" else fields.requirement)(text, Location(text))
    except HeaderError as error:
        raise UsageError(error.message, hint=error.hint) from None


def _found(data: bytes, path: str) -> FoundHeader:
    """The script's header. Raises HeaderError where there is none."""
    found = find_header(data, path)
    if found is None:
        raise missing.no_header(read_script(data, path))
    return found


def _checked(before: bytes, after: bytes, path: str, *, text: str, kind: str, platform: str) -> bytes:
    """Check that the edited script is valid, and that everything else reads as before."""
    name = named(text, kind)
    old = read_header(before, path, platform)
    details = None
    try:
        if _others(old, name, kind) == _others(read_header(after, path, platform), name, kind):
            return after
    except HeaderError as error:
        details = error.message
    raise HeaderError(
        f"this header is written in a way that cannot be edited automatically, here for `{text}`",
        where=Location(path, old.lines[0]),
        hint="edit it by hand",
        details=details,
    )


def _others(header: Header, name: str, kind: str) -> object:
    """Everything that the header says, except entries with this name. Python may be added and removed with packages
    that need it."""
    gone = (name, "python") if kind == "spec" else ("python",)
    specs = tuple(spec for spec in header.specs if named(spec, "spec") not in gone)
    pypi = tuple(text for text in header.pypi if kind == "spec" or named(text, "pypi") != name)
    uv = without_source(header.uv, name) if kind == "pypi" else header.uv
    # Notices of a native header name lines after it, which move.
    notices = () if header.format == "conda execute" else header.notices
    return replace(header, specs=specs, pypi=pypi, uv=uv, notices=notices, lines=(0, 0), locations=())


# The edits


def _add(data: bytes, path: str, text: str, kind: str, platform: str) -> bytes:
    found = _found(data, path)
    add = native.add if found.format == FORMAT else toml.add
    return add(data, found, text, kind, platform)


def _remove(data: bytes, path: str, text: str, kind: str, platform: str) -> bytes:
    found = _found(data, path)
    remove = native.remove if found.format == FORMAT else toml.remove
    edited = remove(data, found, named(text, kind), kind)
    if edited is not None:
        return edited
    what, hint = "PyPI requirement", "`--check` shows what the header asks for"
    if kind == "spec":
        what, hint = "spec", f"{hint}; a PyPI requirement is removed by `--remove pypi:{text}`"
    raise HeaderError(f"the header has no {what} named `{text}`", where=found.script.line(found.first), hint=hint)


# The first header


def _first_header(script: Head, specs: list[str], pypi: list[str]) -> list[str]:
    """The lines of a header for the script's language, with these specs; requirements are added to it afterwards."""
    first = script.lines[0] if script.lines else ""
    language = languages.of_shebang(first) or languages.of(script.path) or languages.Language(())
    if language.entrypoint:
        lines = ["/// conda-script", 'channels = ["conda-forge"]', f'entrypoint = "{language.entrypoint}"', ""]
        lines += ["[dependencies]", f'{language.package} = "*"', "/// end-conda-script"]
    else:
        wanted = list(specs)
        if language.package and all(spec_name(spec) != language.package for spec in specs):
            wanted.insert(0, language.package)
        lines = ["conda execute", "env:"]
        lines += [f" - {native.quoted(spec, False)}" for spec in wanted or ["python"]]
        if language.channels:
            lines.append(f"channels: [{', '.join(language.channels)}]")
    sign = languages.comment_sign(script.path, first)
    return [f"{sign} {line}".rstrip() for line in lines]


def _put_in(data: bytes, script: Head, header: list[str]) -> bytes:
    """The script with these lines after its shebang, its coding line and the like, separated by an empty line."""
    after = _first_lines(script)
    is_php = any(re.match(_PHP, line, re.IGNORECASE) for line in script.lines[:after])
    if os.path.splitext(script.path)[1].lower() == ".php" and not is_php:
        # PHP prints text outside of `<?php` and `?>`.
        header = ["<?php", *header, *(["?>"] if after < len(script.lines) else [])]
    elif after < len(script.lines) and script.lines[after].strip():
        header = [*header, ""]
    if not script.lines:
        return data + "".join(line + "\n" for line in header).encode()
    lines = Lines(data, min(len(script.lines), after + 1))
    lines.insert(after, header)
    return lines.content()


def _first_lines(script: Head) -> int:
    """How many lines only mean something at the very beginning: a shebang, `<?php` after it, `@echo off`, what says
    the encoding to Python (PEP 263) or the language to an editor."""
    count = 0
    for pattern in (r"#!", _OPENING, _CODING, _MODELINE):
        if count < len(script.lines) and re.match(pattern, script.lines[count], re.IGNORECASE):
            count += 1
    return count
