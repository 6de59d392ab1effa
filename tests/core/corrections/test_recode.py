"""Classes replaced by others, written to a new classified raster."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core import recode_classes
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    GeoreferenceError,
    RequestError,
)
from dubai_landcover_plugin.protocol.requests import RecodeRequest
from tests.core.corrections.cases import (
    LAND,
    MONITOR,
    ROAD,
    VEGETATION,
    pixels,
    square,
    town,
)
from tests.factories import write_layer


def test_classes_are_exchanged_at_once(files, tmp_path):
    result = recode_classes(
        RecodeRequest(str(files / "map.tif"), str(tmp_path / "o.tif"), ("Land=Road", "road = 2", "Water=Land")), MONITOR
    )
    ids = town()
    assert (pixels(tmp_path / "o.tif") == np.where(ids == LAND, ROAD, np.where(ids == ROAD, LAND, ids))).all()
    assert (result.edits, result.unused) == (3, 1)
    assert result.changes == {"Land → Road": int((ids == LAND).sum()), "Road → Land": 2000}


def test_classes_are_replaced_within_polygons(files, tmp_path):
    shapes = [square(0, 50, 100, 80), square(50, 50, 120, 80), shapely.Point(300_001, 2_779_999)]
    zones = write_layer(tmp_path / "zones.gpkg", shapes)
    pairs = ("Road=Land", "Land=Vegetation")
    result = recode_classes(
        RecodeRequest(str(files / "map.tif"), str(tmp_path / "o.tif"), pairs, within=zones), MONITOR
    )
    ids = town()
    ids[50:80, :120] = np.where(ids[50:80, :120] == ROAD, LAND, VEGETATION)
    assert (pixels(tmp_path / "o.tif") == ids).all()
    assert result.warnings == ("1 features are not polygons and were left out.",)


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        (("0=Land",), ClassSchemeError, "id 0, which is no data"),
        (("Street=Land",), ClassSchemeError, "not classes of the raster: 'Street'"),
        (("Land=Road", "2=Building"), ClassSchemeError, "replace a class twice"),
    ],
)
def test_pairs_that_cannot_be_replaced(files, tmp_path, pairs, error, message):
    with pytest.raises(error, match=message):
        recode_classes(RecodeRequest(str(files / "map.tif"), str(tmp_path / "o.tif"), pairs), MONITOR)


def test_polygons_are_needed_to_recode_within(files, tmp_path):
    points = write_layer(tmp_path / "points.gpkg", [shapely.Point(1, 1)])
    far = write_layer(tmp_path / "far.gpkg", [square(900, 0, 950, 10)])
    for layer, error, message in ((points, RequestError, "has no polygons"), (far, GeoreferenceError, "None of the 1")):
        with pytest.raises(error, match=message):
            recode_classes(
                RecodeRequest(str(files / "map.tif"), str(tmp_path / "o.tif"), ("Land=Road",), within=layer), MONITOR
            )
