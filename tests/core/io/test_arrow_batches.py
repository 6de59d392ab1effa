"""Columns of Arrow batches as NumPy arrays: missing values, all types, damage."""

from __future__ import annotations

import nanoarrow
import numpy as np
import pyarrow
import pyogrio.raw
import pytest
import shapely

from dubai_landcover_plugin.core.io.arrow_batches import Column, open_batches


def column(array: pyarrow.Array) -> Column:
    return Column(nanoarrow.c_array(array))


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_of_every_type(kind):
    array = pyarrow.array([1, None, 3, 120], getattr(pyarrow, kind)())
    assert column(array).numbers(np.dtype("int64")).tolist() == [1, 0, 3, 120]
    assert column(array.slice(1, 2)).numbers(np.dtype("int64")).tolist() == [0, 3]


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_missing_floats_are_nan(kind):
    found = column(pyarrow.array([0.5, None, -2.0], getattr(pyarrow, kind)())).numbers(np.dtype("float64"))
    np.testing.assert_array_equal(found, [0.5, np.nan, -2.0])


def test_missing_integers_of_a_column_of_floats_are_nan():
    found = column(pyarrow.array([1, None])).numbers(np.dtype("float64"))
    np.testing.assert_array_equal(found, [1.0, np.nan])


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.large_string()])
def test_texts(kind):
    array = pyarrow.array(["a", "", None, "بيت", "long enough to be stored elsewhere"], kind)
    assert column(array).items().tolist() == array.to_pylist()
    assert column(array.slice(2, 2)).items().tolist() == [None, "بيت"]
    assert column(array.slice(0, 0)).items().tolist() == []


@pytest.mark.parametrize("kind", [pyarrow.binary(), pyarrow.large_binary()])
def test_bytes(kind):
    assert column(pyarrow.array([b"\0\1", None, b""], kind)).items().tolist() == [b"\0\1", None, b""]


@pytest.mark.parametrize("offsets", [[0, 3, 2], [0, -1, 2]])
def test_damaged_offsets_are_noticed(offsets):
    buffers = [None, pyarrow.py_buffer(np.array(offsets, np.int32)), pyarrow.py_buffer(b"abc")]
    array = pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)
    with pytest.raises(ValueError, match="offsets"):
        column(array).items()


def test_bytes_that_are_no_text_are_noticed():
    buffers = [None, pyarrow.py_buffer(np.array([0, 1], np.int32)), pyarrow.py_buffer(b"\xff")]
    with pytest.raises(ValueError, match="utf-8"):
        column(pyarrow.Array.from_buffers(pyarrow.string(), 1, buffers)).items()


def test_another_type_is_noticed():
    with pytest.raises(ValueError, match="than numbers"):
        column(pyarrow.array(["a"])).numbers(np.dtype("int32"))
    with pytest.raises(ValueError, match="than text"):
        column(pyarrow.array([1])).items()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_a_layer_is_read_in_batches(tmp_path, suffix):
    path, count = tmp_path / f"points{suffix}", 25
    shapes = shapely.points(np.arange(2.0 * count).reshape(count, 2))
    fields = [np.arange(count, dtype=np.int32), np.array([None, "b"] * 12 + ["c"], object)]
    pyogrio.raw.write(path, shapely.to_wkb(shapes), fields, ["number", "name"], crs="EPSG:32640", geometry_type="Point")
    with open_batches(str(path), 10) as (names, batches):
        found = [
            (batch.wkb, batch.columns["number"].numbers(np.dtype("int32")), batch.columns["name"].items())
            for batch in batches
        ]
    assert names == ["number", "name"]
    assert [len(wkb) for wkb, *_ in found] == [10, 10, 5]
    assert shapely.equals(shapely.from_wkb(np.concatenate([wkb for wkb, *_ in found])), shapes).all()
    assert np.concatenate([numbers for _, numbers, _ in found]).tolist() == list(range(count))
    assert np.concatenate([texts for *_, texts in found]).tolist() == fields[1].tolist()
