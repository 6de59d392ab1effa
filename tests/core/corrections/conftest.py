"""Files of the tests of edits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.corrections.cases import square, town
from tests.factories import write_class_map, write_layer


@pytest.fixture
def files(tmp_path):
    """Folder with a classified raster and three corrections: one from Building, one everywhere, one without effect."""
    folder = tmp_path / "in"
    write_class_map(folder / "map.tif", town(), model="dubai")
    write_layer(
        folder / "corrections.gpkg",
        [square(25, 15, 70, 45), square(0, 0, 200, 10), square(0, 80, 5, 90)],
        **{
            "from": np.array(["Building", "", "Water"], object),
            "to": np.array(["Land", "Vegetation", "Road"], object),
            "time": np.array(["2026-02-01", "2026-01-01", "2026-01-02"], object),
        },
    )
    return folder
