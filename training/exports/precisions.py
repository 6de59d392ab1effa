"""Accuracy of a model in each precision on labelled images, which the choice of the precision relies on.

Runs compute ``bfloat16`` only on processors that have it. Elsewhere the network is computed in float32 with the inputs
of every operation, weights included, rounded to bfloat16, as such processors do: they multiply bfloat16 values, add in
float32 and store bfloat16. What follows the last layer stays in float32 there and here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion
from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.bundle.graphs import INT8
from dubai_landcover_plugin.core.bundle.save import replace_metadata
from dubai_landcover_plugin.core.runtimes.openvino_runtime import has_bfloat16
from dubai_landcover_plugin.protocol.model_metadata import PRECISION_METRICS
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions

from ..data.dataset import Dataset
from ..evaluation.evaluate import in_channels_of, segment_image, to_channels
from ..evaluation.selection import Selection
from ..evaluation.text import precision_rows

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.networks import SegmentationModel

_ROUNDED = "rounded to bfloat16"


class _Rounding(TorchFunctionMode):
    """Rounds the float32 inputs of functions to bfloat16; interpolation, the last step, keeps its input."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is nn.functional.interpolate:
            with torch._C.DisableTorchFunction():
                return function(*args, **(kwargs or {}))
        return function(*map(_rounded, args), **{name: _rounded(value) for name, value in (kwargs or {}).items()})


def _rounded(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.bfloat16().float() if value.dtype == torch.float32 else value
    if isinstance(value, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in value):
        return type(value)(map(_rounded, value))
    return value


class Bfloat16Network(nn.Module):
    """A network as processors with bfloat16 compute it, on any processor.

    Args:
        model: The network.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the logits for standardized chips, float32."""
        with _Rounding():
            return cast(torch.Tensor, self.model(batch))


def in_bfloat16(bundle: ModelBundle) -> ModelBundle:
    """Return a model whose network is a :class:`Bfloat16Network`; PyTorch computes it."""
    rounded = cast("SegmentationModel", Bfloat16Network(bundle.model))
    return ModelBundle(bundle.metadata, rounded, f"{bundle.digest}, {_ROUNDED}", files=bundle.files)


def add_precisions(
    path: str | Path, bundle: ModelBundle, dataset: Dataset, selection: Selection, report: Callable[[str], None] = print
) -> None:
    """Measure a model file on the selected images and add the result to its metadata.

    Args:
        path: The model file, replaced atomically.
        bundle: The model of the file.
        dataset: Dataset of the images.
        selection: Selected images.
        report: Receives a line of text for each precision.

    Raises:
        LandCoverError: if an image cannot be segmented, or the file cannot be written.
    """
    measured = measure_precisions(bundle, dataset, selection, report)
    metadata = bundle.metadata
    replace_metadata(path, replace(metadata, metrics={**metadata.metrics, PRECISION_METRICS: measured}))


def measure_precisions(
    bundle: ModelBundle, dataset: Dataset, selection: Selection, report: Callable[[str], None] = print
) -> dict[str, Any]:
    """Return accuracy and mean IoU of a model by precision, JSON-ready; arguments as for :func:`add_precisions`."""
    options = SegmentOptions(device="cpu", runtime="openvino", precision="float32")
    ways = {"float32": (bundle, options)}
    if has_bfloat16():
        ways["bfloat16"] = bundle, replace(options, precision="bfloat16")
    else:
        ways["bfloat16"] = in_bfloat16(bundle), replace(options, runtime="torch")
    if bundle.has_graph(INT8):
        ways["int8"] = bundle, replace(options, precision="int8")
    classes = bundle.metadata.spec.classes
    totals = {precision: Confusion.empty(classes) for precision in ways}
    same = dict.fromkeys(ways, 0)
    pixels = 0
    for entry in selection.entries:
        image = entry.load()
        labels = in_channels_of(bundle.metadata.scheme, dataset.scheme, image).labels
        labels = np.where(labels < classes, labels, IGNORE)  # without labels such as "not Building"
        exact = None
        for precision, (model, wanted) in ways.items():
            with tempfile.TemporaryDirectory(prefix="landcover-precisions-") as folder:
                ids = segment_image(entry, image, model, wanted, Path(folder)).ids
            exact = ids if exact is None else exact
            totals[precision] += Confusion.of(labels, to_channels(ids, bundle.metadata.scheme), classes)
            same[precision] += int((ids == exact).sum())
        pixels += labels.size
    found: dict[str, Any] = {"images": [entry.name for entry in selection.entries], "emulated": not has_bfloat16()}
    for precision, confusion in totals.items():
        headline = confusion.headline()
        found[precision] = {
            "accuracy": round(headline["accuracy"], 4),
            "miou": round(headline["miou"], 4),
            "agreement": round(same[precision] / pixels, 4),
        }
    for line in precision_rows(found):
        report(line)
    return found
