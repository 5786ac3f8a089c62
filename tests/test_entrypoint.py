"""Entrypoints of conda-scripts as values; what is refused, and where the caret stands, is in the corpus."""

from __future__ import annotations

import pytest

from conda_execute.errors import HeaderError, Location
from conda_execute.model import Entrypoint, Substitution, Text, Variable, Word
from conda_execute.script.header.entrypoint import parse

WHERE = Location("script.c", 3, 17, 1, '// entrypoint = ""')

SCRIPT = Variable("SCRIPT")
CACHE = Variable("CACHE")


def word(*pieces: str | Variable | Substitution) -> Word:
    return Word(tuple(Text(piece) if isinstance(piece, str) else piece for piece in pieces))


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("python ${SCRIPT}", [(word("python"), word(SCRIPT))]),
        ("a&&b  &&\tc", [(word("a"),), (word("b"),), (word("c"),)]),
        ("x'a b'\"c ${CACHE}d\"e", [(word("xa bc ", CACHE, "de"),)]),
        ("echo '${SCRIPT}' '$(a)' '$'", [(word("echo"), word("${SCRIPT}"), word("$(a)"), word("$"))]),
        ("a '' \"\"", [(word("a"), word(""), word(""))]),
        ("a $(b ${SCRIPT})", [(word("a"), word(Substitution(((word("b"), word(SCRIPT)),), split=True)))]),
        ('a "x$(b c)"', [(word("a"), word("x", Substitution(((word("b"), word("c")),), split=False)))]),
        ("a $(b && c)", [(word("a"), word(Substitution(((word("b"),), (word("c"),)), split=True)))]),
        (
            "a $(b $(c))",
            [(word("a"), word(Substitution(((word("b"), word(Substitution(((word("c"),),), True))),), True)))],
        ),
        ("a \\b c\\ d", [(word("a"), word("\\b"), word("c\\"), word("d"))]),
        ("env A=b c=d", [(word("env"), word("A=b"), word("c=d"))]),
        ("'A=b' c", [(word("A=b"), word("c"))]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_entrypoint_is_read_into_words(text: str, commands: list[tuple[Word, ...]]) -> None:
    assert parse(text, WHERE) == Entrypoint(tuple(commands))


def test_mistake_is_shown_where_it_stands() -> None:
    where = Location("script.c", 3, 17, 14, '// entrypoint = "cat a | sort"')
    with pytest.raises(HeaderError) as caught:
        parse("cat a | sort", where)
    [place] = caught.value.where
    assert place.text is not None
    assert place.column is not None
    assert place.text[place.column - 1 :].startswith("| sort")
