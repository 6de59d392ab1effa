"""A model from labels in a layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core import segment_raster, teach_model
from dubai_landcover_plugin.core.teaching import teach
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import (
    BundleError,
    ClassSchemeError,
    OutputError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests import SegmentationRequest, SegmentOptions, TeachRequest
from tests.core.teaching.test_session import Cancelling, town
from tests.factories import write_layer, write_raster, write_teachable_model

MONITOR = SilentMonitor()


def place(x: float, y: float) -> tuple[float, float]:
    """Map coordinates of pixels from the upper left corner."""
    return 300_000 + x, 2_780_000 - y


GEOMETRIES = [
    shapely.Point(place(30, 30)),
    shapely.LineString([place(80, 28), place(98, 28)]),
    shapely.box(*place(60, 95), *place(70, 85)),
    shapely.Point(place(110, 70)),
]
CLASSES = np.array(["Building", "vegetation", "1", "Building"], object)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    model = write_teachable_model(folder / "teachable.safetensors")
    raster = write_raster(folder / "town.tif", town(), nodata=0)
    write_layer(folder / "labels.gpkg", GEOMETRIES, **{"class": CLASSES})
    return folder, raster, SegmentOptions(model=str(model), runtime="torch", precision="float32", overwrite=True)


def request(files, output, labels=None, **changes):
    folder, raster, options = files
    return TeachRequest(str(raster), labels or str(folder / "labels.gpkg"), str(output), options=options, **changes)


def test_labels_make_a_model_that_a_run_uses(files, tmp_path):
    result = teach_model(request(files, tmp_path / "own.safetensors"), MONITOR)
    assert result.samples == {"Water": 1, "Building": 2, "Vegetation": 1}
    assert result.source == "teachable"
    assert set(result.classes) == set(result.samples)
    facts = read_metadata(result.output).training["teaching"]
    assert facts["samples"]["Building"] == 2
    assert facts["agreement"] == {"before": round(result.before, 4), "after": round(result.after, 4)}
    options = SegmentOptions(model=result.output, runtime="torch", precision="float32")
    segment_raster(SegmentationRequest(str(files[1]), str(tmp_path / "o.tif"), options), MONITOR)
    with rasterio.open(tmp_path / "o.tif") as dataset:
        classes = dataset.read(1)
    assert (classes[30, 30], classes[28, 90], classes[88, 65]) == (4, 5, 1)


def test_the_order_of_labels_does_not_matter(files, tmp_path):
    again = write_layer(tmp_path / "turned.gpkg", GEOMETRIES[::-1], **{"class": CLASSES[::-1]})
    first = teach_model(request(files, tmp_path / "a.safetensors"), MONITOR)
    second = teach_model(request(files, tmp_path / "b.safetensors", again), MONITOR)
    assert first.after == second.after
    contents = [(tmp_path / f"{name}.safetensors").read_bytes()[-20_000:] for name in "ab"]
    assert contents[0] == contents[1]


def test_labels_in_another_crs_and_some_that_do_not_count(files, tmp_path):
    geometries = [*GEOMETRIES, shapely.Point(place(5000, 30)), shapely.Point(place(5, 96)), shapely.Point(place(1, 1))]
    moved = shapely.transform(
        np.array(geometries, object),
        lambda xy: np.column_stack(rasterio.warp.transform("EPSG:32640", "EPSG:4326", xy[:, 0], xy[:, 1])[:2]),
    )
    values = np.array([*CLASSES, "Road", "Road", ""], object)
    labels = write_layer(tmp_path / "degrees.gpkg", moved, crs="EPSG:4326", kind=values)
    result = teach_model(request(files, tmp_path / "own.safetensors", labels, class_field="KIND", brush=0.0), MONITOR)
    assert result.samples == {"Water": 1, "Building": 2, "Vegetation": 1}
    assert result.warnings == (
        "1 labels without class or geometry were left out.",
        "2 labels are outside of the raster or on pixels without data and were left out.",
    )


def test_corrections_are_labels_of_the_class_that_they_set(files, tmp_path):
    texts = np.array([*CLASSES, "Unlabeled"], object)
    shapes = [*GEOMETRIES, shapely.Point(place(30, 60))]
    fields = {"from": np.full(5, "", object), "to": texts, "brush": np.array([np.nan, 3, 3, 9, 3])}
    corrections = write_layer(tmp_path / "corrections.gpkg", shapes, **fields)
    result = teach_model(request(files, tmp_path / "own.safetensors", corrections), MONITOR)
    assert result.samples == {"Water": 1, "Building": 2, "Vegetation": 1}
    assert result.warnings == ("1 labels without class or geometry were left out.",)
    pixels = read_metadata(result.output).training["teaching"]["pixels"]
    teach_model(request(files, tmp_path / "plain.safetensors"), MONITOR)
    narrow = read_metadata(tmp_path / "plain.safetensors").training["teaching"]["pixels"]
    assert pixels > narrow + 40  # the last point is 9 px wide, not 3


def test_corrections_of_one_class_teach_its_pixels_alone(files, tmp_path):
    options = files[2]
    segment_raster(SegmentationRequest(str(files[1]), str(tmp_path / "before.tif"), options), MONITOR)
    with rasterio.open(tmp_path / "before.tif") as dataset:
        before = dataset.read(1)
    names = {entry.id: entry.name for entry in DUBAI.classes}
    common, *_ = sorted(names, key=lambda number: -int((before == number).sum()))
    missing = next(number for number in names if not (before == number).any())
    target = "Water" if common != 1 else "Road"
    box = shapely.box(*place(0, 96), *place(128, 0))
    fields = {"from": np.array([names[common], names[missing]], object), "to": np.array([target] * 2, object)}
    layer = write_layer(tmp_path / "c.gpkg", [box, box], **fields)
    result = teach_model(request(files, tmp_path / "own.safetensors", layer), MONITOR)
    assert result.samples == {target: 1}
    assert result.warnings == (
        "1 corrections of one class have no pixel to which the model gives this class; they were left out.",
    )
    assert result.before == 0  # by definition: all its pixels have another class
    alone = write_layer(tmp_path / "d.gpkg", [box], **{name: values[1:] for name, values in fields.items()})
    with pytest.raises(RequestError, match="None of the 1 corrections has a pixel to which the model gives"):
        teach_model(request(files, tmp_path / "none.safetensors", alone), MONITOR)


def test_new_classes_get_an_output_and_a_free_id(files, tmp_path):
    values = np.array(["Lawn", "lawn", "Pool", "Building"], object)
    labels = write_layer(tmp_path / "l.gpkg", GEOMETRIES, **{"class": values})
    changes = {"new_classes": ("Lawn=#7cfc00", "Pool")}
    result = teach_model(request(files, tmp_path / "own.safetensors", labels, **changes), MONITOR)
    assert result.samples == {"Lawn": 2, "Pool": 1, "Building": 1}
    *_, lawn, pool = read_metadata(result.output).scheme.classes
    assert (lawn.id, lawn.name, lawn.colour) == (7, "Lawn", "#7CFC00")
    assert (pool.id, pool.name) == (8, "Pool")
    options = SegmentOptions(model=result.output, runtime="torch", precision="float32")
    found = segment_raster(SegmentationRequest(str(files[1]), str(tmp_path / "o.tif"), options), MONITOR)
    assert found.pixels["Lawn"] > 0


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["road"], "There is a class 'road' already"),
        (["Lawn", " lawn"], "There is a class 'lawn' already"),
        (["Lawn=green"], "#RRGGBB"),
        (["=#000000"], "needs a name"),
    ],
)
def test_new_classes_that_cannot_be_added(texts, message):
    with pytest.raises(ClassSchemeError, match=message):
        teach.new_classes(texts, DUBAI)


def test_a_single_label_has_no_cross_validation(files, tmp_path):
    labels = write_layer(tmp_path / "one.gpkg", GEOMETRIES[:1], **{"class": CLASSES[:1]})
    result = teach_model(request(files, tmp_path / "own.safetensors", labels), MONITOR)
    assert result.after is None
    assert "agreement" not in read_metadata(result.output).training["teaching"]


def test_many_labels_are_drawn_at_random(files, tmp_path, monkeypatch):
    monkeypatch.setattr(teach, "_MOST_LABELS", 2)
    result = teach_model(request(files, tmp_path / "own.safetensors"), MONITOR)
    assert sum(result.samples.values()) == 2
    assert "Of 4 labels, 2 drawn at random were used." in result.warnings


@pytest.mark.parametrize(
    ("layer", "changes", "error", "message"),
    [
        ({"class": np.array(["tent", "hut"], object)}, {}, ClassSchemeError, "not classes of the model: 'hut', 'tent'"),
        ({"class": np.array([7, 1])}, {}, ClassSchemeError, "not classes of the model: '7'"),
        ({"class": np.array(["", None], object)}, {}, RequestError, "None of the 2 labels has a geometry and a class"),
        ({"kind": np.array([1, 1])}, {}, RequestError, "no attribute 'class'"),
        ({"class": np.array([1, 1]), "far": True}, {}, RequestError, "None of the 2 labels is on the raster"),
        ({"class": np.array([1, 1])}, {"output": "model.pt"}, RequestError, "must end in .safetensors"),
    ],
)
def test_labels_that_cannot_be_used(files, tmp_path, layer, changes, error, message):
    shift = 9000 if layer.pop("far", False) else 0
    labels = write_layer(tmp_path / "l.gpkg", [shapely.Point(place(x + shift, 30)) for x in (20, 40)], **layer)
    output = tmp_path / changes.pop("output", "own.safetensors")
    with pytest.raises(error, match=message):
        teach_model(request(files, output, labels, **changes), MONITOR)
    assert not output.exists()


def test_outputs_that_cannot_be_written(files, tmp_path):
    source = files[2].model
    before = Path(source).read_bytes()
    with pytest.raises(BundleError, match="is the model that is being taught"):
        teach_model(request(files, source), MONITOR)
    assert Path(source).read_bytes() == before
    with pytest.raises(OutputError, match="does not exist"):
        teach_model(request(files, tmp_path / "missing" / "own.safetensors"), MONITOR)
    with pytest.raises(RunCancelled):
        teach_model(request(files, tmp_path / "own.safetensors"), Cancelling())
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_agreement_before_and_after(files, tmp_path, capsys):
    folder, raster, options = files
    words = [str(raster), str(folder / "labels.gpkg"), str(tmp_path / "own.safetensors")]
    flags = ["--model", options.model, "--runtime", "torch", "--precision", "float32", "--class-field", "class"]
    assert main(["teach", *words, *flags]) == 0
    printed = capsys.readouterr().out
    assert "agreement with the labels: before" in printed
    assert "Building          2 labels" in printed
    assert main(["teach", *words, *flags]) == 1
    assert "exists" in capsys.readouterr().err
