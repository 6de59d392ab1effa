"""Random sequences of what users do, and of what goes wrong: no lost sample, no process left, no incomplete file.

A sequence draws, deletes, changes classes, takes back and does again, moves the map, saves models and the project,
closes and opens it, lets the engine idle out, and kills it at any moment. `make faults` runs 200 of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProject

from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.runner.session import EngineSession
from tests.gui.panel.conftest import is_running, random_actions

pytestmark = pytest.mark.qgis
STEPS = 24
SEEDS, CAMPAIGN = 3, 200
ACTIONS = {
    "draw": 10, "undo": 5, "redo": 4, "delete": 3, "reclass": 3, "move": 3, "switch": 2, "kill": 3, "save": 2,
    "reopen": 1, "idle": 1, "add_class": 1,
}  # fmt: skip


class Walk:
    """One sequence.

    Args:
        hand: Acts on the panel.
        folder: For models and the project.
        seed: Chooses the actions.
    """

    def __init__(self, hand, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hand, self.dock, self.folder = hand, hand.dock, folder
        self.chance = random.Random(seed)
        self.steps: list[dict[str, str]] = [{}]  # the samples after each step that undo takes back
        self.position = 0
        self.pids: list[int] = []
        self.problems: list[str] = []
        self.dock.client.saved.connect(self._check_saved)
        start = EngineSession.__init__

        def started(session: EngineSession, *arguments) -> None:
            start(session, *arguments)
            self.pids.append(session.pid)

        monkeypatch.setattr(EngineSession, "__init__", started)

    @property
    def expected(self) -> dict[str, str]:
        """Class of each sample by id."""
        return self.steps[self.position]

    def run(self) -> None:
        """Do the actions; the samples in the file are right after each of them."""
        self.hand.tool("point")
        drawn = self.chance.choices(list(ACTIONS), list(ACTIONS.values()), k=STEPS - 3)
        for action in ["draw", *drawn, "draw", "kill"]:
            getattr(self, f"_{action}")()
            random_actions[action] += 1
            assert self.hand.stored() == self.expected, action
            self._wait(self.chance.choice([0.0, 0.0, 0.0, 0.05, 0.3, 1.0]))

    def finish(self) -> None:
        """Look at the raster and save the model: the engine has the samples."""
        dock, hand = self.dock, self.hand
        hand.wait_until_idle()
        dock.header.look.setChecked(False)
        hand.look()
        hand.wait_until_idle()
        assert set(dock.client.known_samples) == set(self.expected) == set(dock.teaching.samples)
        assert hand.stored() == self.expected
        if self.expected:
            path = self.folder / "last.safetensors"
            dock.keeping.save(str(path))
            hand.wait(path.is_file)
            hand.wait_until_idle()
            assert samples_in(path) == Counter(self.expected.values())
        dock.client.stop()
        assert not self.problems
        assert not [pid for pid in self.pids if is_running(pid)]
        for path in self.folder.glob("*.safetensors"):
            assert is_complete(path)
        assert not list(self.folder.glob(".*"))  # unfinished files
        random_actions["engines"] += len(self.pids)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            QgsApplication.processEvents()
            time.sleep(0.005)

    def _add(self, samples: dict[str, str]) -> None:
        self.steps[self.position + 1 :] = [samples]
        self.position += 1

    def _class(self) -> str:
        return str(self.chance.choice(self.dock.teaching.classes).name)

    def _draw(self) -> None:
        entry, before = self._class(), self.expected
        self.hand.choose(entry)
        self.hand.click(self.chance.uniform(2, 94), self.chance.uniform(2, 78))
        (added,) = set(self.dock.teaching.samples) - set(before)
        self._add({**before, added: entry})

    def _delete(self) -> None:
        if self.expected:
            chosen = self.chance.choice(sorted(self.expected))
            self.dock.teach_tab.delete_asked.emit([chosen])
            self._add({name: kind for name, kind in self.expected.items() if name != chosen})

    def _reclass(self) -> None:
        if self.expected:
            chosen, entry = self.chance.choice(sorted(self.expected)), self._class()
            self.dock.teach_tab.class_asked.emit([chosen], entry)
            self._add({**self.expected, chosen: entry})

    def _add_class(self) -> None:
        if all(entry.name != "Tent" for entry in self.dock.teaching.classes):
            self.dock.drawing.add_class("Tent", "")

    def _undo(self) -> None:
        self.hand.undo()
        self.position = max(self.position - 1, 0)

    def _redo(self) -> None:
        self.hand.redo()
        self.position = min(self.position + 1, len(self.steps) - 1)

    def _move(self) -> None:
        self.hand.canvas.zoomByFactor(self.chance.choice([0.8, 1.25]))

    def _switch(self) -> None:
        self.dock.header.look.toggle()

    def _save(self) -> None:
        if self.expected:
            self.dock.keeping.save(str(self.folder / f"{self.chance.choice('ab')}.safetensors"))

    def _kill(self) -> None:
        pid = self.dock.client.pid
        if pid is not None and is_running(pid):
            os.kill(pid, signal.SIGKILL)

    def _idle(self) -> None:
        if not self.dock.client.is_busy:
            self.dock.client._close_idle()

    def _reopen(self) -> None:
        """Save the project, close it and open it again."""
        project, path = QgsProject.instance(), str(self.folder / "project.qgs")
        extent = self.hand.canvas.extent()
        assert project.write(path)
        project.clear()
        assert not [pid for pid in self.pids if is_running(pid)]
        assert project.read(path)
        raster = next(layer for layer in project.mapLayers().values() if layer.name() == "town")
        self.hand.canvas.setLayers([raster])
        self.hand.canvas.setExtent(extent)
        self.dock.header.raster.setLayer(raster)
        self.hand.tool("point")
        self.steps, self.position = [self.expected], 0

    def _check_saved(self, saved) -> None:
        """A model has the samples that the engine had."""
        names = {entry.id: entry.name for entry in self.dock.teaching.classes}
        had = Counter(names[spec.class_id] for spec in self.dock.client.known_samples.values())
        path = Path(saved.output)
        if not is_complete(path) or samples_in(path) != had:
            self.problems.append(f"{path.name} has {samples_in(path)}, taught were {had}")


def samples_in(path: Path) -> Counter[str]:
    """Return the number of samples of each class that a model was taught."""
    return +Counter(read_metadata(str(path)).training["teaching"]["samples"])


def is_complete(path: Path) -> bool:
    """Return whether a model file has all bytes that its header lists."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return path.stat().st_size == 8 + length + max(ends)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_sample_is_lost(hand, tmp_path, monkeypatch, seed):
    walk(hand, tmp_path, monkeypatch, seed)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(SEEDS, CAMPAIGN))
def test_no_sample_is_lost_in_the_campaign(hand, tmp_path, monkeypatch, seed):
    walk(hand, tmp_path, monkeypatch, seed)


def walk(hand, folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Do one sequence; nothing is left behind."""
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    sequence = Walk(hand, folder, seed, monkeypatch)
    sequence.run()
    sequence.finish()
    hand.dock.header.look.setChecked(False)
    assert not list(temporary.iterdir())
    assert not list(Path(os.environ["HOME"]).rglob("landcover_view_*"))
