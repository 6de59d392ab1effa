"""Statistics of the values of training images in the metadata of a model."""

from dataclasses import replace

import pytest

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from dubai_landcover_plugin.protocol.value_statistics import MAX_IMAGES, ValueStatistics
from tests.factories import METADATA

BAND = (10, 30, 60, 100, 150, 200, 230)
IMAGE = (BAND, BAND, BAND)
DESCRIBED = replace(METADATA, values=ValueStatistics((IMAGE, IMAGE), stretched=True))


def test_statistics_are_kept_and_may_be_missing():
    item = to_stac_item(DESCRIBED)
    assert from_stac_item(item) == DESCRIBED
    del item["properties"]["landcover:values"]
    assert from_stac_item(item).values is None
    assert "landcover:values" not in to_stac_item(METADATA)["properties"]


@pytest.mark.parametrize(
    "images",
    [
        (), ((),), (IMAGE, (BAND, BAND)), ((BAND[:6],) * 3,), ((BAND[::-1],) * 3,), (((*BAND[:6], 256),) * 3,),
        (((*BAND[:3], float("nan"), *BAND[4:]),) * 3,), (IMAGE,) * (MAX_IMAGES + 1),
    ],
)  # fmt: skip
def test_inconsistent_statistics_are_refused(images):
    with pytest.raises(BundleError, match="value statistics"):
        ValueStatistics(images)


def test_the_number_of_bands_is_that_of_the_model():
    with pytest.raises(BundleError, match="inconsistent"):
        replace(METADATA, values=ValueStatistics(((BAND,),)))


@pytest.mark.parametrize(
    "value",
    [
        [], {}, {"levels": [50], "images": [[[1], [1], [1]]], "stretched": False},
        {**DESCRIBED.values.to_json(), "stretched": 1}, {**DESCRIBED.values.to_json(), "images": {"a": 1}},
        {**DESCRIBED.values.to_json(), "images": [[["1"] * 7] * 3]},
    ],
)  # fmt: skip
def test_damaged_statistics_are_refused(value):
    item = to_stac_item(DESCRIBED)
    item["properties"]["landcover:values"] = value
    with pytest.raises(BundleError, match=r"damaged|value statistics"):
        from_stac_item(item)
