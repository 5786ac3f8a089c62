"""Adding to and removing from TOML in comments: only the characters that must change do."""

from __future__ import annotations

import difflib
import re

from ...errors import HeaderError
from ...lean.values import dataclass
from ...specs import platforms
from ...text import shown
from ..header import pep723
from ..header.dependencies import KEYS, named
from ..header.toml import Document
from .lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..header import FoundHeader
    from ..header.text import Head
    from ..header.toml import Block, Path, Place

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)
_BLANK_AND_COMMA = re.compile(r"(?:[ \t\n]|#[^\n]*)*,")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?\n")
_SPEC = re.compile(
    r"(?:(?P<channel>\S+)::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>[^\[\]]*)(?P<brackets>\[.*\])?\Z", re.DOTALL
)
_FIELD = re.compile(r"""\s*(?P<key>[a-z_0-9]+)\s*=\s*(?P<value>"[^"]*"|'[^']*'|\[[^\]]*\]|[^,"'\[\]]+?)\s*(?:,|\Z)""")
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:@\s*(?P<url>[^\s;]+)|\(?(?P<version>[^;@()]*)\)?)\s*(?:;\s*(?P<marker>.*))?\Z"
)


@dataclass(frozen=True)
class Targets:
    """Where a format keeps what it asks for: a list of texts, or a table by name."""

    path: Path
    is_table: bool
    #: Converts an entry to a spec, if they differ: for R packages.
    meaning: Callable[[str], str] = str


