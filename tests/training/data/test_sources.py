"""Several folders of training data as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from tests import factories
from tests.training.dataset import make_image, write_pair
from training.config import TrainingConfig, load_config
from training.data.dataset import NOT_CLASS
from training.data.sources import open_data
from training.data.splits import make_split
from training.errors import ConfigError, DatasetError
from training.loop.checkpoint import config_differences

COARSE = {
    "name": "coarse",
    "folder": "towns",
    "layout": "masks",
    "masks": "labels",
    "labels": {"4": "Building", "14": "not Building", "6": ""},
    "gsd": 2.0,
    "place": "^([a-z]+)_",
    "weight": 3.0,
    "terms": "Drawn for tests, CC0",
}
TILES = {"name": "tiles", "folder": "tiles", "gsd": 1.0}


def write_towns(root: Path, values: tuple[int, ...] = (4, 14, 6)) -> None:
    for folder in ("images", "labels"):
        (root / "towns" / folder).mkdir(parents=True)
    for name in ("here_0", "here_1", "there_0"):
        Image.fromarray(make_image(1, 30, 40).pixels).save(root / "towns" / "images" / f"{name}.png")
        mask = np.resize(np.array(values, np.uint8), (30, 40))
        Image.fromarray(mask).save(root / "towns" / "labels" / f"{name}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_towns(tmp_path)
    for tile in (1, 2):
        image = make_image(10 * tile, 96, 80)
        write_pair(tmp_path / "tiles", tile, 1, Image.fromarray(colours(image.labels)))
    return tmp_path


def colours(labels: np.ndarray) -> np.ndarray:
    from tests.training.dataset import colours_of

    return colours_of(labels)


def config(*sources: dict[str, object], **sections: object) -> TrainingConfig:
    return TrainingConfig.from_mapping({"sources": list(sources), **sections})


def test_sources_become_one_dataset_at_one_gsd_with_partial_labels(root: Path) -> None:
    dataset = open_data(config(COARSE, TILES, model={"gsd": 1.0}), root)
    names = [entry.name for entry in dataset.entries]
    assert names == ["coarse/here_0", "coarse/here_1", "coarse/there_0"] + [
        f"tiles/tile{tile}/image_part_001" for tile in (1, 2)
    ]
    assert [entry.group for entry in dataset.entries[:3]] == ["coarse/here", "coarse/here", "coarse/there"]
    assert [source.name for source in dataset.sources] == ["coarse", "tiles"]
    assert "Drawn for tests, CC0" in dataset.title
    image = dataset.entries[0].load()
    assert image.source == "coarse"
    assert image.scale == (2.0, 2.0)
    assert image.labels[0, :3].tolist() == [3, NOT_CLASS + 3, IGNORE]
    assert image.at_model_gsd().pixels.shape == (60, 80, 3)
    assert dataset.entries[-1].load().at_model_gsd().labels.shape == (96, 80)


def test_places_and_images_of_sources_can_be_kept_out_and_left_out(root: Path) -> None:
    source = {**COARSE, "exclude": ["here_1"]}
    split = {"kind": "list", "validation": ["coarse/there"], "exclude": ["tiles/tile2"]}
    found = config(source, TILES, split=split)
    parts = make_split(open_data(found, root), found.split, lambda text: None)
    assert [image.name for image in parts.training] == ["coarse/here_0", "tiles/tile1/image_part_001"]
    assert [image.name for image in parts.validation] == ["coarse/there_0"]


def test_without_sources_it_is_the_folder_itself(root: Path) -> None:
    assert len(open_data(TrainingConfig(), root / "tiles").entries) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": {"4": "House"}}, r"value 4 means 'House'.*no class 'House'"),
        ({"labels": {"four": "Building"}}, r"'four' is not a mask value"),
        ({"exclude": ["nowhere"]}, r"excludes 'nowhere', which does not exist"),
    ],
)
def test_what_a_source_says_wrongly_is_named(root: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_data(config({**COARSE, **change}), root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": 0.0}, "weight must be positive"),
        ({"gsd": -1.0}, "gsd must be a finite number"),
        ({"layout": "tiles"}, "layout must be one of"),
        ({"place": "("}, "not a regular expression"),
        ({"place": "abc"}, "has no group"),
        ({"name": "a/b"}, "must not be empty or contain"),
        ({"colour": 1}, "Unknown keys"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config({**COARSE, **change})
    with pytest.raises(ConfigError, match="lacks name"):
        config({"folder": "x"})
    with pytest.raises(ConfigError, match="different names, got coarse, coarse"):
        config(COARSE, COARSE)


def test_a_value_without_a_meaning_is_refused_with_its_count(tmp_path: Path) -> None:
    write_towns(tmp_path, (4, 14, 7))
    with pytest.raises(DatasetError, match=r"values without a meaning: 7 \(400 px\).*defined for 4, 6, 14"):
        open_data(config(COARSE), tmp_path).entries[0].load()


def test_a_place_that_the_expression_does_not_find_is_refused(root: Path) -> None:
    with pytest.raises(DatasetError, match=r"finds no place in 'here_0'"):
        open_data(config({**COARSE, "place": "^([0-9]+)"}), root)


def test_differences_between_configurations_name_the_source() -> None:
    earlier, now = config(COARSE, TILES), config({**COARSE, "gsd": 1.0})
    found = config_differences(earlier, now)
    assert found["sources.coarse.gsd"] == (2.0, 1.0)
    assert found["sources.tiles.name"] == ("tiles", None)


def test_a_file_lists_sources_and_settings_change_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[[sources]]\nname = "a"\nlabels = { 4 = "Building" }\n[model]\ngsd = 0.5\n')
    found = load_config(path, ["model.gsd=0.6"])
    assert found.sources[0].labels == {"4": "Building"}
    assert found.model.gsd == 0.6


def test_a_source_may_have_vector_layers(root: Path) -> None:
    pixels = make_image(5, 40, 40).pixels.transpose(2, 0, 1)
    factories.write_raster(root / "osm" / "images" / "block.tif", pixels)
    shapes = {"houses": (5, 5, 15, 15), "area": (0, 0, 30, 40)}
    for name, (left, top, right, bottom) in shapes.items():
        box = shapely.box(300_000 + left, 2_780_000 - bottom, 300_000 + right, 2_780_000 - top)
        factories.write_layer(root / "osm" / f"{name}.gpkg", [box])
    layers = {
        "name": "osm", "folder": "osm", "layers": [{"file": "houses.gpkg", "label": "Building"}],
        "area": "area.gpkg", "background": "not Building",
    }  # fmt: skip
    dataset = open_data(config(layers, TILES, model={"gsd": 1.0}), root)
    images = [entry.load() for entry in dataset.entries if entry.name.startswith("osm/")]
    labels = [label for image in images for label in image.labels.ravel().tolist()]
    assert labels.count(3) == 100
    assert labels.count(NOT_CLASS + 3) == 30 * 40 - 100
    assert {image.source for image in images} == {"osm"}
    with pytest.raises(ConfigError, match=r"source 'osm': labels \(of mask values\) and layers are both set"):
        config({**layers, "labels": {"1": "Building"}})
    with pytest.raises(ConfigError, match="belong together"):
        config({**layers, "background": ""})
