"""Random points, stratified by class."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from dubai_landcover_plugin.core.assessment.assess import assess_accuracy
from dubai_landcover_plugin.core.assessment.sample import FIELDS, draw_accuracy_sample
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    OutputError,
    RasterOpenError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.assessment import (
    AccuracyRequest,
    AccuracySampleRequest,
)
from tests.core.assessment.cases import NAMES, ROTATED, assess, draw, label, random_map
from tests.factories import write_class_map


def test_points_lie_on_pixel_centres_of_their_class(tmp_path):
    ids = random_map()
    raster = write_class_map(tmp_path / "m.tif", ids)
    value = draw(raster, tmp_path / "p.gpkg", size=120, min_per_class=10)
    layer = read_vector(value["output"])
    assert list(layer.fields) == list(FIELDS)
    assert len(layer.geometries) == value["size"] == sum(value["points"].values()) == 120
    cols = shapely.get_x(layer.geometries) - 300_000 - 0.5
    rows = 2_780_000 - shapely.get_y(layer.geometries) - 0.5
    assert np.array_equal(cols, cols.round())
    assert len({*zip(rows, cols, strict=True)}) == 120
    assert np.array_equal(ids[rows.astype(int), cols.astype(int)], layer.fields["stratum"])
    assert [NAMES[i - 1] for i in layer.fields["stratum"]] == layer.fields["map_class"].tolist()
    assert layer.fields["point_id"].tolist() == list(range(1, 121))
    assert set(layer.fields["reference"]) == {None}
    for class_id, pixels in zip(layer.fields["stratum"], layer.fields["stratum_px"], strict=True):
        assert pixels == np.count_nonzero(ids == class_id)


def test_the_order_tells_nothing(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", np.repeat([[1], [2]], 1000, axis=0).repeat(20, axis=1))
    draw(raster, tmp_path / "p.gpkg", size=200, allocation="equal")
    layer = read_vector(str(tmp_path / "p.gpkg"))
    first_half = layer.fields["stratum"][:100]
    assert 25 < np.count_nonzero(first_half == 1) < 75
    assert abs(np.corrcoef(np.arange(200), shapely.get_y(layer.geometries))[0, 1]) < 0.3


def test_the_seed_decides(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    drawn = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw(raster, tmp_path / f"{name}.gpkg", size=60, min_per_class=5, seed=seed)
        drawn.append(shapely.to_wkt(read_vector(str(tmp_path / f"{name}.gpkg")).geometries).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_pixel_may_be_drawn_alike(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", np.full((5, 4), 2))
    hits = np.zeros((5, 4))
    for seed in range(60):
        draw(raster, tmp_path / "p.fgb", size=10, min_per_class=10, seed=seed, overwrite=True)
        layer = read_vector(str(tmp_path / "p.fgb"))
        rows = (2_780_000 - shapely.get_y(layer.geometries)).astype(int)
        hits[rows, (shapely.get_x(layer.geometries) - 300_000).astype(int)] += 1
    assert hits.sum() == 600
    assert hits.min() > 15  # 30 on the average, with a deviation of 4
    assert hits.max() < 45


def test_a_class_of_few_pixels_is_taken_whole(tmp_path):
    ids = np.full((20, 20), 2)
    ids[3, 4], ids[7, :3] = 1, 4
    value = draw(write_class_map(tmp_path / "m.tif", ids), tmp_path / "p.gpkg", size=50, min_per_class=10)
    assert value["points"] == {"Water": 1, "Land": 46, "Building": 3}
    assert [text for text in value["warnings"] if "all of them" in text] == [
        "Water has 1 pixel: all of them are in the sample.",
        "Building has 3 pixels: all of them are in the sample.",
    ]


@pytest.mark.parametrize(
    ("ids", "profile"),
    [
        ([[4]], {}),
        (random_map(), {"transform": ROTATED}),
        (random_map(), {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 55.0, 0, -1e-4, 25.0)}),
        (random_map(), {"crs": None, "transform": Affine.identity()}),
        (random_map(), {"crs": None, "transform": Affine(1, 0, 50, 0, -1, 90)}),
    ],
)
@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_a_sample_labelled_as_mapped_is_right_everywhere(tmp_path, ids, profile, suffix):
    raster = write_class_map(tmp_path / "m.tif", np.array(ids), **profile)
    draw(raster, tmp_path / f"p{suffix}", size=60, min_per_class=5)
    found = assess(raster, label(tmp_path / f"p{suffix}", str, tmp_path / f"labelled{suffix}"))
    assert found["overall"]["value"] == 1
    assert found["facts"]["outside"] == found["facts"]["on_nodata"] == 0
    assert found["unit"] == ("px" if profile.get("crs", "") is None else "m2")
    for name, figures in found["classes"].items():
        if name != "Unlabeled":
            assert figures["area"]["value"] == pytest.approx(figures["mapped_area"], rel=2e-3)
    assert not [text for text in found["warnings"] if "drawn from" in text]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"expected": {"Swamp": 0.5}}, ClassSchemeError, "Swamp"),
        ({"standard_error": 1e-4, "expected_accuracy": 0.5, "big": True}, RequestError, "larger standard error"),
    ],
)
def test_samples_that_cannot_be_drawn_leave_nothing(tmp_path, options, error, words):
    ids = np.full((2100, 1000), 2) if options.pop("big", False) else random_map()
    raster = write_class_map(tmp_path / "m.tif", ids)
    with pytest.raises(error, match=words):
        draw(raster, tmp_path / "p.gpkg", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["m.tif"]


def test_a_map_without_classes_has_no_sample(tmp_path):
    with pytest.raises(RasterOpenError, match="no classified pixel"):
        draw(write_class_map(tmp_path / "m.tif", np.zeros((3, 3))), tmp_path / "p.gpkg")


def test_nothing_is_overwritten_unasked(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    draw(raster, tmp_path / "p.gpkg", size=20)
    with pytest.raises(OutputError, match="exists"):
        draw(raster, tmp_path / "p.gpkg", size=20)
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        assess(raster, str(tmp_path / "p.gpkg"), report=str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text() == "mine"


class Cancelled(SilentMonitor):
    def cancelled(self) -> bool:
        return True


def test_cancelled_runs_leave_nothing(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    with pytest.raises(RunCancelled):
        draw_accuracy_sample(AccuracySampleRequest(raster, str(tmp_path / "p.gpkg")), Cancelled())
    with pytest.raises(RunCancelled):
        assess_accuracy(AccuracyRequest(raster, raster, report=str(tmp_path / "r.html")), Cancelled())
    assert [path.name for path in tmp_path.iterdir()] == ["m.tif"]
