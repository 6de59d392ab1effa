"""``landcover-train``: the command line of training."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from dubai_landcover_plugin.protocol.errors import LandCoverError


def main() -> int:
    """Run the command line of training; return the exit status."""
    try:
        status: int = importlib.import_module(f"{training_package()}.__main__").main()
    except ModuleNotFoundError as error:
        sys.stderr.write(f"landcover-train: {error}. Install the packages of training: dubai-landcover[training].\n")
        return 1
    except LandCoverError as error:
        sys.stderr.write(f"landcover-train: {error}\n")
        return 1
    return status


def training_package() -> str:
    """Return the name of the package: a part of the plugin where that was installed, beside it in a checkout."""
    inside = f"{__package__.partition('.')[0]}.training"
    return inside if importlib.util.find_spec(inside) else "training"
