"""Processing parameters made from the options of a request, and their values for the engine.

Titles, help, ranges and defaults are those of the request, so an option that is added there appears in the dialog.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.processing.destinations import output_values
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.requests.assessment import expected_accuracies
from dubai_landcover_plugin.protocol.requests.options import SECTIONS, Described
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import available_models

NONE = "none"
"""Entry of an enumeration that leaves an optional value out."""
_GEOMETRIES = {
    "points": QgsProcessing.SourceType.TypeVectorPoint,
    "lines": QgsProcessing.SourceType.TypeVectorLine,
    "polygons": QgsProcessing.SourceType.TypeVectorPolygon,
    "features": QgsProcessing.SourceType.TypeVectorAnyGeometry,
}
_LIST_FORMS = {
    "tuple[str, ...]": "Separate several by semicolons, such as Building;Road.",
    "tuple[tuple[float, float], ...]": "Write one pair for each band, such as 0,3000;0,3000;0,2500.",
    "dict[str, float]": "Separate several by semicolons, such as Road=0.6;Building=0.7.",
}
_SCHEME_SUFFIXES = (".safetensors", ".onnx", ".tif", ".vrt", ".csv", ".json", ".qml")
_CHOICE_WIDGET = "dubai_landcover_plugin.gui.choice_widget.ChoiceWidget"
_SEVERAL_CHOICES_WIDGET = "dubai_landcover_plugin.gui.choice_widget.SeveralChoicesWidget"
"""Imported by QGIS when it opens a dialog: there is none in ``qgis_process``."""
_Request = TypeVar("_Request", bound=Request)
_EXTENT = "tuple[float, float, float, float]"


def add_inputs(
    algorithm: LandCoverAlgorithm,
    request: type[Request],
    first: Sequence[str] = (),
    own: Mapping[str, Any] | None = None,
    skip: Sequence[str] = (),
) -> None:
    """Add the inputs and values of a request: layers, then values, then advanced values by section.

    Args:
        algorithm: The algorithm.
        request: Class of its request.
        first: Names of the options that come first, in this order.
        own: By option name, functions that add another parameter than the general one; they take the option.
        skip: Names of options that the algorithm has no parameters for.
    """

    def place(item: Described) -> tuple[int, int]:
        if item.name in first:
            return -1, first.index(item.name)
        if item.option.advanced:
            return 2, SECTIONS.index(item.option.section)
        return 0 if item.option.reads else 1, 0

    items = [item for item in request.described() if item.key is not None and not item.option.writes]
    for item in sorted(items, key=place):
        if own is not None and item.name in own:
            own[item.name](item)
        elif item.name not in skip:
            add_parameter(algorithm, item)


def add_outputs(algorithm: LandCoverAlgorithm, request: type[Request]) -> None:
    """Add the destinations of a request."""
    for item in request.described():
        if item.option.writes and item.key is not None:
            add_parameter(algorithm, item)


def option_of(request: type[Request], name: str) -> Described:
    """Return an option of a request by name."""
    return next(item for item in request.described() if item.name == name)


def add_parameter(
    algorithm: LandCoverAlgorithm, item: Described, parameter: QgsProcessingParameterDefinition | None = None
) -> None:
    """Add the parameter of an option, or ``parameter`` instead, with the option's help."""
    text = tr(item.option.help)
    if item.kind in _LIST_FORMS and parameter is None and not item.option.reads:
        text = f"{text} {tr(_LIST_FORMS[item.kind])}"
    created = item.required or item.option.proposed
    algorithm.add(parameter or make_parameter(item), text, item.option.advanced, created)


def label(item: Described) -> str:
    """Return the title of an option with its unit, translated."""
    return item.option.label(tr)


def make_parameter(item: Described) -> QgsProcessingParameterDefinition:
    """Return the parameter of an option by its kind."""
    name, title, option = str(item.key), label(item), item.option
    if option.reads:
        return _input(item, name, title)
    if option.writes:
        return _output(item, name, title)
    if item.kind == "bool":
        return QgsProcessingParameterBoolean(name, title, defaultValue=item.default)
    if option.checkbox is not None:
        return QgsProcessingParameterBoolean(name, title, defaultValue=item.default == option.checkbox[1])
    if option.choices:
        return _enumeration(item, name, title)
    if item.kind in ("int", "float"):
        return _number(item, name, title)
    if item.kind == _EXTENT:
        return QgsProcessingParameterExtent(name, title, optional=True)
    default = item.default if item.kind == "str" else None
    return QgsProcessingParameterString(name, title, defaultValue=default, optional=item.optional or not option.filled)


