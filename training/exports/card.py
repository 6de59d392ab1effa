"""The model card: what a user should know before trusting a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata, read_metadata

from ..errors import TrainingError
from ..evaluation.text import class_table, headline_table, with_interval

_CARD_HEAD = "# Model card:"
_SLIGHT = 0.005  # a mean excess of confidence that is not worth a word
_DUBAI_MARK = "Mohammed Bin Rashid Space Centre"
_DUBAI_DATA = (
    "Eight tiles of Dubai; images without a mask were left out, and pixels drawn as Unlabeled or black did not count. "
    "The ground sampling distance is an estimate, the images carry no position."
)
_DUBAI_LIMITS = (
    "The labels are coarse: whole blocks are drawn as Building, gardens and yards inside them too, and some borders "
    "break where images meet. The model inherits that. It has seen one desert city in one set of images; other "
    "climates, seasons and sensors will give worse results."
)


def write_card(path: Path, metadata: BundleMetadata, size: int) -> None:
    """Write a Markdown card for a model file of ``size`` bytes.

    Raises:
        OutputError: if it cannot be written.
    """
    sections = [
        _overview(metadata, size),
        _data(metadata),
        _metrics(metadata),
        _calibration(metadata),
        _int8(metadata.training.get("int8") or {}),
        _confusions(metadata.metrics),
        _limits(metadata),
        _training(metadata.training),
        _terms(metadata),
    ]
    write_text(path, "\n\n".join(section for section in sections if section) + "\n", make_folders=True)


def check_card(path: Path) -> None:
    """Refuse to write a card over a person's own text, such as the notes that are to go into it.

    Raises:
        TrainingError: if there is a file that is no card.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as stream:
            is_card = stream.read(len(_CARD_HEAD)) == _CARD_HEAD.encode()
    except OSError:
        is_card = False
    if not is_card:
        raise TrainingError(f"The card goes to {path}, but that is another text.", "Rename it or the model.")


def rewrite_card(model: str | Path) -> Path:
    """Write the card of a bundle anew, from what the bundle says of itself, and return its path.

    Raises:
        TrainingError: if the file is no bundle.
        OutputError: if the card cannot be written.
        BundleError: if the bundle cannot be read.
    """
    model = Path(model)
    if model.suffix != BUNDLE_SUFFIX:
        raise TrainingError(f"Cards are made for {BUNDLE_SUFFIX} files, got '{model.name}'.")
    metadata = read_metadata(model)
    card = model.with_suffix(".md")
    write_card(card, metadata, model.stat().st_size)
    return card


def _overview(metadata: BundleMetadata, size: int) -> str:
    classes = "\n".join(f"| {entry.id} | {entry.name} | {entry.colour} |" for entry in metadata.scheme.classes)
    return (
        f"{_CARD_HEAD} {metadata.name}\n\n{metadata.title}.\n\n"
        f"- Architecture: `{metadata.spec.architecture}`, {metadata.parameters:,} weights, "
        f"file of {size / 1e6:.1f} MB\n"
        f"- Input: {', '.join(metadata.bands)}, 8 bit, about {metadata.gsd:g} m per pixel, "
        f"windows of {metadata.window} px (multiples of {metadata.stride} px)\n"
        f"- Licence: {metadata.licence}\n\n| id | class | colour |\n|---|---|---|\n{classes}"
    )


def _data(metadata: BundleMetadata) -> str:
    training = metadata.training
    paragraphs = [f"{metadata.dataset or 'The data were not described'}."]
    if _DUBAI_MARK in metadata.dataset:
        paragraphs[0] += f" {_DUBAI_DATA}"
    if training.get("split"):
        paragraphs.append(f"Split of the training: {training['split']}")
    scenes = training.get("config", {}).get("data", {}).get("scene_share", 0)
    if scenes:
        paragraphs.append(f"{scenes:.0%} of the training chips come from synthetic scenes.")
    if training.get("started_from"):
        paragraphs.append(f"Training started from the weights of {training['started_from']}, as far as they fit.")
    elif training.get("encoder"):
        paragraphs.append(f"The encoder started from: {training['encoder']}.")
    return "## Data\n\n" + "\n\n".join(paragraphs)


