"""Both dates and their confidence on the same pixels."""

import numpy as np
import pytest
from affine import Affine

from dubai_landcover_plugin.core.change.aligned_pair import AlignedPair, PairStrip
from dubai_landcover_plugin.core.change.alignment import align
from dubai_landcover_plugin.core.change.change_codes import MISSING, UNCERTAIN, UNKNOWN, ChangeCoding
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from tests.core.change.cases import UTM40
from tests.factories import ONE_METRE, write_class_map, write_confidence

CODING = ChangeCoding(DUBAI, DUBAI)
EARLIER = np.array([[1, 2, 0, 6], [2, 2, 4, 4]])
LATER = np.array([[1, 4, 2, 2], [0, 2, 6, 2]])


@pytest.fixture
def pair(tmp_path):
    """Open a pair of maps; the later one is a column further east."""

    def open_pair(earlier_percent=None, later_percent=None, minimum=0.0):
        grids = tuple(Grid(2, 4, ONE_METRE @ Affine.translation(step, 0), UTM40) for step in (0, 1))
        paths = [
            write_class_map(tmp_path / f"{name}.tif", ids, transform=grid.transform)
            for name, ids, grid in zip(("a", "b"), (EARLIER, LATER), grids, strict=True)
        ]
        confidences = [
            None if percent is None else write_confidence(tmp_path / name, percent, transform=grid.transform)
            for name, percent, grid in zip(("p.tif", "q.tif"), (earlier_percent, later_percent), grids, strict=True)
        ]
        request = ChangeRequest(
            *paths,
            str(tmp_path / "o.tif"),
            earlier_confidence=confidences[0],
            later_confidence=confidences[1],
            min_confidence=minimum,
        )
        sources = [ClassifiedSource(path) for path in paths]
        decoders = tuple(source.decoder for source in sources)
        return AlignedPair(request, grids, decoders, CODING, align(*grids))

    return open_pair


def test_classes_of_the_common_pixels(pair):
    with pair() as opened:
        earlier, later = opened.classes(Window(0, 0, 2, 3))
    assert earlier.tolist() == [[1, MISSING, UNKNOWN], [1, 3, 3]]
    assert later.tolist() == [[0, 3, 1], [MISSING, 1, UNKNOWN]]


def test_a_strip_is_certain_where_both_classes_are_known(pair):
    with pair() as opened:
        strip = opened.strip(0, 2)
        assert strip.certain.tolist() == [[True, False, False], [False, True, False]]
        assert opened.strip(1, 2).earlier.tolist() == [[1, 3, 3]]


def test_the_lower_confidence_counts_and_unknown_is_uncertain(pair):
    percents = np.full((2, 4), 90), np.array([[60, 90, 90, 90], [90, 59, 90, 90]])
    percents[0][0, 1] = 70
    with pair(*percents, minimum=0.6) as opened:
        assert opened.confidence(0, 2).tolist() == [[60, 90, 90], [90, 59, 90]]
        assert opened.strip(0, 2).certain.tolist() == [[True, False, False], [False, False, False]]
    percents[0][0, 1] = 255
    with pair(*percents, minimum=0.6) as opened:
        assert np.isnan(opened.confidence(0, 1)[0, 0])
        assert not opened.strip(0, 2).certain.any()


def test_confidence_of_one_date_is_that_of_both(pair):
    with pair(later_percent=np.full((2, 4), 50), minimum=0.51) as opened:
        assert opened.confidence(0, 1).tolist() == [[50, 50, 50]]
        assert not opened.strip(0, 2).certain.any()


def test_codes_of_a_strip():
    earlier = np.array([[0, 1, UNKNOWN, MISSING, 1]], np.int16)
    later = np.array([[0, 3, 1, 1, 3]], np.int16)
    certain = np.array([[True, True, False, False, False]])
    assert PairStrip(earlier, later, certain).codes(CODING).tolist() == [[11, 24, UNCERTAIN, 0, UNCERTAIN]]
    assert PairStrip(earlier, later, certain).codes(CODING).dtype == np.uint8
