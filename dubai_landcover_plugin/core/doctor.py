"""What is installed, what is missing, and what to do about it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.errors import BundleError, DeviceError
from dubai_landcover_plugin.core.model_spec import installed_models, model_folders, read_metadata
from dubai_landcover_plugin.core.predictor import choose_device, choose_precision
from dubai_landcover_plugin.core.record import versions
from dubai_landcover_plugin.core.request import DEFAULT_MODEL


def examine() -> dict[str, Any]:
    """Return interpreter, versions, device, models, and a list of problems with their remedies."""
    problems = []
    found = versions()
    missing = [name for name, version in found.items() if version == "missing"]
    if missing:
        problems.append(f"Missing packages: {', '.join(missing)}. Set up the engine again.")
    models = []
    for name, path in installed_models().items():
        try:
            metadata = read_metadata(path)
            models.append({"name": name, "path": str(path), "title": metadata.title, "gsd": metadata.gsd})
        except BundleError as error:
            problems.append(str(error))
    if DEFAULT_MODEL not in [model["name"] for model in models]:
        folders = ", ".join(map(str, model_folders())) or "no model folder"
        problems.append(f"The default model '{DEFAULT_MODEL}' was not found in {folders}. Install the plugin again.")
    device, precision = "cpu", "float32"
    try:
        device = choose_device()
        precision = choose_precision("auto", device)
    except DeviceError as error:
        problems.append(str(error))
    return {
        "python": sys.executable,
        "package": str(Path(__file__).resolve().parents[1]),
        "versions": found,
        "device": device,
        "precision": precision,
        "free_disk_gb": round(shutil.disk_usage(Path.home()).free / 1e9, 1),
        "models": models,
        "problems": problems,
    }
