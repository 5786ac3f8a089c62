"""User names and passwords in URLs: kept apart from what is shown, compared or stored.

`git@` of a repository reached by ssh is none, so only URLs of http and https are looked at.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_URL = re.compile(r"(?P<scheme>https?://)[^/@\s\"']+@(?P<rest>[^\s\"']*)", re.IGNORECASE)


def parted(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text without credentials, and each of its URLs that had some: without them, and with them.

    >>> parted("lib @ https://me:secret@host.example/lib.whl ; python_version > '3'")
    ("lib @ https://host.example/lib.whl ; python_version > '3'", (('https://host.example/lib.whl', 'https://me:secret@host.example/lib.whl'),))
    """
    secrets = tuple((found["scheme"] + found["rest"], found.group()) for found in _URL.finditer(text))
    return _URL.sub(r"\g<scheme>\g<rest>", text), secrets


def joined(text: str, secrets: Sequence[tuple[str, str]]) -> str:
    """The text with the credentials that were parted from its URLs."""
    for bare, secret in sorted(secrets, key=lambda pair: -len(pair[0])):
        text = text.replace(bare, secret)
    return text


def holds(data: bytes) -> bool:
    """Whether there is a URL with credentials."""
    return _URL.search(data.decode("utf-8", "replace")) is not None
