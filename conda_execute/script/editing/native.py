"""Adding to and removing from a native header, line by line, whatever its comments and its layout."""

from __future__ import annotations

import re

from ...errors import HeaderError, Location
from ...lean.values import dataclass
from ...specs import platforms
from ..header import native
from ..header.dependencies import named
from .lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..header import FoundHeader
    from ..header.fields import Value
    from ..header.native import CommentBlock
    from ..header.text import Head

#: Text that needs no quotes in YAML, outside of brackets and within them.
_PLAIN = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./<>=!*|~+@,;()'^$-]|:(?=[^\s,])| (?!#))*(?<![ :])\Z", re.ASCII)
_PLAIN_IN_BRACKETS = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./<>=!*|~+-]| (?!#))*(?<! )\Z", re.ASCII)


@dataclass(frozen=True)
class _Entry:
    """A spec, a requirement, or the `pip:` that holds the requirements."""

    kind: str
    text: str
    where: Location
    #: Its line, counted from 1, and its columns, from 0.
    line: int
    start: int
    end: int
    #: It is in a list in brackets.
    in_brackets: bool
    #: It applies on some platforms only.
    conditional: bool

    @property
    def name(self) -> str:
        return named(self.text, self.kind)


def add(data: bytes, found: FoundHeader, text: str, kind: str, platform: str) -> bytes:
    """The script with one more spec or requirement (`kind` is "spec" or "pypi"), which replaces one of the same
    name."""
    entries = _entries(found.script, found.block)
    lines = Lines(data, found.last)
    name = named(text, kind)
    same = [entry for entry in entries if entry.kind == kind and entry.name == name and not entry.conditional]
    if same:
        first = same[0]
        if first.text != text:
            lines.replace(first.line, first.start, first.end, quoted(text, first.in_brackets))
        return lines.content()
    neighbours = [entry for entry in entries if entry.kind == kind]
    if neighbours:
        _insert(lines, neighbours[-1], text)
    elif kind == "pypi":
        _insert_pip(lines, [entry for entry in entries if entry.kind == "spec"][-1], text)
    else:
        _insert(lines, entries[0], text, before=True)
    return lines.content()


def remove(data: bytes, found: FoundHeader, name: str, kind: str) -> bytes | None:
    """The script without the specs or requirements of this name; None if there are none."""
    entries = _entries(found.script, found.block)
    gone = [entry for entry in entries if entry.kind == kind and entry.name == name]
    if not gone:
        return None
    left = [entry for entry in entries if entry not in gone and entry.kind != "pip"]
    if not left:
        raise HeaderError(
            f"`{gone[0].text}` is all that the header asks for",
            where=gone[0].where,
            hint="add another spec first, or remove the header",
        )
    lines = Lines(data, found.last)
    if kind == "pypi" and not any(entry.kind == "pypi" for entry in left):
        _remove_pip(lines, next(entry for entry in entries if entry.kind == "pip"), gone)
        return lines.content()
    for entry in reversed(gone):
        if entry.in_brackets:
            _remove_in_brackets(lines, entry, found.block.prefix)
        else:
            lines.delete(entry.line, entry.line)
    return lines.content()


def _entries(script: Head, block: CommentBlock) -> list[_Entry]:
    """The entries that the header has on any platform, in order."""
    found: dict[tuple[int, int, str], _Entry] = {}
    refusal: HeaderError | None = None
    conditional = any(map(native.is_conditional, script.lines[block.first : block.last]))
    for platform in platforms.KNOWN if conditional else platforms.KNOWN[:1]:
        try:
            native.read(script, block, platform)
            keys, _ = native.keys_of(script, block, platform)
        except HeaderError as error:
            refusal = error
            continue
        for entry in _of(keys["env"], script):
            found.setdefault((entry.line, entry.start, entry.kind), entry)
    if refusal is not None and not found:
        raise refusal
    return [found[key] for key in sorted(found)]


def _of(env: Value, script: Head) -> list[_Entry]:
    entries: list[_Entry] = []
    for item in env.items():
        if isinstance(item.value, dict):
            entries.append(_entry("pip", "pip", item.where, env, script))
            for held in item.table().values():
                entries += [_entry("pypi", one.string().strip(), one.where, held, script) for one in held.items()]
        else:
            entries.append(_entry("spec", item.string().strip(), item.where, env, script))
    return entries


def _entry(kind: str, text: str, where: Location, container: Value, script: Head) -> _Entry:
    assert container.where.text is not None
    assert container.where.column is not None
    assert where.line is not None
    assert where.column is not None
    in_brackets = container.where.text[container.where.column - 1] == "["
    start, is_conditional = where.column - 1, native.is_conditional(script.lines[where.line - 1])
    return _Entry(kind, text, where, where.line, start, start + where.length, in_brackets, is_conditional)


def _insert(lines: Lines, neighbour: _Entry, text: str, *, before: bool = False) -> None:
    """Put an entry after its neighbour, or before it."""
    if neighbour.in_brackets:
        at = neighbour.start if before else neighbour.end
        lines.replace(neighbour.line, at, at, f"{quoted(text, True)}, " if before else f", {quoted(text, True)}")
    else:
        lead = lines.lines[neighbour.line - 1][: neighbour.start]
        lines.insert(neighbour.line - before, [lead + quoted(text, False)])


def _insert_pip(lines: Lines, neighbour: _Entry, text: str) -> None:
    if neighbour.in_brackets:
        lines.replace(neighbour.line, neighbour.end, neighbour.end, f", {{pip: [{quoted(text, True)}]}}")
        return
    lead = lines.lines[neighbour.line - 1][: neighbour.start]
    dash = lead.rindex("-")
    lines.insert(neighbour.line, [f"{lead}pip:", f"{lead[:dash]}  {lead[dash:]}{quoted(text, False)}"])


def _remove_in_brackets(lines: Lines, entry: _Entry, prefix: str) -> None:
    """Remove an entry with one of the commas around it, and its line if nothing else is there."""
    line = lines.lines[entry.line - 1]
    before, after = line[: entry.start], line[entry.end :]
    if comma := re.match(r"[ \t]*,[ \t]*", after):
        after = after[comma.end() :]
    elif comma := re.search(r"[ \t]*,[ \t]*\Z", before):
        before = before[: comma.start()]
    if (before + after).strip() == prefix:
        lines.delete(entry.line, entry.line)
    else:
        lines.replace(entry.line, 0, len(line), before + after)


def _remove_pip(lines: Lines, pip: _Entry, gone: list[_Entry]) -> None:
    """Remove `pip:` with its content."""
    if pip.in_brackets:
        raise HeaderError(
            "`pip` would be left empty",
            where=pip.where,
            hint="edit this header by hand",
        )
    last = gone[-1].line
    if gone[-1].in_brackets:
        while "]" not in lines.lines[last - 1]:
            last += 1
    lines.delete(pip.line, last)


def quoted(text: str, in_brackets: bool) -> str:
    """The text as YAML, in quotes only where it needs them."""
    if (_PLAIN_IN_BRACKETS if in_brackets else _PLAIN).match(text):
        return text
    return "'" + text.replace("'", "''") + "'"
