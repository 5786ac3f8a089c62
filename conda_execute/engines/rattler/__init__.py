"""The embedded engine: py-rattler."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .engine import Rattler


def load() -> Rattler:
    """The engine, imported."""
    from .engine import Rattler

    return Rattler()
