import json
import os
import signal
import subprocess
import sys

import pytest
import rasterio

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.protocol import model_folders
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import ROOT, random_pixels, write_raster


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
        "--overlap 8 --batch 3 --memory 700 --device cpu --runtime torch --precision float32 --tta "
        "--gsd-mode never --gsd 1.0 --crs EPSG:32639 --nodata 7 --alpha no --stretch none --limits 0:200 --min-area 3 "
        "--simplify 0.5 --overwrite --cog --keep --extent 300000 2779950 300050 2780000 --json"
    )
    assert main(arguments.split()) == 0
    capsys.readouterr()
    record = json.loads((tmp_path / "o.run.json").read_text())
    options = SegmentationRequest.from_json(record["request"]).options
    assert options == SegmentOptions(
        str(tiny_model), (3, 2, 1), 0.3, 32, 8, 3, 700, "cpu", "torch", "float32", True, "never", 1.0, "EPSG:32639",
        7.0, "no", "none", ((0.0, 200.0),), False, 3.0, 0.5, "natural", True, True, True,
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


def test_errors_are_one_line_with_the_remedy_and_a_status(source, tmp_path, capsys):
    assert main(["segment", str(source), str(source), "--overwrite"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("landcover: ")
    assert line.endswith("is the input itself. Choose another output path.")


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


def test_a_damaged_model_does_not_hide_the_others(tmp_path, monkeypatch, capsys):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10" + bytes(7) + b"[" * 16)
    shipped = model_folders.model_folders()
    monkeypatch.setattr(model_folders, "model_folders", lambda: [tmp_path, *shipped])
    assert main(["models"]) == 0
    printed = capsys.readouterr()
    assert "dubai: " in printed.out
    assert "damaged.safetensors is damaged" in printed.err


SHELL = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from dubai_landcover_plugin.cli.main import main;sys.exit(main())"
)


LISTEN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "[signal.signal(getattr(signal, name), signal.SIG_DFL) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name)];"
)
"""Hears signals even where the tests themselves run in the background and inherit deaf ears."""


def start(*arguments, before="", **keywords):
    command = [sys.executable, "-I", "-X", "utf8", "-c", LISTEN + before + SHELL, str(ROOT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **keywords)


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_cancel_the_run_and_leave_nothing(tmp_path, tiny_model, name):
    source = write_raster(tmp_path / "input.tif", random_pixels(1500, 1500))
    arguments = ["--model", tiny_model, "--window", 32, "--overlap", 16, "--batch", 1, "--runtime", "torch"]
    with start("segment", source, tmp_path / "o.tif", *arguments) as process:
        assert "Model tiny" in process.stderr.readline()
        process.send_signal(getattr(signal, name))
        printed = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "cancelled" in printed[1]
    assert "Traceback" not in printed[1]
    assert os.listdir(tmp_path) == ["input.tif"]


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_signals_that_the_caller_ignores_stay_ignored(tmp_path, tiny_model):
    source = write_raster(tmp_path / "input.tif", random_pixels(200, 200))
    before = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    with start("segment", source, tmp_path / "o.tif", "--model", tiny_model, before=before) as process:
        assert "Model tiny" in process.stderr.readline()
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["accuracy", "a", "b"], "assessment.compare.compare_maps"),
        (["doctor"], "doctor.examine"),
    ],
)
def test_commands_that_poll_nothing_end_at_ctrl_c(arguments, place):
    module, _, name = place.rpartition(".")
    before = (
        f"import sys, time; sys.path.insert(0, sys.argv[1]); import dubai_landcover_plugin.core.{module} as module;"
        f"module.{name} = lambda *paths: (print('ready', flush=True), time.sleep(600)); "
    )
    with start(*arguments, before=before) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in printed[1]


def test_handlers_are_put_back(source, tmp_path, tiny_model):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert main(["segment", str(source), str(tmp_path / "o.tif"), "--model", str(tiny_model)]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "cannot be read"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[1]", "SegmentationRequest must be an object"),
        (b'{"input": "a"}', "Missing keys in SegmentationRequest: output"),
        (b'{"input": "a", "output": "b.tif", "options": {"nodata": NaN}}', "nodata must be a finite number"),
    ],
)
def test_request_files_that_no_run_can_use_are_told(tmp_path, capsys, content, text):
    path = tmp_path / "request.json"
    if content is not None:
        path.write_bytes(content)
    assert main(["segment", "--request", str(path)]) == 1
    printed = capsys.readouterr().err
    assert str(path) in printed
    assert text in printed


def test_request_file_may_be_a_folder_or_have_a_byte_order_mark(source, tmp_path, tiny_model, capsys):
    assert main(["segment", "--request", str(tmp_path)]) == 1
    assert "cannot be read" in capsys.readouterr().err
    request = SegmentationRequest(str(source), str(tmp_path / "o.tif"), SegmentOptions(model=str(tiny_model)))
    (tmp_path / "request.json").write_text(dumps(request.to_json()), encoding="utf-8-sig")
    assert main(["segment", "--request", str(tmp_path / "request.json")]) == 0


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_names_that_are_no_utf8_are_printed_escaped(tmp_path, tiny_model, flags):
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    folder = os.fsdecode(folder)
    source = write_raster(tmp_path / "a.tif", random_pixels(20, 20))
    os.rename(source, os.path.join(folder, "a.tif"))
    with start("batch", folder, os.path.join(folder, "out"), "--model", tiny_model, *flags) as process:
        printed = process.communicate(timeout=120)
    assert "Traceback" not in printed[1]
    assert "caf\\udce9" in printed[0]
    if flags:
        assert json.loads(printed[0])["items"][0]["input"] == os.path.join(folder, "a.tif")


def test_polygons_in_a_format_that_is_not_written_make_no_folder(source, tmp_path, capsys):
    assert main(["polygons", str(source), str(tmp_path / "out.kml")]) == 1
    assert "out.kml is neither a folder nor a vector file that can be written: .kml" in capsys.readouterr().err
    assert not (tmp_path / "out.kml").exists()
