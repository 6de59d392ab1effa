"""Opens rasters: only in formats that keep their pixels in files, and only if their files are complete."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.raster_references import check_metadata, check_path, is_remote
from dubai_landcover_plugin.protocol.errors import RasterOpenError

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
            dataset = DatasetReader(text, driver=FORMATS, **options)
            if checked:
                return dataset
            try:
                check_metadata(text, dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE"), _description(dataset))
                _check_size(dataset)
            except BaseException:
                dataset.close()
                raise
            return dataset
    except RasterOpenError:
        raise
    except (*GDAL_ERRORS, ValueError, TypeError) as error:  # ValueError: a zero byte in the path
        raise RasterOpenError(
            f"GDAL cannot open {text[:300]}: {str(error).rstrip('.')}.", "Check the path and the file."
        ) from error


def _description(dataset: rasterio.DatasetReader) -> str:
    """Return the text of a virtual raster that is not a file on the disk, as in an archive; empty for others."""
    if dataset.driver != "VRT" or Path(dataset.name).is_file():
        return ""
    return "".join(dataset.tags(ns="xml:VRT").values())


def _check_size(dataset: rasterio.DatasetReader) -> None:
    """Refuse files that are cut short, in the formats where GDAL reads zeros behind the end of a file.

    Raises:
        RasterOpenError: with both sizes.
    """
    if dataset.driver == "VRT":
        _check_raw_bands(dataset)
        for file in map(Path, dataset.files[1:]):
            if _may_be_cut(file):
                open_raster(file).close()
    if dataset.driver not in ("ENVI", "PCIDSK", "PCRaster"):
        return
    file = Path(dataset.files[0])
    if not file.is_file():  # in an archive, or remote
        return
    found, needed = file.stat().st_size, _least_size(dataset, file)
    if found < needed:
        raise _incomplete(file, found, needed)


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
        f"{file} is incomplete: it has {found:,} bytes, its header describes {needed:,}.", "Copy it again."
    )


def _least_size(dataset: rasterio.DatasetReader, file: Path) -> int:
    """Return the size that the header of an ENVI, PCIDSK or PCRaster file describes, bytes; 0 if it does not."""
    pixels: int = dataset.width * dataset.height * sum(np.dtype(kind).itemsize for kind in dataset.dtypes)
    if dataset.driver == "ENVI":
        header = dataset.tags(ns="ENVI")
        offset = header.get("header_offset", "0")
        return 0 if header.get("file_compression", "0") != "0" else pixels + (int(offset) if offset.isdigit() else 0)
    if dataset.driver == "PCRaster":
        return pixels
    if dataset.block_shapes[0][0] > 1:  # tiles, which the header does not count
        return 0
    with file.open("rb") as stream:
        blocks = stream.read(32)[16:]  # of 512 bytes, as text
    return 512 * int(blocks) if blocks.strip().isdigit() else 0


def _may_be_cut(file: Path) -> bool:
    """Return whether a source of a virtual raster has a format that :func:`_check_size` checks."""
    if file.with_suffix(".hdr").is_file() or Path(f"{file}.hdr").is_file():
        return True
    try:
        with file.open("rb") as stream:
            return stream.read(8).startswith((b"PCIDSK", b"RUU CROS"))
    except OSError:
        return False
