import re
from pathlib import Path

import pytest

from dubai_landcover_plugin.core.io.outputs import (
    Outputs,
    class_files,
    data_sets_with,
    outputs_of,
    raster_requests,
    vector_files,
)
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.requests.assessment import AccuracyRequest, AccuracySampleRequest
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, RecodeRequest
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.labelling import CheckLabelsRequest, LabelLayerRequest, LabelledData
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.preview import PreviewRequest
from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, task_of
from dubai_landcover_plugin.protocol.requests.teaching import TeachRequest
from dubai_landcover_plugin.protocol.requests.training import (
    EvaluateRequest,
    ExportRequest,
    SampleDataRequest,
    TrainRequest,
)

OPTIONS = SegmentOptions(second="h.tif")
DATA = LabelledData(rasters=("in.tif",), labels="labels.gpkg", second="h.tif")
REQUESTS = {
    "segment_raster": SegmentationRequest(
        "in.tif", "o.tif", confidence="c.tif", novelty="n.tif", polygons="p.gpkg", buildings="b.shp", roads="r.fgb",
        report="r.html", within="area.gpkg", probabilities="q.tif",
        options=OPTIONS,
    ),
    "segment_folder": FolderRequest("in", "out", within="z.gpkg", options=OPTIONS),
    "polygonize": PolygonizeRequest("in.tif", "p.gpkg", confidence="c.tif", scheme="s.qml"),
    "export_class_polygons": ClassFilesRequest("in.tif", "out", confidence="c.tif", scheme="s.qml"),
    "regularize_buildings": BuildingsRequest("in.gpkg", "b.gpkg", obstacles="roads.gpkg|layername=roads"),
    "extract_roads": RoadsRequest("in.tif", "r.gpkg", nodes="n.gpkg", confidence="c.tif", scheme="s.qml"),
    "write_report": ReportRequest(
        "in.tif", "r.html", csv="r.csv", zones="z.gpkg", zones_layer="out.gpkg", confidence="c.tif", scheme="s.qml"
    ),
    "draw_accuracy_sample": AccuracySampleRequest("in.tif", "s.gpkg", scheme="s.qml"),
    "assess_accuracy": AccuracyRequest(
        "in.tif", "points.gpkg", report="r.html", table="t.csv", scheme="s.qml", reference_scheme="rs.qml"
    ),
    "map_change": ChangeRequest(
        "a.tif", "b.tif", "o.tif", polygons="p.shp", csv="m.csv", report="r.html",
        earlier_confidence="ac.tif", later_confidence="bc.tif", earlier_scheme="as.qml", later_scheme="bs.qml",
    ),
    "apply_corrections": CorrectionsRequest(
        "in.tif", "c.gpkg", "o.tif", polygons="p.shp", buildings="b.gpkg", roads="r.fgb", confidence="c.tif",
        scheme="s.qml",
    ),
    "recode_classes": RecodeRequest(
        "in.tif", "o.tif", ("Land=Road",), within="z.gpkg", polygons="p.shp", buildings="b.gpkg", roads="r.fgb",
        confidence="c.tif", scheme="s.qml",
    ),
    "reclassify_probabilities": ReclassifyRequest(
        "p.tif", "o.tif", average=("q.tif", "r.tif"), confidence="c.tif", uncertainty="u.tif", polygons="p.shp",
        buildings="b.gpkg", roads="r.fgb",
    ),
    "preview_land_cover": PreviewRequest("in.tif", "p.tif", OPTIONS, confidence="c.tif"),
    "teach_model": TeachRequest("in.tif", "labels.gpkg", "own.safetensors", options=OPTIONS),
    "create_label_layer": LabelLayerRequest("in.tif", "labels.gpkg", places="places.gpkg", options=OPTIONS),
    "check_labels": CheckLabelsRequest(DATA, report="r.html"),
    "train_model": TrainRequest("own.safetensors", DATA, run="run.d", report="r.html"),
    "evaluate_model": EvaluateRequest("world", DATA, report="r.html", table="t.csv"),
    "export_model": ExportRequest("out", "world"),
    "make_sample_data": SampleDataRequest("town.tif", "labels.gpkg", truth="truth.tif"),
}  # fmt: skip
"""A request of each task that names every file it can."""


