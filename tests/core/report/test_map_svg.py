"""Maps of a report: orientation, colours, outlines, scale bar."""

import base64

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.report.map_svg import draw_maps
from dubai_landcover_plugin.core.report.zones import Zone, Zones
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.factories import ONE_METRE, write_class_map

IDS = np.full((40, 60), 2)
IDS[:10, :15] = 4  # the building is in the upper left of the array
IDS[-1] = 0


def maps(tmp_path, transform=ONE_METRE, zones=None, ids=IDS, **profile):
    path = write_class_map(tmp_path / "m.tif", ids, transform=transform, **profile)
    with ClassifiedSource(path) as source:
        return draw_maps(source, None, zones, DUBAI)


def pixels(picture):
    with rasterio.MemoryFile(base64.b64decode(picture.png)) as memory, memory.open() as dataset:
        return dataset.read(1), dataset.colormap(1)


def zones_of(*zones):
    return Zones("z.gpkg", zones, None, ())


def zone(number, shape):
    return Zone(number, f"Zone {number}", shape, shape, 1.0)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("x", "y"), [(1, -1), (1, 1), (-1, -1), (-1, 1)])
def test_north_is_up_and_east_right(tmp_path, x, y):
    found = maps(tmp_path, Affine(x, 0, 300_000, 0, y, 2_780_000))
    values, _ = pixels(found.classes)
    assert (values[::-y, ::x] == IDS).all()
    assert not found.rotated


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_colours_of_the_classes_and_nodata_transparent(tmp_path):
    _, colours = pixels(maps(tmp_path).classes)
    assert colours[4] == (*DUBAI.by_name("Building").rgb, 255)
    assert colours[0][3] == colours[99][3] == 0


def test_a_rotated_raster_is_said_to_be_so(tmp_path):
    assert maps(tmp_path, ONE_METRE @ Affine.rotation(20)).rotated
    assert not maps(tmp_path, ONE_METRE @ Affine.rotation(20), crs=None).rotated


def test_sides_are_those_on_the_ground(tmp_path):
    found = maps(tmp_path, ONE_METRE @ Affine.scale(2, 1)).classes
    assert (found.width, found.height) == pytest.approx((1000, 1000 * 40 / 120), rel=1e-2)
    narrow = maps(tmp_path, ids=np.full((1, 300), 2)).classes
    assert narrow.height == 40


def test_zones_are_outlined_and_large_ones_numbered(tmp_path):
    left, dot = shapely.box(0, 0, 30, 40), shapely.box(50, 30, 50.5, 30.5)
    ring = shapely.box(32, 2, 58, 28).difference(shapely.box(40, 10, 50, 20))
    found = maps(tmp_path, zones=zones_of(zone(1, left), zone(2, dot), zone(3, ring))).classes
    assert found.outlines.count("Z") == 4  # the hole too
    assert [label.text for label in found.labels] == ["1", "3"]
    assert 0 < found.labels[0].x < 500
    assert maps(tmp_path).classes.outlines == ""


def test_zones_on_a_mirrored_raster_are_mirrored_with_it(tmp_path):
    zones = zones_of(zone(1, shapely.box(0, 0, 30, 40)))
    (label,) = maps(tmp_path, ONE_METRE @ Affine.scale(-1, 1), zones).classes.labels
    assert label.x > 500


def test_too_many_zones_lose_their_numbers_then_their_outlines(tmp_path):
    def of(count):
        return maps(tmp_path, zones=zones_of(*(zone(n, shapely.box(0, 0, 60, 40)) for n in range(count)))).classes

    assert (len(of(60).labels), of(60).label_size) == (60, 24)
    assert (len(of(61).labels), of(61).label_size) == (61, 16)
    assert len(of(151).labels) == 0
    assert of(151).outlines != ""
    assert of(3001).outlines == ""


@pytest.mark.parametrize(
    ("size", "text", "metres"), [(1, "10 m", 10), (0.01, "0.1 m", 0.1), (2, "20 m", 20), (100, "1 km", 1000)]
)
def test_the_scale_bar_is_a_round_length(tmp_path, size, text, metres):
    found = maps(tmp_path, Affine(size, 0, 300_000, 0, -size, 2_780_000)).classes
    assert found.scale_bar.text == text
    assert found.scale_bar.length == pytest.approx(metres / (60 * size) * found.width, rel=2e-3)
    assert found.scale_bar.length <= 250


def test_without_a_crs_or_space_there_is_no_scale_bar(tmp_path):
    assert maps(tmp_path, crs=None).classes.scale_bar is None
    assert maps(tmp_path, ids=np.full((2, 60), 2)).classes.scale_bar is None
