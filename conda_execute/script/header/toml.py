"""TOML in comments, as values that know their places.

`tomli` reads the text; a scanner of our own, for text that `tomli` has accepted, finds the position of every key and
value. Depth and length are limited before the values are used.
"""

from __future__ import annotations

import re

from ...errors import HeaderError, Location
from ...lean.values import dataclass, field
from ...text import shown
from . import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .text import Head

Path = tuple["str | int", ...]

_DEEPEST = 20
#: Headers are written by people; the limit keeps a hostile one cheap.
_LONGEST = 16 * 1024

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_IN_LINE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r"""
    \"\"\"(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}
    | '''(?:[^']|'{1,2}(?!'))*'{3,5}
    | "(?:[^"\\\n]|\\.)*"
    | '[^'\n]*'
    """,
    re.DOTALL | re.VERBOSE,
)
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d [\d:.]+(?:[Zz]|[+-][\d:]+)?|[^\s,\]}#]+")


@dataclass(frozen=True)
class Place:
    """The positions of a key and its value: offsets from the first to after the last character.

    `table` is the table whose header they are below. A table with a header of its own has that as its key, and
    `header` is true; a table that is only part of a longer header or of a dotted key has all of that as its key.
    `part` is what of a header or key of several parts is its own.
    """

    key: tuple[int, int]
    value: tuple[int, int]
    table: Path = ()
    header: bool = False
    part: tuple[int, int] | None = None


@dataclass(frozen=True)
class Block:
    """A TOML block in the comments of a script, not read yet.

    `first` and `last` are its lines with the marks that open and close it, `starts` the column from 0 where the TOML of
    each line between them begins.
    """

    first: int
    last: int
    prefix: str
    starts: tuple[int, ...] = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)

    @property
    def text(self) -> str:
        return "".join(text + "\n" for text in self.texts)


class Document:
    """A block that has been read."""

    def __init__(self, script: Head, block: Block) -> None:
        """Raises HeaderError if it is not TOML, too long, or nested too deeply."""
        self.script = script
        self.block = block
        self.text = block.text
        self.data = self._read()
        self.places = places(self.text)

    def at(self, start: int, end: int | None = None) -> Location:
        """The place in the script of these characters of the text."""
        line = self.text.count("\n", 0, start)
        column = start - (self.text.rfind("\n", 0, start) + 1)
        if line >= len(self.block.starts):
            return self.script.line(self.block.last)
        newline = self.text.find("\n", start)
        length = min(newline if end is None else end, newline) - start
        return self.script.at(self.block.first + 1 + line, self.block.starts[line] + column + 1, max(1, length))

    def _read(self) -> dict[str, object]:
        opened = self.script.line(self.block.first)
        if len(self.text) > _LONGEST:
            raise HeaderError(f"the header is longer than {_LONGEST // 1024} KiB", where=opened, hint="shorten it")
        import tomli

        try:
            data = tomli.loads(self.text)
        except tomli.TOMLDecodeError as error:
            raise self._syntax_error(error) from None
        except RecursionError:
            raise self._too_deep() from None
        except ValueError:
            raise HeaderError(
                "the header is not valid TOML: it contains a number of thousands of digits",
                where=opened,
                hint="write numbers that a computer can hold, or put text in quotes",
            ) from None
        stack: list[tuple[object, int]] = [(data, 0)]
        count = 0
        while stack:
            value, depth = stack.pop()
            count += 1
            if depth > _DEEPEST:
                raise self._too_deep()
            if count > fields.MOST_VALUES:
                problem = f"the header has more than {fields.MOST_VALUES} values"
                raise HeaderError(problem, where=opened, hint="shorten it")
            if isinstance(value, dict):
                stack += [(item, depth + 1) for item in value.values()]
            elif isinstance(value, list):
                stack += [(item, depth + 1) for item in value]
        return data

    def _too_deep(self) -> HeaderError:
        return HeaderError(
            f"the header is nested more than {_DEEPEST} levels deep",
            where=self.script.line(self.block.first),
            hint="write it with fewer brackets",
        )

    def _syntax_error(self, error: object) -> HeaderError:
        message: str = getattr(error, "msg", "") or str(error)
        position: int = min(getattr(error, "pos", 0), len(self.text))
        problem, hint = next(
            (ours for theirs, ours in _PROBLEMS.items() if message.startswith(theirs)),
            (message[:1].lower() + message[1:], _SAMPLE),
        )
        if problem.startswith(("a key is given", "a table is declared")):
            # The parser stops after it.
            line = self.text.rfind("\n", 0, max(0, position - 1)) + 1
            position = line + len(self.text[line:]) - len(self.text[line:].lstrip(" \t"))
        elif position >= len(self.text):
            if problem == "there is no value here":
                problem, hint = _PROBLEMS["Unclosed array"]
            position = max(0, len(self.text.rstrip()) - 1)
        while 0 < position < len(self.text) and self.text[position - 1 : position + 1] == "\n\n":
            position -= 1
        if self.text.startswith("///", position):
            hint = "separate two blocks with a line that is not a comment"
        return HeaderError(f"the header is not valid TOML: {problem}", where=self.at(position), hint=hint)

    def plain(self, path: Path) -> object:
        """A value without its place; None if there is none."""
        value: object = self.data
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def root(self) -> fields.Value:
        return self._value(self.data, (), "")

    def _value(self, value: object, path: Path, name: str) -> fields.Value:
        """A value with its content and their places; a table is at its header."""
        place = self.places.get(path)
        if place is None:
            where = key_where = self.script.line(self.block.first)
        else:
            own = place.part or place.key
            where = key_where = self.at(*(place.value if place.value[1] > place.value[0] else own))
            if isinstance(path[-1], str) and own[1] > own[0]:
                key_where = self.at(*own)
        if isinstance(value, dict):
            before = f"{name}." if name else ""
            value = {key: self._value(item, (*path, key), before + _shown_key(key)) for key, item in value.items()}
        elif isinstance(value, list):
            value = [self._value(item, (*path, index), name) for index, item in enumerate(value)]
        return fields.Value(value, where, name, key_where, str(path[-1]) if path else "")


