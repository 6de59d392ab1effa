"""The corrections of a classified raster: where they are kept, and how they change."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Callable

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QDateTime, QObject, pyqtSignal

from dubai_landcover_plugin.gui.panel.classified import Classified, read_classified
from dubai_landcover_plugin.gui.panel.correction_files import correction_file, known_layer, link, open_or_create
from dubai_landcover_plugin.gui.panel.correction_layer import (
    LAYER_NAME,
    TIME_FORMAT,
    CorrectionLayer,
    has_corrections,
    open_corrections,
    style_corrections,
)
from dubai_landcover_plugin.gui.panel.corrections import Correction, CorrectionEdits
from dubai_landcover_plugin.gui.panel.coverage import classes_under
from dubai_landcover_plugin.gui.panel.drawn_layer import add_on_top, chosen_file, moved, new_id, store_style
from dubai_landcover_plugin.gui.panel.subject import new_class
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.translation import tr


class Correcting(QObject):
    """Corrections of the classified raster that is chosen."""

    changed = pyqtSignal()
    """Corrections, classes or the layer changed."""
    said = pyqtSignal(str, str)
    """Level and text for the user."""

    def __init__(self) -> None:
        super().__init__()
        self._raster: Classified | None = None
        self._layer: QgsVectorLayer | None = None
        self._edits: CorrectionEdits | None = None
        self.new_classes: list[LandCoverClass] = []
        """Classes that the raster does not have."""
        self._styled: tuple[str, tuple[LandCoverClass, ...]] = "", ()  # layer and classes of its style
        self.problems: dict[str, str] = {}
        """Why a correction has no effect, by id."""
        self.ask_path: Callable[[Path], Path | None] = lambda proposed: None
        """Asks for the file of the corrections where the proposed one cannot be written."""

    @property
    def raster(self) -> Classified | None:
        """The raster; None without one."""
        return self._raster

    @property
    def layer(self) -> QgsVectorLayer | None:
        """The layer of the corrections; None before the first one."""
        return self._layer

    @property
    def classes(self) -> tuple[LandCoverClass, ...]:
        """Classes of the raster and new ones, Unlabeled last."""
        return () if self._raster is None else self.scheme(self._raster).entries

    def scheme(self, raster: Classified) -> ClassScheme:
        """Return the classes of a raster with the new ones."""
        return ClassScheme((*raster.scheme.classes, *self.new_classes), raster.scheme.unlabeled)

    @property
    def colours(self) -> dict[str, str]:
        """Colours of the classes by name."""
        shown = {} if self._raster is None else self._raster.colours
        return {**shown, **{entry.name: entry.colour for entry in self.new_classes}}

    @property
    def corrections(self) -> dict[str, Correction]:
        """The corrections by id."""
        return {} if self._edits is None else self._edits.corrections

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return self._edits is not None and self._edits.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to do again."""
        return self._edits is not None and self._edits.can_redo

    def counts(self) -> dict[str, int]:
        """Return the number of corrections that set a class, by its name."""
        found: dict[str, int] = {}
        for one in self.corrections.values():
            found[one.target] = found.get(one.target, 0) + 1
        return found

    def set_raster(self, raster: Classified | None) -> None:
        """Correct another raster, with the corrections of it that there are."""
        self._raster, self.new_classes = raster, []
        self.set_layer(None if raster is None else known_layer(raster))
        if raster is not None and self._layer is None:
            path = correction_file(raster)
            if has_corrections(path):
                self._add_layer(open_corrections(path), raster)
                self.said.emit(
                    "info",
                    tr("{n} corrections of this raster were found in {path}.", n=len(self.corrections), path=path.name),
                )

    def set_layer(self, layer: QgsVectorLayer | None) -> None:
        """Keep the corrections in another layer; None for a new one with the next correction."""
        if self._layer is not None:
            self._disconnect(self._layer)
        self._layer = layer
        self._edits = None
        if layer is not None:
            layer.afterCommitChanges.connect(self.reload)
            layer.willBeDeleted.connect(self._forget_layer)
            self._edits = CorrectionEdits(CorrectionLayer(layer))
            self._styled = "", ()
        if layer is not None and self._raster is not None:
            link(layer, self._raster)
        self._show()

    def use_file(self, path: Path) -> None:
        """Keep the corrections in a GeoPackage, which is made where there is none.

        Raises:
            LandCoverError: if it cannot be read or written, or no raster is chosen.
        """
        raster = self.checked_raster()
        self._add_layer(open_or_create(path, raster), raster)

    def reload(self) -> None:
        """Read the corrections again."""
        if self._edits is not None:
            self._edits.reload()
        self._show()

    def add_class(self, name: str, colour: str = "") -> LandCoverClass:
        """Make a class that the raster does not have; Apply Corrections writes it where corrections set it.

        Raises:
            LandCoverError: if the name or the colour cannot be used.
        """
        made = new_class(self.checked_raster().scheme, self.new_classes, name, colour)
        self.new_classes.append(made)
        self._show()
        return made

    def draw(
        self,
        geometry: QgsGeometry,
        crs: QgsCoordinateReferenceSystem,
        target: LandCoverClass,
        source: LandCoverClass | None = None,
    ) -> None:
        """Add a correction.

        Args:
            geometry: Polygon.
            crs: Its CRS.
            target: Class that it sets.
            source: The only class that it replaces; None for all classes.

        Raises:
            LandCoverError: if it has no effect, or cannot be stored.
        """
        raster = self.checked_raster()
        if source == target:
            raise RequestError(
                tr("'{name}' would become '{name}'.", name=target.name),
                tr("Choose another class, or another one below 'Only where it is'."),
            )
        area = moved(geometry.asWkt(), crs, raster.crs)
        self._check_effect(raster, area, target, source)
        layer = self._layer or self._make_layer(raster)
        if self._edits is None:
            raise RequestError(tr("The layer of the corrections is not in the project any more."))
        stored = moved(area.asWkt(), raster.crs, layer.crs()).asWkt()
        name = "" if source is None else source.name
        made = Correction(target.name, stored, name, self._next_time(), self._new_colour(target))
        self._edits.add({new_id(): made})
        self._show()

    def set_class(self, names: Iterable[str], target: LandCoverClass) -> None:
        """Let corrections set another class.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        if self._edits is not None:
            chosen = [name for name in names if name in self.corrections]
            self._edits.set_classes(chosen, target.name, colour=self._new_colour(target))
            self._show()

    def delete(self, names: Iterable[str]) -> None:
        """Remove corrections.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        if self._edits is not None:
            self._edits.remove([name for name in names if name in self.corrections])
            self._show()

    def undo(self) -> None:
        """Take back the last change.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        if self._edits is not None and self._edits.undo():
            self._show()

    def redo(self) -> None:
        """Do a change again.

        Raises:
            LandCoverError: if the layer cannot be changed.
        """
        if self._edits is not None and self._edits.redo():
            self._show()

    def area_of(self, name: str) -> QgsGeometry:
        """Return the area of a correction in the CRS of the raster; empty where it cannot be transformed."""
        if name not in self.corrections or self._layer is None or self._raster is None:
            return QgsGeometry()
        try:
            return moved(self.corrections[name].geometry, self._layer.crs(), self._raster.crs)
        except RequestError:
            return QgsGeometry()

    def extent_of(self, name: str) -> QgsRectangle:
        """Return the extent of a correction in the CRS of the raster."""
        return self.area_of(name).boundingBox()

    def checked_raster(self) -> Classified:
        """Return the raster; a file that was replaced on disk is read again.

        Raises:
            RequestError: if there is no raster, its file is gone, or it is no classified raster any more.
        """
        raster = self._raster
        if raster is None:
            raise RequestError(tr("Choose a classified raster first."))
        if not raster.is_changed():
            return raster
        kept = tr("The corrections are kept.")
        layer = QgsProject.instance().mapLayer(raster.layer_id)
        if not os.path.isfile(raster.path) or not isinstance(layer, QgsRasterLayer):
            raise RequestError(
                tr("The raster {path} is not there any more.", path=raster.path),
                f"{kept} {tr('Put it back, or choose another raster.')}",
            )
        read_classified(layer)  # before the layer lets go of the file that it has
        style = layer.renderer().clone()
        layer.setDataSource(layer.source(), layer.name(), "gdal", layer.dataProvider().ProviderOptions())
        layer.setRenderer(style)
        layer.triggerRepaint()
        found = read_classified(layer)
        self._raster = found
        self.set_layer(self._layer)
        self.said.emit(
            "warning",
            tr(
                "The raster {path} was replaced by another file. {kept} Check that they still fit.",
                path=os.path.basename(raster.path),
                kept=kept,
            ),
        )
        return found

    def close(self) -> None:
        """Let go of the layer."""
        if self._layer is not None:
            self._disconnect(self._layer)
        self._layer, self._edits, self._raster = None, None, None

    def _check_effect(
        self, raster: Classified, area: QgsGeometry, target: LandCoverClass, source: LandCoverClass | None
    ) -> None:
        """Raise an error for a correction that changes nothing; one on top of others always may.

        Raises:
            RequestError: naming the reason.
        """
        if not area.intersects(raster.extent):
            raise RequestError(
                tr("The correction is outside of the raster '{name}'.", name=raster.name),
                tr("Draw it on the raster."),
            )
        wanted = {source.id} if source is not None else {entry.id for entry in self.classes} - {target.id}
        under = classes_under(raster.source, area, lambda found: bool(found & wanted))
        if under & wanted:
            return
        if not under:
            raise RequestError(
                tr("The correction covers no pixel of the raster '{name}'.", name=raster.name),
                tr("Choose a wider brush, or draw a larger area."),
            )
        if under == {NODATA_ID}:
            raise RequestError(
                tr("The correction is where the raster '{name}' has no data.", name=raster.name),
                tr("Draw it where the raster has classes."),
            )
        if any(self.area_of(name).intersects(area) for name in self.corrections):
            return
        name = target.name if source is None else source.name
        text = tr("All of it is '{name}' already.") if source is None else tr("Nothing of it is '{name}'.")
        raise RequestError(text.format(name=name), tr("Choose another class, or draw elsewhere."))

    def _make_layer(self, raster: Classified) -> QgsVectorLayer:
        """Return the layer for the first correction: an existing file is continued."""
        path = chosen_file(correction_file(raster), self.ask_path)
        layer = open_or_create(path, raster)
        self._add_layer(layer, raster)
        if self.corrections:
            text = tr("{n} corrections of {path} are used, too.", n=len(self.corrections), path=path.name)
        else:
            text = tr("Corrections are stored in {path}.", path=path)
        self.said.emit("info", text)
        return layer

    def _add_layer(self, layer: QgsVectorLayer, raster: Classified) -> None:
        """Add a layer of corrections to the project, on top, and keep the corrections there."""
        layer.setName(tr("Corrections of {name}", name=raster.name))
        add_on_top(layer)
        self.set_layer(layer)
        if not self.corrections:
            store_style(layer, LAYER_NAME, tr("Corrections of land cover"))

    def _next_time(self) -> str:
        """Return the time for a new correction, later than that of all others."""
        now = QDateTime.currentDateTime().toString(TIME_FORMAT)
        latest = max((one.time for one in self.corrections.values()), default="")
        if latest < now:
            return now
        return QDateTime.fromString(latest, TIME_FORMAT).addSecs(1).toString(TIME_FORMAT)  # QGIS stores whole seconds

    def _new_colour(self, entry: LandCoverClass) -> str:
        """Return the colour of a class that the raster does not have; empty for others."""
        return entry.colour if entry in self.new_classes else ""

    def _find_new_classes(self, raster: Classified) -> None:
        """Make the classes that corrections set with a colour."""
        known = {entry.name.casefold() for entry in self.classes} | {str(entry.id) for entry in self.classes}
        for one in self.corrections.values():
            if one.colour and one.target and one.target.casefold() not in known:
                with suppress(LandCoverError):  # an invalid colour: the class stays unknown
                    self.new_classes.append(new_class(raster.scheme, self.new_classes, one.target, one.colour))
                known.add(one.target.casefold())

    def _show(self) -> None:
        """Find new classes and the corrections without effect, and tell that something changed."""
        self.problems = {}
        raster = self._raster
        if raster is not None:
            self._find_new_classes(raster)
            if self._layer is not None and self._styled != (self._layer.id(), self.classes):
                style_corrections(self._layer, self.classes, self.colours)
                self._styled = self._layer.id(), self.classes
            names = {entry.name.casefold() for entry in self.classes} | {str(entry.id) for entry in self.classes}
            for name, one in self.corrections.items():
                unknown = [value for value in (one.target, one.source) if value and value.casefold() not in names]
                if unknown or not one.target:
                    self.problems[name] = tr("'{name}' is not a class of the raster.", name="".join(unknown[:1]))
                elif not self.area_of(name).intersects(raster.extent):
                    self.problems[name] = tr("It is outside of the raster '{name}'.", name=raster.name)
        self.changed.emit()

    def _forget_layer(self) -> None:
        """The layer is removed from the project; its file stays."""
        self._layer, self._edits = None, None
        if self._raster is not None:
            self.said.emit("info", tr("The layer of the corrections was removed from the project; its file is kept."))
        self._show()

    def _disconnect(self, layer: QgsVectorLayer) -> None:
        layer.afterCommitChanges.disconnect(self.reload)
        layer.willBeDeleted.disconnect(self._forget_layer)
