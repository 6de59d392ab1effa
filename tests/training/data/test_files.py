from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import draw_labels, make_image, write_image, write_polygons, write_raster
from training.config import DataConfig
from training.data.files import LabelledFiles, open_files
from training.errors import DatasetError

X, Y = 300000.0, 2800000.0


def test_rasters_anywhere_are_cut_around_their_labels(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a" / "town.tif", np.zeros((700, 900, 3), np.uint8))
    squares = [shapely.box(X + 300, Y - 200, X + 400, Y - 100), shapely.box(X + 401, Y - 200, X + 450, Y - 100)]
    far = shapely.box(X + 10, Y - 690, X + 20, Y - 680)
    labels = write_polygons(tmp_path / "b.gpkg", [*squares, far], ["Road", "Water", "Land"])
    files = LabelledFiles({"town": image}, DUBAI, "Title", "test", labels)
    dataset = open_files(DataConfig(block=0), files)
    windows = [(one.window.row, one.window.col, one.window.height, one.window.width) for one in dataset.entries]
    assert windows == [(22, 247, 256, 256), (444, 0, 256, 256)]
    assert dataset.title == "Title"
    assert set(np.unique(dataset.entries[0].load().labels)) == {0, 2, 255}


def test_large_labels_are_cut_into_blocks(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "town.tif", np.zeros((300, 2100, 3), np.uint8))
    labels = write_polygons(tmp_path / "b.gpkg", [shapely.box(X, Y - 300, X + 2100, Y)], ["Road"])
    dataset = open_files(DataConfig(block=0), LabelledFiles({"town": image}, DUBAI, "", "", labels))
    assert [entry.window.width for entry in dataset.entries] == [700, 700, 700]


def test_masks_by_name_and_the_pixel_size_of_images_without_a_place(tmp_path: Path) -> None:
    image = write_image(tmp_path / "x" / "a.png", make_image(1).pixels)
    mask = write_image(tmp_path / "y" / "a.png", draw_labels(1) + 1)
    files = LabelledFiles({"a": image}, DUBAI, "", "", masks={"a": mask}, gsd=0.3)
    (entry,) = open_files(DataConfig(), files).entries
    assert entry.pixel_size() == (0.3, 0.3)
    assert (entry.load().labels == draw_labels(1)).all()
    with pytest.raises(DatasetError, match="has a mask of the same name in the folder of masks"):
        open_files(DataConfig(), LabelledFiles({"a": image}, DUBAI, "", "", masks={}))
