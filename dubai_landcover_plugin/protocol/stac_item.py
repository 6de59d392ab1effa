"""The STAC item of a model: its metadata as JSON, as model files have them.

Source: the Machine Learning Model extension, https://github.com/stac-extensions/mlm, version 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.ground_samples import GroundSamples
from dubai_landcover_plugin.protocol.json_values import DAMAGED, array, mapping, number, text, whole
from dubai_landcover_plugin.protocol.model_metadata import (
    BUNDLE_SUFFIX,
    MAX_BAND_NUMBER,
    BundleMetadata,
    ModelSpec,
)
from dubai_landcover_plugin.protocol.onnx_metadata import MAX_BANDS, MAX_WINDOW
from dubai_landcover_plugin.protocol.translation import joined, tr
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics

MAX_TEXT = 100_000
"""Most characters of a text."""
MAX_PARAMETERS = 10**12
MAX_RADIUS = 10**6
"""Largest receptive radius, px."""
_REQUIRES = "landcover:requires"  # what a version of the plugin must know to compute the model; others refuse it
_SCALED_BANDS = "scaled bands"
_ABILITIES = frozenset({_SCALED_BANDS})
_MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
_CLASSIFICATION_SCHEMA = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"


def to_stac_item(metadata: BundleMetadata) -> dict[str, Any]:
    """Return the STAC item of a model; valid if its name is a valid STAC id."""
    bands = [{"name": band, "data_type": _data_type(metadata)} for band in metadata.bands]
    for band, unit in zip(bands, metadata.scaling.units if metadata.scaling else ()):
        band |= {"unit": unit} if unit else {}
    encoder = metadata.training.get("encoder") or None
    properties = {
        "datetime": metadata.training.get("finished", "1970-01-01T00:00:00Z"),
        "title": metadata.title,
        "license": metadata.licence,
        "gsd": metadata.gsd,
        "bands": bands,
        "mlm:name": metadata.name,
        "mlm:architecture": metadata.spec.architecture,
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": metadata.parameters,
        "mlm:pretrained": encoder is not None,
        "mlm:pretrained_source": encoder,
        "mlm:input": [_input(metadata)],
        "mlm:output": [_output(metadata)],
        "landcover:spec": metadata.spec.to_json(),
        "landcover:scheme": metadata.scheme.to_json(),
        "landcover:window": metadata.window,
        "landcover:stride": metadata.stride,
        "landcover:receptive_radius": metadata.receptive_radius,
        "landcover:temperature": metadata.temperature,
        "landcover:class_bias": list(metadata.class_bias),
        "landcover:error_ratios": list(metadata.error_ratios),
        "landcover:dataset": metadata.dataset,
        "landcover:metrics": metadata.metrics,
        "landcover:training": metadata.training,
    }
    if metadata.band_numbers:
        properties["landcover:band_numbers"] = list(metadata.band_numbers)
    if metadata.scaling is not None:
        properties["landcover:scaling"] = metadata.scaling.to_json()
        properties[_REQUIRES] = [_SCALED_BANDS]
    if metadata.values is not None:
        properties["landcover:values"] = metadata.values.to_json()
    if metadata.ground is not None:
        properties["landcover:ground"] = metadata.ground.to_json()
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [_MLM_SCHEMA, _CLASSIFICATION_SCHEMA],
        "id": metadata.name,
        "geometry": None,
        "properties": properties,
        "links": [],
        "assets": {
            "model": {
                "href": f"./{metadata.name}{BUNDLE_SUFFIX}",
                "type": "application/octet-stream; framework=safetensors",
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": "safetensors.torch.save_file",
                "bands": bands,  # STAC allows them in properties only where an asset has them too
            }
        },
    }


def from_stac_item(item: dict[str, Any]) -> BundleMetadata:
    """Return the metadata of a model from :func:`to_stac_item`.

    Raises:
        BundleError: if values are missing, invalid or inconsistent.
    """
    try:
        properties = mapping(item["properties"])
        further = further_metadata(properties)
        (model_input,) = properties["mlm:input"]
        scores = array(model_input["value_scaling"])
        radius = properties["landcover:receptive_radius"]
        scaling = further["scaling"]
        limits = ((0.0, 255.0),) * len(scores) if scaling is None else scaling.limits
        ranges = list(zip(scores, limits))
        return BundleMetadata(
            name=text(properties["mlm:name"]),
            title=text(properties["title"], MAX_TEXT),
            spec=_spec(mapping(properties["landcover:spec"])),
            scheme=ClassScheme.from_json(properties["landcover:scheme"]),
            bands=tuple(map(text, array(model_input["bands"]))),
            mean=tuple((number(band["mean"]) - low) / (high - low) for band, (low, high) in ranges),
            std=tuple(number(band["stddev"]) / (high - low) for band, (low, high) in ranges),
            gsd=number(properties["gsd"]),
            window=whole(properties["landcover:window"], 1, MAX_WINDOW),
            stride=whole(properties["landcover:stride"], 1, MAX_WINDOW),
            receptive_radius=None if radius is None else whole(radius, 0, MAX_RADIUS),
            temperature=number(properties.get("landcover:temperature", 1.0)),  # older bundles have none
            class_bias=tuple(map(number, array(properties.get("landcover:class_bias", [])))),
            error_ratios=tuple(map(number, array(properties.get("landcover:error_ratios", [])))),
            parameters=whole(properties["mlm:total_parameters"], 0, MAX_PARAMETERS),
            licence=text(properties["license"], MAX_TEXT),
            dataset=text(properties["landcover:dataset"], MAX_TEXT),
            metrics=mapping(properties["landcover:metrics"]),
            training=mapping(properties["landcover:training"]),
            **further,
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


def further_metadata(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of :class:`BundleMetadata` that items of earlier versions lack.

    Args:
        properties: Properties of a STAC item; empty for a model without one.

    Raises:
        BundleError: if the model needs what this version does not have.
        ValueError: or another of ``DAMAGED``, if a value is malformed.
    """
    _check_requirements(properties)
    readers: dict[str, Callable[[Any], Any]] = {
        "values": ValueStatistics.from_json,
        "ground": GroundSamples.from_json,
        "scaling": BandScaling.from_json,
    }
    found = {name: properties.get(f"landcover:{name}") for name in readers}
    numbers = array(properties.get("landcover:band_numbers", []))
    return {
        "band_numbers": tuple(whole(value, 1, MAX_BAND_NUMBER) for value in numbers),
        **{name: None if value is None else readers[name](value) for name, value in found.items()},
    }


