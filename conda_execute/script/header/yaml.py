"""YAML as values with their places: read as events, never constructed.

Every scalar stays text. Aliases, anchors, tags, repeated keys, values of several lines, more than twenty
levels or a thousand values are a HeaderError, before they cost time.
"""

from __future__ import annotations

from ...cache import Parsed
from ...errors import HeaderError, Location
from ...specs import yaml as yaml_events
from ...text import shown
from . import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...specs.yaml import Event, Mark, NotYAMLError
    from .text import Head

#: The hint if the last lines do not belong to the header.
PARTED = "the header ends at the first line that is not a comment: separate it from other comments with an empty line"


class YAMLValue(fields.Value):
    """A value in YAML: text, a list or a mapping of values, or nothing (None)."""

    SIGN, ANY, TABLE = ": ", "...", "a mapping"

    def below(self) -> str:
        return f"write `{self.key}:`, and its keys below it, indented"

    def instead(self, key: str, hint: str) -> str:
        return _or_a_comment(key, hint)

    def truth(self) -> bool:
        word = self.value.lower() if isinstance(self.value, str) else ""
        if word in ("true", "yes", "on", "false", "no", "off"):
            return word in ("true", "yes", "on")
        found = f"`{shown(self.value)}`" if isinstance(self.value, str) else self.kind
        raise self.error(
            f"`{self.name}` must be true or false, found {found}", f"write `{self.name}: true`, or leave it out"
        )


def _or_a_comment(key: str, hint: str) -> str:
    """The hint for an unknown key: a misspelt one, or a comment right below the header."""
    if key == "pip":
        return "`pip:` is an entry of `env`, which begins with a dash: `- pip:`"
    if hint.startswith("did"):
        return hint
    # Keys are in lower case: anything else is a comment.
    return PARTED if " " in key else f"{PARTED}\n{hint}" if key[:1].isupper() else f"{hint}\n{PARTED}"


