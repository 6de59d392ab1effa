"""Metadata of a model file, read without PyTorch.

A model file (bundle) is one ``.safetensors`` file. Its string header has the key ``stac_item``: a STAC item with the
Machine Learning Model extension (https://github.com/stac-extensions/mlm, version 1.5) as JSON, with everything needed
to rebuild the network and to prepare its input.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.ground_samples import GroundSamples
from dubai_landcover_plugin.protocol.json_values import DAMAGED, array, mapping, number, parse_json, text, whole
from dubai_landcover_plugin.protocol.onnx_metadata import MAX_BANDS, MAX_WINDOW, ONNX_SUFFIX, read_onnx
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics

HEADER_KEY = "stac_item"
GRAPH_PREFIX = "graph."
"""Prefix of tensors that hold alternative forms of the network, such as ``graph.int8``."""
SCALE_PREFIX = "scale."
"""Prefix of tensors with the scales of weights that are stored in 8 bits."""
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
_REQUIRES = "landcover:requires"  # what a version of the plugin must know to compute the model; others refuse it
_SCALED_BANDS = "scaled bands"
_ABILITIES = frozenset({_SCALED_BANDS})
_INFINITY = float("inf")
_MAX_PARAMETERS = 10**12
_MAX_TEXT = 100_000  # characters
_MAX_RADIUS = 10**6  # px
_ONNX_STRIDE = 32  # px; a multiple of the total stride of nearly all networks
_MAX_HEADER_BYTES = 10_000_000
_MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
_CLASSIFICATION_SCHEMA = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"


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

    def to_stac_item(self) -> dict[str, Any]:
        """Return the STAC item for the header of the model file; valid if ``name`` is a valid STAC id."""
        bands = [{"name": band, "data_type": self._data_type} for band in self.bands]
        for band, unit in zip(bands, self.scaling.units if self.scaling else ()):
            band |= {"unit": unit} if unit else {}
        encoder = self.training.get("encoder") or None
        properties = {
            "datetime": self.training.get("finished", "1970-01-01T00:00:00Z"),
            "title": self.title,
            "license": self.licence,
            "gsd": self.gsd,
            "bands": bands,
            "mlm:name": self.name,
            "mlm:architecture": self.spec.architecture,
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "PyTorch",
            "mlm:total_parameters": self.parameters,
            "mlm:pretrained": encoder is not None,
            "mlm:pretrained_source": encoder,
            "mlm:input": [self._input()],
            "mlm:output": [self._output()],
            "landcover:spec": self.spec.to_json(),
            "landcover:scheme": self.scheme.to_json(),
            "landcover:window": self.window,
            "landcover:stride": self.stride,
            "landcover:receptive_radius": self.receptive_radius,
            "landcover:temperature": self.temperature,
            "landcover:class_bias": list(self.class_bias),
            "landcover:error_ratios": list(self.error_ratios),
            "landcover:dataset": self.dataset,
            "landcover:metrics": self.metrics,
            "landcover:training": self.training,
        }
        if self.band_numbers:
            properties["landcover:band_numbers"] = list(self.band_numbers)
        if self.scaling is not None:
            properties["landcover:scaling"] = self.scaling.to_json()
            properties[_REQUIRES] = [_SCALED_BANDS]
        if self.values is not None:
            properties["landcover:values"] = self.values.to_json()
        if self.ground is not None:
            properties["landcover:ground"] = self.ground.to_json()
        return {
            "type": "Feature",
            "stac_version": "1.1.0",
            "stac_extensions": [_MLM_SCHEMA, _CLASSIFICATION_SCHEMA],
            "id": self.name,
            "geometry": None,
            "properties": properties,
            "links": [],
            "assets": {
                "model": {
                    "href": f"./{self.name}{BUNDLE_SUFFIX}",
                    "type": "application/octet-stream; framework=safetensors",
                    "roles": ["mlm:model", "mlm:weights"],
                    "mlm:artifact_type": "safetensors.torch.save_file",
                    "bands": bands,  # STAC allows them in properties only where an asset has them too
                }
            },
        }

    @property
    def _data_type(self) -> str:
        return "uint8" if self.scaling is None else "float32"

    def _input(self) -> dict[str, Any]:
        scaling = self.scaling or BandScaling(((0.0, 255.0),) * len(self.bands))
        means, deviations = scaling.raw(self.mean), scaling.raw(self.std, spread=True)
        return {
            "name": "chips",
            "bands": list(self.bands),
            "input": {
                "shape": [-1, self.spec.in_channels, self.window, self.window],
                "dim_order": ["batch", "bands", "height", "width"],
                "data_type": self._data_type,
            },
            "value_scaling": [{"type": "z-score", "mean": mean, "stddev": std} for mean, std in zip(means, deviations)],
        }

    def _output(self) -> dict[str, Any]:
        return {
            "name": "land cover",
            "tasks": ["semantic-segmentation"],
            "result": {
                "shape": [-1, self.spec.classes, self.window, self.window],
                "dim_order": ["batch", "classes", "height", "width"],
                "data_type": "float32",
            },
            "classification:classes": [
                {"value": c.id, "name": _plain(c), "title": c.name, "color_hint": c.colour[1:]}
                for c in self.scheme.classes
            ],
        }

    @classmethod
    def from_stac_item(cls, item: dict[str, Any]) -> BundleMetadata:
        """Rebuild the metadata from :meth:`to_stac_item`.

        Raises:
            BundleError: if values are missing, invalid or inconsistent.
        """
        try:
            properties = mapping(item["properties"])
            _check_requirements(properties)
            (model_input,) = properties["mlm:input"]
            scaling = array(model_input["value_scaling"])
            radius = properties["landcover:receptive_radius"]
            scaled = _scaling(properties)
            limits = ((0.0, 255.0),) * len(scaling) if scaled is None else scaled.limits
            ranges = list(zip(scaling, limits))
            return cls(
                name=text(properties["mlm:name"]),
                title=text(properties["title"], _MAX_TEXT),
                spec=_spec(mapping(properties["landcover:spec"])),
                scheme=ClassScheme.from_json(properties["landcover:scheme"]),
                bands=tuple(map(text, array(model_input["bands"]))),
                mean=tuple((number(band["mean"]) - low) / (high - low) for band, (low, high) in ranges),
                std=tuple(number(band["stddev"]) / (high - low) for band, (low, high) in ranges),
                gsd=number(properties["gsd"]),
                window=whole(properties["landcover:window"], 1, MAX_WINDOW),
                stride=whole(properties["landcover:stride"], 1, MAX_WINDOW),
                receptive_radius=None if radius is None else whole(radius, 0, _MAX_RADIUS),
                temperature=number(properties.get("landcover:temperature", 1.0)),  # older bundles have none
                class_bias=tuple(map(number, array(properties.get("landcover:class_bias", [])))),
                error_ratios=tuple(map(number, array(properties.get("landcover:error_ratios", [])))),
                parameters=whole(properties["mlm:total_parameters"], 0, _MAX_PARAMETERS),
                licence=text(properties["license"], _MAX_TEXT),
                dataset=text(properties["landcover:dataset"], _MAX_TEXT),
                metrics=mapping(properties["landcover:metrics"]),
                training=mapping(properties["landcover:training"]),
                band_numbers=_band_numbers(properties),
                values=_values(properties),
                ground=_ground(properties),
                scaling=scaled,
            )
        except DAMAGED as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError(
                tr(
                    "The metadata of the model is damaged: {kind}: {error!s:.500}.",
                    kind=type(error).__name__,
                    error=error,
                ),
                tr("Download or export the model again."),
            ) from error


def _check_requirements(properties: dict[str, Any]) -> None:
    """Refuse a model that needs more than this version can: ignoring it would give wrong classes without a word.

    Raises:
        BundleError: naming what it needs.
    """
    unknown = [name for name in map(text, array(properties.get(_REQUIRES, []))) if name not in _ABILITIES]
    if unknown:
        raise BundleError(
            tr("The model needs what this version of the plugin does not have: {names}.", names=", ".join(unknown)),
            tr("Update the plugin, or choose another model."),
        )


def _band_numbers(properties: dict[str, Any]) -> tuple[int, ...]:
    """Return the band numbers of a STAC item, none for older ones; raises one of ``DAMAGED`` if malformed."""
    return tuple(whole(value, 1, MAX_BAND_NUMBER) for value in array(properties.get("landcover:band_numbers", [])))


def _values(properties: dict[str, Any]) -> ValueStatistics | None:
    """Return the value statistics of a STAC item, None for older ones; raises one of ``DAMAGED`` if malformed."""
    found = properties.get("landcover:values")
    return None if found is None else ValueStatistics.from_json(found)


def _ground(properties: dict[str, Any]) -> GroundSamples | None:
    """Return the ground samples of a STAC item, None for older ones; raises one of ``DAMAGED`` if malformed."""
    found = properties.get("landcover:ground")
    return None if found is None else GroundSamples.from_json(found)


def _scaling(properties: dict[str, Any]) -> BandScaling | None:
    """Return the scaling of a STAC item, None for stretched rasters; raises one of ``DAMAGED`` if malformed."""
    found = properties.get("landcover:scaling")
    return None if found is None else BandScaling.from_json(found)


def _spec(value: dict[str, Any]) -> ModelSpec:
    """Return a specification from :meth:`ModelSpec.to_json`; raises one of ``DAMAGED`` if it is malformed."""
    spec = ModelSpec(**value)
    text(spec.architecture)
    whole(spec.in_channels, 1, MAX_BANDS)
    whole(spec.classes, 1, 254)
    mapping(spec.arguments)
    return spec


def _plain(entry: LandCoverClass) -> str:
    """Return a class name in the characters that the STAC classification extension allows."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", entry.name).strip("-") or f"class-{entry.id}"


