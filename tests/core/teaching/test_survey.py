"""The search for the place that is worth a sample most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.segmentation.novelty import NoveltyMeter, cell_statistics
from dubai_landcover_plugin.core.teaching import survey
from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.protocol.ground_samples import CELL, DISTANCES, GroundSamples
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import OpenSession, SuggestRequest, TeachSamples, ViewRequest
from tests.core.teaching.test_session import MONITOR, Cancelling
from tests.factories import write_raster, write_teachable_model

SIDE = 256
WEST, NORTH = 300_000, 2_780_000


def ground(shape, mean, seed):
    """Pixels around a colour."""
    noise = np.random.default_rng(seed).normal(0, 20, (3, *shape))
    return np.clip(np.array(mean)[:, None, None] + noise, 1, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def raster(tmp_path_factory):
    """Usual ground, with some of another kind in the east."""
    pixels = ground((SIDE, SIDE), (90, 100, 80), 0)
    pixels[:, 32:128, 192:] = ground((96, 64), (220, 60, 200), 1)
    return write_raster(tmp_path_factory.mktemp("survey") / "r.tif", pixels)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model that knows the usual ground, and one that knows none."""
    folder = tmp_path_factory.mktemp("models")
    cells = cell_statistics(ground((CELL * 30, CELL), (90, 100, 80), 7))
    near = np.sort(NoveltyMeter(cells).distances(cells))
    quantiles = tuple(
        float(value) for value in np.interp(np.linspace(0, 1, DISTANCES), np.linspace(0, 1, 30), near * 3)
    )
    samples = GroundSamples(tuple(map(tuple, cells.round(3).tolist())), quantiles, 95.0)
    return (
        str(write_teachable_model(folder / "knowing.safetensors", ground=samples)),
        str(write_teachable_model(folder / "plain.safetensors")),
    )


def opened(raster, model):
    options = SegmentOptions(model=model, runtime="torch", precision="float32")
    return TeachingSession(OpenSession(str(raster), options), MONITOR)


def middle(found):
    left, bottom, right, top = found.extent
    return (left + right) / 2, (bottom + top) / 2


def stroke(name, place, brush=5.0):
    return {"id": name, "class_id": 4, "geometry": f"POINT ({place[0]} {place[1]})", "brush": brush}


def is_new_ground(place):
    return place[0] >= WEST + 192 and NORTH - 128 <= place[1] <= NORTH - 32


def test_without_ground_samples_the_least_certain_cell_is_found(raster, models, tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "FIRST", 1000)
    with opened(raster, models[1]) as session:
        found = session.suggest(SuggestRequest(), MONITOR)
        assert (found.novelty, found.is_novel) == (None, False)
        assert found.searched == found.windows
        path = str(tmp_path / "c.tif")
        extent = (WEST, NORTH - SIDE, WEST + SIDE, NORTH)
        session.view(ViewRequest(extent, str(tmp_path / "v.tif"), None, path), MONITOR)
    with rasterio.open(path) as dataset:
        percents = dataset.read(1).astype(float)
    rows, cols = (np.arange(0, SIDE - CELL + 1, 4) for _ in range(2))
    lowest = min(percents[row : row + CELL, col : col + CELL].mean() for row in rows for col in cols)
    col, row = int(found.extent[0] - WEST), int(NORTH - found.extent[3])
    here = percents[row : row + CELL, col : col + CELL].mean()
    assert here == pytest.approx(found.confidence, abs=2)
    assert here <= lowest + 3  # cells are not at all places


def test_new_ground_comes_first_and_is_new_until_it_is_labelled(raster, models):
    with opened(raster, models[0]) as session:
        found = session.suggest(SuggestRequest(), MONITOR)
        assert is_new_ground(middle(found))
        assert found.is_novel
        assert found.novelty > 95
        session.teach(TeachSamples((stroke("a", middle(found)),)), MONITOR)
        for number in range(3):
            after = session.suggest(SuggestRequest(), MONITOR)
            session.teach(TeachSamples((stroke(str(number), middle(after)),)), MONITOR)
        assert not is_new_ground(middle(after))


@pytest.mark.parametrize("number", [0, 1])
def test_no_place_comes_twice(raster, models, number):
    visited, labelled = [], []
    with opened(raster, models[number]) as session:
        for step in range(60):
            found = session.suggest(SuggestRequest(tuple(visited)), MONITOR)
            if not found.extent:
                break
            place = middle(found)
            assert all(max(abs(place[0] - x), abs(place[1] - y)) > CELL for x, y in visited)
            left, bottom, right, top = found.extent
            assert not any(left <= x <= right and bottom <= y <= top for x, y in labelled)
            assert WEST <= left < right <= WEST + SIDE
            visited.append(place)
            if step % 3 == 0:
                session.teach(TeachSamples((stroke(str(step), place),)), MONITOR)
                labelled.append(place)
                visited.pop()
        assert step > 8
        assert found.extent == ()
        assert found.searched == found.windows


def test_searches_add_windows_and_remember_them(raster, models, monkeypatch):
    monkeypatch.setattr(survey, "FIRST", 3)
    monkeypatch.setattr(survey, "FURTHER", 2)
    with opened(raster, models[1]) as session:
        counts = [session.suggest(SuggestRequest(), MONITOR).searched for _ in range(3)]
        assert counts == [3, 5, 7]
        assert session.features._store.computed == 7
        session.release()
        assert session.suggest(SuggestRequest(), MONITOR).searched == 9


def test_an_old_rank_is_checked_after_teaching(raster, models, monkeypatch):
    with opened(raster, models[1]) as session:
        first = session.suggest(SuggestRequest(), MONITOR)
        session.release()  # nothing is in memory
        monkeypatch.setattr(survey, "FURTHER", 0)
        session.teach(TeachSamples((stroke("a", middle(first), 40.0),)), MONITOR)
        second = session.suggest(SuggestRequest(), MONITOR)
        chosen = [one for one in session._survey._known.values() if one.lesson == session._survey._lesson]
        assert chosen
        assert second.extent != first.extent


def test_a_search_is_cancelled_and_continues(raster, models):
    with opened(raster, models[0]) as session:
        with pytest.raises(RunCancelled):
            session.suggest(SuggestRequest(), Cancelling())
        assert session.suggest(SuggestRequest(), MONITOR).extent


def test_resampled_rasters(raster, models):
    with TeachingSession(
        OpenSession(str(raster), replace(SegmentOptions(model=models[0], runtime="torch"), gsd=0.5)), MONITOR
    ) as session:
        found = session.suggest(SuggestRequest(), MONITOR)
        scale = session.job.plan.work.scale[0]
        assert found.extent[2] - found.extent[0] == pytest.approx(CELL * scale)
        again = session.suggest(SuggestRequest((middle(found),)), MONITOR)
        assert max(abs(a - b) for a, b in zip(middle(found), middle(again), strict=True)) > CELL * scale


def test_small_and_empty_rasters_have_no_place(tmp_path, models):
    small = write_raster(tmp_path / "small.tif", ground((20, 20), (90, 100, 80), 0))
    with opened(small, models[0]) as session:
        assert session.suggest(SuggestRequest(), MONITOR).extent == ()
