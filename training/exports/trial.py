"""What an export would refuse, checked before a training."""

from __future__ import annotations

import json

from dubai_landcover_plugin.core.bundle.weights import empty_model
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import TrainingError
from ..loop.checkpoint import Checkpoint
from .export import describe
from .stac import check_name

_NAME = "trained"  # stands for the name of a model that is named when it is exported


def check_export(checkpoint: Checkpoint, model: SegmentationModel, name: str = "") -> None:
    """Check that the model of a run can be written to a model file and read again, whatever its weights will be.

    Args:
        checkpoint: State of the run before its first step.
        model: Its network.
        name: Name of the model; empty if it is not known yet.

    Raises:
        TrainingError: naming what the model file cannot hold.
    """
    name = check_name(name) if name else _NAME
    try:
        item = to_stac_item(describe(name, checkpoint, model))
        empty_model(from_stac_item(json.loads(json.dumps(item))), tr("The model"))
    except LandCoverError as error:
        raise TrainingError(
            tr("A model of this run could not be exported: {message}", message=error.message),
            f"{error.remedy} {tr('Change the settings or the data.')}".strip(),
        ) from error
