"""A folder within polygons: rasters outside are left out, and changed polygons are a new run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from dubai_landcover_plugin.core.segmentation.batch import run_folder
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest, FolderResult
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.translation import use_language
from tests.factories import ONE_METRE, random_pixels, stub_bundle, write_layer, write_raster

BLOB = shapely.box(300_005, 2_779_985, 300_015, 2_779_995)
BETWEEN = shapely.box(300_020.1, 2_779_980, 300_020.3, 2_779_995)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two rasters side by side, and one that is damaged."""
    root = tmp_path / "images"
    root.mkdir()
    for number, name in enumerate(("west", "east")):
        place = Affine.translation(30 * number, 0) @ ONE_METRE
        write_raster(root / f"{name}.tif", random_pixels(20, 20, seed=number), transform=place)
    (root / "broken.tif").write_bytes(b"broken")
    return root


def run(folder: Path, within: str, **options: str) -> FolderResult:
    request = FolderRequest(
        str(folder), str(folder.parent / "out"), within=within, options=SegmentOptions(overwrite=True, **options)
    )
    return run_folder(request, bundle=stub_bundle())


def test_rasters_without_a_pixel_inside_are_left_out_with_the_reason(folder: Path, tmp_path: Path) -> None:
    result = run(folder, write_layer(tmp_path / "area.gpkg", [BLOB]))
    assert (result.done, result.failed) == (1, 1)  # the damaged one says why
    (left_out,) = result.left_out
    assert left_out["input"].endswith("east.tif")
    assert "polygons" in left_out["reason"]
    with rasterio.open(tmp_path / "out" / "west_landcover.tif") as dataset:
        found = dataset.read(1) > 0
    wanted = np.zeros((20, 20), bool)
    wanted[5:15, 5:15] = True
    np.testing.assert_array_equal(found, wanted)


def test_polygons_between_the_pixels_leave_all_out(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.tif").unlink()
    with pytest.raises(RequestError, match=r"No raster has pixels in the polygons of .*area\.gpkg"):
        run(folder, write_layer(tmp_path / "area.gpkg", [BETWEEN]))
    assert not (tmp_path / "out").exists()


def test_reasons_are_told_in_the_language_of_qgis(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.tif").unlink()
    use_language("de")
    try:
        with pytest.raises(RequestError, match=r"Kein Raster hat .* von .*area\.gpkg; .*\. Wählen Sie einen anderen"):
            run(folder, write_layer(tmp_path / "area.gpkg", [BETWEEN]))
    finally:
        use_language("")


def test_changed_polygons_are_classified_again(folder: Path, tmp_path: Path) -> None:
    area = tmp_path / "area.gpkg"
    assert run(folder, write_layer(area, [BLOB])).done == 1
    assert run(folder, str(area)).skipped == 1
    area.unlink()
    assert run(folder, write_layer(area, [BLOB.buffer(2)])).done == 1


def test_a_second_raster_counts_as_input(folder: Path, tmp_path: Path) -> None:
    area = write_layer(tmp_path / "area.gpkg", [BLOB])
    second = write_raster(tmp_path / "second.tif", random_pixels(20, 60))
    assert run(folder, area, second=str(second)).done == 1
    assert run(folder, area, second=str(second)).skipped == 1
    write_raster(second, random_pixels(20, 60, seed=5))
    assert run(folder, area, second=str(second)).done == 1
