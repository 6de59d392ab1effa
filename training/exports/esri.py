"""Esri model definitions: ``NAME.emd`` for the deep-learning tools of ArcGIS, with ONNX and a raster function.

The keys are those that Esri describes in https://github.com/Esri/raster-deep-learning; the raster function follows
https://github.com/Esri/raster-functions/wiki/PythonRasterFunction. It needs numpy and onnxruntime in ArcGIS's Python.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.protocol.classes import coloured
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata

FUNCTION = Path(__file__).resolve().parents[1] / "templates" / "esri_raster_function.py.txt"
"""The Python raster function, copied beside each definition."""


def model_definition(metadata: BundleMetadata, onnx: str, function: str) -> dict[str, Any]:
    """Return the content of an ``.emd`` file.

    Args:
        metadata: Metadata of the model.
        onnx: Name of the ONNX file, whose input has the size of the model's windows. ``BandLimits`` is not a key of
            Esri: the raster function scales pixels with it.
        function: Name of the file of the raster function.
    """
    side = metadata.window
    numbers = metadata.band_numbers or tuple(range(1, len(metadata.bands) + 1))
    return {
        "Framework": "ONNX",
        "ModelType": "ImageClassification",
        "ModelName": metadata.name,
        "Description": metadata.title,
        "ModelFile": onnx,
        "InferenceFunction": function,
        "ExtractBands": [number - 1 for number in numbers],
        "BandNames": list(metadata.bands),
        "DataRange": [0.0, 1.0],
        "BandLimits": [list(pair) for pair in limits_of(metadata)],
        "ImageHeight": side,
        "ImageWidth": side,
        "Padding": side // 8,
        "BatchSize": 1,
        "CellSize": metadata.gsd,
        "ImageSpaceUsed": "MAP_SPACE",
        "Classes": [
            {"Value": entry.id, "Name": entry.name, "Color": list(entry.rgb)}
            for entry in coloured(metadata.scheme).classes
        ],
    }


def limits_of(metadata: BundleMetadata) -> tuple[tuple[float, float], ...]:
    """Return the raster values of each band that become 0 and 1, the scale of the ONNX file's input."""
    return ((0.0, 255.0),) * len(metadata.bands) if metadata.scaling is None else metadata.scaling.limits


def write_esri(path: Path, metadata: BundleMetadata, onnx: Path, overwrite: bool = False) -> tuple[Path, Path]:
    """Write a model definition and its raster function; return both paths.

    Args:
        path: The ``.emd`` file; the raster function is ``NAME.py`` beside it.
        metadata: Metadata of the model.
        onnx: The ONNX file, in the same folder.
        overwrite: Replace existing files.

    Raises:
        OutputError: if a file exists or cannot be written.
    """
    function = path.with_suffix(".py")
    definition = model_definition(metadata, onnx.name, function.name)
    write_text(function, FUNCTION.read_text(encoding="utf-8"), overwrite=overwrite)
    write_text(path, json.dumps(definition, indent=2, ensure_ascii=False) + "\n", overwrite=overwrite)
    return path, function
