"""Corrections with undo and redo."""

from __future__ import annotations

import random

import pytest

from dubai_landcover_plugin.gui.panel.corrections import Changes, Correction, CorrectionEdits
from dubai_landcover_plugin.protocol.errors import OutputError

pytestmark = pytest.mark.qgis
SQUARE = "Polygon ((0 0, 1 0, 1 1, 0 0))"


class Memory:
    """Keeps corrections in a dictionary; may fail."""

    def __init__(self) -> None:
        self.kept: dict[str, Correction] = {}
        self.fails = False

    def read(self) -> dict[str, Correction]:
        return dict(self.kept)

    def write(self, changes: Changes) -> None:
        if self.fails:
            raise OutputError("The disk is full.")
        for name, one in changes.items():
            if one is None:
                self.kept.pop(name, None)
            else:
                self.kept[name] = one


def test_changes_are_stored_and_taken_back():
    store = Memory()
    edits = CorrectionEdits(store)
    edits.add({"a": Correction("Land", SQUARE), "b": Correction("Road", SQUARE, "Building")})
    edits.set_classes(["a", "b"], target="Water")
    edits.set_classes(["b"], source="")
    edits.remove(["a"])
    assert store.kept == edits.corrections == {"b": Correction("Water", SQUARE)}
    assert [edits.undo() for _ in range(5)] == [True, True, True, True, False]
    assert store.kept == edits.corrections == {}
    assert [edits.redo() for _ in range(3)] == [True, True, True]
    assert store.kept["a"].target == "Water"
    assert (edits.can_undo, edits.can_redo) == (True, True)
    edits.remove(["b"])
    assert not edits.can_redo


def test_a_change_without_effect_is_not_a_step():
    edits = CorrectionEdits(Memory())
    edits.add({"a": Correction("Land", SQUARE)})
    edits.set_classes(["a"], target="Land")
    edits.remove(["missing"])
    assert edits.undo()
    assert not edits.can_undo


def test_what_cannot_be_stored_changes_nothing():
    store = Memory()
    edits = CorrectionEdits(store)
    edits.add({"a": Correction("Land", SQUARE)})
    store.fails = True
    before = dict(edits.corrections)
    for change in (lambda: edits.remove(["a"]), edits.undo, lambda: edits.add({"b": Correction("Road", SQUARE)})):
        with pytest.raises(OutputError):
            change()
        assert edits.corrections == before
    store.fails = False
    assert edits.undo()
    assert store.kept == {}


def test_changes_of_others_are_read_again():
    store = Memory()
    edits = CorrectionEdits(store)
    edits.add({"a": Correction("Land", SQUARE)})
    store.kept["c"] = Correction("Road", SQUARE)
    edits.reload()
    assert set(edits.corrections) == {"a", "c"}
    assert not edits.can_undo


@pytest.mark.parametrize("seed", range(20))
def test_random_changes_can_all_be_taken_back_and_done_again(seed: int):
    draw = random.Random(seed)
    store = Memory()
    edits = CorrectionEdits(store)
    states = [dict(store.kept)]
    for number in range(40):
        known = sorted(edits.corrections)
        some = draw.sample(known, min(len(known), 2))
        action = draw.choice(["add", "set", "remove", "undo", "redo"])
        if action == "add":
            edits.add({str(number): Correction(draw.choice("xyz"), SQUARE)})
        elif action == "set":
            edits.set_classes(some, target=draw.choice("xyz"))
        elif action == "remove":
            edits.remove(some)
        elif action == "undo":
            edits.undo()
        else:
            edits.redo()
        assert store.kept == edits.corrections
        states.append(dict(store.kept))
    while edits.redo():
        pass
    last = dict(store.kept)
    steps = 0
    while edits.undo():
        steps += 1
    assert store.kept == states[0] == {}
    for _ in range(steps):
        edits.redo()
    assert store.kept == last
