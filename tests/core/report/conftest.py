"""Fixtures that several test modules of this room share."""

import numpy as np
import pytest

from tests.factories import write_class_map, write_confidence


@pytest.fixture
def town(tmp_path):
    """Land of 40 × 60 px, a house of 100 px, a strip of 80 px without data."""
    ids = np.full((40, 60), 2)
    ids[5:15, 5:15] = 4
    ids[38:] = 0
    ids[38:, 40:] = 3
    return write_class_map(tmp_path / "town.tif", ids)


@pytest.fixture
def sure(tmp_path):
    """Confidence on the pixels of the town: 80 %, the house 60 %."""
    percents = np.full((40, 60), 80, np.uint8)
    percents[5:15, 5:15] = 60
    percents[38:, :40] = 255
    return write_confidence(tmp_path / "sure.tif", percents)
