"""Finds a region of a classified raster in the background."""

from __future__ import annotations

from typing import Callable

from qgis.core import QgsApplication, QgsGeometry, QgsTask

from dubai_landcover_plugin.gui.panel.region import region_at
from dubai_landcover_plugin.protocol.translation import tr

_RUNNING: set[RegionTask] = set()
"""Keeps the Python half of tasks while QGIS runs them."""


class RegionTask(QgsTask):
    """The region at a place, see :func:`.region_at`; large ones take seconds.

    Args:
        source: The raster, as GDAL opens it.
        x: Coordinate in the raster's CRS.
        y: Coordinate in the raster's CRS.
        done: Called with the task in the main thread, unless it was cancelled.
    """

    def __init__(self, source: str, x: float, y: float, done: Callable[[RegionTask], None]) -> None:
        super().__init__(tr("Finding the region"), QgsTask.Flag.CanCancel)
        self._source, self._place, self._done = source, (x, y), done
        self.class_id = 0
        self.area = QgsGeometry()
        self.is_cut = False
        """Whether the region is larger than what was searched."""
        self.problem = ""
        """Why there is no region; empty if there is one."""

    def start(self) -> None:
        """Search as soon as QGIS has a thread."""
        _RUNNING.add(self)
        QgsApplication.taskManager().addTask(self)

    def run(self) -> bool:
        """Search, in a thread of QGIS."""
        try:
            self.class_id, self.area, self.is_cut = region_at(self._source, *self._place)
        except (RuntimeError, StopIteration) as error:
            self.problem = str(error) or tr("The raster changes.")
        except Exception as error:  # an exception that leaves the thread ends QGIS
            self.problem = str(error)
        return not self.problem

    def finished(self, result: bool) -> None:
        """Report, in the main thread."""
        _RUNNING.discard(self)
        if not self.isCanceled():
            self._done(self)
