"""Writes a view as a small GeoTIFF."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.files import write_bytes
from dubai_landcover_plugin.core.segmentation.class_rows import CONFIDENCE_NODATA
from dubai_landcover_plugin.protocol.class_tags import class_tags
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme


def write_view(
    path: str, values: npt.NDArray[np.uint8], grid: Grid, step: int, scheme: ClassScheme | None
) -> tuple[int, int]:
    """Write every ``step``-th pixel of a view; return height and width of the raster.

    Args:
        path: GeoTIFF to write; an existing one is replaced.
        values: (H, W) uint8.
        grid: Grid of the view.
        step: Pixels of the view for each pixel of the file, along both axes.
        scheme: Names and colours of class ids; None for confidence.

    Raises:
        OutputError: if the file cannot be written.
    """
    # The middle one of the pixels that each pixel of the file covers; at least one for small views.
    step = min(step, *values.shape)
    values = values[step // 2 :: step, step // 2 :: step]
    height, width = values.shape
    transform = grid.transform @ Affine.scale(step) if step > 1 else grid.transform
    nodata = NODATA_ID if scheme is not None else CONFIDENCE_NODATA
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": nodata, "compress": "deflate", "zlevel": 1}
    # In memory first: GDAL does not report a full disk when it closes a file.
    with rasterio.MemoryFile() as memory:
        with memory.open(height=height, width=width, transform=transform, crs=grid.crs, **profile) as dataset:
            dataset.write(values, 1)
            if scheme is not None:
                dataset.write_colormap(1, {NODATA_ID: (0, 0, 0), **{one.id: one.rgb for one in scheme.entries}})
                dataset.update_tags(**class_tags(scheme))
        write_bytes(path, memory.read())
    return height, width
