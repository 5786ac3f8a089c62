"""User names, passwords and tokens in URLs: kept apart from what is shown, compared or stored.

`git@` of a repository reached by ssh is none, so where URLs of any kind may stand, only those of http and https are
looked at.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_URL = r"(?P<scheme>(?i:https?)://)[^/@\s\"']+@(?P<rest>[^\s\"']*)"


def hide(channel: str) -> str:
    """A channel, or text about one, with passwords and conda's tokens made unreadable, every character in its place.

    >>> hide("- https://me:secret@conda.example/t/tk-1/main")
    '- https://*********@conda.example/t/****/main'
    """
    if "@" not in channel and "/t/" not in channel:
        return channel  # without compiling anything
    return re.sub(r"(?<=/t/)[\w-]+", _stars, re.sub(r"(?<=://)[^/\s]+(?=@)", _stars, channel))


def hide_in_any(text: str) -> str:
    """The same for any text, in which `/t/` may well be a directory.

    >>> hide_in_any("https://me:secret@host.example/t/x, git+ssh://git@host.example/y")
    'https://*********@host.example/t/x, git+ssh://git@host.example/y'
    """
    return re.sub(r"(?i)(?<=http://)[^/@\s\"']+(?=@)|(?<=https://)[^/@\s\"']+(?=@)", _stars, text)


def leave_out(text: str) -> str:
    """The text of a program without the credentials in its URLs: `user:password@` and conda's `/t/TOKEN/`."""
    return re.sub(r"(?<=://)[^/@\s]+@|(?<=/)t/[^/\s]+/", "", text)


def _stars(secret: re.Match[str]) -> str:
    return "*" * len(secret.group())


def parted(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text without credentials, and each of its URLs that had some: without them, and with them.

    >>> parted("lib @ https://me:secret@host.example/lib.whl ; python_version > '3'")
    ("lib @ https://host.example/lib.whl ; python_version > '3'", (('https://host.example/lib.whl', 'https://me:secret@host.example/lib.whl'),))
    """
    secrets = tuple((found["scheme"] + found["rest"], found.group()) for found in re.finditer(_URL, text))
    return re.sub(_URL, r"\g<scheme>\g<rest>", text), secrets


def joined(text: str, secrets: Sequence[tuple[str, str]]) -> str:
    """The text with the credentials that were parted from its URLs."""
    for bare, secret in sorted(secrets, key=lambda pair: -len(pair[0])):
        text = text.replace(bare, secret)
    return text


def holds(data: bytes) -> bool:
    """Whether there is a URL with credentials."""
    return re.search(_URL, data.decode("utf-8", "replace")) is not None
