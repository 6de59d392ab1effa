"""Polygons of changes."""

import numpy as np
import pytest
from affine import Affine

from tests.core.change.cases import built, town
from tests.factories import ONE_METRE, read_layer


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
def test_polygons_tell_what_became_what(compare, tmp_path, suffix):
    earlier = np.full((40, 50), 2)
    earlier[:10] = 5
    later = earlier.copy()
    later[5:15, 5:17] = 4
    later[30:32, 30:32] = 1
    path = str(tmp_path / f"changes{suffix}")
    outcome, _ = compare(earlier, later, polygons=path, min_area=20.0)
    assert outcome["polygon_count"] == 2
    if suffix == ".parquet":
        return
    _, fields = read_layer(path)
    order = np.argsort(fields["code"])
    assert fields["code"][order].tolist() == [24, 54]
    assert fields["change"][order].tolist() == ["Land → Building", "Vegetation → Building"]
    assert fields["from_class"][order].tolist() == ["Land", "Vegetation"]
    assert fields["to_class"][order].tolist() == ["Building", "Building"]
    assert fields["area_m2"].tolist() == [60, 60]
    assert "conf_pct" not in fields


def test_a_rotated_raster_has_its_polygons_in_place(compare, make, tmp_path):
    transform = ONE_METRE @ Affine.rotation(25)
    earlier, later = np.full((30, 30), 2), np.full((30, 30), 2)
    later[10:20, 10:20] = 4
    path = str(tmp_path / "c.gpkg")
    compare(make("a.tif", earlier, transform=transform), make("b.tif", later, transform=transform), polygons=path)
    (geometry,), _ = read_layer(path)
    assert geometry.area == pytest.approx(100)
    assert geometry.centroid.coords[0] == pytest.approx(transform @ (15, 15))


def test_no_style_lies_beside_a_raster_of_the_same_name(compare, tmp_path):
    compare(town(), built(town())[0], polygons=str(tmp_path / "change.geojson"))
    assert not (tmp_path / "change.qml").exists()
    compare(town(), built(town())[0], polygons=str(tmp_path / "areas.geojson"))
    assert "Land → Building" in (tmp_path / "areas.qml").read_text(encoding="utf-8")
