"""The values of a header with their places, and the readers for them that all formats share.

What a reader returns is valid; anything else is a `HeaderError` at its place.
"""

from __future__ import annotations

import re

from ...errors import ExecuteError, HeaderError, Location
from ...lean.values import dataclass
from ...model import COMMIT
from ...text import listed, nearest, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Compiled when it is used: most headers have no control character.
_CONTROL = "[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]"


#: Keys of other tools and of other formats: for what a script needs, and for what runs it.
_NEEDS = ("env", "dependencies", "packages", "requirements", "requires", "environment", "enviroment", "conda", "deps",
          "specs")  # fmt: skip
_RUNS = ("run-with", "run", "command", "interpreter", "entrypoint")


#: Headers are written by people. The limit keeps a hostile one cheap: a value and its places take 20 to 50 µs.
MOST_VALUES = 1000


@dataclass(frozen=True)
class Value:
    """A value in TOML: `value` is text, a number, a truth value, a date, or a list or table of values. `YAMLValue` is
    one in YAML."""

    value: object
    where: Location
    #: Its name in messages, with those of the tables that it is in; that of the list for an entry.
    name: str = ""
    key_where: Location = Location("")
    #: The key alone.
    key: str = ""

    SIGN, ANY, TABLE = " = ", '"..."', "a table"

    @property
    def kind(self) -> str:
        """Its type in messages."""
        kinds: tuple[tuple[type, str], ...] = (
            (str, "a string"),
            (bool, "a truth value"),
            (int, "a number"),
            (float, "a number"),
            (list, "a list"),
            (dict, self.TABLE),
            (type(None), "nothing"),
        )
        return next((name for kind, name in kinds if isinstance(self.value, kind)), "a date")

    def error(self, message: str, hint: str | None) -> HeaderError:
        return HeaderError(message, where=self.where, hint=hint)

    def written(self, value: str) -> str:
        """How another value is written for this key."""
        return f"`{self.key}{self.SIGN}{value}`"

    def below(self) -> str:
        """The hint for what should be a table."""
        return f"write `[{self.name}]`, and its keys below it"

    def instead(self, key: str, hint: str) -> str:
        """The hint for an unknown key, from the one for its name."""
        return hint

    def table(self) -> dict[str, Value]:
        """The content of the table."""
        if not isinstance(self.value, dict):
            raise self.error(f"`{self.name}` must be {self.TABLE}, found {self.kind}", self.below())
        return self.value

    def known(
        self, keys: Iterable[str], foreign: Mapping[str, str] | None = None, unread: Iterable[str] = (), of: str = ""
    ) -> dict[str, Value]:
        """The content of the table, which may have only these keys; `unread` ones are not offered in the hint."""
        keys, table = tuple(keys), self.table()
        for key, value in table.items():
            if key not in keys and key not in unread:
                hint = nearest(key, keys, foreign)
                raise HeaderError(
                    f"`{shown(key)}` is not a key of {of or (self.name and f'`{self.name}`') or 'a header'}",
                    where=value.key_where,
                    hint=hint if of else self.instead(key, hint),
                )
        return table

    def items(self, hint: str = "", *, empty: str | None = None) -> list[Value]:
        """The entries of the list, of which there must be one if there is a hint for an `empty` list."""
        if not isinstance(self.value, list):
            hint = hint or f"write {self.written(f'[{self.ANY}, {self.ANY}]')}"
            raise self.error(f"`{self.name}` must be a list, found {self.kind}", hint)
        if not self.value and empty is not None:
            raise self.error(f"`{self.name}` is an empty list", empty)
        return self.value

    def string(self, hint: str | None = "", what: str = "") -> str:
        if not isinstance(self.value, str):
            hint = f"write it in quotes: {self.written(self.ANY)}" if hint == "" else hint
            raise self.error(f"{what or f'`{self.name}`'} must be a string, found {self.kind}", hint)
        return self.value

    def text(self, what: str = "", hint: str = "") -> str:
        """A string that is not empty and has no control characters."""
        return plain(self.string(hint), what or f"`{self.name}`", self.where)

    def strings(self, what: str, hint: str = "", *, empty: str | None = None) -> list[tuple[str, Location]]:
        """The strings of a list, with their places."""
        each = hint or 'write each in quotes: `"..."`'
        said = [(item.string(each, what), item.where) for item in self.items(hint, empty=empty)]
        return [(plain(text, what, where), where) for text, where in said]

    def scalar(self, what: str, sample: str) -> str:
        """The text of a string or a number; anything else should be `what`."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float, str)):
            raise self.error(f"`{self.name}` must be {what}, found {self.kind}", f"write {self.written(sample)}")
        return str(self.value)

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            hint = f"write {self.written('true')} or `false`"
            raise self.error(f"`{self.name}` must be true or false, found {self.kind}", hint)
        return self.value

    def one_of(self, *words: str) -> str:
        text = self.text()
        if text not in words:
            problem = f"`{self.name}` must be {listed(words, 'or')}, found `{shown(text)}`"
            raise self.error(problem, nearest(text, words))
        return text


def foreign(needs: str, runs: str | None = None) -> dict[str, str]:
    """The keys of others, and what a format calls them itself."""
    return dict.fromkeys(_NEEDS, needs) | (dict.fromkeys(_RUNS, runs) if runs else {})


def plain(text: str, what: str, where: Location) -> str:
    """The text without surrounding spaces; it must not be empty or contain control characters."""
    if not text.isprintable() and (found := re.search(_CONTROL, text)):
        raise HeaderError(
            f"{what} holds the control character U+{ord(found.group()):04X}", where=where, hint="remove it"
        )
    stripped = text.strip()
    if not stripped:
        raise HeaderError(f"{what} is empty", where=where, hint="remove it, or give it a value")
    return stripped


def spec(text: str, where: Location) -> str:
    """A conda match spec, checked as far as possible without an engine."""
    spec = plain(text, "a spec", where)
    if not (spec[0].isascii() and spec[0].isalnum()) and spec[0] not in "_*./~":
        raise HeaderError(
            f"`{spec}` is not a valid match spec: it must start with a package name",
            where=where,
            hint='a spec is a name and then its versions, such as `numpy >=1.20,<2`; in a list like `["...", "..."]` '
            "it needs quotes, since a comma would split it",
        )
    prefix, colon, name = spec.partition(":")
    if prefix in ("pip", "pypi") and colon and not name.startswith(":"):
        # conda's engines would read this as a conda package with a namespace before its name.
        raise HeaderError(
            f"`{shown(spec)}` is listed among conda's packages"
            + "; `pypi:` is for the command line" * (prefix == "pypi"),
            where=where,
            hint=f"`{name.strip()}` belongs under `pip:`, or into `dependencies` of a `# /// script` header",
        )
    return spec


def requirement(text: str, where: Location) -> str:
    """A PyPI requirement, checked as far as possible without an installer: PEP 508, or a URL or path of a package."""
    requirement = plain(text, "a requirement", where)
    if requirement.startswith("-"):
        hint = "name packages only, such as `rich >=13`; indexes are set in `[tool.uv]` of a `# /// script` header"
        if requirement.startswith(("-e", "--editable")):
            hint = (
                "write the path alone, such as `./lib`; `[tool.uv.sources]` of a `# /// script` header has `editable`"
            )
        raise HeaderError(f"`{requirement}` is an option of pip, not a requirement", where=where, hint=hint)
    prefix, colon, name = requirement.partition(":")
    if colon and prefix in ("pip", "pypi"):
        raise HeaderError(
            f"`{shown(requirement)}` is not a valid PyPI requirement: `{prefix}:` does not belong to its name",
            where=where,
            hint=f"write `{name.strip()}`",
        )
    # The installer reads a URL or a path with its extras and markers.
    if not re.match(r"(\.{0,2}|~)/|[A-Za-z][A-Za-z0-9+.-]*://|\.{1,2}(?:$|[\[\s;])", requirement):
        _check_pep_508(requirement, where)
    return requirement


_CLAUSE = r"\s*(?:===|==|!=|~=|<=|>=|<|>)\s*[^\s,;()<>=!~][^\s,;()<>=~]*\s*"


def _check_pep_508(requirement: str, where: Location) -> None:
    name = re.match(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?![A-Za-z0-9._-])", requirement)
    if name is None:
        raise HeaderError(
            f"`{shown(requirement)}` is not a valid PyPI requirement: it must start with a package name",
            where=where,
            hint="write a name and then its versions, such as `rich >=13,<15`, `httpx[http2]` or `name @ https://...`",
        )
    rest = requirement[name.end() :].partition(";")[0].strip()
    if rest.startswith("["):
        extras, closing, rest = rest.partition("]")
        if not closing or not re.fullmatch(r"\[[\w\s.,-]*", extras):
            raise HeaderError(
                f"the extras of `{shown(requirement)}` cannot be read",
                where=where,
                hint="write them as `name[one,two]`",
            )
        rest = rest.strip()
    if rest.startswith("(") and rest.endswith(")"):
        rest = rest[1:-1]
    if not rest or rest.startswith("@"):
        return
    for clause in rest.rstrip(", ").split(","):
        if not re.fullmatch(_CLAUSE, clause):
            version = clause.strip(" <>=!~(")
            hint = f"write `{name.group()}=={version}`, `{name.group()}>={version}`, or the name alone"
            raise HeaderError(
                f"`{shown(requirement)}` is not a valid PyPI requirement:"
                f" `{shown(clause.strip())}` does not compare versions",
                where=where,
                hint=hint
                if re.fullmatch(r"[\w.*+!-]+", version)
                else "separate comparisons with commas: `rich >=13,<15`",
            )


def moment(said: Value) -> str:
    """A date, a date and time, or a length of time, in the form it was written; TOML's own dates are read as if they
    were in quotes."""
    from datetime import date, datetime, timezone

    from ...specs.moment import cutoff

    text = said.value.isoformat() if isinstance(said.value, date) else said.string('write `"2026-03-31"` or `"7 days"`')
    when = plain(text, f"`{said.name}`", said.where)
    if when == COMMIT:
        return when
    try:
        cutoff(when, datetime.now(timezone.utc))
    except ExecuteError as error:
        raise said.error(error.message, error.hint) from None
    return when


def command(text: str, key: str, where: Location) -> tuple[str, ...]:
    """The words of a command, split as a POSIX shell splits them."""
    text = plain(text, f"`{key}`", where)
    if not any(character in text for character in "\"'\\"):
        return tuple(text.split())
    import shlex

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        problem = "a quotation mark is not closed" if "quotation" in str(error) else "it ends in a backslash"
        raise HeaderError(
            f"`{key}` cannot be split into words: {problem}",
            where=where,
            hint="close every quote, or give the words as a list",
        ) from None
    if not words or not words[0]:
        raise HeaderError(
            f"`{key}` does not name a program", where=where, hint="write `python`, for example, or leave out the key"
        )
    return words


#: The properties of a machine: conda's virtual packages with a version.
_SYSTEM = ("cuda", "glibc", "linux", "osx", "win")


def system(said: Value) -> tuple[tuple[str, str], ...]:
    """The description of a machine in a table, as `CONDA_OVERRIDE_*` variables."""
    return overrides(said.table())


def overrides(versions: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """The `CONDA_OVERRIDE_*` variables for the versions of these properties."""
    found: dict[str, str] = {}
    for name, said in versions.items():
        if name not in _SYSTEM:
            raise HeaderError(
                f"`{shown(said.key)}` is not a property of a system",
                where=said.key_where,
                hint=nearest(said.key, _SYSTEM, {"libc": "glibc"}),
            )
        value = said.text()
        if not re.fullmatch(r"\d+(\.\d+)*", value, re.ASCII):
            raise said.error(f"`{shown(value)}` is not a version of `{name}`", 'write it in quotes, such as `"12.4"`')
        found[f"CONDA_OVERRIDE_{name.upper()}"] = value
    return tuple(sorted(found.items()))


def run_with(said: Value) -> tuple[str, ...]:
    """The words of a command, given as text or as a list of words; all but the program may be empty."""
    if isinstance(said.value, str):
        return command(said.value, said.name, said.where)
    hint = f"write {said.written(said.ANY.replace('...', 'python -u'))}, or a list of words"
    if not isinstance(said.value, list):
        raise said.error(f"`{said.name}` must be a string or a list, found {said.kind}", hint)
    words = [(item.string(hint, f"a word of `{said.name}`"), item.where) for item in said.items(hint, empty=hint)]
    for text, where in words:
        if text:
            plain(text + ".", f"a word of `{said.name}`", where)
    plain(words[0][0], f"the program of `{said.name}`", words[0][1])
    return tuple(text for text, _ in words)
