"""The text of a requirement for a PyPI package (PEP 508): the package that it names."""

from __future__ import annotations

import re

_NAMED = r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:$|[\[\s@<>=!~;(,])"


def canonical(name: str) -> str:
    """The form in which names of Python packages are compared (PEP 503).

    >>> canonical("Ruamel.YAML")
    'ruamel-yaml'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(requirement: str) -> str:
    """The canonical name that a requirement begins with; empty for a path or a URL.

    >>> requirement_name("HTTPX[http2] >=0.20"), requirement_name("./lib"), requirement_name("https://example.org/a.whl")
    ('httpx', '', '')
    """
    found = re.match(_NAMED, requirement)
    return canonical(found[1]) if found else ""
