"""Class tables; their spellings and mistakes are tested with training masks."""

import json

import pytest

from dubai_landcover_plugin.core.io.class_table import read_class_table
from dubai_landcover_plugin.protocol.classes import DUBAI
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


def test_colours_may_be_left_out(tmp_path):
    """Classes of the dataset's names have its colours, others distinct ones."""
    path = tmp_path / "own.csv"
    path.write_text("id,name\n1,water\n2,Palm\n3,Hut\n4,Unlabeled\n")
    scheme = read_class_table(path)
    assert scheme.by_name("Water").colour == DUBAI.by_name("Water").colour
    colours = [entry.colour for entry in scheme.entries]
    assert len(set(colours)) == 4
    assert scheme.unlabeled.colour == DUBAI.unlabeled.colour
    assert read_class_table(path) == scheme


def test_single_colours_may_be_left_out(tmp_path):
    path = tmp_path / "own.json"
    rows = [{"id": 1, "name": "Palm", "colour": "#e2a929"}, {"id": 2, "name": "Water"}, {"id": 3, "name": "Road"}]
    path.write_text(json.dumps([*rows, {"id": 4, "name": "Hut", "colour": ""}]))
    colours = {entry.name: entry.colour for entry in read_class_table(path).classes}
    assert colours["Palm"] == "#E2A929"  # the dataset's colour of water, which Water cannot have too
    assert colours["Road"] == DUBAI.by_name("Road").colour
    assert len(set(colours.values())) == 4


def test_all_generated_colours_differ(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("id,name\n" + "".join(f"{number},c{number}\n" for number in range(1, 254)))
    assert len({entry.colour for entry in read_class_table(path).classes}) == 253


def test_mistakes_beside_missing_colours_are_still_reported(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("id,name\nx,Roof\n")
    with pytest.raises(ClassSchemeError, match="the id must be a whole number, got 'x'"):
        read_class_table(path)
    path.write_text("name,colour\nRoof,#FF0000\n")
    with pytest.raises(ClassSchemeError, match="has the fields name, colour") as caught:
        read_class_table(path)
    assert "colour may be left out" in caught.value.remedy


def test_a_missing_table_is_not_a_question_of_encoding(tmp_path):
    with pytest.raises(ClassSchemeError, match=r"gone\.csv cannot be read: No such file") as caught:
        read_class_table(tmp_path / "gone.csv")
    assert caught.value.remedy == "Check the path and the file."
    (tmp_path / "latin.csv").write_bytes("id,name\n1,Dünen\n".encode("latin-1"))
    with pytest.raises(ClassSchemeError, match="cannot be read") as caught:
        read_class_table(tmp_path / "latin.csv")
    assert "UTF-8" in caught.value.remedy
