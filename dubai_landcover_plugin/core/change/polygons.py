"""Vector file of changes: a polygon for each region that changed from one class to another."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.change.aligned_pair import AlignedPair, Codes
from dubai_landcover_plugin.core.change.change_codes import ChangeCoding
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.confidence import UNKNOWN as NO_CONFIDENCE
from dubai_landcover_plugin.core.io.qml import category_style
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.polygons.polygonizer import Polygonizer, PolygonOptions, Polygons
from dubai_landcover_plugin.core.polygons.regions import is_below
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest

_FILL_ALPHA = 190


class ChangePolygons:
    """Polygonizes changes and writes them; a context manager that deletes the file unless :meth:`place` was called.

    Args:
        request: Output path, minimum area and confidence rasters.
        coding: Codes and their names.
        pair: Both classified rasters.
    """

    def __init__(self, request: ChangeRequest, coding: ChangeCoding, pair: AlignedPair) -> None:
        self._changes = {code.id: code for code in coding.legend() if code.is_change}
        self._request, self._coding, self._pair = request, coding, pair
        self._area = "area_px" if pair.grid.crs is None else "area_m2"
        fields: dict[str, Any] = {
            "code": np.int32, "change": object, "from_class": object, "to_class": object, self._area: np.float64,
            "pixels": np.int32,
        }  # fmt: skip
        if request.confidences:
            fields["conf_pct"] = np.float64
        path = Path(str(request.polygons))
        # QGIS would load a .qml file beside the polygons for a raster with the same name.
        beside_raster = path.suffix != ".gpkg" and path.with_suffix("") == Path(request.output).with_suffix("")
        categories = [(code.id, code.name, code.rgb) for code in self._changes.values()]
        style = None if beside_raster else category_style("code", categories, _FILL_ALPHA)
        self._writer = VectorWriter(path, "Polygon", pair.grid.crs, fields, style, request.overwrite)

    def __enter__(self) -> ChangePolygons:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, monitor: Monitor) -> int:
        """Write all changes of at least the minimum area, along pixel edges; return their number."""
        rows = _ChangedRows(self._pair, self._coding)
        confidence = _ChangeConfidence(self._pair) if self._request.confidences else None
        for polygons in Polygonizer(rows, PolygonOptions(0, 0), confidence, monitor=monitor):
            self._add(polygons, ~is_below(polygons.areas, self._request.min_area))
        return self._writer.count

    def place(self, monitor: Monitor) -> None:
        """Verify the file and move it to its final path.

        Args:
            monitor: Receives messages.

        Raises:
            OutputError: if it is incomplete.
        """
        self._writer.finish(monitor)

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
    """Codes of certain changes by rows; 0 elsewhere."""

    def __init__(self, pair: AlignedPair, coding: ChangeCoding) -> None:
        self._pair, self._coding = pair, coding

    @property
    def grid(self) -> Grid:
        return self._pair.grid

    def read(self, first: int, last: int) -> Codes:
        strip = self._pair.strip(first, last)
        changed = strip.certain & (strip.earlier != strip.later)
        codes: Codes = np.where(changed, strip.codes(self._coding), 0)
        return codes


class _ChangeConfidence:
    """Lower confidence of both dates by rows."""

    def __init__(self, pair: AlignedPair) -> None:
        self._pair = pair

    def read(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        percent = self._pair.confidence(first, last)
        return np.where(np.isnan(percent), NO_CONFIDENCE, np.round(percent)).astype(np.uint8)
