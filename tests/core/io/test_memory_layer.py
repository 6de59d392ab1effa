"""A layer in memory has what a file would have."""

import numpy as np
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io.memory_layer import MemoryLayer
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter

UTM = CRS.from_epsg(32640)
REPEATED = shapely.Polygon([(0, 0), (10, 0), (10, 1e-9), (10, 10), (0, 10)])
BATCHES = [([], [], []), ([REPEATED, shapely.box(20, 0, 30, 9)], [4, 5], ["a", None]), ([], [], []),
           ([shapely.box(40, 0, 50, 9.5)], [6], ["ü"])]  # fmt: skip


def test_it_equals_the_layer_that_is_written_and_read(tmp_path):
    kinds = {"number": np.dtype(np.int32), "text": np.dtype(object), "share": np.dtype(np.float64)}
    layer = MemoryLayer(UTM)
    with VectorWriter(tmp_path / "layer.gpkg", "Polygon", UTM, kinds) as file:
        for geometries, numbers, texts in BATCHES:
            fields = {
                "number": np.array(numbers, np.int32),
                "text": np.array(texts, object),
                "share": np.full(len(numbers), np.nan),
            }
            for target in (file, layer):
                target.write(np.array(geometries, object), fields)
        file.finish()
    read, made = read_vector(str(tmp_path / "layer.gpkg")), layer.layer()
    assert shapely.to_wkb(made.geometries).tolist() == shapely.to_wkb(read.geometries).tolist()
    assert made.crs == read.crs
    assert list(made.fields) == list(read.fields)
    for name, values in read.fields.items():
        assert made.fields[name].dtype == values.dtype
        assert np.array_equal(made.fields[name], values, equal_nan=name == "share")


def test_attributes_are_known_without_features():
    layer = MemoryLayer(None)
    assert layer.layer().fields == {}
    layer.write(np.empty(0, object), {"number": np.empty(0, np.int32)})
    made = layer.layer()
    assert len(made.geometries) == 0
    assert made.fields["number"].dtype == np.int32
