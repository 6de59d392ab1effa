"""Model files on disk: the folders that are searched, and the models found in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata
from dubai_landcover_plugin.protocol.translation import joined, tr

VARIABLE = "DUBAI_LANDCOVER_MODELS"
"""Environment variable with a folder of models that an administrator provides; nothing is written there."""


def model_folders() -> list[Path]:
    """Return the existing folders that are searched for models: the shipped one, the user's, the administrator's."""
    package = Path(__file__).resolve().parents[1]
    shipped = [package / "resources" / "models", package.parent / "resources" / "models"]
    shared = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    folders = (*shipped, user_model_folder(), *shared)
    return [folder for folder in folders if folder.is_absolute() and folder.is_dir()]


def user_model_folder() -> Path:
    """Return the folder for the user's models; it may not exist, and starts with ``~`` without a home directory."""
    return Path(os.path.expanduser("~")) / ".dubai_landcover" / "models"


def installed_models() -> dict[str, Path]:
    """Return the model files found, by file stem. Their contents are not checked."""
    found: dict[str, Path] = {}
    for folder in model_folders():
        for path in sorted(folder.glob(f"*{BUNDLE_SUFFIX}")):
            found.setdefault(path.stem, path)
    return found


def readable_models(found: Mapping[str, Path]) -> tuple[dict[str, BundleMetadata], list[str]]:
    """Return the metadata of the models that can be read, by name, and a sentence on each of the others."""
    readable, problems = {}, []
    for name, path in found.items():
        try:
            readable[name] = read_metadata(path)
        except BundleError as error:
            problems.append(str(error))
    return readable, problems


def find_model(name_or_path: str) -> Path:
    """Return the path of the bundle for an installed name or a path.

    Raises:
        BundleError: if there is none.
    """
    installed = installed_models()
    if name_or_path in installed:
        return installed[name_or_path]
    path = Path(os.path.expanduser(name_or_path))
    if _exists(path):
        return path  # check_file names what is not a regular file
    names = joined(installed) or tr("none")
    raise BundleError(
        tr("There is no model '{name}'.", name=name_or_path),
        tr("Give a file, or one of the installed models: {names}.", names=names),
    )


def _exists(path: Path) -> bool:
    """Return whether there is a file, pipe or device at ``path``."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # a name that is too long, a null character
        return False