def is_unnamed_band(name: str) -> bool:
    """Return whether a name is ``band N``, that of band N of rasters that do not name it."""
    return re.fullmatch(r"band \d+", name) is not None


def read_metadata(path: str | Path) -> BundleMetadata:
    """Return the metadata of a model file (``.safetensors`` or ``.onnx``) without reading the weights.

    Raises:
        BundleError: if the file is missing, is of another type or has no valid metadata.
    """
    path = Path(path)
    check_file(path)
    if path.suffix.lower() == ONNX_SUFFIX:
        return _onnx_metadata(path)
    remedy = tr("Choose a .safetensors model exported by the training module.")
    try:
        with path.open("rb") as stream:
            prefix = stream.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
            if not 2 <= length <= min(_MAX_HEADER_BYTES, path.stat().st_size - 8):
                raise BundleError(tr("{path} is not a safetensors file.", path=path), remedy)
            header = stream.read(length)
    except OSError as error:
        raise BundleError(
            tr("The model {path} cannot be read: {error}.", path=path, error=error.strerror), remedy
        ) from error
    try:
        metadata = mapping(mapping(parse_json(header)).get("__metadata__", {}))
        item = parse_json(text(metadata[HEADER_KEY], _MAX_HEADER_BYTES)) if HEADER_KEY in metadata else None
    except ValueError as error:
        raise BundleError(tr("The header of {path} is damaged: {error}.", path=path, error=error), remedy) from error
    if item is None:
        raise BundleError(tr("{path} has no land-cover metadata in its header.", path=path), remedy)
    return BundleMetadata.from_stac_item(item)


