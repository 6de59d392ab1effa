"""One tree of errors; each knows its code and how the user can mend it."""

from __future__ import annotations


class LandCoverError(Exception):
    """Root of every error that a user may see.

    Args:
        message: What is wrong, with the value and the limit.
        remedy: What the user can do about it; may be empty.
    """

    code = "error"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.message, self.remedy)  # across processes, with the remedy


class RequestError(LandCoverError, ValueError):
    """A parameter has a value that no run can use."""

    code = "request"


class TilingError(LandCoverError, ValueError):
    """Window size and overlap do not cover the raster."""

    code = "tiling"


class ClassSchemeError(LandCoverError, ValueError):
    """Class ids, names or colours contradict each other."""

    code = "classes"


class RasterOpenError(LandCoverError, OSError):
    """The input is not a raster that GDAL can read."""

    code = "raster-open"


class RasterReadError(LandCoverError, OSError):
    """A block of the input could not be decoded."""

    code = "raster-read"


class BandError(LandCoverError, ValueError):
    """The raster lacks the bands that the model wants."""

    code = "bands"


class GeoreferenceError(LandCoverError, ValueError):
    """The raster's position on the ground is missing, ambiguous or outside the request."""

    code = "georeference"


class OutputError(LandCoverError, OSError):
    """The output could not be written, or did not survive verification."""

    code = "output"


class BundleError(LandCoverError, ValueError):
    """A model file is missing, damaged or of a kind that is refused."""

    code = "model"


class ModelError(LandCoverError, ValueError):
    """A model's arguments contradict each other."""

    code = "model-spec"


class DeviceError(LandCoverError, RuntimeError):
    """The requested device or precision is not available here."""

    code = "device"


class OutOfMemoryError(LandCoverError, MemoryError):
    """The run needs more memory than there is."""

    code = "memory"


class ClusterError(LandCoverError, RuntimeError):
    """A cluster is not there, or its workers do not suit."""

    code = "cluster"


class RunCancelled(LandCoverError):  # noqa: N818 (a wish of the user, no fault)
    """The user asked the run to stop."""

    code = "cancelled"


class ProtocolError(LandCoverError, ValueError):
    """A message between plugin and engine cannot be understood."""

    code = "protocol"
