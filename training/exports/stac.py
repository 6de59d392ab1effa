"""STAC items with the Machine Learning Model extension, written next to model files.

Source: https://github.com/stac-extensions/mlm, version 1.5, and https://github.com/radiantearth/stac-spec, version 1.1.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata
from dubai_landcover_plugin.protocol.stac_item import to_stac_item
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import TrainingError

_NAME = re.compile(r"^[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]$")


def is_name(name: str) -> bool:
    """Return whether a model can have this name: whether it is valid in a STAC item."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return a model name after checking that it is valid in a STAC item.

    Raises:
        TrainingError: if it is not valid.
    """
    if not is_name(name):
        raise TrainingError(
            tr(
                "'{name}' is not a valid model name: STAC requires at least three characters: a letter, then letters, "
                "digits, spaces and _ . - and finally a letter or digit.",
                name=name,
            ),
            tr("Choose another name for the model file."),
        )
    return name


def onnx_item(metadata: BundleMetadata, path: Path, window: int | None = None) -> dict[str, Any]:
    """Return the STAC item of an exported ONNX file.

    Args:
        metadata: Metadata of the model.
        path: The ONNX file.
        window: Fixed side of the input, px; None for any size.
    """
    item = copy.deepcopy(to_stac_item(metadata))
    properties = item["properties"]
    sides = [-1, -1] if window is None else [window, window]
    (given,), (result,) = properties["mlm:input"], properties["mlm:output"]
    given["name"] = "input"
    given["input"] |= {"shape": [-1, len(metadata.bands), *sides], "data_type": "float32"}
    limits = ((0.0, 255.0),) if metadata.scaling is None else metadata.scaling.limits
    given["value_scaling"] = [{"type": "min-max", "minimum": low, "maximum": high} for low, high in limits]
    result["result"]["shape"] = [-1, len(metadata.scheme.classes), *sides]
    properties["mlm:framework"] = "ONNX"
    item["id"] = f"{metadata.name}-onnx"
    item["assets"]["model"] |= {
        "href": f"./{path.name}",
        "type": "application/octet-stream; framework=onnx",
        "roles": ["mlm:model"],
        "mlm:artifact_type": "onnx",
    }
    return item


def write_stac_item(model: str | Path, metadata: BundleMetadata, window: int | None = None) -> Path:
    """Write the STAC item of a model file next to it and return its path.

    The name is ``NAME.json`` for a bundle and ``NAME.onnx.json`` for an ONNX file, so that both can be in one folder.

    Args:
        model: Model file, a bundle or an ONNX file.
        metadata: Metadata of the model.
        window: Fixed side of the input of an ONNX file, px; None for any size.

    Raises:
        TrainingError: if it cannot be written.
    """
    model = Path(model)
    if model.suffix == BUNDLE_SUFFIX:
        item = to_stac_item(metadata)
        item["assets"]["model"]["href"] = f"./{model.name}"
        path = model.with_suffix(".json")
    else:
        item = onnx_item(metadata, model, window)
        path = model.with_name(f"{model.name}.json")
    write_text(path, json.dumps(item, indent=2, ensure_ascii=False) + "\n", make_folders=True)
    return path
