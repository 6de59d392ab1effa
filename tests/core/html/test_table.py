import pytest

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.table import (
    Bar,
    Column,
    IntervalBar,
    Named,
    Part,
    Shaded,
    Stack,
    Table,
    columns,
)
from tests.pages import HOSTILE, ParsedPage


@pytest.fixture
def rendered(tmp_path):
    def make(table):
        (tmp_path / "t.html.j2").write_text(
            '{% import "macros.html.j2" as ui %}{{ ui.table(table) }}', encoding="utf-8"
        )
        return render("t.html.j2", tmp_path, table=table)

    return make


def every_cell(text, **options):
    cells = (
        text, Named(text, "#102030"), Bar("red", 0.5), Stack((Part("red", 0.25, text), Part("blue", 0, text))),
        IntervalBar("red", 0.5, (0.25, 0.75), 0.1), Shaded(text, "rgba(1,2,3,0.5)", "#fff", text, strong=True),
    )  # fmt: skip
    heads = tuple(Column(f"{text}{i}", i > 2, "10%", "some", "#102030", text) for i in range(len(cells)))
    return Table(heads, (cells, cells), totals=cells, caption=text, classes="zones", **options)


def test_all_text_of_a_table_is_escaped(rendered):
    plain, hostile = (ParsedPage(rendered(every_cell(text, row_heads=True))) for text in ("x", HOSTILE))
    assert hostile.tags == plain.tags
    # caption, heads with tooltips, and in each of three rows: text, name, part, shaded text with tooltip
    assert hostile.occurrences(HOSTILE) == 1 + 2 * 6 + 3 * 5


def test_cells_show_their_values(rendered):
    text = rendered(every_cell("x"))
    assert '<div class="bar" style="background:red;width:50.00%"></div>' in text
    assert '<i style="width:25.000%;background:red" title="x"></i>' in text
    assert "blue" not in text  # parts without width are left out
    assert 'width="75.0" height="8" fill="red"' in text
    assert "M37.5 7H112.5M37.5 4v6M112.5 4v6" in text
    assert "M15.0 0v14" in text
    assert 'style="background:rgba(1,2,3,0.5);color:#fff;font-weight:600" title="x">x</td>' in text


def test_heads_widths_and_totals_only_where_there_are_any(rendered):
    bare = rendered(Table((Column(""), Column("", number=True)), (("a", "1"),)))
    assert not [tag for tag in ("<thead", "<tfoot", "<colgroup", "<caption", "<th") if tag in bare]
    assert '<td class="number">1</td>' in bare
    headed = rendered(Table(columns(("Name", "Count")), (("a", "1"),), row_heads=True))
    assert '<th scope="col" class="number">Count</th>' in headed
    assert '<th scope="row">a</th>' in headed


def test_rows_of_another_length_are_refused():
    with pytest.raises(ValueError, match="3 cells, the table 2 columns"):
        Table(columns(("a", "b")), (("1", "2", "3"),))
    with pytest.raises(ValueError, match="1 cells"):
        Table(columns(("a", "b")), (), totals=("1",))
