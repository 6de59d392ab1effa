"""Meanings of mask values."""

from __future__ import annotations

import numpy as np

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import DUBAI
from training.data.dataset import NOT_CLASS
from training.data.label_values import label_values


def test_values_and_their_labels() -> None:
    values = label_values({"-1": "", "70000": "Road", "3": "not road"}, DUBAI, "here")
    assert values is not None
    labels, known = values.of(np.array([[-1, 3], [70000, 4]]))
    assert labels.tolist() == [[IGNORE, NOT_CLASS + 2], [2, IGNORE]]
    assert known.tolist() == [[True, True], [True, False]]
    assert values.listed == "-1, 3, 70000"
    assert values.of(np.array([3.0, 3.5, np.nan]))[1].tolist() == [True, False, False]


def test_an_empty_table_has_no_meaning() -> None:
    assert label_values({}, DUBAI, "here") is None
