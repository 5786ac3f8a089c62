"""Condarc files: which of them count, what each one says, and how what they say is merged.

This is conda's documented format without conda: YAML in which comments of the form `#!final`, `#!top` and `#!bottom`
at the end of a line steer the merging. Nothing here knows what any setting means; `settings` does.

A file is read as a stream of events and never constructed as objects: tags, merged mappings (`<<`), duplicate keys and
deep nesting are refused, every scalar stays the text that was written, and every value knows its line and column. An
alias is the value of its anchor, shared and not copied.
"""

from __future__ import annotations

import os
import stat

from ..errors import Location, SettingsError
from ..lean.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

#: A file longer than this is no configuration. The reader of YAML takes about a second for it.
_LARGEST_FILE = 256 * 1024
_DEEPEST = 20


class Files:
    """The files that count, each read once, and what is absent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | None] = {}
        self.directories: dict[str, tuple[str, ...]] = {}

    def find(self, path: str) -> Iterator[tuple[str, bytes]]:
        """The files that a path stands for, with their content: itself, those of a directory, or none."""
        if path in self.files or path in self.directories or os.path.dirname(path) in self.files:
            return
        try:
            mode = os.stat(path).st_mode
        except OSError:
            parent = os.path.dirname(path)
            self.files[path if not parent or os.path.lexists(parent) else parent] = None
            return
        if stat.S_ISREG(mode):
            # conda passes over a file that is not called so, even if CONDARC names it.
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
            raise SettingsError("a settings file is at most 256 KiB long", where=Location(path))
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
class Value:
    """One value as written: text, a list or a mapping of values, or None for YAML's null.

    `mark` is "final", "top" or "bottom". `key` is where the value's key stands, for complaints about the key.
    """

    content: str | tuple[Value, ...] | dict[str, Value] | None
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


def read(path: str, data: bytes) -> dict[str, Value]:
    """The top-level mapping of a file; empty for a file that says nothing."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError("a settings file must be UTF-8", where=Location(path, line)) from None
    if not text.strip():
        return {}
    import yaml

    reader = _Reader(path, text)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be parsed"
        where = Location(path) if mark is None else reader.location(mark)
        raise SettingsError(f"invalid YAML: {problem}", where=where) from None
    except yaml.YAMLError as error:
        raise SettingsError(f"invalid YAML: {getattr(error, 'reason', error)}", where=Location(path)) from None
    top = reader.top
    if top is None or top.content is None:
        return {}
    if not isinstance(top.content, dict):
        raise SettingsError(f"a settings file must be a mapping, found {top.kind}", where=top.where)
    return top.content


#: What YAML 1.2 reads as null, where it is not quoted.
_NULLS = ("", "~", "null", "Null", "NULL")


