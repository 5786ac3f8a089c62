"""The embedded engine: py-rattler."""

from __future__ import annotations

from .. import Backend


def load() -> Backend:
    """The engine, imported."""
    from .engine import Rattler

    return Rattler()
