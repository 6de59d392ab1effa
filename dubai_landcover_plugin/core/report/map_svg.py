"""Small maps for a page: classes and confidence with the outlines of zones, rendered by the macro ``map``."""

from __future__ import annotations

import base64
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.confidence import UNKNOWN, ConfidenceSource
from dubai_landcover_plugin.core.report.zones import Zones
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import tr

CONFIDENCE_STOPS = ((0, "#440154"), (25, "#3B528B"), (50, "#21918C"), (75, "#5EC962"), (100, "#FDE725"))
"""Percent and colour: the viridis ramp, as in the QGIS style of confidence rasters."""

_SIDE = 1000  # units of the longer side; also its pixels, where the raster has as many
_SHORTEST = 40  # units of the shorter side, so that a narrow raster stays visible
_MOST_LABELS = 150  # zones; more numbers are not legible
_MOST_OUTLINES = 3000  # zones; more outlines cover the map and make the file large
_CLASSES_MM, _CONFIDENCE_MM = 104, 80  # largest heights of the maps

Colours = Mapping[int, tuple[int, int, int, int]]


@dataclass(frozen=True)
class MapLabel:
    """A text centred on a point, in units of the map."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class ScaleBar:
    """A scale bar: length in units of the map, and the distance as text."""

    length: float
    text: str


@dataclass(frozen=True)
class MapPicture:
    """One map.

    Args:
        title: Accessible name.
        width: Units.
        height: Units.
        max_width_mm: Largest width on the page.
        png: The raster as PNG, base64.
        smooth: Whether the raster is interpolated when it is scaled.
        outlines: SVG path data of the zones' outlines; may be empty.
        labels: Numbers of the zones.
        label_size: Font size, units.
        scale_bar: None where the ground distance is unknown or the map too small.
    """

    title: str
    width: float
    height: float
    max_width_mm: float
    png: str
    smooth: bool
    outlines: str
    labels: tuple[MapLabel, ...]
    label_size: int
    scale_bar: ScaleBar | None


@dataclass(frozen=True)
class Maps:
    """The maps of a report.

    Args:
        classes: Map of the classes.
        confidence: Map of the confidence; None without.
        rotated: Whether north is not up.
    """

    classes: MapPicture
    confidence: MapPicture | None
    rotated: bool


def draw_maps(
    source: ClassifiedSource, confidence: ConfidenceSource | None, zones: Zones | None, scheme: ClassScheme
) -> Maps:
    """Return the maps of a report.

    Args:
        source: The classified raster.
        confidence: Its confidence, or None.
        zones: Zones to outline, or None.
        scheme: Colours of the classes.
    """
    view = _View.of(source.grid)
    shapes = None if zones is None or len(zones.zones) > _MOST_OUTLINES else _shapes(zones, view)
    outlines = "" if shapes is None else "".join(map(_path, shapely.get_rings(_parts(shapes))))
    label_size = 24 if shapes is None or len(shapes) <= 60 else 16
    labels = () if shapes is None or len(shapes) > _MOST_LABELS else _labels(shapes, label_size)
    scale_bar = _scale_bar(source.grid, view)

    def picture(
        title: str, values: npt.NDArray[np.uint8], colours: Colours, tallest: float, labels: tuple[MapLabel, ...]
    ) -> MapPicture:
        values = view.upright(values)
        return MapPicture(
            title, view.width, view.height, tallest * view.width / view.height,
            base64.b64encode(_png(values, colours)).decode(), values.shape[1] > 400,
            outlines, labels, label_size, scale_bar,
        )  # fmt: skip

    colours: Colours = {entry.id: (*entry.rgb, 255) for entry in scheme.entries}
    classes = picture(tr("Map of the classes"), source.preview(*view.pixels), colours, _CLASSES_MM, labels)
    confidence_map = None
    if confidence is not None:
        percents = confidence.preview(*view.pixels)
        confidence_map = picture(tr("Map of the confidence"), percents, _ramp(), _CONFIDENCE_MM, ())
    return Maps(classes, confidence_map, view.rotated)


@dataclass(frozen=True)
class _View:
    """Orientation and size of the raster on the page: north up if its rows run east or west."""

    grid: Grid
    width: float
    height: float
    mirrored: bool
    upside_down: bool
    rotated: bool

    @classmethod
    def of(cls, grid: Grid) -> _View:
        across, down = grid.pixel_size_m() or (1.0, 1.0)
        scale = _SIDE / max(grid.width * across, grid.height * down)
        t = grid.transform
        axis_aligned = t.b == 0 and t.d == 0 and grid.crs is not None
        return cls(
            grid,
            max(grid.width * across * scale, _SHORTEST),
            max(grid.height * down * scale, _SHORTEST),
            mirrored=axis_aligned and t.a < 0,
            upside_down=axis_aligned and t.e > 0,
            rotated=grid.crs is not None and not axis_aligned,
        )

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        return min(self.grid.height, max(round(self.height), 1)), min(self.grid.width, max(round(self.width), 1))

    def upright(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return values, (H, W), with north up."""
        return values[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]

    def from_pixels(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Transform points, (N, 2), from pixels of the raster to units of the map."""
        x, y = points[:, 0] / self.grid.width * self.width, points[:, 1] / self.grid.height * self.height
        return np.column_stack([self.width - x if self.mirrored else x, self.height - y if self.upside_down else y])


def _png(values: npt.NDArray[np.uint8], colours: Colours) -> bytes:
    """Return a PNG with a palette; values without a colour are transparent."""
    height, width = values.shape
    table = {value: colours.get(value, (0, 0, 0, 0)) for value in range(256)}
    with rasterio.MemoryFile() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(driver="PNG", height=height, width=width, count=1, dtype="uint8") as picture:
            picture.write(np.ascontiguousarray(values), 1)
            picture.write_colormap(1, table)
        return bytes(memory.read())


def _ramp() -> dict[int, tuple[int, int, int, int]]:
    """Return the colour of each percent."""
    stops = np.array([[percent, *bytes.fromhex(colour[1:])] for percent, colour in CONFIDENCE_STOPS], float)
    percents = np.arange(UNKNOWN)
    channels = [np.interp(percents, stops[:, 0], stops[:, channel]).round() for channel in (1, 2, 3)]
    return {int(p): (int(r), int(g), int(b), 255) for p, r, g, b in zip(percents, *channels, strict=True)}


def _shapes(zones: Zones, view: _View) -> npt.NDArray[np.object_]:
    """Return the zones in units of the map, simplified to its resolution and clipped to it."""
    frame = shapely.box(0, 0, view.width, view.height)
    shapes = shapely.transform(np.array([zone.shape for zone in zones.zones], object), view.from_pixels)
    clipped: npt.NDArray[np.object_] = shapely.intersection(shapely.make_valid(shapely.simplify(shapes, 0.7)), frame)
    return clipped


def _labels(shapes: npt.NDArray[np.object_], size: int) -> tuple[MapLabel, ...]:
    """Return the numbers of the zones that are large enough for them."""
    points = [
        (number, shapely.point_on_surface(shape))
        for number, shape in enumerate(shapes, 1)
        if shape.area > 4 * size * size
    ]
    return tuple(MapLabel(point.x, point.y, str(number)) for number, point in points)


def _parts(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return the polygons among all parts."""
    parts = shapely.get_parts(shapely.get_parts(shapes))
    polygons: npt.NDArray[np.object_] = parts[shapely.get_type_id(parts) == 3]
    return polygons


def _path(ring: Any) -> str:
    points = shapely.get_coordinates(ring)[:-1]
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "Z"


def _scale_bar(grid: Grid, view: _View) -> ScaleBar | None:
    """Return a bar of 1, 2 or 5 times a power of ten metres, a quarter of the map's width at most."""
    size = grid.pixel_size_m()
    if size is None or view.width < 200 or view.height < 100:
        return None
    across = size[0] * grid.width  # m
    longest = across * min(250 / view.width, 1)
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(step * power for step in (1, 2, 5) if step * power <= longest)
    text = f"{length / 1000:g} {tr('km')}" if length >= 1000 else f"{length:g} {tr('m')}"
    return ScaleBar(length / across * view.width, text)
