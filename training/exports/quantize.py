"""From 32 to 8 bit: a second form of the network in the model file, for OpenVINO on CPUs.

Post-training quantization by NNCF (https://github.com/openvinotoolkit/nncf): weights and features become 8-bit integers
whose ranges are measured on real images. Source of the scheme: Jacob et al. 2018, https://arxiv.org/abs/1712.05877.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.save import add_graphs
from dubai_landcover_plugin.core.io.files import temporary_folder
from dubai_landcover_plugin.core.runtimes.openvino_runtime import convert_network, pack_graph
from dubai_landcover_plugin.core.runtimes.predictor import Predictor

from ..data.dataset import Dataset
from ..data.layouts import open_dataset
from ..errors import DatasetError, TrainingError
from .export import data_of
from .parity import Parity

LEAST_AGREEMENT = 0.98
_FLOAT_LAYERS = 6
"""So many convolutions from the input on stay as they are.

They see the pixels at full resolution; in 8 bit they cost most of the agreement and save little time. Measured with the
shipped model on 64 windows of Dubai, two cores: all in 8 bit 98.8 % of the classes at 9.3 Mpx/s, without the first six
99.4 % at 9.1 Mpx/s; bfloat16 6.2 Mpx/s.
"""
_CHIPS = 64  # each, to measure the ranges and to compare
_SEED = 20241125

Chips = npt.NDArray[np.uint8]


def quantize_model(path: str | Path, root: str | Path) -> str:
    """Add the form ``int8`` to a bundle, if it gives nearly the same classes; return what came out, in words.

    Args:
        path: The bundle; replaced whole or not at all.
        root: Folder of images, as for training.

    Raises:
        TrainingError: if NNCF is missing or the classes differ too much.
        BundleError: if the bundle cannot be read or written.
        DatasetError: if there are no images.
    """
    path = Path(path)
    bundle = load_bundle(path)
    metadata = bundle.metadata
    dataset = open_dataset(data_of(metadata), root)
    side = metadata.window
    chips = list(_draw(dataset, side, 2 * _CHIPS))
    measured, compared = chips[::2], chips[1::2]
    graph = convert_network(bundle)
    graph.reshape([1, len(metadata.bands), -1, -1])
    packed = pack_graph(_quantize(graph, measured))
    with temporary_folder(path) as folder:
        trial = folder / path.name
        trial.write_bytes(path.read_bytes())
        add_graphs(trial, metadata, {"int8": packed})
        parity = _compare(path, trial, compared)
    if parity.agreement < LEAST_AGREEMENT:
        raise TrainingError(
            f"In 8 bit the model would give other classes: {parity}. At least {100 * LEAST_AGREEMENT:g} % are wanted.",
            "Leave it as it is: bfloat16 and float32 go on working.",
        )
    add_graphs(path, replace(metadata, training={**metadata.training, "int8": parity.to_json()}), {"int8": packed})
    return f"{path}: int8 added, {len(packed) / 1e6:.1f} MB; {parity}"


def _draw(dataset: Dataset, side: int, count: int) -> Iterator[Chips]:
    """Yield (1, C, side, side) windows from images drawn by their area; smaller images are repeated."""
    if not dataset.entries:
        raise DatasetError("There are no images to measure ranges on.", "Give a folder with images.")
    draw = np.random.default_rng(_SEED)
    order = draw.permutation(len(dataset.entries))
    per_image = -(-count // len(order))
    for index in order[: -(-count // per_image)]:
        pixels = dataset.entries[index].load().pixels  # (H, W, C)
        below, right = (max(side - length, 0) for length in pixels.shape[:2])
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), "wrap")
        for _ in range(per_image):
            row, col = (int(draw.integers(0, length - side + 1)) for length in pixels.shape[:2])
            yield np.ascontiguousarray(pixels[row : row + side, col : col + side].transpose(2, 0, 1))[None]


def _quantize(graph: Any, chips: list[Chips]) -> Any:
    try:
        import nncf
    except ImportError as error:
        raise TrainingError(
            "Quantization needs the package nncf, which is not installed.",
            "Install the extra 'training': pip install .[training]",
        ) from error
    nncf.set_log_level(logging.ERROR)
    kinds = ("Convolution", "GroupConvolution")
    first = [layer.get_friendly_name() for layer in graph.get_ordered_ops() if layer.get_type_name() in kinds]
    return nncf.quantize(
        graph,
        nncf.Dataset(chips),
        subset_size=len(chips),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        ignored_scope=nncf.IgnoredScope(names=first[:_FLOAT_LAYERS]),
    )


def _compare(exact: Path, quantized: Path, chips: list[Chips]) -> Parity:
    """Return how far 8 bit is from 32, on chips that no range was measured on."""
    shape: tuple[int, int, int] = chips[0].shape[1:]
    answers = []
    for path, precision in ((exact, "float32"), (quantized, "int8")):
        predictor = Predictor(load_bundle(path), "cpu", precision, runtime="openvino", shape=shape)
        answers.append([predictor(chip) for chip in chips])
        predictor.close()
    wanted, given = (np.concatenate(answer) for answer in answers)
    same = wanted.argmax(axis=1) == given.argmax(axis=1)
    return Parity(float(np.abs(wanted - given).max()), float(same.mean()), same.size, "windows of the images")