def _shown_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else f'"{shown(key)}"'


_SAMPLE = 'TOML is written `key = "value"`, `key = ["value", "value"]`, or `[table]`'
#: The parser's messages in our words, each with a hint.
_PROBLEMS = {
    "Cannot overwrite": ("a key is given twice", "keep one of them"),
    "Duplicate inline table key": ("a key is given twice", "keep one of them"),
    "Cannot declare": ("a table is declared twice", "put what belongs to one table together"),
    "Cannot redefine": ("a table is declared twice", "put what belongs to one table together"),
    "Cannot mutate": ("a table is declared twice", "put what belongs to one table together"),
    "Unclosed array": ("a bracket is not closed", "close it with `]`, and separate the entries with commas"),
    "Unclosed inline table": ("a brace is not closed", "close it with `}`, and separate the pairs with commas"),
    "Unterminated string": ("a quotation mark is not closed", "close it"),
    "Illegal character '\\n'": ("a quotation mark is not closed", "close it in the same line"),
    "Illegal character": ("there is a control character here", "remove it"),
    "Invalid value": ("there is no value here", 'text needs quotes: `key = "value"`'),
    "Invalid statement": ("there is no key here", _SAMPLE),
    "Invalid initial character for a key part": ("there is no key here", _SAMPLE),
    "Expected '='": ("there is no `=` after the key", _SAMPLE),
    "Expected newline": ("something follows the value", "begin a new line, or put text in quotes"),
    "Unescaped '\\'": ("there is a single backslash", "write it twice, or put the text in single quotes"),
}


# Positions


def places(text: str) -> dict[Path, Place]:
    """The positions of all keys and values of a valid TOML document. Tables are at their header, without a value."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.places


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.places: dict[Path, Place] = {}
        self.counts: dict[Path, int] = {}
        self.table: Path = ()

    def skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.position)
        assert found is not None
        self.position = found.end()

    def document(self) -> None:
        self.skip(_BLANK)
        while self.position < len(self.text):
            if self.text[self.position] == "[":
                self.header()
            else:
                self.pair(self.table)
            self.skip(_BLANK)

    def header(self) -> None:
        """`[a.b]` or `[[a.b]]`: the table that the pairs below it belong to."""
        start = self.position
        brackets = 2 if self.text.startswith("[[", start) else 1
        self.position += brackets
        parts = self.key()
        self.position += brackets
        path: Path = ()
        own: tuple[int, int] | None = None
        for index, (part, span) in enumerate(parts):
            path = (*path, part)
            own = span if len(parts) > 1 else None
            if index < len(parts) - 1 or brackets == 1:
                if path in self.counts:
                    path = (*path, self.counts[path] - 1)
            else:
                self.counts[path] = self.counts.get(path, 0) + 1
                self.table = path  # what is part of a header is below no other one
                self.note(path, (start, self.position), (start, start), own)
                path = (*path, self.counts[path] - 1)
            self.table = path
            self.note(path, (start, self.position), (start, start), own)
        self.places[path] = Place((start, self.position), (start, start), path, header=True, part=own)
        self.table = path

    def note(
        self, path: Path, key: tuple[int, int], value: tuple[int, int], part: tuple[int, int] | None = None
    ) -> None:
        self.places.setdefault(path, Place(key, value, self.table, part=part))

    def key(self) -> list[tuple[str, tuple[int, int]]]:
        """The parts of a key, and the position of each."""
        parts: list[tuple[str, tuple[int, int]]] = []
        while True:
            self.skip(_IN_LINE)
            if found := _BARE_KEY.match(self.text, self.position):
                parts.append((found.group(), found.span()))
            else:
                found = _STRING.match(self.text, self.position)
                assert found is not None
                parts.append((_unquoted(found.group()), found.span()))
            self.position = found.end()
            self.skip(_IN_LINE)
            if not self.text.startswith(".", self.position):
                return parts
            self.position += 1

    def pair(self, table: Path) -> None:
        start = self.position
        parts = self.key()
        end = start + len(self.text[start : self.position].rstrip(" \t"))
        self.position += 1  # the equals sign
        path: Path = table
        for part, span in parts[:-1]:
            path = (*path, part)
            self.note(path, (start, end), (start, start), span)
        last, span = parts[-1]
        self.value((*path, last), (start, end), span if len(parts) > 1 else None)

    def value(self, path: Path, key: tuple[int, int] | None, part: tuple[int, int] | None = None) -> None:
        self.skip(_IN_LINE)
        start = self.position
        opening = self.text[start]
        if opening in "[{":
            self.position += 1
            closing = "]" if opening == "[" else "}"
            count = 0
            self.skip(_BLANK)
            while self.text[self.position] != closing:
                if opening == "[":
                    self.value((*path, count), None)
                else:
                    self.pair(path)
                count += 1
                self.skip(_BLANK)
                if self.text[self.position] == ",":
                    self.position += 1
                    self.skip(_BLANK)
            self.position += 1
        else:
            found = (_STRING if opening in "\"'" else _SCALAR).match(self.text, start)
            assert found is not None
            self.position = found.end()
        self.note(path, key or (start, self.position), (start, self.position), part)


def _unquoted(key: str) -> str:
    if key[0] == "'" or "\\" not in key:
        return key[1:-1]
    import tomli

    value = tomli.loads(f"key = {key}")["key"]
    assert isinstance(value, str)
    return value
