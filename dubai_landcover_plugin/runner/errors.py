"""What can go wrong between QGIS and the engine."""

from __future__ import annotations

from dubai_landcover_plugin.protocol.errors import LandCoverError


class EngineMissingError(LandCoverError, OSError):
    """There is no interpreter to run the engine with."""

    code = "engine-missing"


class EngineSetupError(LandCoverError, RuntimeError):
    """The engine's environment could not be built."""

    code = "engine-setup"


class WorkerDiedError(LandCoverError, RuntimeError):
    """The engine ended without an answer."""

    code = "worker-died"


class WorkerError(LandCoverError, RuntimeError):
    """The engine refused or failed, and said why."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
