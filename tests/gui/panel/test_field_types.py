"""Types of attributes."""

from __future__ import annotations

from typing import Any

import pytest
from qgis.core import QgsField

from dubai_landcover_plugin.gui.panel.field_types import REAL, TEXT, TIME

pytestmark = pytest.mark.qgis


@pytest.mark.parametrize(
    ("kind", "is_number", "is_time"), [(TEXT, False, False), (REAL, True, False), (TIME, False, True)]
)
def test_fields_are_of_the_type(kind: Any, is_number: bool, is_time: bool):
    field = QgsField("name", kind)
    assert (field.isNumeric(), field.isDateOrTime()) == (is_number, is_time)
