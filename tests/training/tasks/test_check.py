from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.protocol.errors import BundleError, RequestError
from dubai_landcover_plugin.protocol.requests import CheckLabelsRequest, LabelledData
from tests.training.dataset import write_polygons, write_raster
from training.tasks.check import check_labels


def test_good_labels_are_usable(labelled: LabelledData, start: str, tmp_path: Path) -> None:
    report = tmp_path / "check.html"
    result = check_labels(CheckLabelsRequest(labelled, start, report=str(report)))
    assert result.usable
    assert result.errors == ()
    assert (result.images, result.labels) == (1, 30)
    assert sum(result.pixels.values()) == 96 * 80
    page = report.read_text(encoding="utf-8")
    assert "Images and labels" in page
    assert "data:image/jpeg" in page


def problems_of(labelled: LabelledData, start: str, tmp_path: Path) -> str:
    report = tmp_path / "check.html"
    result = check_labels(CheckLabelsRequest(labelled, start, report=str(report), overwrite=True))
    assert not result.usable
    assert report.is_file()
    return "\n".join(result.errors)


def test_what_stops_a_training_is_found_before_it(labelled: LabelledData, start: str, tmp_path: Path) -> None:
    one = write_polygons(tmp_path / "one.gpkg", [shapely.box(300000, 2799950, 300050, 2800000)], ["Road"])
    assert "All labels are Road, but a training needs at least two classes" in problems_of(
        replace(labelled, labels=str(one)), start, tmp_path
    )
    far = write_polygons(tmp_path / "far.gpkg", [shapely.box(0, 0, 5, 5)], ["Road"])
    assert "No label of far.gpkg lies on a raster" in problems_of(replace(labelled, labels=str(far)), start, tmp_path)
    bare = write_raster(tmp_path / "bare.tif", np.zeros((96, 80, 3), np.uint8), crs=None)
    assert "has no coordinate reference system" in problems_of(replace(labelled, rasters=(str(bare),)), start, tmp_path)
    broken = tmp_path / "broken.tif"
    broken.write_bytes(Path(labelled.rasters[0]).read_bytes()[:2000])
    both = replace(labelled, rasters=(*labelled.rasters, str(broken)))
    assert "broken.tif" in problems_of(both, start, tmp_path)


def test_different_numbers_of_bands_and_few_labels_are_problems(
    labelled: LabelledData, start: str, tmp_path: Path
) -> None:
    four = write_raster(
        tmp_path / "four.tif", np.zeros((96, 80, 4), np.uint8), origin=(310000, 2800000), photometric="RGB"
    )
    few = write_polygons(
        tmp_path / "few.gpkg",
        [shapely.box(300000 + at, 2799950, 300020 + at, 2800000) for at in (0, 20, 40)],
        ["Road", "Land", "Water"],
    )
    data = replace(labelled, rasters=(*labelled.rasters, str(four)), labels=str(few))
    result = check_labels(CheckLabelsRequest(data, start))
    assert any("different numbers of bands (3: town.tif; 4: four.tif)" in text for text in result.problems)
    assert any(text.startswith("Only 3 labels") for text in result.problems)


def test_missing_data_and_models_are_refused(labelled: LabelledData) -> None:
    with pytest.raises(RequestError, match="no rasters"):
        check_labels(CheckLabelsRequest())
    with pytest.raises(BundleError, match="no model 'none-such'"):
        check_labels(CheckLabelsRequest(labelled, "none-such"))
