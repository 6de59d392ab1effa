"""The Processing provider ``dubailandcover``."""

from __future__ import annotations

from qgis.core import Qgis, QgsMessageLog, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from dubai_landcover_plugin.processing.algorithms.accuracy_assessment import AccuracyAssessment
from dubai_landcover_plugin.processing.algorithms.accuracy_sample import AccuracySample
from dubai_landcover_plugin.processing.algorithms.apply_corrections import ApplyCorrections
from dubai_landcover_plugin.processing.algorithms.change_between_dates import ChangeBetweenDates
from dubai_landcover_plugin.processing.algorithms.check_labels import CheckLabels
from dubai_landcover_plugin.processing.algorithms.evaluate_model import EvaluateModel
from dubai_landcover_plugin.processing.algorithms.export_class_polygons import ExportClassPolygons
from dubai_landcover_plugin.processing.algorithms.export_model import ExportModel
from dubai_landcover_plugin.processing.algorithms.extract_road_network import ExtractRoadNetwork
from dubai_landcover_plugin.processing.algorithms.label_layer import LabelLayer
from dubai_landcover_plugin.processing.algorithms.land_cover_report import LandCoverReport
from dubai_landcover_plugin.processing.algorithms.model_from_samples import ModelFromSamples
from dubai_landcover_plugin.processing.algorithms.polygonize_land_cover import PolygonizeLandCover
from dubai_landcover_plugin.processing.algorithms.preview_land_cover import PreviewLandCover
from dubai_landcover_plugin.processing.algorithms.reclassify_probabilities import ReclassifyProbabilities
from dubai_landcover_plugin.processing.algorithms.recode_classes import RecodeClasses
from dubai_landcover_plugin.processing.algorithms.regularize_buildings import RegularizeBuildings
from dubai_landcover_plugin.processing.algorithms.sample_data import SampleData
from dubai_landcover_plugin.processing.algorithms.segment_folder import SegmentFolder
from dubai_landcover_plugin.processing.algorithms.segment_land_cover import SegmentLandCover
from dubai_landcover_plugin.processing.algorithms.train_model import TrainModel
from dubai_landcover_plugin.protocol.model_folders import readable_models
from dubai_landcover_plugin.protocol.resources import resource
from dubai_landcover_plugin.runner.settings import available_models


class DubaiLandCoverProvider(QgsProcessingProvider):
    """Lists the plugin's algorithms."""

    def id(self) -> str:
        """Return the prefix of algorithm ids."""
        return "dubailandcover"

    def name(self) -> str:
        """Return the name shown in the toolbox."""
        return "Dubai Land Cover"

    def icon(self) -> QIcon:
        """Return the icon shown in the toolbox."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the icon as a file, for the Modeler."""
        return resource("icons/landcover.svg")

    def loadAlgorithms(self) -> None:
        """Add every algorithm."""
        for algorithm in (
            SegmentLandCover,
            SegmentFolder,
            PreviewLandCover,
            ReclassifyProbabilities,
            ModelFromSamples,
            PolygonizeLandCover,
            ExportClassPolygons,
            RegularizeBuildings,
            ExtractRoadNetwork,
            LandCoverReport,
            AccuracySample,
            AccuracyAssessment,
            ChangeBetweenDates,
            ApplyCorrections,
            RecodeClasses,
            LabelLayer,
            CheckLabels,
            TrainModel,
            EvaluateModel,
            ExportModel,
            SampleData,
        ):
            self.addAlgorithm(algorithm())
        for problem in readable_models(available_models())[1]:
            QgsMessageLog.logMessage(problem, self.name(), Qgis.MessageLevel.Warning)

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        """Return the raster formats that the engine writes."""
        return ["tif", "tiff"]

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        """Return the vector formats that the engine writes, the default first."""
        return ["gpkg", "shp", "geojson", "fgb", "parquet"]

    def defaultVectorFileExtension(self, hasGeometry: bool = True) -> str:
        """Return the extension of temporary vector files; the user's default may not be supported by the engine."""
        return "gpkg"

    def supportsNonFileBasedOutput(self) -> bool:
        """Return False: memory layers and databases are not offered, because another process writes the results."""
        return False
