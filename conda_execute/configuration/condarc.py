"""condarc files: which of them are read, what they contain, and how they are merged.

This is conda's documented format without conda: YAML in which comments of the form `#!final`, `#!top` and `#!bottom`
at the end of a line steer the merging. Nothing here knows what any setting means; `settings` does.

A file is read as a stream of events and never constructed as objects: tags, merged mappings (`<<`), duplicate keys and
deep nesting are refused, every scalar stays the text that was written, and every value knows its line and column. An
alias is the value of its anchor, shared and not copied.
"""

from __future__ import annotations

import os
import stat

from ..cache import Parsed
from ..errors import Location, SettingsError
from ..lean.values import dataclass, replace
from ..specs import yaml as yaml_events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ..specs.yaml import Event, Mark

#: A longer file is refused. The YAML parser needs about a second for this length.
_LARGEST_FILE = 256 * 1024


class Files:
    """The files that are read, each once, and those that are absent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | None] = {}
        self.directories: dict[str, tuple[str, ...]] = {}

    def find(self, path: str) -> Iterator[tuple[str, bytes]]:
        """The files at a path, with their content: the file itself, those of a directory, or none."""
        if path in self.files or path in self.directories or os.path.dirname(path) in self.files:
            return
        try:
            mode = os.stat(path).st_mode
        except OSError:
            parent = os.path.dirname(path)
            self.files[path if not parent or os.path.lexists(parent) else parent] = None
            return
        if stat.S_ISREG(mode):
            # conda ignores files with other names, even if CONDARC names them.
            if os.path.basename(path) in (".condarc", "condarc") or _is_yaml(path):
                yield from self._take(path)
        elif stat.S_ISDIR(mode):
            names = self.directories[path] = _yaml_files(path)
            for name in names:
                file = os.path.join(path, name)
                if file not in self.files:
                    yield from self._take(file)

    def _take(self, path: str) -> Iterator[tuple[str, bytes]]:
        try:
            with open(path, "rb") as stream:
                data = stream.read(_LARGEST_FILE + 1)
        except OSError as error:
            raise SettingsError(
                f"cannot read a settings file: {error.strerror}",
                where=Location(path),
                hint="make it readable, or remove it",
            ) from error
        if len(data) > _LARGEST_FILE:
            raise SettingsError("a settings file can be at most 256 KiB long", where=Location(path))
        self.files[path] = data
        yield path, data


def _is_yaml(name: str) -> bool:
    return os.path.splitext(name)[1] in (".yml", ".yaml")


def _yaml_files(directory: str) -> tuple[str, ...]:
    try:
        with os.scandir(directory) as entries:
            return tuple(sorted(entry.name for entry in entries if _is_yaml(entry.name) and entry.is_file()))
    except OSError:
        return ()


@dataclass(frozen=True)
class Written:
    """One value as written: text, a list or a mapping of values, or None for YAML's null.

    `mark` is "final", "top" or "bottom". `key` is the position of the value's key, for errors about the key.
    """

    content: str | tuple[Written, ...] | dict[str, Written] | None
    where: Location
    mark: str | None = None
    key: Location | None = None

    @property
    def kind(self) -> str:
        if isinstance(self.content, tuple):
            return "a list"
        if isinstance(self.content, dict):
            return "a mapping"
        return "nothing" if self.content is None else f"`{self.content}`"


def read(path: str, data: bytes, cache: str | None = None) -> dict[str, Written]:
    """The top-level mapping of a file; empty for an empty file. `cache`: the user's cache, if there is one."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError("a settings file must be UTF-8", where=Location(path, line)) from None
    if not text.strip():
        return {}
    reader = _Reader(path, text)
    try:
        top: Written | None = yaml_events.read(text, reader, Parsed(cache) if cache else None)
    except yaml_events.NotYAMLError as error:
        from ..specs import yaml_mistakes

        problem, hint, place = yaml_mistakes.meant(error.problem)
        at_end = error.where is not None and error.where[0] >= len(reader.lines)
        mark = error.begun if error.begun and (at_end or place != "there") else error.where
        if mark is not None and mark[0] >= len(reader.lines):
            mark = (len(reader.lines) - 1, len(reader.lines[-1]))
        where = Location(path) if mark is None else reader.location(mark)
        hint = "remove it" if error.character else hint or "fix it here or in the line above"
        raise SettingsError(f"a settings file is not valid YAML: {problem}", where=where, hint=hint) from None
    if top is None or top.content is None:
        return {}
    if not isinstance(top.content, dict):
        raise SettingsError(f"a settings file must be a mapping, found {top.kind}", where=top.where)
    return top.content


#: Unquoted words that YAML 1.2 reads as null.
_NULLS = ("", "~", "null", "Null", "NULL")


