"""Features of a session: opened on demand, released, and anchors that outlive them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.teaching.samples import Sample
from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import OpenSession
from tests.factories import write_raster, write_teachable_model

MONITOR = SilentMonitor()


@pytest.fixture
def session(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (3, 96, 128), np.uint8)
    pixels[:, :, 100:] = 0
    write_raster(tmp_path / "town.tif", pixels, nodata=0)
    write_teachable_model(tmp_path / "model.safetensors")
    options = SegmentOptions(model=str(tmp_path / "model.safetensors"), runtime="torch", precision="float32")
    with TeachingSession(OpenSession(str(tmp_path / "town.tif"), options), MONITOR) as found:
        yield found


def test_anchors_outlive_the_network_and_features_come_back_the_same(session):
    features = session.features
    features.add_overview(MONITOR)
    before = features.store()
    assert features.anchors
    kept = {index: one.features.copy() for index, one in features.anchors.items()}
    features.release()
    features.release()
    assert features.store() is not before
    features.add_overview(MONITOR)
    assert all((features.anchors[index].features == values).all() for index, values in kept.items())


def test_the_pixels_of_a_sample_are_those_with_data(session):
    found = session.features.place(Sample("a", 1, shapely.box(90, 10, 110, 20)), MONITOR)
    assert len(found.cells) == len(found.pixels) == 100
    assert found.cells[:, 1].max() == 99
    with pytest.raises(RequestError, match="'b' is on pixels without data"):
        session.features.place(Sample("b", 1, shapely.box(110, 10, 120, 20)), MONITOR)


def test_pixels_of_samples_are_no_anchors(session):
    features = session.features
    features.add_overview(MONITOR)
    placed = {"a": features.place(Sample("a", 1, shapely.box(0, 0, 60, 60)), MONITOR)}
    assert 0 < len(features.anchor_pixels(placed)) < len(features.anchor_pixels({}))