class Editor:
    """The edits of one header; `content` is the script with them."""

    def __init__(self, data: bytes, script: Head, block: Block) -> None:
        self.document = Document(script, block)
        self.block = block
        self.text = self.document.text
        self.lines = Lines(data, block.last)
        self.edits: list[tuple[int, int, str]] = []

    def content(self) -> bytes:
        text = self.text
        for start, end, new in sorted(self.edits, reverse=True):
            text = text[:start] + new + text[end:]
        old, new_lines = self.text.split("\n")[:-1], text.split("\n")[:-1]
        changes = difflib.SequenceMatcher(None, old, new_lines, autojunk=False).get_opcodes()
        for tag, first, last, begin, end in reversed(changes):
            if tag != "equal":
                self.lines.delete(self.block.first + 1 + first, self.block.first + last)
                self.lines.insert(self.block.first + first, [self._commented(line) for line in new_lines[begin:end]])
        return self.lines.content()

    def edit(self, start: int, end: int, text: str) -> None:
        """Replace these characters of the TOML with text."""
        self.edits.append((start, end, text))

    def place(self, path: Path) -> Place | None:
        return self.document.places.get(path)

    # Lists

    def add_to_list(self, path: Path, text: str) -> None:
        """Add a text to a list; make the list if there is none."""
        place = self.place(path)
        if place is None:
            self.add_to_table(path[:-1], str(path[-1]), f"[{quoted(text)}]")
            return
        spans: list[tuple[int, int]] = []
        while (item := self.place((*path, len(spans)))) is not None:
            spans.append(item.value)
        self._add_item(place.value, spans, quoted(text))

    def remove_from_list(self, path: Path, index: int) -> None:
        before = self.place((*path, index - 1))
        item = (*path, index)
        self._remove_item(self.document.places[item].value, before.value[1] if before else None)

    # Tables

    def add_to_table(self, path: Path, key: str, value: str) -> None:
        """Add a pair to a table; make the table if there is none."""
        place = self.place(path) if path else None
        pair = f"{key_text(key)} = {value}"
        if not path:
            after = self.place(("requires-python",))
            self._insert_line(self._next_line(after.value[1]) if after and key == "dependencies" else 0, pair)
        elif place is None or (not place.header and self.text.startswith("[", place.key[0])):
            self._append_table(path, pair)
        elif self.text.startswith("{", place.value[0]):
            self._add_item(place.value, self._children(path), pair)
        elif place.header:
            inside = [each.value[1] for each in self.document.places.values() if each.table == path and not each.header]
            last = max([place.key[1], *inside])
            start = self.text.rfind("\n", 0, self._first(path, place)) + 1
            indent = re.match(r"[ \t]*", self.text[start:])
            assert indent is not None
            self._insert_line(self._next_line(last), indent.group() + pair)
        else:
            parts = [str(part) for part in (*path, key)][len(place.table) :]
            last = max(each.value[1] for each in self.document.places.values() if each.key == place.key)
            self._insert_line(self._next_line(last), f"{'.'.join(map(key_text, parts))} = {value}")

    def replace_in_table(self, path: Path, value: str) -> None:
        place = self.document.places[path]
        if place.value[1] <= place.value[0]:
            raise self._by_hand(path)
        self.edit(*place.value, value)

    def remove_from_table(self, path: Path) -> None:
        place, table = self.document.places[path], self.place(path[:-1])
        if place.value[1] <= place.value[0]:
            raise self._by_hand(path)
        if table is not None and self.text.startswith("{", table.value[0]):
            earlier = [end for _, end in self._children(path[:-1]) if end <= place.key[0]]
            self._remove_item((place.key[0], place.value[1]), max(earlier, default=None))
            return
        start = self.text.rfind("\n", 0, place.key[0]) + 1
        self.edit(start, self._next_line(place.value[1]), "")

    def _by_hand(self, path: Path) -> HeaderError:
        place = self.document.places[path]
        return HeaderError(
            f"`{path[-1]}` is written over several lines, which cannot be edited automatically",
            where=self.document.at(*place.key),
            hint="edit this header by hand",
        )

    # What they are made of

    def _children(self, path: Path) -> list[tuple[int, int]]:
        """From key to value, the pairs within an inline table."""
        outer = self.document.places[path]
        children = [place for other, place in self.document.places.items() if other[:-1] == path]
        return sorted((place.key[0], place.value[1]) for place in children if place.value[1] <= outer.value[1])

    def _first(self, path: Path, place: Place) -> int:
        inside = [each.key[0] for each in self.document.places.values() if each.table == path and not each.header]
        return min(inside, default=place.key[0])

    def _next_line(self, offset: int) -> int:
        return (self.text.find("\n", offset) + 1) or len(self.text)

    def _insert_line(self, offset: int, text: str) -> None:
        self.edit(offset, offset, text + "\n")

    def _append_table(self, path: Path, pair: str) -> None:
        header = "[" + ".".join(key_text(str(part)) for part in path) + "]"
        gap = "\n" if self.text.strip() and not self.text.endswith("\n\n") else ""
        self.edit(len(self.text), len(self.text), f"{gap}{header}\n{pair}\n")

    def _add_item(self, container: tuple[int, int], spans: list[tuple[int, int]], text: str) -> None:
        """Add an item in brackets or braces, in the layout of the existing ones."""
        if not spans:
            brace = self.text[container[0]] == "{"
            self.edit(container[0] + 1, container[0] + 1, f" {text} " if brace else text)
            return
        start, end = spans[-1]
        line = self.text.rfind("\n", 0, start) + 1
        comma = _BLANK_AND_COMMA.match(self.text, end, container[1])
        behind = comma.end() if comma else end
        alone = line > container[0] and not self.text[line:start].strip()
        if alone and (rest := _REST_OF_LINE.match(self.text, behind)) and rest.end() <= container[1]:
            if not comma:
                self.edit(end, end, ",")
            self._insert_line(rest.end(), self.text[line:start] + text + ("," if comma else ""))
        elif comma:
            self.edit(behind, behind, f" {text},")
        else:
            self.edit(end, end, f", {text}")

    def _remove_item(self, span: tuple[int, int], end_before: int | None) -> None:
        """Remove an item with one of the commas around it, and its line if nothing else is there."""
        start, end = span
        line = self.text.rfind("\n", 0, start) + 1
        comma = re.compile(r"[ \t]*,").match(self.text, end)
        rest = _REST_OF_LINE.match(self.text, comma.end() if comma else end)
        if rest and not self.text[line:start].strip() and line > 0:
            self.edit(line, rest.end(), "")
        elif comma:
            blanks = re.compile(r"[ \t]*").match(self.text, comma.end())
            assert blanks is not None
            self.edit(start, blanks.end(), "")
        elif end_before is not None:
            self.edit(end_before, end, "")
        else:
            self.edit(start, end, "")

    def _commented(self, line: str) -> str:
        return self.block.prefix + line if line else self.block.prefix.rstrip()


