"""What a result holds, as a value that can be compared: pixels, features, text; without times and places."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

VECTORS = (".gpkg", ".shp", ".geojson", ".fgb", ".parquet")
SHAPEFILE_PARTS = (".dbf", ".shx", ".prj", ".cpg")

INCOMPLETE = "a run record that states that results are missing"
_PASSING = {"finished", "seconds", "modified", "overwrite", "redo", "status"}
"""Keys of JSON files whose values differ between runs with equal results."""
# Times and durations in pages; whether overwriting was allowed; whether a batch skipped a raster.
_VOLATILE = re.compile(
    rb"20\d\d-\d\d-\d\d[T ][\d:.+]+"
    rb'|(?:"|&#34;)(?:seconds|modified|overwrite)(?:"|&#34;): [^,}\n<]+'
    rb"|(?:done|skipped),[\d.]+|(?:done|skipped)"
    rb"|\d[\d.]* s\b|[\d.]+ Mpx/s"
)


def files_of(folder: Path) -> list[str]:
    """Return all files and folders below a folder, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def contents(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """Return the content of each dataset below a folder; parts of a shapefile belong to its ``.shp``.

    A dataset that cannot be read has a text that begins with ``unreadable``.
    """
    names = files_of(folder) if names is None else names
    found = {}
    for name in names:
        path = folder / name
        part = path.suffix in (*SHAPEFILE_PARTS, ".qml") and path.with_suffix(".shp").exists()
        if path.is_file() and not part:
            found[name] = content(path)
    return found


def content(path: Path) -> str:
    """Return the content of a dataset."""
    try:
        if path.name == "landcover_manifest.csv":
            values = _manifest(path)
        elif path.suffix == ".json":
            values = _lasting(json.loads(path.read_text(encoding="utf-8")))
            if values.get("complete") is False:
                return INCOMPLETE
        elif path.suffix == ".tif":
            values = _raster(path)
        elif path.suffix == ".parquet":
            values = _parquet(path)
        elif path.suffix in VECTORS:
            values = _vector(path)
        else:
            values = _VOLATILE.sub(b"", path.read_bytes().replace(bytes(path.parents[1]) + b"/", b""))
    except Exception as error:
        return f"unreadable: {type(error).__name__}: {error}"
    return _hash(values)


def _hash(values: Any) -> str:
    return hashlib.sha256(values if isinstance(values, bytes) else repr(values).encode()).hexdigest()[:16]


def _manifest(path: Path) -> Any:
    """Rows without status and duration; the order of the columns depends on which rasters were skipped."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [dict(row, status="", seconds="") for row in csv.DictReader(stream)]
    return sorted(sorted(row.items()) for row in rows)


def _lasting(value: Any) -> Any:
    """Return a record without times, durations and checksums of files; of the files that it lists, the names."""
    if isinstance(value, list):
        return [_lasting(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _lasting(inner) for key, inner in value.items() if key not in _PASSING}
    for key in ("files", "input_files"):
        if isinstance(kept.get(key), list):
            kept[key] = sorted(Path(entry["path"]).name for entry in kept[key])
    return kept


def _raster(path: Path) -> Any:
    import rasterio

    values = []
    with rasterio.open(path) as dataset:
        levels = dataset.overviews(1)
        palette = dataset.colorinterp[0].name == "palette"
        values += [dataset.profile, dataset.descriptions, levels, _hash(dataset.read().tobytes())]
        values.append(
            {key: value for key, value in dataset.tags().items() if key not in ("LANDCOVER_RUN", "LANDCOVER_EDITS")}
        )
        values.append(sorted(dataset.colormap(1).items()) if palette else None)
    for level in range(len(levels)):
        with rasterio.open(path, overview_level=level) as overview:
            values.append(_hash(overview.read().tobytes()))
    return values


def _vector(path: Path) -> Any:
    import pyogrio
    import pyogrio.raw

    values = []
    for layer, kind in pyogrio.list_layers(path):
        info, _, geometry, fields = pyogrio.raw.read(path, layer=layer)
        shapes = None if geometry is None else _hash(b"".join(shape or b"" for shape in geometry))
        rows = [] if layer == "layer_styles" else [list(field) for field in fields]
        values += [layer, kind, info["crs"], list(info["fields"]), info["dtypes"], shapes, _hash(rows)]
    if path.suffix == ".gpkg":
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as package:
            values.append(package.execute("PRAGMA integrity_check").fetchall())
            tables = package.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
            values.append(tables)
            if ("layer_styles",) in tables:
                values.append(package.execute("SELECT f_table_name, styleQML FROM layer_styles").fetchall())
    if path.suffix == ".shp":
        values += [_hash(path.with_suffix(part).read_bytes()) for part in (".prj", ".cpg")]
    return values


def _parquet(path: Path) -> Any:
    from pyarrow import parquet

    table = parquet.read_table(path, use_threads=False)
    return table.schema.names, table.schema.metadata, [column.to_pylist() for column in table.columns]
