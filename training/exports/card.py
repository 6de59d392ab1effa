"""Writes model cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, PRECISION_METRICS, BundleMetadata
from dubai_landcover_plugin.protocol.translation import english, tr

from ..errors import TrainingError
from ..evaluation.text import (
    bias_list,
    class_table,
    headline_table,
    interval_note,
    intervals_of,
    precision_rows,
    with_interval,
)
from ..loop.comparison import describe_comparison

_CARD_HEAD = "# Model card:"
_SLIGHT = 0.005  # mean overconfidence below which it is not mentioned
_DUBAI_MARK = "Mohammed Bin Rashid Space Centre"
_DUBAI_DATA = (
    "Eight tiles of Dubai. Images without a mask were not used; Unlabeled and black pixels were ignored. The ground "
    "sampling distance is an estimate, because the images are not georeferenced."
)
_DUBAI_LIMITS = (
    "The labels are coarse: whole blocks, including gardens and yards, are labelled Building, and some borders are "
    "discontinuous between images. The model reproduces this. It was trained on one desert city and one set of images; "
    "expect lower accuracy in other climates, seasons and with other sensors."
)


def write_card(path: Path, metadata: BundleMetadata, size: int) -> None:
    """Write the model card of a model file of ``size`` bytes as Markdown.

    Raises:
        OutputError: if it cannot be written.
    """
    with english():  # as the other texts of the model's file
        sections = [
            _overview(metadata, size),
            _data(metadata),
            _metrics(metadata),
            _calibration(metadata),
            _int8(metadata.training.get("int8") or {}),
            _precisions(metadata.metrics.get(PRECISION_METRICS) or {}),
            _confusions(metadata.metrics),
            _limits(metadata),
            _training(metadata.training),
            _terms(metadata),
        ]
    write_text(path, "\n\n".join(section for section in sections if section) + "\n", make_folders=True)


def check_card(path: Path) -> None:
    """Check that a card would not replace another text, such as the notes to be included in it.

    Raises:
        TrainingError: if the file exists and is not a model card.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as stream:
            is_card = stream.read(len(_CARD_HEAD)) == _CARD_HEAD.encode()
    except OSError:
        is_card = False
    if not is_card:
        raise TrainingError(
            tr("The card would replace {path}, which is not a model card.", path=path),
            tr("Rename that file or the model."),
        )


def rewrite_card(model: str | Path) -> Path:
    """Rewrite the card of a bundle from its metadata and return the path of the card.

    Raises:
        TrainingError: if the file is not a bundle.
        OutputError: if the card cannot be written.
        BundleError: if the bundle cannot be read.
    """
    model = Path(model)
    if model.suffix != BUNDLE_SUFFIX:
        raise TrainingError(f"Cards are written for {BUNDLE_SUFFIX} files, got '{model.name}'.")
    metadata = read_metadata(model)
    card = model.with_suffix(".md")
    write_card(card, metadata, model.stat().st_size)
    return card


def _overview(metadata: BundleMetadata, size: int) -> str:
    classes = "\n".join(f"| {entry.id} | {entry.name} | {entry.colour} |" for entry in metadata.scheme.classes)
    return (
        f"{_CARD_HEAD} {metadata.name}\n\n{metadata.title}.\n\n"
        f"- Architecture: `{metadata.spec.architecture}`, {metadata.parameters:,} parameters, "
        f"{size / 1e6:.1f} MB\n"
        f"- Input: {_bands(metadata)}, {_scaling(metadata)}, ground sampling distance of about {metadata.gsd:g} m, "
        f"windows of {metadata.window} px (multiples of {metadata.stride} px)\n"
        f"- Licence: {metadata.licence}\n\n| id | class | colour |\n|---|---|---|\n{classes}"
    )


def _scaling(metadata: BundleMetadata) -> str:
    if metadata.scaling is None:
        return "8 bit"
    return f"of any type, scaled as the training rasters ({metadata.scaling.describe(metadata.bands)})"


