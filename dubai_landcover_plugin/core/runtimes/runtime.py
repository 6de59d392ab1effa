"""The interface of runtimes, and functions that they share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.protocol.errors import LandCoverError, OutOfMemoryError
from dubai_landcover_plugin.protocol.translation import tr

VIEWS = 4
"""Number of views in test-time augmentation: rotations by multiples of 90 degrees.

Measured with two models on test areas: the mean IoU rose by 0.004 on average with the four rotations, by as much with
all eight rotations and reflections, and by 0.001 with the four reflections.
"""

Chips = npt.NDArray[np.uint8 | np.float32]
"""(N, C, H, W) pixels on the scale 0..255; float32 for models with a scaling of their own."""
Probabilities = npt.NDArray[np.float32]


class RuntimeUnavailableError(LandCoverError, RuntimeError):
    """A runtime cannot be loaded, or does not support the model or the requested options."""

    code = "runtime"


class Runtime(Protocol):
    """A loaded network that computes batches asynchronously.

    Attributes:
        name: ``openvino``, ``torch`` or ``onnxruntime``.
        device: Device in use.
        precision: Precision in use.
        batch: Preferred batch size, windows.
        in_flight: Number of concurrent batches that keep it busy.
    """

    name: str
    device: str
    precision: str
    batch: int
    in_flight: int

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Start computing (N, C, H, W) chips; the future resolves to (N, K, H, W) float32 class probabilities.

        Its exception is an :class:`.OutOfMemoryError` or an error of the runtime.
        """
        ...

    def close(self) -> None:
        """Release threads and memory."""
        ...


def join(parts: Sequence[Future[Probabilities]]) -> Future[Probabilities]:
    """Return one future for the concatenated results of several."""
    if len(parts) == 1:
        return parts[0]
    whole: Future[Probabilities] = Future()
    left = itertools.count(len(parts) - 1, -1)

    def finish(part: Future[Probabilities]) -> None:
        if next(left):
            return
        try:
            whole.set_result(np.concatenate([part.result() for part in parts]))
        except BaseException as error:
            whole.set_exception(error)

    for part in parts:
        part.add_done_callback(finish)
    return whole


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception of a library means lack of memory; libraries have no common type for it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or ("memory" in text and ("alloc" in text or "out of" in text))


def out_of_memory(chips: Chips, device: str) -> OutOfMemoryError:
    """Return the error for chips that do not fit into the memory of a device."""
    count, _, height, width = chips.shape
    return OutOfMemoryError(
        tr(
            "{count} windows of {height}×{width} px do not fit into the memory of {device}.",
            count=count,
            height=height,
            width=width,
            device=device,
        ),
        tr("Lower the batch, then the window; or choose device cpu."),
    )
