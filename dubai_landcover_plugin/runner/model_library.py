"""The models that are installed: where each one is, and adding, removing and renaming those of the user."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qgis.core import QgsSettings

from dubai_landcover_plugin.protocol.errors import BundleError, LandCoverError, OutputError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_folders import user_model_folder
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial
from dubai_landcover_plugin.protocol.placement import place
from dubai_landcover_plugin.protocol.resources import resource
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.checksums import file_sha256
from dubai_landcover_plugin.runner.settings import (
    DEFAULT_MODEL_KEY,
    MODEL_FOLDER,
    available_models,
    default_model,
    profile_model_folder,
    text_setting,
)

CARD_SUFFIX = ".md"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_. -]*[A-Za-z0-9]")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class InstalledModel:
    """A model file in one of the folders.

    Args:
        name: Stem of the file, by which dialogs list it.
        path: The file.
        metadata: What it says about itself; None where it cannot be read.
        problem: Why it cannot be read; empty otherwise.
        origin: ``shipped``, ``own`` (home, profile or the folder of the settings) or ``shared`` (an administrator's).
        is_default: Whether dialogs propose it.
    """

    name: str
    path: Path
    metadata: BundleMetadata | None
    problem: str
    origin: str
    is_default: bool

    @property
    def is_own(self) -> bool:
        """Whether the user may remove and rename it."""
        return self.origin == "own"

    @property
    def card(self) -> str:
        """Text of its model card, Markdown; empty without one."""
        try:
            return self.path.with_suffix(CARD_SUFFIX).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""


def list_models() -> list[InstalledModel]:
    """Return the models of all folders, by name."""
    chosen, found = default_model(), []
    for name, path in sorted(available_models().items()):
        metadata, problem = None, ""
        try:
            metadata = read_metadata(path)
        except BundleError as error:
            problem = str(error)
        found.append(InstalledModel(name, path, metadata, problem, _origin(path), name == chosen))
    return found


def add_model(source: Path, name: str = "", expected: str = "") -> Path:
    """Copy a model file, and its card if there is one, into the profile; return the new file.

    Args:
        source: The file.
        name: Name in the list; empty for that of the file.
        expected: Its SHA-256, hexadecimal; empty for no check.

    Raises:
        BundleError: if it is no model, or has another checksum.
        OutputError: if the name is taken or cannot be used, or the file cannot be written.
    """
    if source.suffix != BUNDLE_SUFFIX:
        raise BundleError(
            tr("Models end in {suffix}, got '{name}'.", suffix=BUNDLE_SUFFIX, name=source.name),
            tr("ONNX files are given as Model file in the dialogs."),
        )
    wanted = expected.strip().lower()
    if wanted and not _SHA256.fullmatch(wanted):
        raise BundleError(
            tr("'{expected}' is not a SHA-256.", expected=expected.strip()[:80]),
            tr("It has 64 hexadecimal digits; copy it from the provider."),
        )
    digest = sha256(source)
    if wanted and digest != wanted:
        raise BundleError(
            tr("The file has the SHA-256 {digest}, not {wanted}.", digest=digest, wanted=wanted),
            tr("It is damaged or another one: it was not added."),
        )
    read_metadata(source)
    target = profile_model_folder() / f"{_free_name(name or source.stem)}{BUNDLE_SUFFIX}"
    card = source.with_suffix(CARD_SUFFIX)
    _put({target.name: source, **({target.with_suffix(CARD_SUFFIX).name: card} if card.is_file() else {})}, target)
    return target


def remove_model(model: InstalledModel) -> None:
    """Delete a model of the user and its card.

    Raises:
        OutputError: if it is not the user's, or cannot be deleted.
    """
    _require_own(model)
    try:
        model.path.unlink()
        model.path.with_suffix(CARD_SUFFIX).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            tr("{path} cannot be removed: {error}.", path=model.path, error=error.strerror), tr("Close what uses it.")
        ) from error
    if text_setting(DEFAULT_MODEL_KEY) == model.name:
        QgsSettings().remove(DEFAULT_MODEL_KEY)


def rename_model(model: InstalledModel, name: str) -> Path:
    """Give a model of the user another name in the list; return the new file.

    Raises:
        OutputError: if it is not the user's, or the name is taken or cannot be used.
    """
    _require_own(model)
    target = model.path.with_name(f"{_free_name(name)}{BUNDLE_SUFFIX}")
    card = model.path.with_suffix(CARD_SUFFIX)
    try:
        os.rename(model.path, target)
        if card.is_file():
            os.rename(card, target.with_suffix(CARD_SUFFIX))
    except OSError as error:
        raise OutputError(
            tr("{path} cannot be renamed: {error}.", path=model.path, error=error.strerror), tr("Close what uses it.")
        ) from error
    if text_setting(DEFAULT_MODEL_KEY) == model.name:
        set_default(target.stem)
    return target


def set_default(name: str) -> None:
    """Let dialogs propose a model."""
    QgsSettings().setValue(DEFAULT_MODEL_KEY, name)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal.

    Raises:
        BundleError: if it cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise BundleError(
            tr("The model {path} cannot be read: {error}.", path=path, error=error.strerror), tr("Choose another file.")
        ) from error


def _origin(path: Path) -> str:
    """Return to whom a model belongs, by its folder."""
    own: Sequence[str | Path] = (user_model_folder(), profile_model_folder(), text_setting(MODEL_FOLDER))
    if any(folder and _is_same(path.parent, Path(folder)) for folder in own):
        return "own"
    return "shipped" if _is_same(path.parent, Path(resource("models"))) else "shared"


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _require_own(model: InstalledModel) -> None:
    if not model.is_own:
        raise OutputError(
            tr(
                "The model {model} is in {parent}, where nothing is changed.",
                model=model.name,
                parent=model.path.parent,
            ),
            tr("Choose one of your own."),
        )


def _free_name(name: str) -> str:
    """Return a name that can be used and is not taken.

    Raises:
        OutputError: naming the rule or the model that has it.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise OutputError(
            tr("'{name}' cannot be the name of a model.", name=name),
            tr("Use letters, digits, spaces and _ . -, a letter first."),
        )
    taken = {known.casefold(): path for known, path in available_models().items()}
    if name.casefold() in taken:
        raise OutputError(
            tr("There is a model {name} already: {taken}.", name=name, taken=taken[name.casefold()]),
            tr("Choose another name."),
        )
    return name


def _put(files: dict[str, Path], target: Path) -> None:
    """Copy files into the folder of a target, all or none."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = make_partial(target)
        try:
            for name, source in files.items():
                shutil.copyfile(source, folder / name)
            place(folder, list(files), [], overwrite=False)
        finally:
            remove_partial(folder)
    except LandCoverError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            tr("{target} cannot be written: {reason}.", target=target, reason=reason),
            tr("Free some space or check the folder."),
        ) from error
