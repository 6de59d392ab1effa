"""A training that starts from a model and reads further bands, such as near infrared beside red, green and blue.

The bands of the start keep their filters, and their values reach the network as they reached the start. Filters of
further bands begin with zero, so that the network begins with exactly the result of the start, whatever these bands
hold, and learns what they add, at the rate of new layers; the filters beside them stay as they are. A run compares its
result with that start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from dubai_landcover_plugin.protocol.band_scaling import BandScaling

from ..bands import InputBands
from ..data.band_statistics import standardized
from ..data.dataset import Entry
from ..data.values import are_stretched

_REACH = 2.0  # standard deviations around the mean of files of more than 8 bits that a start of 8 bits sees
_BYTE = (0.0, 255.0)


def has_further(bands: InputBands, start: InputBands) -> bool:
    """Return whether ``bands`` are those of a start, by name, and further ones."""
    return len(bands.names) > len(start.names) and set(start.names) < set(bands.names)


def widened(
    expected: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], start: InputBands, bands: InputBands
) -> dict[str, torch.Tensor]:
    """Return the weights of a start whose first filters, (F, C, K, K), read further bands.

    Args:
        expected: Weights of the network, by name.
        weights: Weights of the start.
        start: Its C bands.
        bands: Bands of the network.
    """
    found = dict(weights)
    if has_further(bands, start):
        inputs = [bands.names.index(name) for name in start.names]
        for name in _first_filters(expected, weights, bands):
            found[name] = torch.zeros_like(expected[name])
            found[name][:, inputs] = weights[name].to(expected[name])
    return found


def train_further(
    model: nn.Module, weights: Mapping[str, torch.Tensor], start: InputBands, bands: InputBands
) -> set[str]:
    """Train the filters of further bands, even of frozen blocks, and keep those of the start's bands.

    Args:
        model: The network.
        weights: Weights of the start.
        start: Its bands.
        bands: Bands of the network.

    Returns:
        Names of the parameters with such filters; empty if there are no further bands.
    """
    if not has_further(bands, start):
        return set()
    parameters = dict(model.named_parameters())
    names = set(_first_filters(parameters, weights, bands))
    for name in names:
        weight = parameters[name].requires_grad_(True)
        is_further = torch.tensor([band not in start.names for band in bands.names]).reshape(1, -1, 1, 1)
        weight.register_hook(lambda gradient, mask=is_further: gradient * mask.to(gradient))  # type: ignore[no-untyped-call]
    return names


def _first_filters(
    expected: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], bands: InputBands
) -> list[str]:
    """Return the names of filters, (F, C, K, K), that differ from those of a start in the number of bands C only."""
    found = []
    for name, value in weights.items():
        wide = expected.get(name)
        if wide is None or wide.ndim != 4 or value.ndim != 4 or wide.shape == value.shape:
            continue
        others = wide.shape[:1] + wide.shape[2:]
        if wide.shape[1] == len(bands.names) and others == value.shape[:1] + value.shape[2:]:
            found.append(name)
    return found


def scaled_with_start(entries: Sequence[Entry], read: InputBands, bands: InputBands, start: InputBands) -> InputBands:
    """Return bands with a scaling: further bands standardized by the training images, the others as the start has them.

    A start that reads rasters stretched to 8 bits gets the values of 8-bit files as they are, and those of other files
    within two standard deviations of their mean.

    Args:
        entries: Training images.
        read: Bands to read, as the configuration has them.
        bands: The same bands with the names that the files give them.
        start: Bands of the start.

    Raises:
        DatasetError: see :func:`.standardized`.
    """
    measured = standardized(entries, read).with_names_of(bands)
    if measured.scaling is None:
        return measured
    limits, mean, std = list(measured.scaling.limits), list(measured.mean), list(measured.std)
    for index, name in enumerate(start.names):
        place = bands.names.index(name)
        if start.scaling is not None:
            limits[place] = start.scaling.limits[index]
        elif are_stretched(entries, _one(read, place)):
            low, high = limits[place]
            middle, spread = (low + mean[place] * (high - low)), std[place] * (high - low)
            limits[place] = max(middle - _REACH * spread, low), middle + _REACH * spread
        else:
            limits[place] = _BYTE
        mean[place], std[place] = start.mean[index], start.std[index]
    scaling = BandScaling(tuple(limits), measured.scaling.units)
    return replace(measured, scaling=scaling, mean=tuple(mean), std=tuple(std))


def _one(bands: InputBands, place: int) -> InputBands:
    """Return a single band, without the second raster, whose type is another one."""
    numbers = bands.numbers[place : place + 1]
    return InputBands((bands.names[place],), numbers, fixed=bands.fixed and bool(numbers))
