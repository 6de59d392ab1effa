"""The model that a training starts from, or that is evaluated, as a request names it."""

from __future__ import annotations

from dubai_landcover_plugin.protocol.model_folders import find_model
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.labelling import LabelledData

from ..data.files import LabelledFiles
from ..loop.start import Start, read_start
from .data import files_of


def start_of(name: str) -> Start | None:
    """Return an installed model, model file or checkpoint; None for an empty name.

    Raises:
        BundleError: if there is none, or it cannot be read.
        TrainingError: if it cannot be trained.
    """
    return read_start(find_model(name)) if name.strip() else None


def start_files(data: LabelledData, start: Start | None, gsd: float | None) -> LabelledFiles:
    """Return the files of a request, whose classes are those of the start; see :func:`.files_of`."""
    if start is None:
        return files_of(data, None, gsd=gsd)
    return files_of(data, start.scheme, start.name, gsd)


class Report:
    """Receives lines of text from the modules of training, and passes them to a monitor.

    Args:
        monitor: Gets them as messages.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def __call__(self, text: str) -> None:
        """Pass a text on, without empty lines at its ends."""
        if text.strip():
            self._monitor.log("info", text.strip("\n"))
