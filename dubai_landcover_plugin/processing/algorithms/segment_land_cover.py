"""Segment Land Cover: a raster layer in, a classified raster and polygons out."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.inputs import RasterInput, opened_for_engine, raster_input
from dubai_landcover_plugin.processing.layer_styles import ResultStyle
from dubai_landcover_plugin.processing.parameters import (
    add_advanced,
    add_bands,
    add_min_confidence,
    add_model,
    add_polygon_shape,
    segment_options,
)
from dubai_landcover_plugin.processing.segment_request import (
    check_parameters,
    destinations,
    outputs,
    report_areas,
    request_for,
)
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_metadata import read_metadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationResult
from dubai_landcover_plugin.runner.settings import natural_colours


class SegmentLandCover(LandCoverAlgorithm):
    """Assigns a land-cover class to every pixel of a raster."""

    _source: RasterInput | None = None

    def name(self) -> str:
        """Return the algorithm's id."""
        return "segmentlandcover"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Segment Land Cover")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Segmentation")

    def groupId(self) -> str:
        """Return the group's id."""
        return "segmentation"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("land cover,land use,segmentation,classification,deep learning,building,road,vegetation,water").split(
            ","
        )

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Classifies an aerial or satellite image into water, land, road, building and vegetation.")

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Assigns every pixel of an aerial or satellite image to water, land, road, building or vegetation with "
            "a neural network, and draws the classes as polygons.</p>"
            "<p><b>Input</b>: any raster with red, green and blue bands; pixels of 0.3 to 2 m suit the model shipped. "
            "Web layers (WMS, XYZ) are first drawn to a temporary file: give an extent.</p>"
            "<p><b>Land cover</b>: GeoTIFF of class ids on exactly the pixels of the input, with colours and class "
            "names; 0 is no data. <b>Polygons</b>: one feature for each area, with class and size, without gaps and "
            "overlaps. <b>Buildings</b>: outlines with right angles. <b>Road network</b>: centre lines with widths. "
            "<b>Confidence</b>: how sure the model is of each pixel, in percent. <b>Report</b>: areas, chart and run "
            "record as HTML.</p>"
            "<p>The computation runs in a process of its own and can be cancelled at any time; a cancelled run leaves "
            "no file behind. The log shows the request, which <i>landcover segment --request</i> repeats on a "
            "server.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add(
            QgsProcessingParameterRasterLayer("INPUT", tr("Raster")),
            tr("The image to classify: a file, a database raster or a web layer (WMS, XYZ)."),
        )
        add_model(self)
        add_bands(self)
        self.add(
            QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True),
            tr("Only this part of the raster is classified. Empty takes all of it. Needed for web layers."),
        )
        add_min_confidence(self)
        add_advanced(self)
        self._add_drawing()
        add_polygon_shape(self, advanced=True)
        self._add_destinations()

    def _add_drawing(self) -> None:
        parameter = QgsProcessingParameterNumber(
            "DRAWING_GSD",
            tr("Resolution for web layers (m/px)"),
            QgsProcessingParameterNumber.Type.Double,
            optional=True,
        )
        parameter.setMinimum(0.001)
        parameter.setMetadata({"widget_wrapper": {"decimals": 3}})
        self.add(
            parameter,
            tr("How finely a web layer is drawn before it is classified. Empty takes what the model has learnt from."),
            advanced=True,
        )

    def _add_destinations(self) -> None:
        self.add(
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Land cover")),
            tr("The classified raster, a GeoTIFF of class ids with colours and names."),
        )
        self.add(
            QgsProcessingParameterVectorDestination(
                "POLYGONS", tr("Polygons"), QgsProcessing.SourceType.TypeVectorPolygon, optional=True
            ),
            tr("The classes as polygons: GeoPackage, shapefile, GeoJSON, FlatGeobuf or GeoParquet."),
        )
        for name, title, kind, told in (
            (
                "BUILDINGS",
                tr("Buildings"),
                QgsProcessing.SourceType.TypeVectorPolygon,
                tr("Buildings with right angles, as <i>Regularize Buildings</i> draws them with its defaults."),
            ),
            (
                "ROADS",
                tr("Road network"),
                QgsProcessing.SourceType.TypeVectorLine,
                tr("Centre lines with widths, as <i>Extract Road Network</i> draws them with its defaults."),
            ),
        ):
            self.add(QgsProcessingParameterVectorDestination(name, title, kind, optional=True), told, created=False)
        self.add(
            QgsProcessingParameterRasterDestination("CONFIDENCE", tr("Confidence"), optional=True),
            tr("How probable the class of each pixel is, in percent."),
            created=False,
        )
        self.add(
            QgsProcessingParameterFileDestination("REPORT", tr("Report"), tr("HTML files (*.html)"), optional=True),
            tr("Areas of the classes with a chart and the run record, as a web page."),
            created=False,
        )
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("PIXELS", tr("Pixels by class, as JSON")))
        self.addOutput(QgsProcessingOutputNumber("VALID_PIXELS", tr("Pixels with a class")))
        self.addOutput(
            QgsProcessingOutputNumber("SECONDS", tr("Seconds from opening the raster to the finished result"))
        )
        self.addOutput(QgsProcessingOutputString("MODEL_HASH", tr("SHA-256 of the model")))
        self.addOutput(QgsProcessingOutputFile("RECORD", tr("Run record (JSON)")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            check_parameters(self, parameters, context)
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Take what is needed of the layer; layers belong to the main thread."""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None or not layer.isValid():
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        self._source = raster_input(layer)
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and return the results; QGIS styles those that it loads."""
        source = self._source
        if source is None:
            raise QgsProcessingException("The algorithm was not prepared.")
        try:
            options = segment_options(self, parameters, context, source.crs_override)
            model = read_metadata(options.model)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        paths = destinations(self, parameters, context)
        extent = self.parameterAsExtent(parameters, "EXTENT", context, source.crs)
        gsd = self.parameterAsDouble(parameters, "DRAWING_GSD", context) or model.gsd
        with opened_for_engine(source, extent, gsd, context.transformContext(), feedback) as (path, engine_extent):
            try:
                request = request_for(path, engine_extent, options, paths)
            except LandCoverError as error:
                raise QgsProcessingException(str(error)) from error
            result = SegmentationResult.from_json(self.run_engine("segment_raster", request.to_json(), feedback))
        report_areas(result, feedback)
        style = ResultStyle(model.scheme, natural_colours(), source.name)
        style.on_load(context, paths.get("OUTPUT"), "classes", tr("Land cover"), paths["OUTPUT"])
        style.on_load(context, paths.get("CONFIDENCE"), "confidence", tr("Confidence"), paths["OUTPUT"])
        style.on_load(context, paths.get("POLYGONS"), "polygons", tr("Polygons"), paths["OUTPUT"])
        style.on_load(context, paths.get("BUILDINGS"), "buildings", tr("Buildings"), paths["OUTPUT"])
        style.on_load(context, paths.get("ROADS"), "roads", tr("Road network"), paths["OUTPUT"])
        return outputs(result, paths)
