"""A preview of a part of a raster."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core import preview_land_cover, segment_raster
from dubai_landcover_plugin.core.teaching import view
from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, OutputError, RequestError, RunCancelled
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests import PreviewRequest, SegmentationRequest, SegmentOptions
from tests.core.teaching.test_session import Cancelling, town
from tests.factories import write_raster, write_teachable_model

MONITOR = SilentMonitor()
EXTENT = (300_010.0, 2_779_930.0, 300_060.0, 2_779_980.0)
PART = slice(20, 70), slice(10, 60)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview")
    model = write_teachable_model(folder / "teachable.safetensors")
    return write_raster(folder / "town.tif", town(), nodata=0), str(model)


def options(model, **changes):
    return SegmentOptions(model=str(model), runtime="torch", precision="float32", **changes)


def classes_of(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_a_preview_equals_the_run(files, tmp_path):
    raster, model = files
    paths = [str(tmp_path / name) for name in ("p.tif", "c.tif")]
    result = preview_land_cover(
        PreviewRequest(str(raster), paths[0], options(model), EXTENT, confidence=paths[1]), MONITOR
    )
    whole = SegmentationRequest(
        str(raster), str(tmp_path / "o.tif"), options(model), confidence=str(tmp_path / "oc.tif")
    )
    segment_raster(whole, MONITOR)
    assert (classes_of(paths[0]) == classes_of(tmp_path / "o.tif")[PART]).all()
    assert (classes_of(paths[1]) == classes_of(tmp_path / "oc.tif")[PART]).all()
    assert (result.height, result.width) == (50, 50)
    assert sum(result.pixels.values()) == np.count_nonzero(classes_of(paths[0]))
    assert result.scheme == coloured(DUBAI).to_json()
    assert sorted(path.name for path in tmp_path.glob("[pc]*")) == ["c.tif", "p.tif"]


def test_other_models_run_over_the_extent(files, tmp_path, tiny_model):
    raster, _ = files
    paths = [str(tmp_path / name) for name in ("p.tif", "c.tif")]
    asked = PreviewRequest(str(raster), paths[0], options(tiny_model), EXTENT, confidence=paths[1])
    result = preview_land_cover(asked, MONITOR)
    assert (result.height, result.width) == (50, 50)
    assert "tiny was run over the extent alone" in result.warnings[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.tif", "p.tif"]
    with rasterio.open(paths[0]) as dataset:
        assert dataset.bounds == EXTENT
        assert dataset.tags()["CLASS_4"].startswith("Building")


def test_without_an_extent_it_is_the_whole_raster(files, tmp_path, tiny_model, monkeypatch):
    raster, model = files
    result = preview_land_cover(PreviewRequest(str(raster), str(tmp_path / "p.tif"), options(model)), MONITOR)
    with rasterio.open(raster) as dataset:
        assert (result.height, result.width) == dataset.shape
    monkeypatch.setattr(view, "MAX_VIEW", 1000)
    with pytest.raises(RequestError, match="The view has") as caught:
        preview_land_cover(PreviewRequest(str(raster), str(tmp_path / "q.tif"), options(model)), MONITOR)
    assert "choose a smaller extent" in caught.value.remedy
    assert not (tmp_path / "q.tif").exists()


def test_what_cannot_be_previewed(files, tmp_path):
    raster, model = files
    far = PreviewRequest(str(raster), str(tmp_path / "p.tif"), options(model), (0.0, 0.0, 9.0, 9.0))
    with pytest.raises(GeoreferenceError, match="does not touch the raster"):
        preview_land_cover(far, MONITOR)
    same = PreviewRequest(str(raster), str(raster), options(model, overwrite=True))
    with pytest.raises(OutputError, match="is the input itself"):
        preview_land_cover(same, MONITOR)
    asked = PreviewRequest(str(raster), str(tmp_path / "p.tif"), options(model), EXTENT)
    with pytest.raises(RunCancelled):
        preview_land_cover(asked, Cancelling())
    assert list(tmp_path.iterdir()) == []


def test_the_command(files, tmp_path, capsys):
    raster, model = files
    words = ["preview", str(raster), str(tmp_path / "p.tif"), "--model", model, "--runtime", "torch"]
    extent = ["--extent", *(f"{value:.0f}" for value in EXTENT)]
    assert main([*words, "--precision", "float32", *extent]) == 0
    assert "50×50 px" in capsys.readouterr().out
    assert main([*words, *extent]) == 1
    assert "exists" in capsys.readouterr().err
