"""Fixtures that several test modules of this room share."""

import pytest

from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.roads.extract import find_network
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from tests.factories import write_class_map


@pytest.fixture
def network(tmp_path):
    """Make ``network(ids, request options, tile=, profile=)``: the network of a classified raster."""

    def find(ids, tile=(64, 64), profile=None, **options):
        path = write_class_map(tmp_path / "classes.tif", ids, **(profile or {}))
        with ClassifiedSource(path) as source:
            return find_network(source, RoadsRequest(path, "roads.gpkg", **options), SilentMonitor(), tile)

    return find
