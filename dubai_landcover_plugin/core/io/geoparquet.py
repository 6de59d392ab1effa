"""GeoParquet files, written in pieces by pyarrow.

Source: https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io.verified_file import VerifiedFile
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.translation import tr


def load_pyarrow() -> Any:
    """Return the package pyarrow, which is optional.

    Raises:
        OutputError: if it is not installed.
    """
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise OutputError(
            tr("GeoParquet and FlatGeobuf need the package pyarrow, which the engine does not have."),
            tr("Add more formats in Set up the engine… (or pip install pyarrow), or choose another format."),
        ) from error


class GeoParquetFile:
    """A GeoParquet file that grows by row groups.

    Args:
        path: The file; created by the first :meth:`write`.
        geometry_type: ``Polygon``, ``MultiPolygon``, ``LineString`` or ``Point``.
        crs: CRS of the coordinates; None without.
        fields: Name and type of each attribute.

    Raises:
        OutputError: if pyarrow is not installed.
    """

    def __init__(self, path: Path, geometry_type: str, crs: CRS | None, fields: Mapping[str, np.dtype[Any]]) -> None:
        self._arrow = load_pyarrow()
        self._path, self._type, self._crs, self._fields = path, geometry_type, crs, fields
        self._writer: Any = None
        self._file: VerifiedFile | None = None

    def write(self, wkb: npt.NDArray[np.object_], fields: Mapping[str, npt.NDArray[Any]]) -> None:
        """Append a row group: (N,) geometries as WKB and (N,) values of each attribute."""
        arrow = self._arrow
        columns = {
            name: arrow.array(np.asarray(fields[name], kind), self._arrow_type(kind))
            for name, kind in self._fields.items()
        }
        columns["geometry"] = arrow.array(wkb, arrow.binary())
        table = arrow.table(columns).replace_schema_metadata({"geo": json.dumps(self._metadata())})
        if self._writer is None:
            make = importlib.import_module("pyarrow.parquet").ParquetWriter
            self._file = VerifiedFile(self._path)
            self._writer = make(self._file, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        """Close an unfinished file."""
        with suppress(OSError, ValueError):
            if self._writer is not None:
                self._writer.close()
        if self._file is not None:
            self._file.close()

    def finish(self) -> None:
        """Write the footer and verify the file.

        Raises:
            OSError: if it is not what was written.
        """
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.verify()

    def _metadata(self) -> dict[str, Any]:
        """Return the ``geo`` entry of the file's metadata, with the CRS as PROJJSON."""
        crs = None if self._crs is None else self._crs.to_dict(projjson=True)
        column = {"encoding": "WKB", "geometry_types": [self._type], "crs": crs}
        return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}

    def _arrow_type(self, kind: np.dtype[Any]) -> Any:
        return self._arrow.string() if kind.kind == "O" else self._arrow.from_numpy_dtype(kind)
