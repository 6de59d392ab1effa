"""Requests and results of the tools, one module for each kind, which is loaded on first use.

Standard library only: QGIS's own Python reads these files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dubai_landcover_plugin.protocol.lazy_names import lazy_names

if TYPE_CHECKING:
    from dubai_landcover_plugin.protocol.requests.assessment import (
        AccuracyRequest,
        AccuracyResult,
        AccuracySampleRequest,
        AccuracySampleResult,
    )
    from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest, BuildingsResult
    from dubai_landcover_plugin.protocol.requests.change import ChangeRequest, ChangeResult
    from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, EditResult, RecodeRequest
    from dubai_landcover_plugin.protocol.requests.folder import FolderRequest, FolderResult
    from dubai_landcover_plugin.protocol.requests.labelling import (
        CheckLabelsRequest,
        CheckLabelsResult,
        LabelLayerRequest,
        LabelLayerResult,
        LabelledData,
    )
    from dubai_landcover_plugin.protocol.requests.polygons import (
        ClassFilesRequest,
        ClassFilesResult,
        PolygonizeRequest,
        PolygonizeResult,
    )
    from dubai_landcover_plugin.protocol.requests.preview import PreviewRequest, PreviewResult
    from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest, ReclassifyResult
    from dubai_landcover_plugin.protocol.requests.report import ReportRequest, ReportResult
    from dubai_landcover_plugin.protocol.requests.request import Request, Result
    from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest, RoadsResult
    from dubai_landcover_plugin.protocol.requests.segmentation import (
        SegmentationRequest,
        SegmentationResult,
        SegmentOptions,
    )
    from dubai_landcover_plugin.protocol.requests.teaching import TeachRequest, TeachResult
    from dubai_landcover_plugin.protocol.requests.training import (
        EvaluateRequest,
        EvaluateResult,
        ExportRequest,
        ExportResult,
        SampleDataRequest,
        SampleDataResult,
        TrainRequest,
        TrainResult,
    )

__all__ = [
    "AccuracyRequest",
    "AccuracyResult",
    "AccuracySampleRequest",
    "AccuracySampleResult",
    "BuildingsRequest",
    "BuildingsResult",
    "ChangeRequest",
    "ChangeResult",
    "CheckLabelsRequest",
    "CheckLabelsResult",
    "ClassFilesRequest",
    "ClassFilesResult",
    "CorrectionsRequest",
    "EditResult",
    "EvaluateRequest",
    "EvaluateResult",
    "ExportRequest",
    "ExportResult",
    "FolderRequest",
    "FolderResult",
    "LabelLayerRequest",
    "LabelLayerResult",
    "LabelledData",
    "PolygonizeRequest",
    "PolygonizeResult",
    "PreviewRequest",
    "PreviewResult",
    "ReclassifyRequest",
    "ReclassifyResult",
    "RecodeRequest",
    "ReportRequest",
    "ReportResult",
    "Request",
    "Result",
    "RoadsRequest",
    "RoadsResult",
    "SampleDataRequest",
    "SampleDataResult",
    "SegmentOptions",
    "SegmentationRequest",
    "SegmentationResult",
    "TeachRequest",
    "TeachResult",
    "TrainRequest",
    "TrainResult",
]

_MODULES = {
    "AccuracyRequest": "assessment",
    "AccuracyResult": "assessment",
    "AccuracySampleRequest": "assessment",
    "AccuracySampleResult": "assessment",
    "BuildingsRequest": "buildings",
    "BuildingsResult": "buildings",
    "ChangeRequest": "change",
    "ChangeResult": "change",
    "CorrectionsRequest": "corrections",
    "EditResult": "corrections",
    "RecodeRequest": "corrections",
    "FolderRequest": "folder",
    "FolderResult": "folder",
    "CheckLabelsRequest": "labelling",
    "CheckLabelsResult": "labelling",
    "LabelLayerRequest": "labelling",
    "LabelLayerResult": "labelling",
    "LabelledData": "labelling",
    "ClassFilesRequest": "polygons",
    "ClassFilesResult": "polygons",
    "PolygonizeRequest": "polygons",
    "PolygonizeResult": "polygons",
    "PreviewRequest": "preview",
    "PreviewResult": "preview",
    "ReclassifyRequest": "probabilities",
    "ReclassifyResult": "probabilities",
    "ReportRequest": "report",
    "ReportResult": "report",
    "Request": "request",
    "Result": "request",
    "RoadsRequest": "roads",
    "RoadsResult": "roads",
    "SegmentationRequest": "segmentation",
    "SegmentationResult": "segmentation",
    "SegmentOptions": "segmentation",
    "TeachRequest": "teaching",
    "TeachResult": "teaching",
    "EvaluateRequest": "training",
    "EvaluateResult": "training",
    "ExportRequest": "training",
    "ExportResult": "training",
    "SampleDataRequest": "training",
    "SampleDataResult": "training",
    "TrainRequest": "training",
    "TrainResult": "training",
}

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
