"""Secrets in text: user names, passwords and tokens in URLs. They are kept out of what is shown, compared or stored.

Only `_SECRET` and `_AFTER_HOST` decide what is secret:

- what comes before the `@` of a URL, except `git@` of a repository that is reached by ssh,
- conda's token, `/t/TOKEN`, in a URL or after a host without a scheme, but not in the path of a file, which may have a
  directory `t`,
- in the query of a URL, the value of a parameter with such a name: `?access_token=...`.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: What ends a URL within a text.
_END = r"\s\"'`<>"

#: A password may contain a `/` that should have been escaped, but what follows a port is a path.
_USER = rf"[^/{_END}]+(?=@)|[^/:@{_END}]*:(?!\d+/)[^{_END}]*(?=@)"

# Patterns are strings, so that a run without secrets compiles none of them.
_QUERY = (
    rf"(?i)(?P<name>(?:^|(?<=[?&;]))[^=&;?#/{_END}]*(?:token|key|secret|sig|pass|auth|credential)[^=&;#/{_END}]*=)"
    rf"(?P<value>[^&;#{_END}]+)"
)

_SECRET = (
    rf"(?i)(?P<user>(?:(?<=http://)|(?<=https://)|(?<=://)(?=[^/@{_END}]*:))(?:{_USER}))@"
    rf"|(?<=/)t/(?P<token>[\w-]+)(?![\w.-])/?|{_QUERY.removeprefix('(?i)').replace('^|', '')}"
)

_WORD = rf"[^{_END}]+"

#: A host and, if there is no scheme, a token that looks like one of conda's.
_AFTER_HOST = r"(?i)\W*(?<!/)[\w-]+(\.[\w-]+)*\.[a-z]{2,}(:\d+)?(/[^/]+)*/t/(?=[\w-]*[\d-])[\w-]{6,}(/|$)"

_URL = rf"(?i)https?://[^{_END}]*"


def hide(text: str) -> str:
    """The text with its secrets made unreadable; every other character stays in its place.

    >>> hide("- https://me:secret@conda.example/t/tk-1/main")
    '- https://*********@conda.example/t/****/main'
    >>> hide("/srv/t/x, git+ssh://git@host.example/y?line=3&token=tk-1")
    '/srv/t/x, git+ssh://git@host.example/y?line=3&token=****'
    """
    return _replaced(text, lambda secret: _in_its_place(secret, "*".__mul__))


def around(text: str) -> list[str]:
    """The parts of a text around its secrets.

    >>> around("- https://me:secret@conda.example/t/tk-1/main")
    ['- https://', '@conda.example/t/', '/main']
    """
    return _replaced(text, lambda secret: _in_its_place(secret, lambda _: "\0")).split("\0")


def hide_in_query(query: str) -> str:
    """The query of a URL with its secrets made unreadable, and the length of the secrets."""
    return re.sub(_QUERY, r"\g<name>****", query)


def leave_out(text: str) -> str:
    """The text without the secrets in its URLs.

    >>> leave_out("see https://me:secret@conda.example/t/tk-1/main?a=b&token=tk-1")
    'see https://conda.example/main?a=b'
    """
    left = _replaced(text, lambda secret: "")
    return left if left == text else re.sub(_WORD, lambda word: re.sub(r"(?<=\?)&+|[?&]+$", "", word.group()), left)


def holds(text: str) -> bool:
    """Whether the text contains a secret."""
    return leave_out(text) != text


def separated(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text without secrets, and each of its URLs that had some, without and with them. A token is valid for
    everything below it.

    >>> separated("lib @ https://me:secret@host.example/lib.whl ; python_version > '3'")
    ("lib @ https://host.example/lib.whl ; python_version > '3'", (('https://host.example/lib.whl', 'https://me:secret@host.example/lib.whl'),))
    """
    urls = [found.group() for found in re.finditer(_URL, text)]
    urls += [root.group() for url in urls if (root := re.match(r".*?/t/[\w-]+/", url))]
    return leave_out(text), tuple((leave_out(url), url) for url in urls if holds(url))


def joined(text: str, secrets: Sequence[tuple[str, str]]) -> str:
    """The text with the secrets put back into its URLs."""
    known = dict(secrets)
    if not known:
        return text
    bare = sorted(known, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, bare)), lambda found: known[found.group()], text)


def _replaced(text: str, secret: Callable[[re.Match[str]], str]) -> str:
    """The text with each of its secrets replaced, together with the characters that mark it as one."""
    if "/t/" not in text and ("://" not in text or ("@" not in text and "=" not in text)):
        return text

    def word(found: re.Match[str]) -> str:
        text = found.group()
        return re.sub(_SECRET, secret, text) if "://" in text or re.match(_AFTER_HOST, text) else text

    return re.sub(_WORD, word, text)


def _in_its_place(secret: re.Match[str], stars: Callable[[int], str]) -> str:
    (first, last) = next(span for name in ("user", "token", "value") if (span := secret.span(name)) != (-1, -1))
    text, start = secret.string, secret.start()
    return text[start:first] + stars(last - first) + text[last : secret.end()]
