"""``landcover-train``: the command line of training."""

from __future__ import annotations

import importlib
import sys

from dubai_landcover_plugin.cli.program import FAILED, prepare_streams
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.streams import write_text
from dubai_landcover_plugin.protocol.training_package import training_package


def main() -> int:
    """Run the command line of training; return the exit status."""
    prepare_streams()
    try:
        status: int = importlib.import_module(f"{training_package()}.__main__").main()
    except ModuleNotFoundError as error:
        message = f"{error}. Install the packages of training: dubai-landcover[training]."
    except Exception as error:
        message = str(explained(error))
    else:
        return status
    write_text(sys.stderr, f"landcover-train: {message}\n")
    return FAILED
