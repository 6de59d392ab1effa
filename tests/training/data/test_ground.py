"""Overlaps of images on the ground, whatever their CRS."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from tests.training.dataset import make_image, write_image, write_raster
from training.data.dataset import Entry
from training.data.ground import Ground
from training.data.pixels import grid_of

UTM = "EPSG:32640"


def entry(grid: Grid | None, name: str = "a", window: Window | None = None) -> Entry:
    return Entry(name, name, Path(f"{name}.tif"), lambda: make_image(1), window=window, grid=lambda: grid)


def grid(west: float, north: float, side: int = 100, size: float = 1.0, crs: str = UTM) -> Grid:
    return Grid(side, side, Affine(size, 0, west, 0, -size, north), CRS.from_user_input(crs))


def meet(*grids: Grid | None) -> list[list[int]]:
    return Ground([entry(one, f"i{number}") for number, one in enumerate(grids)]).pairs.tolist()


def moved(x: float, y: float, crs: str, size: float, side: int = 100, origin: str = UTM) -> Grid:
    """Return a grid in another CRS, centred on a position."""
    (east,), (north,) = warp_points(CRS.from_user_input(origin), CRS.from_user_input(crs), [x], [y])[:2]
    return grid(east - size * side / 2, north + size * side / 2, side, size, crs)


def test_neighbours_do_not_overlap_and_images_of_two_dates_do() -> None:
    tiles = [grid(300_000 + 100 * col, 2_800_000 - 100 * row) for row in range(3) for col in range(3)]
    assert meet(*tiles) == []
    assert meet(tiles[0], tiles[0]) == [[0, 1]]
    assert meet(*tiles[:2], grid(300_050, 2_799_990)) == [[0, 2], [1, 2]]


@pytest.mark.parametrize(("shift", "pairs"), [(0, 1), (97, 1), (99, 0), (100, 0), (-98.5, 0), (-95, 1)])
def test_two_pixels_of_overlap_are_a_rounding(shift: float, pairs: int) -> None:
    assert len(meet(grid(300_000, 2_800_000), grid(300_000 + shift, 2_800_000))) == pairs


def test_a_corner_and_an_image_inside_another_are_common_ground() -> None:
    assert meet(grid(300_000, 2_800_000), grid(300_090, 2_799_910)) == [[0, 1]]
    assert meet(grid(300_000, 2_800_000, 10_000), grid(304_000, 2_796_000, 10)) == [[0, 1]]
    # pixels of the coarser image count: 3 m of 30 m pixels
    assert meet(grid(300_000, 2_800_000), grid(300_097, 2_800_000, 100, 30.0)) == []


@pytest.mark.parametrize(
    ("crs", "size"), [("EPSG:4326", 1e-5), ("EPSG:3857", 1.1), ("EPSG:32639", 1.0), ("EPSG:6933", 1.0)]
)
def test_all_reference_systems_are_one_ground(crs: str, size: float) -> None:
    here = grid(300_000, 2_800_000)
    assert meet(here, moved(300_050, 2_799_950, crs, size)) == [[0, 1]]
    assert meet(here, moved(300_250, 2_799_950, crs, size)) == []


def test_the_antimeridian_and_the_poles_separate_nothing() -> None:
    west, east = grid(179.9995, 10.0005, 100, 1e-5, "EPSG:4326"), grid(-180.0005, 10.0005, 100, 1e-5, "EPSG:4326")
    assert meet(west, east) == [[0, 1]]
    assert meet(west, grid(-179.9995, 10.0005, 100, 1e-5, "EPSG:4326")) == []
    polar = grid(-5_000, 5_000, 1000, 10.0, "EPSG:3413")
    assert meet(polar, grid(-30, 30, 6, 10.0, "EPSG:3413"), grid(-5_000, 15_000, 1000, 10.0, "EPSG:3413")) == [[0, 1]]
    mirrored = grid(54.0, -25.2, 100, 1e-5, "EPSG:4326")
    assert meet(grid(54.0, 25.201, 100, 1e-5, "EPSG:4326"), mirrored) == []


def test_images_of_half_the_earth_are_common_ground_with_all_inside() -> None:
    world = Grid(180, 360, Affine(1, 0, -180, 0, -1, 90), CRS.from_epsg(4326))
    assert meet(world, grid(300_000, 2_800_000), grid(500_000, 2_800_000)) == [[0, 1], [0, 2]]


def test_images_without_a_position_overlap_none() -> None:
    here = grid(300_000, 2_800_000)
    bare = Grid(100, 100, Affine.identity(), None)
    assert meet(None, None, here, here, bare, bare) == [[2, 3]]
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    assert meet(Grid(100, 100, here.transform, local), Grid(100, 100, here.transform, local)) == []


def test_rotated_images_and_blocks_have_their_own_outline() -> None:
    turned = Grid(100, 100, Affine.translation(300_050, 2_800_000) @ Affine.rotation(-45), CRS.from_user_input(UTM))
    # a diamond from x = 300 050 to 300 191 around y = 2 800 000; a corner of its bounds is outside of it
    assert meet(turned, grid(300_052, 2_799_951, 20)) == []
    assert meet(turned, grid(300_110, 2_800_010, 20)) == [[0, 1]]
    whole = grid(300_000, 2_800_000)
    blocks = [entry(whole, "r", Window(0, col, 100, 50)) for col in (0, 50)]
    assert Ground([*blocks, entry(grid(300_060, 2_800_000, 10), "other")]).pairs.tolist() == [[1, 2]]


def test_one_file_in_two_sources_is_one_ground() -> None:
    images = [Entry(name, name, Path("same.png"), lambda: make_image(1)) for name in ("a/x", "b/x")]
    assert Ground(images).pairs.tolist() == [[0, 1]]
    assert Ground([]).pairs.shape == (0, 2)


@given(
    shifts=st.lists(st.tuples(st.integers(-150, 150), st.integers(-150, 150)), min_size=2, max_size=8),
    size=st.sampled_from([0.3, 10.0]),
)
def test_pairs_are_those_of_the_plane(shifts: list[tuple[int, int]], size: float) -> None:
    grids = [grid(300_000 + size * x, 2_800_000 - size * y, 100, size) for x, y in shifts]
    possible = []
    for first in range(len(shifts)):
        for second in range(first + 1, len(shifts)):
            width, height = (max(100 - abs(a - b), 0) for a, b in zip(shifts[first], shifts[second], strict=True))
            if width * height and width * height / (width + height) > 1.99:
                possible.append([first, second])
    found = meet(*grids)
    # 2 px of mean width, up to the rounding of the projection
    assert {tuple(pair) for pair in found} <= {tuple(pair) for pair in possible}
    for first, second in possible:
        width, height = (100 - abs(a - b) for a, b in zip(shifts[first], shifts[second], strict=True))
        if width * height / (width + height) > 2.01:
            assert [first, second] in found


def test_the_grid_is_that_of_the_image_or_of_its_mask(tmp_path: Path) -> None:
    image = make_image(1)
    bare = write_image(tmp_path / "a.png", image.pixels)
    placed = write_raster(tmp_path / "m.tif", image.pixels)
    found = grid_of(bare, placed)
    assert found is not None
    assert (found.height, found.width, found.transform.c) == (96, 80, 300000.0)
    assert grid_of(bare, tmp_path / "missing.tif") is None
    (tmp_path / "broken.tif").write_bytes(b"nothing")
    assert grid_of(tmp_path / "broken.tif") is None


def test_a_thousand_images_are_compared_at_once(stretched: Callable[[float], float]) -> None:
    grids = [grid(300_000 + 60 * (n % 40), 2_800_000 - 60 * (n // 40)) for n in range(1000)]
    started = time.perf_counter()
    pairs = meet(*grids)
    assert time.perf_counter() - started < stretched(2)
    assert len(pairs) == 39 * 25 + 40 * 24 + 2 * 39 * 24
    np.testing.assert_array_less(np.array(pairs)[:, 0], np.array(pairs)[:, 1])
