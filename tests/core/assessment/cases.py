"""Maps, samples and labels for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
from affine import Affine

from dubai_landcover_plugin.core.assessment.assess import assess_accuracy
from dubai_landcover_plugin.core.assessment.sample import draw_accuracy_sample
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.requests.assessment import (
    AccuracyRequest,
    AccuracySampleRequest,
)
from tests.factories import write_layer

# Olofsson et al. (2014), tables 8 and 9: deforestation, forest gain, stable forest, stable non-forest.
PAPER_PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


ROTATED = Affine.translation(300_000, 2_780_000) @ Affine.rotation(30) @ Affine.scale(2, -2)


NAMES = [entry.name for entry in DUBAI.entries]


def random_map(height: int = 40, width: int = 50, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(6, (height, width), p=[0.05, 0.1, 0.5, 0.1, 0.2, 0.05]).astype(np.uint8)


def texts(values) -> np.ndarray:
    return np.array(list(values), object)


def draw(raster: str, path: Path, **options) -> dict:
    return draw_accuracy_sample(AccuracySampleRequest(raster, str(path), **options)).to_json()


def label(path: Path, reference, out: Path | None = None) -> str:
    """Fill in the reference of a drawn sample: one value for each point, or a function of its attributes."""
    layer = read_vector(str(path))
    if callable(reference):
        reference = [reference(name) for name in layer.fields["map_class"]]
    fields = {**layer.fields, "reference": texts(reference)}
    out = out or path.with_name("labelled.gpkg")
    crs = None if layer.crs is None else layer.crs.to_string()
    return write_layer(out, list(layer.geometries), crs, **fields)


def assess(raster: str, reference: str, **options) -> dict:
    return assess_accuracy(AccuracyRequest(raster, reference, **options)).to_json()


def boxes(*corners):
    return [shapely.box(300_000 + x0, 2_780_000 - y1, 300_000 + x1, 2_780_000 - y0) for x0, y0, x1, y1 in corners]
