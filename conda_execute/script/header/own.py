"""`[tool.conda-execute]` of the TOML formats: what only conda-execute knows, and the native header has as keys."""

from __future__ import annotations

from ...lean.values import replace
from ...model import Narrowing
from . import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...model import Header
    from .toml import Node


def added(header: Header, table: Node) -> Header:
    """The header with what the table says. Raises HeaderError."""
    keys = table.known(("sandbox", "renew-after"))
    return replace(
        header,
        narrowing=_sandbox(keys["sandbox"]) if "sandbox" in keys else None,
        renew_after=_days(keys["renew-after"]) if "renew-after" in keys else None,
    )


def _days(node: Node) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float, str)):
        raise node.error(f"`{node.name}` must be a number of days, found {node.kind}", "write `renew-after = 30`")
    return fields.days(str(node.value), node.name, node.where)


def _sandbox(node: Node) -> Narrowing | None:
    """`sandbox = true`, or a table of what the script does without."""
    if not isinstance(node.value, dict):
        if not node.truth():
            raise fields.asks_for_more(node.where)
        return Narrowing(where=node.key_where)
    keys = node.known(("net", "write"), {"network": "net"})
    if "net" in keys and keys["net"].truth():
        raise fields.asks_for_more(keys["net"].where)
    write = tuple(text for text, _ in keys["write"].strings("a folder")) if "write" in keys else None
    return Narrowing(net="net" not in keys, write=write, where=node.key_where)
