"""The model card: what a user should know before trusting a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.model_spec import BundleMetadata
from training.errors import TrainingError


def write_card(path: Path, metadata: BundleMetadata, size: int) -> None:
    """Write a Markdown card for a model file of ``size`` bytes.

    Raises:
        TrainingError: if it cannot be written.
    """
    sections = [
        _overview(metadata, size),
        _data(metadata),
        _metrics(metadata.metrics),
        _limits(metadata),
        _training(metadata.training),
    ]
    try:
        path.write_text("\n\n".join(section for section in sections if section) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"The card {path} cannot be written: {error}.") from error


def _overview(metadata: BundleMetadata, size: int) -> str:
    classes = "\n".join(f"| {entry.id} | {entry.name} | {entry.colour} |" for entry in metadata.scheme.classes)
    return (
        f"# Model card: {metadata.name}\n\n{metadata.title}.\n\n"
        f"- Architecture: `{metadata.spec.architecture}`, {metadata.parameters:,} weights, "
        f"file of {size / 1e6:.1f} MB\n"
        f"- Input: {', '.join(metadata.bands)}, 8 bit, about {metadata.gsd:g} m per pixel, "
        f"windows of {metadata.window} px (multiples of {metadata.stride} px)\n"
        f"- Licence: {metadata.licence}\n\n| id | class | colour |\n|---|---|---|\n{classes}"
    )


def _data(metadata: BundleMetadata) -> str:
    encoder = metadata.training.get("encoder")
    pretraining = f"\n\nThe encoder started from: {encoder}." if encoder else ""
    scenes = metadata.training.get("config", {}).get("data", {}).get("scene_share", 0)
    synthetic = f"\n\n{scenes:.0%} of the training chips come from synthetic scenes." if scenes else ""
    return (
        f"## Data\n\n{metadata.dataset}. Eight tiles of Dubai; images without a mask were left out, and pixels drawn "
        "as Unlabeled or black did not count. The ground sampling distance is an estimate, the images carry no "
        f"position.{synthetic}{pretraining}"
    )


def _metrics(figures: dict[str, Any]) -> str:
    if not figures:
        return ""
    rows = "\n".join(
        f"| {name} | {_text(entry['iou'])} | {_text(entry['precision'])} | {_text(entry['recall'])} |"
        for name, entry in figures["classes"].items()
    )
    return (
        f"## Metrics\n\n{figures['split']}\n\n"
        f"{figures['pixels'] / 1e6:.1f} million labelled pixels, whole images, no test-time augmentation: "
        f"pixel accuracy {_text(figures['accuracy'])}, mean IoU {_text(figures['miou'])}.\n\n"
        "| class | IoU | precision | recall |\n|---|---|---|---|\n"
        f"{rows}\n| mean | {_text(figures['miou'])} | {_text(figures['mean_precision'])} | "
        f"{_text(figures['mean_recall'])} |\n\n{_confusions(figures)}"
    )


def _confusions(figures: dict[str, Any]) -> str:
    """Name, for each class, where most of its missed pixels went."""
    names = list(figures["classes"])
    sentences = []
    for row, name in zip(figures["confusion"], names, strict=True):
        labelled = sum(row)
        wrong = {other: count for other, count in zip(names, row, strict=True) if other != name and count}
        if labelled and wrong:
            other = max(wrong, key=lambda key: wrong[key])
            sentences.append(f"- {wrong[other] / labelled:.0%} of the pixels labelled {name} were called {other}")
    return "Most frequent confusion of each class:\n\n" + "\n".join(sentences) if sentences else ""


def _limits(metadata: BundleMetadata) -> str:
    return (
        "## Limits\n\nThe labels are coarse: whole blocks are drawn as Building, gardens and yards inside them too, "
        "and some borders break where images meet. The model inherits that. It has seen one desert city in one set "
        "of images; other climates, seasons and sensors will give worse results. Resample imagery whose pixels are "
        f"much finer or coarser than {metadata.gsd:g} m."
    )


def _training(training: dict[str, Any]) -> str:
    if not training:
        return ""
    lines = [f"{training['steps']} steps in {training['minutes']} min, torch {training['torch']}."]
    if training.get("command"):
        lines.append(f"```\n{training['command']}\n```")
    return "## Training\n\n" + "\n\n".join(lines)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
