"""Class tables; their spellings and mistakes are tested with training masks."""

import pytest

from dubai_landcover_plugin.core.io.class_table import read_class_table
from dubai_landcover_plugin.protocol.errors import ClassSchemeError


def test_a_table_is_a_scheme(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("id,name,colour\n3,Roof,#FF0000\n9,Unlabeled,#000001\n")
    scheme = read_class_table(path)
    assert [(entry.id, entry.name) for entry in scheme.entries] == [(3, "Roof"), (9, "Unlabeled")]


def test_mistakes_are_reported_with_file_and_row(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("id,name,colour\n300,Roof,#FF0000\n")
    with pytest.raises(ClassSchemeError, match=r"own\.csv, class 1: Class ids must be 1 to 254, got 300"):
        read_class_table(path)