def _data_type(metadata: BundleMetadata) -> str:
    return "uint8" if metadata.scaling is None else "float32"


def _input(metadata: BundleMetadata) -> dict[str, Any]:
    scaling = metadata.scaling or BandScaling(((0.0, 255.0),) * len(metadata.bands))
    means, deviations = scaling.raw(metadata.mean), scaling.raw(metadata.std, spread=True)
    return {
        "name": "chips",
        "bands": list(metadata.bands),
        "input": {
            "shape": [-1, metadata.spec.in_channels, metadata.window, metadata.window],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": _data_type(metadata),
        },
        "value_scaling": [{"type": "z-score", "mean": mean, "stddev": std} for mean, std in zip(means, deviations)],
    }


def _output(metadata: BundleMetadata) -> dict[str, Any]:
    return {
        "name": "land cover",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, metadata.spec.classes, metadata.window, metadata.window],
            "dim_order": ["batch", "classes", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": [
            {"value": c.id, "name": _plain(c), "title": c.name, "color_hint": c.colour[1:]}
            for c in metadata.scheme.classes
        ],
    }


def _check_requirements(properties: dict[str, Any]) -> None:
    """Refuse a model that needs more than this version can: ignoring it would give wrong classes without a word.

    Raises:
        BundleError: naming what it needs.
    """
    unknown = [name for name in map(text, array(properties.get(_REQUIRES, []))) if name not in _ABILITIES]
    if unknown:
        raise BundleError(
            tr("The model needs what this version of the plugin does not have: {names}.", names=joined(unknown)),
            tr("Update the plugin, or choose another model."),
        )


def _spec(value: dict[str, Any]) -> ModelSpec:
    """Return a specification from its JSON; raises one of ``DAMAGED`` if it is malformed."""
    spec = ModelSpec(**value)
    text(spec.architecture)
    whole(spec.in_channels, 1, MAX_BANDS)
    whole(spec.classes, 1, 254)
    mapping(spec.arguments)
    return spec


def _plain(entry: LandCoverClass) -> str:
    """Return a class name in the characters that the STAC classification extension allows."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", entry.name).strip("-") or f"class-{entry.id}"