@pytest.mark.parametrize("name", TASKS)
def test_every_path_of_every_request_is_an_input_or_an_output(name):
    request, task = REQUESTS[name], TASKS[name]
    assert task_of(request) is task
    listed = {*task.inputs, *task.outputs, *([task.folder] if task.folder else [])}
    values = {name: str(value) for name, value in request.option_values().items()}
    named = {name for name, value in values.items() if re.search(r"\.[a-z]+(\||',\)|'\)|$)", value)}
    if task.folder == "output":  # a folder whose files have no names yet
        named |= {"output"}
    assert listed - {"output_folder"} == named - {"suffix", "pattern"}


def test_files_of_a_segmentation():
    outputs = outputs_of(REQUESTS["segment_raster"])
    names = [
        "o.tif",
        "c.tif",
        "n.tif",
        "q.tif",
        "r.html",
        "o.run.json",
        "p.gpkg",
        "p.gpkg-wal",
        "p.gpkg-shm",
        "p.gpkg-journal",
    ]
    names += ["b.shp", "b.dbf", "b.shx", "b.prj", "b.cpg", "b.qml", "r.fgb", "r.qml"]
    assert [str(path) for path in outputs.written] == names
    sides = {f"{raster}.tif{suffix}": f"{raster}.tif" for raster in "ocnq" for suffix in (".aux.xml", ".ovr", ".msk")}
    sides |= {f"p.gpkg-{suffix}": "p.gpkg" for suffix in ("wal", "shm", "journal")}
    parts = ["dbf", "shx", "prj", "cpg", "qml", "qix", "sbn", "sbx", "idm", "ind", "qpj"]
    sides |= {f"b.{suffix}": "b.shp" for suffix in parts}
    sides["r.qml"] = "r.fgb"
    assert {str(side): str(path) for side, path in outputs.sides.items()} == sides


def test_files_of_a_folder():
    assert outputs_of(REQUESTS["segment_folder"]) == Outputs(
        updated=(Path("out/landcover_manifest.csv"), Path("out/landcover_manifest.json"))
    )
    (job,) = raster_requests(
        FolderRequest(
            "in", "out", polygons=".shp", buildings=".gpkg", roads=".fgb", novelty=True, probabilities=True, report=True
        ),
        [Path("in/a/b.tif")],
    )
    named = [job.output, job.confidence, job.novelty, job.probabilities, job.polygons, job.report]
    assert (job.buildings, job.roads) == ("out/a/b_buildings.gpkg", "out/a/b_roads.fgb")
    start = "out/a/b"
    assert named == [
        f"{start}_landcover.tif", None, f"{start}_novelty.tif", f"{start}_probabilities.tif", f"{start}_landcover.shp",
        f"{start}_landcover.html",
    ]  # fmt: skip


def test_files_of_classes():
    named = class_files("out", ".shp", DUBAI)
    assert named[DUBAI.find("Vegetation")] == Path("out/vegetation.shp")
    written = outputs_of(REQUESTS["export_class_polygons"], named.values()).written
    assert Path("out/building.dbf") in written


def test_every_part_of_a_shapefile_belongs_to_it():
    names = [path.name for path in vector_files("a/town.shp")]
    assert names == ["town.shp", "town.dbf", "town.shx", "town.prj", "town.cpg", "town.qml"]


def test_data_sets_that_share_a_side_file(tmp_path):
    for name in ("town.gpkg", "town.TAB", "town.tif", "town.qml"):
        (tmp_path / name).touch()
    assert data_sets_with(tmp_path / "town.qml") == [tmp_path / "town.gpkg", tmp_path / "town.TAB"]
    assert data_sets_with(tmp_path / "town.dbf") == []
