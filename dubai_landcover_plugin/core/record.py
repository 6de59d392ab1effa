"""The run record: what was asked, with what, and what came out. In the GeoTIFF's tags and as JSON beside it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rasterio

from dubai_landcover_plugin.core import PACKAGES
from dubai_landcover_plugin.core.classes import ClassScheme
from dubai_landcover_plugin.core.errors import ClassSchemeError
from dubai_landcover_plugin.core.model_spec import BundleMetadata
from dubai_landcover_plugin.core.requests.segmentation import SegmentationRequest, SegmentationResult

PLUGIN_VERSION = "0.1.0"


def record_path(output: str | Path) -> Path:
    """Return the path of the run record of a classified raster."""
    output = Path(output)
    return output.with_name(f"{output.stem}.run.json")


def versions() -> dict[str, str]:
    """Return the versions of everything that computes."""
    found = {"dubai_landcover": PLUGIN_VERSION, "python": platform.python_version(), "gdal": rasterio.__gdal_version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def input_identity(path: str) -> dict[str, Any] | None:
    """Return size (bytes) and modification time (s) of an input file; None where it is no local file."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return {"size": status.st_size, "modified": round(status.st_mtime, 3)}


def run_record(request: SegmentationRequest, metadata: BundleMetadata, result: SegmentationResult) -> dict[str, Any]:
    """Return the record of a finished run, JSON-ready."""
    return {
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "request": request.to_json(),
        "input": input_identity(request.input),
        "model": {
            "name": metadata.name,
            "architecture": metadata.spec.architecture,
            "gsd": metadata.gsd,
            "sha256": result.model_hash,
        },
        "versions": versions(),
        "result": result.to_json(),
    }


def class_tags(scheme: ClassScheme) -> dict[str, str]:
    """Return GeoTIFF tags that name the classes, e.g. ``CLASS_4=Building #3C1098``."""
    named = {f"CLASS_{entry.id}": f"{entry.name} {entry.colour}" for entry in scheme.entries}
    return {**named, "UNLABELED_CLASS": str(scheme.unlabeled.id)}


def scheme_from_tags(tags: Mapping[str, str]) -> ClassScheme:
    """Read the classes back from :func:`class_tags`.

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
