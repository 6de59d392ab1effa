"""The figures of a class in the log of a run."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.processing.class_lines import class_line
from dubai_landcover_plugin.protocol.translation import use_language


@pytest.fixture
def arabic():
    use_language("ar")
    yield
    use_language("")


def test_a_line_has_the_figures_that_are_given():
    assert class_line("Water", pixels=1234, area=5678.0, share=0.25) == "Water: 1,234 px, 0.57 ha, 25.00 %"
    assert class_line("Land → Road", pixels=0) == "Land → Road: 0 px"


def test_a_line_is_arabic_in_an_arabic_qgis(arabic):
    line = class_line("Water", pixels=1234, area=5678.0, share=0.25)
    assert not any(latin in line for latin in ("px", "ha", ", "))
    assert "1,234 بكسل" in line
