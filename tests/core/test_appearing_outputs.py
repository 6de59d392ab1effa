"""Without overwriting, no tool replaces a file that appears at an output's path while it works."""

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin import core
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.requests import (
    AccuracyRequest,
    AccuracySampleRequest,
    BuildingsRequest,
    ChangeRequest,
    ClassFilesRequest,
    CorrectionsRequest,
    PolygonizeRequest,
    RecodeRequest,
    ReportRequest,
    RoadsRequest,
    SegmentationRequest,
)
from tests.factories import UTM40, random_pixels, stub_bundle, write_class_map, write_layer, write_raster

ROOM = "dubai_landcover_plugin.core"


@pytest.fixture
def inputs(tmp_path):
    """Folder with an image, a classified raster, buildings and zones."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    write_raster(folder / "image.tif", random_pixels(40, 40))
    ids = np.full((60, 60), 2, np.uint8)
    ids[20:26] = 3
    ids[40:50, 10:30] = 4
    write_class_map(folder / "map.tif", ids)
    write_class_map(folder / "later.tif", np.rot90(ids).copy())
    box = shapely.box(300_010, 2_779_950, 300_040, 2_779_980)
    write_layer(folder / "boxes.gpkg", [box], crs=UTM40)
    write_layer(folder / "corrections.gpkg", [box], crs=UTM40, to=np.array(["Road"], object))
    return folder


def tools(inputs, outputs):
    """Return functions that run the tools, by the module of each."""
    image, town, later, boxes = (str(inputs / name) for name in ("image.tif", "map.tif", "later.tif", "boxes.gpkg"))
    path = {name: str(outputs / name) for name in NAMES}
    extras = {"confidence": path["c.tif"], "polygons": path["p.shp"], "report": path["r.html"]}
    vectors = {"polygons": path["p.shp"], "buildings": path["b.gpkg"], "roads": path["l.fgb"]}
    extras |= vectors
    segmentation = SegmentationRequest(image, path["o.tif"], **extras)
    return {
        "segmentation.segment": lambda: run_segmentation(segmentation, bundle=stub_bundle()),
        "polygons.polygonize": lambda: core.polygonize(PolygonizeRequest(town, path["p.shp"])),
        "buildings.regularize": lambda: core.regularize_buildings(BuildingsRequest(boxes, path["b.gpkg"])),
        "roads.extract": lambda: core.extract_roads(RoadsRequest(town, path["l.fgb"], nodes=path["n.geojson"])),
        "report.report": lambda: core.write_report(
            ReportRequest(town, path["r.html"], csv=path["t.csv"], zones=boxes, zones_layer=path["z.gpkg"])
        ),
        "assessment.sample": lambda: core.draw_accuracy_sample(AccuracySampleRequest(town, path["s.gpkg"], size=20)),
        "assessment.assess": lambda: core.assess_accuracy(
            AccuracyRequest(town, later, report=path["r.html"], table=path["t.csv"])
        ),
        "change.compare": lambda: core.map_change(
            ChangeRequest(town, later, path["o.tif"], polygons=path["p.shp"], csv=path["t.csv"], report=path["r.html"])
        ),
        "corrections.correct": lambda: core.apply_corrections(
            CorrectionsRequest(town, str(inputs / "corrections.gpkg"), path["o.tif"], **vectors)
        ),
        "corrections.recode": lambda: core.recode_classes(
            RecodeRequest(town, path["o.tif"], ("Land=Road",), **vectors)
        ),
    }


NAMES = ("o.tif", "c.tif", "p.shp", "b.gpkg", "l.fgb", "n.geojson", "r.html", "t.csv", "z.gpkg", "s.gpkg")
OUTPUTS = {
    "segmentation.segment": ("o.tif", "c.tif", "p.shp", "b.gpkg", "l.fgb", "r.html"),
    "polygons.polygonize": ("p.shp",),
    "buildings.regularize": ("b.gpkg",),
    "roads.extract": ("l.fgb", "n.geojson"),
    "report.report": ("r.html", "t.csv", "z.gpkg"),
    "assessment.sample": ("s.gpkg",),
    "assessment.assess": ("r.html", "t.csv"),
    "change.compare": ("o.tif", "p.shp", "t.csv", "r.html"),
    "corrections.correct": ("o.tif", "p.shp", "b.gpkg", "l.fgb"),
    "corrections.recode": ("o.tif", "p.shp", "b.gpkg", "l.fgb"),
}


def appear(monkeypatch, module, path):
    """Let a file of the user appear as soon as the outputs of a request have been checked."""

    def check(*arguments):
        check_outputs(*arguments)
        path.write_text("the user's")

    monkeypatch.setattr(f"{ROOM}.{module}.check_outputs", check)


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in OUTPUTS.items() for name in names])
def test_a_file_that_appears_is_kept(inputs, tmp_path, monkeypatch, module, name):
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    appear(monkeypatch, module, outputs / name)
    with pytest.raises(OutputError, match=f"{name} exists"):
        tools(inputs, outputs)[module]()
    assert (outputs / name).read_text() == "the user's"
    assert not [path for path in outputs.iterdir() if path.name.startswith(".")]


def test_a_file_of_a_class_that_appears_is_kept(inputs, tmp_path, monkeypatch):
    appear(monkeypatch, "polygons.polygonize", tmp_path / "road.gpkg")
    request = ClassFilesRequest(str(inputs / "map.tif"), str(tmp_path), ("Road",), ".gpkg")
    with pytest.raises(OutputError, match=r"road\.gpkg exists"):
        core.export_class_polygons(request)
    assert (tmp_path / "road.gpkg").read_text() == "the user's"
