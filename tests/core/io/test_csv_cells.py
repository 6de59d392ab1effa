"""No cell of a table is a formula, numbers stay numbers, and texts come back."""

import ast
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.io.csv_cells import CsvWriter, escape_cell, unescape_cell
from tests.factories import ROOT

FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "=", "＝1", "＋1+1", "－x", "＠x",
            "=cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "+1_000", "-0x10", "-inf", "-nan", "+", "--1",
            "-1,5"]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_texts_that_a_spreadsheet_would_evaluate_are_escaped(text):
    assert escape_cell(text) == f"'{text}"
    assert unescape_cell(escape_cell(text)) == text


@pytest.mark.parametrize(
    "cell", ["-1.5", "+2", "-1e-05", "-.5", "1.", -1.5, 3, None, "", "Road", "a=b", "O'Hara", "'", "é"]
)
def test_numbers_and_plain_texts_are_unchanged(cell):
    assert escape_cell(cell) == cell
    assert isinstance(cell, str) is False or unescape_cell(cell) == cell


@given(st.text(alphabet="'=+-@\t\r\n1.eaZ"))
def test_every_text_comes_back(text):
    assert unescape_cell(escape_cell(text)) == text


def test_rows_are_read_back_as_written():
    table = io.StringIO(newline="")
    rows = [["name", "=x"], ["-1.5", "'=a"], ["a,b", 'say "x"']]
    writer = CsvWriter(table)
    for row in rows:
        writer.writerow(row)
    assert "'=x" in table.getvalue()
    read = [[unescape_cell(cell) for cell in row] for row in csv.reader(io.StringIO(table.getvalue(), newline=""))]
    assert read == rows


def test_every_table_is_written_with_it():
    """``csv.writer`` and ``csv.DictWriter`` are used in one place only."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("dubai_landcover_plugin", "training")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("csv.writer", "csv.DictWriter")
    ]
    assert found == ["dubai_landcover_plugin/core/io/csv_cells.py"]
