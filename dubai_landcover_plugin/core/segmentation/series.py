"""What the rasters of one folder run share: the loaded network and the number of their pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType

import rasterio

from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.selection import Log


class Series:
    """Rasters that are computed one after the other; a context manager.

    The network of a raster is kept for the next one, if that has windows of the same shape and the same options.

    Args:
        inputs: Paths of the rasters, in order; empty for a single raster, whose network is released at once.
    """

    def __init__(self, inputs: Sequence[str] = ()) -> None:
        self._inputs = inputs
        self._kept: tuple[tuple[object, ...], Predictor] | None = None
        self._used: tuple[object, ...] = ()

    def __enter__(self) -> Series:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def predictor(self, key: tuple[object, ...], log: Log, load: Callable[[], Predictor]) -> Predictor:
        """Return the kept network, or load it.

        Args:
            key: All that the network depends on.
            log: Receives its messages.
            load: Loads it.
        """
        self._used = key
        if self._kept is not None and self._kept[0] == key:
            predictor = self._kept[1]
            self._kept = None
            predictor.log_to(log)
            return predictor
        self._release()  # first: two networks would take twice the memory
        return load()

    def give_back(self, predictor: Predictor, failed: bool) -> None:
        """Take a network back once its raster is finished; keep it for the next raster.

        Args:
            predictor: Of :meth:`predictor`.
            failed: Whether the raster has failed; the next one then starts with a new network.
        """
        if self._inputs and not failed and predictor.is_as_selected:
            self._kept = (self._used, predictor)
        else:
            predictor.close()

    def pixels_after(self, path: str, enough: float) -> int:
        """Return the number of pixels of the rasters after one, counted until there are enough.

        Args:
            path: The raster.
            enough: Number of pixels from which on the count does not matter.
        """
        total = 0
        start = self._inputs.index(path) + 1 if path in self._inputs else len(self._inputs)
        for other in self._inputs[start:]:
            if total >= enough:
                break
            # Its own run reports errors.
            with suppress(*GDAL_ERRORS, OSError, ValueError), rasterio.open(other) as dataset:
                total += dataset.height * dataset.width
        return total

    def _release(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None
