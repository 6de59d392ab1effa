"""The example in the docstring of each tool runs over a small synthetic raster and gives the output shown."""

from __future__ import annotations

import doctest
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

from dubai_landcover_plugin import core
from dubai_landcover_plugin.core.polygons.polygonize import export_class_polygons
from dubai_landcover_plugin.protocol.class_tags import class_tags
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests import ClassFilesRequest
from tests.core.segmentation.cases import run
from tests.factories import stub_bundle, write_layer

CORRECTED = np.array(["Building", "Land"], object)
LAND, ROAD, BUILDING = 2, 3, 4


def class_map() -> npt.NDArray[np.uint8]:
    """Return (64, 96) class ids: a road 4 px wide across land, and two buildings."""
    classes = np.full((64, 96), LAND, np.uint8)
    classes[30:34] = ROAD
    classes[8:20, 10:26] = classes[44:56, 60:80] = BUILDING
    return classes


def write_raster(path: Path, pixels: npt.NDArray[np.uint8], tags: dict[str, str]) -> None:
    """Write (C, 64, 96) pixels of 1 m."""
    count, height, width = pixels.shape
    profile = {"count": count, "height": height, "width": width, "dtype": "uint8", "crs": "EPSG:32640"}
    with rasterio.open(path, "w", driver="GTiff", transform=from_origin(300_000, 2_800_000, 1, 1), **profile) as file:
        file.write(pixels)
        file.update_tags(**tags)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the files that the examples read."""
    classes, tags = class_map()[None], class_tags(DUBAI)
    colours = np.array([(0, 0, 0), *(entry.rgb for entry in DUBAI.entries)], np.uint8)
    image = np.moveaxis(colours[classes[0]], -1, 0)
    write_raster(tmp_path / "image.tif", image, {})
    (tmp_path / "images").mkdir()
    write_raster(tmp_path / "images" / "a.tif", image, {})
    write_raster(tmp_path / "landcover.tif", classes, tags)
    write_raster(tmp_path / "truth.tif", classes, tags)
    write_raster(tmp_path / "before.tif", np.where(classes == BUILDING, np.uint8(LAND), classes), tags)
    request = ClassFilesRequest(str(tmp_path / "landcover.tif"), str(tmp_path), classes=("Building",), suffix=".gpkg")
    export_class_polygons(request, SilentMonitor())
    (tmp_path / "run").mkdir()
    write_raster(tmp_path / "run" / "image.tif", image, {})
    run(tmp_path / "run" / "image.tif", stub_bundle(2), probabilities=str(tmp_path / "probabilities.tif"))
    house = shapely.box(300_008, 2_799_976, 300_028, 2_799_994)
    write_layer(tmp_path / "corrections.gpkg", [house], **{"from": CORRECTED[:1], "to": CORRECTED[1:]})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["core", *core.__all__])
def test_the_example_gives_what_it_shows(name, caplog):
    caplog.set_level(logging.INFO)
    documented = core if name == "core" else getattr(core, name)
    (example,) = [found for found in doctest.DocTestFinder(recurse=False).find(documented, name) if found.examples]
    output: list[str] = []
    result = doctest.DocTestRunner().run(example, out=output.append)
    assert result.failed == 0, "".join(output)
    assert result.attempted >= 3
    assert caplog.records, "progress is logged where no monitor is given"


@pytest.mark.parametrize("name", core.__all__)
def test_every_example_uses_its_own_tool(name):
    example = getattr(core, name).__doc__.split("Example:")[1]
    assert f">>> from dubai_landcover_plugin.core import {name}\n" in example
    assert f"{name}(" in example
