"""Splits: no image and no pixel in both parts, seeded, and honest about leaks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import make_image, write_dataset, write_pair
from training.config import DataConfig, SplitConfig, TrainingConfig, load_config
from training.data.layouts import Dataset, Entry, LabelledImage, open_dataset
from training.data.sources import open_data
from training.data.splits import choose, folds_of, make_split
from training.errors import ConfigError, DatasetError

CONFIGS = Path(__file__).parents[3] / "training" / "configs"


def quiet(text: str) -> None:
    """Say nothing."""


def image_of(name: str, group: str, labels: np.ndarray | None = None) -> LabelledImage:
    image = make_image(sum(map(ord, name)), 40, 48)
    return LabelledImage(name, image.pixels, image.labels if labels is None else labels, group)


def dataset_of(groups: list[int], unlabelled: tuple[str, ...] = (), folds: tuple[tuple[str, ...], ...] = ()) -> Dataset:
    """Return images named ``g0/i00``…; the number is the image's, the group as listed."""
    entries = []
    for index, group in enumerate(groups):
        name, place = f"g{group}/i{index:02d}", f"g{group}"
        entries.append(Entry(name, place, Path(f"{name}.png"), partial(image_of, name, place)))
    return Dataset("x", DUBAI, tuple(entries), unlabelled, folds)


GROUPS = st.lists(st.integers(0, 3), min_size=3, max_size=12).filter(lambda groups: len(set(groups)) > 1)


@given(groups=GROUPS, data=st.data())
def test_no_image_lies_in_both_parts_and_none_is_lost(groups: list[int], data: st.DataObject) -> None:
    dataset = dataset_of(groups, unlabelled=("g9/x", "g9/y"))
    names = [entry.name for entry in dataset.entries]
    kind = data.draw(st.sampled_from(["none", "seed", "location", "list"]))
    config = SplitConfig(
        kind=kind,
        fold=data.draw(st.integers(0, len(set(groups)) - 1)),
        seed=data.draw(st.integers(0, 5)),
        images=data.draw(st.integers(1, len(names))),
        validation=tuple(data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))),
        exclude=tuple(data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True))),
    )
    choice = choose(dataset, config)
    training, validation = ({entry.name for entry in part} for part in (choice.training, choice.validation))
    assert not training & validation
    assert training | validation == set(names) - set(config.exclude)
    assert choose(dataset, config) == choice
    if kind == "location":
        assert not {entry.group for entry in choice.training} & {entry.group for entry in choice.validation}
    leaks = bool({entry.group for entry in choice.training} & {entry.group for entry in choice.validation})
    assert ("It leaks" in choice.description) == leaks


@pytest.mark.parametrize("count", [1, 4, 6])
def test_a_quarter_of_each_image_is_held_out(count: int) -> None:
    dataset = dataset_of([0] * count)
    split = make_split(dataset, SplitConfig(kind="quarter"), quiet)
    sides = []
    for entry, trained, held in zip(dataset.entries, split.training, split.validation, strict=True):
        whole = entry.load()
        assert np.array_equal(trained.pixels, whole.pixels)
        assert np.array_equal(held.pixels, whole.pixels)
        inside, outside = held.labels != IGNORE, trained.labels != IGNORE
        assert np.array_equal(inside, ~outside)
        assert np.array_equal(np.where(inside, held.labels, trained.labels), whole.labels)
        assert inside.mean() == 0.25
        sides.append([bool(inside[row, col]) for row, col in ((20, 0), (0, 24), (20, -1), (-1, 24))])
    expected = np.eye(4, dtype=bool).tolist()
    assert sides == [expected[index % 4] for index in range(count)]
    assert "too optimistic for other places" in split.description


@pytest.mark.parametrize(
    ("groups", "kind"),
    [
        ([0, 1, 2, 3], "A quarter of each image"),
        (list(range(8)), "A quarter of each image"),  # eight places of one image: a fold is a single image
        ([0] * 9, "A quarter of each image"),  # one place
        ([0] * 7 + [1] * 2, "A quarter of each image"),  # most images would be held out
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], "By location, fold 0 of 3: g0 held out"),
        (list(range(12)), "By location, fold 0 of 5"),
    ],
)
def test_auto_holds_out_places_if_there_are_enough_images(groups: list[int], kind: str) -> None:
    assert choose(dataset_of(groups), SplitConfig(kind="auto")).description.startswith(kind)
    kept = choose(dataset_of(groups), SplitConfig(kind="auto", exclude=("g0/i00",)))
    assert "g0/i00" not in {entry.name for entry in (*kept.training, *kept.validation)}
    assert kept.description.endswith("Not used: g0/i00.")


