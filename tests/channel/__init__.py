"""A small conda channel made of real parts: `build` makes the shared one, `Package` a package of a test's own."""

from __future__ import annotations

from tests.channel.package import PLACEHOLDER, File, Link, Package, index, write_channel

__all__ = ["PLACEHOLDER", "File", "Link", "Package", "index", "write_channel"]
