"""Opens rasters: only in formats that keep their pixels in files, and only if their files are complete."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.least_size import may_be_cut, sizes_needed
from dubai_landcover_plugin.core.io.raster_references import check_metadata, check_path, is_remote
from dubai_landcover_plugin.protocol.errors import RasterOpenError
from dubai_landcover_plugin.protocol.translation import tr

FORMATS = [
    "GTiff", "COG", "VRT", "JPEG", "PNG", "WEBP", "GIF", "BIGGIF", "BMP", "TGA", "SGI", "PNM", "XPM", "JPEGXL",
    "AVIF", "HEIF", "JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID", "JP2Lura", "ECW", "MrSID", "HFA", "ENVI", "EHdr",
    "ERS", "PCIDSK", "PAux", "LAN", "KRO", "MFF", "MFF2", "RMF", "KEA", "ILWIS", "RST", "SAGA", "PCRaster", "RRASTER",
    "NDF", "FIT", "MAP", "OZI", "NITF", "RPFTOC", "ECRGTOC", "ADRG", "SRP", "DIMAP", "SAFE", "SENTINEL2", "TIL",
    "DOQ1", "DOQ2", "CALS", "CEOS", "SAR_CEOS", "FAST", "L1B", "TSX", "RS2", "SNAP_TIFF", "GPKG", "MBTiles",
    "Rasterlite", "SQLite", "BSB", "RIK", "netCDF", "HDF4", "HDF4Image", "HDF5", "HDF5Image", "BAG", "Zarr", "GRIB",
    "PDS", "PDS4", "VICAR", "ISIS2", "ISIS3", "ISCE", "ROI_PAC", "GFF", "AAIGrid", "AIG", "GRASSASCIIGrid", "GSAG",
    "GSBG", "GS7BG", "XYZ", "USGSDEM", "DTED", "SRTMHGT", "BT", "Terragen", "Leveller", "ZMap", "NWT_GRD", "NWT_GRC",
    "SIGDEM", "HF2", "GXF", "R", "SNODAS", "ESRIC", "GenBin", "EIR", "MRF", "PDF", "GTX", "NTv2",
]  # fmt: skip
"""Names of GDAL's drivers for formats that keep pixels in local files; those of web services are not among them."""

_RAW_BAND = re.compile(r"<VRTRasterBand([^>]*VRTRawRasterBand[^>]*)>(.*?)</VRTRasterBand>", re.DOTALL)

# By default GDAL fills the missing end of a truncated JPEG or PNG without an error.
_STRICT = {"GDAL_ERROR_ON_LIBJPEG_WARNING": True, "GDAL_PNG_WHOLE_IMAGE_OPTIM": False, "GDAL_VRT_ENABLE_PYTHON": "NO"}
# A second barrier behind check_path(): no file system of the network, and a proxy that does not exist.
_OFFLINE = {"CPL_VSIL_CURL_ALLOWED_FILENAME": "none", "GDAL_HTTP_PROXY": "127.0.0.1:9"}


def gdal_options(path: str) -> dict[str, Any]:
    """Return GDAL's options for opening and reading a raster; without the network unless the path is remote."""
    return dict(_STRICT) if is_remote(path) else {**_STRICT, **_OFFLINE}