def add(data: bytes, found: FoundHeader, text: str, kind: str, platform: str) -> bytes:
    """The script with one more spec or requirement (`kind` is "spec" or "pypi"), which replaces one of the same
    name."""
    editor = Editor(data, found.script, found.block)
    targets = _targets(editor, found, kind)
    name = named(text, kind)
    for narrow in targets:
        if _holds(narrow.path, platform) and matching(editor, narrow, name, kind):
            raise HeaderError(
                f"`{'.'.join(map(str, narrow.path))}` says otherwise about `{name}`",
                where=found.script.line(found.first),
                hint="remove it there first, or edit the header by hand",
            )
    everywhere = (target for target in targets if "target" not in target.path)
    target = next((target for target in everywhere if matching(editor, target, name, kind)), targets[0])
    _add_to(editor, target, text, kind)
    return editor.content()


def remove(data: bytes, found: FoundHeader, name: str, kind: str) -> bytes | None:
    """The script without the specs or requirements of this name; None if there are none."""
    editor = Editor(data, found.script, found.block)
    removed = [_remove_from(editor, target, name, kind) for target in _targets(editor, found, kind)]
    return editor.content() if any(removed) else None


def _holds(path: Path, platform: str) -> bool:
    """Whether this is a table of `tool.pixi.target` that applies to the platform."""
    return len(path) > 3 and path[2] == "target" and path[3] in (platform, *platforms.families(platform))


def _targets(editor: Editor, found: FoundHeader, kind: str) -> list[Targets]:
    """Where the format keeps specs or requirements; the first is where new ones go."""
    key = "dependencies" if kind == "spec" else "pypi-dependencies"
    pixi = [Targets(("tool", "pixi", key), True)]
    selectors = editor.document.plain(("tool", "pixi", "target"))
    if isinstance(selectors, dict):
        pixi += [Targets(("tool", "pixi", "target", selector, key), True) for selector in selectors]
    if found.format == "conda-script":
        return [Targets(("dependencies",), True), *pixi] if kind == "spec" else pixi
    # If there is `tool.conda`, `tool.pixi` is not read.
    pixis, condas = (editor.document.plain(("tool", name)) for name in ("pixi", "conda"))
    reads_pixi = pixis is not None and condas is None
    conda = pixi if reads_pixi else [Targets(("tool", "conda", "dependencies"), False)]
    if pep723.is_r(found.script):
        # PyPI requirements have a table only in pixi, which `tool.conda` would hide.
        conda = pixi if condas is None else conda
        return pixi if kind == "pypi" else [*conda, Targets(("dependencies",), False, pep723.r_package)]
    return conda if kind == "spec" else [Targets(("dependencies",), False), *(pixi if reads_pixi else [])]


def _add_to(editor: Editor, target: Targets, text: str, kind: str) -> None:
    """Add a spec or requirement, which replaces one of the same name."""
    name = named(text, kind)
    found = matching(editor, target, name, kind)
    if target.is_table:
        key, value = (spec_pair if kind == "spec" else requirement_pair)(text)
        if found:
            editor.replace_in_table((*target.path, found[0]), value)
        else:
            editor.add_to_table(target.path, key, value)
    elif found:
        path = (*target.path, found[0])
        editor.edit(*editor.document.places[path].value, quoted(text))
    else:
        editor.add_to_list(target.path, text)


def _remove_from(editor: Editor, target: Targets, name: str, kind: str) -> bool:
    """Remove entries with this name; False if there were none."""
    found = matching(editor, target, name, kind)
    for key in found:
        if target.is_table:
            editor.remove_from_table((*target.path, key))
        else:
            assert isinstance(key, int)
            editor.remove_from_list(target.path, key)
    return bool(found)


def matching(editor: Editor, target: Targets, name: str, kind: str) -> list[str | int]:
    """Keys or indexes of the entries with this name."""
    value = editor.document.plain(target.path)
    if isinstance(value, dict):
        return [key for key in value if named(key, kind) == name]
    if isinstance(value, list):
        meant = (target.meaning(item) if isinstance(item, str) else "" for item in value)
        return [index for index, text in enumerate(meant) if named(text, kind) == name]
    return []


