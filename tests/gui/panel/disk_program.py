"""Stores samples or corrections on a disk that becomes full: ``disk_program TASK FOLDER LOG SPACE``.

The disk is full after ``SPACE`` bytes were written below the folder. QGIS starts in a fork of this process, which has
no threads; a fork of the tests' process could wait for ever for a lock that another thread held. Prints how it ended.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tests.faults.system_calls import Fault, run, unsupported

SQUARE = "Polygon ((300010 2779990, 300020 2779990, 300020 2779980, 300010 2779980, 300010 2779990))"


def new_samples(folder: Path) -> None:
    """Store the first sample in a new file."""
    from qgis.core import QgsCoordinateReferenceSystem

    from dubai_landcover_plugin.gui.panel.samples import Sample, create_samples, write_samples

    sample = Sample("Building", SQUARE, "polygon", 0.0, "2026-01-02T03:04:05", "#3C1098")
    made = create_samples(folder / "town_samples.gpkg", QgsCoordinateReferenceSystem("EPSG:32640"))
    write_samples(made, {"a": sample})


def more_samples(folder: Path) -> None:
    """Store nine large samples beside others."""
    from qgis.core import QgsGeometry

    from dubai_landcover_plugin.gui.panel.samples import Sample, open_samples, write_samples

    shape = QgsGeometry.fromWkt(SQUARE).buffer(3, 200).asWkt()
    sample = Sample("Building", shape, "polygon", 0.0, "2026-01-02T03:04:05", "#3C1098")
    write_samples(open_samples(folder / "town_samples.gpkg"), {f"new {number}": sample for number in range(9)})


def new_corrections(folder: Path) -> None:
    """Store the first correction in a new file."""
    from qgis.core import QgsCoordinateReferenceSystem

    from dubai_landcover_plugin.gui.panel.correction_layer import CorrectionLayer, create_corrections
    from dubai_landcover_plugin.gui.panel.corrections import Correction

    crs = QgsCoordinateReferenceSystem("EPSG:32640")
    layer = create_corrections(folder / "town_corrections.gpkg", crs, str(folder.parent / "map.tif"))
    CorrectionLayer(layer).write({"a": Correction("Land", SQUARE, "Building", "2026-01-02T03:04:05")})


TASKS: dict[str, Callable[[Path], None]] = {
    task.__name__: task for task in (new_samples, more_samples, new_corrections)
}


def main(name: str, folder: str, log: str, space: str) -> None:
    """Run a task and print its end as JSON; with a skip where system calls cannot be watched."""

    def reported() -> int:
        from qgis.core import QgsApplication

        from dubai_landcover_plugin.protocol.errors import OutputError

        application = QgsApplication([], False)
        application.initQgis()
        try:
            TASKS[name](Path(folder))
        except OutputError as error:
            os.write(1, f"message: {error}\n".encode())
            return 3
        return 0

    if reason := unsupported():
        print(json.dumps({"skip": reason}))
    else:
        print(json.dumps(asdict(run(reported, Path(folder), Fault("full", int(space)), Path(log)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
