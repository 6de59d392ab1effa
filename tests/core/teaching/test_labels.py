"""Classes and widths in the attributes of drawn layers."""

from __future__ import annotations

import math

import pytest

from dubai_landcover_plugin.core.teaching.labels import brush_widths, class_ids
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError


def test_names_and_ids_of_classes():
    values = [" road", "BUILDING", 3, 4.0, "5", None, "", math.nan, 0]
    assert class_ids(values, DUBAI.classes, "labels", "model") == [3, 4, 3, 4, 5, 0, 0, 0, 0]
    assert class_ids(["Unlabeled", 6], DUBAI.entries, "labels", "model") == [6, 6]
    assert class_ids(["Unlabeled", 6], DUBAI.classes, "labels", "model", left_out=[DUBAI.unlabeled]) == [0, 0]


def test_unknown_classes_are_named_as_they_are_written():
    with pytest.raises(ClassSchemeError, match="The labels have values that are not classes of the model: '7', 'Hut'"):
        class_ids(["Hut", 7, "Road"], DUBAI.classes, "labels", "model")
    with pytest.raises(ClassSchemeError, match="'h5', …") as caught:
        class_ids([f"h{number}" for number in range(12)], DUBAI.classes, "labels", "model")
    assert "1 Water, 2 Land" in caught.value.remedy


def test_widths_and_the_default():
    assert brush_widths([2, "3.5", None, math.nan, "", 0], 7.0) == [2.0, 3.5, 7.0, 7.0, 7.0, 0.0]


@pytest.mark.parametrize("value", [-1, 1001, "wide", math.inf])
def test_other_widths_are_refused(value):
    with pytest.raises(RequestError, match=r"must be a width in 0\.\.1000 px"):
        brush_widths([value], 3.0)
