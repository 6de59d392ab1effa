"""The vector file of changes: a polygon for each region that changed from one class to another."""

from __future__ import annotations

from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.change.coding import ChangeCoding, Code
from dubai_landcover_plugin.core.change.regions import Regions, RegionTracer
from dubai_landcover_plugin.core.raster import Grid
from dubai_landcover_plugin.core.requests.change import ChangeRequest
from dubai_landcover_plugin.core.vector_files import VectorWriter

_FILL_ALPHA = 190


class ChangePolygons:
    """Traces changes and writes them as they are found; a context manager. Without :meth:`place` nothing is left.

    Args:
        request: Names the file, the smallest area and whether there is confidence.
        coding: Names of the codes.
        grid: Of the from–to raster.
    """

    def __init__(self, request: ChangeRequest, coding: ChangeCoding, grid: Grid) -> None:
        self._changes = {code.id: code for code in coding.legend() if code.is_change}
        self._tracer = RegionTracer(grid, request.min_area)
        self._area = "area_px" if grid.crs is None else "area_m2"
        self._with_confidence = bool(request.confidences)
        fields: dict[str, Any] = {
            "code": np.int32, "change": object, "from_class": object, "to_class": object, self._area: np.float64,
            "pixels": np.int32,
        }  # fmt: skip
        if self._with_confidence:
            fields["conf_pct"] = np.float64
        path = Path(str(request.polygons))
        # A style beside the file would be taken for that of a raster with the same name.
        beside_raster = path.suffix != ".gpkg" and path.with_suffix("") == Path(request.output).with_suffix("")
        style = None if beside_raster else polygon_style(list(self._changes.values()))
        self._writer = VectorWriter(path, "Polygon", grid.crs, fields, style)

    def __enter__(self) -> ChangePolygons:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def add(self, codes: npt.NDArray[Any], confidences: npt.NDArray[np.float32] | None) -> None:
        """Take the next band: (h, W) codes of changes, 0 elsewhere, and percent."""
        self._write(self._tracer.add(codes, confidences))

    def finish(self) -> int:
        """Write the last regions; return how many polygons there are."""
        self._write(self._tracer.finish())
        return self._writer.count

    def place(self) -> None:
        """Verify the file and move it into place.

        Raises:
            OutputError: if it is not whole.
        """
        self._writer.finish()

    def _write(self, regions: Regions) -> None:
        codes = [self._changes[code] for code in regions.codes.tolist()]
        fields: dict[str, npt.NDArray[Any]] = {
            "code": regions.codes,
            "change": np.array([code.name for code in codes], object),
            "from_class": np.array([code.before for code in codes], object),
            "to_class": np.array([code.after for code in codes], object),
            self._area: np.round(regions.areas, 3),
            "pixels": regions.pixels,
        }
        if self._with_confidence:
            fields["conf_pct"] = np.round(regions.confidences, 1)
        self._writer.write(regions.geometries, fields)


def polygon_style(changes: list[Code]) -> str:
    """Return a QML document that draws each change in its colour."""
    categories, symbols = [], []
    for index, code in enumerate(changes):
        red, green, blue = code.rgb
        dark = ",".join(str(round(0.6 * value)) for value in code.rgb)
        categories.append(
            f'<category value="{code.id}" type="long" label="{escape(code.name)}" symbol="{index}" render="true"/>'
        )
        options = {
            "color": f"{red},{green},{blue},{_FILL_ALPHA}",
            "outline_color": f"{dark},255",
            "outline_width": "0.2",
            "style": "solid",
        }
        listed = "".join(f'<Option type="QString" name="{name}" value="{value}"/>' for name, value in options.items())
        symbols.append(
            f'<symbol type="fill" name="{index}" alpha="1"><layer class="SimpleFill" enabled="1" pass="0" locked="0">'
            f'<Option type="Map">{listed}</Option></layer></symbol>'
        )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22.0" styleCategories="Symbology">\n'
        '<renderer-v2 type="categorizedSymbol" attr="code" forceraster="0" symbollevels="0" enableorderby="0">\n'
        f"<categories>{''.join(categories)}</categories>\n<symbols>{''.join(symbols)}</symbols>\n"
        "</renderer-v2>\n</qgis>\n"
    )
