"""Reference polygons."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from tests.core.assessment.cases import NAMES, ROTATED, assess, boxes, draw, label, random_map, texts
from tests.factories import write_class_map, write_layer


def test_pixels_of_polygons_are_counted(tmp_path):
    ids = np.full((20, 20), 2)
    ids[5:10, 5:10] = 4
    raster = write_class_map(tmp_path / "m.tif", ids)
    geometries = boxes((5, 5, 10, 10), (0, 0, 5, 5), (10, 10, 12, 20), (15, 15, 15.2, 15.2), (0, 12, 2, 14))
    path = write_layer(tmp_path / "p.gpkg", geometries, cover=texts(["building", "Land", "Building", "Land", None]))
    found = assess(raster, path, field="cover")
    assert found["confusion"]["counts"] == [[25, 20], [0, 25]]
    assert (found["facts"]["polygons"], found["facts"]["without_pixels"], found["facts"]["unlabelled"]) == (3, 1, 1)
    assert found["overall"]["value"] == pytest.approx(50 / 70)
    assert found["classes"]["Building"]["producers"]["value"] == pytest.approx(25 / 45)
    assert not [text for text in found["warnings"] if "no polygon" in text]
    buildings = write_layer(tmp_path / "b.gpkg", boxes((0, 0, 9, 9)), reference=texts(["Building"]))
    assert any("no polygon of Land:" in text for text in assess(raster, buildings)["warnings"])
    residual = np.array([25 - 25 * 50 / 70, 25 - 25 * 50 / 70, -20 * 50 / 70])
    assert found["overall"]["margin"] == pytest.approx(1.96 * np.sqrt(3 / 2 * (residual**2).sum()) / 70)


def test_pixels_in_two_polygons_are_left_out(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", np.full((20, 20), 2))
    path = write_layer(tmp_path / "p.gpkg", boxes((0, 0, 6, 2), (4, 0, 8, 2)), reference=texts(["Land", "Road"]))
    found = assess(raster, path)
    assert found["facts"]["shared_pixels"] == 4
    assert found["confusion"]["counts"] == [[8, 4], [0, 0]]


def test_polygons_lie_right_on_rotated_and_plain_rasters(tmp_path):
    ids = random_map()
    for name, profile in {
        "rotated": {"transform": ROTATED},
        "plain": {"crs": None, "transform": Affine.identity()},
    }.items():
        raster = write_class_map(tmp_path / f"{name}.tif", ids, **profile)
        assert main(["polygons", raster, str(tmp_path / name), "--classes", "Land", "--simplify", "0",
                     "--min-area", "0", "--format", "gpkg"]) == 0  # fmt: skip
        found = assess(raster, str(tmp_path / name / "land.gpkg"), field="class")
        assert found["overall"]["value"] == 1
        assert found["facts"]["pixels"] == np.count_nonzero(ids == 2)


def test_bands_do_not_change_the_counts(tmp_path, monkeypatch):
    ids = random_map(90, 30)
    raster = write_class_map(tmp_path / "m.tif", ids)
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 28, (12, 2))
    path = write_layer(
        tmp_path / "p.gpkg", boxes(*((x, y * 3, x + 6, y * 3 + 7) for x, y in corners)),
        reference=texts(rng.choice(NAMES[:5], 12)),
    )  # fmt: skip
    draw(raster, tmp_path / "s.gpkg", size=80, min_per_class=5)
    labelled = label(tmp_path / "s.gpkg", lambda name: "Land")
    once = [assess(raster, source) for source in (path, labelled, raster)]
    monkeypatch.setattr("dubai_landcover_plugin.core.assessment.strata._STRIP_PIXELS", 7 * 30)
    assert [assess(raster, source) for source in (path, labelled, raster)] == once
    draw(raster, tmp_path / "again.gpkg", size=80, min_per_class=5)
    points = [read_vector(str(tmp_path / name)).geometries for name in ("s.gpkg", "again.gpkg")]
    assert shapely.equals(*points).all()