def test_many_places_are_gathered_into_five_folds_of_neighbours() -> None:
    dataset = dataset_of(list(range(8)))
    assert len(folds_of(dataset, SplitConfig())) == 8
    dataset = dataset_of([*range(9), 3])
    folds = folds_of(dataset, SplitConfig())
    assert folds[0] == ("g0", "g1")
    assert len(folds) == 5
    assert [group for fold in folds for group in fold] == [f"g{index}" for index in range(9)]
    assert len(folds_of(dataset, SplitConfig(groups=(("g1",),)))) == 9


def test_every_fold_is_kept_out_once() -> None:
    dataset = dataset_of([0, 1, 2, 3, 0, 1], folds=(("g0", "g2"), ("g1",)))
    config = SplitConfig(kind="location")
    assert folds_of(dataset, config) == (("g0", "g2"), ("g1",), ("g3",))
    held = [
        {entry.name for entry in choose(dataset, SplitConfig(kind="location", fold=fold)).validation}
        for fold in range(3)
    ]
    assert held == [{"g0/i00", "g2/i02", "g0/i04"}, {"g1/i01", "g1/i05"}, {"g3/i03"}]
    own = SplitConfig(kind="location", groups=(("g3", "g1"),), fold=0)
    assert {entry.group for entry in choose(dataset, own).validation} == {"g1", "g3"}
    assert "g3, g1 held out" in choose(dataset, own).description


def test_seed_is_the_random_split_of_torch_over_all_images() -> None:
    dataset = dataset_of([1, 1, 0, 0, 2], unlabelled=("g0/zz", "g3/a"))
    names = sorted([*(entry.name for entry in dataset.entries), "g0/zz", "g3/a"])
    _, held = torch.utils.data.random_split(names, [4, 3], torch.Generator().manual_seed(8))
    choice = choose(dataset, SplitConfig(kind="seed", images=3, seed=8))
    assert {entry.name for entry in choice.validation} == set(held) - {"g0/zz", "g3/a"}


