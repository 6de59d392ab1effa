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
    from qgis.PyQt.QtWidgets import QCheckBox

    made = algorithm("exportclasspolygons")
    wrapper = WidgetWrapperFactory.create_wrapper(made.parameterDefinition("CLASSES"), None)
    boxes = {box.text(): box for box in wrapper.widget.findChildren(QCheckBox)}
    assert list(boxes) == ["Water", "Land", "Road", "Building", "Vegetation", "Unlabeled"]
    assert wrapper.parameterValue() == ["Road", "Building"]
    boxes["Water"].setChecked(True)
    assert wrapper.parameterValue() == ["Water", "Road", "Building"]


def test_formats_have_their_names(algorithm: Callable[[str], Any], qgis_processing: Any):
    from processing.gui.wrappers import WidgetWrapperFactory
    from qgis.PyQt.QtWidgets import QCheckBox

    made = algorithm("exportmodel")
    wrapper = WidgetWrapperFactory.create_wrapper(made.parameterDefinition("FORMATS"), None)
    assert [box.text() for box in wrapper.widget.findChildren(QCheckBox)] == ["ONNX", "OpenVINO", "Esri", "STAC"]
    assert wrapper.parameterValue() == ["onnx"]


def test_labels_are_those_of_qgis(
    algorithm: Callable[[str], Any], qgis_processing: Any, monkeypatch: pytest.MonkeyPatch
):
    from processing.gui.wrappers import WidgetWrapperFactory

    from dubai_landcover_plugin.gui import choice_widget

    def translate(context: str, text: str) -> str:
        return {("QObject", "%1 [optional]"): "%1 [اختياري]"}[context, text]

    monkeypatch.setattr(choice_widget.QCoreApplication, "translate", translate)
    made = algorithm("extractroadnetwork")
    parameter = made.parameterDefinition("BARRIERS")
    label = WidgetWrapperFactory.create_wrapper(parameter, None).label
    assert label.text() == "Barriers [اختياري]"
    assert parameter.help() in label.toolTip()


def test_words_do_not_widen_a_dialog(widget: Callable[[str], Any]):
    model = widget("MODEL").widget
    assert max(len(model.itemText(row)) for row in range(model.count())) > 40
    assert model.sizeHint().width() < 300
    assert model.toolTip() == model.currentText()


def test_classes_in_the_table_of_a_batch(algorithm: Callable[[str], Any], context: Any, qgis_iface: Any):
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    dialog = BatchAlgorithmDialog(algorithm("exportclasspolygons"), None)
    panel = dialog.mainWidget()
    column = panel.parameter_to_column["CLASSES"]
    wrapper = panel.wrappers[0][column]
    assert panel.valueForParameter(0, "CLASSES") == ["Road", "Building"]
    assert wrapper.widget.checkedItems() == ["Road", "Building"]
    wrapper.setParameterValue(["Water", "Land"], context)
    assert [wrapper.widget.itemText(row) for row in range(wrapper.widget.count())][:3] == ["Water", "Land", "Road"]
    assert wrapper.widget.checkedItems() == ["Water", "Land"]  # the text may be elided
    assert wrapper.widget.currentText().startswith("Water, La")
    assert panel.valueForParameter(0, "CLASSES") == ["Water", "Land"]
    wrapper.setParameterValue("Road,Vegetation", context)
    assert panel.valueForParameter(0, "CLASSES") == ["Road", "Vegetation"]
    dialog.deleteLater()


def test_classes_in_a_step_of_a_model(algorithm: Callable[[str], Any], qgis_processing: Any, qgis_iface: Any):
    from processing.modeler.ModelerParametersDialog import ModelerParametersDialog
    from qgis.core import QgsProcessingModelAlgorithm, QgsProcessingModelParameter, QgsProcessingParameterString

    model = QgsProcessingModelAlgorithm("model", "tests")
    model.addModelParameter(QgsProcessingParameterString("names", "Names"), QgsProcessingModelParameter("names"))
    dialog = ModelerParametersDialog(algorithm("exportclasspolygons"), model)
    dialog.setPreviousValues()
    wrapper = dialog.widget.widget.wrappers["CLASSES"]
    assert wrapper.value() == ["Road", "Building"]
    wrapper.setValue(["Water"])
    sources = dialog.createAlgorithm().parameterSources()["CLASSES"]
    assert [source.staticValue() for source in sources] == [["Water"]]
    wrapper._sources.setCurrentIndex(1)
    (source,) = dialog.createAlgorithm().parameterSources()["CLASSES"]
    assert source.parameterName() == "names"
    wrapper.setValue(["Land"])
    assert wrapper.value() == ["Land"]
    wrapper.setValue(source)
    assert wrapper.value().parameterName() == "names"
    dialog.deleteLater()