def check_file(path: Path) -> None:
    """Check that a model is a regular file: opening a pipe or a device could block or read without end.

    Raises:
        BundleError: if it is missing or something else.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise BundleError(
            tr("The model {path} cannot be read: {reason}.", path=path, reason=reason), tr("Choose another file.")
        ) from error
    if not stat.S_ISREG(mode):
        raise BundleError(
            tr("The model {path} is not a regular file.", path=path), tr("Choose a file, not a folder, pipe or device.")
        )


def _onnx_metadata(path: Path) -> BundleMetadata:
    """Return the metadata of an ONNX file.

    Raises:
        BundleError: see :func:`~dubai_landcover_plugin.protocol.onnx_metadata.read_onnx`.
    """
    known = read_onnx(path, HEADER_KEY)
    own = {} if known.item is None else known.item["properties"]
    try:
        _check_requirements(own)
        radius = own.get("landcover:receptive_radius")
        receptive_radius = None if radius is None else whole(radius, 0, _MAX_RADIUS)
        parameters = whole(own.get("mlm:total_parameters", 0), 0, _MAX_PARAMETERS)
        band_numbers = _band_numbers(own)
        values, ground, scaling = _values(own), _ground(own), _scaling(own)
    except BundleError:
        raise
    except (KeyError, ValueError) as error:
        raise BundleError(
            tr("The metadata of {path} are damaged: {error!s:.500}.", path=path, error=error),
            tr("Export the model again."),
        ) from error
    return BundleMetadata(
        name=path.stem,
        title=str(own.get("title", f"{path.name}, an ONNX model"))[:_MAX_TEXT],
        spec=ModelSpec("onnx", len(known.bands), len(known.scheme.classes)),
        scheme=known.scheme,
        bands=known.bands,
        # the keys of Deepness scale the raster's values, which the scaling has done
        mean=known.mean if scaling is None else (0.0,) * len(known.bands),
        std=known.std if scaling is None else (1.0,) * len(known.bands),
        gsd=known.gsd,
        window=known.window if known.is_fixed else max(known.window // _ONNX_STRIDE, 1) * _ONNX_STRIDE,
        stride=known.window if known.is_fixed else _ONNX_STRIDE,
        receptive_radius=receptive_radius,
        parameters=parameters,
        licence=str(own.get("license", "unknown"))[:_MAX_TEXT],
        band_numbers=band_numbers,
        values=values,
        ground=ground,
        scaling=scaling,
    )
