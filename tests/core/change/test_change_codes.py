"""Codes of changes."""

import numpy as np
import pytest
import rasterio
import rasterio.features
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.change.change_codes import MISSING, UNCERTAIN, UNKNOWN, ChangeCoding
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
)
from tests.core.change.cases import scheme


def test_codes_read_as_from_and_to():
    coding = ChangeCoding(DUBAI, DUBAI)
    assert coding.dtype == np.uint8
    names = {code.name: code.id for code in coding.legend()}
    assert names["Land → Building"] == 24
    assert names["Land unchanged"] == 22
    assert names["Uncertain"] == 1
    assert len(names) == 26
    assert len({code.rgb for code in coding.legend()}) == 26


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 200))
def test_codes_are_unique_and_clear_of_no_data_and_uncertain(first, second, start):
    earlier = scheme("Water", *(f"a{i}" for i in range(first - 1)), first=min(start, 254 - first))
    later = scheme("water ", *(f"b{i}" for i in range(second - 1)))
    coding = ChangeCoding(earlier, later)
    codes = coding.codes.ravel().tolist()
    assert len(set(codes)) == len(codes) == coding.count**2
    assert coding.count == first + second - 1
    assert min(codes) > UNCERTAIN
    assert max(codes) <= np.iinfo(coding.dtype).max


def test_classes_are_matched_by_name_whatever_their_ids():
    other = ClassScheme(
        (LandCoverClass(7, "building", "#000000"), LandCoverClass(2, "Water", "#0000FF")),
        LandCoverClass(9, "Unlabeled", "#9B9B9B"),
    )
    coding = ChangeCoding(DUBAI, other)
    ids = np.array([0, 7, 2, 9, 200], np.uint8)
    assert [coding.names[i] if i >= 0 else i for i in coding.indices(ids, later=True)] == [
        MISSING, "Building", "Water", UNKNOWN, MISSING,
    ]  # fmt: skip
    assert coding.unmatched == ["Land", "Road", "Vegetation"]


def test_no_common_class_is_refused_with_both_lists():
    with pytest.raises(ClassSchemeError, match=r"Water, Land.*Forest, Crop"):
        ChangeCoding(DUBAI, scheme("Forest", "Crop"))


def test_many_classes_take_sixteen_bits(compare, make, tmp_path):
    names = [f"class {i}" for i in range(12)]
    many = scheme(*names)
    ids = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)
    outcome, codes = compare(make("a.tif", ids, many), make("b.tif", ids[::-1], many))
    assert codes.dtype == np.uint16
    assert codes[0, 0] == 109
    assert codes[1, 0] == 505
    assert {code["name"] for code in outcome["legend"]} >= {"class 0 → class 8", "class 4 unchanged"}
    with rasterio.open(tmp_path / "change.tif") as dataset:
        assert dataset.nodata == 0
        assert dataset.colormap(1)[109][:3] != (0, 0, 0)