def _input(item: Described, name: str, title: str) -> QgsProcessingParameterDefinition:
    if item.option.reads == "folder":
        behavior = QgsProcessingParameterFile.Behavior.Folder
        return QgsProcessingParameterFile(name, title, behavior=behavior, optional=item.optional)
    if item.option.reads == "scheme":
        files = " ".join(f"*{suffix}" for suffix in _SCHEME_SUFFIXES)
        filters = ";;".join((f"{tr('Class schemes')} ({files})", f"{tr('All files')} (*)"))
        return QgsProcessingParameterFile(name, title, optional=True, fileFilter=filters)
    if item.option.reads == "raster" and item.kind == "tuple[str, ...]":
        rasters = QgsProcessing.SourceType.TypeRaster
        return QgsProcessingParameterMultipleLayers(name, title, rasters, optional=True)
    if item.option.reads == "raster":
        return QgsProcessingParameterRasterLayer(name, title, optional=item.optional)
    return QgsProcessingParameterFeatureSource(name, title, [_GEOMETRIES[item.option.reads]], optional=item.optional)


def _output(item: Described, name: str, title: str) -> QgsProcessingParameterDefinition:
    kind = item.option.writes
    if kind == "folder":
        return QgsProcessingParameterFolderDestination(name, title, optional=item.optional)
    if kind == "raster":
        return QgsProcessingParameterRasterDestination(name, title, optional=item.optional)
    if kind in _GEOMETRIES:
        return QgsProcessingParameterVectorDestination(name, title, _GEOMETRIES[kind], optional=item.optional)
    files = {
        "page": tr("HTML files (*.html)"),
        "table": tr("CSV files (*.csv)"),
        "model": tr("Models (*.safetensors)"),
    }
    return QgsProcessingParameterFileDestination(name, title, files[kind], optional=item.optional)


def enumeration(
    name: str, title: str, values: Sequence[str], words: Sequence[str], default: str | None, optional: bool = False
) -> QgsProcessingParameterEnum:
    """Return a parameter whose values are texts that do not depend on the language; its dialog shows words.

    Args:
        name: Its name.
        title: Its title.
        values: The values.
        words: What dialogs show for each of them.
        default: Value by default.
        optional: Whether it may be empty.
    """
    parameter = QgsProcessingParameterEnum(name, title, list(values), False, default, optional, True)
    parameter.setMetadata({"widget_wrapper": {"class": _CHOICE_WIDGET, "words": list(words)}})
    return parameter


def checkboxes(
    name: str,
    title: str,
    values: Sequence[str],
    default: Sequence[str],
    optional: bool = False,
    words: Sequence[str] = (),
) -> QgsProcessingParameterEnum:
    """Return a parameter of several values, shown as checkboxes: QGIS 3.22 has no working list for texts.

    Args:
        name: Its name.
        title: Its title.
        values: The values.
        default: Those that are checked by default.
        optional: Whether none may be checked.
        words: What dialogs show for each value; by default the values.
    """
    parameter = QgsProcessingParameterEnum(name, title, list(values), True, list(default), optional, True)
    parameter.setMetadata({"widget_wrapper": {"class": _SEVERAL_CHOICES_WIDGET, "words": list(words)}})
    return parameter


def _enumeration(item: Described, name: str, title: str) -> QgsProcessingParameterEnum:
    values = [_shown(choice) for choice in item.option.choices]
    words = [tr(word) for word in item.option.words] or values
    if item.optional:
        values, words = [NONE, *values], [tr("None"), *words]
    return enumeration(name, title, values, words, _shown(item.default))


def _number(item: Described, name: str, title: str) -> QgsProcessingParameterNumber:
    option, kinds = item.option, QgsProcessingParameterNumber.Type
    kind = kinds.Integer if item.kind == "int" else kinds.Double
    parameter = QgsProcessingParameterNumber(name, title, kind, item.default, optional=item.optional)
    decimals = option.decimals or (4 if item.optional else 2)
    if option.low is not None:
        parameter.setMinimum(option.low + 10**-decimals if option.exclusive else option.low)
    if option.high is not None:
        parameter.setMaximum(option.high)
    if kind == kinds.Double:
        parameter.setMetadata({"widget_wrapper": {"decimals": decimals}})
    return parameter


