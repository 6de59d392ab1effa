"""Samples and corrections on a disk that becomes full, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry

from dubai_landcover_plugin.gui.panel.correction_layer import CorrectionLayer, open_corrections
from dubai_landcover_plugin.gui.panel.samples import Sample, create_samples, open_samples, write_samples
from tests.faults.system_calls import Run
from tests.gui.panel.disk_program import SQUARE
from tests.processing.conftest import BUILD, ROOT

pytestmark = [pytest.mark.qgis, pytest.mark.faults]
UTM = QgsCoordinateReferenceSystem("EPSG:32640")
BUILDING = Sample("Building", SQUARE, "polygon", 0.0, "2026-01-02T03:04:05", "#3C1098")
EMPTY = 1 << 40  # bytes of free space
FULL = re.compile("message: .{,300}the disk (is|may be) full", re.IGNORECASE)


def on_a_full_disk(task: str, folder: Path, space: int) -> Run:
    """Run a task of :mod:`.disk_program` while ``space`` bytes more can be written below a folder."""
    command = [sys.executable, "-m", "tests.gui.panel.disk_program", task, folder, f"{folder}.log", str(space)]
    paths = os.pathsep.join([str(BUILD), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, timeout=240
    )
    found = json.loads(done.stdout.splitlines()[-1])
    if "skip" in found:
        pytest.skip(found["skip"])
    run = Run(**found)
    assert not run.hung
    assert run.code in (0, 3), run.output
    return run


def stored(path: Path) -> list[str]:
    """The samples that others find in a file; its content is consistent. SQLite takes an unfinished change back."""
    with closing(sqlite3.connect(path)) as package:
        assert package.execute("pragma integrity_check").fetchall() == [("ok",)]
        return [name for (name,) in package.execute("select sample from samples")]


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def test_no_half_file_of_new_samples(qgis_app: object, tmp_path: Path):
    folder = tmp_path / "samples"
    path = folder / "town_samples.gpkg"
    needed = on_a_full_disk("new_samples", emptied(folder), EMPTY).written
    assert needed > 50_000
    for space in (0, 4096, needed // 2, needed - 1):
        done = on_a_full_disk("new_samples", emptied(folder), space)
        assert done.hit
        assert done.code == 0 or FULL.search(done.output), done.output
        assert not list(folder.glob(".*"))
        assert not path.exists() or stored(path) == (["a"] if done.code == 0 else [])
        write_samples(open_samples(path) if path.exists() else create_samples(path, UTM), {"next": BUILDING})
        assert stored(path)[-1] == "next"


def test_no_sample_is_lost(qgis_app: object, tmp_path: Path):
    folder = tmp_path / "samples"
    path = folder / "town_samples.gpkg"
    wide = replace(BUILDING, geometry=QgsGeometry.fromWkt(SQUARE).buffer(3, 200).asWkt())

    def start() -> Path:
        made = create_samples(emptied(folder) / "town_samples.gpkg", UTM)
        write_samples(made, {f"old {number}": wide for number in range(20)})
        del made
        return folder

    needed = on_a_full_disk("more_samples", start(), EMPTY).written
    for space in (0, 4096, needed // 2, needed - 1):
        done = on_a_full_disk("more_samples", start(), space)
        assert done.hit
        assert done.code == 0 or "Nothing can be stored in 'town samples': the disk is full." in done.output
        names = stored(path)
        assert names[:20] == [f"old {number}" for number in range(20)]
        assert len(names) == (29 if done.code == 0 else 20)
        write_samples(open_samples(path), {"next": BUILDING})
        assert stored(path)[-1] == "next"


def test_no_half_file_of_new_corrections(qgis_app: object, tmp_path: Path):
    folder = tmp_path / "town"
    path = folder / "town_corrections.gpkg"
    needed = on_a_full_disk("new_corrections", emptied(folder), EMPTY).written
    assert needed > 50_000
    for space in (0, 4096, needed // 2, needed - 1):
        done = on_a_full_disk("new_corrections", emptied(folder), space)
        assert done.code == 0 or FULL.search(done.output), done.output
        assert not list(folder.glob(".*"))
        kept = CorrectionLayer(open_corrections(path)).read() if path.exists() else {}
        assert len(kept) == (1 if done.code == 0 else 0)
