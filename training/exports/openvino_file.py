"""Exports networks to OpenVINO IR: a graph from pixels on the scale 0..255 to class probabilities, as XML and BIN."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.io.files import write_bytes
from dubai_landcover_plugin.core.runtimes.openvino_runtime import convert_network, load_openvino, serialize_graph

from .parity import RANDOM, Parity, ProbabilityNetwork, compare, random_chips, require

IR_SUFFIX = ".xml"


def export_openvino(path: Path, bundle: ModelBundle, overwrite: bool = False) -> Parity:
    """Write ``NAME.xml`` and ``NAME.bin``; return the agreement with the network.

    The input is (N, C, H, W), H and W multiples of the stride: uint8, or float32 for a model that scales its bands.
    Such values are 255 (value - low) / (high - low), cut off at 0 and 255; the XML has the limits of each band as
    ``band_limits`` below ``rt_info``. The output (N, K, H, W) float32 adds up to 1 over the classes.

    Args:
        path: The XML file.
        bundle: The model.
        overwrite: Replace existing files.

    Raises:
        RuntimeUnavailableError: if OpenVINO is not installed.
        TrainingError: if the graph does not agree with the network.
        OutputError: if a file exists or cannot be written.
    """
    graph = convert_network(bundle)
    kind = torch.uint8
    if bundle.metadata.scaling is not None:
        kind = torch.float32
        graph.set_rt_info(json.dumps([list(pair) for pair in bundle.metadata.scaling.limits]), ["band_limits"])
    text, constants = serialize_graph(graph)
    openvino = load_openvino()
    graph = openvino.Core().read_model(text.decode(), openvino.Tensor(np.frombuffer(constants, np.uint8).copy()))
    metadata, stride = bundle.metadata, bundle.metadata.stride
    shape = (1, len(metadata.bands), 2 * stride, 4 * stride)
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(batch: torch.Tensor) -> torch.Tensor:
        pixels = (batch * 255).round().to(kind).numpy()
        return torch.from_numpy(np.array(compiled(pixels)[0]))

    reference = ProbabilityNetwork(bundle.model, metadata.mean, metadata.std, metadata.temperature).eval()
    batch = (random_chips(shape) * 255).round() / 255
    parity = require(compare(reference, run, [batch], RANDOM))
    write_bytes(path.with_suffix(".bin"), bytes(constants), overwrite=overwrite)
    write_bytes(path, text, overwrite=overwrite)
    return parity
