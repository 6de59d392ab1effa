"""Reads rasters with labelled polygons: ``images/*.tif`` and ``labels.gpkg``.

Rasters of any size are cut into blocks; blocks that intersect a polygon are loaded one by one. Pixels outside polygons
are ignored. In overlapping polygons the later feature counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import isolated, tr

from ..bands import RGB, InputBands
from ..config import DataConfig
from ..errors import DatasetError
from .class_table import find_scheme
from .dataset import Dataset, Entry, LabelledImage, labelled
from .label_layers import read_label_layers
from .layers import LabelLayer, is_on_earth, read_layer
from .pixels import list_images, open_image, stretch_of, to_pixels

_LEAST_PLACE, _MOST_PLACE = 256, 1024  # px; sides of windows around polygons
_NEAR = 2  # px on each side of a polygon; polygons that are nearer to each other are in one window
_GSD_SPREAD = 1.5  # ratio of pixel sizes covered by the default scale augmentation, 0.7 to 1.5


class LabelledRaster:
    """A raster with its labelled polygons in pixel coordinates (column, row).

    Args:
        name: Short name.
        path: Raster file.
        layer: Polygons in any CRS.
        bands: Bands to read.

    Raises:
        DatasetError: with the file name, if it cannot be opened, lacks the bands or has no CRS.
    """

    def __init__(self, name: str, path: Path, layer: LabelLayer, bands: InputBands = RGB) -> None:
        self.name, self.path, self._bands = name, path, bands
        with open_image(path, bands) as source:
            self.grid = source.grid
            self.notes = tuple(f"{isolated(str(path))}: {note}" for note in source.warnings)
        self.crs: CRS = self.grid.crs
        if not is_on_earth(self.crs):
            raise DatasetError(
                tr("{path} has no coordinate reference system, so polygons cannot be located on it.", path=path),
                tr("Assign its CRS (Raster > Projections > Assign Projection in QGIS)."),
            )
        corners = self._corners()
        west, south = corners.min(axis=0)
        east, north = corners.max(axis=0)
        self.bounds = (float(west), float(south), float(east), float(north))
        # polygons near the raster, transformed from its CRS to pixel coordinates
        moved = layer.near(self.bounds, self.crs)
        inverse = ~self.grid.transform
        matrix = np.array([[inverse.a, inverse.d], [inverse.b, inverse.e]])
        shapes = shapely.transform(moved.geometries, lambda points: points @ matrix + (inverse.c, inverse.f))
        left, top, right, bottom = shapely.bounds(shapes).T
        here = (right > 0) & (bottom > 0) & (left < self.grid.width) & (top < self.grid.height)
        self._shapes, self._channels = shapes[here], moved.channels[here]
        self._background = layer.background
        self._tree = shapely.STRtree(self._shapes)

    @cached_property
    def _stretch(self) -> Stretch:
        with open_image(self.path, self._bands) as source:
            return stretch_of(source, self._bands)

    def _corners(self) -> npt.NDArray[np.float64]:
        """Return the corners of the raster, (4, 2), in its CRS."""
        height, width = self.grid.height, self.grid.width
        corners = ((0, 0), (width, 0), (width, height), (0, height))
        return np.array([self.grid.transform @ corner for corner in corners])

    def own_grid(self) -> Grid:
        """Return the grid of the raster."""
        return self.grid

    def windows(self, block: int) -> list[Window]:
        """Return the disjoint blocks of at most ``block`` px that intersect a labelled polygon, row by row."""
        return self._touched(_edges(self.grid.height, block), _edges(self.grid.width, block))

    def surroundings(self, least: int, most: int) -> list[Window]:
        """Return disjoint windows around the labelled polygons, row by row.

        Polygons near each other have one window.

        Args:
            least: Smallest side, px, as far as the raster allows; places of fewer pixels get surroundings.
            most: Largest side, px; larger windows are cut into blocks.
        """
        used = self._shapes[self._channels != IGNORE]
        if not len(used):
            return []
        whole = np.array((self.grid.width, self.grid.height))
        boxes = shapely.bounds(used)
        boxes = joined_boxes(np.column_stack((np.floor(boxes[:, :2]) - _NEAR, np.ceil(boxes[:, 2:]) + _NEAR)))
        low, high = (boxes[:, :2] + _NEAR).clip(0, whole), (boxes[:, 2:] - _NEAR).clip(0, whole)
        sides = np.maximum(high - low, np.minimum(least, whole))
        low = np.clip(np.floor((low + high - sides) / 2), 0, whole - sides)
        windows = [
            Window(int(top), int(left), int(bottom - top), int(right - left))
            for left, top, right, bottom in joined_boxes(np.column_stack((low, low + sides))).tolist()
        ]
        parts: list[Window] = []
        for window in windows:
            parts += self._blocks(window, most) if max(window.height, window.width) > most else [window]
        return sorted(parts, key=lambda window: (window.row, window.col))

    def _blocks(self, area: Window, most: int) -> list[Window]:
        """Return the blocks of an area that intersect a labelled polygon."""
        rows, cols = _edges(area.height, most) + area.row, _edges(area.width, most) + area.col
        return self._touched(rows, cols)

    def _touched(self, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> list[Window]:
        """Return the cells between edges that intersect a labelled polygon, row by row."""
        top, left = (part.ravel() for part in np.meshgrid(rows[:-1], cols[:-1], indexing="ij"))
        bottom, right = (part.ravel() for part in np.meshgrid(rows[1:], cols[1:], indexing="ij"))
        blocks, polygons = self._tree.query(shapely.box(left, top, right, bottom), predicate="intersects")
        touched = np.unique(blocks[self._channels[polygons] != IGNORE])
        return [Window(int(top[i]), int(left[i]), int(bottom[i] - top[i]), int(right[i] - left[i])) for i in touched]

    def labels(self, window: Window, reverse: bool = False) -> npt.NDArray[np.uint8]:
        """Rasterize the polygons of a window.

        Args:
            window: Window of the raster.
            reverse: Whether earlier features overwrite later ones.

        Returns:
            (H, W) uint8 channel indices, ``IGNORE`` outside polygons.
        """
        chosen = np.sort(self._tree.query(_box(window)))
        if reverse:  # what is drawn over the background everywhere contradicts nothing
            below = self._channels[chosen] == self._background
            chosen = np.concatenate([chosen[below], chosen[~below][::-1]])
        if not len(chosen):
            return np.full((window.height, window.width), IGNORE, np.uint8)
        labels: npt.NDArray[np.uint8] = rasterio.features.rasterize(
            [(self._shapes[i], int(self._channels[i])) for i in chosen],
            out_shape=(window.height, window.width),
            fill=IGNORE,
            transform=Affine.translation(window.col, window.row),
            dtype="uint8",
        )
        return labels

    def load(self, window: Window, name: str, group: str) -> LabelledImage:
        """Read a block and its labels; nodata pixels are ignored.

        Raises:
            DatasetError: with the file name, if the raster cannot be read.
        """
        with open_image(self.path, self._bands) as source:
            chip = source.read(window)
            pixels = to_pixels(chip, self._stretch)
        return labelled(name, pixels, self.labels(window), group, chip.valid, self._bands)

    def contradictions(self, window: Window) -> tuple[str, ...]:
        """Return a note if polygons of different classes overlap in a block."""
        disputed = int((self.labels(window) != self.labels(window, reverse=True)).sum())
        if not disputed:
            return ()
        return (
            tr(
                "{count} px are in overlapping polygons of different classes; the later feature counts.", count=disputed
            ),
        )


def joined_boxes(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the bounds of groups of boxes that meet, (M, 4); the groups do not meet.

    Args:
        boxes: (N, 4) left, top, right and bottom.
    """
    while True:
        joined = shapely.bounds(shapely.get_parts(shapely.union_all(shapely.box(*boxes.T))))
        if len(joined) == len(boxes):
            return np.asarray(joined, np.float64)
        boxes = joined


