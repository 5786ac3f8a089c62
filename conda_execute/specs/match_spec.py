"""The text of a conda match spec: its normal form, and the package that it names."""

from __future__ import annotations

import re

#: What touches the name ends it or belongs to it: `python*` is no `python *`.
_SPEC = re.compile(
    r"(?P<channel>[^\s\[\]=<>!~,|]*::)?(?P<name>[A-Za-z0-9_.-]+)(?P<rest>(?:[\s\[=<>!~:].*)?)", re.DOTALL
)
#: Compiled when it is used: most specs are not archives.
_ARCHIVE = r"([A-Za-z0-9_.-]+)-[^-/]+-[^-/]+\.(?:conda|tar\.bz2)(?:#.*)?$"
#: Spaces without a meaning: around the commas of a version, and after operators.
_IDLE = r" ?([,|]) ?|(?<=[<>=!~]) "
_CONDITION = r"[\[,]\s*when\s*="


def normalise_spec(spec: str) -> str:
    """A match spec with its name in lower case, one space after the name, and no spaces within its version.

    Textual: specs that mean the same may stay different (`python 3.9.*` and `python=3.9`), but those that become
    equal are equal to conda. What is in square brackets, and URLs, are left as they are.

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
    version = " ".join(version.split())
    if " " in version:
        version = _attach_build(re.sub(_IDLE, r"\1", version))
    name = (match["channel"] or "") + match["name"].lower()
    return (f"{name} {version}" if version else name) + bracket + options


def _attach_build(version: str) -> str:
    """`=1.26 =py39_0` as `=1.26=py39_0`: in a version that starts with an operator, a lone `=` opens the build."""
    head, blank, build = version.partition(" =")
    return f"{head}={build}" if blank and not build.startswith("=") and " " not in head else version


def spec_name(spec: str) -> str:
    """The package of a match spec, or of an archive's URL or path; empty if it is not in the text.

    >>> spec_name("conda-forge::Python >=3"), spec_name("conda-forge:space:numpy"), spec_name("numpy[version='>=2']")
    ('python', 'numpy', 'numpy')
    >>> spec_name("https://example.org/noarch/ca-certificates-1.0-0.conda"), spec_name("python*")
    ('ca-certificates', '')
    """
    text = spec.partition("[")[0].strip().rpartition("::")[2].strip()
    if "://" in text or text.startswith((".", "/", "~")):
        archive = re.search(_ARCHIVE, text)
        return archive[1].lower() if archive else ""
    match = _SPEC.fullmatch(text)
    if match is None:
        return ""
    # After a channel and a namespace.
    return spec_name(text.rpartition(":")[2]) if match["rest"].startswith(":") else match["name"].lower()


def has_condition(spec: str) -> bool:
    """Whether a match spec counts only under a condition.

    >>> has_condition('numpy[when="python <3.13"]'), has_condition("whenever >=1")
    (True, False)
    """
    return re.search(_CONDITION, spec) is not None