class _Reader:
    """Builds values from the parser's events, so that nothing deep, cyclic or typed is ever constructed.

    PyYAML drops comments; the marks are found in the text behind the place where a value ends.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines() or [""]
        self.top: Value | None = None
        self.anchors: dict[str, Any] = {}
        #: Open collections: the event that opened each, the values in it, the key that waits for its value.
        self.open: list[_Open] = []

    def location(self, mark: Any, end: Any = None) -> Location:
        text = self.lines[mark.line] if mark.line < len(self.lines) else None
        length = end.column - mark.column if end is not None and end.line == mark.line else 1
        return Location(self.path, mark.line + 1, mark.column + 1, length, text)

    def refuse(self, what: str, mark: Any, hint: str | None = None) -> SettingsError:
        return SettingsError(what, where=self.location(mark), hint=hint)

    def take(self, event: Any) -> None:
        import yaml

        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise self.refuse("tags are not supported here", event.start_mark, f"remove `{tag}`")
        if isinstance(event, yaml.DocumentStartEvent) and self.top is not None:
            raise self.refuse("a settings file is one document", event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.refuse(f"no finished value is called `&{event.anchor}`", event.start_mark)
            self.add(self.anchors[event.anchor], event, event.end_mark)
        elif isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.open) == _DEEPEST:
                raise self.refuse(f"nested deeper than {_DEEPEST} levels", event.start_mark)
            self.open.append(_Open(event, isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self.open.pop()
            content: Any = closed.mapping if closed.is_mapping else tuple(closed.items)
            self.name(content, closed.event)
            self.add(content, closed.event, None if not closed.event.flow_style else event.end_mark)

    def name(self, content: Any, event: Any) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = content

    def scalar(self, event: Any) -> None:
        inner = self.open[-1] if self.open else None
        if inner is not None and inner.is_mapping and inner.key is None:
            if event.value in inner.mapping:
                raise self.refuse(f"`{event.value}` is here twice", event.start_mark, "join the two")
            if event.value == "<<":
                raise self.refuse("mappings are not merged here", event.start_mark, "write the values out")
            self.name(event.value, event)
            inner.key, inner.key_event = event.value, event
            return
        content = None if event.style is None and event.value in _NULLS else event.value
        self.name(content, event)
        self.add(content, event, None if event.style in ("|", ">") else event.end_mark)

    def add(self, content: Any, event: Any, end: Any) -> None:
        """Put a finished value where it belongs. `end` is None for a block, whose mark stands behind its key."""
        where = self.location(event.start_mark, end)
        inner = self.open[-1] if self.open else None
        if inner is None:
            self.top = Value(content, where)
        elif not inner.is_mapping:
            inner.items.append(Value(content, where, self.mark(end) if end else None))
        elif inner.key is None:
            raise self.refuse("a key must be text", event.start_mark)
        else:
            key_event, name = inner.key_event, inner.key
            mark = self.mark(end or key_event.end_mark)
            inner.mapping[name] = Value(content, where, mark, self.location(key_event.start_mark, key_event.end_mark))
            inner.key = None

    def mark(self, place: Any) -> str | None:
        """The word of a `#!word` comment behind a place, if it is one that means something."""
        if place.line >= len(self.lines):
            return None
        between, sign, comment = self.lines[place.line][place.column :].partition("#")
        word = (sign + comment).strip().strip("!#")
        return word if between.strip() in ("", ":") and word in ("final", "top", "bottom") else None


class _Open:
    """A collection being read."""

    def __init__(self, event: Any, is_mapping: bool) -> None:
        self.event = event
        self.is_mapping = is_mapping
        self.items: list[Value] = []
        self.mapping: dict[str, Value] = {}
        self.key: str | None = None
        self.key_event: Any = None


# --- Merging ---------------------------------------------------------------------------------------------------------
# Each takes what the sources say about one thing, in the order they were read.


def _up_to_final(said: Sequence[Value]) -> Sequence[Value]:
    for index, value in enumerate(said):
        if value.mark == "final":
            return said[: index + 1]
    return said


def merge_one(said: Sequence[Value]) -> Value:
    return _up_to_final(said)[-1]


def merge_lists(said: Sequence[Value]) -> Value:
    said = _up_to_final(said)
    every = [item for value in reversed(said) for item in items(value)]
    top = [item for value in said for item in items(value) if item.mark == "top"]
    bottom = [item for value in reversed(said) for item in items(value) if item.mark == "bottom"]
    from_top = _without_duplicates([*top, *every])
    from_bottom = _without_duplicates([*reversed(bottom), *reversed(from_top)])
    return Value(tuple(reversed(from_bottom)), said[-1].where)


def items(value: Value) -> tuple[Value, ...]:
    """The items of a value that is a list."""
    assert isinstance(value.content, tuple)
    return value.content


def _merge_lists_of_maps(said: Sequence[Value]) -> Value:
    said = _up_to_final(said)
    return Value(tuple(item for value in reversed(said) for item in items(value)), said[-1].where)


def _without_duplicates(items: Sequence[Value]) -> list[Value]:
    seen: dict[Any, Value] = {}
    for item in items:
        seen.setdefault(item.content, item)
    return list(seen.values())


def merge_maps(said: Sequence[Value], merge: Callable[[Sequence[Value]], Value] = merge_one) -> Value:
    said = _up_to_final(said)
    by_key: dict[str, list[Value]] = {}
    for value in said:
        assert isinstance(value.content, dict)
        for key, item in value.content.items():
            by_key.setdefault(key, []).append(item)
    merged = {}
    for key, values in by_key.items():
        final = next((value for value in values if value.mark == "final"), None)
        merged[key] = final or merge(values)
    return Value(merged, said[-1].where)


MERGE: dict[str, Callable[[Sequence[Value]], Value]] = {
    "one": merge_one,
    "list": merge_lists,
    "list of maps": _merge_lists_of_maps,
    "map": merge_maps,
    "map of lists": lambda said: merge_maps(said, merge_lists),
}
