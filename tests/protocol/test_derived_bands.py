"""What a raster needs for bands that are computed."""

import pytest

from dubai_landcover_plugin.protocol.derived_bands import inputs_of


@pytest.mark.parametrize(
    ("names", "inputs"),
    [
        (("red", "green", "blue"), ("red", "green", "blue")),
        (("red", "red", "blue"), ("red", "red", "blue")),
        (("red", "ndvi", "nir"), ("red", "nir")),
        (("ndvi",), ("nir", "red")),
        (("height", "ndwi"), ("height", "green", "nir")),
    ],
)
def test_inputs(names: tuple[str, ...], inputs: tuple[str, ...]) -> None:
    assert inputs_of(names) == inputs