def _bands(metadata: BundleMetadata) -> str:
    numbers = ", ".join(map(str, metadata.band_numbers))
    return ", ".join(metadata.bands) + (f" (bands {numbers} of the training rasters)" if numbers else "")


def _data(metadata: BundleMetadata) -> str:
    training = metadata.training
    sources = _sources(metadata)
    paragraphs = [f"{metadata.dataset.rstrip('.') or 'The training data are not described'}."]
    if sources:
        paragraphs = ["Sources, with their share of the training chips and the terms of images and labels:", sources]
    elif _is_dubai(metadata):
        paragraphs[0] += f" {_DUBAI_DATA}"
    if training.get("split"):
        paragraphs.append(f"Split: {training['split']}")
    scenes = training.get("config", {}).get("data", {}).get("scene_share", 0)
    if scenes:
        paragraphs.append(f"{scenes:.0%} of the training chips are from synthetic scenes.")
    if training.get("started_from"):
        paragraphs.append(f"Training started from the weights of {training['started_from']} that fit the network.")
        if training.get("start"):
            paragraphs.append(describe_comparison(training["start"]))
    if training.get("encoder"):
        paragraphs.append(f"The encoder was initialized with: {training['encoder']}.")
    return "## Data\n\n" + "\n\n".join(paragraphs)


def _sources(metadata: BundleMetadata) -> str:
    """Return the sources of the training as a Markdown list; empty without ``[[sources]]``."""
    sources = metadata.training.get("config", {}).get("sources") or ()
    total = sum(source["weight"] for source in sources)
    return "\n".join(
        f"- {source['name']} ({source['weight'] / total:.0%}): {source['terms'] or 'terms not stated'}"
        for source in sources
    )


def _is_dubai(metadata: BundleMetadata) -> bool:
    """Return whether the Dubai dataset was the only training data."""
    return _DUBAI_MARK in metadata.dataset and not metadata.training.get("config", {}).get("sources")


def _metrics(metadata: BundleMetadata) -> str:
    figures = metadata.metrics
    if "classes" not in figures:
        return ""
    augmented = (figures.get("settings") or {}).get("tta", False)
    how = f"{'with' if augmented else 'without'} test-time augmentation"
    pixels = f"On {figures['pixels'] / 1e6:.1f} million labelled pixels, {how}:" if "pixels" in figures else ""
    paragraphs = [figures.get("split", ""), pixels, headline_table(figures), class_table(figures)]
    if figures.get("places"):
        paragraphs.append(interval_note(figures))
    return "## Metrics\n\n" + "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _calibration(metadata: BundleMetadata) -> str:
    error, temperature = metadata.metrics.get("ece"), metadata.temperature
    fitted = metadata.training.get("calibration") or {}
    if error is None and temperature == 1 and not metadata.class_bias and not fitted:
        return ""
    sentences = ["The confidence is not rescaled (temperature 1)."]
    if temperature != 1:
        sentences = [
            f"Logits are divided by a temperature of {temperature:.3f} before the softmax; classes do not change."
        ]
    if metadata.class_bias:
        listed = bias_list(metadata)
        sentences.append(f"The last layer includes a bias of each class in the logits before that: {listed}.")
    sentences += _fitted(fitted)
    if error is not None:
        excess = metadata.metrics.get("excess_confidence")
        tendency = ""
        if excess is not None and abs(excess) >= _SLIGHT:
            tendency = f"; the mean confidence is {abs(excess):.3f} {'above' if excess > 0 else 'below'} the accuracy"
        sentences.append(
            "In the evaluation above the expected calibration error is "
            f"{with_interval(error, _interval(metadata))}{tendency}."
        )
    return "## Calibration\n\n" + " ".join(sentences)


