"""Exports networks to ONNX files for ONNX Runtime and the QGIS plugin Deepness.

The graph maps pixels on the scale 0..1 to class probabilities and includes standardization, padding to the stride of
the network, and temperature.
"""

from __future__ import annotations

import importlib
import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from dubai_landcover_plugin.core.io.files import write_bytes
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.protocol.model_file import HEADER_KEY
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import TrainingError
from .esri import limits_of
from .parity import RANDOM, RANDOM_AND_IMAGE, Parity, ProbabilityNetwork, compare, random_chips, require
from .stac import onnx_item

ONNX_SUFFIX = ".onnx"
INPUT, OUTPUT = "input", "probabilities"
OPSET = 17
"""Newest opset of ONNX Runtime 1.12, the oldest version that Deepness installs."""
MOST_DEVIATION = 1e-3
_OVERLAP_PERCENT = 15
_NAMES = {0: "batch", 2: "height", 3: "width"}


class _AnySize(ProbabilityNetwork):
    """A :class:`ProbabilityNetwork` for inputs of any size, with padding as part of the graph.

    The padding of the network itself depends on Python values of the size, which tracing would fix to the example.
    """

    def __init__(self, model: SegmentationModel, metadata: BundleMetadata) -> None:
        super().__init__(model, metadata.mean, metadata.std, metadata.temperature)
        self.stride = model.stride

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) probabilities for (N, C, H, W) pixels on the scale 0..1."""
        height, width = pixels.shape[-2:]
        right, below = -width % self.stride, -height % self.stride
        chips = functional.pad(self.standardize(pixels), (0, right, 0, below), mode="replicate")
        return self.probabilities(self.model(chips)[..., :height, :width])


def export_onnx(
    path: str | Path,
    metadata: BundleMetadata,
    model: SegmentationModel,
    window: int | None = None,
    pixels: torch.Tensor | None = None,
) -> Parity:
    """Write an ONNX file after comparing it with the network in ONNX Runtime.

    Args:
        path: Target, ending in ``.onnx``; replaced if it exists.
        metadata: Metadata of the model.
        model: The network, in evaluation mode.
        window: Fixed side of the input, px; None for any size. The batch size is always variable.
        pixels: (1, C, H, W) float32 pixels of an image on the scale 0..1, for the comparison in addition to random
            chips.

    Raises:
        TrainingError: if a package is missing, the window is not a multiple of the stride, probabilities differ by more
            than ``MOST_DEVIATION``, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ONNX_SUFFIX:
        raise TrainingError(tr("ONNX files end in {suffix}, got '{name}'.", suffix=ONNX_SUFFIX, name=path.name))
    if window is not None and (window < 1 or window % metadata.stride):
        raise TrainingError(
            tr(
                "A fixed window must be a multiple of the network's stride, {stride} px, got {window} px.",
                stride=metadata.stride,
                window=window,
            ),
            tr("Give {number}.", number=max(round(window / metadata.stride), 1) * metadata.stride),
        )
    file = import_package("onnx").load_from_string(_trace(metadata, model, window))
    if window is not None:
        # tracing leaves them variable, and Deepness rejects outputs that are not square
        for axis in (2, 3):
            file.graph.output[0].type.tensor_type.shape.dim[axis].dim_value = window
    parity = _parity(file.SerializeToString(), metadata, model, window, pixels)
    import_package("onnx.helper").set_model_props(file, _keys(path, metadata, window, parity))
    write_bytes(path, file.SerializeToString(), make_folders=True)
    return parity


