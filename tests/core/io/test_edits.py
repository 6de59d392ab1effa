"""Corrections that the tags of a raster record."""

import json

import pytest

from dubai_landcover_plugin.core.io.edits import EDITS_TAG, EditRecord, earlier_edits, read_edits


def test_records_are_read():
    entry = {"tool": "recode_classes", "finished": "2026-01-02", "edits": 2, "changed": 5, "changes": {"A → B": 5}}
    (found,) = read_edits({EDITS_TAG: json.dumps([entry])})
    assert found == EditRecord("recode_classes", "2026-01-02", 2, 5, (("A → B", 5),))


@pytest.mark.parametrize("text", ["{", "{}", "7", "[7, null]"])
def test_damaged_tags_have_none(text):
    assert read_edits({EDITS_TAG: text}) == ()
    assert all(not isinstance(entry, dict) for entry in earlier_edits({EDITS_TAG: text}))


def test_damaged_values_are_left_out():
    (found,) = read_edits({EDITS_TAG: json.dumps([{"tool": 7, "changed": "x", "changes": [], "edits": -1}])})
    assert found == EditRecord("", "", 0, 0, ())


def test_no_tag_is_no_edit():
    assert read_edits({}) == ()