# Specs and requirements as pairs of a table


def spec_pair(spec: str) -> tuple[str, str]:
    """A match spec as key and value: `numpy >=2` as `numpy` and `">=2"`. Raises HeaderError if there is no such
    pair."""
    found = _SPEC.match(spec)
    if not found:
        raise _no_pair(spec)
    fields: dict[str, str] = {}
    brackets = found["brackets"][1:-1] if found["brackets"] else ""
    position = 0
    while position < len(brackets):
        field = _FIELD.match(brackets, position)
        if not field:
            raise _no_pair(spec)
        key = next((ours for ours, theirs in KEYS.items() if theirs == field["key"]), None)
        if key is None:
            raise _no_pair(spec)
        fields[key] = field["value"]
        position = field.end()
    if found["channel"]:
        fields["channel"] = found["channel"]
    if found["rest"].strip():
        fields.update(_version_and_build(found["rest"].strip(), spec))
    values = {key: _field_value(key, text) for key, text in fields.items()}
    if not values or set(values) == {"version"}:
        return found["name"].lower(), values.get("version", '"*"')
    pairs = ", ".join(f"{key} = {values[key]}" for key in KEYS if key in values)
    return found["name"].lower(), f"{{ {pairs} }}"


def _version_and_build(rest: str, spec: str) -> dict[str, str]:
    """`>=1.20`, `=1.2` (any 1.2), `1.2=build`, `=1.2=build` or `1.2 build`."""
    rest = re.sub(r"\s*([,|<>!~]=?|==)\s*", r"\1", rest)
    exact = re.fullmatch(r"=?=?([^\s=<>!~,|]+)(?:=|\s+)([^\s=<>!~,|]+)", rest)
    if exact:
        return {"version": exact[1] if exact[1].endswith("*") else f"=={exact[1]}", "build": exact[2]}
    fuzzy = re.fullmatch(r"=([^\s=<>!~,|*]+)(?:\.?\*)?", rest)
    if fuzzy:
        return {"version": f"{fuzzy[1]}.*"}
    version, _, build = rest.partition(" ")
    if " " in build:
        raise _no_pair(spec)
    return {"version": version, "build": build} if build else {"version": version}


def _field_value(key: str, text: str) -> str:
    if key in ("extras", "flags"):
        return "[" + ", ".join(quoted(part.strip(" \"'")) for part in text.strip("[]").split(",") if part.strip()) + "]"
    return quoted(text.strip("\"'"))


def requirement_pair(requirement: str) -> tuple[str, str]:
    """A PyPI requirement as key and value: `rich[jupyter]>=13` as `rich` and a table. Raises HeaderError."""
    found = _REQUIREMENT.match(requirement)
    if not found:
        raise _no_pair(requirement)
    fields: dict[str, str] = {}
    url = found["url"]
    if url and url.startswith("git+"):
        address, _, fragment = url[4:].partition("#")
        address, at, revision = address.rpartition("@") if "@" in address.partition("://")[2] else (address, "", "")
        fields["git"] = quoted(address)
        if at:
            fields["rev"] = quoted(revision)
        if fragment.startswith("subdirectory="):
            fields["subdirectory"] = quoted(fragment.partition("=")[2])
    elif url:
        fields["url" if "://" in url else "path"] = quoted(url)
    else:
        fields["version"] = quoted((found["version"] or "").strip() or "*")
    if found["extras"]:
        fields["extras"] = "[" + ", ".join(quoted(extra.strip()) for extra in found["extras"].split(",")) + "]"
    if found["marker"]:
        fields["env-markers"] = quoted(found["marker"].strip())
    if set(fields) == {"version"}:
        return found["name"], fields["version"]
    return found["name"], "{ " + ", ".join(f"{key} = {value}" for key, value in fields.items()) + " }"


def _no_pair(text: str) -> HeaderError:
    return HeaderError(
        f"`{shown(text)}` cannot be written into this header automatically", hint="edit the header by hand"
    )


def key_text(key: str) -> str:
    return key if _BARE_KEY.match(key) else quoted(key)


def quoted(text: str) -> str:
    """The text as a TOML string."""
    if "'" not in text and ('"' in text or "\\" in text):
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
