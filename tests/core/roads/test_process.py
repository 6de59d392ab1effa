"""The road network of a process of its own is the one that the engine finds."""

import time

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.roads.extract import extract_network
from dubai_landcover_plugin.core.roads.process import NetworkProcess
from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from tests.core.roads.cases import town
from tests.factories import write_class_map


class Listener(SilentMonitor):
    def __init__(self, cancel=False):
        self.steps, self._cancel = [], cancel

    def report(self, done, total, text=""):
        self.steps.append(text)

    def cancelled(self):
        return self._cancel


@pytest.fixture
def request_of_town(tmp_path):
    return RoadsRequest(write_class_map(tmp_path / "town.tif", town(3)), str(tmp_path / "roads.gpkg"))


def test_the_network_is_the_same_and_progress_arrives(request_of_town):
    own, listener = extract_network(request_of_town, SilentMonitor()), Listener()
    with NetworkProcess(request_of_town) as process:
        found = process.result(listener)
    assert len(own.network.lines) > 2
    assert shapely.to_wkb(found.network.lines).tolist() == shapely.to_wkb(own.network.lines).tolist()
    assert shapely.to_wkb(found.network.nodes).tolist() == shapely.to_wkb(own.network.nodes).tolist()
    for name, values in own.network.line_fields.items():
        assert np.array_equal(values, found.network.line_fields[name], equal_nan=values.dtype.kind == "f")
    assert (found.crs, found.notes, found.network.bridged) == (own.crs, own.notes, own.network.bridged)
    assert "smoothing" in listener.steps
    assert process._process.returncode is not None


def test_a_cancelled_run_ends_the_process(request_of_town):
    started = time.monotonic()
    with pytest.raises(RunCancelled), NetworkProcess(request_of_town) as process:
        process.result(Listener(cancel=True))
    assert process._process.returncode != 0
    assert time.monotonic() - started < 5


def test_a_process_that_fails_leaves_the_network_to_the_engine(request_of_town, tmp_path):
    with NetworkProcess(request_of_town) as process:
        process._process.kill()
        assert process.result(SilentMonitor()) is None
    missing = RoadsRequest(str(tmp_path / "missing.tif"), str(tmp_path / "roads.gpkg"))
    with NetworkProcess(missing) as process:
        assert process.result(SilentMonitor()) is None


def test_the_process_ends_with_the_engine(request_of_town):
    with NetworkProcess(request_of_town) as process:
        process._stdin.close()
        assert process._process.wait(20) == 1
