"""Small maps for a page: the classes and their confidence, with the outlines of zones, as inline SVG."""

from __future__ import annotations

import base64
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
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

CONFIDENCE_STOPS = ((0, "#440154"), (25, "#3B528B"), (50, "#21918C"), (75, "#5EC962"), (100, "#FDE725"))
"""Percent and colour, the viridis ramp, as QGIS shows confidence rasters of the plugin."""

_SIDE = 1000  # units of the longer side; pixels, too, where the raster has as many
_SHORTEST = 40  # units of the shorter side: a strip must stay visible
_LABELLED = 150  # zones; more numbers cannot be read
_OUTLINED = 3000  # zones; more outlines hide the map and fill the page
_OUTLINES = 'fill="none" stroke-linejoin="round"'

Colours = Mapping[int, tuple[int, int, int, int]]


@dataclass(frozen=True)
class Pictures:
    """Maps as SVG.

    Args:
        classes: The class map.
        confidence: The confidence; None without.
        turned: Whether north is not up.
    """

    classes: str
    confidence: str | None
    turned: bool


def draw_pictures(
    source: ClassifiedSource, confidence: ConfidenceSource | None, zones: Zones | None, scheme: ClassScheme
) -> Pictures:
    """Return the maps.

    Args:
        source: The class map.
        confidence: Its confidence, or None.
        zones: To outline, or None.
        scheme: The colours of the classes.
    """
    view = _View.of(source.grid)
    shapes = None if zones is None or len(zones.zones) > _OUTLINED else _shapes(zones, view)
    lines = "" if shapes is None else _outlines(shapes)
    numbers = "" if shapes is None or len(shapes) > _LABELLED else _numbers(shapes)
    scale = _scale_bar(source.grid, view)
    colours: dict[int, tuple[int, int, int, int]] = {entry.id: (*entry.rgb, 255) for entry in scheme.entries}
    classes = view.picture(source.preview(*view.pixels), colours, "Map of the classes", lines + numbers + scale, 104)
    sure = None
    if confidence is not None:
        percents = confidence.preview(*view.pixels)
        sure = view.picture(percents, _ramp(), "Map of the confidence", lines + scale, 80)
    return Pictures(classes, sure, view.turned)


