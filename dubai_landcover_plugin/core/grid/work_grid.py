"""The working pixels of a model: a raster's own, or resampled ones at the model's ground sampling distance."""

from __future__ import annotations

from dataclasses import dataclass

GSD_TOLERANCE = 1.5  # models are trained with scale variation of 0.7 to 1.5
MAX_UPSAMPLING = 8.0  # coarser rasters do not show the objects that the model was trained on


@dataclass(frozen=True)
class WorkGrid:
    """The working pixels, which the model reads.

    Args:
        height: Number of rows.
        width: Number of columns.
        scale: Raster pixels for each working pixel, along rows and columns; (1, 1) without resampling.
    """

    height: int
    width: int
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def is_native(self) -> bool:
        """Whether the working pixels are the raster's own."""
        return self.scale == (1.0, 1.0)


def is_near(size: tuple[float, float], gsd: float) -> bool:
    """Return whether pixels are so near the ground sampling distance of a model that a run reads them as they are.

    Args:
        size: Ground size of a pixel as (width, height), m.
        gsd: Ground sampling distance of the model, m/px.
    """
    return all(1 / GSD_TOLERANCE <= gsd / side <= GSD_TOLERANCE for side in size)


def is_too_coarse(size: tuple[float, float], gsd: float) -> bool:
    """Return whether pixels are so much coarser than the model expects that they are not resampled."""
    return any(gsd / side < 1 / MAX_UPSAMPLING for side in size)


def work_grid(height: int, width: int, size: tuple[float, float], gsd: float) -> WorkGrid:
    """Return the working pixels of a raster; runs and training use this rule alike.

    Args:
        height: Rows of the raster.
        width: Columns of the raster.
        size: Ground size of a pixel as (width, height), m.
        gsd: Ground sampling distance of the model, m/px.
    """
    if is_near(size, gsd) or is_too_coarse(size, gsd):
        return WorkGrid(height, width)
    across, down = size
    rows, cols = max(round(height / (gsd / down)), 1), max(round(width / (gsd / across)), 1)
    return WorkGrid(rows, cols, (height / rows, width / cols))
