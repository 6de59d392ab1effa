import json

import pytest
import rasterio

from dubai_landcover_plugin.cli import main
from dubai_landcover_plugin.core.request import SegmentationRequest, SegmentOptions, dumps

from .conftest import random_pixels, write_raster


@pytest.fixture
def source(tmp_path):
    return write_raster(tmp_path / "input.tif", random_pixels(80, 70))


def test_segment_prints_areas_and_paths(source, tmp_path, tiny_model, capsys):
    output = str(tmp_path / "o.tif")
    assert (
        main(["segment", str(source), output, "--model", str(tiny_model), "--polygons", str(tmp_path / "p.gpkg")]) == 0
    )
    printed = capsys.readouterr()
    assert "Building" in printed.out
    assert output in printed.out
    assert "Model tiny" in printed.err
    with rasterio.open(output) as dataset:
        assert dataset.shape == (80, 70)


def test_segment_takes_a_request_file(source, tmp_path, tiny_model, capsys):
    request = SegmentationRequest(
        str(source), str(tmp_path / "o.tif"), SegmentOptions(model=str(tiny_model), window=32)
    )
    (tmp_path / "request.json").write_text(dumps(request.to_json()))
    assert main(["segment", "--json", "--request", str(tmp_path / "request.json")]) == 0
    assert json.loads(capsys.readouterr().out)["valid_pixels"] == 5600


def test_every_option_reaches_the_run(source, tmp_path, tiny_model, capsys):
    arguments = (
        f"segment {source} {tmp_path}/o.tif --model {tiny_model} --bands 3 2 1 --min-confidence 0.3 --window 32 "
        "--overlap 8 --batch 3 --device cpu --precision float32 --gsd-mode never --gsd 1.0 --crs EPSG:32639 "
        "--nodata 7 --stretch none --limits 0:200 --min-area 3 --simplify 0.5 --overwrite "
        "--extent 300000 2779950 300050 2780000 --json"
    )
    assert main(arguments.split()) == 0
    capsys.readouterr()
    record = json.loads((tmp_path / "o.run.json").read_text())
    options = SegmentationRequest.from_json(record["request"]).options
    assert options == SegmentOptions(
        str(tiny_model), (3, 2, 1), 0.3, 32, 8, 3, "cpu", "float32", "never", 1.0, "EPSG:32639", 7.0, "none",
        ((0.0, 200.0),), False, 3.0, 0.5, True,
    )  # fmt: skip
    assert record["request"]["extent"] == [300000, 2779950, 300050, 2780000]


def test_batch_polygons_and_accuracy(source, tmp_path, tiny_model, capsys):
    out = tmp_path / "out"
    assert main(["batch", str(tmp_path), str(out), "--model", str(tiny_model)]) == 0
    assert "1 done, 0 skipped, 0 failed" in capsys.readouterr().out
    classified = str(out / "input_landcover.tif")
    arguments = [
        "polygons",
        classified,
        str(out / "v"),
        "--classes",
        "Water",
        "Road",
        "--format",
        "gpkg",
        "--min-area",
        "0",
    ]
    assert main(arguments) == 0
    assert (out / "v" / "water.gpkg").exists()
    capsys.readouterr()
    assert main(["accuracy", classified, classified, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1.0


def test_failing_batch_has_an_exit_status(source, tmp_path, tiny_model, capsys):
    (tmp_path / "broken.tif").write_bytes(b"")
    assert main(["batch", str(tmp_path), str(tmp_path / "out"), "--model", str(tiny_model)]) == 1
    assert "1 failed" in capsys.readouterr().out


def test_errors_are_two_lines_and_a_status(source, tmp_path, capsys):
    assert main(["segment", str(source), str(source), "--overwrite"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("is the input itself.")
    assert lines[1].strip() == "Choose another output path."


def test_missing_paths_are_told(capsys):
    assert main(["segment"]) == 1
    assert "input and an output path are needed" in capsys.readouterr().err


def test_doctor_and_models(capsys):
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"]
    main(["models", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert listed == [{key: model[key] for key in ("name", "title", "gsd", "path")} for model in found["models"]]
