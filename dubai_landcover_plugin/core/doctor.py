"""Diagnoses the installation: packages, models, device. Works with missing or broken packages."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.runtimes.versions import OPTIONAL, PACKAGES
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_folders import installed_models, model_folders, readable_models
from dubai_landcover_plugin.protocol.requests.segmentation import DEFAULT_MODEL
from dubai_landcover_plugin.protocol.translation import joined, tr

_REMEDY = "Set up the engine again."


def examine() -> dict[str, Any]:
    """Return interpreter, versions, device, models, and a list of problems with their remedies, JSON-ready."""
    found, problems = _packages()
    models, model_problems = _models()
    device, precision, device_problems = ("unknown", "unknown", []) if problems else _device()
    return {
        "python": sys.executable,
        "package": str(Path(__file__).resolve().parents[1]),
        "versions": found,
        "device": device,
        "precision": precision,
        "free_disk_gb": _free_disk(),
        "models": models,
        "problems": problems + model_problems + device_problems,
    }


def _free_disk() -> float | None:
    """Return the free space in the home folder, GB; None without a home folder."""
    try:
        return round(shutil.disk_usage(os.path.expanduser("~")).free / 1e9, 1)
    except OSError:
        return None


def _packages() -> tuple[dict[str, str], list[str]]:
    """Return versions and problems of the required packages, by importing them: an installed one may be broken."""
    found, problems = {"python": platform.python_version()}, []
    for name in PACKAGES:
        try:
            importlib.import_module(name)
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
        except Exception as error:  # a broken package may raise anything when it is imported
            is_missing = isinstance(error, ModuleNotFoundError) and error.name == name
            if is_missing and name in OPTIONAL:
                continue
            found[name] = "missing" if is_missing else "broken"
            problems.append(
                tr("The package {name} is missing. {remedy}", name=name, remedy=tr(_REMEDY))
                if is_missing
                else tr(
                    "The package {name} cannot be loaded ({kind}: {error}). {remedy}",
                    name=name,
                    kind=type(error).__name__,
                    error=error,
                    remedy=tr(_REMEDY),
                )
            )
    if not problems:
        try:
            from dubai_landcover_plugin.core.runtimes.versions import versions

            found = {**versions(), **found}
        except Exception as error:
            problems.append(
                tr(
                    "The engine cannot be loaded ({kind}: {error}). {remedy}",
                    kind=type(error).__name__,
                    error=error,
                    remedy=tr(_REMEDY),
                )
            )
    return found, problems


def _models() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the installed models and problems with them."""
    installed = installed_models()
    readable, problems = readable_models(installed)
    models = [
        {"name": name, "path": str(installed[name]), "title": metadata.title, "gsd": metadata.gsd}
        for name, metadata in readable.items()
    ]
    if DEFAULT_MODEL not in [model["name"] for model in models]:
        problems.append(
            tr(
                "The default model '{name}' was not found in these folders: {folders}. Install the plugin again.",
                name=DEFAULT_MODEL,
                folders=joined(model_folders()) or tr("none"),
            )
        )
    return models, problems


def _device() -> tuple[str, str, list[str]]:
    """Return device, precision and problems with the device."""
    try:
        from dubai_landcover_plugin.core.runtimes.candidates import Candidate, list_candidates

        fastest = list_candidates(Candidate("auto", "auto", "auto"), tried=True)[0]
        return f"{fastest.device}, {fastest.runtime}", fastest.precision, []
    except LandCoverError as error:
        return "unknown", "unknown", [str(error)]
    except Exception as error:  # a broken driver may raise anything
        return (
            "unknown",
            "unknown",
            [
                tr(
                    "The device query failed ({kind}: {error}). {remedy}",
                    kind=type(error).__name__,
                    error=error,
                    remedy=tr(_REMEDY),
                )
            ],
        )
