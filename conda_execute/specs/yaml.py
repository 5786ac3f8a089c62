"""YAML read as events, in one pass and without recursion; nothing is constructed but what its reader makes of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    class Reader(Protocol):
        """Who reads: judges each event, and makes the values. Raises what it likes."""

        def check(self, event: Any, documents: int, depth: int) -> None:
            """Refuse what must not come here: the documents begun, this one among them, and the open collections."""

        def leaf(self, event: Any) -> Any:
            """The value of a scalar or an alias."""

        def collection(self, start: Any, children: Sequence[tuple[Any, Any]], end: Any) -> Any:
            """The value of a list, or of a mapping as keys and values in turn; each after its first event."""


#: Nobody nests deeper.
DEEPEST = 20


def read(text: str, reader: Reader) -> Any:
    """The value of the document; None where there is none. Raises what the reader raises, and `yaml.YAMLError`."""
    import yaml
    from yaml import events

    root, documents = None, 0
    stack: list[tuple[Any, list[tuple[Any, Any]]]] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        documents += isinstance(event, events.DocumentStartEvent)
        reader.check(event, documents, len(stack))
        if isinstance(event, events.CollectionStartEvent):
            stack.append((event, []))
            continue
        if isinstance(event, events.NodeEvent):
            start, value = event, reader.leaf(event)
        elif isinstance(event, events.CollectionEndEvent):
            start, children = stack.pop()
            value = reader.collection(start, children, event)
        else:
            continue
        if stack:
            stack[-1][1].append((start, value))
        else:
            root = value
    return root
