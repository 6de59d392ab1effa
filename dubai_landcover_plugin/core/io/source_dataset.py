"""Opens the datasets behind a raster that is classified: the raster, a second one, its palette."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp

from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.protocol.errors import RasterOpenError
from dubai_landcover_plugin.protocol.translation import joined, tr


@dataclass(frozen=True)
class SourceOptions:
    """Overrides of what a file declares; see :class:`.SegmentOptions`.

    Args:
        trained: Numbers of the bands in the training rasters of the model; empty if unknown.
        overviews: False reads the full resolution even where a file has overviews.
        checked: Whether this process has opened the raster before.
        alphas: Numbers of the alpha bands, as an earlier opening has found them; None looks for them.
        second: Path of a raster whose bands follow those of the first one, on another grid; None for none.
    """

    bands: tuple[int, ...] | None = None
    trained: tuple[int, ...] = ()
    crs: str | None = None
    nodata: float | None = None
    alpha: str = "auto"
    pixel_space: bool = False
    extent: tuple[float, float, float, float] | None = None
    overviews: bool = True
    checked: bool = False
    alphas: tuple[int, ...] | None = None
    second: str | None = None


def open_dataset(path: str, options: SourceOptions) -> rasterio.DatasetReader:
    """Open a raster of real numbers.

    Raises:
        RasterOpenError: if GDAL cannot, or it has no bands or complex numbers.
    """
    level = {} if options.overviews else {"OVERVIEW_LEVEL": "NONE"}
    dataset = open_raster(path, options.checked, **level)
    if dataset.count == 0:
        inside = dataset.subdatasets
        dataset.close()
        remedy = tr("Choose one of: {names}.", names=joined(inside[:8])) if inside else tr("Choose a raster file.")
        raise RasterOpenError(tr("{path} has no raster bands.", path=path), remedy)
    kinds = set(dataset.dtypes)
    if any(kind.startswith("complex") for kind in kinds):
        dataset.close()
        raise RasterOpenError(
            tr("{path} contains complex numbers ({names}).", path=path, names=joined(kinds)),
            tr("Convert it to real numbers first."),
        )
    return dataset


def palette_of(dataset: rasterio.DatasetReader) -> npt.NDArray[np.uint8] | None:
    """Return red, green, blue and alpha of the values of a palette raster, (N, 4) uint8; None without a palette."""
    if dataset.colorinterp[0] != ColorInterp.palette or dataset.dtypes[0] not in ("uint8", "uint16"):
        return None
    if any(colour != ColorInterp.alpha for colour in dataset.colorinterp[1:]):
        return None
    colours = np.zeros((np.iinfo(dataset.dtypes[0]).max + 1, 4), np.uint8)
    colours[:, 3] = 255
    for value, colour in dataset.colormap(1).items():
        colours[value] = colour
    return colours
