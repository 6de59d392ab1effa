"""Converts pixel values of any type to the input of a model. Training uses the same classes.

Most models receive 8-bit chips. Rasters of other types are stretched by :class:`Stretch`, with limits for the whole
raster and not for each window, so that neighbouring windows are consistent. Models with a scaling of their own receive
float chips on the same scale, 0..255, with the limits of their training data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import tr

if TYPE_CHECKING:
    import torch

LOW_PERCENT, HIGH_PERCENT = 2.0, 98.0
Pixels = npt.NDArray[np.uint8 | np.float32]
"""Pixels on the scale 0..255."""


@dataclass(frozen=True)
class Stretch:
    """Linear stretch of each band to 0..255.

    Args:
        limits: Values mapped to 0 and 255, for each band.
        rounded: Whether the result is 8-bit; else fractions are kept, as float32.

    Raises:
        RequestError: if a limit is not finite or a lower limit is not below its upper one.
    """

    limits: tuple[tuple[float, float], ...]
    rounded: bool = True

    def __post_init__(self) -> None:
        for low, high in self.limits:
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise RequestError(
                    tr(
                        "Stretch limits must be finite and the lower below the upper, got {low:g} and {high:g}.",
                        low=low,
                        high=high,
                    ),
                    tr("Give a lower and an upper value for each band."),
                )

    @property
    def is_identity(self) -> bool:
        """Whether 8-bit values pass unchanged."""
        return self.rounded and all(pair == (0.0, 255.0) for pair in self.limits)

    @classmethod
    def identity(cls, bands: int) -> Stretch:
        """Return the stretch that leaves 8-bit values unchanged."""
        return cls(((0.0, 255.0),) * bands)

    @classmethod
    def from_sample(cls, sample: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_]) -> Stretch:
        """Return the stretch between the 2nd and the 98th percentile of each band.

        Args:
            sample: (C, H, W) values of any type, a decimated read of the whole raster.
            valid: (H, W) true where the sample has data.
        """
        limits = []
        for band in sample:
            values = band[valid & np.isfinite(band)].astype(np.float64)
            if not values.size:
                values = np.zeros(1)
            low, high = np.percentile(values, (LOW_PERCENT, HIGH_PERCENT))
            if not low < high:  # more than 96 % of one value: use the full range
                low, high = values.min(), values.max()
            if not low < high:  # constant band: the slope is arbitrary but must be finite
                high = low + max(abs(low) * 1e-6, 1.0)
            limits.append((float(low), float(high)))
        return cls(tuple(limits))

    def __call__(self, values: npt.NDArray[np.generic]) -> Pixels:
        """Return (C, H, W) uint8, or float32 if not rounded, for (C, H, W) values of any type; NaN becomes 0."""
        if self.is_identity and values.dtype == np.uint8:
            return values  # type: ignore[return-value]
        # In float64, values that are multiples of others become the same float32 as these.
        kind: Any = np.float32 if self.rounded else np.float64
        low = np.array([pair[0] for pair in self.limits], kind)[:, None, None]
        span = np.array([pair[1] - pair[0] for pair in self.limits], kind)[:, None, None]
        with np.errstate(over="ignore", invalid="ignore"):  # nodata values of 1e38 become infinite
            scaled = (values.astype(kind) - low) / span
        scaled = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
        scaled *= 255
        stretched: Pixels = np.rint(scaled).astype(np.uint8) if self.rounded else scaled.astype(np.float32)
        return stretched


def fill_invalid(values: Pixels, valid: npt.NDArray[np.bool_], mean: Sequence[float]) -> Pixels:
    """Return pixels (C, H, W) in which invalid ones have the mean of the training data.

    Args:
        values: (C, H, W) on the scale 0..255.
        valid: (H, W) true where there is data.
        mean: Mean of each channel, on the scale 0..1.
    """
    if valid.all():
        return values
    fill = np.array(mean) * 255
    fill = (np.rint(fill) if values.dtype == np.uint8 else fill).astype(values.dtype)
    filled: Pixels = np.where(valid, values, fill[:, None, None])
    return filled


@dataclass(frozen=True)
class Standardize:
    """Standardization of chips to zero mean and unit variance for each channel.

    Args:
        mean: Mean of each channel, on the scale 0..1.
        std: Standard deviation of each channel, on the same scale.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or any(value <= 0 for value in self.std):
            raise RequestError(
                tr(
                    "Standardize needs a mean and a positive deviation for each channel, got {mean}, {std}.",
                    mean=self.mean,
                    std=self.std,
                )
            )

    def __call__(self, chips: torch.Tensor) -> torch.Tensor:
        """Return (N, C, H, W) float32 for (N, C, H, W) uint8 or float on the scale 0..255."""
        import torch  # not at module level: other runtimes do not need PyTorch

        shape = (1, len(self.mean), 1, 1)
        mean = torch.tensor(self.mean, device=chips.device).mul(255.0).view(shape)
        std = torch.tensor(self.std, device=chips.device).mul(255.0).view(shape)
        return (chips.float() - mean) / std
