"""Lines of the log."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.protocol.translation import use_language

pytestmark = pytest.mark.qgis


def test_a_class_is_a_line_without_columns(qgis_app: object):
    assert class_line("Water", 0.1086, "25.62 ha", "256,235 px") == "Water: 10.86 %, 25.62 ha, 256,235 px"
    assert class_line("Water", 0.0, "", "0 px") == "Water: 0.00 %, 0 px"


def test_thousands_are_grouped_as_the_language_does(qgis_app: object):
    use_language("de")
    try:
        assert class_line("Water", 0.5, "256,235 px") == "Water: 50.00 %, 256\u202f235 px"
    finally:
        use_language("")
