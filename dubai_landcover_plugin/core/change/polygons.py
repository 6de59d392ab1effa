"""The vector file of changes: a polygon for each region that changed from one class to another."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.change.aligned_pair import BothDates, Codes
from dubai_landcover_plugin.core.change.change_codes import ChangeCoding
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.confidence import UNKNOWN as NO_CONFIDENCE
from dubai_landcover_plugin.core.io.qml import category_style
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.polygons.polygonizer import Polygonizer, PolygonOptions, Polygons
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest

_FILL_ALPHA = 190


class ChangePolygons:
    """Traces changes and writes them; a context manager. Without :meth:`place` nothing is left.

    Args:
        request: Names the file, the smallest area and whether there is confidence.
        coding: Names of the codes.
        both: The maps.
    """

    def __init__(self, request: ChangeRequest, coding: ChangeCoding, both: BothDates) -> None:
        self._changes = {code.id: code for code in coding.legend() if code.is_change}
        self._request, self._coding, self._both = request, coding, both
        self._area = "area_px" if both.grid.crs is None else "area_m2"
        fields: dict[str, Any] = {
            "code": np.int32, "change": object, "from_class": object, "to_class": object, self._area: np.float64,
            "pixels": np.int32,
        }  # fmt: skip
        if request.confidences:
            fields["conf_pct"] = np.float64
        path = Path(str(request.polygons))
        # A style beside the file would be taken for that of a raster with the same name.
        beside_raster = path.suffix != ".gpkg" and path.with_suffix("") == Path(request.output).with_suffix("")
        categories = [(code.id, code.name, code.rgb) for code in self._changes.values()]
        style = None if beside_raster else category_style("code", categories, _FILL_ALPHA)
        self._writer = VectorWriter(path, "Polygon", both.grid.crs, fields, style)

    def __enter__(self) -> ChangePolygons:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, monitor: Monitor) -> int:
        """Trace and write all changes of at least the smallest area, along pixel edges; return how many."""
        rows = _ChangedRows(self._both, self._coding)
        sure = _ChangeConfidence(self._both) if self._request.confidences else None
        for polygons in Polygonizer(rows, PolygonOptions(0, 0), sure, monitor=monitor):
            self._add(polygons, polygons.areas >= self._request.min_area)
        return self._writer.count

    def place(self) -> None:
        """Verify the file and move it into place.

        Raises:
            OutputError: if it is not whole.
        """
        self._writer.finish()

    def _add(self, polygons: Polygons, kept: npt.NDArray[np.bool_]) -> None:
        codes = [self._changes[code] for code in polygons.class_ids[kept].tolist()]
        fields: dict[str, npt.NDArray[Any]] = {
            "code": polygons.class_ids[kept],
            "change": np.array([code.name for code in codes], object),
            "from_class": np.array([code.before for code in codes], object),
            "to_class": np.array([code.after for code in codes], object),
            self._area: np.round(polygons.areas[kept], 3),
            "pixels": polygons.pixels[kept],
        }
        if polygons.confidence is not None:
            fields["conf_pct"] = np.round(polygons.confidence.mean[kept], 1)
        self._writer.write(polygons.geometries[kept], fields)


class _ChangedRows:
    """The codes of what changed; 0 elsewhere."""

    def __init__(self, both: BothDates, coding: ChangeCoding) -> None:
        self._both, self._coding = both, coding

    @property
    def grid(self) -> Grid:
        return self._both.grid

    def read(self, first: int, last: int) -> Codes:
        band = self._both.band(first, last)
        codes: Codes = np.where(band.sure & (band.earlier != band.later), band.codes(self._coding), 0)
        return codes


class _ChangeConfidence:
    """The lower confidence of both dates."""

    def __init__(self, both: BothDates) -> None:
        self._both = both

    def read(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        percent = self._both.confidence(first, last)
        return np.where(np.isnan(percent), NO_CONFIDENCE, np.round(percent)).astype(np.uint8)
