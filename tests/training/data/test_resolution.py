"""Training reads images at the ground sampling distance of the model, as a run does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.grid.work_grid import work_grid
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.preprocessing import fill_invalid
from tests.training.dataset import colours_of, make_image, write_image, write_raster
from training.bands import RGB
from training.config import TrainingConfig
from training.data.resolution import settle_gsd
from training.data.sources import open_data
from training.errors import ConfigError


def write_pair(root: Path, name: str, size: float | None, mask: bool = False, **profile: object) -> Path:
    """Write an image with pixels of ``size`` m, None without a CRS; with ``mask`` only its mask has a CRS."""
    image = make_image(len(name), 96, 80)
    path = root / "images" / f"{name}.tif"
    write_raster(path, image.pixels, crs=None if mask or size is None else "EPSG:32640", size=size or 1.0, **profile)
    colours = colours_of(image.labels)
    if mask:
        write_raster(root / "masks" / f"{name}.tif", colours, size=size or 1.0)
    else:
        write_image(root / "masks" / f"{name}.png", colours)
    return path


def settled(root: Path, **sections: object) -> float:
    config = TrainingConfig.from_mapping(sections)
    return settle_gsd(config, open_data(config, root), lambda text: None).model.gsd


@pytest.mark.parametrize("mask", [False, True])
def test_the_images_or_their_masks_state_it(tmp_path: Path, mask: bool) -> None:
    write_pair(tmp_path, "a", 5.0, mask)
    assert settled(tmp_path) == 5.0
    assert settled(tmp_path, sources=[{"name": "s", "folder": "."}]) == 5.0
    with pytest.raises(ConfigError, match=r"model\.gsd is 1 m, but a has pixels of 5×5 m"):
        settled(tmp_path, model={"gsd": 1.0})
    assert settled(tmp_path, model={"gsd": 1.0}, sources=[{"name": "s", "folder": ".", "gsd": 5.0}]) == 1.0
    with pytest.raises(ConfigError, match="8 times coarser"):
        settled(tmp_path, model={"gsd": 0.5}, sources=[{"name": "s", "folder": ".", "gsd": 5.0}])


def test_contradictions_and_unknown_sizes_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", None)
    with pytest.raises(ConfigError, match="pixel size of a is unknown"):
        settled(tmp_path)
    assert settled(tmp_path, model={"gsd": 0.5}) == 0.5
    assert settled(tmp_path, sources=[{"name": "s", "folder": ".", "gsd": 0.5}]) == 0.5
    write_pair(tmp_path, "b", 0.6)
    write_pair(tmp_path, "c", 5.0)
    with pytest.raises(ConfigError, match=r"0\.6 m in b, 5 m in c"):
        settled(tmp_path, split={"exclude": ["a"]})
    assert settled(tmp_path, split={"exclude": ["a", "c"]}) == 0.6


@pytest.mark.parametrize("nodata", [None, 0])
@pytest.mark.parametrize(("size", "gsd"), [(0.3, 1.0), (5.0, 2.0), (0.9, 1.0)])
def test_pixels_are_those_of_a_run(tmp_path: Path, size: float, gsd: float, nodata: int | None) -> None:
    path = write_pair(tmp_path, "a", size, nodata=nodata)
    pixels = make_image(1, 96, 80).pixels
    if nodata is not None:
        pixels[10:40, 20:50] = nodata
        write_raster(path, pixels, size=size, nodata=nodata)
    config = TrainingConfig.from_mapping(
        {"model": {"gsd": gsd}, "sources": [{"name": "s", "folder": ".", "gsd": size}]}
    )
    image = open_data(config, tmp_path).entries[0].load()
    with RasterSource(str(path), RGB.names) as source:
        work = work_grid(96, 80, (size, size), gsd)
        shape = None if work.is_native else (work.height, work.width)
        chip = source.read(Window(0, 0, work.height, work.width), shape, work.scale)
    expected = fill_invalid(chip.values, chip.valid, RGB.mean).transpose(1, 2, 0)
    np.testing.assert_array_equal(image.at_model_gsd().pixels, expected)
    assert image.at_model_gsd().labels.shape == expected.shape[:2]


def test_a_part_has_the_pixels_of_the_whole() -> None:
    image = replace(make_image(3, 96, 80), scale=(2.0, 2.0))
    whole, labels = image.part(Window(0, 0, 96, 80), (192, 160))
    part, part_labels = image.part(Window(10, 20, 30, 40), (60, 80))
    np.testing.assert_array_equal(part, whole[20:80, 40:120])
    np.testing.assert_array_equal(part_labels, labels[20:80, 40:120])


def test_images_of_a_fine_tuning_are_resampled_to_the_pixels_of_the_start(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", 2.0)
    with pytest.raises(ConfigError, match=r"model\.gsd is 1 m, but a has pixels of 2×2 m"):
        settled(tmp_path, model={"gsd": 1.0})
    config, said = TrainingConfig.from_mapping({"model": {"gsd": 1.0}}), list[str]()
    dataset = open_data(config, tmp_path)
    assert settle_gsd(config, dataset, said.append, of_start=True).model.gsd == 1.0
    assert said == ["Ground sampling distance: 1 m/px, that of the start."]
    assert dataset.entries[0].load().scale == (2.0, 2.0)
    write_pair(tmp_path, "b", 10.0)
    with pytest.raises(ConfigError, match=r"times coarser"):
        settle_gsd(config, open_data(config, tmp_path), said.append, of_start=True)
