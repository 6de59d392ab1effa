"""Spatial indices of FlatGeobuf files."""

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.io import flatgeobuf
from dubai_landcover_plugin.core.io.flatgeobuf import has_valid_index
from tests.factories import write_layer


@pytest.mark.parametrize("count", [1, 2, 16, 17, 256, 257, 5000])
def test_indices_of_gdal_are_valid(tmp_path, monkeypatch, count):
    monkeypatch.setattr(flatgeobuf, "_BATCH", 100)
    west = np.random.default_rng(count).random(count) * 1000
    write_layer(tmp_path / "a.fgb", shapely.box(west, 0, west + 1, west), name=np.array(["é" * 9] * count, object))
    assert has_valid_index(tmp_path / "a.fgb", count)
    assert not has_valid_index(tmp_path / "a.fgb", count + 1)


def test_every_byte_of_an_index_counts(tmp_path):
    path = tmp_path / "a.fgb"
    write_layer(path, shapely.box(np.arange(20), 1, np.arange(20) + 0.5, 2))
    content = path.read_bytes()
    start = 12 + int.from_bytes(content[8:12], "little")
    for index in range(start, start + 23 * 40, 3):
        path.write_bytes(content[:index] + bytes([content[index] ^ 0x41]) + content[index + 1 :])
        assert not has_valid_index(path, 20), index - start
    path.write_bytes(content + b"\0")
    assert not has_valid_index(path, 20)
