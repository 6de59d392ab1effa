"""Places and splits of georeferenced images: no ground in both parts, in every layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import colours_of, draw_labels, make_image, write_image, write_polygons, write_raster
from training.config import DataConfig, SourceConfig, SplitConfig, TrainingConfig
from training.data.ground import Ground
from training.data.layouts import Dataset, open_dataset
from training.data.places import folds_of, place_names
from training.data.sources import open_data
from training.data.splits import Choice, choose
from training.errors import ConfigError

EAST, NORTH = 300_000.0, 2_800_000.0
KINDS = [
    SplitConfig(kind="location", fold=0),
    SplitConfig(kind="location", fold=1),
    SplitConfig(kind="seed", images=2, seed=3),
]


def write_chip(
    root: Path, name: str, col: float, row: float = 0, crs: str = "EPSG:32640", mask_only: bool = False
) -> None:
    """Write an image of 80×96 px with its mask, whose corner is shifted by pixels of 1 m."""
    image, labels = make_image(1), colours_of(draw_labels(1))
    place = {"origin": (EAST + col, NORTH - row), "crs": crs}
    if mask_only:
        write_image(root / "images" / f"{name}.png", image.pixels)
        write_raster(root / "masks" / f"{name}.tif", labels, **place)
    else:
        write_raster(root / "images" / f"{name}.tif", image.pixels, **place)
        write_image(root / "masks" / f"{name}.png", labels)


def opened(root: Path) -> Dataset:
    return open_dataset(DataConfig(), root)


def assert_no_common_ground(choice: Choice) -> None:
    held = len(choice.validation)
    assert held
    assert choice.training
    pairs = Ground(choice.validation + choice.training).pairs
    assert not ((pairs[:, 0] < held) & (pairs[:, 1] >= held)).any()


@pytest.mark.parametrize("mask_only", [False, True])
@pytest.mark.parametrize("layout", ["{year}/{town}", "{town}_{year}", "{town}/{year}", "{year}_{town}"])
@pytest.mark.parametrize("config", KINDS, ids=lambda config: f"{config.kind}{config.fold}")
def test_years_of_one_ground_are_never_in_both_parts(
    tmp_path: Path, layout: str, mask_only: bool, config: SplitConfig
) -> None:
    for shift, town in enumerate(("chico", "eureka", "bishop")):
        for year in (2016, 2020):
            name = layout.format(town=town, year=year)
            write_chip(tmp_path, name, 500 * shift + (year - 2016) * 5, mask_only=mask_only)
    dataset = opened(tmp_path)
    choice = choose(dataset, config)
    assert_no_common_ground(choice)
    assert "It leaks" not in choice.description
    folds = folds_of(dataset, SplitConfig())
    assert len(folds) == 3
    for fold in folds:
        if layout != "{town}/{year}":  # there the folder is the place
            assert len(fold) == 2
            assert len({town for town in ("chico", "eureka", "bishop") for name in fold if town in name}) == 1
    assert len(set(place_names(dataset).values())) == 3


def test_an_own_list_leaves_out_the_same_ground_of_other_years(tmp_path: Path) -> None:
    for shift, town in enumerate(("chico", "eureka")):
        for year in (2016, 2018, 2020):
            write_chip(tmp_path, f"{town}_{year}", 500 * shift)
    choice = choose(opened(tmp_path), SplitConfig(kind="list", validation=("chico_2020",)))
    assert [entry.name for entry in choice.validation] == ["chico_2020"]
    assert [entry.name for entry in choice.training] == ["eureka_2016", "eureka_2018", "eureka_2020"]
    assert "2 images show the same ground as those and are not used: chico_2016, chico_2018." in choice.description
    excluded = SplitConfig(kind="list", validation=("chico_2020",), exclude=("chico_2016", "chico_2018"))
    assert "same ground" not in choose(opened(tmp_path), excluded).description


def test_own_folds_leave_out_common_ground_too(tmp_path: Path) -> None:
    for name, col in (("a", 0), ("b", 40), ("c", 300), ("d", 600)):
        write_chip(tmp_path, name, col)
    config = SplitConfig(kind="location", groups=(("a", "c"),))
    choice = choose(opened(tmp_path), config)
    assert [entry.name for entry in choice.training] == ["d"]
    assert "1 images show the same ground" in choice.description
    assert folds_of(opened(tmp_path), SplitConfig(groups=(("d",),))) == (("d",), ("a", "b"), ("c",))


def test_sources_with_other_reference_systems_share_ground(tmp_path: Path) -> None:
    write_chip(tmp_path / "now", "chico_1", 0)
    write_chip(tmp_path / "now", "eureka_1", 1000)
    (x,), (y,) = warp_points("EPSG:32640", "EPSG:32639", [EAST + 10], [NORTH - 10])[:2]
    write_chip(tmp_path / "then", "old_1", x - EAST, NORTH - y, "EPSG:32639")
    labels = {str(entry.id): entry.name for entry in DUBAI.classes}
    sources = tuple(
        SourceConfig(name, folder=name, layout="masks", place="^([a-z]+)_", labels=labels) for name in ("now", "then")
    )
    dataset = open_data(TrainingConfig(sources=sources), tmp_path)
    assert folds_of(dataset, SplitConfig()) == (("now/chico", "then/old"), ("now/eureka",))
    choice = choose(dataset, SplitConfig(kind="list", validation=("now/chico",)))
    assert [entry.name for entry in choice.training] == ["now/eureka_1"]
    assert "then/old_1" in choice.description


def test_chips_with_overlap_are_divided_into_quarters(tmp_path: Path) -> None:
    for row in range(4):
        for col in range(4):
            write_chip(tmp_path, f"r{row}c{col}", 60 * col, 72 * row)
    dataset = opened(tmp_path)
    folds = folds_of(dataset, SplitConfig())
    assert folds[0] == ("r0c0", "r0c1", "r1c0", "r1c1")
    assert folds[3] == ("r2c2", "r2c3", "r3c2", "r3c3")
    choice = choose(dataset, SplitConfig(kind="location"))
    assert_no_common_ground(choice)
    assert len(choice.training) == 7  # of the other twelve, five reach into the quarter
    assert "It leaks" not in choice.description
    assert set(place_names(dataset).values()) == {"r0c0 and 15 more"}


@pytest.mark.parametrize("drift", [0, 3])
def test_images_that_all_show_one_ground_cannot_be_divided(tmp_path: Path, drift: int) -> None:
    for number, year in enumerate((2016, 2018, 2020)):
        write_chip(tmp_path, f"a_{year}", number * drift, number * drift)
    with pytest.raises(ConfigError, match=r"at one place \(a_2016, a_2018, a_2020\)"):
        choose(opened(tmp_path), SplitConfig(kind="location"))
    with pytest.raises(ConfigError, match=r"all 2 show the same ground as those held out \(a_2018\)"):
        choose(opened(tmp_path), SplitConfig(kind="list", validation=("a_2018",)))


def test_images_without_a_position_keep_their_groups(tmp_path: Path) -> None:
    for name in ("x/1", "x/2", "y/1"):
        write_image(tmp_path / "images" / f"{name}.png", make_image(1).pixels)
        write_image(tmp_path / "masks" / f"{name}.png", colours_of(draw_labels(1)))
    write_chip(tmp_path, "z/1", 0)
    write_chip(tmp_path, "z2/1", 0)
    dataset = opened(tmp_path)
    assert folds_of(dataset, SplitConfig()) == (("x",), ("y",), ("z", "z2"))
    assert place_names(dataset) == {
        "x/1": "x", "x/2": "x", "y/1": "y", "z/1": "z and 1 more", "z2/1": "z and 1 more"
    }  # fmt: skip


def test_a_patch_is_at_the_place_of_its_image(tmp_path: Path) -> None:
    for town in ("a", "b"):
        write_chip(tmp_path, town, 500 * (town == "b"))
    dataset = opened(tmp_path)
    patches = [replace(entry, name=f"{entry.name}@0,64", group="all") for entry in dataset.entries]
    assert list(place_names(dataset, patches).values()) == list(place_names(dataset).values())
    elsewhere = replace(patches[0], name="other@0,0")
    assert place_names(dataset, [elsewhere]) == {"other@0,0": "all"}


def test_places_of_one_name_without_a_position_are_named(tmp_path: Path) -> None:
    for source in ("california", "earlier"):
        for town in ("chico", "eureka"):
            image = tmp_path / source / "images" / f"{town}_1.png"
            write_image(image, make_image(1).pixels)
            write_image(tmp_path / source / "masks" / f"{town}_1.png", np.full((96, 80), 5, np.uint8))
    sources = tuple(
        SourceConfig(name, folder=name, layout="masks", place="^([a-z]+)_", labels={"5": "Vegetation"})
        for name in ("california", "earlier")
    )
    dataset = open_data(TrainingConfig(sources=sources), tmp_path)
    text = choose(dataset, SplitConfig(kind="list", validation=("california/chico",))).description
    assert "in both parts: california/chico and earlier/chico." in text
    both = SplitConfig(kind="list", validation=("california/chico", "earlier/chico"))
    assert "both parts" not in choose(dataset, both).description


def test_blocks_of_rasters_with_polygons_share_ground_where_they_overlap(tmp_path: Path) -> None:
    pixels = np.tile(make_image(5).pixels, (2, 2, 1))  # 192×160 px
    write_raster(tmp_path / "images" / "2018.tif", pixels)
    write_raster(tmp_path / "images" / "2021.tif", pixels, origin=(EAST + 13, NORTH + 7))
    write_raster(tmp_path / "images" / "apart.tif", pixels, origin=(EAST + 1000, NORTH))
    write_polygons(tmp_path / "labels.gpkg", [shapely.box(EAST, NORTH - 192, EAST + 1160, NORTH)], ["Land"])
    dataset = open_dataset(DataConfig(block=64), tmp_path)
    assert dataset.entries[0].window == Window(0, 0, 64, 53)
    assert folds_of(dataset, SplitConfig()) == (("2018", "2021"), ("apart",))
    assert set(place_names(dataset).values()) == {"2018 and 1 more", "apart"}
    choice = choose(dataset, SplitConfig(kind="list", validation=("2018/r00000c00000",)))
    assert_no_common_ground(choice)
    (tmp_path / "images" / "apart.tif").unlink()
    # two dates of one area alone: quarters of it
    dataset = open_dataset(DataConfig(block=64), tmp_path)
    assert len(folds_of(dataset, SplitConfig())) == 4
    assert_no_common_ground(choose(dataset, SplitConfig(kind="location")))
