"""Whether the checkpoints of a training fit on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import nn

from dubai_landcover_plugin.protocol.translation import tr

from ..errors import TrainingError
from .checkpoint import BEST, LAST, START

_STATE = 4  # copies of the weights in a checkpoint: weights, average and two moments of the optimizer
_RUN = 2 * _STATE + 2  # last and best; start, without moments


def check_space(folder: Path, model: nn.Module, curve: bool = False) -> None:
    """Refuse a training whose checkpoints do not fit on the disk, before it starts.

    Args:
        folder: Folder of the run; it need not exist. Checkpoints that it has are replaced.
        model: The network.
        curve: Whether a learning curve follows, whose trainings have checkpoints beside those of the run.

    Raises:
        TrainingError: with the space that is needed and free, MB.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    # a checkpoint is replaced only when the new one is complete
    copies = (2 if curve else 1) * _RUN + _STATE
    weights = sum(value.nbytes for value in model.state_dict().values())
    present = sum(path.stat().st_size for path in (folder / name for name in (LAST, BEST, START)) if path.is_file())
    needed, free = (copies * weights - present) / 1e6, shutil.disk_usage(place).free / 1e6
    if free < needed:
        raise TrainingError(
            tr(
                "The checkpoints of the training need about {needed} MB in {folder}, {free} MB are free.",
                needed=round(needed),
                folder=folder,
                free=round(free),
            ),
            tr("Free some space, or choose another folder."),
        )
