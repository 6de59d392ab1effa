"""Labelled points."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    GeoreferenceError,
    RequestError,
)
from tests.core.assessment.cases import NAMES, assess, draw, label, random_map, texts
from tests.factories import write_class_map, write_layer


def test_names_and_ids_in_any_case(sampled):
    raster, points = sampled
    ids = {name: str(entry.id) for name, entry in zip(NAMES, DUBAI.entries, strict=True)}
    for spelling in (str, str.upper, lambda name: f" {name.lower()} ", lambda name: ids[name]):
        assert assess(raster, label(points, spelling), overwrite=True)["overall"]["value"] == 1
    layer = read_vector(str(points))
    for kind in (np.int32, np.float64):
        own = layer.fields["stratum"].astype(kind)
        path = write_layer(points.with_name("n.gpkg"), list(layer.geometries), truth=own)
        assert assess(raster, path, field="TRUTH")["overall"]["value"] == 1


def test_points_by_hand(tmp_path):
    """Half of the map is water, half land; a quarter of the land points are water."""
    ids = np.repeat([[1], [2]], 10, axis=0).repeat(20, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids, transform=Affine(10, 0, 300_000, 0, -10, 2_780_000))
    draw(raster, tmp_path / "p.gpkg", size=80, allocation="equal")
    seen = iter(range(40))
    labelled = label(tmp_path / "p.gpkg", lambda name: "Water" if name == "Land" and next(seen) % 4 == 0 else name)
    found = assess(raster, labelled)
    assert found["overall"]["value"] == pytest.approx(0.875)
    assert found["overall"]["margin"] == pytest.approx(1.96 * np.sqrt(0.25 * 0.25 * 0.75 / 39))
    assert found["classes"]["Land"]["users"]["value"] == pytest.approx(0.75)
    assert found["classes"]["Water"]["producers"]["value"] == pytest.approx(0.8)
    assert found["classes"]["Water"]["mapped_area"] == 20_000
    assert found["classes"]["Water"]["area"]["value"] == pytest.approx(25_000)
    assert found["classes"]["Water"]["area"]["margin"] == pytest.approx(40_000 * found["overall"]["margin"])
    assert found["confusion"] == {
        "rows": ["Water", "Land"],
        "columns": ["Water", "Land"],
        "counts": [[40, 0], [10, 30]],
        "shares": [[0.5, 0.0], [0.125, 0.375]],
    }
    assert "at least 93 %" in " ".join(found["warnings"])


def test_skipped_points_are_counted_and_reported(sampled):
    raster, points = sampled
    layer = read_vector(str(points))
    reference = layer.fields["map_class"].copy()
    reference[:4] = [None, "", "Unlabeled", "0"]
    reference[4:9] = None
    geometries = layer.geometries.copy()
    geometries[20] = shapely.Point(0, 0)
    ids = random_map()
    row, col = np.argwhere(ids == 0)[0]
    geometries[21] = shapely.Point(300_000.5 + col, 2_779_999.5 - row)
    fields = {**layer.fields, "reference": reference}
    found = assess(raster, write_layer(points.with_name("q.gpkg"), list(geometries), **fields))
    assert (
        found["facts"]["points"],
        found["facts"]["unlabelled"],
        found["facts"]["outside"],
        found["facts"]["on_nodata"],
    ) == (89, 9, 1, 1)
    told = " ".join(found["warnings"])
    assert "9 of 100 points (9.0 %)" in told
    assert "1 of 100 points are outside" in told
    assert "1 of 100 points are on nodata" in told


def test_few_unlabelled_points_are_no_warning(sampled):
    raster, points = sampled
    layer = read_vector(str(points))
    reference = layer.fields["map_class"].copy()
    reference[:5] = None
    found = assess(raster, label(points, reference))
    assert found["facts"]["unlabelled"] == 5
    assert "have no class" not in " ".join(found["warnings"])


def test_strata_without_points_are_told(sampled):
    raster, points = sampled
    found = assess(raster, label(points, lambda name: None if name == "Water" else name))
    assert any("has no labelled point" in text and text.startswith("Water") for text in found["warnings"])
    assert found["classes"]["Water"]["users"]["value"] is None
    mapped = sum(figures["mapped_area"] for figures in found["classes"].values())
    water = found["classes"]["Water"]["mapped_area"]
    assert sum(figures["area"]["value"] for figures in found["classes"].values()) == pytest.approx(mapped - water)
    seen = []
    once = label(points, lambda name: None if name == "Water" and (seen or seen.append(1)) else name)
    found = assess(raster, once)
    assert any("only one labelled point" in text and text.startswith("Water") for text in found["warnings"])
    assert found["overall"]["margin"] is None


def test_rare_classes_hang_on_few_points(tmp_path):
    ids = np.full((100, 100), 2)
    ids[:5, :10] = 1
    raster = write_class_map(tmp_path / "m.tif", ids)
    draw(raster, tmp_path / "p.gpkg", size=60, min_per_class=20)
    told = assess(raster, label(tmp_path / "p.gpkg", str))["warnings"]
    assert [text for text in told if "more than 10 % of the area of Water: " in text]
    draw(raster, tmp_path / "many.gpkg", size=2500, min_per_class=20)
    told = assess(raster, label(tmp_path / "many.gpkg", str))["warnings"]
    assert not [text for text in told if "represents" in text]


def test_points_of_another_map_keep_their_strata(tmp_path):
    first = random_map()
    raster = write_class_map(tmp_path / "m.tif", first)
    draw(raster, tmp_path / "p.gpkg", size=300, min_per_class=40)
    labelled = label(tmp_path / "p.gpkg", str)
    other = np.where(first == 3, 4, first)  # roads became buildings
    found = assess(write_class_map(tmp_path / "other.tif", other), labelled)
    valid = np.count_nonzero(first)
    assert found["overall"]["value"] == pytest.approx(1 - np.count_nonzero(first == 3) / valid)
    assert found["classes"]["Road"]["area"]["value"] == pytest.approx(np.count_nonzero(first == 3))
    users = np.count_nonzero(first == 4) / np.count_nonzero(other == 4)
    assert found["classes"]["Building"]["users"]["value"] == pytest.approx(users)
    assert found["classes"]["Road"]["users"]["value"] is None


def test_points_without_strata_are_weighted_by_the_map(sampled):
    raster, points = sampled
    labelled = label(points, lambda name: "Land")
    layer = read_vector(labelled)
    bare = write_layer(points.with_name("bare.gpkg"), list(layer.geometries), reference=layer.fields["reference"])
    with_strata, without = assess(raster, labelled), assess(raster, bare)
    assert with_strata["classes"] == without["classes"]
    broken = {**layer.fields, "stratum_px": np.where(np.arange(100) == 0, np.nan, layer.fields["stratum_px"])}
    path = write_layer(points.with_name("broken.gpkg"), list(layer.geometries), **broken)
    assert any("incomplete" in text for text in assess(raster, path)["warnings"])


def test_unlabeled_on_the_map_counts_as_wrong(tmp_path):
    ids = np.repeat([[2], [2], [2], [6]], 10, axis=0).repeat(20, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids)
    draw(raster, tmp_path / "p.gpkg", size=100, allocation="proportional")
    found = assess(raster, label(tmp_path / "p.gpkg", lambda name: "Land"))
    assert found["overall"]["value"] == pytest.approx(0.75)
    assert found["overall_classified"]["value"] == 1
    assert found["classes"]["Land"]["area"]["value"] == pytest.approx(ids.size)
    assert found["confusion"]["rows"] == ["Land", "Unlabeled"]
    assert found["confusion"]["columns"] == ["Land"]


def test_points_in_another_crs_are_brought_over(sampled):
    raster, points = sampled
    layer = read_vector(label(points, str)).to_crs(rasterio.CRS.from_epsg(4326))
    path = write_layer(points.with_name("wgs.gpkg"), list(layer.geometries), "EPSG:4326", **layer.fields)
    assert assess(raster, path)["overall"]["value"] == 1


def test_areas_in_degrees_are_those_of_the_ellipsoid(tmp_path):
    """Rows from 0° to 60°: the southern half is larger on the ground than the northern one."""
    ids = np.repeat([[1], [2]], 30, axis=0).repeat(4, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids, crs="EPSG:4326", transform=Affine(1, 0, 10, 0, -1, 60))
    draw(raster, tmp_path / "p.gpkg", size=240, allocation="equal")  # all pixels
    found = assess(raster, label(tmp_path / "p.gpkg", str))
    north, south = (found["classes"][name] for name in ("Water", "Land"))
    zone = np.sin(np.radians([60, 30, 0]))
    assert south["mapped_area"] / north["mapped_area"] == pytest.approx(
        (zone[1] - zone[2]) / (zone[0] - zone[1]), rel=0.01
    )
    assert north["area"]["value"] == pytest.approx(north["mapped_area"], rel=1e-6)


@pytest.mark.parametrize(
    ("geometries", "fields", "error", "words"),
    [
        ([shapely.Point(0, 0)], {"reference": texts(["Land"])}, GeoreferenceError, "None of the 1 points"),
        ([shapely.Point(300_010, 2_779_990)], {"kind": texts(["Land"])}, RequestError, "no attribute 'reference'"),
        ([shapely.Point(300_010, 2_779_990)], {"reference": texts(["Sea"])}, ClassSchemeError, "'Sea'"),
        ([shapely.Point(300_010, 2_779_990)], {"reference": texts([None])}, RequestError, "Label the points"),
        (
            [shapely.LineString([(0, 0), (1, 1)])],
            {"reference": texts(["Land"])},
            RequestError,
            "only points or only polygons",
        ),
        ([shapely.MultiPoint([(0, 0), (1, 1)])], {"reference": texts(["Land"])}, RequestError, "more than one point"),
    ],
)
def test_points_that_cannot_be_used(tmp_path, geometries, fields, error, words):
    raster = write_class_map(tmp_path / "m.tif", np.full((40, 50), 2))
    path = write_layer(tmp_path / "p.gpkg", geometries, **fields)
    with pytest.raises(error, match=words):
        assess(raster, path, report=str(tmp_path / "r.html"))
    assert not (tmp_path / "r.html").exists()
