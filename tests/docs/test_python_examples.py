"""Every example of docs/python.md runs, on a small synthetic town, and writes what it names."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from dubai_landcover_plugin import core
from dubai_landcover_plugin.protocol.classes import DUBAI
from training.synthetic.scenes import write_scene

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
SIZE = 192


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples read."""
    folder = tmp_path_factory.mktemp("examples")
    image, truth = write_scene(folder / "image.tif", seed=7, size=SIZE)
    truth.rename(folder / "truth.tif")
    shutil.copy(image, folder / "image_2019.tif")
    write_scene(folder / "image_2024.tif", seed=8, size=SIZE)
    (folder / "images").mkdir()
    for number, name in enumerate(("a", "b")):
        write_scene(folder / "images" / f"{name}.tif", seed=number, size=64)
    for path in (folder / "images").glob("*_truth.tif"):
        path.unlink()
    with rasterio.open(image) as dataset:
        west, south, east, north = dataset.bounds
        crs = dataset.crs.to_wkt()
    middle = (west + east) / 2
    zones = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    names = np.array(["West", "East"], object)
    pyogrio.raw.write(
        folder / "districts.gpkg", shapely.to_wkb(zones), [names], ["name"], geometry_type="Polygon", crs=crs
    )
    quarter = [shapely.box(west, south, middle, (south + north) / 2)]
    fields = [np.array([value], object) for value in ("", "Building")]
    pyogrio.raw.write(
        folder / "corrections.gpkg", shapely.to_wkb(quarter), fields, ["from", "to"], geometry_type="Polygon", crs=crs
    )
    write_labels(folder)
    return folder


def write_labels(folder: Path) -> None:
    """Write three points in each class of the image, with the class."""
    with rasterio.open(folder / "truth.tif") as dataset:
        truth, crs, transform = dataset.read(1), dataset.crs.to_wkt(), dataset.transform
    draw = np.random.default_rng(0)
    places, names = [], []
    for entry in DUBAI.classes:
        rows, cols = np.nonzero(truth == entry.id)
        for index in draw.permutation(len(rows))[:3]:
            places.append(shapely.Point(transform @ (cols[index] + 0.5, rows[index] + 0.5)))
            names.append(entry.name)
    columns = [np.array(names, object)]
    pyogrio.raw.write(
        folder / "labels.gpkg", shapely.to_wkb(places), columns, ["class"], geometry_type="Point", crs=crs
    )


def label_points(points: Path, truth: Path) -> None:
    """Fill in the field ``reference`` of the sample from the true classes."""
    meta, _, geometries, columns = pyogrio.raw.read(points, layer="points")
    names = {entry.id: entry.name for entry in DUBAI.entries}
    with rasterio.open(truth) as dataset:
        places = [(point.x, point.y) for point in shapely.from_wkb(geometries)]
        values = [names[int(value[0])] for value in dataset.sample(places)]
    columns[list(meta["fields"]).index("reference")] = np.array(values, object)
    pyogrio.raw.write(
        points, geometries, columns, list(meta["fields"]), geometry_type=meta["geometry_type"], crs=meta["crs"]
    )


@pytest.fixture(scope="module")
def outcome(folder: Path) -> tuple[dict[str, Any], dict[int, str]]:
    """Names that the examples leave behind, and what each printed; they run one after the other, as on the page."""
    names: dict[str, Any] = {"__name__": "examples"}
    printed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, block in enumerate(BLOCKS):
            stream = io.StringIO()
            with contextlib.redirect_stdout(stream):
                exec(compile(block, f"{PAGE.name}, example {number + 1}", "exec"), names)
            printed[number] = stream.getvalue()
            if "AccuracySampleRequest(" in block:
                label_points(folder / "points.gpkg", folder / "truth.tif")
    return names, printed


def printed_by(outcome: tuple[dict[str, Any], dict[int, str]], part: str) -> str:
    """Return the output of the one example that contains ``part``."""
    (number,) = [number for number, block in enumerate(BLOCKS) if part in block]
    return outcome[1][number]


def test_the_page_shows_every_tool():
    text = "\n".join(BLOCKS)
    assert [name for name in core.__all__ if not re.search(rf"\b{name}\(", text)] == []


def test_every_file_that_an_example_names_is_there(outcome, folder):
    named = set(re.findall(r'"(\w+\.(?:tif|gpkg|html|csv))"', "\n".join(BLOCKS)))
    assert len(named) > 15
    assert sorted(name for name in named if not (folder / name).is_file()) == ["late.tif"]  # cancelled


def test_segmentation_counts_every_pixel(outcome):
    names, _ = outcome
    assert sum(names["result"].pixels.values()) == SIZE * SIZE
    assert printed_by(outcome, "(classes == 4)") == "True\n"
    assert " ha\n" in printed_by(outcome, "10_000")


def test_folder_and_vectors(outcome):
    names, _ = outcome
    assert (names["folder"].done, names["folder"].failed) == (2, 0)
    assert sum(names["polygons"].counts.values()) > 5
    assert names["buildings"].buildings >= names["buildings"].regular > 0
    assert names["roads"].lines > 0
    assert len(names["geometries"]) == names["buildings"].buildings


def test_areas_accuracy_and_change(outcome):
    names, _ = outcome
    assert names["report"].zones == 2
    assert sum(names["report"].areas.values()) == pytest.approx(names["report"].total_area)
    assert names["sample"].size == 60
    # The sample's interval covers the accuracy of all pixels.
    overall, everything = names["accuracy"].overall, names["wall_to_wall"].overall["value"]
    assert abs(overall["value"] - everything) <= 2 * overall["margin"]
    assert names["wall_to_wall"].kind == "raster"
    assert 0 < names["change"].changed < names["change"].compared


def test_a_corrected_map(outcome):
    names, _ = outcome
    assert sum(names["corrected"].changes.values()) == names["corrected"].changed > 0
    assert "→ Building" in printed_by(outcome, "CorrectionsRequest(")
    assert names["recoded"].pixels["Vegetation"] == 0


def test_other_classes_from_the_same_run(outcome):
    names, _ = outcome
    assert names["weighted"].pixels["Building"] > names["result"].pixels["Building"]


def test_a_taught_model_is_used(outcome, folder):
    names, _ = outcome
    assert names["taught"].before < 1
    assert names["taught"].after is not None
    assert (folder / "own.safetensors").is_file()
    assert (folder / "own_landcover.tif").is_file()


def test_progress_errors_and_json(outcome):
    names, _ = outcome
    assert "cancelled" in printed_by(outcome, "class Deadline")
    errors = printed_by(outcome, "SegmentOptions(min_confidence=1.5)")
    assert errors.startswith("request - min_confidence must be in 0..1, got 1.5.")
    assert "landcover.tif exists." in errors
    assert names["again"] == names["request"]
