"""The client of a session, with a real engine."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from qgis.core import QgsApplication

from dubai_landcover_plugin.gui.panel.client import SessionClient
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import OpenSession, SampleSpec, SuggestRequest, ViewRequest
from tests.gui.panel.conftest import SECONDS, is_running
from tests.processing.conftest import BUILD

pytestmark = pytest.mark.qgis
EXTENT = (300000.0, 2779920.0, 300096.0, 2780000.0)


def wait(condition, seconds=SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        QgsApplication.processEvents()
        time.sleep(0.005)


@pytest.fixture
def client(qgis_app, engine, monkeypatch, raster, tiny_model):
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", engine)
    made = SessionClient()
    made.open(OpenSession(raster, SegmentOptions(model=tiny_model)))
    yield made
    pid = made.pid
    made.stop()
    assert pid is None or not is_running(pid)


def square(name, x, y, class_id=4, size=4):
    west, north = EXTENT[0] + x, EXTENT[3] - y
    corners = ((west, north), (west + size, north), (west + size, north - size), (west, north - size), (west, north))
    return SampleSpec(name, class_id, f"POLYGON (({', '.join(f'{a} {b}' for a, b in corners)}))")


def test_the_newest_view_wins_and_one_message_is_sent_at_a_time(client, tmp_path):
    shown, sent = [], []
    client.viewed.connect(lambda result: shown.append(result.output))
    client.working.connect(lambda name, done, total: sent.append(name) if not total else None)
    for number in range(30):
        client.view(ViewRequest(EXTENT, str(tmp_path / f"{number}.tif")))
        QgsApplication.processEvents()
    wait(lambda: not client.is_busy)
    assert shown[-1] == str(tmp_path / "29.tif")
    assert sent.count("view") < 30
    assert client.pid is not None


def test_one_sample_that_cannot_be_used_does_not_stop_the_others(client, tmp_path):
    refused = []
    client.refused.connect(lambda name, reason: refused.append((name, reason)))
    samples = [square(str(number), 10 * number, 10) for number in range(8)]
    samples.insert(3, square("far", 5000, 5000))
    client.set_samples({one.id: one for one in samples}, {})
    client.view(ViewRequest(EXTENT, str(tmp_path / "v.tif")))
    wait(lambda: not client.is_busy)
    assert [name for name, _ in refused] == ["far"]
    assert "outside of the raster" in refused[0][1]
    assert set(client.known_samples) == {str(number) for number in range(8)}
    assert list(client.refusals) == ["far"]
    pid = client.pid
    client.set_samples({one.id: one for one in samples[:2]}, {})
    wait(lambda: not client.is_busy)
    assert set(client.known_samples) == {"0", "1"}
    assert client.pid == pid


def test_views_and_samples_interrupt_a_search_which_continues(client, tmp_path):
    order, found = [], []
    client.suggested.connect(lambda one: (order.append("suggest"), found.append(one)))
    client.viewed.connect(lambda _: order.append("view"))
    client.taught.connect(lambda _: order.append("teach"))
    client.suggest(SuggestRequest())
    wait(lambda: client._sent is not None and client._sent.name == "suggest")
    client.set_samples({"a": square("a", 10, 10)}, {})
    client.view(ViewRequest(EXTENT, str(tmp_path / "v.tif")))
    assert client.is_suggesting
    wait(lambda: not client.is_busy)
    assert order == ["teach", "view", "suggest"]
    assert len(found[0].extent) == 4
    assert not client.is_suggesting


def test_an_idle_engine_is_closed_and_comes_back(client, tmp_path):
    said = []
    client.said.connect(lambda level, text: said.append(text))
    client._idle.setInterval(200)
    client.set_samples({"a": square("a", 10, 10)}, {})
    client.view(ViewRequest(EXTENT, str(tmp_path / "v.tif")))
    wait(lambda: client.is_busy)
    pid = client.pid
    wait(lambda: client.pid is None)
    assert not is_running(pid)
    assert "free memory" in said[-1]
    client._idle.setInterval(60_000)
    client.view(ViewRequest(EXTENT, str(tmp_path / "w.tif")))
    wait(lambda: not client.is_busy)
    assert set(client.known_samples) == {"a"}


def test_an_engine_that_always_dies_is_given_up(client, tmp_path, monkeypatch):
    failed = []
    client.failed.connect(lambda name, error: failed.append((name, str(error))))
    monkeypatch.setattr(
        "dubai_landcover_plugin.runner.session.worker_command", lambda python: [python, "-c", "import sys; sys.exit(3)"]
    )
    client.view(ViewRequest(EXTENT, str(tmp_path / "v.tif")))
    wait(lambda: failed)
    assert failed[0][0] == "engine"
    assert "exit code was 3" in failed[0][1]
    assert client.pid is None
    assert not client.is_busy


def test_no_engine_survives_qgis(engine, clean_environment, tmp_path):
    code = (
        f"import sys, time; sys.path.insert(0, {str(BUILD)!r})\n"
        "from dubai_landcover_plugin.runner.session import EngineSession\n"
        "session = EngineSession(sys.argv[1], print)\n"
        "while not session.is_ready: session.poll(); time.sleep(0.05)\n"
        "print(session.pid, flush=True); time.sleep(600)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", code, engine], stdout=subprocess.PIPE, env=clean_environment)
    try:
        pid = int(next(line for line in iter(program.stdout.readline, b"") if line.strip().isdigit()))
        assert is_running(pid)
    finally:
        program.kill()
        program.wait()
        program.stdout.close()
    wait(lambda: not is_running(pid), 20)
