"""Reads classified rasters in strips of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.windows import Window

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.class_scheme import choose_scheme
from dubai_landcover_plugin.core.io.class_tags import error_ratios_from_tags
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS, cause
from dubai_landcover_plugin.core.io.input_files import check_unchanged, identify_input
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.translation import joined, tr

_REMEDY = "Choose a classified raster: one made by Segment Land Cover, or a mosaic or an edited copy of such rasters."

_CACHE = 128 << 20  # bytes of decoded blocks
_UNKNOWN = 255  # never a class id: the value is not a class
_NAMED_IN_ERRORS = 8  # values

Ids = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


class ClassDecoder:
    """Converts pixel values of any real type to class ids.

    Nodata, masked pixels, NaN and 0 become 0; all other values must be class ids.

    Args:
        path: The raster, for messages.
        dataset: The raster, open.
        scheme: Its classes.
        given: File of the classes that the user chose, for messages; None where the raster names them.
    """

    def __init__(
        self, path: str, dataset: rasterio.DatasetReader, scheme: ClassScheme, given: str | None = None
    ) -> None:
        self._path, self._scheme, self._given = path, scheme, given
        dtype = np.dtype(dataset.dtypes[0])
        self.nodata = _usable_nodata(dataset.nodata, dtype)
        """The nodata value of the raster; None where it has none, or none that its type can hold."""
        self.needs_mask = needs_mask(dataset)
        """Whether a mask has to be read beside the values."""
        # Class id of each value of a byte.
        self._table = np.full(256, _UNKNOWN, np.uint8)
        ids = [entry.id for entry in scheme.entries]
        self._table[ids] = ids
        self._table[NODATA_ID] = NODATA_ID
        if self.nodata is not None and self.nodata in range(256):
            self._table[int(self.nodata)] = NODATA_ID
        # Smaller values stay as they are; 255 never does.
        self._first_changed = int(np.argmax([*(self._table[:255] != np.arange(255)), True]))

    def ids(self, values: npt.NDArray[Any], mask: Mask | None = None, strict: bool = True) -> Ids:
        """Return class ids, uint8, in the shape of ``values``.

        Args:
            values: Pixel values.
            mask: True where they are valid; None where all are that differ from the nodata value.
            strict: Whether values that are not classes are refused; they become 0 otherwise.

        Raises:
            ClassSchemeError: naming values that are not classes.
        """
        codes, exact = _as_bytes(values)
        if exact is None and mask is None and codes.max(initial=0) < self._first_changed:
            return codes  # nothing to look up
        ids: Ids = self._table[codes]
        if exact is not None:
            ids[~exact] = _UNKNOWN
            ids[self._is_nodata(values)] = NODATA_ID
        if mask is not None:
            ids[~mask] = NODATA_ID
        unknown = ids == _UNKNOWN
        if unknown.any():
            if strict:
                self._refuse(np.unique(values[unknown]))
            ids[unknown] = NODATA_ID
        return ids

    @property
    def fill(self) -> float | None:
        """The nodata value to read the raster with on another grid, see :class:`.GridReader`."""
        return self.nodata if self.nodata is not None else None if self.needs_mask else NODATA_ID

    def _is_nodata(self, values: npt.NDArray[Any]) -> Mask:
        """Return where values are the nodata value; of floats also NaN and what rounding made of the nodata value."""
        if values.dtype.kind == "f":
            missing: Mask = np.isnan(values)
            return missing if self.nodata is None else missing | np.isclose(values, self.nodata, rtol=1e-6, atol=0)
        return np.zeros(values.shape, bool) if self.nodata is None else values == self.nodata

    def _refuse(self, found: npt.NDArray[Any]) -> None:
        listed = joined(f"{value:.10g}" for value in found[:_NAMED_IN_ERRORS].tolist())
        more = tr(" and {count} more", count=len(found) - _NAMED_IN_ERRORS) if len(found) > _NAMED_IN_ERRORS else ""
        known = joined(f"{entry.id} {entry.name}" for entry in self._scheme.entries)
        choose = tr("Choose the raster's own classes with the class scheme (--scheme)")
        if self._given:
            choose = tr("Add them to the class scheme {given}, choose another one", given=self._given)
        raise ClassSchemeError(
            tr(
                "{path} contains values that are not classes: {listed}{more}. Its classes are {known}.",
                path=self._path,
                listed=listed,
                more=more,
                known=known,
            ),
            tr("{choose}, or set the values as no data.", choose=choose),
        )


class ClassifiedSource:
    """An open classified raster; a context manager, which raises RasterReadError if its files have changed meanwhile.

    Args:
        path: A raster with one band of class ids, of any type: one written by Segment Land Cover, a mosaic or copy.
        scheme: Its classes as the user chose them, see :func:`.read_scheme`; None for those that the raster names.

    Raises:
        RasterOpenError: if it cannot be opened or is not a classified raster.
        ClassSchemeError: if the chosen classes cannot be read.
    """

    def __init__(self, path: str | Path, scheme: str | None = None) -> None:
        self.path = str(path)
        self.inputs = identify_input(self.path)
        self._dataset = open_raster(path)
        try:
            dataset = self._dataset
            check_one_band(self.path, dataset)
            self.scheme, self.note = _choose(self.path, dataset, scheme)
            self.decoder = ClassDecoder(self.path, dataset, self.scheme, scheme)
            self.error_ratios = error_ratios_from_tags(dataset.tags())
            """Error ratio of each class id, see :class:`.BundleMetadata`; empty where the raster has none."""
            self.tags: dict[str, str] = dataset.tags()
            """Tags of the raster."""
            self.ground_control_points = dataset.gcps
            """Ground control points and their CRS; none in most rasters."""
            self._grid = Grid(dataset.height, dataset.width, dataset.transform, declared_crs(dataset.crs))
            self.run: dict[str, Any] = _json(self.tags.get("LANDCOVER_RUN"))
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> ClassifiedSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()
        if kind is None:
            self.check_unchanged()

    def check_unchanged(self) -> None:
        """Check that the files of the raster are those that were opened; to be called before a result is placed.

        Raises:
            RasterReadError: if one was changed or replaced.
        """
        check_unchanged(self.inputs)

    @property
    def notes(self) -> list[str]:
        """Messages for the user: classes that had to be assumed, and limits of areas and lengths."""
        return [note for note in (self.note, self.grid.scale_note) if note]

    @property
    def grid(self) -> Grid:
        """Shape, transform and CRS."""
        return self._grid

    @property
    def files(self) -> list[str]:
        """All files of the raster, those behind a virtual raster included."""
        return list(self._dataset.files)

    @property
    def is_novel(self) -> bool:
        """Whether the run noted that the ground is unlike the training images of its model."""
        result = self.run.get("result")
        found = result if isinstance(result, dict) else {}
        novelty, usual = found.get("novelty"), found.get("usual_novelty")
        return isinstance(novelty, float) and isinstance(usual, float) and novelty > usual

    @property
    def model(self) -> str:
        """Name of the model of the run; empty if unknown."""
        return str(self.run.get("model", {}).get("name", ""))

    @property
    def image_name(self) -> str:
        """Name of the image that the raster was made from; that of the raster itself where it does not say so."""
        request = self.run.get("request")
        found = request if isinstance(request, dict) else {}
        name = found.get("source") or _file_name(found.get("input")) or Path(self.path).name
        return str(name).encode("utf-8", "replace").decode()  # names of files may have other bytes

    def read(self, first: int, last: int) -> Ids:
        """Return rows ``first`` to ``last`` (excluded) as class ids, (last - first, W) uint8; 0 is nodata.

        Raises:
            RasterReadError: if a block is damaged.
            ClassSchemeError: naming values that are not classes.
        """
        return self.decoder.ids(*self._read({"window": Window(0, first, self.grid.width, last - first)}))

    def preview(self, height: int, width: int) -> Ids:
        """Return the whole raster at a lower resolution, (height, width) uint8: the most frequent id of each cell.

        Raises:
            RasterReadError: if a block is damaged.
        """
        values, mask = self._read({"out_shape": (height, width), "resampling": Resampling.mode})
        return self.decoder.ids(values, mask, strict=False)  # overviews of other programs may have mixed values

    def _read(self, how: dict[str, Any]) -> tuple[npt.NDArray[Any], Mask | None]:
        """Return values, and the mask where there is one beside the nodata value."""
        try:
            values = self._dataset.read(1, **how)
            mask = self._dataset.read_masks(1, **how) > 0 if self.decoder.needs_mask else None
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("{path} cannot be read: {error}.", path=self.path, error=cause(error)), tr(_REMEDY)
            ) from error
        return values, mask

    def strips(self, rows: int) -> Iterator[tuple[int, Ids]]:
        """Yield strips of at most ``rows`` rows from the top: first row and class ids, (n, W) uint8."""
        for first in range(0, self.grid.height, rows):
            yield first, self.read(first, min(first + rows, self.grid.height))


def limited_cache() -> rasterio.Env:
    """Return a context that limits GDAL's block cache to 128 MB instead of 5 % of the memory."""
    return rasterio.Env(GDAL_CACHEMAX=_CACHE)


