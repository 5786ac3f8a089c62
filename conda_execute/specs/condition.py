"""Conditions: `linux`, `not win`, `__unix and not __osx`, `linux-64 or (osx and not osx-64)`, `python >=3 and __unix`.

The operators are `not`, `and`, `or` (in this order of strength) and parentheses. The caller decides what a name means:
`# [...]` comments of the YAML format use platforms and families, `when` virtual packages and match specs.
"""

from __future__ import annotations

import re

from .platforms import FAMILIES, KNOWN, families

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")

#: Words and signs that end a match spec.
_WORDS = ("(", ")", "and", "or", "not")

#: A recursive parser needs a limit; people do not nest deeper.
_DEEPEST = 20


class ConditionError(ValueError):
    """What is wrong with a condition, and the range of characters; `name` for an unknown name."""

    def __init__(self, problem: str, start: int, end: int, name: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.start = start
        self.end = end
        self.name = name


def platform_names(platform: str) -> dict[str, bool]:
    """The truth of the names of platforms and families on one platform."""
    true = {platform, *families(platform)}
    return {name: name in true for name in (*KNOWN, *FAMILIES, platform)}


def virtual_package_names(platform: str) -> dict[str, bool]:
    """The truth of the virtual packages for operating systems on one platform."""
    true = {f"__{family}" for family in families(platform)}
    return {name: name in true for name in ("__linux", "__osx", "__win", "__unix")}


def holds(text: str, names: Mapping[str, bool], judge: Callable[[str], bool] | None = None) -> bool:
    """Whether the condition is true; `judge` decides about a match spec. Raises ConditionError for an unknown name or
    another mistake."""
    tokens = [(found.group(1), found.start(1)) for found in _TOKEN.finditer(text)]
    parser = _Parser(tokens, names, len(text), judge)
    value = parser.alternatives(0)
    if parser.position < len(tokens):
        token, start = tokens[parser.position]
        raise ConditionError(f"`{token}` is not expected here", start, start + len(token))
    return value


class _Parser:
    def __init__(
        self,
        tokens: list[tuple[str, int]],
        names: Mapping[str, bool],
        length: int,
        judge: Callable[[str], bool] | None,
    ) -> None:
        self.tokens = tokens
        self.names = names
        self.length = length
        self.judge = judge
        self.position = 0

    def accept(self, word: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position][0] == word:
            self.position += 1
            return True
        return False

    def alternatives(self, depth: int) -> bool:
        value = self.conjunction(depth)
        while self.accept("or"):
            # Both sides are read, so that a mistake is found on every platform.
            value = self.conjunction(depth) or value
        return value

    def conjunction(self, depth: int) -> bool:
        value = self.term(depth)
        while self.accept("and"):
            value = self.term(depth) and value
        return value

    def term(self, depth: int) -> bool:
        negated = False
        while self.accept("not"):
            negated = not negated
        if self.position >= len(self.tokens):
            raise ConditionError("the condition ends too early", max(0, self.length - 1), max(1, self.length))
        token, start = self.tokens[self.position]
        end = start + len(token)
        if depth > _DEEPEST:
            raise ConditionError("the condition is nested too deeply", start, end)
        self.position += 1
        if token == "(":
            value = self.alternatives(depth + 1)
            if not self.accept(")"):
                raise ConditionError("a parenthesis is not closed", start, end)
        elif token in self.names:
            value = self.names[token]
        elif token in _WORDS:
            raise ConditionError(f"`{token}` is not expected here", start, end)
        elif self.judge is not None:
            value = self.judge(self.rest_of_spec(token))
        else:
            raise ConditionError(f"`{token}` is not known", start, end, token)
        return value is not negated

    def rest_of_spec(self, token: str) -> str:
        words = [token]
        while self.position < len(self.tokens) and self.tokens[self.position][0] not in _WORDS:
            words.append(self.tokens[self.position][0])
            self.position += 1
        return " ".join(words)
