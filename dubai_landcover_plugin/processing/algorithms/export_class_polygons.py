"""Export Class Polygons: a classified raster in, one vector file for each chosen class out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputString,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterString,
    QgsProcessingUtils,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import (
    add_inputs,
    add_outputs,
    add_parameter,
    build_request,
    checkboxes,
    label,
    text_list,
)
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours

CLASS_NAMES = [entry.name for entry in DUBAI.entries]


class ExportClassPolygons(ClassifiedRasterAlgorithm):
    """Writes the chosen classes of a classified raster as polygons, one file for each."""

    INFO = AlgorithmInfo(
        name="exportclasspolygons",
        title="Export Class Polygons",
        group="Polygons",
        tags="land cover,polygons,vectorize,polygonize,shapefile,footprints,buildings,roads,export",
        summary="Writes buildings, roads or other classes of a classified raster as polygons, one file for each class.",
        help="<p>Draws the chosen classes of a classified raster as polygons. Each class gets "
        "its own file, named after it, in the output folder: shapefile, GeoPackage, GeoJSON, FlatGeobuf or "
        "GeoParquet.</p>"
        "<p>Polygons are drawn as in <i>Classified Raster to Polygons</i>, which writes all classes into one "
        "file.</p>",
        page="polygons.md",
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, ClassFilesRequest, first=("input", "classes", "suffix"), own={"classes": self._add_classes})
        self.add(
            QgsProcessingParameterString("OTHER_CLASSES", tr("Classes of another model"), optional=True),
            tr(
                "Names or ids, separated by semicolons, for rasters of a model with other classes. They replace the "
                "classes chosen above."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("LOAD_LAYERS", tr("Load the polygons into the project"), defaultValue=True),
            tr("Add one layer for each class to the project after the run."),
            advanced=True,
        )
        add_outputs(self, ClassFilesRequest)
        for name in CLASS_NAMES:
            self.addOutput(
                QgsProcessingOutputVectorLayer(output_key(name), name, QgsProcessing.SourceType.TypeVectorPolygon)
            )
        self.addOutput(QgsProcessingOutputMultipleLayers("LAYERS", tr("All vector files")))
        self.addOutput(QgsProcessingOutputString("COUNTS", tr("Polygons by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))

    def _add_classes(self, item: Described) -> None:
        add_parameter(self, item, checkboxes(str(item.key), label(item), CLASS_NAMES, item.default))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse a run without classes."""
        super().check(parameters, context)
        if not self._classes(parameters, context):
            raise RequestError(tr("No class is chosen."), tr("Choose at least one, for example Building."))

    def _classes(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> tuple[str, ...]:
        """Return the chosen classes, each once."""
        others = text_list(self.parameterAsString(parameters, "OTHER_CLASSES", context))
        return tuple(dict.fromkeys(others or self.parameterAsEnumStrings(parameters, "CLASSES", context)))

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and load the polygons."""
        paths = destinations(self, ClassFilesRequest, parameters, context)
        classes = self._classes(parameters, context)
        request = build_request(self, ClassFilesRequest, parameters, context, paths, classes=classes, **self.inputs)
        value = self.run_engine("export_class_polygons", request.to_json(), feedback)
        files: dict[str, str] = value["files"]
        for name, path in files.items():
            feedback.pushInfo(tr("{name}: {n} polygons in {path}", name=name, n=value["counts"].get(name), path=path))
        if self.parameterAsBool(parameters, "LOAD_LAYERS", context):
            self._load(files, ClassScheme.from_json(value["scheme"]), context)
        known = {output_key(name): path for name, path in files.items() if name in CLASS_NAMES}
        return {
            **paths,
            **known,
            "LAYERS": list(files.values()),
            "COUNTS": dumps(value["counts"]),
            "AREAS": dumps(value.get("area_m2") or {}),
        }

    def _load(self, files: dict[str, str], scheme: ClassScheme, context: QgsProcessingContext) -> None:
        """Add the polygons to the project, with style; do nothing without a project."""
        if context.project() is None:
            return
        style = ResultStyle(scheme, natural_colours(), self.names["input"])
        for name, path in files.items():
            details = QgsProcessingContext.LayerDetails(
                name, context.project(), output_key(name), QgsProcessingUtils.LayerHint.Vector
            )
            context.addLayerToLoadOnCompletion(path, details)
        style.on_load(
            context, [(path, "polygons", name) for name, path in files.items()], next(iter(files.values()), "")
        )


def output_key(class_name: str) -> str:
    """Return the name of the output for one class, such as BUILDING."""
    return class_name.upper().replace(" ", "_")
