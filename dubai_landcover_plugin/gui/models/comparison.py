"""Classifies the view with two models, as two layers, and says on which share of it they agree."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsReferencedRectangle,
)

from dubai_landcover_plugin.processing.layer_styles import style_classes
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.model_library import InstalledModel
from dubai_landcover_plugin.runner.settings import natural_colours

ALGORITHM = "dubailandcover:previewlandcover"


class ViewComparison:
    """Two runs of Preview Land Cover, one after the other.

    Args:
        iface: QGIS's interface: the active raster layer and the extent of the canvas.
        models: The two models.
        done: Receives the result in words.
    """

    def __init__(self, iface: Any, models: Sequence[InstalledModel], done: Callable[[str], None]) -> None:
        self._iface, self._models, self._done = iface, list(models), done
        self._waiting = list(models)
        self._found: list[str] = []
        self._folder = tempfile.mkdtemp(prefix="landcover_compare_")
        self._task: QgsProcessingAlgRunnerTask | None = None
        self._context = QgsProcessingContext()
        self._context.setProject(QgsProject.instance())
        self._feedback = QgsProcessingFeedback()
        self._layer: Any = None

    @property
    def running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._task is not None

    def start(self) -> None:
        """Begin.

        Raises:
            RequestError: if no raster layer is selected.
        """
        self._layer = self._iface.activeLayer()
        if not isinstance(self._layer, QgsRasterLayer):
            raise RequestError(tr("No raster layer is selected."), tr("Select the image in the panel Layers first."))
        self._next()

    def cancel(self) -> None:
        """Stop; nothing is shown then."""
        self._done = lambda text: None
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def _next(self) -> None:
        model = self._waiting.pop(0)
        canvas = self._iface.mapCanvas()
        crs = canvas.mapSettings().destinationCrs()
        output = str(Path(self._folder) / f"{model.name}.tif")
        parameters = {
            "INPUT": self._layer.id(),
            "MODEL_FILE": str(model.path),
            "EXTENT": QgsReferencedRectangle(canvas.extent(), crs),
            "OUTPUT": output,
        }
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(ALGORITHM)
        task = QgsProcessingAlgRunnerTask(algorithm, parameters, self._context, self._feedback)
        task.executed.connect(lambda succeeded, results: self._ended(succeeded, model, output))
        self._task = task
        QgsApplication.taskManager().addTask(task)

    def _ended(self, succeeded: bool, model: InstalledModel, output: str) -> None:
        self._task = None
        if not succeeded:
            self._done(tr("The view could not be classified with {name}.", name=model.name))
            return
        layer = QgsRasterLayer(output, f"{model.name} ({tr('view')})")
        if layer.isValid() and model.metadata is not None:
            style_classes(layer, model.metadata.scheme, natural_colours())
            QgsProject.instance().addMapLayer(layer)
            self._iface.setActiveLayer(self._layer)  # the image, for the next comparison
        self._found.append(output)
        if self._waiting:
            self._next()
            return
        names = [one.name for one in self._models]
        share = agreement(self._found, [model.metadata.scheme for model in self._models if model.metadata])
        self._done(
            tr(
                "{one} and {other} agree on {share:.1f} % of the view; both are new layers.",
                one=names[0],
                other=names[1],
                share=100 * share,
            )
        )


def agreement(paths: Sequence[str], schemes: Sequence[ClassScheme]) -> float:
    """Return the share of the pixels with data to which two rasters give classes of one name, 0..1; 0 without any.

    Args:
        paths: Two rasters of class ids.
        schemes: The classes of each.
    """
    first, second = (gdal.Open(path) for path in paths)
    names = list(dict.fromkeys(entry.name.casefold() for scheme in schemes for entry in scheme.entries))
    tables = []
    for scheme in schemes:
        table = bytearray(256)
        for entry in scheme.entries:
            table[entry.id] = 1 + names.index(entry.name.casefold())
        tables.append(bytes(table))
    width, height = min(first.RasterXSize, second.RasterXSize), min(first.RasterYSize, second.RasterYSize)
    equal = total = 0
    for row in range(height):
        ids = [
            bytes(raster.GetRasterBand(1).ReadRaster(0, row, width, 1, buf_type=gdal.GDT_Byte)).translate(table)
            for raster, table in zip((first, second), tables)
        ]
        for left, right in zip(*ids):
            if left and right:
                total += 1
                equal += left == right
    return equal / total if total else 0.0
