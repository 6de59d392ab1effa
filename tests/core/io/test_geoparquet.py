"""GeoParquet files that grow by row groups."""

import json
import sys

import numpy as np
import pyarrow.parquet
import pytest
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io.geoparquet import GeoParquetFile, load_pyarrow
from dubai_landcover_plugin.protocol.errors import OutputError

FIELDS = {"n": np.dtype(np.int32), "name": np.dtype(object)}
ROWS = {"n": np.array([1, 2]), "name": np.array(["a", None], object)}


def write(path, crs=None, groups=2):
    file = GeoParquetFile(path, "Point", crs, FIELDS)
    for _ in range(groups):
        file.write(shapely.to_wkb(shapely.points([[1, 2], [3, 4]])), ROWS)
    file.finish()
    return path


def test_pieces_are_row_groups_of_one_file(tmp_path):
    path = write(tmp_path / "p.parquet", groups=3)
    assert pyarrow.parquet.read_metadata(path).num_rows == 6
    assert pyarrow.parquet.read_metadata(path).num_row_groups == 3
    table = pyarrow.parquet.read_table(path).to_pydict()
    assert table["n"] == [1, 2] * 3
    assert table["name"] == ["a", None] * 3
    assert shapely.from_wkb(table["geometry"][1]) == shapely.Point(3, 4)


@pytest.mark.parametrize(("crs", "code"), [(None, None), (CRS.from_epsg(32640), 32640)], ids=["no CRS", "UTM"])
def test_the_metadata_name_geometry_and_crs(tmp_path, crs, code):
    geo = json.loads(pyarrow.parquet.read_schema(write(tmp_path / "p.parquet", crs)).metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Point"])
    assert column["crs"] == code or column["crs"]["id"]["code"] == code


def test_a_file_without_a_piece_is_not_created(tmp_path):
    write(tmp_path / "p.parquet", groups=0)
    assert not (tmp_path / "p.parquet").exists()


def test_without_pyarrow_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="pip install pyarrow"):
        load_pyarrow()
    with pytest.raises(OutputError, match="does not have"):
        GeoParquetFile(tmp_path / "p.parquet", "Point", None, FIELDS)
