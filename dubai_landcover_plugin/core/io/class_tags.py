"""Class names and colours, and the error ratios of a model, as tags of a GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.model_metadata import MAX_ERROR_RATIO

_ERROR_RATIOS = "ERROR_RATIOS"


def class_tags(scheme: ClassScheme) -> dict[str, str]:
    """Return tags that name the classes, e.g. ``CLASS_4=Building #3C1098``."""
    named = {f"CLASS_{entry.id}": f"{entry.name} {entry.colour}" for entry in scheme.entries}
    return {**named, "UNLABELED_CLASS": str(scheme.unlabeled.id)}


def error_ratio_tags(scheme: ClassScheme, ratios: Sequence[float]) -> dict[str, str]:
    """Return the tag for the error ratios of classes, e.g. ``ERROR_RATIOS=1:0.9 2:1.4``; none without them."""
    listed = (f"{entry.id}:{ratio:.4g}" for entry, ratio in zip(scheme.classes, ratios, strict=False))
    return {_ERROR_RATIOS: " ".join(listed)} if ratios else {}


def error_ratios_from_tags(tags: Mapping[str, str]) -> dict[int, float]:
    """Return the error ratio of each class id that :func:`error_ratio_tags` described; none if missing or damaged."""
    ratios = {}
    for part in tags.get(_ERROR_RATIOS, "").split():
        key, _, value = part.partition(":")
        try:
            ratios[int(key)] = float(value)
        except ValueError:
            return {}
    return ratios if all(0 < ratio <= MAX_ERROR_RATIO for ratio in ratios.values()) else {}


def scheme_from_tags(tags: Mapping[str, str]) -> ClassScheme:
    """Return the classes that :func:`class_tags` described.

    Raises:
        ClassSchemeError: if the tags are missing or damaged.
    """
    entries = []
    for key, value in tags.items():
        if key.startswith("CLASS_") and key[6:].isdigit():
            name, _, colour = value.rpartition(" ")
            entries.append({"id": int(key[6:]), "name": name, "colour": colour})
    entries.sort(key=lambda entry: int(str(entry["id"])))
    if len(entries) < 2:
        raise ClassSchemeError("The raster has no class names.", "Use a raster made by Segment Land Cover.")
    last = str(tags.get("UNLABELED_CLASS", entries[-1]["id"]))
    unlabeled = next((entry for entry in entries if str(entry["id"]) == last), entries[-1])
    return ClassScheme.from_json(
        {"classes": [entry for entry in entries if entry is not unlabeled], "unlabeled": unlabeled}
    )
