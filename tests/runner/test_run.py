"""The runner against workers that misbehave. Needs neither QGIS nor the engine's libraries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.errors import ProtocolError, RunCancelled
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial
from dubai_landcover_plugin.runner import run
from dubai_landcover_plugin.runner.errors import EngineMissingError, WorkerDiedError, WorkerError
from dubai_landcover_plugin.runner.exit_codes import explain_exit
from dubai_landcover_plugin.runner.worker_process import BOOTSTRAP

FAKE = Path(__file__).with_name("fake_worker.py")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake workers use signals")


class RecordingMonitor:
    """Remembers what it hears; cancels after the first progress if asked to."""

    def __init__(self, cancel: bool = False) -> None:
        self.progress: list[tuple[int, int, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.cancelled_at = 0.0
        self._cancel = cancel

    def report(self, done: int, total: int, text: str = "") -> None:
        self.progress.append((done, total, text))

    def log(self, level: str, text: str) -> None:
        self.lines.append((level, text))

    def cancelled(self) -> bool:
        if self._cancel and self.progress and not self.cancelled_at:
            self.cancelled_at = time.monotonic()
        return bool(self.cancelled_at)

    def number_after(self, word: str) -> int:
        return next(int(text.split()[1]) for _, text in self.lines if text.startswith(word))


def run_fake(behaviour: str, monitor: RecordingMonitor | None = None, request: dict | None = None) -> dict:
    command = [sys.executable, str(FAKE), behaviour]
    return run.run_task("python", "segment_raster", request or {}, monitor or RecordingMonitor(), command)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def test_everything_a_good_worker_says_arrives():
    monitor = RecordingMonitor()
    value = run_fake("good", monitor, {"input": "a ü.tif", "output": ""})
    assert value["request"] == {"input": "a ü.tif", "output": ""}
    assert monitor.progress == [(0, 2, "0 Mpx/s"), (1, 2, "1 Mpx/s"), (2, 2, "2 Mpx/s")]
    assert ("warning", "dark image") in monitor.lines
    assert any("torch 0" in text for _, text in monitor.lines)


def test_the_worker_sees_no_variables_of_qgis(monkeypatch: pytest.MonkeyPatch):
    foreign = {
        "PYTHONPATH": "/nowhere",
        "PYTHONHOME": "/nowhere",
        "GDAL_DATA": "/nowhere",
        "PROJ_LIB": "/nowhere",
        "QGIS_PREFIX_PATH": "/nowhere",
        "LD_LIBRARY_PATH": "/nowhere",
        "PIP_NO_INDEX": "1",
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "me-central-1")
    seen = run_fake("good")["environment"]
    assert not set(foreign) & set(seen)
    assert seen["AWS_REGION"] == "me-central-1"
    assert os.environ["GDAL_DATA"] == "/nowhere"


def test_a_killed_worker_means_memory_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(WorkerDiedError, match=r"memory.*\(signal 9\)") as caught:
        run_fake("killed", request={"output": str(tmp_path / "a.tif")})
    assert "window" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_crash_shows_the_tail_of_the_log():
    with pytest.raises(WorkerDiedError) as caught:
        run_fake("crashed")
    text = str(caught.value)
    assert "exit code was 3" in text
    assert "ValueError: no such thing" in text
    assert "line 99" in text
    assert "line 50" not in text


def test_a_missing_library_names_the_set_up():
    with pytest.raises(WorkerDiedError, match="library it needs is missing") as caught:
        run_fake("missing_library")
    assert "Set up the engine" in caught.value.remedy


def test_leaving_without_an_answer_is_an_error():
    with pytest.raises(WorkerDiedError, match="without a result"):
        run_fake("silent")


def test_a_little_garbage_is_logged_and_forgiven():
    monitor = RecordingMonitor()
    assert run_fake("some_garbage", monitor)["request"] == {}
    assert [text for level, text in monitor.lines if "Welcome to Python" in text and level == "warning"]


def test_much_garbage_ends_the_run():
    with pytest.raises(ProtocolError, match="not messages"):
        run_fake("much_garbage")


def test_another_protocol_is_refused_at_once():
    start = time.monotonic()
    with pytest.raises(ProtocolError, match="protocol 7, the plugin 2"):
        run_fake("old_protocol")
    assert time.monotonic() - start < 20


def test_a_refusal_keeps_code_and_remedy():
    with pytest.raises(WorkerError) as caught:
        run_fake("refusing")
    assert (caught.value.code, caught.value.message, caught.value.remedy) == ("bands", "Two bands.", "Use three.")


def test_a_result_that_is_no_object_is_refused():
    with pytest.raises(ProtocolError, match="list"):
        run_fake("no_object")


def test_cancel_is_obeyed(stretched: Callable[[float], float]):
    monitor = RecordingMonitor(cancel=True)
    with pytest.raises(RunCancelled, match="nothing was written"):
        run_fake("polite", monitor)
    taken = time.monotonic() - monitor.cancelled_at
    assert taken < stretched(2)


def test_cancel_ends_a_stubborn_worker_and_its_child_and_removes_its_files(
    tmp_path: Path, stretched: Callable[[float], float]
):
    monitor = RecordingMonitor(cancel=True)
    of_another_run = make_partial(tmp_path / "a.tif")
    with pytest.raises(RunCancelled):
        run_fake("stubborn", monitor, {"output": str(tmp_path / "a.tif")})
    taken = time.monotonic() - monitor.cancelled_at
    assert taken < stretched(2)
    assert ends_within(monitor.number_after("child"), 2)
    assert list(tmp_path.iterdir()) == [of_another_run]
    remove_partial(of_another_run)


def test_a_worker_that_closes_the_line_is_ended():
    with pytest.raises(WorkerDiedError, match="stopped responding"):
        run_fake("deaf")


def test_much_error_output_does_not_block():
    assert run_fake("talkative")["request"] == {}


def test_a_missing_interpreter_names_the_menu():
    with pytest.raises(EngineMissingError, match="Set up the engine"):
        run.run_task("/no/such/python", "doctor", {}, RecordingMonitor())


def test_no_log_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_fake("good")
    with pytest.raises(WorkerDiedError):
        run_fake("crashed")
    assert list(tmp_path.iterdir()) == []


def test_the_worker_ends_when_the_plugin_is_killed():
    program = (
        "import sys; from tests.runner.test_run import *\n"
        "class Loud(RecordingMonitor):\n"
        "    def log(self, level, text):\n"
        "        print(text, flush=True)\n"
        "run_fake('waiting', Loud())\n"
    )
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root)
    timer = threading.Timer(60, parent.kill)
    timer.start()
    try:
        worker = next(int(line.split()[1]) for line in parent.stdout if line.startswith("pid "))
        assert is_running(worker)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert ends_within(worker, 5)
    finally:
        timer.cancel()
        parent.kill()
        parent.stdout.close()


def test_a_neighbour_of_the_package_cannot_shadow_a_library(tmp_path: Path):
    core = tmp_path / "dubai_landcover_plugin" / "core"
    core.mkdir(parents=True)
    (core.parent / "__init__.py").write_text("")
    (core / "__init__.py").write_text("")
    (core / "worker.py").write_text("import colorsys\ndef main():\n    print(colorsys.__file__)\n    return 4\n")
    (tmp_path / "colorsys.py").write_text("raise ImportError('the neighbour was taken')")
    command = [sys.executable, "-I", "-c", BOOTSTRAP, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    assert str(tmp_path) not in done.stdout


@pytest.mark.parametrize(
    ("code", "tail", "reason", "remedy"),
    [
        (-9, "", "memory", "window"),
        (137, "", "memory", "window"),
        (-11, "", "SIGSEGV", "cpu"),
        (1, "RuntimeError: DefaultCPUAllocator: can't allocate memory", "memory", "batch"),
        (0xC0000005, "", "access violation", "cpu"),
        (0xC0000017, "", "memory", "window"),
        (0xC0000135, "", "library", "Set up"),
        (None, "", "stopped responding", "again"),
        (2, "usage", "exit code was 2", "log"),
    ],
)
def test_exit_codes_are_explained(code: int | None, tail: str, reason: str, remedy: str):
    text, advice = explain_exit(code, tail)
    assert reason in text
    assert remedy in advice


def test_a_training_out_of_memory_is_not_told_to_change_options_of_a_run():
    assert "use fewer or smaller rasters" in explain_exit(-9, "", training=True)[1]
    assert "use fewer or smaller rasters" in explain_exit(1, "MemoryError", training=True)[1]
