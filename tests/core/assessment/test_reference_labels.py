"""Classes from attributes, as people write them."""

import numpy as np
import pytest
from rasterio.crs import CRS

from dubai_landcover_plugin.core.assessment.reference_labels import attribute, class_indices_of, find_attribute
from dubai_landcover_plugin.core.assessment.strata import NO_CLASS
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError

LAYER = VectorLayer(np.empty(2, object), {"Id": np.array([1, 2]), "Größe": np.array([3, 4])}, CRS.from_epsg(32640))


@pytest.mark.parametrize("name", ["Größe", "GRÖSSE", " größe "])
def test_names_of_attributes_are_found_in_any_case(name):
    assert attribute(LAYER, name).tolist() == [3, 4]


def test_an_attribute_that_is_not_there_is_named_with_those_that_are():
    assert find_attribute(LAYER, "kind") is None
    with pytest.raises(RequestError, match="no attribute 'kind'") as caught:
        attribute(LAYER, "kind")
    assert "Id, Größe" in caught.value.remedy


@pytest.mark.parametrize(
    ("value", "index"),
    [
        ("Water", 0), ("WATER", 0), (" water ", 0), ("5", 4), (5, 4), (5.0, 4), (np.int64(3), 2),
        ("", NO_CLASS), (None, NO_CLASS), (float("nan"), NO_CLASS), (0, NO_CLASS), ("0", NO_CLASS),
        ("unlabeled", NO_CLASS), (6, NO_CLASS),
    ],
)  # fmt: skip
def test_ids_names_and_nothing(value, index):
    assert class_indices_of(np.array([value], object), DUBAI).tolist() == [index]


def test_columns_of_numbers_are_ids():
    assert class_indices_of(np.array([1.0, np.nan, 4.0]), DUBAI).tolist() == [0, NO_CLASS, 3]
    assert class_indices_of(np.array([], object), DUBAI).shape == (0,)


def test_unknown_values_are_listed_once_and_not_all():
    with pytest.raises(ClassSchemeError, match=r"'4\.5', 'Sea'"):
        class_indices_of(np.array(["Sea", 4.5, "Sea", "Road"], object), DUBAI)
    with pytest.raises(ClassSchemeError) as caught:
        class_indices_of(np.arange(100, 120), DUBAI)
    assert caught.value.message.count("'") == 16
    assert "…" in caught.value.message
