"""The session as the plugin starts it: a worker, JSON lines."""

from __future__ import annotations

import json
import subprocess
import threading

import pytest
import rasterio

from dubai_landcover_plugin.core.teaching.service import TeachService
from dubai_landcover_plugin.protocol.messages import PROTOCOL
from tests.core.teaching.test_session import WHOLE, sample, town
from tests.core.test_worker import COMMAND
from tests.factories import write_raster, write_teachable_model


class Talk:
    """Sends messages to a worker and collects its answers."""

    def __init__(self, environment):
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.write({"protocol": PROTOCOL, "task": "teach_session", "request": {}})
        self.number = 0

    def write(self, value):
        self.process.stdin.write(value if isinstance(value, str) else json.dumps(value) + "\n")
        self.process.stdin.flush()

    def send(self, message, **request):
        self.number += 1
        self.write({"id": self.number, "message": message, "request": request})
        return self.number

    def answer(self, number):
        """The line that ends a message."""
        for line in iter(self.process.stdout.readline, ""):
            value = json.loads(line)
            if value["type"] in ("result", "error") and value.get("id") == number:
                return value
        raise AssertionError(self.process.stderr.read())

    def ask(self, message, **request):
        return self.answer(self.send(message, **request))


@pytest.fixture
def talk(clean_environment):
    started = Talk(clean_environment)
    yield started
    started.process.kill()
    started.process.wait()
    for stream in (started.process.stdin, started.process.stdout, started.process.stderr):
        stream.close()


@pytest.fixture
def opening(tmp_path):
    model = write_teachable_model(tmp_path / "teachable.safetensors")
    raster = write_raster(tmp_path / "town.tif", town(), nodata=0)
    return {"input": str(raster), "options": {"model": str(model), "runtime": "torch", "precision": "float32"}}


def test_a_session_from_open_to_close(talk, opening, tmp_path):
    assert talk.ask("view", extent=WHOLE, output=str(tmp_path / "v.tif"))["message"] == "No raster is open."
    opened = talk.ask("open", **opening)["value"]
    assert (opened["model"], opened["height"], opened["width"]) == ("teachable", 100, 130)
    viewed = talk.ask("view", extent=WHOLE, output=str(tmp_path / "v.tif"))["value"]
    assert (viewed["height"], viewed["changed"]) == (100, 0.0)
    taught = talk.ask("teach", samples=[sample("a", 4, 30, 30)])["value"]
    assert taught["counts"]["Building"] == 1
    assert talk.ask("view", extent=WHOLE, output=str(tmp_path / "v.tif"))["value"]["changed"] > 0
    with rasterio.open(tmp_path / "v.tif") as dataset:
        assert (dataset.read(1)[28:33, 28:33] == 4).all()
    assert talk.ask("undo")["value"]["samples"] == []
    assert talk.ask("undo")["code"] == "request"
    assert talk.ask("redo")["value"]["samples"] == ["a"]
    assert talk.ask("agreement")["code"] == "request"
    assert talk.ask("save", output=str(tmp_path / "own.safetensors"))["value"]["model_hash"]
    assert (tmp_path / "own.safetensors").is_file()
    assert talk.ask("close") == {"type": "result", "id": talk.number, "value": {}}
    assert talk.process.wait(30) == 0


def test_bad_messages_are_errors_and_the_session_goes_on(talk, opening):
    talk.write("no json\n")
    assert talk.answer(None)["code"] == "protocol"
    assert talk.ask("fly")["code"] == "protocol"
    assert talk.ask("open", input="missing.tif")["type"] == "error"
    assert talk.ask("open", colour="red")["code"] == "request"
    assert talk.ask("open", **opening)["type"] == "result"


def test_cancel_ends_the_messages_before_it_and_none_after(talk, opening, tmp_path):
    talk.ask("open", **opening)
    numbers = [talk.send("view", extent=WHOLE, output=str(tmp_path / f"{index}.tif")) for index in range(40)]
    talk.write({"cancel": True})
    after = talk.send("view", extent=WHOLE, output=str(tmp_path / "after.tif"))
    answers = [talk.answer(number) for number in numbers]
    assert answers[-1]["code"] == "cancelled"
    assert talk.answer(after)["type"] == "result"
    assert not list(tmp_path.glob(".*"))


def test_a_closed_pipe_ends_the_session(talk, opening):
    talk.ask("open", **opening)
    talk.process.stdin.close()
    assert talk.process.wait(30) is not None


class Idle:
    """A channel that is silent for a while between two messages."""

    def __init__(self, messages):
        self.messages, self.sent, self.released = list(messages), [], threading.Event()

    def receive(self, timeout):
        message = self.messages.pop(0)
        return None if message is None else (1, message)

    def send(self, kind, **values):
        self.sent.append({"type": kind, **values})

    def is_cancelled(self, number):
        return False


def test_an_idle_session_gives_its_memory_back_and_goes_on(opening, tmp_path):
    view = {"message": "view", "request": {"extent": WHOLE, "output": str(tmp_path / "v.tif")}}
    teach = {"message": "teach", "request": {"samples": [sample("a", 4, 30, 30)]}}
    messages = [{"message": "open", "request": opening}, view, view, teach, *[None] * 20, view, {"message": "close"}]
    channel = Idle(messages)
    TeachService(channel).run()
    results = [line["value"] for line in channel.sent if line["type"] == "result"]
    computed = [value["computed"] for value in results if "computed" in value]
    assert computed[0] == computed[2] > 0
    assert computed[1] == 0
    assert results[-2]["changed"] > 0  # samples are kept
