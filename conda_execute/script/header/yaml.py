"""YAML as values that know their places: read as events, never constructed.

Every scalar stays the text it was. Aliases, anchors, tags, repeated keys, values of several lines, more than twenty
levels or a thousand values are a HeaderError, before they cost anything.
"""

from __future__ import annotations

from ...errors import HeaderError, Location
from ...lean.values import dataclass
from ...specs import yaml as yaml_events
from ...text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .text import Head

#: What to do where a header's last lines were none of it.
PARTED = "the header ends at the first line that is not a comment: separate it from other comments with an empty line"

#: A header is for people. The bound keeps a hostile one cheap: pure-Python YAML takes 20 to 50 µs for a value.
_MOST_VALUES = 1000


@dataclass(frozen=True)
class Value:
    """A piece of YAML with its place: text, a list, or pairs of a key and a value."""

    content: str | list[Value] | list[tuple[Value, Value]]
    kind: str
    where: Location

    @property
    def text(self) -> str:
        assert isinstance(self.content, str)
        return self.content


class Reader:
    """YAML events to values, with places in the script."""

    def __init__(self, script: Head, first: int, starts: list[int], sample: str) -> None:
        self.script = script
        #: The line of the script where the YAML begins.
        self.first = first
        #: The column, from 0, at which the YAML of each line begins.
        self.starts = starts
        #: What to show where nothing better can be said.
        self.sample = sample
        self.last: object = None
        self._count = 0

    def at(self, mark: object, end: object = None) -> Location:
        line: int = getattr(mark, "line", 0)
        column: int = getattr(mark, "column", 0)
        if line >= len(self.starts):
            # The end of the document: after the last line of the header.
            number = self.first + len(self.starts) - 1
            return self.script.at(number, len(self.script.lines[number - 1]) + 1)
        same_line = end is not None and getattr(end, "line", None) == line
        length = getattr(end, "column", 0) - column if same_line else 1
        if end is not None and not same_line:
            length = len(self.script.lines[self.first + line - 1]) - self.starts[line] - column
        return self.script.at(self.first + line, self.starts[line] + column + 1, max(1, length))

    def error(self, problem: str, where: Location | tuple[Location, ...], hint: str = "") -> HeaderError:
        return HeaderError(problem, where=where, hint=hint or self.sample)

    def tree(self, text: str) -> Value | None:
        """The document; None where there is none. Raises HeaderError."""
        for character in "\r\x85\u2028\u2029\ufeff":
            if character in text:
                line = text.count("\n", 0, text.index(character))
                column = text.index(character) - (text.rfind("\n", 0, text.index(character)) + 1)
                where = self.script.at(self.first + line, self.starts[line] + column + 1)
                raise self.error(f"the header holds the character U+{ord(character):04X}", where, "remove it")
        self._check_brackets(text)
        import yaml

        try:
            root: Value | None = yaml_events.read(text, self)
            return None if root is None or root.kind == "nothing" else root
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position)
            column = error.position - (text.rfind("\n", 0, error.position) + 1)
            where = self.script.at(self.first + line, self.starts[line] + column + 1)
            code = ord(text[error.position])
            raise self.error(f"the header holds the character U+{code:04X}", where, "remove it") from None
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except (ValueError, OverflowError):
            # An escape like "\UFFFFFFFF", or a number of more digits than Python reads.
            where = self.at(self.last) if self.last else self.script.line(self.first - 1)
            raise HeaderError(
                "the header is not valid YAML: a number or an escape is out of range",
                where=where,
                hint="correct it here or in the next lines",
            ) from None

    def _check_brackets(self, text: str) -> None:
        """Refuse deep brackets before YAML's scanner, which reads far ahead, spends a tenth of a second on them."""
        if text.count("[") + text.count("{") <= yaml_events.DEEPEST:
            return
        depth = 0
        for index, character in enumerate(text):
            if character in "[{":
                depth += 1
                if depth > 2 * yaml_events.DEEPEST:
                    line = text.count("\n", 0, index)
                    column = index - (text.rfind("\n", 0, index) + 1)
                    raise self._too_deep(self.script.at(self.first + line, self.starts[line] + column + 1))
            elif character in "]}":
                depth -= 1

    def _too_deep(self, where: Location) -> HeaderError:
        return self.error(f"the header is nested more than {yaml_events.DEEPEST} levels deep", where)

    def check(self, event: Any, documents: int, depth: int) -> None:
        """Refuse what makes YAML surprising or slow: a second document, aliases, anchors, tags, thousands of values."""
        from yaml import events

        self.last = event.end_mark
        self._count += isinstance(event, events.NodeEvent)
        start = event.start_mark
        if documents > 1:
            where = self.at(start, event.end_mark)
            raise self.error("a header is one YAML document, and here begins another", where, "remove the `---`")
        if depth >= yaml_events.DEEPEST and isinstance(event, events.CollectionStartEvent):
            raise self._too_deep(self.at(start))
        if self._count > _MOST_VALUES:
            raise self.error(f"the header has more than {_MOST_VALUES} values", self.at(start))
        if isinstance(event, events.AliasEvent):
            raise self.error(
                f"`*{shown(event.anchor or '')}` is an alias, which a header cannot have",
                self.at(start, event.end_mark),
                "write the value out, or put it in quotes if it begins with `*`",
            )
        if getattr(event, "anchor", None):
            raise self.error(
                "the header has an anchor (`&`), which a header cannot have",
                self.at(start),
                "write the value without it, or put it in quotes if it begins with `&`",
            )
        if getattr(event, "tag", None):
            raise self.error(
                "the header has a tag (`!`), which a header cannot have",
                self.at(start),
                "write the value without it, or put it in quotes if it begins with `!`",
            )

    def leaf(self, event: Any) -> Value:
        start, end, text, style = event.start_mark, event.end_mark, event.value, event.style
        where = self.at(start, end)
        if style is None and text in ("", "~"):
            return Value("", "nothing", where)
        if start.line != end.line:
            if style is None and text.startswith("-"):
                hint = "put a space after the `-` of each entry"
            elif style in ("|", ">"):
                hint = "write it after the key, on one line"
            elif style is None:
                hint = "give both lines the same indentation if they are two entries"
            else:
                hint = "close the quotation mark in the same line"
            following = min((where.line or 0) + 1, self.first + len(self.starts) - 1)
            places = (where, self.script.line(following))
            raise self.error("this value is continued in the next line", places, hint)
        return Value(text, "a string", where)

    def collection(self, start: Any, children: Sequence[tuple[Any, Value]], end: object) -> Value:
        values, where = [value for _, value in children], self.at(start.start_mark)
        if type(start).__name__ == "SequenceStartEvent":
            return Value(values, "a list", where)
        pairs: list[tuple[Value, Value]] = []
        seen: dict[str, Location] = {}
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key.content, str):
                raise self.error(f"a key must be a word, found {key.kind}", key.where)
            if key.content in seen:
                raise self.error(
                    f"`{shown(key.content)}` is there twice",
                    key.where,
                    f"remove it here or in line {seen[key.content].line}",
                )
            seen[key.content] = key.where
            pairs.append((key, value))
        return Value(pairs, "a mapping", where)

    def _syntax_error(self, error: object) -> HeaderError:
        problem: str = getattr(error, "problem", None) or getattr(error, "context", None) or "a mistake"
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = self.at(mark)
        hint = PARTED
        begun = getattr(error, "context_mark", None)
        if "'\\t'" in problem:
            problem, hint = "there is a tab, and YAML is indented with spaces", "indent with spaces"
        elif begun and problem.startswith("expected chomping"):
            # `>` and `|` open a text of several lines.
            where, problem = self.at(begun), "a value cannot begin with a comparison"
            hint = "a spec is the name of a package and then its versions: `python >=3`"
        elif begun and problem.startswith("expected alphabetic or numeric character"):
            where = self.at(begun)
            problem, hint = "a value cannot begin with `*` or `&`", "put it in quotes"
            if (where.text or "")[(where.column or 1) - 1 :].startswith("* "):
                hint = "an entry of a list begins with `- `"
        elif "end of stream" in problem or "<stream end>" in problem:
            problem = "a bracket is not closed" if "<stream end>" in problem else "a quotation mark is not closed"
            where, hint = self.at(begun or mark), "close it"
        elif problem.startswith(("expected ',' or ']'", "expected ',' or '}'")):
            problem, hint = (
                "a comma or the closing bracket is missing",
                "separate the entries with commas, and close the bracket",
            )
        elif problem == "expected the node content, but found ','":
            problem, hint = "there is nothing before the comma", "remove the comma, or write an entry before it"
        elif "cannot start any token" in problem:
            character = problem.partition("'")[2][:1]
            problem, hint = f"a value cannot begin with `{character}`", "put it in quotes"
        elif "mapping values are not allowed" in problem:
            problem = "a colon is not expected here"
            hint = "put a value that holds `: ` in quotes, and give keys of one mapping the same indentation"
        elif "could not find expected ':'" in problem:
            where, problem = self.at(begun or mark, mark), "this is neither an entry of a list nor a key"
            hint = f"an entry begins with `- `, and a key ends in a colon\n{PARTED}"
        elif "expected '<document start>'" in problem:
            problem = "this line is indented less than the lines above"
            hint = f"give keys the same indentation, and entries of a list at least that of their key\n{PARTED}"
        elif "expected <block end>" in problem:
            problem = "the indentation does not fit the lines above"
            hint = "give entries of one list, and keys of one mapping, the same indentation"
        return HeaderError(f"the header is not valid YAML: {problem}", where=where, hint=hint)
