"""The list that shows words for values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.qgis


@pytest.fixture
def widget(algorithm: Callable[[str], Any], qgis_processing: Any) -> Callable[[str], Any]:
    """Make the widget of a parameter of Segment Land Cover as dialogs do."""
    from processing.gui.wrappers import WidgetWrapperFactory

    made = algorithm("segmentlandcover")
    return lambda name: WidgetWrapperFactory.create_wrapper(made.parameterDefinition(name), None)


def test_words_are_shown_and_values_returned(widget: Callable[[str], Any]):
    device = widget("DEVICE")
    assert (device.widget.currentText(), device.parameterValue()) == ("Automatic", "auto")
    device.setValue("cpu")
    assert (device.widget.currentText(), device.parameterValue()) == ("Processor", "cpu")


def test_an_unknown_value_is_the_default(widget: Callable[[str], Any]):
    model = widget("MODEL")
    model.setValue("dubai")
    model.setValue("gone")
    assert model.parameterValue() == "world"


def test_classes_are_checkboxes(algorithm: Callable[[str], Any], qgis_processing: Any):
    from processing.gui.wrappers import WidgetWrapperFactory
    from qgis.core import QgsProcessingContext
    from qgis.PyQt.QtWidgets import QCheckBox

    made = algorithm("exportclasspolygons")
    wrapper = WidgetWrapperFactory.create_wrapper(made.parameterDefinition("CLASSES"), None)
    panel = wrapper.createWrappedWidget(QgsProcessingContext())
    boxes = {box.text(): box for box in panel.findChildren(QCheckBox)}
    assert list(boxes) == ["Water", "Land", "Road", "Building", "Vegetation", "Unlabeled"]
    assert wrapper.parameterValue() == ["Road", "Building"]
    boxes["Water"].setChecked(True)
    assert wrapper.parameterValue() == ["Water", "Road", "Building"]
