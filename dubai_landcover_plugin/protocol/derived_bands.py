"""Bands that are computed from others while a raster is read. Standard library only."""

from __future__ import annotations

RECIPES = {"ndvi": ("nir", "red"), "ndwi": ("green", "nir")}
"""The two bands of each normalized difference, (first - second) / (first + second).

Sources: Rouse et al. 1974, NDVI; McFeeters 1996, NDWI of water, https://doi.org/10.1080/01431169608948714.
"""


def inputs_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the bands that a raster needs for a model: those that are not derived, then further ones of recipes.

    Args:
        names: Bands of the model.
    """
    inputs = [name for name in names if name not in RECIPES]
    needed = [part for name in names for part in RECIPES.get(name, ())]
    return tuple(dict.fromkeys((*inputs, *needed))) if needed else names
