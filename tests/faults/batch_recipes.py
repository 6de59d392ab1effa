"""Batches: results, images and weights that change, two at once."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np

from tests.factories import write_raster
from tests.faults.contents import content, contents
from tests.faults.jobs import Job
from tests.faults.recipes import BATCH, Place, recipe, segment_on
from tests.faults.system_calls import Fault
from tests.faults.trials import run_job


@recipe
def batch_notices_changed_results(place: Place) -> None:
    """A result that was emptied or replaced after a batch is made again, or named; it is never skipped."""
    place.succeed(*BATCH, "--polygons", "gpkg", "--confidence", "--report")
    right = contents(place.out)
    for name in ("a_landcover.gpkg", "a_landcover.tif", "a_confidence.tif", "a_landcover.html"):
        path = place.out / name
        kept, times = path.read_bytes(), path.stat()
        for damaged in (b"", kept[: len(kept) // 2], kept[:-20] + bytes(20)):
            path.write_bytes(damaged)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            done = place.run(*BATCH, "--polygons", "gpkg", "--confidence", "--report")
            if done.code == 0:
                assert content(path) == right[name], f"{name} with {len(damaged)} bytes is skipped"
            else:
                assert name in done.output, done.output[-300:]
                path.write_bytes(kept)
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@recipe
def batch_notices_a_replaced_image_of_the_same_size_and_time(place: Place) -> None:
    """Equal size and time do not make an equal input."""
    image = place.inputs / "images" / "a.tif"
    times = image.stat()
    other = np.flip(place.image()[:, :64], 2)
    place.succeed(*BATCH)
    old = content(place.out / "a_landcover.tif")
    write_raster(image, other)
    assert image.stat().st_size == times.st_size
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    place.succeed(*BATCH)
    assert content(place.out / "a_landcover.tif") != old


@recipe
def an_image_replaced_during_a_run(place: Place) -> None:
    """Whether replaced or overwritten in place: the result is of one image, and the next batch knows which."""
    image, states = place.inputs / "images" / "a.tif", {}
    (place.inputs / "images" / "b.tif").unlink()
    new, old = image.read_bytes(), (place.base / "old" / "images" / "a.tif").read_bytes()
    for name, raw in (("new", new), ("old", old)):
        image.write_bytes(raw)
        place.succeed(*BATCH, "--redo", "--window", "32")
        states[name] = content(place.out / "a_landcover.tif")
    actions = {
        "replaced": lambda: (image.with_name("b").write_bytes(new), os.replace(image.with_name("b"), image)),
        "overwritten": lambda: image.open("r+b").write(new),
    }
    for how, action in actions.items():
        for at in (0, 3, 8, 14):
            image.write_bytes(old)
            shutil.rmtree(place.out)
            place.out.mkdir()
            done = place.run(*BATCH, "--window", "32", fault=Fault("meanwhile", at, action=action))
            assert done.hit
            present = content(place.out / "a_landcover.tif") if (place.out / "a_landcover.tif").exists() else ""
            assert present in ("", *states.values()), f"{how} at {at}: a mixture of both images: {done.output[-300:]}"
            assert done.code or present, f"{how} at {at}: success without a result"
            place.succeed(*BATCH, "--window", "32", "--redo" if done.code else "--recursive")
            assert content(place.out / "a_landcover.tif") == states["new"], f"{how} at {at}: the next batch skips"


@recipe
def external_weights_belong_to_the_model(place: Place) -> None:
    """Other weights in the file beside an ONNX file give another result, also with a cache."""
    import onnx

    model = place.inputs / "town.onnx"
    onnx.save(onnx.load(model), model, save_as_external_data=True, location="town.bin", size_threshold=0)
    results = {}
    for name in ("right", "reversed"):
        if name == "reversed":
            weights = np.frombuffer((place.inputs / "town.bin").read_bytes(), np.float32)
            (place.inputs / "town.bin").write_bytes(weights[::-1].tobytes())
        for runtime in ("openvino", "onnxruntime"):
            done = place.run(*segment_on(place.inputs / "image.tif", runtime=runtime))
            assert done.code == 0 or ("town.bin" in done.output or "external" in done.output), done.output[-300:]
            results[name, runtime] = content(place.out / "o.tif") if done.code == 0 else None
    for runtime in ("openvino", "onnxruntime"):
        assert results["right", runtime] is None or results["right", runtime] != results["reversed", runtime]


@recipe
def names_that_geopackage_layers_must_not_have(place: Place) -> None:
    """A batch with polygons works for rasters of any name."""
    names = (
        "-1",
        "(x)",
        "[a",
        "#1",
        "+1",
        "~a",
        "'a",
        "&a",
        "@a",
        "$a",
        "!a",
        "%a",
        ".a",
        "a\nb",
        "gpkg_x",
        "1",
        "ä b",
    )
    shutil.rmtree(place.inputs / "images")
    for name in names:
        write_raster(place.inputs / "images" / f"{name}.tif", place.image()[:, :40, :40])
    done = place.run(*BATCH, "--polygons", "gpkg")
    for name in names:
        path = place.out / f"{name}_landcover.gpkg"
        if name.startswith("."):
            continue  # hidden files are not taken
        if path.exists():  # under a plain name GDAL reads it for certain
            shutil.copy(path, place.out / "plain.gpkg")
            assert not content(place.out / "plain.gpkg").startswith("unreadable"), name
        else:
            assert not path.with_suffix(".tif").exists(), f"{name!r} fails after the raster: {done.output[-300:]}"


@recipe
def two_batches_into_one_folder(place: Place) -> None:
    """Both manifests' rows are there, or one batch is refused; no raster is called failed that was made."""
    for turn in range(3):
        shutil.rmtree(place.out)
        place.out.mkdir()
        other = os.fork()
        words = (*BATCH, "--pattern", "a.tif") if other else (*BATCH, "--pattern", "b.tif")
        log = place.folder.parent / f"log-{bool(other)}.txt"
        done = run_job(Job("batch", words, replaces=True), place.folder, Fault(), overwrite=False, log=log)
        if not other:
            os._exit(done.code if done.code >= 0 else 99)
        second = os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
        with (place.out / "landcover_manifest.csv").open() as stream:
            rows = {Path(row["input"]).name: row["status"] for row in csv.DictReader(stream)}
        codes = {"a.tif": done.code, "b.tif": second}
        for name, code in codes.items():
            made = (place.out / name.replace(".tif", "_landcover.tif")).exists()
            assert code or (made and rows.get(name) == "done"), f"turn {turn}: {name}: {rows}, {codes}"
        items = json.loads((place.out / "landcover_manifest.json").read_text())["items"]
        assert {Path(item["input"]).name for item in items} == set(rows)
