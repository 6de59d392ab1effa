"""The samples of a raster: where they are kept, how they change, and what the engine gets of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Callable

from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry, QgsMapLayer, QgsProject, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import QDateTime, QObject, pyqtSignal

from dubai_landcover_plugin.gui.panel.client import SessionClient
from dubai_landcover_plugin.gui.panel.drawn_layer import add_on_top, chosen_file, moved, new_id, store_style
from dubai_landcover_plugin.gui.panel.history import Changes, History, Step
from dubai_landcover_plugin.gui.panel.samples import (
    LAYER_NAME,
    Sample,
    create_samples,
    has_samples,
    is_sample_layer,
    open_samples,
    read_samples,
    sample_file,
    style_samples,
    write_samples,
)
from dubai_landcover_plugin.gui.panel.subject import Subject, colours_of, new_class, teaching_needs_a_file
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.requests.session import SampleSpec, SuggestRequest
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours

_PROPERTY = "dubai_landcover/samples"


class Teaching(QObject):
    """Samples of the raster that the panel works on.

    Args:
        client: The session.
    """

    changed = pyqtSignal()
    """Samples, classes or the layer changed."""
    taught = pyqtSignal()
    """Samples changed; the view should follow."""
    said = pyqtSignal(str, str)
    """Level and text for the user."""
    suggested = pyqtSignal(object)
    """:class:`.Suggested`; None if the search failed."""

    def __init__(self, client: SessionClient) -> None:
        super().__init__()
        self._client = client
        self._subject: Subject | None = None
        self._layer: QgsVectorLayer | None = None
        self._specs: dict[Sample, SampleSpec] = {}
        self.new_classes: list[LandCoverClass] = []
        self.samples: dict[str, Sample] = {}
        self.problems: dict[str, str] = {}
        """Why a sample is not used, by id."""
        self.history = History()
        self.ask_path: Callable[[Path], Path | None] = lambda proposed: None
        """Asks for the file of the samples where the proposed one cannot be written."""
        client.refused.connect(self._refuse)
        client.suggested.connect(self.suggested)
        client.failed.connect(lambda *_: self.suggested.emit(None))
        QgsProject.instance().layersAdded.connect(self._find_layer)

    @property
    def layer(self) -> QgsVectorLayer | None:
        """The layer of the samples; None before the first one."""
        return self._layer

    @property
    def classes(self) -> tuple[LandCoverClass, ...]:
        """Classes of the model, and new ones."""
        return (*self._subject.model.scheme.classes, *self.new_classes) if self._subject is not None else ()

    @property
    def entries(self) -> tuple[LandCoverClass, ...]:
        """The same, and Unlabeled."""
        return (*self.classes, self._subject.model.scheme.unlabeled) if self._subject is not None else ()

    @property
    def colours(self) -> dict[str, str]:
        """Colours of the classes by name."""
        if self._subject is None:
            return {}
        return colours_of(self._subject.model.scheme, self.new_classes, natural_colours())

    def counts(self) -> dict[str, int]:
        """Return the number of samples by class name."""
        found = {entry.name: 0 for entry in self.classes}
        for name, sample in self.samples.items():
            if name not in self.problems:
                found[sample.class_name] = found.get(sample.class_name, 0) + 1
        return found

    def usable(self) -> int:
        """Return the number of samples that the engine uses."""
        return len(self.samples) - len(self.problems)

    def set_subject(self, subject: Subject | None) -> None:
        """Work on another raster or model; the samples of the raster are those used with it before."""
        same_raster = None not in (subject, self._subject) and subject.layer_id == self._subject.layer_id
        self._subject = subject
        self._specs.clear()
        self.new_classes = []
        if same_raster:
            self.reload()
            return
        known = QgsProject.instance().mapLayer(self._layer_id())
        self.set_layer(known if is_sample_layer(known) else None)

    def set_layer(self, layer: QgsVectorLayer | None) -> None:
        """Keep the samples in another layer; None for a new one with the next sample."""
        if self._layer is not None:
            self._disconnect(self._layer)
        self._layer = layer
        self.history.clear()
        if layer is not None:
            layer.afterCommitChanges.connect(self.reload)
            layer.willBeDeleted.connect(self._forget_layer)
            raster = None if self._subject is None else QgsProject.instance().mapLayer(self._subject.layer_id)
            if raster is not None:
                raster.setCustomProperty(_PROPERTY, layer.id())
        self.reload()

    def reload(self) -> None:
        """Read the samples again and teach them."""
        self.samples = {} if self._layer is None else read_samples(self._layer)
        self._teach()

    def add_class(self, name: str, colour: str = "") -> LandCoverClass:
        """Make a class that the model does not have.

        Raises:
            LandCoverError: if the name or the colour cannot be used.
        """
        if self._subject is None:
            raise RequestError(tr("Choose a raster and a model first."))
        made = new_class(self._subject.model.scheme, self.new_classes, name, colour)
        self.new_classes.append(made)
        self._style()
        self.changed.emit()
        return made

    def draw(
        self, geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, entry: LandCoverClass, tool: str, width: float
    ) -> None:
        """Add a sample.

        Args:
            geometry: Polygon.
            crs: Its CRS.
            entry: The class.
            tool: Kind of the sample.
            width: Width of the brush, units of ``crs``.

        Raises:
            LandCoverError: if it is outside of the raster, or cannot be stored.
        """
        subject = self._subject
        if subject is None:
            raise RequestError(tr("Choose a raster and a model first."))
        wkt = geometry.asWkt()
        if not moved(wkt, crs, subject.crs).intersects(subject.extent):
            raise RequestError(
                tr("The sample is outside of the raster '{name}'.", name=subject.name),
                tr("Draw it on the raster."),
            )
        layer = self._layer or self._make_layer(subject)
        stored = moved(wkt, crs, layer.crs()).asWkt()
        time = QDateTime.currentDateTime().toString("yyyy-MM-ddTHH:mm:ss")
        self._change({new_id(): Sample(entry.name, stored, tool, width, time, entry.colour)})

    def add(self, areas: Mapping[str, tuple[str, QgsGeometry]], crs: QgsCoordinateReferenceSystem) -> int:
        """Add areas as samples, in one step; return how many were added.

        Args:
            areas: Class name and polygon by id; ids of samples that there are already are left out.
            crs: CRS of the polygons.

        Raises:
            LandCoverError: if there is no raster, all are outside of it, or they cannot be stored.
        """
        subject = self._subject
        if subject is None:
            raise RequestError(
                tr("There is no image to teach on."), tr("Choose image and model in the tab Teach, and try again.")
            )
        if not subject.is_file:
            raise RequestError(teaching_needs_a_file(subject))
        new = {name: area for name, area in areas.items() if name not in self.samples}
        there = {name: moved(shape.asWkt(), crs, subject.crs) for name, (_, shape) in new.items()}
        inside = [name for name, shape in there.items() if shape.intersects(subject.extent)]
        if new and not inside:
            raise RequestError(
                tr("They are outside of the raster '{name}'.", name=subject.name),
                tr("Choose the image of the classified raster in the tab Teach."),
            )
        if not inside:
            return 0
        layer = self._layer or self._make_layer(subject)
        time = QDateTime.currentDateTime().toString("yyyy-MM-ddTHH:mm:ss")
        colours = {entry.name: entry.colour for entry in self.classes}
        added = {}
        for name in inside:
            stored = moved(there[name].asWkt(), subject.crs, layer.crs()).asWkt()
            class_name = new[name][0]
            added[name] = Sample(class_name, stored, "polygon", 0.0, time, colours.get(class_name, ""))
        self._change(added)
        return len(added)

    def delete(self, names: Iterable[str]) -> None:
        """Remove samples.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        self._change(dict.fromkeys([name for name in names if name in self.samples]))

    def set_class(self, names: Iterable[str], entry: LandCoverClass) -> None:
        """Give samples another class.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        self._change({name: self.samples[name].of_class(entry) for name in names if name in self.samples})

    def undo(self) -> bool:
        """Take back the last change; return whether there was one.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        changes = self.history.undone()
        if changes is None:
            return False
        self._store(changes)
        self.history.moved_back()
        self.reload()
        return True

    def redo(self) -> bool:
        """Do a change again; return whether there was one.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        changes = self.history.redone()
        if changes is None:
            return False
        self._store(changes)
        self.history.moved_forward()
        self.reload()
        return True

    @property
    def is_suggesting(self) -> bool:
        """Whether the raster is searched for the next place."""
        return self._client.is_suggesting

    def suggest(self, visited: Iterable[tuple[float, float]]) -> None:
        """Search the raster for the place that is worth a sample most.

        Args:
            visited: Places in the CRS of the raster that were shown before.

        Raises:
            RequestError: without a raster.
        """
        if self._subject is None:
            raise RequestError(tr("Choose a raster and a model first."))
        self._client.suggest(SuggestRequest(tuple(visited)))

    def stop_suggesting(self) -> None:
        """End the search."""
        self._client.stop_suggesting()

    def extent_of(self, name: str) -> QgsRectangle:
        """Return the extent of a sample in the CRS of the raster."""
        spec = self._specs.get(self.samples[name]) if name in self.samples else None
        return QgsGeometry.fromWkt(spec.geometry).boundingBox() if spec is not None else QgsRectangle()

    def close(self) -> None:
        """Let go of the layer."""
        QgsProject.instance().layersAdded.disconnect(self._find_layer)
        if self._layer is not None:
            self._disconnect(self._layer)
        self._layer = None

    def _layer_id(self) -> str:
        """Return the id of the layer that was used with the raster last; empty without one."""
        raster = None if self._subject is None else QgsProject.instance().mapLayer(self._subject.layer_id)
        return "" if raster is None else str(raster.customProperty(_PROPERTY, ""))

    def _find_layer(self, layers: list[QgsMapLayer]) -> None:
        """Use the samples of a raster that a project has before them."""
        name = self._layer_id() if self._layer is None else ""
        found = next((layer for layer in layers if name and layer.id() == name), None)
        if is_sample_layer(found):
            self.set_layer(found)

    def _change(self, changes: Changes) -> None:
        if not changes:
            return
        before = {name: self.samples.get(name) for name in changes}
        self._store(changes)
        self.history.add(Step(before, dict(changes)))
        self.reload()

    def _store(self, changes: Changes) -> None:
        if self._layer is None:
            raise RequestError(tr("The layer of the samples is not in the project any more."), tr("Choose it again."))
        write_samples(self._layer, changes)

    def _make_layer(self, subject: Subject) -> QgsVectorLayer:
        """Return the layer for the first sample: an existing file is continued."""
        path = chosen_file(sample_file(subject), self.ask_path)
        layer = open_samples(path) if has_samples(path) else create_samples(path, subject.crs)
        self.add_layer(layer)
        if self.samples:
            self.said.emit("info", tr("{n} samples of {path} are used, too.", n=len(self.samples), path=path.name))
        else:
            self.said.emit("info", tr("Samples are stored in {path}.", path=path))
        return layer

    def add_layer(self, layer: QgsVectorLayer) -> None:
        """Add a layer of samples to the project, on top, and keep the samples there."""
        add_on_top(layer)
        self.set_layer(layer)
        store_style(layer, LAYER_NAME, tr("Samples of land cover"))

    def _style(self) -> None:
        if self._layer is not None and self.classes:
            style_samples(self._layer, self.classes, self.colours)

    def _teach(self) -> None:
        """Give the engine the samples that it can use."""
        self.problems = {}
        specs: dict[str, SampleSpec] = {}
        known = {entry.name: entry for entry in self.classes}
        for name, sample in self.samples.items():
            try:
                specs[name] = self._spec(name, sample, known)
            except LandCoverError as error:
                self.problems[name] = str(error)
        self._style()
        classes = {entry.id: {"id": entry.id, "name": entry.name, "colour": entry.colour} for entry in self.new_classes}
        self._client.set_samples(specs, classes)
        self.problems.update(self._client.refusals)
        self.changed.emit()
        self.taught.emit()

    def _spec(self, name: str, sample: Sample, known: dict[str, LandCoverClass]) -> SampleSpec:
        """Return a sample for the engine; a class that the model does not have is made."""
        subject = self._subject
        if subject is None or self._layer is None:
            raise RequestError(tr("Choose a raster and a model first."))
        if sample.class_name not in known:
            made = new_class(subject.model.scheme, self.new_classes, sample.class_name, sample.colour)
            self.new_classes.append(made)
            known[made.name] = made
        entry = known[sample.class_name]
        found = self._specs.get(sample)
        if found is None or found.class_id != entry.id or found.id != name:
            geometry = moved(sample.geometry, self._layer.crs(), subject.crs)
            if not geometry.intersects(subject.extent):
                raise RequestError(tr("It is outside of the raster '{name}'.", name=subject.name))
            found = SampleSpec(name, entry.id, geometry.asWkt())
            self._specs[sample] = found
        return found

    def _refuse(self, name: str, reason: str) -> None:
        """Note that the engine cannot use a sample."""
        self.problems[name] = reason
        self.said.emit("warning", tr("A sample is not used: {reason}", reason=reason))
        self.changed.emit()

    def _forget_layer(self) -> None:
        """The layer is removed from the project; its file stays."""
        self._layer = None
        self.history.clear()
        self.samples, self.problems = {}, {}
        self._client.set_samples({}, {})
        self.said.emit("info", tr("The layer of the samples was removed from the project; its file is kept."))
        self.changed.emit()

    def _disconnect(self, layer: QgsVectorLayer) -> None:
        layer.afterCommitChanges.disconnect(self.reload)
        layer.willBeDeleted.disconnect(self._forget_layer)
