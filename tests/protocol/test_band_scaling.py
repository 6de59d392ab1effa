"""The scaling of a model: valid limits, and the same after a round trip through the STAC item."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from tests.factories import METADATA

SCALING = BandScaling(((0.0, 2000.0), (-1.0, 1.0), (-20.0, 80.0)), ("", "", "m"))
SCALED = replace(METADATA, bands=("nir", "ndvi", "height"), scaling=SCALING)

numbers = st.floats(-1e6, 1e6)


@pytest.mark.parametrize("limits", [((1.0, 1.0),), ((2.0, 1.0),), ((0.0, float("nan")),), ((0.0, float("inf")),)])
def test_limits_that_cannot_be(limits: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(BundleError, match="limits"):
        BandScaling(limits)


def test_units_belong_to_bands() -> None:
    with pytest.raises(BundleError, match="2 units"):
        BandScaling(((0.0, 1.0),), ("m", "m"))


@given(st.lists(st.tuples(numbers, st.floats(1e-3, 1e6)), min_size=1, max_size=12))
def test_json(pairs: list[tuple[float, float]]) -> None:
    scaling = BandScaling(tuple((low, low + span) for low, span in pairs), ("m",) * len(pairs))
    assert BandScaling.from_json(scaling.to_json()) == scaling


def test_the_item_of_a_model_has_values_in_the_units_of_the_bands() -> None:
    item = to_stac_item(SCALED)
    (given_input,) = item["properties"]["mlm:input"]
    assert given_input["input"]["data_type"] == "float32"
    assert given_input["value_scaling"][0] == {"type": "z-score", "mean": 1000.0, "stddev": 500.0}
    assert given_input["value_scaling"][2]["mean"] == pytest.approx(30)
    assert item["properties"]["bands"][2] == {"name": "height", "data_type": "float32", "unit": "m"}
    read = from_stac_item(item)
    assert (read.scaling, read.bands) == (SCALING, SCALED.bands)
    assert read.mean == pytest.approx(SCALED.mean)
    assert read.std == pytest.approx(SCALED.std)


def test_models_without_a_scaling_are_as_before() -> None:
    item = to_stac_item(METADATA)
    assert "landcover:scaling" not in item["properties"]
    assert item["properties"]["mlm:input"][0]["value_scaling"][0] == {"type": "z-score", "mean": 127.5, "stddev": 63.75}
    assert from_stac_item(item) == METADATA


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "log", "limits": [[0, 1]] * 3},
        {"kind": "standardize", "limits": [[0, 1]]},
        {"kind": "standardize", "limits": [[0]] * 3},
        {"kind": "standardize"},
        [],
    ],
)
def test_damaged_scalings_are_refused(value: object) -> None:
    item = to_stac_item(SCALED)
    item["properties"]["landcover:scaling"] = value
    with pytest.raises(BundleError):
        from_stac_item(item)


def test_description() -> None:
    assert SCALING.describe(SCALED.bands) == "nir 0 to 2000, ndvi -1 to 1, height -20 to 80 m"
