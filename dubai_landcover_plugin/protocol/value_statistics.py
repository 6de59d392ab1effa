"""Pixel values of the training images of a model, with which the values of a raster are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.json_values import array, mapping, numbers
from dubai_landcover_plugin.protocol.translation import tr

LEVELS = (2, 10, 25, 50, 75, 90, 98)
"""Percentages of the quantiles."""
MAX_IMAGES = 256
"""Largest number of images in a model file; of more images some are chosen, see ``training.data.values``."""


@dataclass(frozen=True)
class ValueStatistics:
    """Quantiles of the pixel values of each training image, as the network receives them: 8 bits.

    They describe both the values within an image and how much images differ.

    Args:
        images: For each image and each band the quantiles at :data:`LEVELS`, 0..255: I × C × 7 numbers.
        stretched: Whether the images have more than 8 bits, so that they were stretched between their 2nd and 98th
            percentile.

    Raises:
        BundleError: if there are no images or too many, or quantiles are missing or do not rise.
    """

    images: tuple[tuple[tuple[float, ...], ...], ...]
    stretched: bool = False

    def __post_init__(self) -> None:
        bands = len(self.images[0]) if self.images else 0
        if not 1 <= len(self.images) <= MAX_IMAGES or not bands:
            raise BundleError(
                tr(
                    "The value statistics of a model have 1 to {limit} images with bands, got {count}.",
                    limit=MAX_IMAGES,
                    count=len(self.images),
                ),
                tr("Add them again with: python -m training statistics"),
            )
        for image in self.images:
            if len(image) != bands or not all(_is_rising(quantiles) for quantiles in image):
                raise BundleError(
                    tr(
                        "The value statistics of a model need {count} rising quantiles in 0..255 for each of {bands} "
                        "bands of every image, got {image!r:.200}.",
                        count=len(LEVELS),
                        bands=bands,
                        image=image,
                    ),
                    tr("Add them again with: python -m training statistics"),
                )

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.images[0])

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        images = [[list(quantiles) for quantiles in image] for image in self.images]
        return {"levels": list(LEVELS), "images": images, "stretched": self.stretched}

    @classmethod
    def from_json(cls, value: Any) -> ValueStatistics:
        """Rebuild the statistics from :meth:`to_json`.

        Raises:
            ValueError, KeyError: if they are malformed.
            BundleError: if they are inconsistent.
        """
        fields = mapping(value)
        if fields["levels"] != list(LEVELS):
            raise ValueError(f"quantiles at {list(LEVELS)} % are needed, got {fields['levels']!r:.60}")
        if not isinstance(fields["stretched"], bool):
            raise ValueError(f"stretched is true or false, got {fields['stretched']!r:.60}")
        images = tuple(tuple(numbers(band, 0, 255) for band in array(image)) for image in array(fields["images"]))
        return cls(images, fields["stretched"])


def _is_rising(quantiles: tuple[float, ...]) -> bool:
    """Return whether there is a quantile in 0..255 for each level and none is below the one before."""
    rising = all(low <= high for low, high in zip(quantiles, quantiles[1:]))
    return len(quantiles) == len(LEVELS) and rising and quantiles[0] >= 0 and quantiles[-1] <= 255
