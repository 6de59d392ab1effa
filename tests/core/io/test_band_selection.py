"""Names in the file count before colour interpretation, and both before position."""

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from dubai_landcover_plugin.core.io.band_selection import band_names, chosen_bands, find_bands
from dubai_landcover_plugin.protocol.errors import BandError

RGB = ("red", "green", "blue")
GREY = (ColorInterp.gray, *[ColorInterp.undefined] * 9)


@pytest.fixture
def found(raster):
    """Bands that are found in a raster with some descriptions, tags of bands and colour interpretation."""

    def find(descriptions, wanted=RGB, tags=(), colours=None, trained=(), chosen=(), **imagery):
        count = len(descriptions)
        path = raster(np.ones((count, 4, 4), np.uint16), colorinterp=colours or GREY[:count])
        with rasterio.open(path, "r+") as dataset:
            for band, name in enumerate(descriptions, 1):
                if name:
                    dataset.set_band_description(band, name)
            for band, values in enumerate(tags, 1):
                dataset.update_tags(band, **values)
            for band, values in enumerate(imagery.get("lengths", ()), 1):
                dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=values)
        with rasterio.open(path) as dataset:
            return chosen_bands(dataset, wanted, chosen, trained) if chosen else find_bands(dataset, wanted, trained)

    return find


@pytest.mark.parametrize(
    ("descriptions", "numbers"),
    [
        (("blue", "green", "red", "nir"), (3, 2, 1)),
        (("Blue", "Green", "Red", "Near Infrared"), (3, 2, 1)),
        (("B2 blue", "B3 green", "B4 red", "B8 NIR"), (3, 2, 1)),
        (("blue band", "green band", "red band"), (3, 2, 1)),
        (("B", "G", "R", "N"), (3, 2, 1)),
        (("NIR", "R", "G", "B"), (2, 3, 4)),
        (("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"), (6, 4, 2)),  # Planet
        (("Blue (450-510 nm)", "Green (530-590 nm)", "Red (640-670 nm)", "NIR (850-880 nm)"), (3, 2, 1)),
        (("450-520 nm", "520-600 nm", "630-690 nm"), (3, 2, 1)),
        (("0.49 µm", "0.56 µm", "0.665 um", "0.842 microns"), (3, 2, 1)),
        (("490", "560", "665.5", "842"), (3, 2, 1)),
        (("band_1_blue", "band_2_green", "band_3_red"), (3, 2, 1)),
        (("blue_mean", "green_mean", "red_mean", "nir_mean"), (3, 2, 1)),
        (("Blau", "Grün", "Rot", "Nahes Infrarot"), (3, 2, 1)),
        (("Bleu", "Vert", "Rouge", "PIR"), (3, 2, 1)),
        (("Azul", "Verde", "Rojo", "Infrarrojo cercano"), (3, 2, 1)),
        (("Coastal", "Blue", "Green", "Red", "Red Edge 1", "NIR"), (4, 3, 2)),
        (("B1, central wavelength 443 nm", "B2, central wavelength 490 nm", "B3, central wavelength 560 nm",
          "B4, central wavelength 665 nm", "B5, central wavelength 705 nm"), (4, 3, 2)),
    ],
)  # fmt: skip
def test_common_spellings(found, descriptions, numbers):
    bands = found(descriptions)
    assert bands.numbers == numbers
    assert bands.warnings == ()
    assert "by names of the bands" in bands.notes[0]


@pytest.mark.parametrize(
    ("descriptions", "colours"),
    [
        (("ir", "red", "green"), GREY[:3]),  # colour infrared has no blue band
        ((None,) * 3, (ColorInterp.hue, ColorInterp.saturation, ColorInterp.lightness)),
    ],
)
def test_bands_of_other_kinds_are_not_taken_by_position(found, descriptions, colours):
    with pytest.raises(BandError, match="choose the bands yourself"):
        found(descriptions, colours=colours)


def test_near_infrared_is_found_for_models_that_read_it(found):
    assert found(("blue", "green", "red", "nir"), (*RGB, "nir")).numbers == (3, 2, 1, 4)


@pytest.mark.parametrize("names", [("B02", "B03", "B04", "B08"), ("SR_B2", "SR_B3", "SR_B4", "SR_B5")])
def test_numbers_of_a_sensor_are_used_with_a_warning(found, names):
    bands = found(names)
    assert bands.numbers == (3, 2, 1)
    assert "Sentinel-2" in bands.warnings[0]


@pytest.mark.parametrize(
    "names", [("B1", "B2", "B3"), ("sur_refl_b01", "sur_refl_b02", "sur_refl_b03", "sur_refl_b04"), ("Band 1",) * 3]
)
def test_other_numbers_say_nothing(found, names):
    bands = found(names)
    assert bands.numbers == (1, 2, 3)
    assert "bands 1, 2, 3 were taken" in bands.warnings[0]