class _Reader:
    """Reads the YAML of a condarc file (`specs.yaml.Reader`): nothing deep, cyclic or typed.

    PyYAML drops comments, so the marks are searched in the text after the end of a value.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines() or [""]
        self.anchors: dict[str, Any] = {}

    def location(self, mark: Mark, end: Mark | None = None) -> Location:
        line, column = mark
        text = self.lines[line] if line < len(self.lines) else None
        length = end[1] - column if end is not None and end[0] == line else 1
        return Location(self.path, line + 1, column + 1, length, text)

    def refuse(self, what: str, event: Event, hint: str | None = None) -> SettingsError:
        return SettingsError(what, where=self.location(event.start), hint=hint)

    def check(self, event: Event, documents: int, depth: int) -> None:
        if event.tag not in (None, "!"):
            raise self.refuse("tags are not supported here", event, f"remove `{event.tag}`")
        if documents > 1:
            raise self.refuse("a settings file must be a single YAML document", event)
        if depth >= yaml_events.DEEPEST and event.kind in ("list", "mapping"):
            raise self.refuse(f"nested deeper than {yaml_events.DEEPEST} levels", event)

    def leaf(self, event: Event) -> Written:
        content: Any = event.text
        if event.kind == "alias":
            if event.anchor not in self.anchors:
                raise self.refuse(f"there is no complete value with the anchor `&{event.anchor}`", event)
            content = self.anchors[event.anchor]
        elif event.style is None and content in _NULLS:
            content = None
        return self.value(content, event, None if event.style in ("|", ">") else event.end)

    def value(self, content: Any, start: Event, end: Mark | None) -> Written:
        """Finish a value. `end` is None for a block, whose mark is after its key."""
        if start.anchor is not None:
            self.anchors[start.anchor] = content
        return Written(content, self.location(start.start, end), self.mark(end) if end else None)

    def collection(self, start: Event, children: Sequence[tuple[Event, Written]], end: Event) -> Written:
        content: Any = tuple(value for _, value in children)
        if start.kind == "mapping":
            content = {}
            for (key, _), (event, value) in zip(children[::2], children[1::2], strict=True):
                name = key.text
                if key.kind != "scalar":
                    raise self.refuse("a key must be text", key)
                if name in content:
                    raise self.refuse(f"`{name}` appears twice", key, "merge the two")
                if name == "<<":
                    raise self.refuse("merge keys (`<<`) are not supported here", key, "write the values out")
                mark = self.mark(key.end) if event.style in ("block", "|", ">") else value.mark
                content[name] = replace(value, mark=mark, key=self.location(key.start, key.end))
        return self.value(content, start, end.end if start.style == "flow" else None)

    def mark(self, place: Mark) -> str | None:
        """The word of a `#!word` comment after a position, if it has a meaning."""
        line, column = place
        if line >= len(self.lines):
            return None
        between, sign, comment = self.lines[line][column:].partition("#")
        word = (sign + comment).strip().strip("!#")
        return word if between.strip() in ("", ":") and word in ("final", "top", "bottom") else None


# --- Merging ---------------------------------------------------------------------------------------------------------
# Each function takes the values of one setting from all sources, in the order in which they were read.


def _up_to_final(said: Sequence[Written]) -> Sequence[Written]:
    for index, value in enumerate(said):
        if value.mark == "final":
            return said[: index + 1]
    return said


def merge_one(said: Sequence[Written]) -> Written:
    return _up_to_final(said)[-1]


def merge_lists(said: Sequence[Written]) -> Written:
    said = _up_to_final(said)
    every = [item for value in reversed(said) for item in items(value)]
    top = [item for value in said for item in items(value) if item.mark == "top"]
    bottom = [item for value in reversed(said) for item in items(value) if item.mark == "bottom"]
    from_top = _without_duplicates([*top, *every])
    from_bottom = _without_duplicates([*reversed(bottom), *reversed(from_top)])
    return Written(tuple(reversed(from_bottom)), said[-1].where)


def items(value: Written) -> tuple[Written, ...]:
    """The items of a value that is a list."""
    assert isinstance(value.content, tuple)
    return value.content


def _merge_lists_of_maps(said: Sequence[Written]) -> Written:
    said = _up_to_final(said)
    return Written(tuple(item for value in reversed(said) for item in items(value)), said[-1].where)


def _without_duplicates(items: Sequence[Written]) -> list[Written]:
    seen: dict[Any, Written] = {}
    for item in items:
        seen.setdefault(item.content, item)
    return list(seen.values())


def merge_maps(said: Sequence[Written], merge: Callable[[Sequence[Written]], Written] = merge_one) -> Written:
    said = _up_to_final(said)
    by_key: dict[str, list[Written]] = {}
    for value in said:
        assert isinstance(value.content, dict)
        for key, item in value.content.items():
            by_key.setdefault(key, []).append(item)
    merged = {}
    for key, values in by_key.items():
        final = next((value for value in values if value.mark == "final"), None)
        merged[key] = final or merge(values)
    return Written(merged, said[-1].where)


MERGE: dict[str, Callable[[Sequence[Written]], Written]] = {
    "one": merge_one,
    "list": merge_lists,
    "list of maps": _merge_lists_of_maps,
    "map": merge_maps,
    "map of lists": lambda said: merge_maps(said, merge_lists),
}
