from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from training.exports.openvino_file import export_openvino

openvino = pytest.importorskip("openvino")


def test_the_graph_computes_what_the_model_does(trained: Callable[[], Path], tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    parity = export_openvino(path, load_bundle(str(trained())))
    assert "same class for 100.000 %" in str(parity)
    compiled = openvino.Core().compile_model(str(path), "CPU")
    scores = compiled(np.random.default_rng(0).integers(0, 255, (1, 3, 64, 96), np.uint8))[0]
    assert scores.shape == (1, 5, 64, 96)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-3)
