"""Which environments the arguments of a command mean: names, shortened names, paths of prefixes, or scripts."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...environments.store import Store, is_name
from ...errors import UsageError
from ...model import WHOLE, Environment
from ...options import DirOptions
from ...plan import open_store, understand
from ...terminal.messages import say

#: The least number of digits of a shortened name.
SHORTEST = 4


def names_of(words: Sequence[str], store: Store) -> list[str]:
    """The environments that these arguments mean. Raises UsageError for one that means none, or several."""
    there = store.list()
    here = os.path.realpath(store.tmp_envs)
    names = []
    for word in words:
        folder, name = os.path.split(os.path.realpath(word))
        names += _matching(name if folder == here and is_name(name) else word, there, store)
    return names


def one(word: str, store: Store) -> Environment:
    """The finished environment that this argument means."""
    for name in names_of([word], store):
        environment = store.read(name)
        if environment is not None:
            return environment
    raise UsageError(
        f"the environment of `{word}` is not finished",
        hint="`conda tmpenv clear` deletes what is left of it",
    )


def _matching(word: str, there: Sequence[str], store: Store) -> list[str]:
    found = [name for name in there if name == word or (len(word) >= SHORTEST and name.startswith(word))]
    if len({name.partition(".")[0] for name in found}) == 1:
        return found
    if len(found) > 1:
        listed = ", ".join(f"`{name}`" for name in found[:4])
        raise UsageError(f"`{word}` matches {len(found)} environments", hint=f"give more of the name: {listed}")
    if is_name(word):
        raise UsageError(f"there is no environment `{word}`", hint="`conda tmpenv list` shows those that exist")
    names, title = _of_script(word, store)
    found = [one for one in there if one.partition(".")[0] in names]
    if not found:
        raise UsageError(f"`{title}` has no environment", hint=f"`conda execute {title}` creates it")
    return found


def _of_script(word: str, store: Store) -> tuple[set[str], str]:
    """The names of the environments that a run of the script would use, its lock file considered, and the script's
    title.

    A run in a sandbox may use a different one. Of a script from the web, the last copy counts.
    """
    from ...options import RunOptions
    from ...script.source import is_address

    if not is_address(word) and not os.path.lexists(word):
        hint = "`conda tmpenv list` shows the environments that exist"
        if len(word) < SHORTEST and all(character in "0123456789abcdef" for character in word):
            hint = f"a shortened name has at least {SHORTEST} digits; {hint}"
        raise UsageError(f"there is neither an environment nor a script `{word}`", hint=hint)
    ways = (RunOptions((word,), offline=True, quiet=True, sandbox=sandbox) for sandbox in (None, WHOLE))
    plans = [understand(way).with_lockfile(store) for way in ways]
    return {plan.name for plan in plans}, plans[0].script.title


def dir(options: DirOptions) -> int:  # noqa: A001  the command's name
    """Print where the environments are."""
    _, store = open_store(say)
    print(store.tmp_envs)
    return 0
