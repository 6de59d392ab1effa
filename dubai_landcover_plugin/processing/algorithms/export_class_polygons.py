"""Export Class Polygons: a classified raster in, one vector file for each chosen class out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputString,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterString,
    QgsProcessingUtils,
)

from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.layer_styles import ResultStyle
from dubai_landcover_plugin.processing.parameters import add_corners, add_polygon_shape
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.requests.options import VECTOR_SUFFIXES
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.runner.settings import natural_colours

CLASS_NAMES = [entry.name for entry in DUBAI.entries]


class ExportClassPolygons(ClassifiedRasterAlgorithm):
    """Draws the classes of a classified raster as polygons."""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "exportclasspolygons"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Export Class Polygons")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Polygons")

    def groupId(self) -> str:
        """Return the group's id."""
        return "polygons"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("land cover,polygons,vectorize,polygonize,shapefile,footprints,buildings,roads,export").split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr(
            "Writes buildings, roads or other classes of a classified raster as polygons, one file for each class."
        )

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Draws the chosen classes of a raster made by <i>Segment Land Cover</i> as polygons. Each class gets a "
            "file of its own, named after it, in the output folder: shapefile, GeoPackage, GeoJSON, FlatGeobuf or "
            "GeoParquet.</p>"
            "<p>Polygons are drawn as in <i>Classified Raster to Polygons</i>, which writes all classes into one "
            "file.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_classified()
        self.add(
            QgsProcessingParameterEnum(
                "CLASSES",
                tr("Classes"),
                options=CLASS_NAMES,
                allowMultiple=True,
                defaultValue=["Building", "Road"],
                usesStaticStrings=True,
            ),
            tr("The classes to export."),
        )
        self.add(
            QgsProcessingParameterEnum(
                "FORMAT",
                tr("Format"),
                options=[suffix[1:] for suffix in VECTOR_SUFFIXES],
                defaultValue="shp",
                usesStaticStrings=True,
            ),
            tr("shp: shapefile; gpkg: GeoPackage; geojson: GeoJSON; fgb: FlatGeobuf; parquet: GeoParquet."),
        )
        add_polygon_shape(self, advanced=False)
        self.add_confidence()
        self._add_rarely_needed()
        add_corners(self)
        self._add_outputs()

    def _add_rarely_needed(self) -> None:
        self.add(
            QgsProcessingParameterString("OTHER_CLASSES", tr("Classes of another model"), optional=True),
            tr(
                "Names or ids, separated by semicolons, for rasters of a model with classes of its own. They replace "
                "the classes chosen above."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("LOAD_LAYERS", tr("Load the polygons into the project"), defaultValue=True),
            tr("Add one layer for each class to the project when the run is done."),
            advanced=True,
        )

    def _add_outputs(self) -> None:
        self.add(
            QgsProcessingParameterFolderDestination("OUTPUT_FOLDER", tr("Output folder")),
            tr("Gets one file for each class; files of the same name are replaced."),
        )
        for name in CLASS_NAMES:
            self.addOutput(
                QgsProcessingOutputVectorLayer(output_key(name), name, QgsProcessing.SourceType.TypeVectorPolygon)
            )
        self.addOutput(QgsProcessingOutputMultipleLayers("LAYERS", tr("All vector files")))
        self.addOutput(QgsProcessingOutputString("COUNTS", tr("Polygons by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        if not self._classes(parameters, context):
            return False, str(RequestError(tr("No class is chosen."), tr("Choose at least one, for example Building.")))
        return super().checkParameterValues(parameters, context)

    def _classes(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[str, ...]:
        """Return the chosen classes, each once."""
        text = self.parameterAsString(parameters, "OTHER_CLASSES", context)
        others = [part.strip() for part in text.split(";") if part.strip()]
        chosen = others or self.parameterAsEnumStrings(parameters, "CLASSES", context)
        return tuple(dict.fromkeys(chosen))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and load what it made."""
        folder = self.parameterAsFileOutput(parameters, "OUTPUT_FOLDER", context)
        try:
            request = ClassFilesRequest(
                input=self._input,
                output_folder=os.path.abspath(folder),
                classes=self._classes(parameters, context),
                suffix=f".{self.parameterAsEnumString(parameters, 'FORMAT', context)}",
                min_area=self.parameterAsDouble(parameters, "MIN_AREA", context),
                simplify=self.parameterAsDouble(parameters, "SIMPLIFY", context),
                corners=self.parameterAsBool(parameters, "CORNERS", context),
                confidence=self._confidence,
                overwrite=True,  # Processing has asked the user already
            )
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("export_class_polygons", request.to_json(), feedback)
        for warning in value.get("warnings", []):
            feedback.pushWarning(warning)
        files: dict[str, str] = value["files"]
        for name, path in files.items():
            feedback.pushInfo(
                tr("{name}: {n} polygons in {path}").format(name=name, n=value["counts"].get(name), path=path)
            )
        if self.parameterAsBool(parameters, "LOAD_LAYERS", context):
            self._load(files, ClassScheme.from_json(value["scheme"]), context)
        known = {output_key(name): path for name, path in files.items() if name in CLASS_NAMES}
        return {
            "OUTPUT_FOLDER": folder,
            **known,
            "LAYERS": list(files.values()),
            "COUNTS": dumps(value["counts"]),
            "AREAS": dumps(value.get("area_m2") or {}),
        }

    def _load(self, files: dict[str, str], scheme: ClassScheme, context: QgsProcessingContext) -> None:
        """Ask QGIS to add the polygons to the project, styled; without a project nothing happens."""
        if context.project() is None:
            return
        style = ResultStyle(scheme, natural_colours(), Path(self._input).stem)
        for name, path in files.items():
            details = QgsProcessingContext.LayerDetails(
                name, context.project(), output_key(name), QgsProcessingUtils.LayerHint.Vector
            )
            context.addLayerToLoadOnCompletion(path, details)
            style.on_load(context, path, "polygons", name)


def output_key(class_name: str) -> str:
    """Return the name of the output for one class, such as BUILDING."""
    return class_name.upper().replace(" ", "_")