def test_a_list_names_images_or_groups_and_reports_leaks() -> None:
    dataset = dataset_of([0, 0, 1, 2], folds=(("g0",), ("g1", "g2")))
    choice = choose(dataset, SplitConfig(kind="list", validation=("g0",)))
    assert [entry.name for entry in choice.validation] == ["g0/i00", "g0/i01"]
    assert "leaks" not in choice.description
    choice = choose(dataset, SplitConfig(kind="list", validation=("g1/i02",)))
    assert "It leaks: images of g1, g2 are in both parts" in choice.description


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            SplitConfig(kind="list", validation=("g0/i0",)),
            r"split\.validation contains 'g0/i0'.*Did you mean g0/i01, g0/i00",
        ),
        (SplitConfig(exclude=("i",)), r"split\.exclude contains 'i', which does not exist"),
        (SplitConfig(kind="location", groups=(("g7",),)), r"split\.groups contains 'g7'"),
        (SplitConfig(kind="location", groups=(("g0",), ("g0",))), r"contains a group twice"),
        (SplitConfig(kind="location", fold=2), r"split\.fold is 2, but the folds are 0: g0; 1: g1"),
        (SplitConfig(kind="seed", images=3), r"split\.images is 3, but there are 3 images"),
    ],
)
def test_what_does_not_exist_is_reported(config: SplitConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose(dataset_of([0, 0, 1]), config)


def test_one_place_cannot_be_kept_out() -> None:
    with pytest.raises(ConfigError, match=r"at one place \(g0\)"):
        choose(dataset_of([0, 0]), SplitConfig(kind="location"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "random"', "split.kind must be one of none, auto, seed, location, quarter, patch, list, got 'random'"),
        ('kind = "list"', "split.validation is empty"),
        ("share = 1.0", "share must be between 0 and 1"),
        ("fold = -1", "fold must be at least 0"),
        ("patch = 8", "at least 16 px"),
    ],
)
def test_a_split_is_checked_when_it_is_read(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[split]\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_groups_come_from_a_file_and_survive_json(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[split]\nkind = "location"\ngroups = [["a", "b"], ["c"]]\n')
    config = load_config(path)
    assert config.split.groups == (("a", "b"), ("c",))
    assert TrainingConfig.from_mapping(config.to_json()) == config


def test_patches_larger_than_the_images_are_reported() -> None:
    images = (make_image(1), make_image(2))  # 80×96 px
    entries = tuple(Entry(i.name, i.name, Path(i.name), lambda i=i: i) for i in images)
    with pytest.raises(DatasetError, match=r"yield 0 patches of 128 px, too few to divide. Lower split\.patch"):
        make_split(Dataset("", DUBAI, entries), SplitConfig(kind="patch", patch=128), lambda text: None)


def test_patches_share_no_pixel_and_say_that_they_leak() -> None:
    dataset = dataset_of([0, 1, 1])
    config = SplitConfig(kind="patch", patch=16, share=0.3)
    said: list[str] = []
    split = make_split(dataset, config, said.append)
    names = [[image.name for image in part] for part in (split.training, split.validation)]
    assert [len(part) for part in names] == [13, 5]  # three images of 2×3 patches
    assert len(set(names[0]) | set(names[1])) == 18
    assert "It leaks" in split.description
    whole = {entry.name: entry.load() for entry in dataset.entries}
    for image in (*split.training, *split.validation):
        name, _, corner = image.name.partition("@")
        row, col = map(int, corner.split(","))
        np.testing.assert_array_equal(image.labels, whole[name].labels[row : row + 16, col : col + 16])
        assert image.group == whole[name].group
    other = make_split(dataset, SplitConfig(kind="patch", patch=16, share=0.3, seed=2), quiet)
    assert {image.name for image in other.validation} != set(names[1])


def test_a_split_loads_its_images_and_reports_unused_images(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    write_pair(tmp_path, 2, 9, None)
    said: list[str] = []
    config = SplitConfig(kind="location", exclude=("tile1/image_part_002",))
    split = make_split(open_dataset(DataConfig(), tmp_path), config, said.append)
    assert [image.name for image in split.training] == ["tile2/image_part_001", "tile2/image_part_002"]
    assert [image.name for image in split.validation] == ["tile1/image_part_001"]
    assert "1 of 5 images have no labels: tile2/image_part_009" in said[0]
    assert "tile1 held out" in split.description
    assert "Not used: tile1/image_part_002" in split.description
    assert said[-1] == "2 training images, 1 validation images"


def test_one_class_alone_cannot_be_learnt() -> None:
    land, nothing = np.full((40, 48), 1, np.uint8), np.full((40, 48), IGNORE, np.uint8)
    land[:4] = IGNORE

    def made(*labels: np.ndarray) -> Dataset:
        entries = [Entry(f"i{n}", "g", Path("i.png"), partial(image_of, f"i{n}", "g", x)) for n, x in enumerate(labels)]
        return Dataset("x", DUBAI, tuple(entries))

    with pytest.raises(DatasetError, match="All training labels are Land") as caught:
        make_split(made(land, land), SplitConfig(), quiet)
    assert "Label a second class" in caught.value.remedy
    with pytest.raises(DatasetError, match="no labelled training image"):
        make_split(made(nothing), SplitConfig(), quiet)
    both = land.copy()
    both[20:] = 3
    said: list[str] = []
    split = make_split(made(both, nothing), SplitConfig(), said.append)
    assert [image.name for image in split.training] == ["i0"]
    assert any(text.startswith("1 images have no labelled pixel") and "i1" in text for text in said)
    assert any("No training label for Water, Road, Vegetation" in text for text in said)


def test_a_damaged_image_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    (tmp_path / "Tile 1" / "images" / "image_part_001.jpg").write_bytes(b"nothing")
    dataset = open_dataset(DataConfig(), tmp_path)
    with pytest.raises(DatasetError, match=r"image_part_001\.jpg") as caught:
        make_split(dataset, SplitConfig(), quiet)
    assert 'split.exclude = ["tile1/image_part_001"]' in caught.value.hint
    split = make_split(dataset, SplitConfig(exclude=("tile1/image_part_001",)), quiet)
    assert len(split.training) == 3


def test_blocks_that_fill_the_memory_are_reported() -> None:
    def made(side: int) -> Dataset:
        window = Window(0, 0, side, side)
        load = partial(image_of, "i", "g")
        return Dataset("x", DUBAI, (Entry("i", "g", Path("i.tif"), load, window=window),))

    said: list[str] = []
    make_split(made(40_000), SplitConfig(), said.append)
    assert "1 blocks are kept in memory, about 6 GB" in said[0]
    said.clear()
    make_split(made(1_000), SplitConfig(), said.append)
    assert not [text for text in said if "memory" in text]


@pytest.mark.shared
def test_the_published_test_images_are_those_without_masks(shared: Path) -> None:
    dataset = open_dataset(DataConfig(), shared / "dubai")
    names = sorted([*(entry.name for entry in dataset.entries), *dataset.unlabelled])
    _, held = torch.utils.data.random_split(names, [65, 7], torch.Generator().manual_seed(101))
    assert set(held) == set(dataset.unlabelled)
    choice = choose(dataset, SplitConfig(kind="seed"))
    assert (len(choice.training), len(choice.validation)) == (65, 0)
    assert "None of the 7 images held out has labels here" in choice.description


@pytest.mark.shared
def test_shipped_configurations_fit_the_real_dataset(shared: Path) -> None:
    dataset = open_dataset(DataConfig(), shared / "dubai")
    held = choose(
        dataset, load_config(CONFIGS / "dubai.toml", ["split.kind=location", "split.fold=2"]).split
    ).validation
    assert {entry.group for entry in held} == {"tile1", "tile3"}
    for path in CONFIGS.glob("*.toml"):
        config = load_config(path)
        if all((shared / source.folder).is_dir() for source in config.sources):
            choose(open_data(config, shared) if config.sources else dataset, config.split)
