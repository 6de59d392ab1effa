"""Errors between QGIS and the engine."""

from __future__ import annotations

from dubai_landcover_plugin.protocol.errors import LandCoverError


class EngineMissingError(LandCoverError, OSError):
    """No interpreter for the engine was found."""

    code = "engine-missing"


class EngineSetupError(LandCoverError, RuntimeError):
    """The engine's environment could not be installed."""

    code = "engine-setup"


class WorkerDiedError(LandCoverError, RuntimeError):
    """The engine exited without a result."""

    code = "worker-died"


class WorkerError(LandCoverError, RuntimeError):
    """An error reported by the engine, with its code, message and remedy."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
