"""The tools of training: each takes a request and a monitor, and returns a result, as those of the engine do.

They are imported on first use, so that importing this package is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dubai_landcover_plugin.protocol.lazy_names import lazy_names

if TYPE_CHECKING:
    from .check import check_labels
    from .evaluate import evaluate_model
    from .export import export_model
    from .sample_data import make_sample_data
    from .train import train_model

__all__ = ["check_labels", "evaluate_model", "export_model", "make_sample_data", "train_model"]

_MODULES = {
    "check_labels": "check",
    "evaluate_model": "evaluate",
    "export_model": "export",
    "make_sample_data": "sample_data",
    "train_model": "train",
}

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
