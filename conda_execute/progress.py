"""What a person sees while an environment is made. (Filled in by its own commit; here the part that engines call.)"""

from __future__ import annotations


class Progress:
    """Takes the news of an engine's work and shows nothing. Methods may be called from any thread."""

    def step(self, name: str, total: int = 0) -> None:
        """A step begins (`solve`, `install`, `pypi`); it deals with `total` packages, where that is known."""

    def download(self, package: str, done: int, size: int | None) -> None:
        """Of the archive of `package`, `done` bytes of `size` are here."""

    def linked(self, package: str) -> None:
        """One more package is in the prefix."""

    def close(self) -> None:
        """Leave the terminal as it was. May be called twice."""
