"""Random sequences of what users do, and of what goes wrong: no sample is lost, no process stays."""

from __future__ import annotations

import os
import random
import signal

import pytest

pytestmark = pytest.mark.qgis
STEPS = 30
ACTIONS = {"draw": 10, "undo": 5, "redo": 4, "delete": 3, "class": 3, "move": 3, "switch": 2, "kill": 1, "save": 1}


@pytest.mark.parametrize("seed", [1])
def test_no_sample_is_lost(hand, dock, canvas, tmp_path, seed):
    chance = random.Random(seed)
    expected: list[dict[str, str]] = [{}]  # the samples after each step that undo takes back
    position, kills = 0, 0
    hand.tool("point")
    actions = [*chance.choices(list(ACTIONS), list(ACTIONS.values()), k=STEPS - 2), "draw", "kill"]
    for action in actions:
        names = list(dock.teaching.samples)
        before = expected[position]
        if action == "draw":
            entry = chance.choice(dock.teaching.classes).name
            hand.choose(entry)
            hand.click(chance.uniform(2, 94), chance.uniform(2, 78))
            (added,) = set(dock.teaching.samples) - set(names)
            expected[position + 1 :] = [{**before, added: entry}]
            position += 1
        elif action in ("delete", "class") and names:
            chosen = chance.choice(names)
            entry = chance.choice(dock.teaching.classes).name
            if action == "delete":
                dock.teach_tab.delete_asked.emit([chosen])
                after = {name: kind for name, kind in before.items() if name != chosen}
            else:
                dock.teach_tab.class_asked.emit([chosen], entry)
                after = {**before, chosen: entry}
            expected[position + 1 :] = [after]
            position += 1
        elif action == "undo":
            hand.undo()
            position = max(position - 1, 0)
        elif action == "redo":
            hand.redo()
            position = min(position + 1, len(expected) - 1)
        elif action == "move":
            canvas.zoomByFactor(chance.choice([0.8, 1.25]))
        elif action == "switch":
            dock.header.look.toggle()
        elif action == "save" and names:
            dock.save(str(tmp_path / "own.safetensors"))
        elif action == "kill" and dock.client.pid is not None and kills < 1:
            kills += 1
            os.kill(dock.client.pid, signal.SIGKILL)
        assert hand.stored() == expected[position], action
        if chance.random() < 0.15:
            hand.wait_until_idle()
    dock.header.look.setChecked(True)
    dock.look.refresh()
    hand.wait_until_idle()
    assert set(dock.client._known.samples) == set(expected[position])
    assert hand.stored() == expected[position]
    assert not list(tmp_path.glob(".*partial"))
