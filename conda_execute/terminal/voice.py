"""How much is said on standard error about one run."""

from __future__ import annotations

from ..lean.values import dataclass
from ..text import as_called, printable
from .messages import say


@dataclass(frozen=True)
class Voice:
    """How much is told, on standard error: errors only, what matters, or every step."""

    verbose: bool = False
    quiet: bool = False

    def notice(self, text: str, *more: str) -> None:
        """Lines, however many a name in them seems to have."""
        if not self.quiet:
            say("\n  ".join(map(printable, (f"conda-execute: {as_called(text)}", *more))))

    def detail(self, text: str) -> None:
        if self.verbose:
            say(text)
