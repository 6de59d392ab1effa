"""The outcome of an evaluation: the counts of each image, from which every figure follows, also of several pooled."""

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
    """One image.

    Args:
        name: Of the image.
        group: The place it belongs to.
        counts: What was counted in it.
        seconds: Wall time of its segmentation.
    """

    name: str
    group: str
    counts: Counts
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the counts and what is worth reading of them, JSON-ready."""
        figures = self.counts.headline()
        return {
            "name": self.name,
            "group": self.group,
            "pixels": int(self.counts.confusion.counts.sum()),
            "accuracy": rounded(figures["accuracy"]),
            "miou": rounded(figures["miou"]),
            "seconds": round(self.seconds, 2),
            **self.counts.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ImageResult:
        """Rebuild a result from :meth:`to_json`."""
        return cls(str(value["name"]), str(value["group"]), Counts.from_json(value), float(value["seconds"]))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model, or several of one recipe, compared with labels.

    Args:
        models: Name, architecture, SHA-256 and temperature of each.
        data: The dataset in one sentence.
        split: How the images were chosen, in words.
        settings: How they were segmented: test-time augmentation, device, precision, window, overlap; ``boundary_px``.
        scheme: Classes of the model.
        images: At least one.
        warnings: What the runs warned of.
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
            raise DatasetError("There is nothing to evaluate: no image was chosen.", "Choose at least one.")
        names = [image.name for image in self.images]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DatasetError(
                f"Images occur twice in one evaluation: {', '.join(twice[:5])}.",
                "Pool folds whose validation images differ.",
            )

    @property
    def names(self) -> list[str]:
        """Names of the classes."""
        return [entry.name for entry in self.scheme.classes]

    def to_json(self) -> dict[str, Any]:
        """Return figures, intervals and counts, JSON-ready."""
        return {
            "version": _VERSION,
            "models": list(self.models),
            "data": self.data,
            "split": self.split,
            "settings": self.settings,
            "warnings": list(self.warnings),
            "scheme": self.scheme.to_json(),
            **figures_json([image.counts for image in self.images], self.names),
            "seconds": round(sum(image.seconds for image in self.images), 1),
            "images": [image.to_json() for image in self.images],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evaluation:
        """Rebuild an evaluation from :meth:`to_json`; figures are computed anew."""
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
        DatasetError: if it cannot be read or holds something else.
    """
    try:
        return Evaluation.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, LandCoverError):
            raise
        raise DatasetError(
            f"{path} is no evaluation: {type(error).__name__}: {error}.",
            "Give files that python -m training evaluate --output has written.",
        ) from error


def pool(parts: Sequence[Evaluation]) -> Evaluation:
    """Return one evaluation of all images, such as those of the folds of a cross-validation.

    Raises:
        DatasetError: if classes or settings differ, or an image occurs twice.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.scheme != first.scheme:
            raise DatasetError(f"The evaluations know other classes: {first.names} and {part.names}.")
        differing = [key for key, value in first.settings.items() if part.settings.get(key) != value]
        if differing:
            told = ", ".join(f"{key} {first.settings[key]} and {part.settings.get(key)}" for key in differing)
            raise DatasetError(f"The evaluations were made in different ways: {told}.", "Make them in one way.")
    return Evaluation(
        models=tuple(model for part in parts for model in part.models),
        data=" · ".join(dict.fromkeys(part.data for part in parts)),
        split="Pooled. " + " ".join(dict.fromkeys(part.split for part in parts)),
        settings=first.settings,
        scheme=first.scheme,
        images=tuple(image for part in parts for image in part.images),
        warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.warnings)),
    )
