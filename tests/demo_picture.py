"""A picture of image, classes and truth side by side, with a legend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rasterio.enums import ColorInterp, Resampling

from dubai_landcover_plugin.protocol.classes import DUBAI, coloured

PANEL = 1100  # longest side of a panel, px
MARGIN = 16
LINE = 34


def draw_panels(image: Path, classes: Path, truth: Path | None, target: Path) -> Path:
    """Write the panels as PNG; large rasters are read decimated. Return ``target``."""
    panels = [("Image", read_picture(image)), ("Land cover", read_classes(classes))]
    if truth is not None:
        panels.append(("Truth", read_classes(truth)))
    height, width = panels[0][1].shape[:2]
    sheet = Image.new("RGB", (len(panels) * (width + MARGIN) + MARGIN, height + 2 * LINE + 2 * MARGIN), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for place, (title, panel) in enumerate(panels):
        left = MARGIN + place * (width + MARGIN)
        pen.text((left, MARGIN // 2), title, fill=(20, 20, 20), font=font)
        sheet.paste(Image.fromarray(panel), (left, LINE + MARGIN // 2))
    left = MARGIN
    for entry in coloured(DUBAI).entries:
        top = LINE + MARGIN + height + 4
        pen.rectangle([left, top, left + 24, top + 20], fill=entry.rgb, outline=(60, 60, 60))
        pen.text((left + 32, top - 2), entry.name, fill=(20, 20, 20), font=font)
        left += 56 + int(pen.textlength(entry.name, font=font))
    sheet.save(target)
    return target


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return (h, w, 3) uint8 of the raster's colour bands; other types are stretched from 2 to 98 %."""
    with rasterio.open(path) as file:
        wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        bands = [file.colorinterp.index(colour) + 1 for colour in wanted if colour in file.colorinterp]
        if len(bands) < 3:
            bands = [1, 2, 3] if file.count >= 3 else [1, 1, 1]
        pixels = file.read(bands, out_shape=(3, *_shape(file)), resampling=Resampling.average, masked=True)
    if pixels.dtype != np.uint8:
        low, high = np.nanpercentile(pixels.astype(float).filled(np.nan), [2, 98])
        pixels = np.clip((pixels - low) / max(high - low, 1e-9) * 255, 0, 255)
    return np.moveaxis(np.ma.filled(pixels, 255), 0, -1).astype(np.uint8)


def read_classes(path: Path) -> NDArray[np.uint8]:
    """Return (h, w, 3) uint8 of a classified raster in its own palette, white where there is no data."""
    with rasterio.open(path) as file:
        ids = file.read(1, out_shape=_shape(file), resampling=Resampling.nearest)
        try:
            palette = file.colormap(1)
        except ValueError:
            palette = {entry.id: entry.rgb for entry in coloured(DUBAI).entries}
    colours = np.full((256, 3), 255, np.uint8)
    for class_id, colour in palette.items():
        if class_id:
            colours[class_id] = colour[:3]
    return colours[ids]


def _shape(file: rasterio.DatasetReader) -> tuple[int, int]:
    shrink = min(PANEL / max(file.height, file.width), 1)
    return max(round(file.height * shrink), 1), max(round(file.width * shrink), 1)
