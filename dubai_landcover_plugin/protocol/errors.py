"""Exceptions of the project, each with a code, a message and a remedy."""

from __future__ import annotations


class LandCoverError(Exception):
    """Base class of all errors shown to users.

    Attributes:
        code: Identifier in the protocol.

    Args:
        message: The problem, with the value and the limit.
        remedy: The action that solves it; may be empty.
    """

    code = "error"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), (self.message, self.remedy)  # keeps the remedy when pickled


class RequestError(LandCoverError, ValueError):
    """A parameter has an invalid value."""

    code = "request"


class TilingError(LandCoverError, ValueError):
    """Window size and overlap are invalid for the raster."""

    code = "tiling"


class ClassSchemeError(LandCoverError, ValueError):
    """Class ids, names or colours are invalid."""

    code = "classes"


class RasterOpenError(LandCoverError, OSError):
    """The input is not a raster that GDAL can read."""

    code = "raster-open"


class RasterReadError(LandCoverError, OSError):
    """A block of the input cannot be decoded."""

    code = "raster-read"


class BandError(LandCoverError, ValueError):
    """The raster does not have the bands that the model needs."""

    code = "bands"


class GeoreferenceError(LandCoverError, ValueError):
    """The georeferencing of a raster is missing or ambiguous, or does not match the request."""

    code = "georeference"


class OutputError(LandCoverError, OSError):
    """An output cannot be written, or its verification failed."""

    code = "output"


class BundleError(LandCoverError, ValueError):
    """A model file is missing, damaged or of an unsupported type."""

    code = "model"


class ModelError(LandCoverError, ValueError):
    """The arguments of a network are invalid."""

    code = "model-spec"


class DeviceError(LandCoverError, RuntimeError):
    """The requested device or precision is not available on this machine."""

    code = "device"


class OutOfMemoryError(LandCoverError, MemoryError):
    """The run needs more memory than is available."""

    code = "memory"


class ClusterError(LandCoverError, RuntimeError):
    """A cluster is not available, or its workers are not set up."""

    code = "cluster"


class EngineError(LandCoverError, ImportError):
    """A package of the engine is missing or broken."""

    code = "engine"


class UnexpectedError(LandCoverError, RuntimeError):
    """An exception that is not expected; its traceback is in a log file."""

    code = "bug"


class RunCancelled(LandCoverError):  # noqa: N818 (not an error)
    """The user cancelled the run."""

    code = "cancelled"


class ProtocolError(LandCoverError, ValueError):
    """A message between plugin and engine is invalid."""

    code = "protocol"
