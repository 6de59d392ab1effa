"""Stored graphs come back as packed, damage is named. Those of networks: tests/training/exports/test_graphs.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.bundle.graphs import MAGIC, pack_parts, pack_whole, unpack

TEXT, BLOCK = b"<net/>" * 50, np.arange(40, dtype=np.uint8)


def test_a_whole_graph_comes_back_without_the_model_file():
    text, block = unpack(pack_whole(TEXT, BLOCK.tobytes()))
    assert text == TEXT
    np.testing.assert_array_equal(block, BLOCK)


def test_a_graph_of_weights_needs_their_file():
    stored = pack_parts(TEXT, BLOCK, [], b"")
    assert stored.startswith(MAGIC)
    with pytest.raises(ValueError, match="needs the weights of its model file"):
        unpack(stored)


@pytest.mark.parametrize("kept", [4, 12])
def test_a_graph_cut_short_is_refused(kept: int):
    with pytest.raises(ValueError, match=r"damaged|cut short"):
        unpack(pack_whole(TEXT, BLOCK.tobytes())[:kept], Path("model.safetensors"))