@dataclass(frozen=True)
class _View:
    """The raster as it lies on the page: north up where its rows run east or west."""

    grid: Grid
    width: float
    height: float
    mirrored: bool
    upside_down: bool
    turned: bool

    @classmethod
    def of(cls, grid: Grid) -> _View:
        across, down = grid.pixel_size_m() or (1.0, 1.0)
        scale = _SIDE / max(grid.width * across, grid.height * down)
        t = grid.transform
        plain = t.b == 0 and t.d == 0 and grid.crs is not None
        return cls(
            grid,
            max(grid.width * across * scale, _SHORTEST),
            max(grid.height * down * scale, _SHORTEST),
            mirrored=plain and t.a < 0,
            upside_down=plain and t.e > 0,
            turned=grid.crs is not None and not plain,
        )

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return min(self.grid.height, max(round(self.height), 1)), min(self.grid.width, max(round(self.width), 1))

    def place(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Move points, (N, 2), from pixels of the raster to units of the picture."""
        x, y = points[:, 0] / self.grid.width * self.width, points[:, 1] / self.grid.height * self.height
        return np.column_stack([self.width - x if self.mirrored else x, self.height - y if self.upside_down else y])

    def picture(self, values: npt.NDArray[np.uint8], colours: Colours, told: str, over: str, tallest: float) -> str:
        """Return values in colours as SVG, ``tallest`` mm or less; those without a colour are transparent."""
        values = values[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        data = base64.b64encode(_png(values, colours)).decode()
        size = f'width="{self.width:.1f}" height="{self.height:.1f}"'
        shape = f"max-width:{tallest * self.width / self.height:.0f}mm"
        return (
            f'<svg class="map" style="{shape}" viewBox="0 0 {self.width:.1f} {self.height:.1f}" role="img" '
            f'aria-label="{escape(told)}" xmlns="http://www.w3.org/2000/svg">'
            f'<rect {size} fill="#f1f1ee"/><image {size} preserveAspectRatio="none" '
            f'style="image-rendering:{"auto" if values.shape[1] > 400 else "pixelated"}" '
            f'href="data:image/png;base64,{data}"/>{over}'
            f'<rect {size} fill="none" stroke="#8a8f98" stroke-width="2"/></svg>'
        )


def _png(values: npt.NDArray[np.uint8], colours: Colours) -> bytes:
    """Return a PNG with a palette."""
    height, width = values.shape
    table = {value: colours.get(value, (0, 0, 0, 0)) for value in range(256)}
    with rasterio.MemoryFile() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture has no place
        with memory.open(driver="PNG", height=height, width=width, count=1, dtype="uint8") as picture:
            picture.write(np.ascontiguousarray(values), 1)
            picture.write_colormap(1, table)
        return bytes(memory.read())


def _ramp() -> dict[int, tuple[int, int, int, int]]:
    stops = np.array([[percent, *bytes.fromhex(colour[1:])] for percent, colour in CONFIDENCE_STOPS], float)
    percents = np.arange(UNKNOWN)
    channels = [np.interp(percents, stops[:, 0], stops[:, channel]).round() for channel in (1, 2, 3)]
    return {int(p): (int(r), int(g), int(b), 255) for p, r, g, b in zip(percents, *channels, strict=True)}


def _shapes(zones: Zones, view: _View) -> npt.NDArray[np.object_]:
    """Return the zones in units of the picture, without what is too fine to see."""
    frame = shapely.box(0, 0, view.width, view.height)
    shapes = shapely.transform(np.array([zone.shape for zone in zones.zones], object), view.place)
    cut: npt.NDArray[np.object_] = shapely.intersection(shapely.make_valid(shapely.simplify(shapes, 0.7)), frame)
    return cut


def _outlines(shapes: npt.NDArray[np.object_]) -> str:
    lines = "".join(map(_path, shapely.get_rings(_parts(shapes))))
    return (
        f'<path d="{lines}" {_OUTLINES} stroke="#fff" stroke-opacity="0.85" stroke-width="5"/>'
        f'<path d="{lines}" {_OUTLINES} stroke="#1c2530" stroke-width="2"/>'
    )


def _numbers(shapes: npt.NDArray[np.object_]) -> str:
    size = 24 if len(shapes) <= 60 else 16
    drawn = ""
    for number, shape in enumerate(shapes, 1):
        if shape.area > 4 * size * size:
            at = shapely.point_on_surface(shape)
            where = (
                f'x="{at.x:.0f}" y="{at.y + size / 3:.0f}" font-size="{size}" text-anchor="middle" font-weight="600"'
            )
            drawn += f'<text {where} fill="#fff" stroke="#fff" stroke-width="6">{number}</text>'
            drawn += f'<text {where} fill="#1c2530">{number}</text>'
    return drawn


def _parts(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return the polygons among all parts."""
    parts = shapely.get_parts(shapely.get_parts(shapes))
    polygons: npt.NDArray[np.object_] = parts[shapely.get_type_id(parts) == 3]
    return polygons


def _path(ring: Any) -> str:
    points = shapely.get_coordinates(ring)[:-1]
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "Z"


def _scale_bar(grid: Grid, view: _View) -> str:
    size = grid.pixel_size_m()
    if size is None or view.width < 200 or view.height < 100:
        return ""
    across = size[0] * grid.width  # m
    longest = across * min(250 / view.width, 1)
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(step * power for step in (1, 2, 5) if step * power <= longest)
    told = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    units, x, y = length / across * view.width, 22.0, view.height - 22
    return (
        f'<g><rect x="10" y="{y - 40:.0f}" width="{units + 24:.0f}" height="52" rx="4" fill="#fff" opacity="0.85"/>'
        f'<path d="M{x:.1f} {y - 8:.0f}v8h{units:.1f}v-8" fill="none" stroke="#1c2530" stroke-width="3"/>'
        f'<text x="{x + units / 2:.0f}" y="{y - 14:.0f}" font-size="22" text-anchor="middle" fill="#1c2530">'
        f"{told}</text></g>"
    )
