"""The shipped model on a real mosaic: runtimes agree, and no seam shows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.grid.windows import TileGrid, fitting_side
from dubai_landcover_plugin.core.segmentation.segment import segment_raster
from dubai_landcover_plugin.protocol.requests.segmentation import (
    SegmentationRequest,
    SegmentationResult,
    SegmentOptions,
)

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def segment(shared: Path, folder: Path, tile: int, name: str, **options) -> tuple[np.ndarray, SegmentationResult]:
    source, output = shared / "mosaics" / f"dubai_tile{tile}.tif", folder / f"{name}.tif"
    result = segment_raster(SegmentationRequest(str(source), str(output), SegmentOptions(device="cpu", **options)))
    with rasterio.open(output) as dataset:
        return dataset.read(1), result


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_runtimes_agree(shared, tmp_path, precision):
    pytest.importorskip("openvino")
    exact, of_torch = segment(shared, tmp_path, 3, "exact", runtime="torch", precision="float32")
    given, of_openvino = segment(shared, tmp_path, 3, "given", runtime="openvino", precision=precision)
    assert (of_torch.runtime, of_openvino.runtime) == ("torch", "openvino")
    wanted, areas = (0.99, 0.05) if precision == "int8" else (0.995, 0.005)
    assert (given == exact).mean() >= wanted
    for name, area in of_torch.area_m2.items():
        assert of_openvino.area_m2[name] == pytest.approx(area, rel=areas, abs=1e-4 * exact.size)


def changes(classes: np.ndarray, lines: list[tuple[int, int]]) -> int:
    """Return how often the class changes across lines: axis, and the pixel before the line."""
    total = 0
    for axis, line in lines:
        before, after = (classes.take(line + step, axis) for step in (0, 1))
        total += int((before != after).sum())
    return total


def test_no_seam_shows_between_windows(shared, tmp_path):
    """Across the middle of overlaps classes change as often as where other windows have no boundary."""
    classes, _ = segment(shared, tmp_path, 5, "seams")
    others, _ = segment(shared, tmp_path, 5, "others", window=864, overlap=96)
    hard, _ = segment(shared, tmp_path, 5, "hard", overlap=0)
    found = {}
    for name, given, overlap in (("blended", classes, 24), ("hard", hard, 0)):
        height, width = given.shape
        sides = tuple(fitting_side(length, 512, overlap, 32) for length in given.shape)
        tiles = TileGrid(height, width, sides, overlap)
        lines = [
            (axis, (start + side + after) // 2 - 1 if overlap else after - 1)
            for axis, (starts, side) in enumerate(zip((tiles.row_starts, tiles.col_starts), sides, strict=True))
            for start, after in pairwise(starts)
        ]
        found[name] = changes(given, lines) / changes(others, lines)
    assert 0.9 < found["blended"] < 1.1
    assert found["hard"] > 1.5
