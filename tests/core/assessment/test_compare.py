"""Plain figures of two rasters of classes."""

import numpy as np
import pytest

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.assessment.compare import compare_maps
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from tests.factories import write_class_map, write_raster


def test_maps_are_compared_where_both_have_a_class(tmp_path):
    truth = write_class_map(tmp_path / "t.tif", [[1, 1, 4, 4, 0, 6]])
    result = write_class_map(tmp_path / "r.tif", [[1, 2, 4, 6, 4, 4]])
    figures = compare_maps(truth, result)
    assert figures["pixels"] == 3
    assert figures["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["classes"]["Building"]["iou"] == 1


def test_maps_on_other_pixels_are_refused(tmp_path):
    truth = write_class_map(tmp_path / "t.tif", [[1, 1]])
    with pytest.raises(GeoreferenceError, match="different grids"):
        compare_maps(truth, write_class_map(tmp_path / "r.tif", [[1, 1, 1]]))


def test_plain_ids_of_a_reference_are_named_by_a_table(tmp_path, capsys):
    result = write_class_map(tmp_path / "r.tif", [[1, 2, 4, 4]])
    truth = str(write_raster(tmp_path / "t.tif", np.array([[[11, 12, 14, 12]]], np.uint8)))
    table = tmp_path / "own.csv"
    table.write_text("id,name\n11,water\n12,LAND\n14,Building\n15,Hut\n")
    assert compare_maps(truth, result, reference_scheme=str(table))["accuracy"] == 0.75
    assert main(["accuracy", truth, result, "--reference-scheme", str(table)]) == 0
    assert "accuracy 0.75" in capsys.readouterr().out
    plain = str(write_raster(tmp_path / "p.tif", np.array([[[1, 2, 4, 77]]], np.uint8)))
    assert main(["accuracy", plain, result]) == 0
    printed = capsys.readouterr()
    assert "accuracy 1.0" in printed.out
    assert "does not name its classes: its values are taken for ids of the map" in printed.err
    assert "skipped: 77" in printed.err


def test_the_classes_of_the_map_can_be_chosen_too(tmp_path):
    result = str(write_raster(tmp_path / "r.tif", np.array([[[31, 32, 32]]], np.uint8)))
    truth = str(write_raster(tmp_path / "t.tif", np.array([[[31, 32, 31]]], np.uint8)))
    table = tmp_path / "own.csv"
    table.write_text("id,name\n31,Hut\n32,Palm\n")
    figures = compare_maps(truth, result, scheme=str(table))
    assert list(figures["classes"]) == ["Hut", "Palm"]
    assert figures["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