class _Reader(DatasetReader):  # type: ignore[misc]  # rasterio has no annotations
    """A raster whose pixels are read with :func:`gdal_options`: virtual rasters open their sources late."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(path, driver=FORMATS, **options)
        self._gdal = gdal_options(path)

    def read(self, *arguments: Any, **options: Any) -> Any:
        with rasterio.Env(**self._gdal):
            return super().read(*arguments, **options)

    def read_masks(self, *arguments: Any, **options: Any) -> Any:
        with rasterio.Env(**self._gdal):
            return super().read_masks(*arguments, **options)


def open_raster(path: str | Path, checked: bool = False, **options: Any) -> rasterio.DatasetReader:
    """Open a raster; NotGeoreferencedWarning is suppressed.

    Args:
        path: Anything GDAL opens; a virtual raster may refer to local raster files everywhere.
        checked: Whether this process has opened it before, so that its references and its size need no check.
        options: GDAL's options for the format, such as ``OVERVIEW_LEVEL``.

    Raises:
        RasterOpenError: if GDAL cannot, its file is cut short, or it refers to the network, a pipe or a device.
    """
    text = os.fspath(path)
    if not checked:
        check_path(text)
    try:
        with warnings.catch_warnings(), rasterio.Env(**gdal_options(text)):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = _Reader(text, **options)
            if checked:
                return dataset
            try:
                check_metadata(text, dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE"), _description(dataset))
                _check_size(dataset)
                _check_mask(dataset)
            except BaseException:
                dataset.close()
                raise
            return dataset
    except RasterOpenError:
        raise
    except (*GDAL_ERRORS, ValueError, TypeError) as error:  # ValueError: a zero byte in the path
        raise RasterOpenError(
            tr("GDAL cannot open {text}: {error}.", text=text[:300], error=str(error).rstrip(".")),
            tr("Check the path and the file."),
        ) from error


def _description(dataset: rasterio.DatasetReader) -> str:
    """Return the text of a virtual raster that is not a file on the disk, as in an archive; empty for others."""
    if dataset.driver != "VRT" or Path(dataset.name).is_file():
        return ""
    return "".join(dataset.tags(ns="xml:VRT").values())


def _check_size(dataset: rasterio.DatasetReader, parents: tuple[str, ...] = ()) -> None:
    """Refuse files that are cut short, in the formats where GDAL reads zeros behind the end of a file.

    Raises:
        RasterOpenError: with both sizes.
    """
    if dataset.driver == "VRT":
        _check_raw_bands(dataset)
        for name in dataset.files[1:]:
            if name not in parents and may_be_cut(Path(name)):
                with _Reader(name) as source:
                    _check_size(source, (*parents, *dataset.files[:1]))
    for file, needed in sizes_needed(dataset):
        found = file.stat().st_size
        if found < needed:
            raise _incomplete(file, found, needed)


def _check_mask(dataset: rasterio.DatasetReader) -> None:
    """Refuse a mask beside a raster that cannot be read, which GDAL ignores, or that belongs to another raster.

    Raises:
        RasterOpenError: naming the mask.
    """
    for name in (f"{dataset.name}.msk", f"{dataset.name}.MSK"):
        has_own = name not in dataset.files and any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums)
        if not Path(name).is_file() or has_own:  # GDAL prefers the mask inside a GeoTIFF
            continue
        remedy = tr("Copy it again together with the raster, or remove it.")
        try:
            with DatasetReader(name, driver="GTiff") as mask:
                shape = mask.shape
        except GDAL_ERRORS as error:
            raise RasterOpenError(
                tr("The mask {name} cannot be read: {error}.", name=name, error=str(error).rstrip(".")), remedy
            ) from error
        if shape != dataset.shape:
            raise RasterOpenError(
                tr(
                    "The mask {name} has {mask_width}×{mask_height} px, the raster {width}×{height} px: it belongs "
                    "to another raster.",
                    name=name,
                    mask_width=shape[1],
                    mask_height=shape[0],
                    width=dataset.width,
                    height=dataset.height,
                ),
                remedy,
            )


def _check_raw_bands(dataset: rasterio.DatasetReader) -> None:
    """Refuse a virtual raster whose raw bytes end before its pixels do.

    Raises:
        RasterOpenError: with both sizes.
    """
    text = "".join(dataset.tags(ns="xml:VRT").values())
    for attributes, content in _RAW_BAND.findall(text):
        kind = np.dtype(dataset.dtypes[int(re.findall(r'band="(\d+)"', attributes)[0]) - 1])
        offset, pixel, line = (
            int(found[1]) if (found := re.search(rf"<{name}>(-?\d+)</{name}>", content)) else default
            for name, default in (
                ("ImageOffset", 0),
                ("PixelOffset", kind.itemsize),
                ("LineOffset", kind.itemsize * dataset.width),
            )
        )
        needed = offset + max(line, 0) * (dataset.height - 1) + max(pixel, 0) * (dataset.width - 1) + kind.itemsize
        name = re.findall(r"<SourceFilename[^>]*>(.*?)</SourceFilename>", content)[0]
        file = Path(dataset.name).parent / name  # an absolute name stays as it is
        if file.is_file() and file.stat().st_size < needed:
            raise _incomplete(file, file.stat().st_size, needed)


def _incomplete(file: Path, found: int, needed: int) -> RasterOpenError:
    return RasterOpenError(
        tr(
            "{file} is incomplete: it has {found:,} bytes, its header describes {needed:,}.",
            file=file,
            found=found,
            needed=needed,
        ),
        tr("Copy it again."),
    )
