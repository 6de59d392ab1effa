"""The worker as the plugin starts it: a process, JSON lines, real files."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import rasterio

from dubai_landcover_plugin.core.io.outputs import journal_folder
from dubai_landcover_plugin.protocol.messages import PROTOCOL
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest
from dubai_landcover_plugin.protocol.requests.segmentation import (
    SegmentationRequest,
    SegmentationResult,
    SegmentOptions,
)
from tests.factories import ROOT, random_pixels, write_raster

COMMAND = [
    sys.executable,
    "-I",
    "-c",
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from dubai_landcover_plugin.core.worker import main; sys.exit(main())",
    str(ROOT),
]


@pytest.fixture
def start(clean_environment):
    """Start a worker with a first line; it is gone at the end whatever happens."""
    started = []

    def begin(line, command=COMMAND):
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment,
        )
        started.append(process)
        process.stdin.write(line if isinstance(line, str) else json.dumps(line) + "\n")
        process.stdin.flush()
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def task(name, request=None):
    return {"protocol": PROTOCOL, "task": name, "request": {} if request is None else request.to_json()}


def segmentation(tmp_path, model, size=100, **options):
    source = write_raster(tmp_path / "input.tif", random_pixels(size, size))
    return SegmentationRequest(str(source), str(tmp_path / "o.tif"), SegmentOptions(model=str(model), **options))


def test_segment_says_hello_then_progress_then_result(start, tmp_path, tiny_model):
    process = start(task("segment_raster", segmentation(tmp_path, tiny_model)))
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert process.wait(30) == 0
    assert lines[0]["type"] == "hello"
    assert lines[0]["protocol"] == PROTOCOL
    assert lines[0]["versions"]["rasterio"] == rasterio.__version__
    assert {"progress", "log"} <= {line["type"] for line in lines}
    assert lines[-1]["type"] == "result"
    result = SegmentationResult.from_json(lines[-1]["value"])
    assert result.valid_pixels == 10_000
    with rasterio.open(result.output) as dataset:
        assert dataset.shape == (100, 100)


SAVING_ALWAYS = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from dubai_landcover_plugin.core.segmentation import journal;"
    "journal.Journal.is_due = lambda self: True;"
    "from dubai_landcover_plugin.core.worker import main; sys.exit(main())"
)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("after", [200, 600])  # of 1000
def test_after_kill_9_the_same_request_goes_on_to_the_same_bytes(start, tmp_path, tiny_model, after):
    request = segmentation(tmp_path, tiny_model, 500, window=64, batch=1)
    command = [*COMMAND[:3], SAVING_ALWAYS, COMMAND[-1]]
    process = start(task("segment_raster", request), command)
    for line in iter(process.stdout.readline, ""):
        if json.loads(line).get("done", 0) >= after and (journal_folder(tmp_path / "o.tif") / "state.json").is_file():
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "o.tif").exists()
    process = start(task("segment_raster", request))
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert any("Resuming an interrupted run" in line.get("text", "") for line in lines)
    result = SegmentationResult.from_json(lines[-1]["value"])
    with rasterio.open(result.output) as dataset:
        resumed = dataset.read(1)
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
    process = start(task("segment_raster", replace(request, options=replace(request.options, overwrite=True))))
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    fresh = SegmentationResult.from_json(lines[-1]["value"])
    with rasterio.open(result.output) as dataset:
        assert (dataset.read(1) == resumed).all()
    assert (fresh.pixels, fresh.area_m2, fresh.windows) == (result.pixels, result.area_m2, result.windows)


def test_polygons_batch_and_doctor(start, tmp_path, tiny_model):
    source = segmentation(tmp_path, tiny_model)
    batch = FolderRequest(str(tmp_path), str(tmp_path / "out"), options=source.options)
    process = start(task("segment_folder", batch))
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert lines[-1]["value"]["done"] == 1
    classified = lines[-1]["value"]["items"][0]["output"]
    process = start(
        task("export_class_polygons", ClassFilesRequest(classified, str(tmp_path / "v"), ("Water",), min_area=0))
    )
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert os.path.isfile(lines[-1]["value"]["files"]["Water"])
    process = start(task("doctor"))
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert lines[-1]["value"]["python"] == sys.executable


def test_error_carries_code_message_and_remedy(start, tmp_path, tiny_model):
    request = segmentation(tmp_path, tiny_model)
    (tmp_path / "input.tif").write_bytes(b"damaged")
    process = start(task("segment_raster", request))
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert process.wait(30) == 1
    assert lines[-1]["type"] == "error"
    assert lines[-1]["code"] == "raster-open"
    assert "input.tif" in lines[-1]["message"]
    assert lines[-1]["remedy"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("hello?\n", "not a request"),
        ("[1]\n", "not a request"),
        ("\n", "not a request"),
        (json.dumps({"protocol": 99, "task": "segment_raster", "request": {}}) + "\n", "protocol 2, the plugin 99"),
        (json.dumps({"protocol": PROTOCOL, "task": "fly", "request": {}}) + "\n", "task 'fly' is unknown"),
        (json.dumps({"protocol": PROTOCOL, "task": "segment_raster", "request": {"input": "a"}}) + "\n", "output"),
    ],
)
def test_nonsense_is_answered(start, line, text):
    process = start(line)
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert process.wait(30) == 1
    assert lines[-1]["type"] == "error"
    assert text in lines[-1]["message"]


def wait_for_progress(process):
    for line in iter(process.stdout.readline, ""):
        message = json.loads(line)
        if message["type"] == "progress" and message["done"] > 0:
            return
    pytest.fail("no progress came")


def slow(tmp_path, model):
    return task("segment_raster", segmentation(tmp_path, model, 1500, window=32, overlap=16, batch=1))


def test_cancel_ends_the_run_within_two_seconds_and_leaves_nothing(start, tmp_path, tiny_model, stretched):
    process = start(slow(tmp_path, tiny_model))
    wait_for_progress(process)
    asked = time.monotonic()
    process.stdin.write('{"cancel": true}\n')
    process.stdin.flush()
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert process.wait(30) == 1
    taken = time.monotonic() - asked
    assert taken < stretched(2)
    assert lines[-1]["code"] == "cancelled"
    assert os.listdir(tmp_path) == ["input.tif"]


def test_end_of_input_ends_the_worker_and_leaves_nothing(start, tmp_path, tiny_model):
    process = start(slow(tmp_path, tiny_model))
    wait_for_progress(process)
    process.stdin.close()
    assert process.wait(10) == 1
    assert os.listdir(tmp_path) == ["input.tif"]


def test_what_libraries_print_does_not_reach_the_protocol(start, tmp_path):
    script = (
        "import sys, os; sys.path.insert(0, sys.argv.pop(1));"
        "from dubai_landcover_plugin.core import worker;"
        "worker._TASKS['doctor'] = lambda request, monitor: (print('noise'), os.write(1, b'more noise'), {})[2];"
        "sys.exit(worker.main())"
    )
    process = subprocess.run(
        [sys.executable, "-I", "-c", script, str(ROOT)],
        input=json.dumps(task("doctor")) + "\n" + " " * 10,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "noise" not in process.stdout


@pytest.mark.parametrize("fault", ["OSError('gone')", "RuntimeError('changed during iteration')"])
def test_end_of_input_ends_the_worker_even_where_tidying_fails(clean_environment, fault):
    script = (
        "import sys, time; sys.path.insert(0, sys.argv.pop(1));"
        "from dubai_landcover_plugin.core import worker\n"
        "def fail():\n"
        f"    raise {fault}\n"
        "worker.remove_own_partials = fail\n"
        "worker._TASKS['doctor'] = lambda request, monitor: time.sleep(600) or {}\n"
        "sys.exit(worker.main())"
    )
    process = subprocess.run(
        [sys.executable, "-I", "-c", script, str(ROOT)],
        input=json.dumps(task("doctor")) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=clean_environment,
    )
    assert process.returncode == 1


def test_messages_that_are_no_text_end_the_worker(clean_environment):
    script = (
        "import sys, time; sys.path.insert(0, sys.argv.pop(1));"
        "from dubai_landcover_plugin.core import worker;"
        "worker._TASKS['doctor'] = lambda request, monitor: time.sleep(600) or {};"
        "sys.exit(worker.main())"
    )
    process = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", script, str(ROOT)],
        input=(json.dumps(task("doctor")) + "\n").encode() + b"\n" * 9000 + b"[" * 200_000 + b"\n",
        capture_output=True,
        check=False,
        timeout=120,
        env=clean_environment,
    )
    assert process.returncode == 1
    assert b"result" not in process.stdout


def test_names_that_are_no_utf8_cross_the_protocol(start, tmp_path, tiny_model):
    folder = tmp_path / "images"
    folder.mkdir()
    write_raster(folder / "a.tif", random_pixels(20, 20))
    try:
        os.rename(folder / "a.tif", os.path.join(os.fsencode(folder), b"caf\xe9.tif"))
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    options = SegmentOptions(model=str(tiny_model))
    process = start(task("segment_folder", FolderRequest(str(folder), str(tmp_path / "out"), options=options)))
    lines = [json.loads(line) for line in iter(process.stdout.readline, "")]
    assert lines[-1]["type"] == "result", lines[-1]
    assert lines[-1]["value"]["items"][0]["input"].endswith("caf\udce9.tif")
