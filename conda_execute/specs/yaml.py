"""YAML read as events, in one pass and without recursion; nothing is constructed but what its reader makes of it.

To import PyYAML takes longer than all else that a warm run does. So it reads each text once: the events are kept, as
JSON, under the digest of the text, unless it has a secret in a URL.
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
        """Who reads: judges each event, and makes the values. Raises what it likes."""

        def check(self, event: Event, documents: int, depth: int) -> None:
            """Refuse what must not come here: the documents begun, this one among them, and the open collections."""

        def leaf(self, event: Event) -> Any:
            """The value of a scalar or an alias."""

        def collection(self, start: Event, children: Sequence[tuple[Event, Any]], end: Event) -> Any:
            """The value of a list, or of a mapping as keys and values in turn; each after its first event."""

    class Memory(Protocol):
        """What keeps the events of texts from one run to the next (`cache.Parsed`). A failure does no harm."""

        def recall(self, name: str) -> bytes | None: ...

        def keep(self, name: str, data: bytes) -> None: ...


#: Nobody nests deeper.
DEEPEST = 20

#: Begins what is digested: the form of what is kept.
_FORM = b"1\n"

#: The events of PyYAML that matter, by the kind that they are here.
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
    """One event. `kind` is "scalar", "alias", "list", "mapping", "end" or "document", and "" for what has no value."""

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
    """What PyYAML says of a text: the problem, where it is, and where began what it is in."""

    def __init__(self, problem: str, where: Mark | None = None, begun: Mark | None = None, character: str = "") -> None:
        super().__init__(problem)
        self.problem, self.where, self.begun = problem, where, begun
        #: One that no YAML may hold.
        self.character = character


def read(text: str, reader: Reader, memory: Memory | None) -> Any:
    """The value of the document; None where there is none. Raises what the reader raises, and NotYAMLError."""
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

        if not holds(text):  # a secret stays in the one file that it was written into
            import json

            memory.keep(name, json.dumps([name, [list(vars(event).values()) for event in fresh]]).encode())
    return root


def _parsed(text: str, fresh: list[Event]) -> Iterator[Event]:
    """The events as PyYAML finds them, one at a time, so that what is refused costs no more; also put into a list."""
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
    """The events that are remembered of this text, if it is they."""
    data = memory.recall(name) if memory is not None else None
    if data is None:
        return None
    import json

    try:
        whose, events = json.loads(data)
        return [Event(*event) for event in events] if whose == name else None
    except (ValueError, TypeError):
        return None
