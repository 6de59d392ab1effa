"""Configuration of the data: folder, sources, split."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from .config_parser import require
from .errors import ConfigError

MOST_SEED = 2**63  # torch takes no larger


LAYOUTS = ("auto", "dubai", "masks", "polygons")
SPLITS = ("none", "seed", "location", "patch", "list")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What the images and labels are; paths are relative to the folder of the data.

    Args:
        title: One sentence for model cards: name and licence of the data; empty for what the layout tells.
        classes: Class table, CSV or JSON; empty looks for ``classes.csv`` and ``classes.json``.
        labels: Vector file of labelled polygons; empty looks for ``labels.gpkg``, ``.shp`` and ``.geojson``.
        layer: Layer of that file; needed where it has several.
        field: Its field with the class, by name or id; empty looks for ``class``, ``class_id`` and ``name``.
        bands: 1-based bands that are red, green and blue; empty finds them as a run does.
        block: Side of the blocks that rasters with polygons are cut into, px.
        scenes: ``module:function`` that draws synthetic scenes, or empty; a dot in front means inside this package.
        scene_share: Share of chips taken from synthetic scenes, 0..1.
        scene_count: How many scenes are drawn.
        scene_seed: Seed of the first; the others count up.
        scene_size: Side of a scene, px.
        scene_gsd: Ground sampling distance of a scene, m/px; 0 takes its pixels as those of the model.
    """

    title: str = ""
    classes: str = ""
    labels: str = ""
    layer: str = ""
    field: str = ""
    bands: tuple[int, ...] = ()
    block: int = 1024
    scenes: str = ""
    scene_share: float = 0.0
    scene_count: int = 12
    scene_seed: int = 1000
    scene_size: int = 768
    scene_gsd: float = 0.0

    def __post_init__(self) -> None:
        require(
            not self.bands or (len(self.bands) == 3 and min(self.bands) >= 1),
            f"bands must be three numbers from 1, got {list(self.bands)}.",
            "Name the bands that are red, green and blue.",
        )
        require(self.block >= 64, f"block must be at least 64 px, got {self.block}.")
        require(0 <= self.scene_share < 1, f"scene_share must lie in 0..1, got {self.scene_share}.")
        require(self.scene_count > 0 and self.scene_size > 0, "scene_count and scene_size must be positive.")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One of several folders of training data; written as ``[[sources]]`` in TOML.

    Args:
        name: Short name; images are called ``name/image`` in splits and logs.
        folder: Folder of the source, relative to the folder of the data.
        layout: ``auto``, ``dubai``, ``masks`` or ``polygons``; see :mod:`training.data.layouts`.
        images: Folder of the images of ``masks``.
        masks: Folder of the masks of ``masks``.
        labels: Meaning of the mask's values: ``{"4" = "Building", "14" = "not Building", "6" = ""}``. A name stands for
            a class, ``not NAME`` for pixels known to be anything but that class, an empty text for unlabelled pixels.
            Empty takes values as class ids.
        gsd: Ground sampling distance of the images, m/px; 0 takes their pixels as those of the model.
        gsds: Ground sampling distance of single places, m/px, by place.
        place: Regular expression on an image's name whose first group is its place; empty takes the layout's own.
        weight: Relative share of the chips that are cut from this source.
        exclude: Names of images, within the source, that are left out.
        terms: Title, licence and credit for model cards.
    """

    name: str
    folder: str = ""
    layout: str = "auto"
    images: str = "images"
    masks: str = "masks"
    labels: dict[str, str] = field(default_factory=dict)
    gsd: float = 0.0
    gsds: dict[str, float] = field(default_factory=dict)
    place: str = ""
    weight: float = 1.0
    exclude: tuple[str, ...] = ()
    terms: str = ""

    def __post_init__(self) -> None:
        where = f"source '{self.name}'"
        require(bool(self.name) and "/" not in self.name, f"{where}: the name must not be empty nor contain '/'.")
        require(self.layout in LAYOUTS, f"{where}: layout must be one of {', '.join(LAYOUTS)}, got '{self.layout}'.")
        for value in (self.gsd, *self.gsds.values()):
            require(
                isinstance(value, int | float) and math.isfinite(value) and value >= 0,
                f"{where}: gsd must be a finite number of metres of at least 0, got {value}.",
            )
        require(math.isfinite(self.weight) and self.weight > 0, f"{where}: weight must be positive, got {self.weight}.")
        try:
            groups = re.compile(self.place).groups
        except re.error as error:
            raise ConfigError(f"{where}: place is not a regular expression: {error}.") from error
        require(not self.place or groups >= 1, f"{where}: place '{self.place}' has no group.", "Write e.g. ^([a-z]+)_")


@dataclass(frozen=True, slots=True)
class SplitConfig:
    """Which labelled images are kept out of training to validate on; see :mod:`.data.splits`.

    Args:
        kind: ``none``, ``seed``, ``location``, ``patch`` or ``list``.
        fold: Which of ``groups`` is kept out by ``location``, from 0.
        groups: What ``location`` keeps out together: lists of names of groups; empty takes the data's own.
        validation: Names of images or groups that ``list`` keeps out.
        exclude: Names of images or groups left out altogether, for instance for broken labels.
        seed: Of ``seed`` and ``patch``.
        images: How many images ``seed`` keeps out.
        share: Share of the patches that ``patch`` keeps out, 0..1.
        patch: Side of its patches, px.
    """

    kind: str = "none"
    fold: int = 0
    groups: tuple[tuple[str, ...], ...] = ()
    validation: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    seed: int = 101
    images: int = 7
    share: float = 0.2
    patch: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(tuple(group) for group in self.groups))  # TOML has lists
        require(self.kind in SPLITS, f"split.kind must be one of {', '.join(SPLITS)}, got '{self.kind}'.")
        require(
            self.fold >= 0 and self.images >= 1, f"fold counts from 0, images from 1; got {self.fold}, {self.images}."
        )
        require(0 <= self.seed < MOST_SEED, f"split.seed must lie in 0..2^63 - 1, got {self.seed}.")
        require(0 < self.share < 1, f"share must lie between 0 and 1, got {self.share}.")
        require(self.patch >= 16, f"patch must be at least 16 px, got {self.patch}.")
        require(
            self.kind != "list" or bool(self.validation),
            "split.kind is 'list', but split.validation names no image.",
            "List names of images or groups, or choose another kind.",
        )