def _edges(length: int, block: int) -> npt.NDArray[np.int64]:
    """Return the edges of the smallest number of blocks of nearly equal length."""
    return np.linspace(0, length, -(-length // block) + 1).round().astype(np.int64)


def _box(window: Window) -> shapely.Polygon:
    return shapely.box(window.col, window.row, window.col + window.width, window.row + window.height)


def open_polygons(config: DataConfig, root: Path, labels: Path, bands: InputBands | None = None) -> Dataset:
    """List the blocks of the rasters in ``images`` that intersect polygons of ``labels``.

    An unusable raster becomes an entry whose loading fails, so that all errors can be reported together.

    Raises:
        DatasetError: if there is no raster, the layer is invalid, or no polygon intersects a raster.
    """
    scheme, source = find_scheme(root, config.classes)
    paths = list_images(root / "images")
    if not paths:
        raise DatasetError(
            tr("There are no images in {folder}.", folder=root / "images"), tr("Put georeferenced rasters there.")
        )
    if config.layers:
        layer = read_label_layers(config, root, scheme)
    else:
        layer = read_layer(labels, scheme, config.layer, config.field)
    title = config.title or f"Rasters and polygons of the folder '{root.resolve().name}', licence not stated"
    return polygon_dataset(config, paths, layer, (scheme, source), title, bands)


def polygon_dataset(
    config: DataConfig,
    paths: Mapping[str, Path],
    layer: LabelLayer,
    classes: tuple[ClassScheme, str],
    title: str,
    bands: InputBands | None = None,
) -> Dataset:
    """List the blocks of some rasters that intersect polygons; see :func:`open_polygons`.

    Args:
        config: Bands and blocks.
        paths: Rasters by name.
        layer: Labelled polygons.
        classes: The classes, and where they come from.
        title: Description of the data, one sentence.
        bands: Bands to read; None for those of the configuration.
    """
    scheme, source = classes
    rasters, broken = [], []
    for name, path in paths.items():
        try:
            rasters.append(LabelledRaster(name, path, layer, bands or config.input_bands))
        except DatasetError as error:
            broken.append(Entry(name, name, path, partial(_refuse, error)))
    cut = {raster.name: _entries(raster, config.block, alone=len(paths) == 1) for raster in rasters}
    entries = [*(entry for blocks in cut.values() for entry in blocks), *broken]
    if not entries:
        if not rasters:
            raise DatasetError(tr("There is no raster."), tr("Give one."))
        raise _apart(layer, rasters[0])
    notes = [tr("Classes: {source}.", source=source), *layer.notes, *_resolution(rasters)]
    notes.extend(note for raster in rasters for note in raster.notes)
    return Dataset(
        title=title,
        scheme=scheme,
        entries=tuple(sorted(entries, key=lambda entry: entry.name)),
        unlabelled=tuple(name for name, blocks in cut.items() if not blocks),
        notes=tuple(notes),
    )


def _refuse(error: DatasetError) -> LabelledImage:
    raise error


def _entries(raster: LabelledRaster, block: int, alone: bool) -> list[Entry]:
    """Return the blocks of a raster; the places are rasters, or the quarters of a single raster (``alone``)."""
    entries = []
    for window in raster.windows(block) if block else raster.surroundings(_LEAST_PLACE, _MOST_PLACE):
        lower = 2 * window.row + window.height > raster.grid.height
        right = 2 * window.col + window.width > raster.grid.width
        quarter = f"{'lower' if lower else 'upper'}-{'right' if right else 'left'}"
        group = f"{raster.name}/{quarter}" if alone else raster.name
        name = f"{raster.name}/r{window.row:05d}c{window.col:05d}"
        load, check = partial(raster.load, window, name, group), partial(raster.contradictions, window)
        entries.append(Entry(name, group, raster.path, load, check, window, raster.own_grid))
    return entries


def _resolution(rasters: list[LabelledRaster]) -> list[str]:
    sizes = sorted((gsd, raster.path.name) for raster in rasters if (gsd := raster.grid.gsd()) is not None)
    if not sizes:
        return []
    (finest, fine), (coarsest, coarse) = sizes[0], sizes[-1]
    if coarsest <= _GSD_SPREAD * finest:
        return [tr("The pixel size is {finest:.3g} m.", finest=finest)]
    return [
        tr(
            "The pixel size is {finest:.3g} m ({fine}) to {coarsest:.3g} m ({coarse}), but a model has "
            "one ground sampling distance. Resample the rasters to one pixel size.",
            finest=finest,
            fine=fine,
            coarsest=coarsest,
            coarse=coarse,
        )
    ]


def _apart(layer: LabelLayer, raster: LabelledRaster) -> DatasetError:
    return DatasetError(
        tr(
            "No polygon of {path} intersects a raster: they cover {extent} in {crs:.40}, but {raster} "
            "covers {raster_extent} in {raster_crs:.40}.",
            path=layer.path,
            extent=_extent(shapely.total_bounds(layer.geometries)),
            crs=layer.crs.to_string(),
            raster=raster.path.name,
            raster_extent=_extent(raster.bounds),
            raster_crs=raster.crs.to_string(),
        ),
        tr("Check the CRS of layer and rasters."),
    )


def _extent(bounds: Sequence[float]) -> str:
    west, south, east, north = bounds
    return tr(
        "{west:.10g} to {east:.10g}, {south:.10g} to {north:.10g}", west=west, east=east, south=south, north=north
    )
