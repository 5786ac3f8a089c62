# ruff: noqa: INP001
"""Hooks of MkDocs: what GitHub understands and MkDocs does not."""

from __future__ import annotations

import re
from typing import Any

#: Where the files that are not on the site are.
_PROJECT = "https://github.com/conda-tools/conda-execute/blob/main/"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """`](../../CHANGELOG.md)` as a link into the repository, and the file name of a sample as its title."""
    up = page.file.src_uri.count("/") + 1
    markdown = re.sub(rf"\]\((?:\.\./){{{up}}}([\w./-]+)", rf"]({_PROJECT}\1", markdown)
    return re.sub(r"^( *```+[\w-]+) +(\S+)$", r'\1 title="\2"', markdown, flags=re.MULTILINE)
