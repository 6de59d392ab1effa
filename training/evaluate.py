"""How well a model agrees with the labels, image by image as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from dubai_landcover_plugin.core.accuracy import IGNORE, Confusion
from dubai_landcover_plugin.core.bundle import load_bundle
from dubai_landcover_plugin.core.classes import ClassScheme
from dubai_landcover_plugin.core.preprocessing import Standardize
from training.data import LabelledImage, find_pairs, load_image
from training.errors import DatasetError


def predict_labels(model: nn.Module, standardize: Standardize, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for an (H, W, 3) uint8 image in one forward pass."""
    device = next(model.parameters()).device
    chip = torch.tensor(pixels).permute(2, 0, 1)[None].to(device)  # (1, 3, H, W)
    with torch.inference_mode():
        logits = model(standardize(chip).contiguous(memory_format=torch.channels_last))
    channels: npt.NDArray[np.uint8] = logits[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
    return channels


def evaluate_images(
    model: nn.Module, standardize: Standardize, images: Iterable[LabelledImage], classes: int
) -> dict[str, Confusion]:
    """Return the confusion matrix of each image, by name; the model's mode is restored."""
    was_training = model.training
    model.eval()
    results = {}
    for image in images:
        predicted = predict_labels(model, standardize, image.pixels)
        results[image.name] = Confusion.of(image.labels, predicted, classes)
    model.train(was_training)
    return results


def total(results: dict[str, Confusion], classes: int) -> Confusion:
    """Return the sum over all images."""
    return sum(results.values(), start=Confusion.empty(classes))


def colour(channels: npt.NDArray[np.uint8], scheme: ClassScheme) -> npt.NDArray[np.uint8]:
    """Return an (H, W, 3) uint8 picture of (H, W) channel indices; ignored pixels are grey."""
    table = np.full((256, 3), scheme.unlabeled.rgb, np.uint8)
    table[: len(scheme.classes)] = [entry.rgb for entry in scheme.classes]
    table[IGNORE] = scheme.unlabeled.rgb
    return table[channels]


def draw_comparison(
    path: str | Path, image: LabelledImage, predicted: npt.NDArray[np.uint8], scheme: ClassScheme
) -> None:
    """Write image, labels and prediction side by side as a PNG."""
    panels = [image.pixels, colour(image.labels, scheme), colour(predicted, scheme)]
    Image.fromarray(np.concatenate(panels, axis=1)).save(path)


def evaluate_bundle(
    model: str,
    root: str | Path,
    tiles: Sequence[int] | None = None,
    output: str | Path | None = None,
    pictures: str | Path | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Compare a model file with the labels below ``root`` and return the figures, pooled over all images.

    Args:
        model: Model file, or name of an installed one.
        root: Folder of the dataset.
        tiles: Tiles to look at; None for all.
        output: JSON file for the figures, or None.
        pictures: Folder for a PNG of each image, its labels and the prediction, or None.
        say: Receives one line for each image and the figures.

    Raises:
        BundleError: if the model cannot be loaded.
        DatasetError: if there is no labelled image in those tiles.
    """
    bundle = load_bundle(model)
    standardize = Standardize(bundle.metadata.mean, bundle.metadata.std)
    classes = len(bundle.metadata.scheme.classes)
    pairs = [pair for pair in find_pairs(root) if pair.mask is not None and (not tiles or pair.tile in tiles)]
    if not pairs:
        raise DatasetError(f"There is no labelled image in tiles {list(tiles or [])} of {root}.")
    results = {}
    for pair in pairs:
        image = load_image(pair, bundle.metadata.scheme)
        predicted = predict_labels(bundle.model, standardize, image.pixels)
        results[pair.name] = Confusion.of(image.labels, predicted, classes)
        say(f"{pair.name}: accuracy {results[pair.name].accuracy:.3f}")
        if pictures is not None:
            Path(pictures).mkdir(parents=True, exist_ok=True)
            draw_comparison(
                Path(pictures) / f"{pair.name.replace('/', '_')}.png", image, predicted, bundle.metadata.scheme
            )
    figures = total(results, classes).to_json([entry.name for entry in bundle.metadata.scheme.classes])
    text = json.dumps(figures, indent=2)
    say(text)
    if output is not None:
        Path(output).write_text(text, encoding="utf-8")
    return figures
