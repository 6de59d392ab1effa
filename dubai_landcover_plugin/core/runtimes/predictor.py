"""Runs a network on chips with the selected runtime, and falls back to the next one if it fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.candidates import Candidate, Limits
from dubai_landcover_plugin.core.runtimes.hardware import cores
from dubai_landcover_plugin.core.runtimes.runtime import Chips, Probabilities, Runtime
from dubai_landcover_plugin.core.runtimes.selection import Log, RuntimeSelector
from dubai_landcover_plugin.protocol.errors import DeviceError, LandCoverError, OutOfMemoryError
from dubai_landcover_plugin.protocol.translation import tr


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch being computed.

    Args:
        chips: (N, C, H, W), padded to the network's stride.
        shape: Height and width before padding, px.
        runtime: The runtime that computes it.
        future: Resolves to the probabilities.
    """

    chips: Chips
    shape: tuple[int, int]
    runtime: Runtime
    future: Future[Probabilities]


class Predictor:
    """Computes class probabilities of chips.

    Args:
        bundle: The model.
        device: ``auto`` or a device of :class:`.SegmentOptions`.
        precision: ``auto``, ``float32``, ``bfloat16``, ``float16`` or ``int8``.
        tta: Test-time augmentation: average the probabilities of a chip rotated by 0, 90, 180 and 270 degrees.
        runtime: ``auto``, ``torch``, ``openvino`` or ``onnxruntime``.
        shape: (C, H, W) of all chips; None if it varies, which OpenVINO does not support.
        sample: Returns (N, C, H, W) chips for a trial of the runtimes, of which the fastest accurate one is
            selected, or None. Without chips, the runtime is selected by the expected speed.
        worth_trying: Returns whether a trial pays off if there is a choice and none was made earlier; otherwise a
            runtime is selected that need not convert the network.
        log: Receives messages as level and text.
        limits: Resources of the runtime; None allows all cores.

    Raises:
        DeviceError: if device or precision are not available.
        RuntimeUnavailableError: if no runtime can compute the network.
        BundleError: if the weights cannot be read.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        device: str = "auto",
        precision: str = "auto",
        tta: bool = False,
        runtime: str = "auto",
        shape: tuple[int, int, int] | None = None,
        sample: Callable[[], Chips | None] | None = None,
        log: Log = lambda level, text: None,
        limits: Limits | None = None,
        worth_trying: Callable[[], bool] = lambda: True,
    ) -> None:
        self._stride, self._log = bundle.metadata.stride, log
        if shape is not None:
            shape = (shape[0], *(length + -length % self._stride for length in shape[1:]))  # type: ignore[assignment]
        requested = Candidate(runtime, device, precision)
        self._selector = RuntimeSelector(bundle, requested, shape, tta, limits or Limits(cores()), log)
        self._list(sample, worth_trying)
        self._runtime = self._selected = self._selector.next()

    def _list(self, sample: Callable[[], Chips | None] | None, worth_trying: Callable[[], bool]) -> None:
        """List the runtimes to use, one after the other if they fail."""
        selector = self._selector
        if sample is None or not selector.has_choice:
            selector.list_all()
        elif selector.list_stored():
            return
        elif not worth_trying():
            selector.list_at_once()
        else:
            chips = sample()
            if chips is None:
                selector.list_all()
            else:
                selector.list_by_trial(self._pad(chips))

    @property
    def speed(self) -> float | None:
        """Speed measured in the trial, Mpx/s; None without a trial."""
        return self._selector.speed

    @property
    def runtime(self) -> str:
        """Name of the runtime in use: ``torch``, ``openvino`` or ``onnxruntime``."""
        return self._runtime.name

    @property
    def device(self) -> str:
        """Device in use."""
        return self._runtime.device

    @property
    def precision(self) -> str:
        """Precision in use."""
        return self._runtime.precision

    @property
    def is_as_selected(self) -> bool:
        """Whether no runtime has failed during the computation."""
        return self._runtime is self._selected

    def log_to(self, log: Log) -> None:
        """Send further messages elsewhere."""
        self._log = log
        self._selector.log_to(log)

    @property
    def batch(self) -> int:
        """Preferred batch size of the runtime, windows."""
        return self._runtime.batch

    @property
    def in_flight(self) -> int:
        """Number of concurrent batches that keep the runtime busy."""
        return self._runtime.in_flight

    def __call__(self, chips: Chips) -> Probabilities:
        """Return class probabilities (N, K, H, W) float32 for chips (N, C, H, W); see :meth:`finish`."""
        return self.finish(self.start(chips))

    def start(self, chips: Chips) -> Batch:
        """Start computing (N, C, H, W) chips."""
        padded = self._pad(chips)
        return Batch(padded, chips.shape[-2:], self._runtime, self._runtime.submit(padded))

    def finish(self, batch: Batch) -> Probabilities:
        """Wait for a batch and return its class probabilities, (N, K, H, W) float32.

        A batch that does not fit into memory is halved. A runtime that fails is replaced by the next one, with a
        warning.

        Raises:
            OutOfMemoryError: if a single window does not fit into memory and there is no other runtime.
            LandCoverError: if the last runtime fails.
        """
        height, width = batch.shape
        try:
            probabilities = batch.future.result()[..., :height, :width]
            if not np.isfinite(probabilities[:, 0].sum()):  # softmax spreads NaN to all classes
                raise DeviceError(
                    tr(
                        "The network returned NaN or infinite values on {device} in {precision}.",
                        device=batch.runtime.device,
                        precision=batch.runtime.precision,
                    ),
                    tr("Choose precision float32."),
                )
            return probabilities
        except OutOfMemoryError as error:
            if len(batch.chips) > 1:
                middle = len(batch.chips) // 2
                self._log(
                    "warning",
                    tr("{error} The run continues with batches of {middle}.", error=error.message, middle=middle),
                )
                halves = [self(batch.chips[:middle]), self(batch.chips[middle:])]
                return np.concatenate(halves)[..., :height, :width]
            self._replace(batch.runtime, error)
        except (LandCoverError, RuntimeError) as error:
            self._replace(batch.runtime, error)
        return self(batch.chips)[..., :height, :width]

    def close(self) -> None:
        """Release the runtime."""
        self._runtime.close()

    def _pad(self, chips: Chips) -> Chips:
        """Repeat the last row and column until the sides are multiples of the network's stride."""
        below, right = (-length % self._stride for length in chips.shape[-2:])
        # repeated edge pixels resemble the surroundings more than black padding
        return np.pad(chips, ((0, 0), (0, 0), (0, below), (0, right)), "edge") if below or right else chips

    def _replace(self, failed: Runtime, error: Exception) -> None:
        """Switch to the next runtime, unless an earlier batch has already done so.

        Raises:
            Exception: ``error``, if no runtime is left.
        """
        if failed is not self._runtime:
            return
        if self._selector.is_exhausted:
            raise error
        self._runtime = self._selector.next()
        text = tr(
            "{name} on {device}, {precision}, failed: {error}",
            name=failed.name,
            device=failed.device,
            precision=failed.precision,
            error=error,
        )
        self._log(
            "warning",
            tr(
                "{text} The run continues with {runtime} on {device}, {precision}.",
                text=text,
                runtime=self.runtime,
                device=self.device,
                precision=self.precision,
            ),
        )
        failed.close()
