"""Models that scale their bands themselves: nothing is stretched, and every runtime and tool reads alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core import segment_raster
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch, fill_invalid
from dubai_landcover_plugin.protocol.errors import BandError, RequestError
from dubai_landcover_plugin.protocol.requests.segmentation import (
    SegmentationRequest,
    SegmentationResult,
    SegmentOptions,
)
from tests.factories import SCALING, random_pixels, write_raster, write_scaled_model

NAMES = ("red", "green", "blue", "height")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_scaled_model(tmp_path_factory.mktemp("models") / "scaled.safetensors"))


def pixels(height: int = 70, width: int = 90) -> np.ndarray:
    """Values within the limits of the model, in its units."""
    shares = random_pixels(height, width, bands=4).astype(np.float32) / 256
    low, high = np.array(SCALING.limits, np.float32).T[:, :, None, None]
    return np.rint(low + shares * (high - low))


def image(path: Path, values: np.ndarray, names: tuple[str, ...] = NAMES, **profile: object) -> Path:
    write_raster(path, values, **profile)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    return path


@pytest.fixture
def run(tmp_path: Path, model: str):
    """Segment values; returns classes, confidence and the result."""

    def segment(values: np.ndarray, names: tuple[str, ...] = NAMES, profile: dict | None = None, **options: object):
        source = image(tmp_path / "image.tif", values, names, **(profile or {}))
        settings = {"model": model, "device": "cpu", "runtime": "torch", "overwrite": True, **options}
        request = SegmentationRequest(
            str(source), str(tmp_path / "classes.tif"), SegmentOptions(**settings), confidence=str(tmp_path / "c.tif")
        )
        result: SegmentationResult = segment_raster(request)
        found = []
        for path in (request.output, request.confidence):
            with rasterio.open(path) as dataset:
                found.append(dataset.read(1))
        return *found, result

    return segment


def test_runtimes_agree(run) -> None:
    values = pixels().astype(np.int16)
    classes, confidence, _ = run(values)
    other, sure, _ = run(values, runtime="openvino")
    assert len(np.unique(classes)) > 1
    assert (classes == other).mean() > 0.999
    assert np.abs(confidence.astype(int) - sure).max() <= 1


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.int32])
def test_the_type_of_the_raster_does_not_matter(run, dtype: type) -> None:
    values = pixels()
    expected, _, _ = run(values.astype(np.float64))
    found, _, result = run(values.astype(dtype))
    assert (found == expected).all()
    assert result.stretch == SCALING.limits


def test_bands_are_matched_by_name(run) -> None:
    values = pixels()
    expected, _, _ = run(values)
    found, _, result = run(values[[3, 2, 0, 1]], ("nDSM", "Blue", "Red", "Green"))
    assert (found == expected).all()
    assert result.bands == "Bands 3, 4, 2, 1 are read as red, green, blue, height, by names of the bands."
    with pytest.raises(BandError, match=r"which band is .*height"):
        run(values, ("red", "green", "blue", ""))
    chosen, _, result = run(values, ("", "", "", ""), bands=(1, 2, 3, 4))
    assert (chosen == expected).all()
    assert "as chosen" in result.bands


def test_nodata_is_left_out(run) -> None:
    values = pixels()
    values[:, :8, :8] = -9999
    classes, _, _ = run(values, profile={"nodata": -9999})
    assert (classes[:8, :8] == 0).all()
    assert classes[8:, 8:].all()


def test_values_of_another_kind_give_a_warning(run) -> None:
    values = pixels()
    values[1] *= 10
    values[2] *= 1e-4  # reflectance in 0..1
    _, _, result = run(values)
    text = " ".join(result.warnings)
    assert "of the values of green are outside of 0 to 2500" in text
    assert "blue hardly varies" in text
    assert not [one for one in run(pixels())[2].warnings if "training rasters" in one]


@pytest.mark.parametrize("options", [{"stretch": "percentiles"}, {"limits": ((0.0, 1.0),)}])
def test_another_stretch_is_refused(run, options: dict[str, object]) -> None:
    with pytest.raises(RequestError, match="scales its bands as in its training: red 0 to 2000"):
        run(pixels(), **options)


@given(
    st.lists(st.integers(0, 255), min_size=4, max_size=4),
    st.floats(0, 100),
    st.floats(1, 300),
    st.sampled_from([2.0, 64.0, 257.0]),
)
def test_a_unit_of_another_size_changes_nothing(values: list[int], low: float, span: float, factor: float) -> None:
    """A scaling follows the unit: 16 bits that are multiples of 8 bits become the same chips."""
    narrow = np.array(values, np.float64).reshape(1, 2, 2)
    one = Stretch(((low, low + span),), rounded=False)(narrow)
    other = Stretch(((factor * low, factor * (low + span)),), rounded=False)(factor * narrow)
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    assert one.min() >= 0
    assert one.max() <= 255


def test_fractions_are_kept_and_holes_get_the_mean() -> None:
    chip = Stretch(((0.0, 1000.0),), rounded=False)(np.array([[[1.0, 2.0]]]))
    assert chip.tolist() == [[[pytest.approx(0.255), pytest.approx(0.51)]]]
    filled = fill_invalid(chip, np.array([[True, False]]), (0.123,))
    assert filled[0, 0, 1] == pytest.approx(0.123 * 255)
