"""STAC items of models: nothing is lost, older items are read, damaged ones are refused."""

from dataclasses import replace

import pytest

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from tests.factories import METADATA


def test_error_ratios_are_kept_and_may_be_missing():
    measured = replace(METADATA, error_ratios=(0.5, 1.0, 1.5, 2.0, 1.25))
    item = to_stac_item(measured)
    assert from_stac_item(item) == measured
    del item["properties"]["landcover:error_ratios"]
    assert from_stac_item(item).error_ratios == ()


def test_band_numbers_are_kept_and_may_be_missing():
    numbered = replace(METADATA, bands=("nir", "red", "green"), band_numbers=(4, 1, 2))
    item = to_stac_item(numbered)
    assert from_stac_item(item) == numbered
    del item["properties"]["landcover:band_numbers"]
    assert from_stac_item(item).band_numbers == ()
    assert "landcover:band_numbers" not in to_stac_item(METADATA)["properties"]


@pytest.mark.parametrize("numbers", [[4, 1], [0, 1, 2], [1.5, 2, 3], "412", {"nir": 4}])
def test_damaged_band_numbers_are_refused(numbers):
    item = to_stac_item(METADATA)
    item["properties"]["landcover:band_numbers"] = numbers
    with pytest.raises(BundleError):
        from_stac_item(item)
