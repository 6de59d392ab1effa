"""Errors of training, below the engine's root class."""

from __future__ import annotations

from dubai_landcover_plugin.protocol.errors import LandCoverError


class _HintedError(LandCoverError):
    """An error with an addition for users of a configuration file.

    Attributes:
        hint: See below.

    Args:
        message: The problem, with the value and the limit.
        remedy: The action that solves it, in words that also hold for the tools in QGIS; may be empty.
        hint: The same as a setting of a configuration or an option of the command line, in English as these are. It is
            part of the text of the error, but not of what QGIS shows.
    """

    def __init__(self, message: str, remedy: str = "", hint: str = "") -> None:
        super().__init__(message, remedy)
        self.hint = hint

    def __str__(self) -> str:
        return f"{super().__str__()} {self.hint}".strip()

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), (self.message, self.remedy, self.hint)


class DatasetError(_HintedError, ValueError):
    """Images or labels are missing, unreadable or inconsistent."""

    code = "dataset"


class ConfigError(_HintedError, ValueError):
    """A training configuration has an unknown key or an invalid value."""

    code = "config"


class TrainingError(_HintedError, RuntimeError):
    """Training cannot start, continue or be resumed."""

    code = "training"


def in_words(error: LandCoverError) -> str:
    """Return message and remedy of an error, without its hint: a line of a report."""
    return f"{error.message} {error.remedy}".strip()