def deepness_keys(metadata: BundleMetadata, window: int | None = None) -> dict[str, str]:
    """Return the metadata keys of Deepness, with JSON values.

    The threshold is 0, because Deepness assigns the first class, Water, to pixels below it. Mean 0 and standard
    deviation 1 disable the standardization of Deepness: it is part of the graph, and versions before 0.6 lack it. For
    a model with a scaling they apply it: Deepness divides by 255, subtracts the mean and divides by the deviation.

    Source: https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html, and
    the code, which reads ``tile_size`` where the documentation has ``tiles_size``.
    """
    side = metadata.window if window is None else window
    limits = limits_of(metadata)
    values: dict[str, Any] = {
        "model_type": "Segmentor",
        "class_names": {str(channel): entry.name for channel, entry in enumerate(metadata.scheme.classes)},
        "resolution": 100 * metadata.gsd,
        "tile_size": side,
        "tiles_size": side,
        "tiles_overlap": _OVERLAP_PERCENT,
        "seg_thresh": 0.0,
        "seg_small_segment": 0,
        "standardization_mean": [low / 255 for low, _ in limits],
        "standardization_std": [(high - low) / 255 for low, high in limits],
    }
    return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}


def _keys(path: Path, metadata: BundleMetadata, window: int | None, parity: Parity) -> dict[str, str]:
    item = onnx_item(metadata, path, window)
    item["properties"]["landcover:training"] |= {"onnx_parity": parity.to_json()}
    own = {
        "author": "Dubai Land Cover",
        "license": metadata.licence,
        "dataset": metadata.dataset,
        HEADER_KEY: json.dumps(item, ensure_ascii=False),
    }
    return deepness_keys(metadata, window) | own


def _trace(metadata: BundleMetadata, model: SegmentationModel, window: int | None) -> bytes:
    """Return the serialized graph with its weights."""
    bands = len(metadata.bands)
    if window is None:
        network: ProbabilityNetwork = _AnySize(model, metadata)
        # different sides that are not multiples of the stride, so that the graph cannot depend on such sizes
        example = random_chips((2, bands, 3 * model.stride + 1, 5 * model.stride + 3))
        names = {INPUT: _NAMES, OUTPUT: _NAMES}
    else:
        network = ProbabilityNetwork(model, metadata.mean, metadata.std, metadata.temperature)
        example = random_chips((2, bands, window, window))
        names = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # warnings about constants in the trace and the older exporter; the result is compared afterwards
        warnings.simplefilter("ignore")
        # the newer exporter requires a further package and does not write opset 17
        torch.onnx.export(
            network.eval(),
            (example,),
            buffer,  # type: ignore[arg-type]
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes=names,
            opset_version=OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


def _parity(
    graph: bytes,
    metadata: BundleMetadata,
    model: SegmentationModel,
    window: int | None,
    pixels: torch.Tensor | None,
) -> Parity:
    session = import_package("onnxruntime").InferenceSession(graph, providers=["CPUExecutionProvider"])

    def run(batch: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: batch.numpy()})[0])

    reference = ProbabilityNetwork(model, metadata.mean, metadata.std, metadata.temperature).eval()
    bands = len(metadata.bands)
    batches = [random_chips((count, bands, height, width)) for count, height, width in _sizes(metadata, window)]
    chips = RANDOM
    if pixels is not None and (window is None or pixels.shape[-2:] == (window, window)):
        batches.append(pixels)
        chips = RANDOM_AND_IMAGE
    return require(compare(reference, run, batches, chips), MOST_DEVIATION)


def _sizes(metadata: BundleMetadata, window: int | None) -> Sequence[tuple[int, int, int]]:
    """Return (N, H, W) of the compared batches."""
    if window is not None:
        return (1, window, window), (3, window, window)
    side, stride = metadata.window, metadata.stride
    return (1, side, side), (3, 2 * stride, 4 * stride), (2, stride + 1, 3 * stride - 1), (1, 1, 1)


def import_package(name: str) -> Any:
    """Import an optional package.

    Raises:
        TrainingError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TrainingError(
            tr("ONNX files require the package {name}, which is not installed.", name=name.split(".")[0]),
            tr("Set up the engine with training (Plugins > Dubai Land Cover > Set up the engine…)."),
            "Without QGIS, install the extra 'training': pip install .[training]",
        ) from error
