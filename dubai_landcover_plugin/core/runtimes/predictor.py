"""Runs a network on chips, on the runtime that suits; goes on with another one where it fails."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.hardware import cores
from dubai_landcover_plugin.core.runtimes.runtime import Chips, Probabilities, Runtime
from dubai_landcover_plugin.core.runtimes.selection import Candidate, Choice, Limits, Log
from dubai_landcover_plugin.protocol.errors import DeviceError, LandCoverError, OutOfMemoryError


@dataclass(frozen=True, slots=True)
class Batch:
    """Chips on their way, padded to the network's stride."""

    chips: Chips
    shape: tuple[int, int]  # before the padding
    runtime: Runtime
    future: Future[Probabilities]


class Predictor:
    """A network ready for chips.

    Args:
        bundle: The model.
        device: Where to compute: ``auto`` or one of the request's devices.
        precision: Arithmetic of the network: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        tta: Test-time augmentation: average the probabilities of a chip turned by 0, 90, 180 and 270 degrees.
        runtime: ``auto``, ``torch`` or ``openvino``.
        shape: (C, H, W) of all chips to come; None where they may differ, which only PyTorch takes.
        sample: (N, C, H, W) chips to try the runtimes on, so that the fastest good one is taken; None takes the one
            that should be.
        log: Receives a level and a line.
        limits: What the runtime may take; None takes all cores.

    Raises:
        DeviceError: if device or precision are not there.
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
        sample: Chips | None = None,
        log: Log = lambda level, text: None,
        limits: Limits | None = None,
    ) -> None:
        self._stride, self._log = bundle.metadata.stride, log
        if shape is not None:
            shape = (shape[0], *(length + -length % self._stride for length in shape[1:]))  # type: ignore[assignment]
        wish = Candidate(runtime, device, precision)
        self._choice = Choice(bundle, wish, shape, tta, limits or Limits(cores()), log)
        if sample is not None:
            self._choice.list_by_trial(self._pad(sample))
        else:
            self._choice.list_all()
        self._runtime = self._choice.next()

    @property
    def speed(self) -> float | None:
        """What the trial measured, Mpx/s; None without one."""
        return self._choice.speed

    @property
    def runtime(self) -> str:
        """What computes: ``torch`` or ``openvino``."""
        return self._runtime.name

    @property
    def device(self) -> str:
        """Where it computes."""
        return self._runtime.device

    @property
    def precision(self) -> str:
        """Arithmetic of the network."""
        return self._runtime.precision

    @property
    def batch(self) -> int:
        """Windows in a batch that suit the runtime."""
        return self._runtime.batch

    @property
    def in_flight(self) -> int:
        """Batches on their way that keep the runtime busy."""
        return self._runtime.in_flight

    def __call__(self, chips: Chips) -> Probabilities:
        """Return class probabilities (N, K, H, W) float32 for chips (N, C, H, W) uint8; see :meth:`finish`."""
        return self.finish(self.start(chips))

    def start(self, chips: Chips) -> Batch:
        """Begin with (N, C, H, W) chips."""
        padded = self._pad(chips)
        return Batch(padded, chips.shape[-2:], self._runtime, self._runtime.submit(padded))

    def finish(self, batch: Batch) -> Probabilities:
        """Return the class probabilities (N, K, H, W) float32 of chips.

        A batch that does not fit into memory is halved; a runtime that fails is replaced by the next one, with a
        warning.

        Raises:
            OutOfMemoryError: if a single window does not fit, and there is no other runtime.
            LandCoverError: if the last runtime fails.
        """
        height, width = batch.shape
        try:
            probabilities = batch.future.result()[..., :height, :width]
            if not np.isfinite(probabilities[:, 0].sum()):  # softmax spreads what is no number to all classes
                raise DeviceError(
                    f"The network gave results that are no numbers, on {batch.runtime.device} in "
                    f"{batch.runtime.precision}.",
                    "Choose precision float32.",
                )
            return probabilities
        except OutOfMemoryError as error:
            if len(batch.chips) > 1:
                middle = len(batch.chips) // 2
                self._log("warning", f"{error.message} It goes on with {middle} at once.")
                halves = [self(batch.chips[:middle]), self(batch.chips[middle:])]
                return np.concatenate(halves)[..., :height, :width]
            self._replace(batch.runtime, error)
        except (LandCoverError, RuntimeError) as error:
            self._replace(batch.runtime, error)
        return self(batch.chips)[..., :height, :width]

    def close(self) -> None:
        """Give back what the runtime holds."""
        self._runtime.close()

    def _pad(self, chips: Chips) -> Chips:
        """Repeat the last row and column until the sides are multiples of the network's stride."""
        below, right = (-length % self._stride for length in chips.shape[-2:])
        # repeated edge pixels look more like ground than a black frame does
        return np.pad(chips, ((0, 0), (0, 0), (0, below), (0, right)), "edge") if below or right else chips

    def _replace(self, failed: Runtime, error: Exception) -> None:
        """Go on with the next runtime, unless that has happened already for an earlier batch.

        Raises:
            Exception: ``error``, if there is none.
        """
        if failed is not self._runtime:
            return
        if self._choice.is_exhausted:
            raise error
        self._runtime = self._choice.next()
        told = f"{failed.name} on {failed.device}, {failed.precision}, failed: {error}"
        self._log("warning", f"{told} The run goes on with {self.runtime} on {self.device}, {self.precision}.")
        failed.close()
