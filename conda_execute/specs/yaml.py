"""YAML read as events, in one pass and without recursion; only the reader constructs values.

Importing PyYAML takes longer than everything else in a warm run. So it reads each text once: the events are stored as
JSON, under the digest of the text, unless it contains a secret in a URL.
"""

from __future__ import annotations

from ..lean.digest import digest
from ..lean.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Protocol

    #: Line and column, both counted from 0.
    Mark = tuple[int, int]

    class Reader(Protocol):
        """The consumer: checks each event, and makes the values. It may raise any exception."""

        def check(self, event: Event, documents: int, depth: int) -> None:
            """Refuse events that are not allowed here; `documents` have begun, including this one, and `depth`
            collections are open."""

        def leaf(self, event: Event) -> Any:
            """The value of a scalar or an alias."""

        def collection(self, start: Event, children: Sequence[tuple[Event, Any]], end: Event) -> Any:
            """The value of a list, or of a mapping as keys and values in turn; each after its first event."""

    class Memory(Protocol):
        """Stores the events of texts between runs (`cache.Parsed`). A failure does no harm."""

        def recall(self, digest: str) -> bytes | None: ...

        def keep(self, digest: str, data: bytes) -> None: ...


#: People do not nest deeper.
DEEPEST = 20

#: The first part of the digested text: the version of the stored format.
_FORM = b"1\n"

#: The PyYAML events that matter, by their kind here.
_KINDS = {
    "DocumentStartEvent": "document",
    "ScalarEvent": "scalar",
    "AliasEvent": "alias",
    "SequenceStartEvent": "list",
    "MappingStartEvent": "mapping",
    "SequenceEndEvent": "end",
    "MappingEndEvent": "end",
}


@dataclass(frozen=True)
class Event:
    """One event. `kind` is "scalar", "alias", "list", "mapping", "end" or "document", and "" for events without a
    value."""

    kind: str
    start: Mark
    end: Mark
    anchor: str | None
    tag: str | None
    #: Of a scalar.
    text: str
    #: The character that opens a scalar which is not plain; of a list or a mapping, "flow" or "block".
    style: str | None


class NotYAMLError(Exception):
    """A problem that PyYAML found: its description, its place, and the start of the construct that it is in."""

    def __init__(self, problem: str, where: Mark | None = None, begun: Mark | None = None, character: str = "") -> None:
        super().__init__(problem)
        self.problem, self.where, self.begun = problem, where, begun
        #: A character that YAML does not allow.
        self.character = character


def read(text: str, reader: Reader, memory: Memory | None) -> Any:
    """The value of the document; None if there is none. Raises exceptions of the reader, and NotYAMLError."""
    name = digest(_FORM + text.encode("utf-8", "surrogatepass"))
    known = _recalled(memory, name)
    fresh: list[Event] = []
    root, documents = None, 0
    stack: list[tuple[Event, list[tuple[Event, Any]]]] = []
    for event in known or _parsed(text, fresh):
        documents += event.kind == "document"
        reader.check(event, documents, len(stack))
        if event.kind in ("list", "mapping"):
            stack.append((event, []))
            continue
        if event.kind in ("scalar", "alias"):
            start, value = event, reader.leaf(event)
        elif event.kind == "end":
            start, children = stack.pop()
            value = reader.collection(start, children, event)
        else:
            continue
        if stack:
            stack[-1][1].append((start, value))
        else:
            root = value
    if memory is not None and not known:
        from ..credentials import holds

        if not holds(text):  # a secret must only be in the file that it was written into
            import json

            memory.keep(name, json.dumps([name, [list(vars(event).values()) for event in fresh]]).encode())
    return root


def _parsed(text: str, fresh: list[Event]) -> Iterator[Event]:
    """The events as PyYAML finds them, one at a time, so that parsing stops when one is refused; they are also put into
    a list."""
    import yaml

    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            kind = _KINDS.get(type(event).__name__, "")
            anchor, tag, style = (getattr(event, name, None) for name in ("anchor", "tag", "style"))
            if kind in ("list", "mapping"):
                style = "flow" if getattr(event, "flow_style", False) else "block"
            marks = _mark(event.start_mark), _mark(event.end_mark)
            fresh.append(Event(kind, *marks, anchor, tag, getattr(event, "value", ""), style))
            yield fresh[-1]
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = (before.count("\n"), error.position - (before.rfind("\n") + 1))
        raise NotYAMLError(error.reason, place, character=text[error.position]) from None
    except yaml.MarkedYAMLError as error:
        where, begun = (_mark(mark) if mark else None for mark in (error.problem_mark, error.context_mark))
        raise NotYAMLError(error.problem or error.context or "it cannot be parsed", where or begun, begun) from None
    except (ValueError, OverflowError):
        # An escape like "\UFFFFFFFF", or a number of more digits than Python reads.
        raise NotYAMLError("a number or an escape is out of range") from None


def _mark(mark: Any) -> Mark:
    return mark.line, mark.column


def _recalled(memory: Memory | None, name: str) -> list[Event] | None:
    """The stored events of this text, if they are valid."""
    data = memory.recall(name) if memory is not None else None
    if data is None:
        return None
    import json

    try:
        whose, events = json.loads(data)
        return [Event(*event) for event in events] if whose == name else None
    except (ValueError, TypeError):
        return None
