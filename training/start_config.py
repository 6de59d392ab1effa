"""Configuration of the weights that a training starts from."""

from __future__ import annotations

from dataclasses import dataclass

from .config_parser import require

OF_START = "start"
"""Value of ``model.architecture`` for the network of the start."""


@dataclass(frozen=True, slots=True)
class StartConfig:
    """Trained weights that a training starts from, and with which its result is compared.

    Args:
        model: Name of an installed model, model file or checkpoint; empty for none. ``--start-from`` overrides it.
        alphas: Shares of the result in the weights that are interpolated between start and result at the end of the run
            and validated, between 0 and 1; empty for none.
    """

    model: str = ""
    alphas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require(
            all(0 < alpha < 1 for alpha in self.alphas),
            f"start.alphas must be between 0 and 1, got {list(self.alphas)}.",
            "Start (0) and result (1) are always compared; leave them out.",
        )
