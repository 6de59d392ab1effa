"""Names of bands in the spellings of files."""

import pytest

from dubai_landcover_plugin.core.io.band_words import common_name, says_other, stated_nanometres


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Near Infrared", "nir"),
        ("B5 Red Edge 1", "red_edge"),
        ("rededge075", "red_edge2"),
        ("SWIR 22", "swir2"),
        ("nDSM", "height"),
        ("Digital Elevation Model", "elevation"),
        ("red_edge", "red_edge"),
        ("Slope", "slope"),
        ("  Height  of   Trees ", "height of trees"),
        ("band 4", "band 4"),
        ("red slope", "red slope"),  # a word among others is not the name
    ],
)
def test_common_names(text: str, name: str) -> None:
    assert common_name(text) == name
    assert common_name(common_name(text)) == name


@pytest.mark.parametrize(("text", "nanometres"), [("450-510 nm", 480), ("0.49 µm", 490), ("842", 842), ("B4", None)])
def test_stated_wavelengths(text: str, nanometres: float | None) -> None:
    assert stated_nanometres(text) == pytest.approx(nanometres)


def test_names_of_other_bands() -> None:
    assert says_other("SWIR 3")
    assert not says_other("red")
