"""Rasters to measure on: the mosaic of tile 8 where the shared data lie beside the repository, else a town as large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from training.synthetic.scenes import CRS, ORIGIN, draw_scene

ROOT = Path(__file__).resolve().parents[2]
MOSAIC = ROOT.parent / "shared" / "data" / "mosaics" / "dubai_tile8.tif"
HEIGHT, WIDTH = 4437, 6447  # of that mosaic, px
_TOWN = 1024  # px


def base_raster(folder: Path) -> Path:
    """Return a JPEG-compressed GeoTIFF of 28.6 Mpx."""
    return MOSAIC if MOSAIC.is_file() else _write_town(folder / "town.tif")


def repeated(source: Path, target: Path, rows: int, columns: int) -> float:
    """Write a virtual raster of ``rows`` × ``columns`` copies; return Mpx."""
    with rasterio.open(source) as dataset:
        height, width = dataset.shape
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{colour}</ColorInterp>'
        + "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename><SourceBand>{band}</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
            f'<DstRect xOff="{column * width}" yOff="{row * height}" xSize="{width}" ySize="{height}"/></SimpleSource>'
            for row in range(rows)
            for column in range(columns)
        )
        + "</VRTRasterBand>"
        for band, colour in enumerate(("Red", "Green", "Blue"), 1)
    )
    target.write_text(
        f'<VRTDataset rasterXSize="{columns * width}" rasterYSize="{rows * height}"><SRS>{CRS}</SRS>'
        f"<GeoTransform>{ORIGIN[0]},1,0,{ORIGIN[1]},0,-1</GeoTransform>{bands}</VRTDataset>",
        encoding="utf-8",
    )
    return rows * columns * height * width / 1e6


def _write_town(path: Path) -> Path:
    """Write a synthetic town as large as the mosaic, each copy of it flipped differently."""
    image = np.moveaxis(draw_scene(7, _TOWN).image, -1, 0)
    profile = {
        "driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": 3, "dtype": "uint8", "crs": CRS,
        "transform": from_origin(*ORIGIN, 1, 1), "tiled": True, "blockxsize": 512, "blockysize": 512,
        "photometric": "YCbCr", "compress": "jpeg",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for row in range(0, HEIGHT, _TOWN):
            for column in range(0, WIDTH, _TOWN):
                turned = image[:, :: 1 - 2 * (row // _TOWN % 2), :: 1 - 2 * (column // _TOWN % 2)]
                height, width = min(_TOWN, HEIGHT - row), min(_TOWN, WIDTH - column)
                file.write(turned[:, :height, :width], window=Window(column, row, width, height))
    return path
