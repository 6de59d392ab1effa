"""Other people's rasters: each gives a right result, or an error with a remedy and no file.

The README's table of inputs says the same in words.
"""

import os
from dataclasses import dataclass

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.errors import BandError, GeoreferenceError, LandCoverError, RasterReadError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import stub_bundle

pytestmark = pytest.mark.shared

THRICE = {"bands": (1, 1, 1)}


@dataclass(frozen=True)
class Case:
    """A file, how it is asked for, and what must come: warnings that name these words, or an error."""

    file: str
    options: dict
    told: tuple[str, ...] = ()
    error: type[LandCoverError] | None = None
    text: str = ""


CASES = [
    Case("data__m_4709963_se_14_1_20140720.tif", {"gsd_mode": "never"}, ("does not say which of its 4 bands",)),
    Case("data__m_4709963_se_14_1_20180716.tif", {}, ("does not say which of its 4 bands",)),
    Case("data__m_4709963_se_14_1_20200831.tif", {"gsd_mode": "never"}, ("does not say which of its 4 bands",)),
    Case("data__2020.tif", {}, ("times coarser", "does not say")),
    Case("rio-tiler__201404_13SED190110_201404_0x1500m_CL_1.tif", {}),
    Case("rio-tiler__201404_13SED190110_201404_0x1500m_CL_1_mask.tif", {}),
    Case("rasterio__RGBA.byte.tif", {}, ("times coarser",)),
    Case("rasterio__rgb1.tif", {}, ("times coarser",)),
    Case("rasterio__RGBA.uint16.tif", {}, ("is constant",)),
    Case("raster-vision__small-uint16-tile.tif", {}, ("is constant",)),
    Case("rasterio__corrupt.tif", {}, (), RasterReadError, r"corrupt\.tif cannot be read at rows \d+–\d+, columns"),
    Case("rio-tiler__cog_gcps.tif", {}, (), GeoreferenceError, r"210 ground control points .* Warp it first"),
    Case("rio-tiler__cog_gcps.tif", {**THRICE, "pixel_space": True}, ("no CRS",)),
    Case("rio-tiler__inverted_lat.tif", {}, (), BandError, r"has 1 band\(s\): 1 \(gray, float32\)"),
    Case("rio-tiler__inverted_lat.tif", THRICE, ("no valid pixels",)),
    Case("rio-tiler__cog_dateline.tif", {}, (), BandError, r"has 1 band\(s\): 1 \(gray, uint16\)"),
    Case("rio-tiler__cog_dateline.tif", THRICE, ("times coarser",)),
    Case("rio-tiler__cog_cmap.tif", {}, ("palette was expanded",)),
    Case("rio-tiler__cog_nodata_nan.tif", THRICE, ("times coarser",)),
]
assert len({case.file for case in CASES}) == 16


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.file}{'-' + '+'.join(case.options) if case.options else ''}"
)
def test_raster(case, shared, tmp_path):
    source = shared / "rasters" / case.file
    output = tmp_path / "o.tif"
    request = SegmentationRequest(str(source), str(output), SegmentOptions(**case.options))
    bundle = stub_bundle(window=512)
    if case.error is not None:
        with pytest.raises(case.error, match=case.text) as caught:
            run_segmentation(request, bundle=bundle)
        assert caught.value.remedy
        assert os.listdir(tmp_path) == []
        return
    result = run_segmentation(request, bundle=bundle)
    warnings = " ".join(result.warnings)
    for words in case.told:
        assert words in warnings
    with rasterio.open(source) as given, rasterio.open(output) as made:
        assert made.shape == given.shape
        assert made.transform == given.transform
        assert made.crs == given.crs
        classes = made.read(1)
        expected = given.dataset_mask() > 0
        if given.dtypes[0].startswith("float"):
            expected &= np.isfinite(given.read(1))
    assert ((classes > 0) == expected).all()
