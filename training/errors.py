"""Errors of training, below the engine's root class."""

from __future__ import annotations

from dubai_landcover_plugin.protocol.errors import LandCoverError


class DatasetError(LandCoverError, ValueError):
    """Images or labels are missing, unreadable or inconsistent."""

    code = "dataset"


class ConfigError(LandCoverError, ValueError):
    """A training configuration has an unknown key or an invalid value."""

    code = "config"


class TrainingError(LandCoverError, RuntimeError):
    """Training cannot start, continue or be resumed."""

    code = "training"