def _fitted(fitted: dict[str, Any]) -> list[str]:
    """Return sentences on the fit of the calibration; none without its figures."""
    if not fitted.get("ece"):
        return [f"Fitted on: {fitted['images']}"] if fitted.get("images") else []
    before, after = fitted["ece"]
    how = f"{fitted.get('pixels', 0):,} pixels" + (f", {fitted['kept_out']}" if fitted.get("kept_out") else "")
    changes = [f"the expected calibration error from {before:.3f} to {after:.3f}"]
    changes += [
        f"the {label} from {fitted[key][0]:.3f} to {fitted[key][1]:.3f}"
        for key, label in (("accuracy", "accuracy"), ("miou", "mean IoU"))
        if fitted.get("class_bias") and None not in fitted.get(key, [None])
    ]
    return [f"The fit changed {', '.join(changes)} ({how}). {fitted.get('images', '')}".rstrip()]


def _interval(metadata: BundleMetadata) -> list[float | None] | None:
    interval: list[float | None] | None = intervals_of(metadata.metrics).get("ece")
    return interval


def _int8(parity: dict[str, Any]) -> str:
    if not parity:
        return ""
    return (
        "## 8-bit form\n\nThe file also contains the network in 8 bit, for `--precision int8`. Its classes agree with "
        f"those of 32 bit on {100 * parity['agreement']:.2f} % of {parity['pixels'] / 1e6:.1f} million pixels "
        f"({parity['chips']})."
    )


def _precisions(measured: dict[str, Any]) -> str:
    if not measured:
        return ""
    emulated = " bfloat16 was computed by rounding to it in float32." if measured["emulated"] else ""
    return f"## Precisions\n\nOn {', '.join(measured['images'])}.{emulated}\n\n" + "\n".join(precision_rows(measured))


def _confusions(figures: dict[str, Any]) -> str:
    """Return the most frequent confusion of each labelled class."""
    names = list(figures.get("classes", {}))
    rows = figures.get("confusion", [])
    if not names or len(rows) != len(names):
        return ""
    sentences = []
    for row, name in zip(rows, names, strict=True):
        labelled = sum(row)
        wrong = {other: count for other, count in zip(names, row, strict=True) if other != name and count}
        if labelled and wrong:
            other = max(wrong, key=lambda key: wrong[key])
            sentences.append(f"- {wrong[other] / labelled:.0%} of the pixels labelled {name} are predicted as {other}")
    listed = "\n".join(sentences)
    return f"## Confusions\n\nMost frequent confusion of each class:\n\n{listed}" if sentences else ""


def _limits(metadata: BundleMetadata) -> str:
    paragraphs = [_DUBAI_LIMITS] if _is_dubai(metadata) else []
    paragraphs.append(
        f"Resample imagery whose pixel size differs much from {metadata.gsd:g} m; the tools of this project do so for "
        "rasters with a known pixel size."
    )
    if metadata.training.get("notes"):
        paragraphs.append(metadata.training["notes"])
    return "## Limits and observations\n\n" + "\n\n".join(paragraphs)


def _training(training: dict[str, Any]) -> str:
    facts = {
        "Length": f"{training['steps']} steps in {training['minutes']} min" if "steps" in training else "",
        "Hardware": training.get("machine", ""),
        "Commit": training.get("commit", ""),
        "Exported": ", ".join(
            training[key] for key in ("finished", "export_machine", "export_commit") if training.get(key)
        ),
        "Agreement of the stored weights with the checkpoint": _parity(training.get("parity")),
    }
    paragraphs = ["\n".join(f"- {label}: {text}" for label, text in facts.items() if text)]
    if training.get("command"):
        paragraphs.append(f"```\n{training['command']}\n```")
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return f"## Training\n\n{text}" if text else ""


def _parity(parity: dict[str, Any] | None) -> str:
    if not parity:
        return ""
    return (
        f"same class for {100 * parity['agreement']:.2f} % of {parity['pixels'] / 1e6:.2g} million pixels, largest "
        f"difference of a probability {parity['deviation']:g} ({parity['chips']})"
    )


def _terms(metadata: BundleMetadata) -> str:
    sentences = [f"Licence of the weights: {metadata.licence}."]
    if metadata.training.get("encoder"):
        sentences.append("The initial encoder weights are under Apache-2.0, whose notice applies.")
    if _is_dubai(metadata):
        sentences.append("The images and labels are in the public domain (CC0 1.0).")
    return "## Terms\n\n" + " ".join(sentences)