def option_values(
    algorithm: LandCoverAlgorithm,
    request: type[Request],
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
    skip: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the plain values of the parameters by option name; layers and destinations are not among them.

    Args:
        algorithm: The algorithm.
        request: Class of its request.
        parameters: Values of the parameters.
        context: Processing's context.
        skip: Names of options whose parameters the algorithm reads itself.

    Raises:
        RequestError: for a text that is not a list of values.
    """
    values = {}
    for item in request.described():
        is_layer = item.option.reads not in ("", "scheme")
        plain = not (is_layer or item.option.writes) and item.kind != _EXTENT and item.key is not None
        if plain and item.name not in skip and algorithm.parameterDefinition(str(item.key)) is not None:
            values[item.name] = _value(algorithm, item, parameters, context)
    return values


def build_request(
    algorithm: LandCoverAlgorithm,
    request: type[_Request],
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
    paths: Mapping[str, str],
    **values: Any,
) -> _Request:
    """Return the engine's request from the parameters.

    Args:
        algorithm: The algorithm.
        request: Class of its request.
        parameters: Values of the parameters.
        context: Processing's context.
        paths: Result of :func:`.destinations`.
        **values: Options that the algorithm reads itself, such as layers.

    Raises:
        QgsProcessingException: for values that no run can use.
    """
    try:
        plain = option_values(algorithm, request, parameters, context, skip=tuple(values))
        # Processing has asked the user before it overwrites.
        return request.from_options({**plain, **output_values(request, paths), "overwrite": True, **values})
    except LandCoverError as error:
        raise QgsProcessingException(str(error)) from error


def _value(
    algorithm: LandCoverAlgorithm, item: Described, parameters: Mapping[str, Any], context: QgsProcessingContext
) -> Any:
    """Return the value of one parameter; None where an optional one is empty."""
    key, option = str(item.key), item.option
    if option.reads == "scheme":
        return scheme_path(algorithm.parameterAsString(parameters, key, context))
    if item.kind == "bool":
        return algorithm.parameterAsBool(parameters, key, context)
    if option.checkbox is not None:
        return option.checkbox[algorithm.parameterAsBool(parameters, key, context)]
    if option.choices:
        chosen = algorithm.parameterAsEnumString(parameters, key, context)
        if item.optional and chosen == NONE:
            return None
        return f".{chosen}" if option.choices[0].startswith(".") else chosen
    if item.kind in ("int", "float"):
        if item.optional and parameters.get(key) in (None, ""):
            return None
        read = algorithm.parameterAsInt if item.kind == "int" else algorithm.parameterAsDouble
        return read(parameters, key, context)
    text = algorithm.parameterAsString(parameters, key, context)
    if item.kind == "str":
        return text or None if item.optional else text
    if item.kind == "tuple[tuple[float, float], ...]":
        return stretch_limits(text)
    if item.kind == "dict[str, float]":
        return expected_accuracies(text_list(text))
    return text_list(text) or (None if item.optional else ())


def scheme_path(text: str) -> str | None:
    """Return a class scheme as the engine finds it from its folder: an absolute path; None for an empty text.

    Installed models are given by name; those in the folder of the plugin's settings are known to QGIS alone.
    """
    text = text.strip()
    installed = available_models()
    if text in installed:
        return str(installed[text])
    return os.path.abspath(text) if os.path.exists(text) else text or None


def text_list(text: str) -> tuple[str, ...]:
    """Return the parts of a text that semicolons separate."""
    return tuple(part.strip() for part in text.split(";") if part.strip())


def stretch_limits(text: str) -> tuple[tuple[float, float], ...] | None:
    """Return the stretch in ``low,high;low,high;…``, or None for an empty text.

    Raises:
        RequestError: if the text is something else or a low value is not below its high one.
    """
    if not text.strip():
        return None
    try:
        pairs = [tuple(float(value) for value in part.split(",")) for part in text.strip().strip(";").split(";")]
    except ValueError:
        pairs = [()]
    if any(len(pair) != 2 or not pair[0] < pair[1] for pair in pairs):
        raise RequestError(
            tr("The stretch limits '{text}' are not pairs of a low and a higher value.", text=text),
            tr("Write one pair for each band, such as 0,3000;0,3000;0,2500."),
        )
    return tuple((pair[0], pair[1]) for pair in pairs)


def _shown(choice: str | None) -> str:
    return NONE if choice is None else choice.lstrip(".")
