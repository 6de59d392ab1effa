"""Finds the package of training, which is a part of the plugin where that was installed, and beside it in a checkout.

Standard library only.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import EngineError
from dubai_landcover_plugin.protocol.translation import tr

_PLUGIN = Path(__file__).resolve().parents[1]


def training_package() -> str:
    """Return the name of the package: ``dubai_landcover_plugin.training`` or ``training``."""
    inside = f"{_PLUGIN.name}.training"
    return inside if importlib.util.find_spec(inside) else "training"


def missing_packages(error: ModuleNotFoundError) -> EngineError:
    """Return the error for an interpreter that lacks a package of training, with a command for those that have pip.

    Args:
        error: What Python said.
    """
    folders = (_PLUGIN / "requirements", _PLUGIN.parent / "requirements")
    locked = next((folder for folder in folders if (folder / "training.txt").is_file()), None)
    names = ("formats.txt", "training.txt")
    what = " ".join(f'-r "{locked / name}"' for name in names) if locked else "dubai-landcover[training]"
    remedy = (
        tr(
            "Set up the engine with training (Plugins > Dubai Land Cover > Set up the engine…), or install "
            'its packages: "{executable}" -m pip install {what}',
            executable=sys.executable,
            what=what,
        )
        if importlib.util.find_spec("pip")  # not in environments that uv has made
        else tr("Set up the engine with training: Plugins > Dubai Land Cover > Set up the engine…")
    )
    return EngineError(
        tr(
            "Training needs the package {package}, which the engine does not have.",
            package=(error.name or str(error)).partition(".")[0],
        ),
        remedy,
    )