@pytest.mark.parametrize("key", ["eo:common_name", "common_name", "BandName"])
def test_tags_of_bands(found, key):
    assert found((None,) * 3, tags=[{key: "green"}, {key: "red"}, {key: "blue"}]).numbers == (2, 1, 3)


def test_wavelengths(found):
    assert found((None,) * 4, lengths=("0.842", "0.49", "0.56", "0.665")).numbers == (4, 3, 2)
    micrometres = [{"wavelength": "0.66"}, {"wavelength": "0.56"}, {"wavelength": "0.48"}]
    assert found((None,) * 3, tags=micrometres).numbers == (1, 2, 3)


def test_names_win_over_a_colour_interpretation_that_differs(found):
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    bands = found(("blue", "green", "red"), colours=colours)
    assert bands.numbers == (3, 2, 1)
    assert "differ for red, blue" in bands.warnings[0]


def test_a_band_named_otherwise_is_not_taken_for_a_colour(found):
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined)
    bands = found(("nir", None, None, None), colours=colours)  # colour infrared, stored as RGB
    assert bands.numbers == (4, 2, 3)
    assert "which of its 4 bands is red: band 4 was taken" in bands.warnings[0]
    assert found(("swir", "panchromatic", None, None, None)).numbers == (3, 4, 5)


def test_too_few_bands_are_listed_with_their_names(found):
    with pytest.raises(BandError, match=r"has 3 band\(s\): 1 \(nir, gray, uint16\), 2 \(swir"):
        found(("nir", "swir", None))


def test_bands_of_the_user(raster):
    with rasterio.open(raster(np.ones((3, 4, 4), np.uint8))) as dataset:
        assert chosen_bands(dataset, RGB, (3, 3, 1)).numbers == (3, 3, 1)
        with pytest.raises(BandError, match="Band 4"):
            chosen_bands(dataset, RGB, (1, 2, 4))


CIR = ("nir", "red", "green")
NAMELESS = ("band 4", "band 1", "band 2")


@pytest.mark.parametrize(
    ("descriptions", "wanted", "numbers"),
    [
        (("red", "green", "blue", "nir"), CIR, (4, 1, 2)),
        (("nir", "red", "green"), CIR, (1, 2, 3)),
        (("nir", "red", "green", "blue"), CIR, (1, 2, 3)),  # another order than in training
        (("Height", "red", "green"), ("height", "red", "green"), (1, 2, 3)),  # names that are not colours
        (("red", "green", "SWIR 2"), ("swir 2", "red", "green"), (3, 1, 2)),
    ],
)
def test_names_of_a_model_count_before_its_numbers(found, descriptions, wanted, numbers):
    bands = found(descriptions, wanted, trained=(4, 1, 2))
    assert bands.numbers == numbers
    assert not bands.warnings


@pytest.mark.parametrize(
    ("descriptions", "wanted", "words"),
    [
        ((None,) * 4, CIR, "does not say which of its 4 bands are nir, red, green: bands 4, 1, 2 are read"),
        (("red", "green", "blue", None), CIR, "bands are nir: bands 4 are read"),
        ((None,) * 4, NAMELESS, "do not name bands 4, 1, 2: bands 4, 1, 2 of this raster"),
        (("red", "green", "blue", "nir"), NAMELESS, "bands 4 (nir), 1 (red), 2 (green) of this raster"),
    ],
)
def test_numbers_of_the_training_rasters_count_where_names_are_missing(found, descriptions, wanted, words):
    bands = found(descriptions, wanted, trained=(4, 1, 2))
    assert bands.numbers == (4, 1, 2)
    assert words in bands.warnings[0]


@pytest.mark.parametrize(
    ("descriptions", "wanted"),
    [
        ((None,) * 3, CIR),
        (("red", "green", "blue"), CIR),
        (("red", "green", "blue", "swir1"), CIR),  # band 4 is something else
        ((None, "red", "green", "blue"), CIR),
        ((None,) * 3, NAMELESS),
    ],
)
def test_bands_of_a_model_that_a_raster_lacks_are_refused(found, descriptions, wanted):
    with pytest.raises(BandError, match="band 4") as caught:
        found(descriptions, wanted, trained=(4, 1, 2))
    assert "choose the bands" in caught.value.remedy


def test_chosen_bands_that_contradict_the_raster_give_a_warning(found):
    tagged = ("red", "green", "blue", "nir")
    assert "band 4 is read as red, the raster calls it nir" in found(tagged, chosen=(4, 1, 2)).warnings[0]
    assert not found(tagged, CIR, chosen=(4, 1, 2)).warnings
    assert not found((None,) * 4, chosen=(4, 1, 2)).warnings
    other = found((None,) * 4, CIR, trained=(4, 1, 2), chosen=(1, 2, 3))
    assert "training read 4, 1, 2" in other.notes[0]


