"""From arguments to chosen options, by the tables of `options`."""

from __future__ import annotations

from ..errors import UsageError
from ..text import near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..options import CommandLine, Line, Option


def parse(kind: type[Line], argv: Sequence[str]) -> Line:
    """Parse the arguments. Raises UsageError for options that do not exist, lack a value or cannot be combined."""
    chosen: dict[str, Any] = {}
    words: list[str] = []
    left = list(argv)
    while left:
        word = left.pop(0)
        if word == "--":
            words, left = [*words, *left], []
        elif word == "-" or not word.startswith("-"):
            words.append(word)
            if kind.ENDS_AT_WORD:
                words, left = [*words, *left], []
        elif word[1] != "-" and len(word) > 2 and _are_flags(kind, word[1:]):
            left = [f"-{letter}" for letter in word[1:]] + left
        else:
            _take(kind, word, left, chosen)
    line = kind(words, **chosen)
    if not chosen.get("help"):
        _check(line)
    return line


def _are_flags(kind: type[CommandLine], letters: str) -> bool:
    found = [_find(kind, f"-{letter}") for letter in letters]
    return all(one is not None and one[1].value is None for one in found)


def _find(kind: type[CommandLine], name: str) -> tuple[str, Option] | None:
    return next(((at, one) for at, one in kind.TABLE.items() if name in one.names or name in one.also), None)


def _take(kind: type[CommandLine], word: str, left: list[str], chosen: dict[str, Any]) -> None:
    """Record one option; its value, if it takes one, follows `=` or is the first of `left`."""
    name, equals, given = word.partition("=")
    found = _find(kind, name)
    if found is None or (equals and (found[1].value is None or found[1].takes_rest)):
        raise _unknown(kind, word)
    attribute, option = found
    if option.value is None:
        chosen[attribute] = True
    elif option.takes_rest:
        chosen[attribute] = tuple(_rest_with_options(kind, left, chosen) if option.with_options else left)
        left.clear()
    elif option.bare and not equals:
        chosen[attribute] = option.bare
    else:
        if not equals and not left:
            hint = (
                f"such as `{name} numpy`, or `{name} 'python 3.12.*'`" if option.value == "SPEC" else kind.help_hint()
            )
            raise UsageError(f"`{name}` needs a value: {option.value}", hint=hint)
        given = given if equals else left.pop(0)
        if option.words and given not in option.words:
            begun = [one for one in option.words if given and one.startswith(given)]
            meant = near(given, option.words) if len(begun) < 2 else None
            known = ", ".join(f"`{one}`" for one in begun or option.words)
            raise UsageError(f"`{name}` does not take `{given}`", hint=meant or f"it takes one of {known}")
        chosen[attribute] = (*chosen.get(attribute, ()), given) if option.repeatable else given


def _rest_with_options(kind: type[CommandLine], left: list[str], chosen: dict[str, Any]) -> list[str]:
    """The words that are not options, as the original did it: `-c 'print(1)' -v`. After `--` there are no options."""
    rest: list[str] = []
    while left:
        word = left.pop(0)
        if word == "--":
            return [*rest, *left]
        name = word.partition("=")[0] if word.startswith("--") else word
        found = _find(kind, name) if word.startswith("-") else None
        if found is None or found[1].takes_rest:
            rest.append(word)
        else:
            _take(kind, word, left, chosen)
    return rest


def _unknown(kind: type[CommandLine], word: str) -> UsageError:
    from . import habits

    name = word.partition("=")[0]
    known = [one for option in kind.TABLE.values() for one in option.names]
    hint = habits.answer(kind, name) or near(name, known)
    if hint is None:
        hint = f"options of the script come after it; {kind.help_hint()}" if kind.ENDS_AT_WORD else kind.help_hint()
    return UsageError(f"there is no option `{word}`", hint=hint)


def _check(line: CommandLine) -> None:
    """Raise UsageError for missing or unexpected arguments, and for options that cannot be combined, as the table
    says."""
    what, least, most = line.WORDS
    if len(line.words) < least:
        hint = "`conda tmpenv list` shows the names" if what.startswith("NAME") else line.help_hint()
        raise UsageError(f"`{line.program()}` needs a {what}", hint=hint)
    if most is not None and len(line.words) > most:
        takes = f"one {what}" if most else "no words"
        raise UsageError(f"unexpected argument `{line.words[most]}`", hint=f"`{line.program()}` takes {takes}")
    for conflict in line.CONFLICTS:
        first, second = line.given(*conflict.first), line.given(*conflict.second)
        if first and second:
            raise UsageError(conflict.message.format(first[0].name, second[0].name), hint=conflict.hint)
    for option in line.given():
        if option.needs and not line.given(*option.needs):
            others = " or ".join(f"`{line.TABLE[name].name}`" for name in option.needs)
            raise UsageError(f"`{option.name}` goes with {others}")
    actions = line.actions()
    if vars(line).get("json") and actions and not actions[0].json:
        printing = ", ".join(f"`{option.name}`" for option in line.TABLE.values() if option.json)
        raise UsageError(f"`{actions[0].name}` has no JSON output", hint=f"`--json` works with {printing}")
    if len(actions) > 1:
        raise UsageError(
            f"`{actions[0].name}` and `{actions[1].name}` ask for different things", hint="use one of them"
        )
