"""Registry of architectures; builds networks from their specifications."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from dubai_landcover_plugin.core.networks.layers import SegmentationModel
from dubai_landcover_plugin.protocol.errors import ModelError
from dubai_landcover_plugin.protocol.json_values import DAMAGED
from dubai_landcover_plugin.protocol.model_metadata import ModelSpec

_Model = TypeVar("_Model", bound=type[SegmentationModel])
_ARCHITECTURES: dict[str, type[SegmentationModel]] = {}


def register(name: str) -> Callable[[_Model], _Model]:
    """Return a class decorator that registers an architecture under ``name``.

    The class takes ``in_channels``, ``classes`` and further keyword arguments.

    Raises:
        ModelError: if the name is already registered.
    """

    def remember(model: _Model) -> _Model:
        if name in _ARCHITECTURES:
            raise ModelError(f"The architecture '{name}' is already registered.")
        _ARCHITECTURES[name] = model
        return model

    return remember


def architectures() -> tuple[str, ...]:
    """Return the names of the registered architectures, sorted."""
    return tuple(sorted(_ARCHITECTURES))


def build_model(spec: ModelSpec) -> SegmentationModel:
    """Return a newly initialised network, in training mode.

    Raises:
        ModelError: if the architecture or one of its arguments is unknown, or a value is invalid.
    """
    if spec.architecture not in _ARCHITECTURES:
        raise ModelError(
            f"There is no architecture '{spec.architecture}'.", f"Choose one of: {', '.join(architectures())}."
        )
    architecture = _ARCHITECTURES[spec.architecture]
    signature = inspect.signature(architecture)
    unknown = sorted(set(spec.arguments) - (set(signature.parameters) - {"in_channels", "classes"}))
    if unknown:
        known = ", ".join(name for name in signature.parameters if name not in ("in_channels", "classes"))
        raise ModelError(f"{spec.architecture} does not take {', '.join(unknown)}.", f"It takes: {known}.")
    try:
        return architecture(in_channels=spec.in_channels, classes=spec.classes, **spec.arguments)
    except (*DAMAGED, RuntimeError) as error:  # RuntimeError: sizes that PyTorch cannot represent
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{spec.architecture} cannot be built from {spec.to_json()!s:.500}: {error}.") from error
