"""Errors of training; the root is the engine's."""

from __future__ import annotations

from dubai_landcover_plugin.protocol.errors import LandCoverError


class DatasetError(LandCoverError, ValueError):
    """Images and masks are missing or contradict each other."""

    code = "dataset"


class ConfigError(LandCoverError, ValueError):
    """A training configuration has an unknown key or a value that no run can use."""

    code = "config"


class TrainingError(LandCoverError, RuntimeError):
    """Training cannot start, go on or be resumed."""

    code = "training"
