"""Post-training quantization: adds an 8-bit form of the network to the model file, for OpenVINO on CPUs.

NNCF (https://github.com/openvinotoolkit/nncf) converts weights and activations to 8-bit integers, with ranges measured
on images. Source of the scheme: Jacob et al. 2018, https://arxiv.org/abs/1712.05877.
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
from dubai_landcover_plugin.core.bundle.graphs import INT8
from dubai_landcover_plugin.core.bundle.save import add_graphs
from dubai_landcover_plugin.core.io.files import temporary_folder
from dubai_landcover_plugin.core.runtimes.openvino_runtime import convert_network, serialize_graph
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.protocol.model_metadata import PRECISION_METRICS
from dubai_landcover_plugin.protocol.translation import marked

from ..data.dataset import Dataset
from ..data.sources import open_data_of
from ..errors import DatasetError, TrainingError
from .export import config_of
from .graphs import pack_for
from .parity import Parity

LEAST_AGREEMENT = 0.98
_FLOAT_LAYERS = 12
"""Number of convolutions, counted from the input, that are not quantized.

They work at high resolution, where quantization costs most of the agreement and saves little time. Measured with the
first shipped model on 64 windows of Dubai, two cores: all layers in 8 bit agree in 98.8 % of the pixels at 9.3 Mpx/s,
without the first six in 99.4 % at 9.1 Mpx/s; bfloat16 runs at 6.2 Mpx/s. With `world`, on 64 windows of its sources:
97.84 % without the first six, 98.14 % without the first twelve; 97.72 % without the first six, with symmetric ranges.
"""
_CHIPS = 64  # number of chips for the ranges, and the same number for the comparison
_SEED = 20241125

Chips = npt.NDArray[np.uint8 | np.float32]


def quantize_model(path: str | Path, root: str | Path) -> str:
    """Add the graph ``int8`` to a bundle if its classes agree with the network; return a description of the result.

    Args:
        path: The bundle, replaced atomically.
        root: Data folder, as for training: with several sources, the folder that theirs are relative to.

    Raises:
        TrainingError: if NNCF is missing or the agreement is too low.
        BundleError: if the bundle cannot be read or written.
        DatasetError: if there are no images.
    """
    path = Path(path)
    bundle = load_bundle(path)
    metadata = bundle.metadata
    dataset = open_data_of(config_of(metadata), metadata, root)
    side = metadata.window
    chips = list(_draw(dataset, side, 2 * _CHIPS))
    measured, compared = chips[::2], chips[1::2]
    graph = convert_network(bundle)
    graph.reshape([1, len(metadata.bands), -1, -1])
    packed = pack_for(path, bundle, *serialize_graph(_quantize(graph, measured)))
    with temporary_folder(path) as folder:
        trial = folder / path.name
        trial.write_bytes(path.read_bytes())
        add_graphs(trial, metadata, {INT8: packed})
        parity = _compare(path, trial, compared)
    if parity.agreement < LEAST_AGREEMENT:
        raise TrainingError(
            f"The classes of the 8-bit model differ: {parity}. At least {100 * LEAST_AGREEMENT:g} % are required.",
            "The file is unchanged; use bfloat16 or float32.",
        )
    metrics = dict(metadata.metrics)
    if isinstance(measured_before := metrics.get(PRECISION_METRICS), dict):  # those of the earlier graph
        metrics[PRECISION_METRICS] = {key: value for key, value in measured_before.items() if key != INT8}
    described = replace(metadata, training={**metadata.training, "int8": parity.to_json()}, metrics=metrics)
    add_graphs(path, described, {INT8: packed})
    return f"{path}: {INT8} added, {len(packed) / 1e6:.1f} MB; {parity}"


def _draw(dataset: Dataset, side: int, count: int) -> Iterator[Chips]:
    """Yield ``count`` random (1, C, side, side) windows, spread over the images; small images are repeated."""
    if not dataset.entries:
        raise DatasetError("There are no images to measure ranges on.", "Give a data folder with images.")
    draw = np.random.default_rng(_SEED)
    order = draw.permutation(len(dataset.entries))
    per_image = -(-count // len(order))
    for index in order[: -(-count // per_image)]:
        pixels = dataset.entries[index].load().at_model_gsd().pixels  # (H, W, C)
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
            "Quantization requires the package nncf, which is not installed.",
            "Install the extra 'training': pip install .[training]",
        ) from error
    nncf.set_log_level(logging.ERROR)
    kinds = ("Convolution", "GroupConvolution")
    first = [layer.get_friendly_name() for layer in graph.get_ordered_ops() if layer.get_type_name() in kinds]
    return nncf.quantize(
        graph,
        nncf.Dataset(chips),
        subset_size=len(chips),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=first[:_FLOAT_LAYERS]),
    )


def _compare(exact: Path, quantized: Path, chips: list[Chips]) -> Parity:
    """Compare 8 bit with 32 bit, on chips that were not used to measure ranges."""
    shape: tuple[int, int, int] = chips[0].shape[1:]
    results = []
    for path, precision in ((exact, "float32"), (quantized, "int8")):
        predictor = Predictor(load_bundle(path), "cpu", precision, runtime="openvino", shape=shape)
        results.append([predictor(chip) for chip in chips])
        predictor.close()
    expected, given = (np.concatenate(result) for result in results)
    same = expected.argmax(axis=1) == given.argmax(axis=1)
    return Parity(float(np.abs(expected - given).max()), float(same.mean()), same.size, marked("windows of the images"))
