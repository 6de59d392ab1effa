"""The novelty raster: values of cells, on the pixels of the classified raster."""

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.segmentation import novelty_rows
from dubai_landcover_plugin.core.segmentation.batch import run_folder
from dubai_landcover_plugin.core.segmentation.journal import Journal
from dubai_landcover_plugin.core.segmentation.novelty import NoveltyMeter, cell_statistics, nearer_percents
from dubai_landcover_plugin.protocol.errors import BundleError, RunCancelled
from dubai_landcover_plugin.protocol.ground_samples import CELL
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from tests.core.segmentation.cases import GROUND_SAMPLES, SAND, Listener, ground, run
from tests.factories import stub_bundle, write_raster

BUNDLE = stub_bundle(ground=GROUND_SAMPLES)
PICTURE = np.concatenate([SAND[2][:, :150, :110], ground(150, 90, (90, 110, 60), 6)], axis=2)  # sand, then a field
METER = NoveltyMeter(np.array(GROUND_SAMPLES.cells))


def novelty(source, bundle=BUNDLE, listener=None, **options):
    path = source.with_name("novelty.tif")
    classes, result = run(source, bundle, listener, novelty=str(path), **options)
    with rasterio.open(path) as dataset, rasterio.open(source) as given:
        assert (dataset.nodata, dataset.descriptions) == (255, ("Novelty (percent)",))
        assert (dataset.shape, dataset.transform, dataset.crs) == (given.shape, given.transform, given.crs)
        return dataset.read(1), classes, result


def percents(pixels):
    """Return the novelty of the whole cells of a picture, (rows, columns)."""
    found = nearer_percents(METER.distances(cell_statistics(pixels)), GROUND_SAMPLES.distances)
    return np.rint(found).reshape(pixels.shape[1] // CELL, pixels.shape[2] // CELL)


@pytest.mark.parametrize(("strip", "columns"), [(16, 64), (1, 2), (3, 5)])
def test_each_cell_has_the_share_of_training_cells_that_are_nearer(tmp_path, monkeypatch, strip, columns):
    monkeypatch.setattr(novelty_rows, "STRIP", strip)
    monkeypatch.setattr(novelty_rows, "_COLUMNS", columns)
    values, _, result = novelty(write_raster(tmp_path / "in.tif", PICTURE), window=64, overlap=8)
    expected = percents(PICTURE)
    assert (values[: 4 * CELL, : 6 * CELL] == np.kron(expected, np.ones((CELL, CELL)))).all()
    assert expected[:, :3].mean() < 75
    assert expected[:, 4:].min() > 95
    assert (values[4 * CELL :] == values[4 * CELL - 1]).all(), "less than a cell belongs to the one beside it"
    assert (values[:, 6 * CELL :] == values[:, [6 * CELL - 1]]).all()
    assert result.novelty_raster == str(tmp_path / "novelty.tif")


def test_cells_with_invalid_pixels_and_rasters_without_cells_are_not_measured(tmp_path):
    pixels = PICTURE.copy()
    pixels[:, 40:50, 70:75] = 0
    values, classes, _ = novelty(write_raster(tmp_path / "in.tif", pixels, nodata=0))
    assert (values[CELL : 2 * CELL, 2 * CELL : 3 * CELL] == 255).all()
    assert (values == 255).sum() == CELL * CELL
    assert (values[classes == 0] == 255).all()
    values, _, _ = novelty(write_raster(tmp_path / "in.tif", PICTURE[:, :20]))
    assert (values == 255).all()


def test_cells_are_as_large_on_the_ground_as_those_of_the_model(tmp_path):
    """On pixels of 0.5 m and 2 m, a model of 1 m has cells of 64 and of 16 px."""
    picture = PICTURE[:, : 3 * CELL, : 4 * CELL]
    values, _, _ = novelty(write_raster(tmp_path / "in.tif", picture.repeat(2, axis=1).repeat(2, axis=2)), gsd=0.5)
    assert (values == np.kron(percents(picture), np.ones((2 * CELL, 2 * CELL)))).all()
    rough = ground(48, 64, (207, 187, 150), 20)  # interpolation halves its deviation
    values, _, _ = novelty(write_raster(tmp_path / "in.tif", rough), gsd=2.0)
    cells = values[::16, ::16]
    assert (values == np.kron(cells, np.ones((16, 16)))).all()
    assert len(np.unique(cells)) > 3


def test_a_run_that_was_stopped_goes_on_to_the_same_raster(tmp_path, monkeypatch):
    monkeypatch.setattr(Journal, "is_due", lambda self: True)
    source = write_raster(tmp_path / "in.tif", PICTURE)
    whole, _, _ = novelty(source, window=32, overlap=8)
    with pytest.raises(RunCancelled):  # without the raster: its rows do not depend on it
        run(source, BUNDLE, Listener(20), window=32, overlap=8, batch=1, keep=True)
    listener = Listener()
    again, _, _ = novelty(source, BUNDLE, listener, window=32, overlap=8)
    assert any("Resuming" in text for _, text in listener.lines)
    assert (again == whole).all()


def test_a_model_without_ground_samples_is_refused_and_nothing_is_written(tmp_path):
    source = write_raster(tmp_path / "in.tif", PICTURE)
    bundle = stub_bundle()
    with pytest.raises(BundleError, match=r"model stub has no samples .* Leave out the novelty raster"):
        novelty(source, bundle)
    with pytest.raises(BundleError, match="no samples"):
        run_folder(FolderRequest(str(tmp_path), str(tmp_path / "out"), novelty=True), bundle=bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


def test_a_folder_has_one_for_each_raster_that_is_not_an_input_later(tmp_path):
    (tmp_path / "in").mkdir()
    write_raster(tmp_path / "in" / "a.tif", PICTURE)
    request = FolderRequest(str(tmp_path / "in"), str(tmp_path / "in"), novelty=True)
    bundle = ModelBundle(BUNDLE.metadata, BUNDLE.model, "digest")
    first, second = run_folder(request, bundle=bundle), run_folder(request, bundle=bundle)
    assert (first.done, first.skipped, second.done, second.skipped) == (1, 0, 0, 1)
    assert (tmp_path / "in" / "a_novelty.tif").exists()
