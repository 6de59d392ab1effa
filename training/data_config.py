"""Configuration of the data: folder, sources, split."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.translation import tr

from .bands import MOST_BANDS, InputBands, parse_bands
from .config_parser import build_section, require
from .errors import ConfigError

MOST_SEED = 2**63  # torch takes no larger


LAYOUTS = ("auto", "dubai", "masks", "polygons")
SCALINGS = ("auto", "stretch", "standardize")
SPLITS = ("none", "auto", "seed", "location", "quarter", "patch", "list")


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """A vector layer whose features are one label, a table ``[[data.layers]]`` in TOML.

    Args:
        file: Vector file, relative to the data folder.
        label: A class, ``not NAME`` for a partial label, or empty for unlabelled ground.
        layer: Layer of the file; required if it has several.
        where: Features that are used, by values of fields: a value, a list of values, or ``*`` for any but ``no``.
        width: Width of lines and points, m; 0 leaves them out.
        width_field: Field with the width of a feature, m, which counts before ``width``.
        widths: Width by the value of the first field of ``where``, m, which counts before ``width``.
    """

    file: str
    label: str = ""
    layer: str = ""
    where: dict[str, Any] = dataclasses.field(default_factory=dict)
    width: float = 0.0
    width_field: str = ""
    widths: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"data.layers, {self.file}"
        require(bool(self.file), "data.layers: a file must not be empty.")
        for value in (self.width, *self.widths.values()):
            require(
                isinstance(value, int | float) and math.isfinite(value) and value >= 0,
                f"{where}: a width must be a finite number of metres of at least 0, got {value}.",
            )
        require(not self.widths or bool(self.where), f"{where}: widths belong to the values of a field in where.")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Images and labels; paths are relative to the data folder.

    Args:
        title: Name and licence of the data for model cards, one sentence; empty for the default of the layout.
        classes: Class table, CSV or JSON; empty looks for ``classes.csv`` and ``classes.json``.
        labels: Vector file of labelled polygons; empty looks for ``labels.gpkg``, ``.shp`` and ``.geojson``.
        layer: Layer of that file; required if it has several.
        field: Attribute with the name or id of the class; empty looks for ``class``, ``class_id``,
            ``name`` and ``to``.
        bands: Up to twelve bands in the order of the network's inputs: numbers from 1, names such as ``nir``, or both
            (``nir=4``); empty selects red, green and blue as Segment Land Cover does.
        scaling: ``stretch`` reads files of more than 8 bits stretched to 8 bits one by one, as a run does;
            ``standardize`` reads every type with mean and standard deviation of the training images; ``auto`` is that
            of the start, else ``stretch`` for three bands and ``standardize`` for other numbers of bands.
        second: Second raster, such as a height model, on any grid; its bands follow those of the image. A folder with
            one for each image, under the same name, or a file that covers all images. Empty for none.
        layers: Vector layers with labels, instead of ``labels``; each table is a :class:`LayerConfig`.
        area: With ``layers``: vector file of polygons in which the layers are complete.
        background: With ``area``: label of its pixels without a feature, such as ``not Building``; empty for none.
        values: Meaning of the values of masks, as ``labels`` of :class:`SourceConfig`; empty for class ids or colours.
        block: Side of the blocks into which rasters with polygons are cut, px; 0 cuts around the polygons.
        scenes: ``module:function`` that draws synthetic scenes, or empty; a leading dot means a module of this package.
        scene_share: Share of chips taken from synthetic scenes, 0..1.
        scene_count: Number of scenes.
        scene_seed: Seed of the first scene; the others count up from it.
        scene_size: Side of a scene, px.
        scene_gsd: Ground sampling distance of a scene, m/px; 0 for that of the model.
    """

    title: str = ""
    classes: str = ""
    labels: str = ""
    layer: str = ""
    field: str = ""
    bands: tuple[int | str, ...] = ()
    scaling: str = "auto"
    second: str = ""
    layers: tuple[dict[str, Any], ...] = ()
    area: str = ""
    background: str = ""
    values: dict[str, str] = dataclasses.field(default_factory=dict)
    block: int = 1024
    scenes: str = ""
    scene_share: float = 0.0
    scene_count: int = 12
    scene_seed: int = 1000
    scene_size: int = 768
    scene_gsd: float = 0.0

    def __post_init__(self) -> None:
        require(
            len(self.input_bands.names) <= MOST_BANDS,
            tr("A network reads at most {limit} bands, got {count}.", limit=MOST_BANDS, count=len(self.bands)),
            tr("Choose fewer bands."),
            "In a configuration: data.bands.",
        )
        require(self.scaling in SCALINGS, f"data.scaling must be one of {', '.join(SCALINGS)}, got '{self.scaling}'.")
        require(
            not (self.layers and self.labels),
            "data.labels and data.layers are both set.",
            "Name the file in data.layers too, or use one of them.",
        )
        require(
            bool(self.area) == bool(self.background) and (bool(self.layers) or not self.area),
            "data.area and data.background belong together, and to data.layers.",
            "Give the polygons in which the layers are complete, and the label of the ground between their features.",
        )
        _ = self.label_layers  # checks them
        require(self.block == 0 or self.block >= 64, f"block must be at least 64 px, or 0 for none, got {self.block}.")
        require(0 <= self.scene_share < 1, f"scene_share must be at least 0 and below 1, got {self.scene_share}.")
        require(self.scene_count > 0 and self.scene_size > 0, "scene_count and scene_size must be positive.")

    @property
    def label_layers(self) -> tuple[LayerConfig, ...]:
        """The layers with labels."""
        return tuple(build_section("data.layers", LayerConfig, table) for table in self.layers)

    @property
    def input_bands(self) -> InputBands:
        """The bands that are read."""
        return dataclasses.replace(parse_bands(self.bands), second=self.second)


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One of several folders of training data, a table ``[[sources]]`` in TOML.

    Args:
        name: Short name; images are called ``name/image`` in splits and logs.
        folder: Folder of the source, relative to the data folder.
        layout: ``auto``, ``dubai``, ``masks`` or ``polygons``; see :mod:`training.data.layouts`.
        images: Image folder of the layout ``masks``.
        masks: Mask folder of the layout ``masks``.
        labels: Meaning of the mask values, numbers or colours such as ``#FF0000``: ``{"4" = "Building", "14" = "not
            Building", "6" = ""}``. ``NAME`` is a class, ``not NAME`` a partial label (any class except that one), an
            empty text an unlabelled pixel. An empty table means that values are class ids.
        layers: Vector layers with labels, tables ``[[sources.layers]]`` as ``layers`` of :class:`DataConfig`.
        area: With ``layers``: as ``area`` of :class:`DataConfig`.
        background: With ``area``: as ``background`` of :class:`DataConfig`.
        gsd: Ground sampling distance of the images, m/px; 0 for that of their georeference, or of their masks,
            and without any for that of the model.
        gsds: Ground sampling distance of individual places, m/px, by place; overrides ``gsd``.
        place: Regular expression whose first group, searched in the image name, is the place of the image; empty for
            the places of the layout.
        weight: Relative share of the chips cut from this source.
        exclude: Names of images, without the source name, that are not used.
        terms: Title, licence and attribution for model cards.
    """

    name: str
    folder: str = ""
    layout: str = "auto"
    images: str = "images"
    masks: str = "masks"
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    layers: tuple[dict[str, Any], ...] = ()
    area: str = ""
    background: str = ""
    gsd: float = 0.0
    gsds: dict[str, float] = dataclasses.field(default_factory=dict)
    place: str = ""
    weight: float = 1.0
    exclude: tuple[str, ...] = ()
    terms: str = ""

    def __post_init__(self) -> None:
        where = f"source '{self.name}'"
        require(bool(self.name) and "/" not in self.name, f"{where}: the name must not be empty or contain '/'.")
        require(
            not (self.layers and self.labels),
            f"{where}: labels (of mask values) and layers are both set.",
            "Use one of them.",
        )
        DataConfig(layers=self.layers, area=self.area, background=self.background)  # checks them
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
        require(
            not self.place or groups >= 1,
            f"{where}: place '{self.place}' has no group.",
            "Write, for example, ^([a-z]+)_.",
        )


@dataclass(frozen=True, slots=True)
class SplitConfig:
    """Division of the labelled images into training and validation; see :mod:`.data.splits`.

    Args:
        kind: ``none``, ``auto``, ``seed``, ``location``, ``quarter``, ``patch`` or ``list``.
        fold: Index of the fold that ``location`` holds out, from 0.
        groups: Folds of ``location``: lists of groups that are held out together; empty for the folds of the dataset.
        validation: Names of images or groups that ``list`` holds out.
        exclude: Names of images or groups that are not used at all, for example because of wrong labels.
        seed: Random seed of ``seed`` and ``patch``.
        images: Number of images that ``seed`` holds out.
        share: Share of the patches that ``patch`` holds out, 0..1.
        patch: Side of the patches, px.
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
            self.fold >= 0 and self.images >= 1,
            f"fold must be at least 0 and images at least 1, got {self.fold}, {self.images}.",
        )
        require(0 <= self.seed < MOST_SEED, f"split.seed must be in 0..2^63 - 1, got {self.seed}.")
        require(0 < self.share < 1, f"share must be between 0 and 1, got {self.share}.")
        require(self.patch >= 16, f"patch must be at least 16 px, got {self.patch}.")
        require(
            self.kind != "list" or bool(self.validation),
            "split.kind is 'list', but split.validation is empty.",
            "List names of images or groups, or choose another kind.",
        )
