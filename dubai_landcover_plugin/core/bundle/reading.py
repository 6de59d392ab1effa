"""Errors of safetensors on damaged files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from dubai_landcover_plugin.protocol.errors import BundleError, LandCoverError
from dubai_landcover_plugin.protocol.json_values import DAMAGED
from dubai_landcover_plugin.protocol.translation import tr


@contextmanager
def reading_weights(path: Path) -> Iterator[None]:
    """Turn the errors of safetensors on a damaged file, which are of many types, into one.

    Raises:
        BundleError: if the weights cannot be read.
    """
    try:
        yield
    except LandCoverError:
        raise
    except (OSError, RuntimeError, SafetensorError, *DAMAGED) as error:
        raise BundleError(
            tr("The weights in {path} cannot be read: {error}.", path=path, error=error),
            tr("Export the model again with the training module, or install it again."),
        ) from error