class Reader:
    """YAML events to values, with places in the script."""

    def __init__(self, script: Head, first: int, starts: list[int], sample: str) -> None:
        self.script = script
        #: The line of the script where the YAML begins.
        self.first = first
        #: The column, from 0, at which the YAML of each line begins.
        self.starts = starts
        #: The place to show if there is no better one.
        self.sample = sample
        #: The lines of the YAML.
        self.lines: list[str] = []
        self.last: Mark | None = None
        self._count = 0

    def at(self, mark: Mark | None, end: Mark | None = None) -> Location:
        line, column = mark or (0, 0)
        if line >= len(self.starts):
            # The end of the document: after the last line of the header.
            number = self.first + len(self.starts) - 1
            return self.script.at(number, len(self.script.lines[number - 1]) + 1)
        length = 1
        if end is not None:
            to = end[1] if end[0] == line else len(self.script.lines[self.first + line - 1]) - self.starts[line]
            length = to - column
        return self.script.at(self.first + line, self.starts[line] + column + 1, max(1, length))

    def error(self, problem: str, where: Location | tuple[Location, ...], hint: str = "") -> HeaderError:
        return HeaderError(problem, where=where, hint=hint or self.sample)

    def tree(self, text: str) -> YAMLValue | None:
        """The document; None if there is none. Raises HeaderError."""
        for character in "\r\x85\u2028\u2029\ufeff":
            if character in text:
                where = self._at_index(text, text.index(character))
                raise self.error(f"the header holds the character U+{ord(character):04X}", where, "remove it")
        self._check_brackets(text)
        self.lines = text.split("\n")
        try:
            memory = Parsed(self.script.cache) if self.script.cache else None
            root: YAMLValue | None = yaml_events.read(text, self, memory)
        except yaml_events.NotYAMLError as error:
            raise self._syntax_error(error) from None
        return None if root is None or root.value is None else root

    def _at_index(self, text: str, index: int) -> Location:
        return self.at((text.count("\n", 0, index), index - (text.rfind("\n", 0, index) + 1)))

    def _check_brackets(self, text: str) -> None:
        """Refuse deep brackets before YAML's scanner, which reads far ahead, spends a tenth of a second on them."""
        if text.count("[") + text.count("{") <= yaml_events.DEEPEST:
            return
        depth = 0
        for index, character in enumerate(text):
            if character in "[{":
                depth += 1
                if depth > 2 * yaml_events.DEEPEST:
                    raise self._too_deep(self._at_index(text, index))
            elif character in "]}":
                depth -= 1

    def _too_deep(self, where: Location) -> HeaderError:
        return self.error(f"the header is nested more than {yaml_events.DEEPEST} levels deep", where)

    def check(self, event: Event, documents: int, depth: int) -> None:
        """Refuse what makes YAML surprising or slow: a second document, aliases, anchors, tags, thousands of values."""
        self.last, start = event.end, event.start
        is_collection = event.kind in ("list", "mapping")
        self._count += is_collection or event.kind in ("scalar", "alias")
        if documents > 1:
            where = self.at(start, event.end)
            raise self.error("a header is one YAML document, and here begins another", where, "remove the `---`")
        if depth >= yaml_events.DEEPEST and is_collection:
            raise self._too_deep(self.at(start))
        if self._count > fields.MOST_VALUES:
            raise self.error(f"the header has more than {fields.MOST_VALUES} values", self.at(start))
        sign = "*" if event.kind == "alias" else "&" if event.anchor else "!" if event.tag else ""
        if sign:
            what = {"*": "an alias", "&": "an anchor", "!": "a tag"}[sign]
            raise self.error(
                f"the header has {what} (`{sign}`), which a header cannot have",
                self.at(start, event.end if sign == "*" else None),
                f"write the value without it, or put it in quotes if it begins with `{sign}`",
            )

    def leaf(self, event: Event) -> YAMLValue:
        start, end, text, style = event.start, event.end, event.text, event.style
        where = self.at(start, end)
        if style is None and text in ("", "~"):
            return YAMLValue(None, where)
        if start[0] != end[0]:
            problem, hint = "this value is continued in the next line", "close the quotation mark in the same line"
            following = min(start[0] + 1, len(self.starts) - 1)
            if style in ("|", ">"):
                hint = "write it after the key, on one line"
            elif style is None:
                from ...specs import yaml_mistakes

                # Lines that do not apply to this platform are empty.
                following = next(at for at in range(following, end[0] + 1) if self.lines[at].strip())
                problem, hint = yaml_mistakes.continued(self.lines, start[0], start[1], following, self.first)
            raise self.error(problem, (where, self.script.line(self.first + following)), hint)
        return YAMLValue(text, where)

    def collection(self, start: Event, children: Sequence[tuple[Event, YAMLValue]], end: Event) -> YAMLValue:
        values, where = [value for _, value in children], self.at(start.start)
        if start.kind == "list":
            return YAMLValue(values, where)
        table: dict[str, YAMLValue] = {}
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key.value, str):
                raise self.error(f"a key must be a word, found {key.kind}", key.where)
            if key.value in table:
                line = table[key.value].key_where.line
                raise self.error(f"`{shown(key.value)}` appears twice", key.where, f"remove it here or in line {line}")
            table[key.value] = YAMLValue(value.value, value.where, key.value, key.where, key.value)
        return YAMLValue(table, where)

    def _syntax_error(self, error: NotYAMLError) -> HeaderError:
        from ...specs import yaml_mistakes

        there = error.where or self.last
        if error.character:
            return self.error(
                f"the header holds the character U+{ord(error.character):04X}", self.at(there), "remove it"
            )
        begun = error.begun or there
        problem, hint, place = yaml_mistakes.meant(error.problem, ends=PARTED)
        where = self.at(begun, there) if place == "from" else self.at(begun if place == "begun" else there)
        if hint == yaml_mistakes.QUOTES and (where.text or "")[(where.column or 1) - 1 :].startswith("* "):
            hint = "an entry of a list begins with `- `"
        problem = f"the header is not valid YAML: {problem}"
        return HeaderError(problem, where=where, hint=hint)
