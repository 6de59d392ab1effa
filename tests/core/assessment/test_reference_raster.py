"""Reference rasters."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine

from dubai_landcover_plugin.protocol.errors import (
    GeoreferenceError,
    RasterOpenError,
)
from tests.core.assessment.cases import assess, random_map
from tests.factories import ONE_METRE, write_class_map, write_raster


def test_a_reference_raster_is_counted(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", [[1, 2, 4, 6, 4, 0]])
    truth = write_class_map(tmp_path / "t.tif", [[1, 1, 4, 4, 6, 4]])
    found = assess(raster, truth)
    assert found["facts"]["pixels"] == 4
    assert found["overall"] == {"value": 0.5, "margin": None}
    assert found["overall_classified"]["value"] == pytest.approx(2 / 3)
    assert found["classes"]["Water"]["producers"]["value"] == 0.5
    assert found["classes"]["Building"]["area"] == {"value": 2.0, "margin": None}
    assert found["confusion"]["rows"] == ["Water", "Land", "Building", "Unlabeled"]


def test_plain_ids_and_other_numbers_in_a_reference(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", [[1, 2, 4, 4]])
    values = np.array([[[1, 2, -7, 77]]], np.int16)
    truth = str(write_raster(tmp_path / "t.tif", values, nodata=-7))
    found = assess(raster, truth)
    assert (found["facts"]["pixels"], found["overall"]["value"]) == (2, 1)
    assert any("skipped: 77" in text for text in found["warnings"])
    real = str(write_raster(tmp_path / "f.tif", np.array([[[1, 2, 4.5, np.nan]]], np.float32)))
    assert assess(raster, real)["facts"]["pixels"] == 2


def test_names_count_where_the_reference_has_them(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", [[1, 4]])
    truth = write_raster(tmp_path / "t.tif", np.array([[[10, 20]]], np.uint8))
    with rasterio.open(truth, "r+") as dataset:
        dataset.update_tags(CLASS_10="water #0000FF", CLASS_20="BUILDING #FF0000", CLASS_30="Other #00FF00")
    assert assess(raster, str(truth))["overall"]["value"] == 1


def test_a_reference_on_other_pixels_is_aligned_with_a_warning(tmp_path):
    ids = np.repeat(np.repeat(random_map(20, 25), 2, axis=0), 2, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids)
    coarse = write_class_map(tmp_path / "t.tif", random_map(20, 25), transform=ONE_METRE @ Affine.scale(2))
    found = assess(raster, coarse)
    assert found["overall"]["value"] == 1
    assert found["facts"]["pixels"] == np.count_nonzero(ids)
    assert any("nearest" in text for text in found["warnings"])
    part = write_class_map(tmp_path / "part.tif", ids[10:30, 10:40], transform=ONE_METRE @ Affine.translation(10, 10))
    found = assess(raster, part)
    assert found["overall"]["value"] == 1
    assert found["facts"]["pixels"] == np.count_nonzero(ids[10:30, 10:40])


def test_a_reference_with_an_undefined_crs_has_none(tmp_path):
    ids = random_map(20, 30)
    mapped = write_class_map(tmp_path / "m.tif", ids)
    undefined = 'LOCAL_CS["Undefined Cartesian SRS",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
    reference = str(write_raster(tmp_path / "r.tif", ids[None], crs=undefined))
    assert assess(mapped, reference)["overall"]["value"] == 1


def test_references_elsewhere_are_refused(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    far = write_class_map(tmp_path / "far.tif", random_map(), transform=Affine(1, 0, 0, 0, -1, 0))
    with pytest.raises(GeoreferenceError, match="same area"):
        assess(raster, far)
    plain = write_class_map(tmp_path / "plain.tif", random_map(9, 9), crs=None)
    with pytest.raises(GeoreferenceError, match="no CRS"):
        assess(raster, plain)
    three = str(write_raster(tmp_path / "rgb.tif", np.ones((3, 40, 50), np.uint8)))
    with pytest.raises(RasterOpenError, match="3 band"):
        assess(raster, three)
    with pytest.raises(RasterOpenError, match="cannot read"):
        assess(raster, str(tmp_path / "gone.tif"))
