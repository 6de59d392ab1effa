"""What every runtime offers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.protocol.errors import LandCoverError, OutOfMemoryError

VIEWS = 4
"""How often test-time augmentation shows a chip: by quarter turns.

Measured with two models on places kept out of their training: the mean IoU rose by 0.004 on average with the four
turns and with all eight turns and mirror images, by 0.001 with the four mirror images.
"""

Chips = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]


class RuntimeUnavailableError(LandCoverError, RuntimeError):
    """A runtime cannot be loaded, or not with what was asked for."""

    code = "runtime"


class Runtime(Protocol):
    """A network that computes batches, several of them on the way at once.

    Attributes:
        name: ``openvino``, ``torch`` or ``onnxruntime``.
        device: Where it computes.
        precision: Arithmetic of the network.
        batch: Windows in a batch that suit it.
        in_flight: Batches on the way that keep it busy.
    """

    name: str
    device: str
    precision: str
    batch: int
    in_flight: int

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Begin with (N, C, H, W) chips; the future holds (N, K, H, W) class probabilities.

        It may hold an :class:`.OutOfMemoryError`, or whatever the runtime raised.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


def join(parts: Sequence[Future[Probabilities]]) -> Future[Probabilities]:
    """Return one future for the parts of a batch, in their order."""
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
    """Return whether what a library raised means that memory ran out; they have no common type for it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or ("memory" in text and ("alloc" in text or "out of" in text))


def out_of_memory(chips: Chips, device: str) -> OutOfMemoryError:
    """Return the error for chips that do not fit."""
    count, _, height, width = chips.shape
    return OutOfMemoryError(
        f"{count} windows of {height}×{width} px do not fit into the memory of {device}.",
        "Lower the batch, then the window; or choose device cpu.",
    )
