"""Laws of tables."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conda_execute.terminal import table

COLUMNS = (
    table.Column("NAME"),
    table.Column("SIZE", gives_way=1, right=True),
    table.Column("SCRIPT", gives_way=2, shrinks=True),
    table.Column("SPECS", gives_way=3, shrinks=True),
)
cells = st.text(
    st.characters(min_codepoint=33, max_codepoint=126) | st.sampled_from("日本語ü̈"), min_size=1, max_size=60
)
rows = st.lists(st.tuples(st.text("abcdef0123456789", min_size=20, max_size=20), cells, cells, cells), max_size=5)


@given(rows, st.integers(20, 300))
def test_no_line_is_wider_than_the_terminal(content: list[tuple[str, ...]], width: int) -> None:
    assert all(table.cells(line) <= width for line in table.layout(COLUMNS, content, width))


def test_columns_stand_below_each_other_though_characters_are_wide() -> None:
    header, *lines = table.layout(COLUMNS[::2], [("a", "plot.py"), ("日本", "日本語.py"), ("u\u0308b", "x")], 14)
    assert [header, *lines] == ["NAME  SCRIPT", "a     plot.py", "日本  日本語.…", "u\u0308b    x"]


@given(rows)
def test_nothing_is_cut_where_there_is_no_terminal(content: list[tuple[str, ...]]) -> None:
    for row, line in zip(content, table.layout(COLUMNS, content, None)[1:], strict=True):
        assert line.split() == list(row)


@given(rows, st.integers(1, 300))
def test_what_names_a_row_is_always_shown_whole(content: list[tuple[str, ...]], width: int) -> None:
    for row, line in zip(content, table.layout(COLUMNS, content, width)[1:], strict=True):
        assert line.startswith(row[0])


def test_what_gives_way_first_is_cut_first() -> None:
    lines = table.layout(COLUMNS, [("a" * 20, "1 MB", "script.py", "numpy, python >=3, scipy")], 60)
    assert lines[1] == "aaaaaaaaaaaaaaaaaaaa  1 MB  script.py  numpy, python >=3, s…"
