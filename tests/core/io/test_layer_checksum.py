"""Checksums of layers: what changes them, and what does not."""

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.io.layer_checksum import LayerChecksum, checksum_of_file
from tests.factories import write_layer

KINDS = {"id": np.dtype(np.int32), "area": np.dtype(np.float64), "name": np.dtype(object)}


def features(count=5):
    shapes = shapely.box(np.arange(count), 0, np.arange(count) + 0.5, 0.7)
    names = np.array(["Gebäude", None, "", "x" * 200, " padded "], object)[np.arange(count) % 5]
    areas = np.where(np.arange(count) == 2, np.nan, np.arange(count) / 3)
    return shapely.to_wkb(shapes), {"id": np.arange(count, dtype=np.int32) - 2, "area": areas, "name": names}


def checksum(*batches):
    found = LayerChecksum(KINDS)
    for batch in batches:
        found.add(*batch)
    return found


def part(batch, chosen):
    wkb, fields = batch
    return wkb[chosen], {name: values[chosen] for name, values in fields.items()}


def test_order_and_batches_do_not_matter():
    batch = features()
    pieces = checksum(part(batch, [4, 3]), part(batch, [0]), part(batch, [2, 1]))
    assert checksum(batch).difference(pieces) == ""
    assert pieces.count == 5


@pytest.mark.parametrize(
    ("name", "row", "value", "problem"),
    [
        ("id", 1, 77, "other values of 'id'"),
        ("area", 3, 1.0001, "other values of 'area'"),
        ("area", 2, 0.0, "other values of 'area'"),  # was missing
        ("name", 0, "Gebaeude", "other values of 'name'"),
        ("name", 4, "", "other values of 'name'"),
    ],
)
def test_another_value_is_found(name, row, value, problem):
    wkb, fields = features()
    changed = fields[name].copy()
    changed[row] = value
    assert problem in checksum((wkb, fields)).difference(checksum((wkb, {**fields, name: changed})))


def test_another_geometry_and_missing_features_are_found():
    wkb, fields = features()
    other = wkb.copy()
    other[1] = other[1][:-1] + b"\1"
    assert "other geometries" in checksum((wkb, fields)).difference(checksum((other, fields)))
    assert checksum((wkb, fields)).difference(checksum(part((wkb, fields), [0, 1]))) == "2 of 5 features"


def test_points_have_a_checksum_in_any_order():
    wkb, _ = features()
    ways = [wkb, shapely.to_wkb(shapely.reverse(shapely.from_wkb(wkb)))]
    sums = [LayerChecksum({}, as_points=True) for _ in range(3)]
    for found, way in zip(sums, [*ways, wkb[[1, 1, 2, 3, 4]]], strict=True):
        found.add(way, {})
    assert sums[0].difference(sums[1]) == ""
    assert "other geometries" in sums[0].difference(sums[2])


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb"])
def test_a_file_has_the_checksum_of_its_features(tmp_path, suffix):
    wkb, fields = features()
    write_layer(tmp_path / f"a{suffix}", shapely.from_wkb(wkb), **fields)
    assert checksum((wkb, fields)).difference(checksum_of_file(tmp_path / f"a{suffix}", "a", KINDS)) == ""
    with pytest.raises(ValueError, match="the attribute height is missing"):
        checksum_of_file(tmp_path / f"a{suffix}", "a", {"height": np.dtype(float)})
