"""Destination parameters: paths of the outputs of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import QgsProcessing, QgsProcessingContext

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import VECTORS, Described
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.translation import joined, tr


def destinations(
    algorithm: LandCoverAlgorithm, request: type[Request], parameters: Mapping[str, Any], context: QgsProcessingContext
) -> dict[str, str]:
    """Return the paths of the requested outputs by parameter name.

    Call it once in a run: each call makes new temporary names.
    """
    found = {}
    for item in _outputs(request):
        key = str(item.key)
        # Asking QGIS for a skipped output would announce a layer that is never written.
        if not item.required and is_skipped(parameters.get(key), context):
            continue
        is_layer = item.option.writes in ("raster", *VECTORS)
        read = algorithm.parameterAsOutputLayer if is_layer else algorithm.parameterAsFileOutput
        path = read(parameters, key, context)
        if path:
            found[key] = path
    return found


def output_values(request: type[Request], paths: Mapping[str, str]) -> dict[str, str]:
    """Return the paths by option name, absolute, because the engine runs in another folder."""
    return {item.name: os.path.abspath(paths[str(item.key)]) for item in _outputs(request) if item.key in paths}


def check_destinations(algorithm: LandCoverAlgorithm, request: type[Request], parameters: Mapping[str, Any]) -> None:
    """Refuse destinations in formats that the engine does not write.

    Raises:
        RequestError: naming the path and the formats.
    """
    provider = algorithm.provider()
    rasters, vectors = provider.supportedOutputRasterLayerExtensions(), provider.supportedOutputVectorLayerExtensions()
    for item in _outputs(request):
        allowed = rasters if item.option.writes == "raster" else vectors if item.option.writes in VECTORS else []
        target = destination_text(parameters.get(str(item.key)))
        if allowed and target and target != QgsProcessing.TEMPORARY_OUTPUT:
            _check_suffix(str(item.key), target, allowed)


def check_not_input(parameters: Mapping[str, Any], key: str, path: str) -> None:
    """Refuse a destination that is the raster which is read.

    Args:
        parameters: Values of the parameters.
        key: Name of the destination parameter.
        path: File of the raster; empty where it has none.

    Raises:
        RequestError: if both are the same file.
    """
    target = destination_text(parameters.get(key))
    if path and target and os.path.realpath(target) == os.path.realpath(path):
        raise RequestError(tr("The result would replace the raster {path}.", path=path), tr("Choose another file."))


def destination_text(value: Any) -> str:
    """Return the path in the value of a destination parameter, as far as it is known before the run."""
    sink = getattr(value, "sink", None)  # QgsProcessingOutputLayerDefinition
    text = sink.staticValue() if sink is not None else value
    return text if isinstance(text, str) else ""


def is_skipped(value: Any, context: QgsProcessingContext) -> bool:
    """Return whether a destination was left empty."""
    sink = getattr(value, "sink", None)
    if sink is not None:
        value, _ = sink.valueAsString(context.expressionContext(), "")
    return value is None or value == ""


def _outputs(request: type[Request]) -> list[Described]:
    return [item for item in request.described() if item.option.writes and item.key is not None]


def _check_suffix(name: str, target: str, allowed: list[str]) -> None:
    if Path(target).suffix.lower()[1:] not in allowed:
        raise RequestError(
            tr("{name} cannot be written to '{target}'.", name=name, target=target),
            tr("Choose a file that ends in {suffixes}.", suffixes=joined(f".{one}" for one in allowed)),
        )
