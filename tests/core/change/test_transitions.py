"""Pixels and areas of each change."""

import numpy as np
import pytest
import rasterio
import rasterio.features
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.crs import CRS

from dubai_landcover_plugin.core.change import compare as change_run
from dubai_landcover_plugin.core.change.change_codes import UNCERTAIN
from dubai_landcover_plugin.core.change.compare import map_change
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from tests.factories import read_layer, write_class_map

UNLABELED = 6


IDS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 6))


@settings(max_examples=40)
@given(IDS, st.integers(0, 10_000), st.integers(1, 40))
def test_every_pixel_is_counted_once(tmp_path_factory, ids, seed, band):
    folder = tmp_path_factory.mktemp("pair")
    later = np.random.default_rng(seed).integers(0, 7, ids.shape, np.uint8)
    for name, values in (("a.tif", ids), ("b.tif", later)):
        write_class_map(folder / name, values)
    kept, change_run._STRIP_PIXELS = change_run._STRIP_PIXELS, band
    try:
        outcome = map_change(ChangeRequest(*(str(folder / name) for name in ("a.tif", "b.tif", "o.tif"))))
    finally:
        change_run._STRIP_PIXELS = kept
    with rasterio.open(folder / "o.tif") as dataset:
        codes = dataset.read(1)
    expected = ids.astype(int) * 10 + later
    expected[(ids == UNLABELED) | (later == UNLABELED)] = UNCERTAIN
    expected[(ids == 0) | (later == 0)] = 0
    assert (codes == expected).all()
    assert {c["code"]: c["pixels"] for c in outcome.legend} == {
        int(code): int((codes == code).sum()) for code in np.unique(codes[codes > 0])
    }
    assert outcome.compared == pytest.approx((codes > 0).sum())
    assert outcome.changed + outcome.unchanged + outcome.uncertain == pytest.approx(outcome.compared)
    gains, losses = (sum(one[key] for one in outcome.classes.values()) for key in ("gain", "loss"))
    assert gains == pytest.approx(losses) == pytest.approx(outcome.changed)


def test_gains_losses_net_and_swap(compare):
    earlier, later = np.full((10, 10), 2), np.full((10, 10), 2)
    later[0] = 4  # 10 px Land → Building
    earlier[1, :4] = 4  # 4 px Building → Land
    outcome, _ = compare(earlier, later)
    building = outcome["classes"]["Building"]
    assert (building["before"], building["after"]) == (4, 10)
    assert (building["gain"], building["loss"], building["net"], building["swap"]) == (10, 4, 6, 8)


def test_one_pixel(compare):
    outcome, codes = compare(np.array([[2]]), np.array([[4]]))
    assert codes.tolist() == [[24]]
    assert outcome["changed"] == 1
    assert outcome["shift"] is None


def test_areas_in_degrees_are_those_on_the_ground(compare, make, tmp_path):
    earlier, later = np.full((20, 30), 2), np.full((20, 30), 2)
    later[5:15, 10:20] = 4
    place = {"transform": Affine(1e-5, 0, 55, 0, -1e-5, 25), "crs": "EPSG:4326"}
    path = str(tmp_path / "c.gpkg")
    outcome, _ = compare(make("a.tif", earlier, **place), make("b.tif", later, **place), polygons=path, min_area=0.0)
    expected = 100 * 1.00904 * 1.10777
    assert outcome["changed"] == pytest.approx(expected, rel=2e-3)
    _, fields = read_layer(path)
    assert fields["area_m2"].tolist() == pytest.approx([expected], rel=2e-3)


def test_degrees_shrink_towards_the_pole():
    areas = GroundScale(Grid(90, 10, Affine(1, 0, 0, 0, -1, 90), CRS.from_epsg(4326))).pixel_areas(0, 90)
    assert (np.diff(areas) > 0).all()
    assert areas[-1] == pytest.approx(111_320 * 110_574, rel=1e-2)


def test_without_a_crs_everything_is_in_pixels(compare, make, tmp_path):
    earlier, later = np.full((20, 30), 2), np.full((20, 30), 2)
    later[5:15, 10:20] = 4
    place = {"transform": Affine.identity(), "crs": None}
    paths = {"polygons": str(tmp_path / "c.gpkg"), "csv": str(tmp_path / "c.csv"), "report": str(tmp_path / "c.html")}
    outcome, _ = compare(make("a.tif", earlier, **place), make("b.tif", later, **place), **paths)
    assert outcome["unit"] == "px"
    assert outcome["changed"] == 100
    _, fields = read_layer(paths["polygons"])
    assert fields["area_px"].tolist() == [100]
    assert "area_px" in (tmp_path / "c.csv").read_text().splitlines()[0]
    assert "(px)" in (tmp_path / "c.html").read_text(encoding="utf-8")
