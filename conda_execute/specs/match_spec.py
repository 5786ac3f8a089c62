"""The text of a conda match spec: one spelling of each, and the package that it names."""

from __future__ import annotations

import re

_BLANKS = re.compile(r"\s+")
#: What touches the name ends it or belongs to it: `python*` is no `python *`.
_SPEC = re.compile(
    r"(?P<channel>[^\s\[\]=<>!~,|]*::)?(?P<name>[A-Za-z0-9_.-]+)(?P<rest>(?:[\s\[=<>!~:].*)?)", re.DOTALL
)


_AROUND_LISTS = re.compile(r"\s*([,|])\s*")


_AFTER_OPERATORS = re.compile(r"([<>=!~])\s+")


def normalise_spec(spec: str) -> str:
    """A match spec with its name in lower case, one blank after the name, and no blanks within its version.

    Textual: specs that mean the same may stay different (`python 3.9.*` and `python=3.9`), but those that become
    equal are equal to conda. What stands in square brackets, and URLs, are left as they are.

    >>> normalise_spec("Python>= 3.9 , <4")
    'python >=3.9,<4'
    >>> normalise_spec("conda-forge::NumPy = 1.26 = py39_0")
    'conda-forge::numpy =1.26=py39_0'
    """
    spec = spec.strip()
    match = _SPEC.fullmatch(spec)
    if match is None or spec.startswith((".", "/", "~")) or "://" in spec:
        return spec
    version, bracket, options = match["rest"].partition("[")
    if version.startswith(":"):
        return spec
    version = _AFTER_OPERATORS.sub(r"\1", _AROUND_LISTS.sub(r"\1", _BLANKS.sub(" ", version))).strip()
    version = _attach_build(version)
    name = (match["channel"] or "") + match["name"].lower()
    return (f"{name} {version}" if version else name) + bracket + options


def _attach_build(version: str) -> str:
    """`=1.26 =py39_0` as `=1.26=py39_0`: in a version that starts with an operator, a lone `=` opens the build."""
    head, blank, build = version.partition(" =")
    return f"{head}={build}" if blank and not build.startswith("=") and " " not in head else version


def spec_name(spec: str) -> str:
    """The package that a normalised match spec is about, without channel and version.

    >>> spec_name("conda-forge::python >=3")
    'python'
    """
    match = _SPEC.fullmatch(spec)
    return match["name"].lower() if match is not None else spec
