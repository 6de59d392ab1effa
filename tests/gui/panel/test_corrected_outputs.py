"""What Apply Corrections makes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from osgeo import gdal
from qgis.core import QgsRasterLayer

from dubai_landcover_plugin.gui.panel.classified import Classified, read_classified
from dubai_landcover_plugin.gui.panel.corrected_outputs import corrected_outputs
from tests.processing.qgis_fixtures import write_classes

pytestmark = pytest.mark.qgis


@pytest.fixture(autouse=True)
def _application(qgis_app: object) -> None:
    """QGIS."""


def raster_with(folder: Path, **tags: Any) -> Classified:
    """Return a classified raster with tags, which are JSON unless they are texts."""
    path = write_classes(folder / "map.tif")
    dataset = gdal.Open(path, gdal.GA_Update)
    for name, value in tags.items():
        dataset.SetMetadataItem(name, value if isinstance(value, str) else json.dumps(value))
    del dataset
    return read_classified(QgsRasterLayer(path, "map"))


def test_files_like_those_of_the_run_that_do_not_exist(tmp_path: Path):
    confidence = tmp_path / "confidence.tif"
    run = {
        "polygons": "/elsewhere/areas.fgb",
        "buildings": "C:\\data\\houses.shp",
        "roads": None,
        "confidence": str(confidence),
        "simplify": 0,
        "road_class": "Road",
    }
    (tmp_path / "areas_corrected.fgb").write_text("here")
    raster = raster_with(tmp_path, LANDCOVER_RUN={"request": run})
    found = {
        "POLYGONS": str(tmp_path / "areas_corrected_2.fgb"),
        "BUILDINGS": str(tmp_path / "houses_corrected.shp"),
        "SIMPLIFY": 0,
        "ROAD_CLASS": "Road",
    }
    assert corrected_outputs(raster, tmp_path / "map_corrected.tif") == found
    confidence.write_text("there")
    assert corrected_outputs(raster, tmp_path / "new.tif") == {**found, "CONFIDENCE": str(confidence)}


def test_later_edits_count_and_files_of_one_name_get_two(tmp_path: Path):
    edits = [{"request": {"polygons": "/a/map.gpkg", "min_area": 5.0}}, {"request": {"roads": "/b/map.gpkg"}}]
    run = {"request": {"polygons": "/a/first.gpkg", "min_area": 20.0}}
    raster = raster_with(tmp_path, LANDCOVER_RUN=run, LANDCOVER_EDITS=edits)
    assert corrected_outputs(raster, tmp_path / "new.tif") == {
        "POLYGONS": str(tmp_path / "map_corrected.gpkg"),
        "ROADS": str(tmp_path / "map_corrected_2.gpkg"),
        "MIN_AREA": 5.0,
    }


@pytest.mark.parametrize(
    ("run", "edits"),
    [
        ("", ""),
        ("no JSON", "[" * 100_000),
        ({"request": {"polygons": None, "min_area": 20.0}}, [1, {"request": 2}]),
        ({"request": {"polygons": 3}}, {"request": {}}),
        ([], None),
    ],
)
def test_nothing_was_asked_for(tmp_path: Path, run: Any, edits: Any):
    raster = raster_with(tmp_path, LANDCOVER_RUN=run, LANDCOVER_EDITS=edits)
    assert corrected_outputs(raster, tmp_path / "new.tif") == {}
