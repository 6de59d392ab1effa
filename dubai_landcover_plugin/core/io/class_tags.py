"""The error ratios of a model as a tag of a GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.model_metadata import MAX_ERROR_RATIO

_ERROR_RATIOS = "ERROR_RATIOS"
PROBABILITIES = "PROBABILITIES"
"""Tag that tells probability rasters from others."""


def error_ratio_tags(scheme: ClassScheme, ratios: Sequence[float]) -> dict[str, str]:
    """Return the tag for the error ratios of classes, e.g. ``ERROR_RATIOS=1:0.9 2:1.4``; none without them."""
    listed = (f"{entry.id}:{ratio:.4g}" for entry, ratio in zip(scheme.classes, ratios, strict=False))
    return {_ERROR_RATIOS: " ".join(listed)} if ratios else {}


def probability_tags(scheme: ClassScheme) -> dict[str, str]:
    """Return the tag with the class ids of the bands of a probability raster, e.g. ``PROBABILITIES=1 2 3 4 5``."""
    return {PROBABILITIES: " ".join(str(entry.id) for entry in scheme.classes)}


def error_ratios_from_tags(tags: Mapping[str, str]) -> dict[int, float]:
    """Return the error ratio of each class id that :func:`error_ratio_tags` described; none if missing or damaged."""
    ratios = {}
    for part in tags.get(_ERROR_RATIOS, "").split():
        key, _, value = part.partition(":")
        try:
            ratios[int(key)] = float(value)
        except ValueError:
            return {}
    return ratios if all(0 < ratio <= MAX_ERROR_RATIO for ratio in ratios.values()) else {}
