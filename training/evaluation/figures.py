"""Evaluations: the counts of each image, from which all metrics are computed, also for pooled evaluations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.assessment.confusion import rounded
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import LandCoverError

from ..errors import DatasetError
from .scores import Counts, figures_json

_VERSION = 1


@dataclass(frozen=True, slots=True)
class ImageResult:
    """Result of one image.

    Args:
        name: Name of the image.
        group: Group of the image.
        counts: Pixel counts.
        seconds: Wall time of its segmentation, s.
        place: Place of the image: images at different places have no common ground. Empty for the group.
    """

    name: str
    group: str
    counts: Counts
    seconds: float
    place: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return counts and main metrics, JSON-ready."""
        figures = self.counts.headline()
        return {
            "name": self.name,
            "group": self.group,
            "place": self.place or self.group,
            "pixels": int(self.counts.confusion.counts.sum()),
            "accuracy": rounded(figures["accuracy"]),
            "miou": rounded(figures["miou"]),
            "seconds": round(self.seconds, 2),
            **self.counts.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ImageResult:
        """Rebuild a result from :meth:`to_json`."""
        return cls(
            name=str(value["name"]),
            group=str(value["group"]),
            counts=Counts.from_json(value),
            seconds=float(value["seconds"]),
            place=str(value.get("place", "")),
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluation of a model, or of several models of one recipe, against labels.

    Args:
        models: Name, architecture, SHA-256 and temperature of each model.
        data: Description of the dataset, one sentence.
        split: Description of the selected images.
        settings: Test-time augmentation, device, precision, window, overlap and ``boundary_px``.
        scheme: Classes of the model.
        images: Results of the images, at least one.
        warnings: Warnings of the segmentation.
    """

    models: tuple[dict[str, Any], ...]
    data: str
    split: str
    settings: dict[str, Any]
    scheme: ClassScheme
    images: tuple[ImageResult, ...]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.images:
            raise DatasetError("No image was selected for the evaluation.", "Select at least one.")
        names = [image.name for image in self.images]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DatasetError(
                f"Images occur twice in one evaluation: {', '.join(twice[:5])}.",
                "Pool folds with different validation images.",
            )

    @property
    def names(self) -> list[str]:
        """Names of the classes."""
        return [entry.name for entry in self.scheme.classes]

    def to_json(self) -> dict[str, Any]:
        """Return metrics, intervals and counts, JSON-ready."""
        return {
            "version": _VERSION,
            "models": list(self.models),
            "data": self.data,
            "split": self.split,
            "settings": self.settings,
            "warnings": list(self.warnings),
            "scheme": self.scheme.to_json(),
            **figures_json(
                [image.counts for image in self.images],
                self.names,
                [image.place or image.group for image in self.images],
            ),
            "seconds": round(sum(image.seconds for image in self.images), 1),
            "images": [image.to_json() for image in self.images],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evaluation:
        """Rebuild an evaluation from :meth:`to_json`; metrics are recomputed."""
        return cls(
            models=tuple(value["models"]),
            data=str(value["data"]),
            split=str(value["split"]),
            settings=dict(value["settings"]),
            scheme=ClassScheme.from_json(value["scheme"]),
            images=tuple(map(ImageResult.from_json, value["images"])),
            warnings=tuple(value["warnings"]),
        )


def load_evaluation(path: str | Path) -> Evaluation:
    """Read the JSON file of an evaluation.

    Raises:
        DatasetError: if it cannot be read or is not an evaluation.
    """
    try:
        return Evaluation.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, LandCoverError):
            raise
        raise DatasetError(
            f"{path} is not an evaluation: {type(error).__name__}: {error}.",
            "Give JSON files written by python -m training evaluate --output.",
        ) from error


def pool(parts: Sequence[Evaluation]) -> Evaluation:
    """Return one evaluation of the images of several, such as the folds of a cross-validation.

    Raises:
        DatasetError: if classes or settings differ, or an image occurs twice.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.scheme != first.scheme:
            raise DatasetError(f"The evaluations have different classes: {first.names} and {part.names}.")
        differing = [key for key, value in first.settings.items() if part.settings.get(key) != value]
        if differing:
            listed = ", ".join(f"{key} {first.settings[key]} and {part.settings.get(key)}" for key in differing)
            raise DatasetError(
                f"The evaluations have different settings: {listed}.", "Evaluate with the same settings."
            )
    return Evaluation(
        models=tuple(model for part in parts for model in part.models),
        data=" · ".join(dict.fromkeys(part.data for part in parts)),
        split="Pooled. " + " ".join(dict.fromkeys(part.split for part in parts)),
        settings=first.settings,
        scheme=first.scheme,
        images=tuple(image for part in parts for image in part.images),
        warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.warnings)),
    )
