"""Between the parameters of Segment Land Cover and the engine's request and result."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessing, QgsProcessingContext, QgsProcessingFeedback

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.inputs import engine_path
from dubai_landcover_plugin.processing.parameters import segment_options
from dubai_landcover_plugin.protocol.errors import BandError, RequestError
from dubai_landcover_plugin.protocol.model_metadata import read_metadata
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import (
    SegmentationRequest,
    SegmentationResult,
    SegmentOptions,
)

_LAYERS = ("OUTPUT", "POLYGONS", "BUILDINGS", "ROADS", "CONFIDENCE")


def check_parameters(
    algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext
) -> None:
    """Refuse what the engine would refuse later.

    Raises:
        LandCoverError: naming the value, the limit and the remedy.
    """
    check_suffixes(algorithm, parameters)
    options = segment_options(algorithm, parameters, context)
    model = read_metadata(options.model)
    layer = algorithm.parameterAsRasterLayer(parameters, "INPUT", context)
    if options.bands and len(options.bands) != len(model.bands):
        raise BandError(
            tr("The model reads {n} bands ({names}), {given} are chosen.").format(
                n=len(model.bands), names=", ".join(model.bands), given=len(options.bands)
            ),
            tr("Choose one for each, in that order, or none."),
        )
    if layer is None:
        return  # QGIS says so itself
    if options.bands and max(options.bands) > layer.bandCount():
        raise BandError(
            tr("Band {band} is chosen, the raster has {n}.").format(band=max(options.bands), n=layer.bandCount()),
            tr("Choose among those."),
        )
    path = engine_path(layer)
    for name in ("OUTPUT", "CONFIDENCE"):
        if path and _same_file(destination_text(parameters.get(name)), path):
            raise RequestError(
                tr("The result would replace the raster {path}.").format(path=path), tr("Choose another file.")
            )


def check_suffixes(algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any]) -> None:
    """Refuse destinations in formats that the engine does not write.

    Raises:
        RequestError: naming the path and the formats.
    """
    provider = algorithm.provider()
    rasters, vectors = provider.supportedOutputRasterLayerExtensions(), provider.supportedOutputVectorLayerExtensions()
    for name, allowed in {"OUTPUT": rasters, "CONFIDENCE": rasters, "POLYGONS": vectors}.items():
        target = destination_text(parameters.get(name))
        if target and target != QgsProcessing.TEMPORARY_OUTPUT and Path(target).suffix.lower()[1:] not in allowed:
            raise RequestError(
                tr("{name} cannot be written to '{target}'.").format(name=name, target=target),
                tr("Choose a file that ends in {suffixes}.").format(suffixes=", ".join(f".{one}" for one in allowed)),
            )


def destination_text(value: Any) -> str:
    """Return the path in the value of a destination parameter, as far as it is known before the run."""
    sink = getattr(value, "sink", None)  # QgsProcessingOutputLayerDefinition
    text = sink.staticValue() if sink is not None else value
    return text if isinstance(text, str) else ""


def _same_file(first: str, second: str) -> bool:
    return bool(first) and os.path.realpath(first) == os.path.realpath(second)


def is_skipped(value: Any, context: QgsProcessingContext) -> bool:
    """Return whether a destination was left empty. Asking QGIS for it would announce a layer that never comes."""
    sink = getattr(value, "sink", None)
    if sink is not None:
        value, _ = sink.valueAsString(context.expressionContext(), "")
    return value is None or value == ""


def destinations(
    algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext
) -> dict[str, str]:
    """Return the wanted outputs by parameter name. Ask once: each call makes new temporary names."""
    wanted = [name for name in _LAYERS if not is_skipped(parameters.get(name, name), context)]
    found = {name: algorithm.parameterAsOutputLayer(parameters, name, context) for name in wanted}
    found["REPORT"] = algorithm.parameterAsFileOutput(parameters, "REPORT", context)
    return {name: path for name, path in found.items() if path}


def request_for(
    path: str, extent: tuple[float, float, float, float] | None, options: SegmentOptions, paths: Mapping[str, str]
) -> SegmentationRequest:
    """Return the engine's request; paths become absolute, for the engine works in another folder.

    Raises:
        RequestError: if a value is out of range.
    """
    absolute = {name: os.path.abspath(target) for name, target in paths.items()}
    return SegmentationRequest(
        input=path,
        output=absolute["OUTPUT"],
        options=options,
        extent=extent,
        confidence=absolute.get("CONFIDENCE"),
        polygons=absolute.get("POLYGONS"),
        report=absolute.get("REPORT"),
        buildings=absolute.get("BUILDINGS"),
        roads=absolute.get("ROADS"),
    )


def outputs(result: SegmentationResult, paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the results that QGIS, models and scripts see."""
    return {
        **paths,
        "AREAS": dumps(result.area_m2 or {}),
        "PIXELS": dumps(result.pixels),
        "VALID_PIXELS": result.valid_pixels,
        "SECONDS": result.seconds,
        "MODEL_HASH": result.model_hash,
        "RECORD": result.record,
    }


def report_areas(result: SegmentationResult, feedback: QgsProcessingFeedback) -> None:
    """Write warnings and a table of classes into the log."""
    for warning in result.warnings:
        feedback.pushWarning(warning)
    total = max(result.valid_pixels, 1)
    for name, pixels in result.pixels.items():
        area = "" if result.area_m2 is None else f"{result.area_m2.get(name, 0.0) / 1e4:12,.2f} ha"
        feedback.pushInfo(f"{name:<12} {pixels:>12,d} px {100 * pixels / total:6.2f} % {area}")
    speed = result.height * result.width / 1e6 / max(result.seconds, 1e-9)
    feedback.pushInfo(
        tr("{windows} windows on {device} ({runtime}, {precision}) in {seconds:.1f} s, {speed:.2f} Mpx/s").format(
            windows=result.windows,
            device=result.device,
            runtime=result.runtime,
            precision=result.precision,
            seconds=result.seconds,
            speed=speed,
        )
    )
