"""The samples: polygons with a class in an ordinary GeoPackage layer of the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsEditorWidgetSetup,
    QgsField,
    QgsFields,
    QgsFillSymbol,
    QgsProject,
    QgsRendererCategory,
    QgsSimpleLineSymbolLayer,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QDateTime
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.gui.panel.drawn_layer import (
    check_complete,
    check_writable,
    has_layer,
    has_polygons,
    id_of,
    polygon_feature,
    store_features,
    text_of,
)
from dubai_landcover_plugin.gui.panel.field_types import REAL, TEXT, TIME
from dubai_landcover_plugin.gui.panel.geopackage import cause_of, new_geopackage
from dubai_landcover_plugin.gui.panel.subject import Subject
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.translation import tr

LAYER_NAME = "samples"
ID = "sample"
FIELDS = (
    (ID, TEXT),
    ("class", TEXT),
    ("colour", TEXT),
    ("tool", TEXT),
    ("width", REAL),
    ("time", TIME),
)
"""Attributes of a sample: id, class and its colour, tool, width of the brush in units of the CRS, time of drawing."""
_FILL_ALPHA = 90
_TIME_FORMAT = "yyyy-MM-ddTHH:mm:ss"


@dataclass(frozen=True)
class Sample:
    """One sample.

    Args:
        class_name: Name of its class.
        geometry: Polygon in the CRS of the layer, as WKT.
        tool: ``point``, ``line`` or ``polygon``.
        width: Width of the brush, units of the layer's CRS.
        time: When it was drawn, ISO 8601.
        colour: Colour of its class when it was drawn.
    """

    class_name: str
    geometry: str
    tool: str = "polygon"
    width: float = 0.0
    time: str = ""
    colour: str = ""

    def of_class(self, entry: LandCoverClass) -> Sample:
        """Return the same sample with another class."""
        return replace(self, class_name=entry.name, colour=entry.colour)


def create_samples(path: Path, crs: QgsCoordinateReferenceSystem) -> QgsVectorLayer:
    """Create a GeoPackage for samples and return its layer; an existing file gets another layer.

    Raises:
        OutputError: if it cannot be written.
    """
    if path.exists():
        _add_layer(path, crs)
    else:
        with new_geopackage(path) as made:
            _add_layer(made, crs)
            check_complete(made, path, LAYER_NAME, [name for name, _ in FIELDS])
    return open_samples(path)


def _add_layer(path: Path, crs: QgsCoordinateReferenceSystem) -> None:
    """Write an empty layer for samples into a GeoPackage.

    Raises:
        OutputError: if it cannot be written.
    """
    fields = QgsFields()
    for name, kind in FIELDS:
        fields.append(QgsField(name, kind))
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName, options.fileEncoding = "GPKG", LAYER_NAME, "UTF-8"
    if path.exists():
        options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    writer = QgsVectorFileWriter.create(
        str(path), fields, QgsWkbTypes.Type.MultiPolygon, crs, QgsProject.instance().transformContext(), options
    )
    failed = writer.hasError() != QgsVectorFileWriter.WriterError.NoError
    problem = writer.errorMessage()
    del writer  # closes the file
    if failed:
        raise OutputError(
            tr("The layer for samples cannot be created: {problem}.", problem=cause_of(problem, str(path)).rstrip(".")),
            tr("Choose another file for the samples."),
        )


def open_samples(path: Path) -> QgsVectorLayer:
    """Return the layer of samples in a GeoPackage.

    Raises:
        OutputError: if there is none.
    """
    layer = QgsVectorLayer(f"{path}|layername={LAYER_NAME}", path.stem.replace("_", " "), "ogr")
    if not layer.isValid():
        raise OutputError(tr("'{path}' has no layer '{name}'.", path=path, name=LAYER_NAME), tr("Choose another file."))
    return layer


def has_samples(path: Path) -> bool:
    """Return whether a GeoPackage has a layer of samples."""
    return has_layer(path, LAYER_NAME)


def is_sample_layer(layer: Any) -> bool:
    """Return whether samples can be kept in a layer: polygons with the attributes of :data:`FIELDS`."""
    return has_polygons(layer, [name for name, _ in FIELDS])


def read_samples(layer: QgsVectorLayer) -> dict[str, Sample]:
    """Return the samples of a layer by id; features without an id are named by their number."""
    found = {}
    for feature in layer.getFeatures():
        if feature.geometry().isEmpty():
            continue
        found[id_of(feature, ID)] = Sample(
            class_name=text_of(feature["class"]),
            geometry=feature.geometry().asWkt(),
            tool=text_of(feature["tool"]),
            width=float(feature["width"]) if isinstance(feature["width"], (int, float)) else 0.0,
            time=_time(feature["time"]),
            colour=text_of(feature["colour"]),
        )
    return found


def write_samples(layer: QgsVectorLayer, changes: Mapping[str, Sample | None]) -> None:
    """Store samples by id at once; None removes one.

    Raises:
        RequestError: if the layer cannot be changed.
        OutputError: if its file cannot be written.
    """
    check_writable(layer)
    present = {id_of(feature, ID): feature.id() for feature in layer.getFeatures()}
    index = {name: layer.fields().indexOf(name) for name, _ in FIELDS}
    added, changed, removed = [], {}, []
    for name, sample in changes.items():
        if sample is None:
            removed += [present[name]] if name in present else []
        elif name in present:
            changed[present[name]] = {index["class"]: sample.class_name, index["colour"]: sample.colour}
        else:
            added.append(polygon_feature(layer, sample.geometry, _values(name, sample)))
    store_features(layer, added, changed, removed)


def style_samples(layer: QgsVectorLayer, classes: Sequence[LandCoverClass], colours: Mapping[str, str]) -> None:
    """Draw samples in the colours of their classes, and offer the classes in the form."""
    categories = [
        QgsRendererCategory(entry.name, _symbol(colours.get(entry.name, entry.colour)), entry.name) for entry in classes
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", categories))
    index = layer.fields().indexOf
    choices = [{entry.name: entry.name} for entry in classes]
    layer.setEditorWidgetSetup(index("class"), QgsEditorWidgetSetup("ValueMap", {"map": choices}))
    for name in (ID, "colour"):
        layer.setEditorWidgetSetup(index(name), QgsEditorWidgetSetup("Hidden", {}))
    layer.triggerRepaint()


def _symbol(colour: str) -> QgsFillSymbol:
    """Return a transparent fill with an outline in the colour on a white one: it stands out on classes, too."""
    fill = QColor(colour)
    rgb = f"{fill.red()},{fill.green()},{fill.blue()}"
    symbol = QgsFillSymbol.createSimple(
        {"color": f"{rgb},{_FILL_ALPHA}", "outline_color": "255,255,255,255", "outline_width": "0.9"}
    )
    symbol.appendSymbolLayer(QgsSimpleLineSymbolLayer.create({"line_color": f"{rgb},255", "line_width": "0.45"}))
    return symbol


def _values(name: str, sample: Sample) -> dict[str, Any]:
    """Return the attributes of a sample."""
    time = QDateTime.fromString(sample.time, _TIME_FORMAT)
    return {
        ID: name,
        "class": sample.class_name,
        "colour": sample.colour,
        "tool": sample.tool,
        "width": sample.width,
        "time": time if time.isValid() else QDateTime.currentDateTime(),
    }


def _time(value: Any) -> str:
    return value.toString(_TIME_FORMAT) if isinstance(value, QDateTime) else ""


def sample_file(subject: Subject) -> Path:
    """Return the GeoPackage for the samples of a raster: in the folder of the project, else of the raster."""
    home = QgsProject.instance().homePath()
    folder = Path(home) if home else Path(subject.source).parent
    return folder / f"{Path(subject.source).stem}_samples.gpkg"
