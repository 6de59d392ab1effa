"""The figures of a class in the log of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.protocol.translation import use_language

pytestmark = pytest.mark.qgis


@pytest.fixture
def language() -> Iterator[Callable[[str], None]]:
    yield use_language
    use_language("")


def test_a_line_has_the_figures_that_are_given(qgis_app: object):
    assert class_line("Water", pixels=256235, area=256235.0, share=0.1086) == "Water: 10.86 %, 25.62 ha, 256,235 px"
    assert class_line("Land → Road", pixels=0) == "Land → Road: 0 px"


def test_a_line_is_in_the_language_of_qgis(qgis_app: object, language: Callable[[str], None]):
    language("de")
    assert "256\u202f235 px" in class_line("Water", pixels=256235, share=0.5)
    language("ar")
    line = class_line("Water", pixels=1234, area=5678.0, share=0.25)
    assert not any(latin in line for latin in ("px", "ha", ", "))
    assert "1,234 بكسل" in line
