from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from dubai_landcover_plugin.core import create_label_layer
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, GeoreferenceError
from dubai_landcover_plugin.protocol.requests import LabelLayerRequest, SegmentOptions
from tests.factories import write_raster


@pytest.fixture
def raster(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    return str(write_raster(tmp_path / "image.tif", rng.integers(0, 255, (3, 256, 320), np.uint8)))


@pytest.mark.parametrize("sampling", ["spread", "uncertain"])
def test_an_empty_layer_and_places_that_do_not_overlap(raster: str, tmp_path: Path, sampling: str) -> None:
    request = LabelLayerRequest(
        raster, str(tmp_path / "labels.gpkg"), str(tmp_path / "places.gpkg"), sampling, count=3, size=96,
        new_classes=("Pool=#40A0E0",), options=SegmentOptions(model="dubai"),
    )  # fmt: skip
    result = create_label_layer(request)
    assert result.classes[-1] == "Pool"
    info = pyogrio.read_info(request.output, layer="labels")
    assert (info["features"], info["fields"].tolist()) == (0, ["class", "note"])
    meta, _, wkb, values = pyogrio.raw.read(request.places, layer="places")
    squares = shapely.from_wkb(wkb)
    assert len(squares) == result.count == 3
    assert shapely.area(squares).tolist() == [96 * 96] * 3
    assert shapely.area(shapely.union_all(squares)) == 3 * 96 * 96
    assert values[0].tolist() == [1, 2, 3]
    reasons = set(values[1].tolist())
    assert reasons <= {"spread at random", "the model is unsure", "ground unlike the training images"}
    assert ("spread at random" in reasons) == (sampling == "spread")
    assert meta["crs"] == "EPSG:32640"


def test_a_place_is_not_larger_than_the_raster_and_missing_places_are_named(raster: str, tmp_path: Path) -> None:
    places = str(tmp_path / "places.gpkg")
    request = LabelLayerRequest(raster, str(tmp_path / "labels.gpkg"), places, "spread", count=4, size=4096)
    result = create_label_layer(request)
    assert result.count == 1
    assert result.warnings == ("Only 1 of 4 places fit into the raster.",)


def test_what_cannot_be_labelled_is_refused(raster: str, tmp_path: Path) -> None:
    output = str(tmp_path / "labels.gpkg")
    bare = str(write_raster(tmp_path / "bare.tif", np.zeros((3, 64, 64), np.uint8), crs=None))
    with pytest.raises(GeoreferenceError, match="has no CRS"):
        create_label_layer(LabelLayerRequest(bare, output))
    with pytest.raises(ClassSchemeError, match="There is a class 'road'"):
        create_label_layer(LabelLayerRequest(raster, output, new_classes=("road",)))
    assert not Path(output).exists()
