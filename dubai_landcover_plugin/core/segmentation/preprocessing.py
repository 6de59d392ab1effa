"""From pixel values of any kind to what a model sees. Training uses these very objects.

A model always receives 8-bit chips: rasters of other types go through :class:`Stretch`, whose limits belong to
the whole raster and never to one window, so that neighbouring windows agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.protocol.errors import RequestError

if TYPE_CHECKING:
    import torch

LOW_PERCENT, HIGH_PERCENT = 2.0, 98.0


@dataclass(frozen=True)
class Stretch:
    """Linear stretch of each band to 0..255.

    Args:
        limits: For each band, the values that become 0 and 255.
    """

    limits: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        for low, high in self.limits:
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise RequestError(
                    f"Stretch limits must be finite and rise, got {low:g} and {high:g}.",
                    "Give a lower and a higher value for each band.",
                )

    @property
    def is_identity(self) -> bool:
        """Whether 8-bit values pass unchanged."""
        return all(pair == (0.0, 255.0) for pair in self.limits)

    @classmethod
    def identity(cls, bands: int) -> Stretch:
        """Return the stretch that leaves 8-bit values as they are."""
        return cls(((0.0, 255.0),) * bands)

    @classmethod
    def from_sample(cls, sample: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_]) -> Stretch:
        """Take the 2nd and 98th percentile of each band.

        Args:
            sample: (C, H, W) values of any type, a decimated read of the whole raster.
            valid: (H, W) true where the sample counts.
        """
        limits = []
        for band in sample:
            values = band[valid & np.isfinite(band)].astype(np.float64)
            if not values.size:
                values = np.zeros(1)
            low, high = np.percentile(values, (LOW_PERCENT, HIGH_PERCENT))
            if not low < high:  # nearly all of one value
                low, high = values.min(), values.max()
            if not low < high:  # flat: any slope will do, but it must be finite
                high = low + max(abs(low) * 1e-6, 1.0)
            limits.append((float(low), float(high)))
        return cls(tuple(limits))

    def __call__(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
        """Return (C, H, W) uint8 for (C, H, W) values of any type; NaN becomes 0."""
        if self.is_identity and values.dtype == np.uint8:
            return values  # type: ignore[return-value]
        low = np.array([pair[0] for pair in self.limits], np.float32)[:, None, None]
        span = np.array([pair[1] - pair[0] for pair in self.limits], np.float32)[:, None, None]
        scaled = (values.astype(np.float32) - low) / span
        scaled = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
        stretched: npt.NDArray[np.uint8] = np.rint(scaled * 255.0).astype(np.uint8)
        return stretched


@dataclass(frozen=True)
class Standardize:
    """Zero mean and unit variance for each channel of 8-bit chips.

    Args:
        mean: Mean of each channel, on the scale 0..1.
        std: Standard deviation of each channel, on the same scale.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or any(value <= 0 for value in self.std):
            raise RequestError(
                f"Standardize needs a mean and a positive deviation for each channel, got {self.mean}, {self.std}."
            )

    def __call__(self, chips: torch.Tensor) -> torch.Tensor:
        """Return (N, C, H, W) float32 for (N, C, H, W) uint8 or float on the scale 0..255."""
        import torch  # here, because a run in another runtime does without it

        shape = (1, len(self.mean), 1, 1)
        mean = torch.tensor(self.mean, device=chips.device).mul(255.0).view(shape)
        std = torch.tensor(self.std, device=chips.device).mul(255.0).view(shape)
        return (chips.float() - mean) / std
