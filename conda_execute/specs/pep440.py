"""Version specifiers of Python packages (PEP 440) as version specs of conda.

Parsed by our own expressions and not by `packaging`: `requires-python` decides the name of an environment, so each warm
run needs it, and the import alone would take a third of its time.
"""

from __future__ import annotations

import re

from ..errors import HeaderError, Location

_CLAUSE = re.compile(r"(===|==|!=|~=|<=|>=|<|>)\s*(\S+)\Z")
_VERSION = re.compile(
    r"""v?(?:(?P<epoch>\d{1,9})!)?(?P<release>\d{1,9}(?:\.\d{1,9})*)
    (?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>\d{0,9}))?
    (?:(?:[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_number>\d{0,9}))|-(?P<implicit_post>\d{1,9}))?
    (?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_number>\d{0,9}))?
    (?P<any>\.\*)?\Z""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PRE = {"alpha": "a", "a": "a", "beta": "b", "b": "b", "preview": "rc", "pre": "rc", "c": "rc", "rc": "rc"}
_HINT = 'write versions such as `requires-python = ">=3.10,<4"`'


def conda_version(specifiers: str, key: str, where: Location) -> str:
    """The version spec that allows the same versions; empty if every version is allowed.

    `~=3.10` is `>=3.10,3.*`, and `<4` also excludes 4.0a1, which conda orders before 4. Raises HeaderError.
    """
    clauses = [clause.strip() for clause in specifiers.split(",")]
    return ",".join(_clause(clause, key, where) for clause in clauses if clause)


def _clause(clause: str, key: str, where: Location) -> str:
    found = _CLAUSE.match(clause)
    if not found:
        hint = _HINT
        if _VERSION.match(clause):
            hint = f"write `>={clause}` for that version or a later one, `=={clause}.*` for its patches"
        raise HeaderError(f"`{key}` holds `{clause}`, which does not begin with a comparison", where=where, hint=hint)
    operator, written = found.groups()
    version = _VERSION.match(written)
    if not version:
        raise HeaderError(f"`{key}` holds `{written}`, which is not a version", where=where, hint=_HINT)
    if version["any"]:
        plain_release = not (version["pre"] or version["post"] or version["implicit_post"] or version["dev"])
        if operator not in ("==", "!=") or not plain_release:
            raise HeaderError(
                f"`{key}` holds `{clause}`: only `==` and `!=` go with `.*`",
                where=where,
                hint=f"write `{operator}{written[:-2]}`" if plain_release else _HINT,
            )
        return ("" if operator == "==" else "!=") + _normal(version) + ".*"
    normal = _normal(version)
    if operator == "~=":
        release = [str(int(number)) for number in version["release"].split(".")]
        if len(release) < 2:
            raise HeaderError(
                f"`{key}` holds `{clause}`: `~=` needs a version of two numbers or more",
                where=where,
                hint=f"write `~={written}.0`, or `>={written}`",
            )
        epoch = normal.partition("!")[0] + "!" if "!" in normal else ""
        return f">={normal},{epoch}{'.'.join(release[:-1])}.*"
    if operator == "<" and not (version["pre"] or version["post"] or version["implicit_post"] or version["dev"]):
        return f"<{_normal(version, suffix='a0')}"
    return ("==" if operator == "===" else operator) + normal


def _normal(version: re.Match[str], suffix: str = "") -> str:
    """The version in the form that conda orders as PEP 440 does.

    With a suffix, the release has three numbers at least and `dev` no dot before it: conda orders 3.13rc1 before
    3.13.0a1, and 3.13.0.dev1 after it.
    """
    if version["pre"]:
        suffix += _PRE[version["pre"].lower()] + str(int(version["pre_number"] or 0))
    if version["implicit_post"]:
        suffix += f".post{int(version['implicit_post'])}"
    elif version["post"]:
        suffix += f".post{int(version['post_number'] or 0)}"
    if version["dev"]:
        suffix += f"dev{int(version['dev_number'] or 0)}"
    epoch = f"{int(version['epoch'])}!" if version["epoch"] and int(version["epoch"]) else ""
    release = [str(int(number)) for number in version["release"].split(".")]
    if suffix:
        release += ["0"] * (3 - len(release))
    return epoch + ".".join(release) + suffix
