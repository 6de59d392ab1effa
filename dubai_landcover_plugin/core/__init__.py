"""The engine and its Python API. Never imports ``qgis``.

Every tool has the same form: ``tool(request, monitor=None) -> result``. Progress and messages go to :mod:`logging`
(logger ``dubai_landcover_plugin``) unless a monitor is given. Tools are imported on first use, so that importing this
package is fast.

Example:
    >>> from dubai_landcover_plugin.core import segment_raster
    >>> from dubai_landcover_plugin.protocol.requests import SegmentationRequest, SegmentOptions
    >>> options = SegmentOptions(min_confidence=0.5, overwrite=True)
    >>> result = segment_raster(SegmentationRequest("image.tif", "landcover.tif", options))
    >>> sorted(result.pixels)
    ['Building', 'Land', 'Road', 'Unlabeled', 'Vegetation', 'Water']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dubai_landcover_plugin.protocol.lazy_names import lazy_names

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.assessment.assess import assess_accuracy
    from dubai_landcover_plugin.core.assessment.sample import draw_accuracy_sample
    from dubai_landcover_plugin.core.buildings.regularize import regularize_buildings
    from dubai_landcover_plugin.core.change.compare import map_change
    from dubai_landcover_plugin.core.corrections.correct import apply_corrections
    from dubai_landcover_plugin.core.corrections.reclassify import reclassify_probabilities
    from dubai_landcover_plugin.core.corrections.recode import recode_classes
    from dubai_landcover_plugin.core.polygons.polygonize import export_class_polygons, polygonize
    from dubai_landcover_plugin.core.report.report import write_report
    from dubai_landcover_plugin.core.roads.extract import extract_roads
    from dubai_landcover_plugin.core.segmentation.batch import segment_folder
    from dubai_landcover_plugin.core.segmentation.segment import segment_raster
    from dubai_landcover_plugin.core.teaching.label_layer import create_label_layer
    from dubai_landcover_plugin.core.teaching.preview import preview_land_cover
    from dubai_landcover_plugin.core.teaching.teach import teach_model

__all__ = [
    "apply_corrections",
    "assess_accuracy",
    "create_label_layer",
    "draw_accuracy_sample",
    "export_class_polygons",
    "extract_roads",
    "map_change",
    "polygonize",
    "preview_land_cover",
    "reclassify_probabilities",
    "recode_classes",
    "regularize_buildings",
    "segment_folder",
    "segment_raster",
    "teach_model",
    "write_report",
]

_MODULES = {
    "segment_raster": "segmentation.segment",
    "segment_folder": "segmentation.batch",
    "polygonize": "polygons.polygonize",
    "export_class_polygons": "polygons.polygonize",
    "regularize_buildings": "buildings.regularize",
    "extract_roads": "roads.extract",
    "write_report": "report.report",
    "draw_accuracy_sample": "assessment.sample",
    "assess_accuracy": "assessment.assess",
    "map_change": "change.compare",
    "apply_corrections": "corrections.correct",
    "reclassify_probabilities": "corrections.reclassify",
    "recode_classes": "corrections.recode",
    "teach_model": "teaching.teach",
    "preview_land_cover": "teaching.preview",
    "create_label_layer": "teaching.label_layer",
}

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
