"""The text of a requirement for a PyPI package (PEP 508): the package that it names, and what it allows.

The name is read by our own expression, since a warm run needs it; `packaging`, which takes tens of milliseconds to
import, does the rest.
"""

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


def mistake(requirement: str) -> str | None:
    """What is wrong with a requirement; None: nothing, or it is a path or a URL.

    >>> mistake("rich >=13; python_version >= '3'"), mistake("./lib ; python_version >")
    (None, None)
    >>> mistake("rich; python_version >").partition(chr(10))[0]
    'Expected a marker variable or quoted string'
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(requirement if requirement_name(requirement) else "path")
    except InvalidRequirement as error:
        return str(error)
    return None


def allows(requirement: str, version: str) -> bool:
    """Whether a version satisfies a requirement, as far as both can be compared.

    >>> allows("rich[jupyter] (>=13,<15)", "13.9.4"), allows("rich ~=13.1", "14"), allows("tz >=1", "2024a_1x")
    (True, False, True)
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return not is_version(version) or Requirement(requirement).specifier.contains(version, prereleases=True)
    except InvalidRequirement:
        return True


def is_version(text: str) -> bool:
    """Whether this is a version of PEP 440, which conda's need not be.

    >>> is_version("1.0rc1"), is_version("2024a_1x")
    (True, False)
    """
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
