"""Class names and colours as tags of a GeoTIFF.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from collections.abc import Mapping

from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import tr


def class_tags(scheme: ClassScheme) -> dict[str, str]:
    """Return tags that name the classes, e.g. ``CLASS_4=Building #3C1098``."""
    named = {f"CLASS_{entry.id}": f"{entry.name} {entry.colour}" for entry in scheme.entries}
    return {**named, "UNLABELED_CLASS": str(scheme.unlabeled.id)}


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
        raise ClassSchemeError(tr("The raster has no class names."), tr("Use a raster made by Segment Land Cover."))
    last = str(tags.get("UNLABELED_CLASS", entries[-1]["id"]))
    unlabeled = next((entry for entry in entries if str(entry["id"]) == last), entries[-1])
    return ClassScheme.from_json(
        {"classes": [entry for entry in entries if entry is not unlabeled], "unlabeled": unlabeled}
    )
