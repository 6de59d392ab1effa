"""Samples of the ground of training images, which a model file keeps for comparison with rasters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dubai_landcover_plugin.core.segmentation.novelty import Cells, NoveltyMeter, cell_statistics, nearer_percents
from dubai_landcover_plugin.protocol.ground_samples import DISTANCES, MAX_CELLS, GroundSamples

from .dataset import LabelledImage

_SAMPLES = MAX_CELLS // 2
_SCENE_SAMPLES = 120  # of these
_MOST = 400  # cells of an image, so that large images do not dominate
_COMMON = 97.0  # percent of the training images whose novelty is usual
_LEAST_USUAL = 60.0  # percent: ground like that of the training has 50


def ground_samples(
    images: Iterable[tuple[str, LabelledImage]], scenes: Iterable[LabelledImage] = (), seed: int = 0
) -> GroundSamples | None:
    """Return samples of the ground of images, and how far ground of a place is from that of the other places.

    Images of a single place take the part of places. None if the images have too few cells.

    Args:
        images: Place and image at the ground sampling distance of the model; each is released before the next.
        scenes: Synthetic images of the training. They are sampled, but say nothing of the distance of places.
        seed: Random seed of the choice of cells.
    """
    draw = np.random.default_rng(seed)
    places, found = [], []
    for place, image in images:
        cells = cell_statistics(image.pixels.transpose(2, 0, 1), image.valid)
        if len(cells):
            places.append(place)
            found.append(cells[draw.permutation(len(cells))[:_MOST]])
    units = np.array(places if len(set(places)) > 1 else [str(index) for index in range(len(found))])
    if len(set(units)) < 2 or sum(map(len, found)) <= 2 * found[0].shape[1]:
        return None
    everything = np.concatenate(found)
    drawn = [cell_statistics(scene.pixels.transpose(2, 0, 1)) for scene in scenes]
    drawn = [cells[draw.permutation(len(cells))[: _SCENE_SAMPLES // len(drawn)]] for cells in drawn]
    count = sum(map(len, drawn))
    samples = np.concatenate([everything[draw.permutation(len(everything))[: _SAMPLES - count]], *drawn])
    # Distances of the cells of each place to those of all other places.
    distances: list[Cells] = [np.empty(0)] * len(found)
    for unit in sorted(set(units)):
        others = [cells for cells, own in zip(found, units, strict=True) if own != unit]
        meter = NoveltyMeter(_sample(np.concatenate(others), draw))
        for index in np.flatnonzero(units == unit):
            distances[index] = meter.distances(found[index])
    quantiles = np.percentile(np.concatenate(distances), np.linspace(0, 100, DISTANCES))
    novelties = [float(nearer_percents(one, quantiles.tolist()).mean()) for one in distances]
    usual = max(float(np.percentile(novelties, _COMMON)), _LEAST_USUAL)
    return GroundSamples(
        cells=tuple(map(tuple, samples.round(1).tolist())),
        distances=tuple(quantiles.round(4).tolist()),
        usual=round(usual, 1),
    )


def _sample(cells: Cells, draw: np.random.Generator) -> Cells:
    """Return at most :data:`_SAMPLES` cells."""
    return cells[draw.permutation(len(cells))[:_SAMPLES]]