def check_one_band(path: str, dataset: rasterio.DatasetReader) -> None:
    """Refuse rasters with other than one band of real numbers, an alpha band not counted.

    Raises:
        RasterOpenError: naming the bands.
    """
    bands = [kind for kind in dataset.colorinterp if kind != ColorInterp.alpha]
    if not dataset.count:
        raise RasterOpenError(tr("{path} is not a classified raster: it has no band.", path=path), tr(_REMEDY))
    if len(bands) != 1 or dataset.colorinterp[0] == ColorInterp.alpha:
        several = tr(" To make a mosaic with Build Virtual Raster, do not place each file into a separate band.")
        raise RasterOpenError(
            tr(
                "{path} is not a classified raster: it has {count} bands of {dtype}, not one.",
                path=path,
                count=dataset.count,
                dtype=dataset.dtypes[0],
            ),
            tr(_REMEDY) + (several if dataset.driver == "VRT" else ""),
        )
    if np.dtype(dataset.dtypes[0]).kind not in "iuf":
        raise RasterOpenError(
            tr("{path} is not a classified raster: its pixels are {dtype}.", path=path, dtype=dataset.dtypes[0]),
            tr(_REMEDY),
        )


def _choose(path: str, dataset: rasterio.DatasetReader, given: str | None) -> tuple[ClassScheme, str]:
    if given:
        return choose_scheme(dataset, given)
    try:
        return choose_scheme(dataset)
    except ClassSchemeError as error:
        remedy = error.remedy or tr("Choose its classes with the class scheme (--scheme).")
        raise RasterOpenError(
            tr("{path} is not a classified raster: {error}", path=path, error=error.message), remedy
        ) from error


def _usable_nodata(nodata: float | None, dtype: np.dtype[Any]) -> float | None:
    """Return the nodata value as the type holds it; None where no pixel can have it."""
    if nodata is None or (dtype.kind != "f" and not float(nodata).is_integer()):
        return None
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        return nodata if limits.min <= nodata <= limits.max else None
    with np.errstate(over="ignore"):
        return float(dtype.type(nodata))


def needs_mask(dataset: rasterio.DatasetReader) -> bool:
    """Return whether a mask or an alpha band says which pixels are valid."""
    return not {MaskFlags.all_valid, MaskFlags.nodata} & set(dataset.mask_flag_enums[0])


def _as_bytes(values: npt.NDArray[Any]) -> tuple[Ids, Mask | None]:
    """Return values cut to uint8, and where that keeps them; None where it always does."""
    if values.dtype == np.uint8:
        return values, None
    largest = 255 if values.dtype.kind == "f" else min(255, int(np.iinfo(values.dtype).max))
    codes: Ids = np.nan_to_num(np.clip(values, 0, largest), copy=False).astype(np.uint8)
    return codes, codes == values


def _file_name(path: Any) -> str:
    """Return the last part of a path or address of any system; empty where it is not a text."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] if isinstance(path, str) else ""


def _json(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
