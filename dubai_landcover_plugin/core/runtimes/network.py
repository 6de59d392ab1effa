"""The complete network, from chips to class probabilities, as one PyTorch module."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.runtime import VIEWS


class ProbabilityNetwork(nn.Module):
    """Standardization, network, temperature and softmax; with test-time augmentation, the mean over four rotations.

    Batch norms are folded into the preceding convolutions, which saves a pass over memory.

    Args:
        bundle: The model; it is copied.
        tta: Average the probabilities of a chip rotated by 0, 90, 180 and 270 degrees.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, bundle: ModelBundle, tta: bool = False) -> None:
        super().__init__()
        metadata = bundle.metadata
        self.model = fold_norms(copy.deepcopy(bundle.model).eval())
        mean, std = (torch.tensor(values).mul(255.0).view(1, -1, 1, 1) for values in (metadata.mean, metadata.std))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self._temperature = metadata.temperature
        self._views = VIEWS if tta else 1

    def forward(self, chips: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) float32 probabilities for (N, C, H, W) chips."""
        batch = (chips.float() - self.mean) / self.std
        probabilities = self._probabilities(batch, 0)
        for turns in range(1, self._views):
            probabilities = probabilities + self._probabilities(batch, turns)
        return probabilities / self._views if self._views > 1 else probabilities

    def _probabilities(self, batch: torch.Tensor, turns: int) -> torch.Tensor:
        rotated = batch.rot90(turns, (-2, -1)) if turns else batch
        logits = self.model(rotated.contiguous(memory_format=torch.channels_last)).float()
        probabilities = torch.softmax(logits / self._temperature, dim=1)
        return probabilities.rot90(-turns, (-2, -1)) if turns else probabilities


class FeatureNetwork(nn.Module):
    """Standardization and the network up to its last layer: the features that teaching needs.

    Args:
        bundle: The model; it is copied.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, bundle: ModelBundle) -> None:
        super().__init__()
        whole = ProbabilityNetwork(bundle)
        self.model = whole.model
        self.register_buffer("mean", whole.mean)
        self.register_buffer("std", whole.std)

    def forward(self, chips: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the float32 features of each decoder level for (N, C, H, W) chips."""
        batch = ((chips.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return tuple(level.float() for level in self.model.levels(batch))  # type: ignore[operator]


def fold_norms(model: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution defined directly before it, in place, and return the model.

    Source: Jacob et al. 2018, https://doi.org/10.1109/CVPR.2018.00286, section 3.2.

    Args:
        model: The network, in evaluation mode.
    """
    for layer, norm, _ in norms_to_fold(model):
        convolution, batch_norm = model.get_submodule(layer), model.get_submodule(norm)
        _replace(model, layer, fuse_conv_bn_eval(convolution, batch_norm))  # type: ignore[type-var, arg-type]
        _replace(model, norm, nn.Identity())
    return model


def norms_to_fold(model: nn.Module, prefix: str = "") -> list[tuple[str, str, float]]:
    """Return the names of each convolution and the batch norm directly after it, and the eps of the norm.

    Args:
        model: The network. Its modules must apply convolution and norm in the order in which they define them, as all
            networks of this project do.
        prefix: Of the names.
    """
    found: list[tuple[str, str, float]] = []
    before: str | None = None
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm2d) and before is not None:
            found.append((before, prefix + name, child.eps))
        else:
            found += norms_to_fold(child, f"{prefix}{name}.")
        before = prefix + name if isinstance(child, nn.Conv2d) else None
    return found


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
