"""Metadata of a model: its network, classes, bands, figures and provenance."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.ground_samples import GroundSamples
from dubai_landcover_plugin.protocol.onnx_metadata import MAX_BANDS, MAX_WINDOW
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics

PRECISION_METRICS = "precisions"
"""Key of the metrics in each precision, among the metrics of a model."""
PRECISION_LOSS = 0.002
"""Largest loss of mean IoU at which a precision is used without being requested."""
BUNDLE_SUFFIX = ".safetensors"
TEACHABLE = ("unet_efficientnet",)
"""Architectures whose decoder levels a teaching session can use."""
MAX_GSD = 1e5
"""Largest ground sampling distance, m/px."""
MAX_CLASS_BIAS = 100.0
"""Largest absolute bias of a class."""
MAX_ERROR_RATIO = 10.0
"""Largest ratio of the wrong share of a class to what its confidence says."""
MAX_BAND_NUMBER = 65_535
"""Largest number of a band of a raster, as of GDAL."""
_INFINITY = float("inf")


@dataclass(frozen=True)
class ModelSpec:
    """Architecture and arguments of a network.

    Args:
        architecture: Name in the registry of ``core.networks``.
        in_channels: Input channels.
        classes: Output channels.
        arguments: Further keyword arguments of the architecture.
    """

    architecture: str
    in_channels: int = 3
    classes: int = 5
    arguments: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {
            "architecture": self.architecture,
            "in_channels": self.in_channels,
            "classes": self.classes,
            "arguments": dict(self.arguments),
        }


@dataclass(frozen=True)
class BundleMetadata:
    """Metadata of a model.

    Args:
        name: Display name.
        title: Description in one sentence.
        spec: Specification of the network.
        scheme: Classes in the order of the output channels.
        bands: Names of the input bands, in order, e.g. ``("red", "green", "blue")``; ``band N`` for band N of training
            rasters that do not name it.
        band_numbers: Their numbers in the training rasters, from 1; empty where red, green and blue were found by name,
            and for models of earlier versions.
        values: Pixel values of the training images; None for models of earlier versions.
        ground: Samples of their ground; None for models of earlier versions.
        scaling: Values of each band that become 0 and 1 in rasters of every type; None for a model that reads rasters
            stretched to 8 bits, as those of earlier versions.
        mean: Mean of each band, on the scale 0..1.
        std: Standard deviation of each band, on the same scale.
        gsd: Ground sampling distance of the training data, m/px.
        window: Recommended window side, px.
        stride: Total stride of the network, px; sides of windows are multiples of it.
        receptive_radius: Receptive radius, px: largest distance at which an input pixel affects an output pixel; None
            if unlimited.
        temperature: Softmax temperature, > 0: divisor of the logits, fitted so that mean confidence equals accuracy;
            classes do not change. Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
        class_bias: Bias of each class that a calibration added to the logits, in the order of the classes; the
            weights of the last layer include it. Empty for none.
        error_ratios: Wrong share of the pixels predicted as each class, measured at places kept out of the training and
            of the calibration, relative to the share that their confidence says; reports correct their estimates by
            it. Empty where it was not measured.
        parameters: Number of weights.
        licence: SPDX identifier.
        dataset: Training data.
        metrics: Results of the evaluation.
        training: Command, seed, date and other provenance.

    Raises:
        BundleError: if values are invalid or inconsistent.
    """

    name: str
    title: str
    spec: ModelSpec
    scheme: ClassScheme
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gsd: float
    window: int = 512
    stride: int = 32
    receptive_radius: int | None = None
    temperature: float = 1.0
    class_bias: tuple[float, ...] = ()
    error_ratios: tuple[float, ...] = ()
    parameters: int = 0
    licence: str = "GPL-2.0-or-later"
    dataset: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    band_numbers: tuple[int, ...] = ()
    values: ValueStatistics | None = None
    ground: GroundSamples | None = None
    scaling: BandScaling | None = None

    @property
    def accurate_precisions(self) -> frozenset[str]:
        """Precisions whose mean IoU on labelled images is at most :data:`PRECISION_LOSS` below that of float32.

        Empty if that was not measured.
        """
        measured = self.metrics.get(PRECISION_METRICS)
        if not isinstance(measured, dict):
            return frozenset()
        found = {name: row.get("miou") for name, row in measured.items() if isinstance(row, dict)}
        values = {name: value for name, value in found.items() if isinstance(value, (int, float))}
        least = values.get("float32", _INFINITY) - PRECISION_LOSS
        return frozenset(name for name, value in values.items() if round(value - least, 9) >= 0)

    def require_ground(self) -> GroundSamples:
        """Return the ground samples.

        Raises:
            BundleError: if the model has none.
        """
        if self.ground is None:
            raise BundleError(
                tr(
                    "The model {name} has no samples of its training images: the novelty of the ground is not known.",
                    name=self.name,
                ),
                tr(
                    "Leave out the novelty raster, choose another model, or add samples with: python -m training "
                    "statistics."
                ),
            )
        return self.ground

    def __post_init__(self) -> None:
        lengths = {len(self.bands), len(self.mean), len(self.std), self.spec.in_channels}
        lengths |= {len(self.band_numbers)} - {0}
        lengths |= {known.bands for known in (self.values, self.ground, self.scaling) if known}
        if len(lengths) != 1:
            raise BundleError(
                tr(
                    "The model '{name}' has inconsistent metadata: {bands} bands, {means} means, {deviations} "
                    "deviations, {channels} input channels.",
                    name=self.name,
                    bands=len(self.bands),
                    means=len(self.mean),
                    deviations=len(self.std),
                    channels=self.spec.in_channels,
                )
            )
        if len(self.scheme.classes) != self.spec.classes:
            raise BundleError(
                tr(
                    "The model '{name}' has inconsistent metadata: {classes} classes, {channels} output channels.",
                    name=self.name,
                    classes=len(self.scheme.classes),
                    channels=self.spec.classes,
                )
            )
        if not 0 < self.gsd <= MAX_GSD or self.stride < 1 or self.window < self.stride or self.window % self.stride:
            raise BundleError(
                tr(
                    "The model '{name}' needs a positive GSD of at most {limit:g} m/px and a window that is a "
                    "multiple of its stride, got {gsd:g} m/px, {window} px and {stride} px.",
                    name=self.name,
                    limit=MAX_GSD,
                    gsd=self.gsd,
                    window=self.window,
                    stride=self.stride,
                )
            )
        if self.window > MAX_WINDOW or self.spec.in_channels > MAX_BANDS:
            raise BundleError(
                tr(
                    "The model '{name}' has a window of {window} px and {channels} bands; the limits are {limit} px "
                    "and {other_limit} bands.",
                    name=self.name,
                    window=self.window,
                    channels=self.spec.in_channels,
                    limit=MAX_WINDOW,
                    other_limit=MAX_BANDS,
                ),
                tr("Export the model again with a smaller window."),
            )
        if not all(0 < deviation < _INFINITY for deviation in self.std) or not all(
            abs(mean) < _INFINITY for mean in self.mean
        ):
            raise BundleError(
                tr(
                    "The model '{name}' needs finite means and standard deviations above 0, got {mean} and {std}.",
                    name=self.name,
                    mean=self.mean,
                    std=self.std,
                ),
                tr("Export the model again."),
            )
        if not 0 < self.temperature < _INFINITY:
            raise BundleError(
                tr(
                    "The model '{name}' needs a finite temperature above 0, got {temperature}.",
                    name=self.name,
                    temperature=self.temperature,
                ),
                tr("Use 1 for a model that was not calibrated."),
            )
        if len(self.class_bias) not in (0, self.spec.classes) or not all(
            abs(bias) <= MAX_CLASS_BIAS for bias in self.class_bias
        ):
            raise BundleError(
                tr(
                    "The model '{name}' needs no class bias or one of at most {limit:g} for each of its {channels} "
                    "classes, got {class_bias!s:.200}.",
                    name=self.name,
                    limit=MAX_CLASS_BIAS,
                    channels=self.spec.classes,
                    class_bias=self.class_bias,
                ),
                tr("Calibrate the model again."),
            )
        if len(self.error_ratios) not in (0, self.spec.classes) or not all(
            0 < ratio <= MAX_ERROR_RATIO for ratio in self.error_ratios
        ):
            raise BundleError(
                tr(
                    "The model '{name}' needs no error ratios or one above 0 and of at most {limit:g} for each of "
                    "its {channels} classes, got {error_ratios!s:.200}.",
                    name=self.name,
                    limit=MAX_ERROR_RATIO,
                    channels=self.spec.classes,
                    error_ratios=self.error_ratios,
                ),
                tr("Calibrate the model again."),
            )


def is_unnamed_band(name: str) -> bool:
    """Return whether a name is ``band N``, that of band N of rasters that do not name it."""
    return re.fullmatch(r"band \d+", name) is not None
