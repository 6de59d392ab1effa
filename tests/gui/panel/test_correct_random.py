"""Random sequences of what users do in the tab Correct, and of what goes wrong: no correction is lost."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer

from tests.gui.panel.correct_cases import class_ids
from tests.processing.qgis_fixtures import write_class_map

pytestmark = pytest.mark.qgis
STEPS = 60
ACTIONS = {
    "region": 6, "stroke": 8, "only": 2, "undo": 6, "redo": 4, "delete": 3, "class": 3, "switch": 2, "remove": 1,
    "edit mode": 2, "reopen": 1,
}  # fmt: skip

Kept = dict[str, tuple[str, str]]
"""Classes before and after by the id of a correction."""


def stored(path: Path) -> Kept:
    dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR) if path.exists() else None
    rows = [] if dataset is None else dataset.GetLayerByName("corrections")
    return {row["correction"]: (row["from"] or "", row["to"]) for row in rows}


class Expected:
    """What the file of a raster has, and what undo and redo lead to."""

    def __init__(self) -> None:
        self.states: list[Kept] = [{}]
        self.position = 0

    @property
    def now(self) -> Kept:
        return self.states[self.position]

    def step(self, after: Kept) -> None:
        if after != self.now:
            self.states[self.position + 1 :] = [after]
            self.position += 1

    def forget_steps(self) -> None:
        self.states, self.position = [self.now], 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_correction_is_lost(corrector: Any, dock: Any, tmp_path: Path, map_layer: Any, seed: int):
    chance, correcting = random.Random(seed), dock.correct_drawing.correcting
    write_class_map(tmp_path / "other.tif", class_ids())
    QgsProject.instance().addMapLayer(QgsRasterLayer(str(tmp_path / "other.tif"), "other"))
    expected, name = {"map": Expected(), "other": Expected()}, "map"
    drawn = 0
    for action in chance.choices(list(ACTIONS), list(ACTIONS.values()), k=STEPS):
        state, known = expected[name], list(correcting.corrections)
        target = chance.choice(correcting.classes).name
        if action in ("region", "stroke"):
            corrector.tool("place" if action == "region" else "line", keep=True)
            corrector.choose(target)
            place = chance.uniform(2, 88), chance.uniform(2, 78)
            if action == "region":
                corrector.region(*place)
            else:
                corrector.drag(place, (place[0] + 3, place[1] + 3))
            added = {one: correcting.corrections[one] for one in set(correcting.corrections) - set(state.now)}
            assert len(added) <= 1
            assert bool(added) or dock.notice.level == "error", "a correction is made, or the reason is shown"
            drawn += len(added)
            if not known and state.now:
                state.forget_steps()  # the layer was removed, and its file is continued
            state.step({**state.now, **{one: (made.source, target) for one, made in added.items()}})
        elif action == "only":
            corrector.only(chance.choice(["", "Building", "Land"]))
        elif action == "undo" and known:
            dock.correct_tab.undo.click()  # keys need an active tool
            state.position = max(state.position - 1, 0)
        elif action == "redo" and correcting.layer is not None:
            dock.correct_tab.redo.click()
            state.position = min(state.position + 1, len(state.states) - 1)
        elif action in ("delete", "class") and known:
            chosen = chance.sample(known, min(2, len(known)))
            if action == "delete":
                dock.correct_tab.delete_asked.emit(chosen)
                state.step({one: kept for one, kept in state.now.items() if one not in chosen})
            else:
                dock.correct_tab.class_asked.emit(chosen, target)
                state.step({one: (kept[0], target if one in chosen else kept[1]) for one, kept in state.now.items()})
        elif action == "switch":
            name = "other" if name == "map" else "map"
            (layer,) = QgsProject.instance().mapLayersByName(name)
            corrector.choose_layer(dock.correct_header.raster, layer)
            expected[name].forget_steps()
        elif action == "remove" and correcting.layer is not None:
            QgsProject.instance().removeMapLayer(correcting.layer.id())
            QgsApplication.processEvents()
        elif action == "edit mode" and correcting.layer is not None:
            correcting.layer.startEditing()
            dock.correct_tab.delete_asked.emit(known)
            correcting.layer.rollBack()
        elif action == "reopen":
            assert QgsProject.instance().write(str(tmp_path / "town.qgz"))
            assert QgsProject.instance().read(str(tmp_path / "town.qgz"))
            (layer,) = QgsProject.instance().mapLayersByName(name)
            corrector.choose_layer(dock.correct_header.raster, layer)
            QgsApplication.processEvents()
            assert set(correcting.corrections) == set(expected[name].now)
            expected[name].forget_steps()
        for one, kept in expected.items():
            assert stored(tmp_path / f"{one}_corrections.gpkg") == kept.now, f"{action}: {dock.notice.text}"
    assert drawn > 5