@pytest.mark.parametrize(
    ("descriptions", "colours", "names"),
    [
        (("R", "G", "B", "Near Infrared"), None, ("nir", "red", "green")),
        ((None,) * 4, None, NAMELESS),
        (("Band 1", "b2", "Layer_3", "gray"), None, NAMELESS),
        (
            (None,) * 4,
            (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha),
            ("band 4", "red", "green"),
        ),
        (("dsm", "DSM", "x" * 200, "Slope"), None, ("slope", "band 1", "band 2")),  # twice the same is not a name
    ],
)
def test_names_that_a_raster_gives_its_bands(raster, descriptions, colours, names):
    path = raster(np.ones((4, 4, 4), np.uint8), colorinterp=colours or GREY[:4])
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = descriptions
    with rasterio.open(path) as dataset:
        assert band_names(dataset, (4, 1, 2)) == names


SENTINEL = ("B2 blue", "B3 green", "B4 red", "B5 Red Edge 1", "B6 Red Edge 2", "B8 NIR", "B11 SWIR 1", "B12 SWIR 2")


@pytest.mark.parametrize(
    ("descriptions", "wanted", "numbers"),
    [
        (SENTINEL, ("red_edge", "swir1", "swir2", "nir"), (4, 7, 8, 6)),
        (("red", "nDSM"), ("height", "red"), (2, 1)),
        (("Rededge", "Height above ground", "DSM"), ("red_edge", "height", "elevation"), (1, 2, 3)),
        (("0.705 um", "1.61 µm", "2190 nm"), ("red_edge", "swir1", "swir2"), (1, 2, 3)),
        (("red edge", "slope"), ("red edge", "slope"), (1, 2)),  # names of earlier models
    ],
)
def test_names_beyond_colours(found, descriptions, wanted, numbers):
    bands = found(descriptions, wanted)
    assert bands.numbers == numbers
    assert not bands.warnings


def test_other_bands_by_tags_and_colour_interpretation(found):
    tags = [{"eo:common_name": "swir16"}, {"common_name": "rededge071"}]
    assert found((None,) * 2, ("red_edge", "swir1"), tags=tags).numbers == (2, 1)
    colours = (ColorInterp.rededge, ColorInterp.nir)
    assert found((None,) * 2, ("nir", "red_edge"), colours=colours).numbers == (2, 1)


@pytest.mark.parametrize(
    ("descriptions", "wanted"),
    [
        ((None,) * 4, (*RGB, "nir")),
        (("red", "green", "blue", None), (*RGB, "nir")),
        (("rededge", "rededge", "red"), ("red", "red_edge")),  # which of the two?
        (("height above ground", "red"), ("red", "elevation")),
    ],
)
def test_bands_other_than_colours_are_never_taken_by_position(found, descriptions, wanted):
    with pytest.raises(BandError, match=f"which band is .*{wanted[-1]}") as caught:
        found(descriptions, wanted)
    assert f"has {len(descriptions)} band(s)" in caught.value.message
    assert "--bands" in caught.value.remedy


def test_names_that_are_numbers_are_the_numbers(found):
    assert found((None,) * 3, ("band 3", "band 1")).numbers == (3, 1)


def test_chosen_bands_are_noted(found):
    assert found(("a", "b", "c", "d"), chosen=(3, 2, 1)).notes == (
        "Bands 3, 2, 1 are read as red, green, blue, as chosen.",
    )


SPELLINGS = {
    "red": ("Red", "B4 red", "rot", "665 nm"),
    "green": ("Green", "vert"),
    "blue": ("blue", "B2 Blue (490 nm)"),
    "nir": ("NIR", "Near Infrared", "0.842 µm"),
    "red_edge": ("rededge", "Red Edge 1"),
    "swir1": ("SWIR 1", "swir16"),
    "height": ("nDSM", "height above ground"),
}


@given(
    st.permutations(list(SPELLINGS)).flatmap(
        lambda names: st.tuples(st.just(names), st.tuples(*(st.sampled_from(SPELLINGS[name]) for name in names)))
    ),
    st.permutations(list(SPELLINGS)),
    st.integers(1, len(SPELLINGS)),
)
def test_any_order_and_spelling(file, wanted, count):
    """Whatever the order in the file and in the model, each name is read from its own band."""
    names, spellings = file
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", height=1, width=1, count=len(names), dtype="uint8") as dataset:
            dataset.descriptions = spellings
        with memory.open() as dataset:
            bands = find_bands(dataset, tuple(wanted[:count]))
    assert bands.numbers == tuple(names.index(name) + 1 for name in wanted[:count])
    assert not bands.warnings