def _metrics(metadata: BundleMetadata) -> str:
    figures = metadata.metrics
    if "classes" not in figures:
        return ""
    augmented = (figures.get("settings") or {}).get("tta", False)
    how = f"{'with' if augmented else 'without'} test-time augmentation"
    pixels = f"On {figures['pixels'] / 1e6:.1f} million labelled pixels, {how}:" if "pixels" in figures else ""
    paragraphs = [figures.get("split", ""), pixels, headline_table(figures), class_table(figures)]
    if figures.get("intervals"):
        paragraphs.append(
            "In brackets: 95 % intervals by bootstrap over images. Images of one place are alike, so for a new place "
            "expect more spread than that."
        )
    return "## Metrics\n\n" + "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _calibration(metadata: BundleMetadata) -> str:
    error, temperature = metadata.metrics.get("ece"), metadata.temperature
    fitted = metadata.training.get("calibration") or {}
    if error is None and temperature == 1 and not fitted:
        return ""
    sentences = ["The confidence is as the network gives it (temperature 1)."]
    if temperature != 1:
        sentences = [
            f"Logits are divided by a temperature of {temperature:.3f} before the softmax; classes do not change by it."
        ]
    if fitted.get("ece"):
        before, after = fitted["ece"]
        sentences.append(
            f"Fitting it lowered the expected calibration error from {before:.3f} to {after:.3f}"
            f" ({fitted.get('pixels', 0):,} pixels). {fitted.get('images', '')}".rstrip()
        )
    if error is not None:
        excess = metadata.metrics.get("excess_confidence")
        tendency = ""
        if excess is not None and abs(excess) >= _SLIGHT:
            tendency = f"; on average it is {abs(excess):.3f} too {'sure' if excess > 0 else 'unsure'} of itself"
        sentences.append(
            "In the evaluation above the expected calibration error is "
            f"{with_interval(error, _interval(metadata))}{tendency}."
        )
    return "## Calibration\n\n" + " ".join(sentences)


def _interval(metadata: BundleMetadata) -> list[float | None] | None:
    interval: list[float | None] | None = (metadata.metrics.get("intervals") or {}).get("ece")
    return interval


def _int8(parity: dict[str, Any]) -> str:
    if not parity:
        return ""
    return (
        "## In 8 bit\n\nThe file holds the network in 8 bit too, for `--precision int8`. On "
        f"{parity['pixels'] / 1e6:.1f} million pixels ({parity['chips']}) {100 * parity['agreement']:.2f} % of the "
        "classes are those of 32 bit."
    )


def _confusions(figures: dict[str, Any]) -> str:
    """Name, for each class, where most of its missed pixels went."""
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
            sentences.append(f"- {wrong[other] / labelled:.0%} of the pixels labelled {name} were called {other}")
    listed = "\n".join(sentences)
    return f"## What it confuses\n\nMost frequent confusion of each class:\n\n{listed}" if sentences else ""


def _limits(metadata: BundleMetadata) -> str:
    paragraphs = [_DUBAI_LIMITS] if _DUBAI_MARK in metadata.dataset else []
    paragraphs.append(
        f"Resample imagery whose pixels are much finer or coarser than {metadata.gsd:g} m; this project's tools do so "
        "by themselves where the raster says its pixel size."
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
        "Agreement of the file's 16-bit weights with the checkpoint": _parity(training.get("parity")),
    }
    paragraphs = ["\n".join(f"- {what}: {text}" for what, text in facts.items() if text)]
    if training.get("command"):
        paragraphs.append(f"```\n{training['command']}\n```")
    told = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return f"## Training\n\n{told}" if told else ""


def _parity(parity: dict[str, Any] | None) -> str:
    if not parity:
        return ""
    return (
        f"{100 * parity['agreement']:.2f} % of {parity['pixels'] / 1e6:.2g} million pixels in the same class, largest "
        f"difference of a probability {parity['deviation']:g} ({parity['chips']})"
    )


def _terms(metadata: BundleMetadata) -> str:
    sentences = [f"The weights are under {metadata.licence}."]
    if metadata.training.get("encoder"):
        sentences.append("They started from encoder weights under Apache-2.0 and keep that notice.")
    if _DUBAI_MARK in metadata.dataset:
        sentences.append("The images and labels are in the public domain (CC0 1.0).")
    return "## Terms\n\n" + " ".join(sentences)
